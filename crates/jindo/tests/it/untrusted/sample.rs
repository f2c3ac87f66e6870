//! A small archive in which every table has a row, to be damaged.

use jiff::Timestamp;
use jindo::archive::{
    Archive, ArchiveId, ArchiveWriter, Extracted, Fetched, GiveUpReason, GiveUpScope, GivenUp,
    Holder, Learnt, OutputName, QueryId, Request, RequestLine, SeriesFile, Spaced,
};
use jindo::parse::{Answer, CallPosition, Series};
use jindo::plan::{Confidence, LearntLimit, Window};
use jindo::query::{Interval, Query, QueryText};
use std::path::Path;

use super::properties::{START_S, WINDOW_S};

/// Files of a query: enough that a large number in each overflows any sum.
const FILES: usize = 40;

fn answer() -> Answer {
    let ts_ms: Vec<i64> = (0..WINDOW_S / 60).map(|at| (START_S + at * 60) * 1_000).collect();
    let values = ts_ms.iter().map(|at| f64::from_bits(at.unsigned_abs())).collect();
    let (metric, tags, unit) = ("m".into(), vec!["a:1".into()], Some("byte".into()));
    Answer {
        series: vec![Series {
            query: CallPosition::new(0),
            metric,
            tags,
            unit,
            metadata: std::sync::Arc::default(),
            ts_ms,
            values,
        }],
    }
}

/// Marks of files that are there no more.
fn extracted(at: Timestamp) -> Extracted {
    let file = |number: usize| SeriesFile {
        path: format!("csv/m@60s/{number}.csv"),
        metric: "m".into(),
        tags: vec![format!("a:{number}")].into(),
        unit: None,
        first: at,
        last: at,
        points: 1,
        bytes: 40,
        sha256: "00".into(),
    };
    Extracted { digest: "digest".into(), files: (0..FILES).map(file).collect() }
}

/// What was found out of the server and of its queries.
fn learn(archive: &Archive, ids: &[QueryId], window: Window, at: Timestamp) {
    let interval = Interval::from_secs(10).expect("ten seconds");
    let reasons = [
        (GiveUpScope::Window, GiveUpReason::Refused("older than what is kept".into())),
        (GiveUpScope::Query, GiveUpReason::Refused("no such metric".into())),
        (GiveUpScope::Query, GiveUpReason::NotOffered { asked: interval, nearest: interval }),
        (GiveUpScope::Query, GiveUpReason::PointTooLarge { mebibytes_max: 64 }),
        (GiveUpScope::Query, GiveUpReason::UrlTooLong),
    ];
    for (index, (scope, reason)) in reasons.into_iter().enumerate() {
        let query = ids[index % ids.len()];
        let start_s = window.start_s() + i64::try_from(index).expect("a few");
        let window = Window::from_secs(start_s, window.end_s()).expect("shorter by seconds");
        let given_up = GivenUp { query, window, scope, reason, at };
        archive.ledger().give_up(&given_up).expect("a new directory");
    }
    let limits = [LearntLimit::Points(350), LearntLimit::Queries(20), LearntLimit::UrlChars(5_000)];
    for limit in limits {
        let learnt = Learnt {
            limit,
            learnt_at: at,
            seen_at: at,
            why: "it said so".into(),
            refusals: 2,
            largest: 349,
            taught_by: "avg:a{*}".into(),
            teachers: 1,
        };
        archive.ledger().learn(&learnt).expect("a new directory");
    }
    let spaced = Confidence::ALL.map(|basis| Spaced {
        query: format!("avg:{basis:?}{{*}}"),
        interval,
        basis,
        why: "samples".into(),
        found_at: at,
    });
    archive.ledger().space(&spaced).expect("a new directory");
    archive.ledger().weigh(&[(ids[0], Some(1_000))], at).expect("a new directory");
}

/// An archive with an object, everything that can be learnt or given up, and marks of files.
pub(crate) fn archive(dir: &Path) {
    let at = Timestamp::from_second(START_S).expect("a new directory");
    let holder = Holder { pid: 1, host: "test".into(), since: at };
    let writer = ArchiveWriter { holder, fresh_id: ArchiveId::new(1) };
    let archive = Archive::open(dir, &writer).expect("a new directory");
    let window = Window::from_secs(START_S, START_S + WINDOW_S).expect("a new directory");
    let interval = Interval::from_secs(60).expect("a new directory");
    let query = |written: &str| {
        let unfilled = format!("{written}.rollup(avg, 60)");
        let text = QueryText::new(written, format!("{unfilled}.fill(null)"), interval);
        Query::new(text.with_unfilled(unfilled))
    };
    let lines = ["avg:m{*} by {a}", "avg:n{*}"].map(|text| RequestLine::Query(query(text))).into();
    let (timezone, arguments) = ("UTC".into(), "{}".into());
    archive
        .register(&Request { lines, asked: window.into(), timezone, arguments })
        .expect("a new directory");
    let ids: Vec<_> =
        archive.ledger().queries().expect("a new directory").iter().map(|query| query.id).collect();
    let (queries, answer) = (&ids[..1], &answer());
    let fetched = Fetched { queries, interval, window, fetched_at: at, open: true, answer };
    archive.store(&fetched).expect("a new directory");
    learn(&archive, &ids, window, at);
    archive
        .ledger()
        .mark_extracted(OutputName("csv"), &[(ids[0], extracted(at))])
        .expect("a new directory");
}
