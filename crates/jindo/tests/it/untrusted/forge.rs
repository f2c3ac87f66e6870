//! Ledgers as somebody else might write them: one that jindo wrote, in each of its formats, and changes of its cells, rows,
//! definitions, statistics and bytes, each spelled by eight bytes. Knows what the ledger is made of by its schema alone.

use super::properties::START_S;
use super::sample;
use rusqlite::limits::Limit;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use std::fs;
use std::path::Path;

/// Bytes that spell a change, and changes of one ledger that are made.
const CHANGE_BYTES: usize = 8;
const CHANGES_MAX: usize = 12;

/// Steps of SQLite's machine and bytes of a cell that a change may take here: what is endless must be so in what is tested, not in this.
const STEPS_MAX: i32 = 100_000;
const CELL_BYTES_MAX: i32 = 1 << 20;

/// Tables of each earlier format, and of the present one.
const FORMATS: [&str; 4] = [
    include_str!("../../../src/archive/ledger/sqlite/schema-1.sql"),
    include_str!("../../../src/archive/ledger/sqlite/schema-2.sql"),
    include_str!("../../../src/archive/ledger/sqlite/schema-3.sql"),
    include_str!("../../../src/archive/ledger/sqlite/schema.sql"),
];

/// The present format, as few pages hold it and as other tools might write it.
const PAGES: [&str; 2] =
    ["", "PRAGMA page_size = 512; PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = FULL;"];

/// "jndo".
const APPLICATION_ID: i64 = 0x6a6e_646f;

/// What the definitions of a loose ledger lack, so that its cells may hold anything.
const RULES: [(&str, &str); 2] = [(") STRICT", ")"), ("NOT NULL", "")];

/// A ledger to begin with.
#[derive(Debug)]
struct Beginning {
    bytes: Vec<u8>,
    /// Names of tables and of their columns.
    columns: Vec<(String, String)>,
    /// Names and definitions that are put back when the cells are changed.
    definitions: Vec<(String, String)>,
}

/// All ledgers to begin with, and the directory with the objects of one.
#[derive(Debug)]
pub(crate) struct Beginnings {
    all: Vec<Beginning>,
    pub(crate) dir: tempfile::TempDir,
}

impl Beginnings {
    /// Makes the directory that a ledger of the present format belongs to, and ledgers of all formats with the same rows, each once as
    /// it is and once without rules.
    pub(crate) fn new() -> Self {
        let dir = super::ledgers::directory();
        sample::archive(dir.path());
        let path = dir.path().join("archive/ledger.db");
        open(&path).execute_batch("PRAGMA journal_mode = DELETE").expect("a sound ledger");
        let scratch = super::ledgers::directory();
        let mut all = Vec::new();
        for (version, schema) in (1..).zip(FORMATS) {
            for pages in PAGES.iter().take(if schema == FORMATS[3] { PAGES.len() } else { 1 }) {
                let beginning = Beginning::new(
                    &path,
                    &scratch.path().join("db"),
                    version,
                    &format!("{pages}{schema}"),
                );
                all.extend([beginning.loose(&scratch.path().join("db")), beginning]);
            }
        }
        Self { all, dir }
    }

    /// Writes the ledger that these bytes spell: the first says with which to begin, every eight of the rest change it.
    #[expect(clippy::disallowed_methods, reason = "a ledger of somebody else's making")]
    pub(crate) fn write(&self, input: &[u8], path: &Path) {
        let (first, rest) = input.split_first().unwrap_or((&0, &[]));
        let beginning = &self.all[usize::from(*first) % self.all.len()];
        let changes: Vec<Change> =
            rest.chunks_exact(CHANGE_BYTES).take(CHANGES_MAX).map(Change::of).collect();
        fs::write(path, &beginning.bytes).expect("a place for files");
        let connection = open(path);
        let forging = Forging { connection: &connection, beginning };
        // What a ledger refuses is no case.
        forging.act("BEGIN IMMEDIATE");
        for change in &changes {
            forging.cells(change);
        }
        forging.act("PRAGMA writable_schema = ON");
        for (name, text) in &beginning.definitions {
            let sql = "UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1";
            connection
                .prepare_cached(sql)
                .and_then(|mut put| put.execute([name, text]))
                .expect("a known name");
        }
        for change in &changes {
            forging.definitions(change);
        }
        forging.act("COMMIT");
        drop(connection);
        let mut bytes = fs::read(path).expect("it was written just now");
        for change in &changes {
            change.bytes(&mut bytes);
        }
        fs::write(path, bytes).expect("a place for files");
    }
}

/// Opens a ledger to change it: quickly, and without its rules.
fn open(path: &Path) -> Connection {
    let mut connection = Connection::open(path).expect("a place for files");
    let settings =
        "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;
         PRAGMA ignore_check_constraints = ON; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -65536";
    connection.execute_batch(settings).expect("SQLite knows them");
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, CELL_BYTES_MAX).expect("SQLite knows it");
    connection.progress_handler(STEPS_MAX, Some(|| true)).expect("SQLite has one");
    connection
}

impl Beginning {
    /// Makes a ledger of that format, with the rows of another for what both know.
    fn new(from: &Path, path: &Path, version: i64, schema: &str) -> Self {
        drop(fs::remove_file(path));
        let made = open(path);
        made.execute_batch(schema).expect("a schema");
        made.pragma_update(None, "application_id", APPLICATION_ID).expect("SQLite knows it");
        made.pragma_update(None, "user_version", version).expect("SQLite knows it");
        let from = open(from);
        let (known, columns) = (columns(&from), columns(&made));
        for rows in columns.chunk_by(|one, next| one.0 == next.0) {
            let both: Vec<_> =
                rows.iter().filter(|row| known.contains(row)).map(|row| &*row.1).collect();
            copy_rows(&from, &made, &rows[0].0, &both);
        }
        drop(made);
        Self { bytes: fs::read(path).expect("it was made"), columns, definitions: Vec::new() }
    }

    /// The same with definitions that let any cell be anything.
    fn loose(&self, path: &Path) -> Self {
        let loose = open(path);
        let mut all = loose
            .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
            .expect("a schema");
        let definitions = all
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("two texts")
            .collect::<Result<_, _>>()
            .expect("two texts");
        drop(all);
        loose.execute_batch("PRAGMA writable_schema = ON").expect("SQLite knows it");
        for (rule, without) in RULES {
            let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2) WHERE type = 'table'";
            loose.execute(sql, [rule, without]).expect("texts");
        }
        drop(loose);
        Self {
            bytes: fs::read(path).expect("it was made"),
            columns: self.columns.clone(),
            definitions,
        }
    }
}

/// Copies what another ledger has in these columns of a table.
fn copy_rows(from: &Connection, to: &Connection, table: &str, columns: &[&str]) {
    let (names, places) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
    let mut all = from.prepare(&format!("SELECT {names} FROM {table}")).expect("columns of both");
    let sql = format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})");
    let mut insert = to.prepare(&sql).expect("columns of both");
    let mut rows = all.query([]).expect("columns of both");
    while let Some(row) = rows.next().expect("a sound ledger") {
        let values = (0..columns.len()).map(|at| row.get::<_, Value>(at).expect("a value"));
        insert.execute(rusqlite::params_from_iter(values)).expect("columns of both");
    }
}

/// Names of all tables and columns.
fn columns(connection: &Connection) -> Vec<(String, String)> {
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid",
        )
        .expect("a ledger has tables");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("two texts");
    rows.collect::<Result<_, _>>().expect("two texts")
}

/// A change of a ledger.
#[derive(Debug, Clone, Copy)]
struct Change {
    what: u8,
    /// Which column, or which page.
    at: usize,
    /// How.
    by: usize,
    /// Which kind of value.
    of: usize,
    number: i32,
}

/// Whole numbers at the edges of what a cell, a moment or a count can be.
const EDGES: [i64; 16] = [
    i64::MAX,
    i64::MIN,
    i64::MAX - 1,
    -1,
    0,
    1,
    u32::MAX as i64,
    u32::MAX as i64 + 1,
    i32::MAX as i64,
    10_000_000,
    10_000_001,
    -377_705_023_201_000,
    253_402_207_200_000,
    -377_705_023_201,
    253_402_207_200,
    i64::MAX / 1_000,
];
const REALS: [f64; 6] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.5, 1e300];
/// Words that a ledger knows, and some that lead elsewhere.
const TEXTS: [&str; 40] = [
    "",
    "\0",
    "wanted",
    "probe",
    "sample",
    "publish",
    "remove",
    "refused",
    "not-offered",
    "point-too-large",
    "type-unknown",
    "url-too-long",
    "points",
    "queries",
    "url",
    "oldest",
    "withheld",
    "series points",
    "call points",
    "sampled",
    "sparse",
    "archive",
    "00000000000000000000000000000001",
    "organisation",
    "salt",
    "gauge",
    "rate without interval",
    "csv",
    "unfinished",
    "csv/../../x",
    "/etc/passwd",
    "csv/m@60s/1.csv",
    "2021-12-12/00000000000000000000000000000000.parquet",
    "probes/2021-12-12/00000000000000000000000000000000.parquet",
    "../2021-12-12/00000000000000000000000000000000.parquet",
    "[\"a:1\",\"a:1\"]",
    "[[[[",
    "\u{202e}\u{1b}[2J\n",
    "avg:m{*}",
    "the server does not offer points every 9999999999 s for it; the nearest it offers is 0 s",
];
/// Bytes of the longest text is two to this power.
const LENGTHS: usize = 15;
/// Rows that a row is copied to, at most.
const COPIES_MAX: i32 = 100;

/// Definitions to be added to a schema: their type, their name (`{n}` is a number) and text. `{t}` is a table of the ledger, `{c}` a
/// column of it.
const DEFINITIONS: [[&str; 3]; 22] = [
    ["view", "v{n}", "CREATE VIEW v{n} AS SELECT * FROM {t}"],
    ["view", "{t}", "CREATE VIEW {t} AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x AS {c} FROM n"],
    ["view", "{t}", "CREATE VIEW {t} AS SELECT printf('%.*c', 1000000000, 'x') AS {c}"],
    ["trigger", "g{n}", "CREATE TRIGGER g{n} AFTER INSERT ON {t} BEGIN DELETE FROM objects; END"],
    ["trigger", "sqlite_g{n}", "CREATE TRIGGER sqlite_g{n} BEFORE UPDATE ON {t} BEGIN INSERT INTO kept WITH RECURSIVE n(x) AS
         (SELECT 1 UNION ALL SELECT x FROM n) SELECT x, x FROM n; END"],
    ["table", "{t}", "CREATE TABLE {t} ({c} TEXT AS (printf('%.*c', 1000000000, 'x')))"],
    ["table", "w{n}", "CREATE TABLE w{n} (x)"],
    ["table", "w{n}", "CREATE VIRTUAL TABLE w{n} USING fts5(x)"],
    ["table", "w{n}", "CREATE VIRTUAL TABLE w{n} USING rtree(x, y, z)"],
    ["table", "w{n}", "CREATE TABLE w{n} (x DEFAULT (randomblob(1000000000)) CHECK (x IN (SELECT {c} FROM {t})))"],
    ["table", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat AS (printf('%.*c', 1000000000, 'x')))"],
    ["table", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"],
    ["table", "sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"],
    ["table", "sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample AS (zeroblob(1000000000)))"],
    ["view", "sqlite_stat1", "CREATE VIEW sqlite_stat1 AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n)
         SELECT x AS tbl, x AS idx, x AS stat FROM n"],
    ["table", "sqlite_stat3", "CREATE TABLE sqlite_stat3(tbl,idx,neq,nlt,ndlt,sample)"],
    ["table", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq AS (zeroblob(1000000000)))"],
    ["index", "i{n}", "CREATE INDEX i{n} ON {t} ({c})"],
    ["index", "i{n}", "CREATE UNIQUE INDEX i{n} ON {t} (printf('%.*c', 1000000000, {c}))"],
    ["index", "i{n}", "CREATE INDEX i{n} ON {t} ({c}) WHERE {c} IN (1,2,3,4,5,6,7,8,9) AND like('%a%b%c%d%', {c})"],
    ["index", "sqlite_autoindex_{t}_9", ""],
    ["table", "w{n}", "CREATE TABLE w{n} (((((((((((("],
];
/// Parts of definitions that are changed, each to what follows it.
const PARTS: [(&str, &str); 12] = [
    (") STRICT", ")"),
    ("NOT NULL", ""),
    (" TEXT", " BLOB"),
    (" INTEGER", " TEXT"),
    ("PRIMARY KEY", ""),
    ("UNIQUE", ""),
    (", WITHOUT ROWID", ""),
    ("CHECK (", "CHECK (1 OR "),
    ("REFERENCES", "REFERENCES kept --"),
    (") STRICT", ", x AS (printf('%.*c', 1000000000, 'x'))) STRICT"),
    ("CREATE TABLE ", "CREATE TABLE /* -- */ "),
    (" INTEGER", " INTEGER COLLATE nocase DEFAULT (zeroblob(1000000000))"),
];

impl Change {
    fn of(bytes: &[u8]) -> Self {
        let number = i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let [at, by, of] = [bytes[1], bytes[2], bytes[3]].map(usize::from);
        Self { what: bytes[0], at, by, of, number }
    }

    fn value(&self) -> Value {
        let number = i64::from(self.number);
        let pick = self.number.unsigned_abs() as usize;
        match self.of % 12 {
            0 => Value::Null,
            1 => Value::Integer(EDGES[pick % EDGES.len()]),
            2 => Value::Integer(number % 128),
            3 => Value::Integer(number),
            4 => Value::Integer(START_S + number % 1_000 * 60),
            5 => Value::Integer((START_S + number % 1_000) * 1_000),
            6 => Value::Integer(1 << (pick % 63)),
            7 => Value::Real(REALS[pick % REALS.len()]),
            8 | 9 => Value::Text(TEXTS[pick % TEXTS.len()].to_owned()),
            10 => Value::Text("\u{e9}".repeat(1 << (pick % LENGTHS))),
            _ => Value::Blob(self.number.to_le_bytes().repeat(1 << (pick % 12))),
        }
    }

    /// Changes bytes of the file: its header, or any page.
    fn bytes(&self, file: &mut [u8]) {
        /// Bytes of the header, which says most by few bytes.
        const HEADER_BYTES: usize = 100;
        let anywhere = self.at << 16 | self.by << 8 | self.of;
        let [byte, more, ..] = self.number.to_le_bytes();
        let at = match self.what % 16 {
            13 => anywhere % HEADER_BYTES,
            14 => anywhere % file.len().max(1),
            // The heads of pages: their kind, their count of cells, where these are.
            15 => (self.at * 4096 + self.by % 64) % file.len().max(1),
            _ => return,
        };
        for (place, new) in file.iter_mut().skip(at).zip([byte, more]).take(1 + self.of % 2) {
            *place = new;
        }
    }
}

struct Forging<'a> {
    connection: &'a Connection,
    beginning: &'a Beginning,
}

impl Forging<'_> {
    fn act(&self, sql: &str) {
        drop(self.connection.execute_batch(sql));
    }

    fn column(&self, change: &Change) -> &(String, String) {
        &self.beginning.columns[change.at % self.beginning.columns.len()]
    }

    /// Changes cells and rows.
    fn cells(&self, change: &Change) {
        let (table, column) = self.column(change);
        let of_some = match change.by % 3 {
            0 => String::new(),
            1 => format!(" WHERE {column} = (SELECT min({column}) FROM {table})"),
            _ => format!(" WHERE {column} = (SELECT max({column}) FROM {table})"),
        };
        let act = |sql: &str| {
            let prepared = self.connection.prepare_cached(sql);
            drop(prepared.and_then(|mut statement| statement.execute([change.value()])));
        };
        match change.what % 16 {
            0..=3 => act(&format!("UPDATE OR REPLACE {table} SET {column} = ?1{of_some}")),
            4 => act(&format!("UPDATE {table} SET {column} = {column} + ?1{of_some}")),
            // A text that is none.
            5 => act(&format!(
                "UPDATE {table} SET {column} = CAST(CAST(?1 AS BLOB) || x'ff' AS TEXT){of_some}"
            )),
            6 => self.act(&format!("DELETE FROM {table}{of_some}")),
            7 => self.copy(change),
            _ => {}
        }
    }

    /// Copies a row many times, with another number or value in one column each.
    fn copy(&self, change: &Change) {
        let (table, column) = self.column(change);
        let of_table = self.beginning.columns.iter().filter(|known| known.0 == *table);
        let values: Vec<&str> = of_table
            .map(|known| if known.1 == *column { "n.x" } else { known.1.as_str() })
            .collect();
        let values = values.join(", ");
        let sql = match change.by % 2 {
            0 => format!("INSERT OR IGNORE INTO {table} SELECT {values} FROM (SELECT ?1 AS x) n, {table} LIMIT 1"),
            _ => format!(
                "INSERT OR IGNORE INTO {table} WITH RECURSIVE n(x) AS (SELECT ?1 UNION ALL SELECT x + 1 FROM n LIMIT {})
                 SELECT {values} FROM n, (SELECT * FROM {table} LIMIT 1)",
                change.number % COPIES_MAX
            ),
        };
        let prepared = self.connection.prepare_cached(&sql);
        drop(prepared.and_then(|mut statement| statement.execute([change.value()])));
    }

    /// Changes definitions and statistics.
    fn definitions(&self, change: &Change) {
        let (table, column) = self.column(change);
        match change.what % 16 {
            8 => {
                let [kind, name, text] = DEFINITIONS[change.by % DEFINITIONS.len()].map(|text| {
                    text.replace("{t}", table)
                        .replace("{c}", column)
                        .replace("{n}", &change.number.to_string())
                });
                let sql = "INSERT INTO sqlite_schema SELECT ?1, ?2, ?3, iif(?1 IN ('table', 'index'), rootpage, 0), ?4
                     FROM sqlite_schema WHERE name = ?3";
                drop(self.connection.execute(sql, params![kind, name, table, text]));
                // In place of the table of that name.
                if name == *table && change.of.is_multiple_of(2) {
                    let sql = "DELETE FROM sqlite_schema WHERE name = ?1 AND sql <> ?2";
                    drop(self.connection.execute(sql, params![name, text]));
                }
            }
            9 => {
                let (part, other) = PARTS[change.by % PARTS.len()];
                let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?2, ?3) WHERE tbl_name = ?1";
                drop(self.connection.execute(sql, params![table, part, other]));
            }
            10 => {
                let field = ["rootpage", "sql", "name", "tbl_name", "type"][change.by % 5];
                let sql = format!("UPDATE sqlite_schema SET {field} = ?2 WHERE tbl_name = ?1");
                drop(self.connection.execute(&sql, params![table, change.value()]));
            }
            11 => {
                self.act("ANALYZE");
                let field = ["stat", "idx", "tbl"][change.by % 3];
                let sql = format!("UPDATE sqlite_stat1 SET {field} = ?2 WHERE tbl = ?1");
                drop(self.connection.execute(&sql, params![table, change.value()]));
            }
            12 => {
                let pragma = ["user_version", "application_id", "schema_version"][change.by % 3];
                self.act(&format!("PRAGMA {pragma} = {}", change.number % 8));
            }
            _ => {}
        }
    }
}
