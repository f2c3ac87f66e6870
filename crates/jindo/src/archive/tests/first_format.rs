//! A ledger of format 1, whose reasons were sentences, opens for reading and for writing.

use super::*;
use crate::query::Interval;
use std::fs;

/// Queries: given up as too fine; given up and answered later; given up for its length; refused for its age.
const ROWS: &str = "
    PRAGMA application_id = 1785619567; PRAGMA user_version = 1;
    INSERT INTO queries (sent, interval_s, written, alone, position) VALUES
        ('avg:a{*}', 1, 'avg:a{*}', 0, 0), ('avg:b{*}', 60, 'avg:b{*}', 0, 1),
        ('avg:c{*}', 60, 'avg:c{*}', 0, 2), ('avg:d{*}', 60, 'avg:d{*}', 0, 3);
    INSERT INTO request VALUES (1, 0, 864000, 864000, 'UTC', '{}');
    INSERT INTO lines SELECT position, written, id, NULL FROM queries;
    UPDATE queries SET asked_start_s = 0, asked_end_s = 864000;
    INSERT INTO objects VALUES
        (1, 'start=2021-12-12/00000000000000000000000000000000.parquet', 60, 0, 86400, 0, 2000, 0, 0, 9, 'aa');
    INSERT INTO coverage VALUES (2, 0, 86400, 1, 0, 0);
    INSERT INTO given_up VALUES
        (1, 0, 600, 1, 'the server does not offer points every 1 s for it; the nearest it offers is 10 s', 1000),
        (2, 0, 864000, 1, 'Query timed out', 1000),
        (3, 0, 600, 1, 'its URL is too long for the server', 1000),
        (4, 0, 600, 0, 'older than 15 months', 1000);
    INSERT INTO learnt VALUES ('oldest', 600, 1000, 'old'), ('points', 350, 1000, 'coarser'),
        ('probe', 0, 1000, 'it was wrong'), ('queries', 20, 1000, 'long'), ('url', 5000, 1000, 'longer');";

fn first_format(dir: &Path) -> rusqlite::Connection {
    fs::DirBuilder::new().recursive(true).create(dir.join("archive")).unwrap();
    let ledger = rusqlite::Connection::open(dir.join("archive/ledger.db")).unwrap();
    ledger.execute_batch(include_str!("../ledger/sqlite/schema-1.sql")).unwrap();
    ledger.execute_batch(ROWS).unwrap();
    ledger
}

fn check(archive: &Archive) {
    let known = archive.ledger().queries().unwrap();
    let reasons: Vec<_> = known.iter().map(|query| query.given_up.clone()).collect();
    let interval = |secs| Interval::from_secs(secs).unwrap();
    let not_offered = GiveUpReason::NotOffered { asked: interval(1), nearest: interval(10) };
    assert_eq!(reasons, [Some(not_offered), None, Some(GiveUpReason::UrlTooLong), None]);
    let (until, words) = known[3].too_old.clone().unwrap();
    assert_eq!((until.as_second(), words.as_str()), (600, "older than 15 months"));
    let limits: Vec<_> =
        archive.ledger().learnt().unwrap().iter().map(|learnt| learnt.limit).collect();
    let oldest = LearntLimit::OldestKept(Timestamp::from_second(600).unwrap());
    let others = [LearntLimit::Queries(20), LearntLimit::UrlChars(5_000)];
    assert_eq!(limits, [oldest, LearntLimit::Points(350), others[0], others[1]]);
    assert_eq!(archive.ledger().probes_discarded().unwrap().unwrap().why, "it was wrong");
    assert_eq!(archive.ledger().coverage(known[1].id).unwrap().len(), 1);
}

#[test]
fn a_ledger_of_format_1_opens() {
    let dir = tempfile::tempdir().unwrap();
    drop(first_format(dir.path()));
    let bytes = || fs::read(dir.path().join("archive/ledger.db")).unwrap();
    let before = bytes();
    check(&Archive::read(dir.path()).unwrap());
    assert!(before == bytes(), "reading changes nothing");
    check(&opened(dir.path()));
    assert!(before != bytes(), "writing begins with the present format");
    check(&Archive::read(dir.path()).unwrap());
}

#[test]
fn a_limit_of_an_unknown_name_is_an_error_that_is_found() {
    let dir = tempfile::tempdir().unwrap();
    first_format(dir.path())
        .execute("UPDATE learnt SET name = 'x' WHERE name = 'url'", [])
        .unwrap();
    let archive = opened(dir.path());
    assert!(
        matches!(archive.ledger().learnt(), Err(Error::LedgerDamaged { .. })),
        "{:?}",
        archive.ledger().learnt()
    );
    drop(archive);
    let findings = Archive::verify(dir.path()).unwrap().findings;
    assert!(findings.iter().any(|found| found.why == r#"learnt.name is "x""#), "{findings:?}");
}
