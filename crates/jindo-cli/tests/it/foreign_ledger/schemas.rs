//! What a ledger defines: SQLite evaluates some of it while it reads the schema, before the first question is asked.

use super::Sound;
use rusqlite::Connection;
use std::path::Path;

/// Texts that are wide, deep or long, as parts of a definition.
fn columns(count: usize) -> String {
    (0..count).map(|number| format!("c{number}")).collect::<Vec<_>>().join(",")
}

fn many_tables(count: usize) -> String {
    let tables = (0..count).map(|number| format!("CREATE TABLE t{number} (x)"));
    tables.collect::<Vec<_>>().join(";")
}

fn deep(depth: usize) -> String {
    format!("{}1{}", "(".repeat(depth), ")".repeat(depth))
}

/// Redefines a thing in place, as only who writes a file by hand can.
fn redefined(name: &str, sql: &str) -> String {
    let sql = sql.replace('\'', "''");
    format!(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = '{sql}' WHERE name = '{name}';"
    )
}

fn statistics(table: &str, sql: &str, rows: usize) -> String {
    format!(
        "ANALYZE;
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {rows})
         INSERT INTO sqlite_stat1 SELECT 'queries', 'sqlite_autoindex_queries_1', x FROM n;
         {}",
        redefined(table, sql)
    )
}

/// Adds a table under a name that SQL itself does not allow.
fn smuggled(kind: &str, name: &str, table: &str, sql: &str) -> String {
    let sql = sql.replace('\'', "''");
    format!(
        "PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema SELECT '{kind}', '{name}', '{table}', rootpage, '{sql}' FROM sqlite_schema WHERE name = 'noted';"
    )
}

/// Name of each attempt, and how the ledger is changed.
fn attempts() -> Vec<(&'static str, String)> {
    let kept = "CREATE TABLE kept (key TEXT PRIMARY KEY, text TEXT NOT NULL";
    let bomb = "printf('%.*c', 900000000, 'x')";
    let slow = "instr(hex(zeroblob(40000000)), hex(zeroblob(1000000)) || 'x')";
    let like = format!("'{}' LIKE '{}b'", "a".repeat(4_000), "%a".repeat(2_000));
    let statistic = |column: &str| format!("CREATE TABLE sqlite_stat1(tbl,idx,stat AS ({column}))");
    vec![
        ("statistics that take 900 MB a row", statistics("sqlite_stat1", &statistic(bomb), 100)),
        ("statistics that take seconds a row", statistics("sqlite_stat1", &statistic(slow), 10_000)),
        ("statistics that match for ever", statistics("sqlite_stat1", &statistic(&like), 10)),
        ("statistics that concatenate", statistics("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat,
             a AS (stat||stat||stat||stat||stat||stat||stat||stat), b AS (a||a||a||a||a||a||a||a||a||a||a||a))", 10)),
        ("statistics that are stored", statistics("sqlite_stat1", &format!("CREATE TABLE sqlite_stat1(tbl,idx,stat AS ({bomb}) STORED)"), 10)),
        ("statistics with a default", statistics("sqlite_stat1", &format!("CREATE TABLE sqlite_stat1(tbl,idx,stat,more DEFAULT ({bomb}))"), 10)),
        ("statistics with a check", statistics("sqlite_stat1", &format!("CREATE TABLE sqlite_stat1(tbl,idx,stat CHECK ({slow}))"), 10)),
        ("statistics without rowid", statistics("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat,PRIMARY KEY(tbl)) WITHOUT ROWID", 10)),
        ("samples that take 900 MB a row", statistics("sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample AS (zeroblob(900000000)))", 10)),
        ("samples that take seconds a row", statistics("sqlite_stat4", &format!("CREATE TABLE sqlite_stat4(tbl,idx AS ({slow}),neq,nlt,ndlt,sample)"), 10)),
        ("statistics that are a view", smuggled("view", "sqlite_stat1", "sqlite_stat1", &format!("CREATE VIEW sqlite_stat1 AS SELECT {bomb} AS tbl, 1 AS idx, 1 AS stat"))),
        ("statistics that are virtual", smuggled("table", "sqlite_stat1", "sqlite_stat1", "CREATE VIRTUAL TABLE sqlite_stat1 USING fts5(tbl,idx,stat)")),
        ("an unknown statistic", smuggled("table", "sqlite_stat3", "sqlite_stat3", "CREATE TABLE sqlite_stat3(tbl,idx,neq,nlt,ndlt,sample)")),
        ("a generated column", redefined("kept", &format!("{kept}, more AS ({bomb})) STRICT, WITHOUT ROWID"))),
        ("a default", redefined("kept", &format!("{kept} DEFAULT ({bomb})) STRICT, WITHOUT ROWID"))),
        ("a check", redefined("kept", &format!("{kept} CHECK ({slow})) STRICT, WITHOUT ROWID"))),
        ("a check without a function", redefined("kept", &format!("{kept} CHECK ((text||text||text) <> key)) STRICT, WITHOUT ROWID"))),
        ("a collation", redefined("kept", "CREATE TABLE kept (key TEXT PRIMARY KEY COLLATE nocase, text TEXT NOT NULL) STRICT, WITHOUT ROWID")),
        ("no strict types", redefined("kept", "CREATE TABLE kept (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID")),
        ("one column less", redefined("lines", "CREATE TABLE lines (position INTEGER PRIMARY KEY, written TEXT NOT NULL) STRICT")),
        ("another foreign key", redefined("trusted", "CREATE TABLE trusted (query INTEGER PRIMARY KEY REFERENCES kept (key) ON DELETE CASCADE)")),
        ("a partial index", "CREATE INDEX mine ON queries (sent) WHERE length(sent) > 3".to_owned()),
        ("an index of an expression", "CREATE INDEX mine ON queries (replace(sent, 'a', 'b'))".to_owned()),
        ("an index that is none of jindo's", "CREATE INDEX mine ON queries (sent)".to_owned()),
        ("an index less", "DROP INDEX coverage_of_object".to_owned()),
        ("a view", "CREATE VIEW mine AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n".to_owned()),
        ("a view in place of a table", "DROP TABLE lines; CREATE VIEW lines AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n)
             SELECT x AS position, x AS written, x AS query, x AS reason FROM n".to_owned()),
        ("a trigger", "CREATE TRIGGER mine AFTER INSERT ON noted BEGIN DELETE FROM objects; END".to_owned()),
        ("a virtual table", "CREATE VIRTUAL TABLE mine USING fts5(x)".to_owned()),
        ("a table of all tables' sizes", "CREATE VIRTUAL TABLE mine USING dbstat(main)".to_owned()),
        ("another table", "CREATE TABLE mine (x)".to_owned()),
        ("5,000 tables", many_tables(5_000)),
        ("1,900 columns", format!("CREATE TABLE mine ({})", columns(1_900))),
        ("900 parentheses", redefined("kept", &format!("{kept} CHECK ({})) STRICT, WITHOUT ROWID", deep(90)))),
        ("a definition of 10 MB", redefined("kept", &format!("{kept}{}) STRICT, WITHOUT ROWID", " ".repeat(10_000_000)))),
        ("a definition of 30 KB", redefined("kept", &format!("{kept}/*{}*/) STRICT, WITHOUT ROWID", "x".repeat(30_000)))),
        ("a definition that is no SQL", redefined("kept", "CREATE TABLE kept (")),
        ("a definition twice", smuggled("table", "noted2", "noted2", "CREATE TABLE noted (name TEXT)")),
        ("a name that steers a terminal", "CREATE TABLE \"\u{1b}[2J\" (x)".to_owned()),
        ("two tables on one page", "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage =
             (SELECT rootpage FROM sqlite_schema WHERE name = 'queries') WHERE name = 'lines'".to_owned()),
        ("a table on no page", "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 900000 WHERE name = 'lines'".to_owned()),
        ("a table on the first page", "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'lines'".to_owned()),
        ("another program", "PRAGMA application_id = 1".to_owned()),
        ("a format that never was", "PRAGMA user_version = -7".to_owned()),
        ("a format of other tables", "PRAGMA user_version = 2".to_owned()),
    ]
}

fn change(ledger: &Path, sql: &str) {
    let connection = Connection::open(ledger).unwrap();
    let guards = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";
    connection.execute_batch(&format!("{guards}{sql}")).unwrap();
}

#[test]
fn attempts_of_ledgers_to_be_evaluated() {
    let sound = Sound::new();
    let attempts = attempts();
    for (name, sql) in &attempts {
        change(&sound.fresh(), sql);
        sound.is_damaged(name);
        sound.is_mended(name);
    }
    jindo_testing::all_held("definitions in a ledger, with the real binary", attempts.len());
}

/// `ANALYZE` and other tools of a user do no damage, and what they leave is read.
#[test]
fn a_ledger_with_statistics_of_its_own_is_sound() {
    let sound = Sound::new();
    change(&sound.fresh(), "ANALYZE; VACUUM; REINDEX; PRAGMA default_cache_size = 1000000");
    for args in [&["status", "out"][..], &["verify", "out"], &["plan", "--out", "out"]] {
        let output = sound.attempt("statistics", args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    }
}
