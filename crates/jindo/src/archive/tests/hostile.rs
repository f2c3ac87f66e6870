//! Files that lie: every one gives an error that says so; none panics, none asks for more memory than its limit.

use super::*;
use crate::archive::objects::{Encoded, Footer, FooterQuery, Whole, encode};
use crate::parse::SeriesMetadata;
use crate::query::MetricTypes;
use bytes::Bytes;
use expect_test::{Expect, expect};
use proptest::prelude::*;

pub(super) fn draft(window: Window) -> Footer {
    Footer {
        version: Footer::VERSION,
        jindo: "0.1.0".into(),
        organisation: None,
        archive: Some(ArchiveId::new(1)),
        start: window.start(),
        end: window.end(),
        interval_s: 60,
        generation: 0,
        fetched_at: window.end(),
        open: false,
        copy_of: None,
        queries: vec![FooterQuery {
            sent: "avg:m{*}".into(),
            written: "avg:m{*}".into(),
            unfilled: None,
            alone: false,
            instead_of: None,
            role: Role::Wanted,
            interval_s: 60,
            row_groups: 0,
            rows: 0,
            types: MetricTypes::new(),
            assumed_types: MetricTypes::new(),
        }],
        series: Vec::new(),
        metadata: Vec::new(),
        groups: Vec::new(),
        data_sha256: String::new(),
        data_bytes: 0,
    }
}

fn file() -> (Whole, Bytes) {
    let window = window(0, 3600);
    let series = vec![series(0, &["k:v"], window, 1.5), series(0, &["k:w"], window, -0.0)];
    encode("name", draft(window), &Answer { series }).unwrap()
}

pub(super) fn wrong(bytes: &Bytes) -> Option<String> {
    Encoded::parse(bytes).and_then(|encoded| encoded.check_rows()).err()
}

fn check(change: impl FnOnce(&mut Footer), expected: &Expect) {
    let mut footer = Encoded::parse(&file().1).unwrap().footer;
    change(&mut footer);
    let text = serde_json::to_string(&footer).unwrap();
    expected.assert_eq(&Footer::parse(&text).unwrap_err());
}

#[test]
fn a_footer_that_contradicts_itself_is_refused() {
    check(|f| f.version = 3, &expect!["its footer has version 3; this jindo reads 1 to 2"]);
    check(|f| f.version = 0, &expect!["its footer has version 0; this jindo reads 1 to 2"]);
    check(|f| f.archive = None, &expect!["its footer names no archive"]);
    let of_groups = expect!["its footer's row groups are not its data"];
    check(|f| f.groups.clear(), &of_groups);
    check(|f| f.groups[0].bytes += 1, &of_groups);
    check(|f| f.groups[0].bytes = usize::MAX, &of_groups);
    let of_another = expect!["its footer's series has metadata of another"];
    check(|f| f.series[0].metadata = Some(0), &of_another);
    check(
        |f| {
            let beyond: SeriesMetadata =
                serde_json::from_str(r#"{"scope":["host:a,",1]}"#).unwrap();
            (f.series[0].metadata, f.metadata) = (Some(0), vec![beyond.into()]);
        },
        &of_another,
    );
    check(|f| f.interval_s = 0, &expect!["its footer's interval is 0"]);
    check(|f| f.end = f.start, &expect!["its footer's window is empty"]);
    check(|f| f.queries.clear(), &expect!["its footer names no query"]);
    check(|f| f.queries[0].rows += 1, &expect!["its footer contradicts itself about avg:m{*}"]);
    check(|f| f.series[0].query = 9, &expect!["its footer's series is of no query"]);
    check(|f| f.series[0].points = u64::MAX, &expect!["its footer counts beyond reason"]);
    check(|f| f.series[0].first = None, &expect!["its footer's series has impossible bounds"]);
    check(
        |f| f.series[0].last = Some(f.end),
        &expect!["its footer's series has impossible bounds"],
    );
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    let (_, bytes) = file();
    assert_eq!(wrong(&bytes), None);
    for cut in 0..bytes.len() {
        assert!(wrong(&bytes.slice(..cut)).is_some(), "cut at {cut}");
    }
    assert!(wrong(&Bytes::from_static(b"PAR1PAR1PAR1")).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The hash finds it first in an archive; a stranger has no hash.
    #[test]
    fn no_flipped_byte_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), more in any::<prop::sample::Index>()) {
        let (_, bytes) = file();
        let mut bytes = bytes.to_vec();
        let (at, more) = (at.index(bytes.len()), more.index(bytes.len()));
        bytes[at] = byte;
        bytes[more] ^= 0x80;
        drop(wrong(&Bytes::from(bytes)));
    }
}

/// Every cell of the ledger, and what may stand in it.
fn cells(dir: &Path) -> Vec<(String, String)> {
    let connection = rusqlite::Connection::open(dir.join("archive/ledger.db")).unwrap();
    let sql = "SELECT s.name, i.name FROM sqlite_schema s, pragma_table_info(s.name) i WHERE s.type = 'table'";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Opens, reads and mends; errors are fine, a panic is not.
fn use_all(dir: &Path) {
    drop(Archive::verify(dir));
    if let Ok(archive) = Archive::read(dir) {
        drop((
            archive.ledger().totals(),
            archive.ledger().learnt(),
            archive.ledger().given_up(),
            archive.ledger().request(),
        ));
        for query in archive.ledger().queries().unwrap_or_default() {
            drop((
                archive.ledger().extracted(OutputName("csv"), query.id),
                archive.ledger().grants(query.id),
            ));
            for held in archive.ledger().coverage(query.id).unwrap_or_default() {
                drop(archive.rows::<Error>(held.object, query.id, &mut |_| Ok(())));
            }
        }
    }
    if let Ok(archive) = Archive::open(dir, &writer()) {
        for query in archive.ledger().queries().unwrap_or_default() {
            drop(store(&archive, &[query.id], window(0, 3600), 3));
        }
        drop(archive.register(&request(&["avg:b{*}"])));
    }
    drop(Archive::repair(dir, &writer()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn no_cell_of_a_ledger_panics(at in any::<prop::sample::Index>(), value in prop::sample::select(vec![
        "NULL", "0", "-1", "9223372036854775807", "-9223372036854775808", "60", "''", "'../../x'", "'{}'", "'[[['",
        "'avg:m{*} by {'", "'\u{202e}'", "x'ff00'", "1e308",
    ])) {
        let dir = tempfile::tempdir().unwrap();
        let archive = opened(dir.path());
        archive.salt("salt").unwrap();
        archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
        store(&archive, &ids(&archive), window(0, DAY_S), 2).unwrap();
        store(&archive, &ids(&archive), window(DAY_S, DAY_S + 3600), 1).unwrap();
        drop(archive);
        let cells = cells(dir.path());
        let (table, column) = at.get(&cells);
        let connection = rusqlite::Connection::open(dir.path().join("archive/ledger.db")).unwrap();
        // Whoever writes a ledger of his own has no constraints.
        drop(connection.execute_batch(&format!(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; UPDATE OR IGNORE \"{table}\" SET \"{column}\" = {value}"
        )));
        drop(connection);
        use_all(dir.path());
    }
}

/// An object that was checked before is read again by its hash alone.
#[test]
fn a_checked_file_is_known_by_its_hash() {
    let (Whole { sha256, .. }, bytes) = file();
    let checked = Encoded::parse(&bytes).ok().unwrap();
    assert_eq!(checked.sha256, sha256, "written and read files have one hash");
    let again = Encoded::parse_checked(&bytes, &sha256).ok().unwrap();
    let points = |encoded: &Encoded| {
        let mut points = 0;
        let mut count = |chunk: Chunk<'_>| {
            points += chunk.values.len();
            Ok(())
        };
        encoded.rows(0, &|wrong| wrong, &mut count).unwrap();
        points
    };
    assert_eq!((points(&checked), points(&again)), (120, 120));
    for at in [8, bytes.len() / 2, bytes.len() - 9] {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1;
        let refused = Encoded::parse_checked(&Bytes::from(damaged), &sha256).err();
        assert_eq!(refused.as_deref(), Some("its bytes are not those that were written"));
    }
}
