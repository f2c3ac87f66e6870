//! A small archive in which every table has a row, to be damaged.

use jiff::Timestamp;
use jindo::archive::{Archive, Fetched, Holder, Learnt, Line, Request, Scope};
use jindo::parse::{Answer, Series};
use jindo::plan::Window;
use jindo::query::{Interval, Query};
use std::path::Path;

use super::properties::{START_S, WINDOW_S};

fn answer() -> Answer {
    let ts_ms: Vec<i64> = (0..WINDOW_S / 60).map(|at| (START_S + at * 60) * 1_000).collect();
    let values = ts_ms.iter().map(|at| f64::from_bits(at.unsigned_abs())).collect();
    let (metric, tags, unit) = ("m".into(), vec!["a:1".into()], Some("byte".into()));
    Answer { series: vec![Series { query: 0, metric, tags, unit, ts_ms, values }] }
}

/// An archive with an object, something learnt, something given up and a mark of a file.
pub(crate) fn archive(dir: &Path) {
    let at = Timestamp::from_second(START_S).expect("a new directory");
    let archive = Archive::open(dir, &Holder { pid: 1, host: "test".into(), since: at })
        .expect("a new directory");
    let window = Window::from_secs(START_S, START_S + WINDOW_S).expect("a new directory");
    let interval = Interval::from_secs(60).expect("a new directory");
    let query = |written: &str| Query {
        written: written.into(),
        sent: format!("{written}.rollup(avg, 60).fill(null)"),
        unfilled: Some(format!("{written}.rollup(avg, 60)")),
        interval,
        alone: false,
        weight: None,
    };
    let lines = ["avg:m{*} by {a}", "avg:n{*}"].map(|text| Line::Query(query(text))).into();
    let (timezone, arguments) = ("UTC".into(), "{}".into());
    archive
        .register(&Request { lines, asked: window.into(), timezone, arguments })
        .expect("a new directory");
    let ids: Vec<_> =
        archive.queries().expect("a new directory").iter().map(|query| query.id).collect();
    let (queries, answer) = (&ids[..1], &answer());
    let fetched = Fetched { queries, interval, window, fetched_at: at, open: true, answer };
    archive.store(&fetched).expect("a new directory");
    archive.give_up(ids[1], window, Scope::Query, ("no such metric", at)).expect("a new directory");
    let learnt =
        Learnt { name: "points".into(), value: 350, learnt_at: at, why: "it said so".into() };
    archive.learn(&learnt).expect("a new directory");
}
