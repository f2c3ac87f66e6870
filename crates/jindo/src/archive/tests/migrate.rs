//! Ledgers of earlier formats open, for reading and for writing.

use super::*;
use std::fs;

const FILES: &str = "
    PRAGMA application_id = 1785619567; PRAGMA user_version = 1;
    INSERT INTO queries (sent, interval_s, written, alone)
        VALUES ('avg:a{*}', 60, 'avg:a{*}', 0), ('avg:b{*}', 60, 'avg:b{*}', 0);
    INSERT INTO extracted VALUES (1, 'one', 2, 80, 4), (2, 'two', 1, 40, 2);
    INSERT INTO files VALUES
        (1, 0, 'csv/a/HOST=\u{e9}.csv', 'a', '[\"host:x\"]', NULL, 0, 60000, 2, 40, 'aa'),
        (1, 1, 'csv/a/values.csv', 'a', '[]', 'byte', 0, 60000, 2, 40, 'bb'),
        (2, 0, 'csv/a/host=e\u{301}.csv', 'b', '[]', NULL, 0, 60000, 2, 40, 'cc');";

/// A ledger of format 1 with marks of two queries. The second's file is one with a file of the first where names differ by
/// neither case nor Unicode form.
fn first_format(dir: &Path) -> rusqlite::Connection {
    fs::DirBuilder::new().recursive(true).create(dir.join("archive")).unwrap();
    let ledger = rusqlite::Connection::open(dir.join("archive/ledger.db")).unwrap();
    ledger.execute_batch(include_str!("../ledger/sqlite/schema-1.sql")).unwrap();
    ledger.execute_batch(FILES).unwrap();
    ledger
}

fn check(archive: &Archive) {
    let csv = OutputName("csv");
    let one = archive.ledger().extracted(csv, QueryId(1)).unwrap().unwrap();
    let paths: Vec<&str> = one.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["csv/a/HOST=\u{e9}.csv", "csv/a/values.csv"]);
    assert_eq!((one.digest.as_str(), one.files[1].unit.as_deref()), ("one", Some("byte")));
    let twin = archive.ledger().extracted(csv, QueryId(2)).unwrap().unwrap();
    assert_eq!((twin.digest.as_str(), twin.files.len()), ("unfinished", 0));
    assert_eq!(archive.ledger().owner("csv/a/values.csv").unwrap(), Some(QueryId(1)));
    assert_eq!(archive.ledger().extracted(OutputName("other"), QueryId(1)).unwrap(), None);
    assert_eq!(archive.ledger().queries().unwrap().len(), 2);
}

#[test]
fn marks_of_format_1_are_those_of_csv() {
    let dir = tempfile::tempdir().unwrap();
    drop(first_format(dir.path()));
    let bytes = || fs::read(dir.path().join("archive/ledger.db")).unwrap();
    let before = bytes();
    check(&Archive::read(dir.path()).unwrap());
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    assert!(before == bytes(), "reading changes nothing");
    check(&opened(dir.path()));
    assert!(before != bytes(), "writing begins with the present format");
    check(&Archive::read(dir.path()).unwrap());
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
}

#[test]
fn another_shape_of_format_1_is_no_ledger() {
    let dir = tempfile::tempdir().unwrap();
    first_format(dir.path()).execute_batch("CREATE TABLE mine (x)").unwrap();
    for refused in [Archive::read(dir.path()), Archive::open(dir.path(), &writer())] {
        assert!(matches!(refused, Err(Error::LedgerDamaged { .. })), "{refused:?}");
    }
}

/// A query, and an object of a day of it that was fetched at second 2.
const OBJECT: &str = "
    INSERT INTO queries (sent, interval_s, written, alone) VALUES ('avg:a{*}', 60, 'avg:a{*}', 0);
    INSERT INTO objects VALUES
        (1, '2021-12-12/00000000000000000000000000000000.parquet', 60, 1639267200, 1639353600, 0, 2000, 0, 9, 9, 'aa');
    INSERT INTO object_queries VALUES (1, 0, 1);";

fn earlier(dir: &Path, tables: &str, rows: &str, version: i64) {
    fs::DirBuilder::new().recursive(true).create(dir.join("archive")).unwrap();
    let ledger = rusqlite::Connection::open(dir.join("archive/ledger.db")).unwrap();
    ledger.execute_batch(tables).unwrap();
    let pragmas = format!("PRAGMA application_id = 1785619567; PRAGMA user_version = {version};");
    ledger.execute_batch(&format!("{pragmas}{OBJECT}{rows}")).unwrap();
}

#[test]
fn stretches_of_format_2_were_asked_when_they_were_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "INSERT INTO coverage VALUES (1, 1639267200, 1639353600, 1, 1, 0)";
    earlier(dir.path(), include_str!("../ledger/sqlite/schema-2.sql"), rows, 2);
    let fetched_at = Timestamp::from_second(2).unwrap();
    let check = |archive: &Archive| {
        let held = archive.ledger().coverage(QueryId(1)).unwrap();
        let expected = Coverage {
            window: window(0, DAY_S),
            object: ObjectId(1),
            origin: Origin::Fetched,
            open: true,
            asked_at: fetched_at,
        };
        assert_eq!(held, [expected]);
        assert_eq!(archive.ledger().objects().unwrap()[0].record.copy_of, None);
        assert_eq!(archive.ledger().metric_types().unwrap(), []);
        assert_eq!(archive.ledger().check().unwrap(), Vec::<String>::new());
    };
    let reader = Archive::read(dir.path()).unwrap();
    check(&reader);
    assert_eq!(reader.id().unwrap(), None, "reading gives no id");
    let archive = opened(dir.path());
    check(&archive);
    assert_eq!(archive.id().unwrap(), Some(writer().fresh_id));
}

#[test]
fn copies_types_and_moments_of_format_3_stay() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "
        INSERT INTO coverage VALUES (1, 1639267200, 1639353600, 1, 0, 5000, 0);
        INSERT INTO copies VALUES (1, 'the answer');
        INSERT INTO metric_types VALUES ('a', 'rate without interval', 3000);";
    earlier(dir.path(), include_str!("../ledger/sqlite/schema-3.sql"), rows, 3);
    let archive = opened(dir.path());
    let granted = &archive.ledger().grants(QueryId(1)).unwrap()[0];
    let asked_at = Timestamp::from_second(5).unwrap();
    assert_eq!((granted.held.asked_at, &*granted.answer), (asked_at, "the answer"));
    let known = &archive.ledger().metric_types().unwrap()[0];
    assert_eq!((&*known.metric, known.of.name()), ("a", "rate without interval"));
    assert_eq!(archive.ledger().check().unwrap(), Vec::<String>::new());
}

#[test]
fn rows_of_format_1_that_contradict_each_other_are_damage_to_who_reads_and_to_who_writes() {
    for forged in [
        "INSERT INTO coverage VALUES (1, 0, 60, 9, 0, 0); INSERT INTO objects VALUES
             (9, '2021-12-12/00000000000000000000000000000000.parquet', 60, 0, 60, 0, 0, 0, 0, 0, '');
         UPDATE coverage SET query = 9",
        "UPDATE queries SET alone = 7",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let ledger = first_format(dir.path());
        let freely = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";
        ledger.execute_batch(&format!("{freely} {forged}")).unwrap();
        drop(ledger);
        for refused in [Archive::read(dir.path()), Archive::open(dir.path(), &writer())] {
            assert!(matches!(refused, Err(Error::LedgerDamaged { .. })), "{forged}: {refused:?}");
        }
        assert_eq!(Archive::verify(dir.path()).unwrap().findings[0].fault, Fault::LedgerDamaged);
        Archive::repair(dir.path(), &writer()).unwrap();
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, [], "{forged}");
    }
}
