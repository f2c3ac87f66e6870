//! Bytes from outside, within bounds: what `fuzz/` looks for without them. Mutated from what is right, so that they get far.

mod forge;
mod keys;
mod ledgers;
mod objects;
mod properties;
mod redaction;
mod sample;

use properties::{START_S, WINDOW_S};
use proptest::prelude::*;
use proptest::sample::Index;

const LIST: &str = "avg:system.cpu.user{host:web-1,env:$env} by {host}\n# comment\n\
    \"sum:m{*}.as_count().rollup(sum, 60)\", abs(max:n{!a:b} / 2) + p95:o{a IN (b,c)}.fill(zero)\n\
    - avg:p{*}\n1. `max:q{*}`\navg(last_5m):anomalies(avg:r{*}, 'agile', 2) >= 1\nlogs(\"a\").last(\"5m\") > 3\n\
    avg:s{env:<%= a %>,b:{{ c }}}\nquery1 / query2\n{\"widgets\":[\"avg:t{*}\"]}\n";

/// The ends of what a cell, a moment in milliseconds and one in seconds can be.
const EDGES: [i64; 8] = [
    i64::MAX,
    i64::MIN,
    -377_705_023_201_000,
    253_402_207_200_000,
    -377_705_023_201,
    253_402_207_200,
    u32::MAX as i64,
    i64::MAX / 1_000,
];

const HEADERS: &str = "600\n3600\n-5\n1.1\nmetrics_query";

fn body() -> String {
    let point = |at: i64| format!("[{}.0,{}.5e-1]", (START_S + at * 60) * 1_000, at + 1);
    let points: Vec<String> = (0..WINDOW_S / 60).map(point).collect();
    format!(
        r#"{{"status":"ok","res_type":"time_series","series":[{{"metric":"m","interval":60,"query_index":0,
        "tag_set":["a:1","b:\ud55c"],"scope":"a:1","unit":[{{"name":"byte","short_name":null}},null],
        "length":10,"pointlist":[{}]}}],"errors":[],"error":""}}"#,
        points.join(",")
    )
}

/// Up to eight bytes replaced, removed or doubled.
fn edited(bytes: &[u8], edits: &[(Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, byte, how) in edits {
        let at = at.index(bytes.len());
        match how % 4 {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 => bytes.truncate(at.max(1)),
            _ => {
                let (from, to) = (at, (at + usize::from(*byte)).min(bytes.len()));
                let part = bytes[from..to].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    prop::collection::vec((any::<Index>(), any::<u8>(), any::<u8>()), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn lists_and_queries(edits in edits()) {
        let list = edited(LIST.as_bytes(), &edits);
        properties::list_file(&list);
        String::from_utf8_lossy(&list).lines().for_each(properties::query_text);
    }

    #[test]
    fn lists_of_noise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        properties::list_file(&bytes);
        properties::response_body(&bytes);
        objects::object_file(&bytes, 1);
    }

    #[test]
    fn bodies(edits in edits()) {
        properties::response_body(&edited(body().as_bytes(), &edits));
    }

    #[test]
    fn headers(edits in edits(), numbers in prop::collection::vec(any::<f64>(), 4)) {
        properties::rate_headers(&String::from_utf8_lossy(&edited(HEADERS.as_bytes(), &edits)));
        let texts: Vec<String> = numbers.iter().map(f64::to_string).collect();
        properties::rate_headers(&texts.join("\n"));
    }
}

thread_local! {
    static BEGINNINGS: forge::Beginnings = forge::Beginnings::new();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn ledgers_of_others(first in any::<u8>(), changes in prop::collection::vec(any::<[u8; 8]>(), 1..6)) {
        let input: Vec<u8> = [first].into_iter().chain(changes.into_flattened()).collect();
        BEGINNINGS.with(|beginnings| ledgers::ledger(beginnings, &input, 1));
    }

    #[test]
    fn object_files(edits in edits()) {
        let dir = tempfile::tempdir().unwrap();
        sample::archive(dir.path());
        let data = dir.path().join("archive/data/2021-12-12");
        let file = std::fs::read_dir(data).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(file).unwrap();
        assert!(jindo::archive::inspect(&bytes).is_ok());
        objects::object_file(&edited(&bytes, &edits), 1);
    }

    #[test]
    fn forged_objects(changes in prop::collection::vec(any::<u8>(), 0..32)) {
        objects::forged_object(&object(), &changes, 1);
    }

    #[test]
    fn forged_footers(changes in prop::collection::vec(any::<u8>(), 0..32)) {
        objects::forged_footer(OBJECT, &changes, 1);
    }
}

/// An object that the fuzz targets begin with as well.
const OBJECT: &[u8] = include_bytes!("../../../../fuzz/seeds/object_file/3");

fn object() -> jindo_testing::ForgedObject {
    jindo_testing::ForgedObject::read(OBJECT).unwrap()
}

#[test]
fn an_object_that_is_accepted_can_be_extracted() {
    let bytes = object().bytes().unwrap();
    assert!(jindo::archive::inspect(&bytes).is_ok());
    objects::object_file(&bytes, 1);
    objects::forged_footer(OBJECT, &[], 1);
}

/// Each of these was added to, multiplied or subtracted from without a look.
#[test]
fn no_moment_and_no_count_of_a_ledger_overflows() {
    let columns = [
        ("given_up", "end_s"),
        ("objects", "fetched_ms"),
        ("coverage", "end_s"),
        ("files", "points"),
        ("files", "bytes"),
        ("learnt", "value"),
    ];
    for (table, column) in columns {
        for edge in EDGES {
            let dir = tempfile::tempdir().unwrap();
            sample::archive(dir.path());
            let ledger = rusqlite::Connection::open(dir.path().join("archive/ledger.db")).unwrap();
            ledger.pragma_update(None, "ignore_check_constraints", "ON").unwrap();
            ledger.execute(&format!("UPDATE {table} SET {column} = ?1"), [edge]).unwrap();
            drop(ledger);
            ledgers::mended(dir.path());
        }
    }
}

#[test]
fn what_is_right_is_taken() {
    properties::response_body(body().as_bytes());
    properties::list_file(LIST.as_bytes());
    properties::rate_headers(HEADERS);
}
