//! Files that lie: every one gives an error that says so; none panics, none asks for more memory than its limit.

use super::*;
use crate::archive::codec::{Encoded, encode};
use crate::archive::footer::{Footer, FooterQuery};
use bytes::Bytes;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn draft(window: Window) -> Footer {
    Footer {
        version: 1,
        jindo: "0.1.0".into(),
        organisation: None,
        start: window.start(),
        end: window.end(),
        interval_s: 60,
        generation: 0,
        fetched_at: window.end(),
        open: false,
        queries: vec![FooterQuery {
            sent: "avg:m{*}".into(),
            written: "avg:m{*}".into(),
            unfilled: None,
            alone: false,
            instead_of: None,
            interval_s: 60,
            row_groups: 0,
            rows: 0,
        }],
        series: Vec::new(),
        data_sha256: String::new(),
        data_bytes: 0,
    }
}

fn file() -> (Footer, Bytes) {
    let window = window(0, 3600);
    let series = vec![series(0, &["k:v"], window, 1.5), series(0, &["k:w"], window, -0.0)];
    encode(draft(window), &Answer { series }).unwrap()
}

fn wrong(bytes: &Bytes) -> Option<String> {
    Encoded::parse(bytes).and_then(|encoded| encoded.check_rows()).err()
}

fn check(change: impl FnOnce(&mut Footer), expected: &Expect) {
    let (mut footer, _) = file();
    change(&mut footer);
    let text = serde_json::to_string(&footer).unwrap();
    expected.assert_eq(&Footer::parse(&text).unwrap_err());
}

#[test]
fn a_footer_that_contradicts_itself_is_refused() {
    check(|f| f.version = 2, &expect!["its footer has version 2; this jindo reads 1"]);
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
