//! What tests of an archive store and see of it. Included by the tests in `tests/it/archive` as well, which see the library from
//! outside: names come from the file around.

use super::*;

pub(super) const DAY_S: i64 = 86_400;
/// 2021-12-12, a day of the known script's range.
pub(super) const START_S: i64 = 1_639_267_200;

pub(super) fn window(from_s: i64, until_s: i64) -> Window {
    Window::from_secs(START_S + from_s, START_S + until_s).unwrap()
}

pub(super) fn minute() -> Interval {
    Interval::from_secs(60).unwrap()
}

pub(super) fn query(text: &str) -> Query {
    let unfilled = format!("{text}.rollup(avg, 60)");
    let text = QueryText::new(text, format!("{unfilled}.fill(null)"), minute());
    Query::new(text.with_unfilled(unfilled))
}

pub(super) fn request(texts: &[&str]) -> Request {
    Request {
        lines: texts.iter().map(|text| RequestLine::Query(query(text))).collect(),
        asked: window(0, 2 * DAY_S).into(),
        timezone: "Asia/Seoul".into(),
        arguments: r#"{"from":"2021-12-12"}"#.into(),
    }
}

/// A series with a point every minute of the window; its values tell when it was fetched.
pub(super) fn series(query: usize, tags: &[&str], window: Window, salt: f64) -> Series {
    let ts_ms: Vec<i64> =
        (window.start_s()..window.end_s()).step_by(60).map(|ts_s| ts_s * 1000).collect();
    Series {
        query: CallPosition::new(query),
        metric: "aws.cloudfront.requests".into(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        unit: Some("request".into()),
        metadata: std::sync::Arc::default(),
        values: ts_ms.iter().map(|_| salt).collect(),
        ts_ms,
    }
}

/// Stores one series for every query, fetched so many seconds after the first, marked with the same number.
pub(super) fn store(
    archive: &Archive,
    queries: &[QueryId],
    window: Window,
    fetched_s: i32,
) -> Result<Stored, Error> {
    let series = (0..queries.len())
        .map(|query| series(query, &["distributionid:e1"], window, f64::from(fetched_s)))
        .collect();
    archive.store(&Fetched {
        queries,
        interval: minute(),
        window,
        fetched_at: Timestamp::from_second(START_S + i64::from(fetched_s)).unwrap(),
        open: fetched_s % 2 == 1,
        answer: &Answer { series },
    })
}

/// Everything the archive shows of itself: queries, coverage with the names of objects, and the rows that coverage grants.
pub(super) fn shown(archive: &Archive) -> String {
    use std::fmt::Write as _;
    let mut shown = String::new();
    let coverage = archive.ledger().coverage_all().unwrap();
    for query in archive.ledger().queries().unwrap() {
        writeln!(shown, "{} {:?} {:?}", query.text.written, query.position, query.asked).unwrap();
        for held in coverage.get(&query.id).unwrap_or(&Vec::new()) {
            let mut rows = Vec::new();
            archive
                .rows::<Error>(held.object, query.id, &mut |chunk| {
                    for (ts_ms, value) in chunk.ts_ms.iter().zip(chunk.values) {
                        if held.window.contains(Timestamp::from_millisecond(*ts_ms).unwrap()) {
                            rows.push((*ts_ms, value.to_bits()));
                        }
                    }
                    Ok(())
                })
                .unwrap();
            let newest = rows.last().map(|(_, bits)| f64::from_bits(*bits));
            let (window, open, count) = (held.window, held.open, rows.len());
            writeln!(shown, "  {window} open={open} {count} rows of {newest:?}").unwrap();
        }
    }
    shown
}

pub(super) fn ids(archive: &Archive) -> Vec<QueryId> {
    archive.ledger().queries().unwrap().into_iter().map(|query| query.id).collect()
}
