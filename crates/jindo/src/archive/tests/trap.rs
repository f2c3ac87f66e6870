//! Ledgers that are a trap: what they define would run for ever or take all memory, what stands in them would overflow.

use super::*;
use rusqlite::Connection;

fn furnished() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened(dir.path());
    archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
    store(&archive, &ids(&archive), window(0, DAY_S), 1).unwrap();
    dir
}

fn change(dir: &Path, sql: &str) {
    let ledger = Connection::open(dir.join("archive/ledger.db")).unwrap();
    ledger
        .execute_batch(&format!(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; {sql}"
        ))
        .unwrap();
}

const ENDLESS: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT";

#[test]
fn a_ledger_that_defines_anything_else_is_refused_and_rebuilt() {
    let endless = |table: &str, columns: &str| {
        format!("DROP TABLE {table}; CREATE VIEW {table} AS {ENDLESS} {columns} FROM n")
    };
    let traps = [
        "DROP TABLE request; CREATE VIEW request AS SELECT 1 AS id, 0 AS asked_start_s, 1 AS asked_end_s,
             'UTC' AS timezone, printf('%.*c', 1000000, 'x') AS arguments"
            .to_owned(),
        endless("noted", "'a' AS name, 'remove' AS purpose"),
        endless("learnt", "'a' AS name, 1 AS value, 1 AS learnt_ms, 'a' AS why"),
        format!("CREATE TRIGGER t AFTER INSERT ON noted BEGIN INSERT INTO kept {ENDLESS} x, x FROM n; END"),
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_t', 'noted', 0,
             'CREATE TRIGGER sqlite_t AFTER INSERT ON noted BEGIN DELETE FROM objects; END')"
            .to_owned(),
        "ALTER TABLE kept ADD COLUMN bomb TEXT AS (printf('%.*c', 1000000, 'x'))".to_owned(),
        "DROP TABLE kept; CREATE TABLE kept (key TEXT PRIMARY KEY, text TEXT NOT NULL
             CHECK (length(printf('%.*c', 1000000, 'x')) > 0)) STRICT, WITHOUT ROWID"
            .to_owned(),
        "CREATE TABLE mine (x)".to_owned(),
        "CREATE INDEX mine ON queries (upper(sent))".to_owned(),
        "DROP INDEX files_by_folded_path".to_owned(),
    ];
    for trap in traps {
        let dir = furnished();
        change(dir.path(), &trap);
        for refused in [
            Archive::read(dir.path()).map(drop),
            Archive::open(dir.path(), &writer()).map(drop),
            Archive::beside(dir.path()).map(drop),
        ] {
            assert!(matches!(refused, Err(Error::LedgerDamaged { .. })), "{trap}: {refused:?}");
        }
        let found = Archive::verify(dir.path()).unwrap().findings;
        assert_eq!(found[0].fault, Fault::LedgerDamaged, "{trap}");
        Archive::repair(dir.path(), &writer()).unwrap();
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, [], "{trap}");
    }
}

#[test]
fn who_looked_at_a_ledger_with_other_tools_has_not_damaged_it() {
    let dir = furnished();
    change(dir.path(), "ANALYZE; VACUUM; REINDEX; PRAGMA journal_mode = DELETE");
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    opened(dir.path());
}

#[test]
fn cells_that_overflow_are_damage_that_is_found_and_mended() {
    let most = i64::MAX;
    for forged in [
        format!("INSERT INTO given_up (query, start_s, end_s, whole, reason, words, at_ms) VALUES (1, 0, {most}, 0, 'refused', 'old', 0)"),
        format!("UPDATE objects SET rows = {most}; INSERT INTO objects SELECT 9, replace(name, '2021-', '3021-'),
             interval_s, start_s, end_s, generation, fetched_ms, open, rows, bytes, sha256 FROM objects"),
        format!("UPDATE objects SET fetched_ms = {most}"),
        "UPDATE queries SET interval_s = 0".to_owned(),
    ] {
        let dir = furnished();
        change(dir.path(), &forged);
        let refused = Archive::read(dir.path()).and_then(|archive| {
            let ledger = archive.ledger();
            ledger.queries()?;
            ledger.totals()?;
            ledger.objects().map(drop)
        });
        assert!(matches!(refused, Err(Error::LedgerDamaged { .. })), "{forged}: {refused:?}");
        let found = Archive::verify(dir.path()).unwrap().findings;
        assert_eq!(found[0].fault, Fault::LedgerDamaged, "{forged}");
        Archive::repair(dir.path(), &writer()).unwrap();
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, [], "{forged}");
    }
}

/// Of each, who reads alone would otherwise notice nothing: SQLite knows no constraints of a file that it may not write, takes any bytes
/// for a text, and does not know what a text means.
#[test]
fn what_fails_only_when_it_is_written_or_understood_is_found_and_mended() {
    let no_text = "CAST(x'61ff' AS TEXT)";
    for (forged, why) in [
        (
            "UPDATE coverage SET open = 7".to_owned(),
            "2 rows of coverage are not as they must be: (open IN (0, 1))",
        ),
        (
            "UPDATE queries SET alone = -1".to_owned(),
            "2 rows of queries are not as they must be: (alone IN (0, 1))",
        ),
        (
            "INSERT INTO lines (position, written) VALUES (9, 'x')".to_owned(),
            "1 rows of lines are not as they must be: ((query IS NULL) <> (reason IS NULL))",
        ),
        (
            format!("INSERT INTO extracted VALUES ('csv', 1, {no_text}, 0, 0, 0)"),
            "extracted.digest is no text",
        ),
        (format!("INSERT INTO kept VALUES ('salt', {no_text})"), "kept.text is no text"),
        (
            "INSERT OR REPLACE INTO kept VALUES ('organisation', '{')".to_owned(),
            "its organisation is no JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "INSERT OR REPLACE INTO kept VALUES ('assumed types', '{')".to_owned(),
            "its assumed types are no JSON: EOF while parsing an object at line 1 column 1",
        ),
    ] {
        let dir = furnished();
        change(dir.path(), &forged);
        let found = Archive::verify(dir.path()).unwrap().findings;
        assert_eq!((found[0].fault, &*found[0].why), (Fault::LedgerDamaged, why), "{forged}");
        Archive::repair(dir.path(), &writer()).unwrap();
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, [], "{forged}");
        opened(dir.path());
    }
}

/// They are for show: who has so many files has other troubles.
#[test]
fn sums_of_files_end_at_the_most() {
    let dir = furnished();
    let archive = opened(dir.path());
    let file = |name: &str| SeriesFile {
        path: format!("csv/a/{name}.csv"),
        metric: "a".into(),
        tags: Vec::new().into(),
        unit: None,
        first: Timestamp::UNIX_EPOCH,
        last: Timestamp::UNIX_EPOCH,
        points: i64::MAX.unsigned_abs(),
        bytes: i64::MAX.unsigned_abs(),
        sha256: String::new(),
    };
    let extracted = Extracted { digest: "d".into(), files: vec![file("b"), file("c"), file("d")] };
    archive
        .ledger()
        .mark_extracted(OutputName("csv"), &[(ids(&archive)[0], extracted.clone())])
        .unwrap();
    assert_eq!(archive.ledger().totals().unwrap().file_points, i64::MAX.unsigned_abs());
    assert_eq!(
        archive
            .ledger()
            .extracted(OutputName("csv"), ids(&archive)[0])
            .unwrap()
            .unwrap()
            .files
            .len(),
        3
    );
}
