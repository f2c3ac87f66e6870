//! What the files must be: a faultless run's, and what the organisation says of itself.

use super::job::Job;
use super::session::{Cut, Ended, Manner, Told, session};
use super::temper::calm;
use super::world::World;
use jindo::archive::Registered;
use jindo::fetch::End;
use std::collections::BTreeMap;

/// Questions about answers that look cut, at most: of jobs as small as these.
pub(crate) const QUESTIONS_MAX: u64 = 4;

/// Files by path.
pub(crate) type Files = BTreeMap<String, String>;

/// A faultless run's files, and the calls it took, held against the organisation's own word.
pub(crate) fn faultless(job: &Job) -> (Files, u64) {
    let (files, told) = faultless_in(job, &Manner::PLAIN);
    let most = told.planned as u64 + QUESTIONS_MAX;
    assert!(told.calls <= most, "{} calls where a calm server is asked {most}", told.calls);
    (files, told.calls)
}

/// The same for a manner that may sample or probe, which no plan counts.
pub(crate) fn faultless_in(job: &Job, manner: &Manner) -> (Files, Told) {
    let mut world = World::new(job, calm(1), 1);
    let told = session(&mut world, manner, &Cut::Nothing);
    assert_eq!(told.ended, Ended::Finished(End::Done));
    let files = world.files();
    let found = files.iter().filter(|(path, _)| path.starts_with("csv/"));
    let mut found: Vec<_> = found.map(|(path, text)| series(path, text)).collect();
    let mut expected = expected(job, &world.archive().ledger().queries().unwrap());
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "what was exported is what the organisation has");
    (files, told)
}

/// Fails with the first file that differs.
pub(crate) fn same(found: &Files, expected: &Files) {
    let gaps = found.get("gaps.csv").map_or("", String::as_str);
    for (path, text) in expected {
        let found = found.get(path).map_or("(no such file)", String::as_str);
        assert!(found == text, "{path} is\n{found}\nand not\n{text}\nGaps: {gaps}");
    }
    let bytes: usize = expected.values().map(String::len).sum();
    super::tell(
        bytes as u64,
        "bytes compared with those of faultless simulated runs: all the same",
    );
    let more: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    assert!(more.is_empty(), "files of nothing: {more:?}");
}

/// A series' points: epoch seconds and the bits of the value.
type Points = Vec<(i64, u64)>;

fn series(path: &str, text: &str) -> Points {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("date,values"), "{path}");
    let point = |line: &str| {
        let (date, value) = line.split_once(',').unwrap();
        let at: jiff::civil::DateTime = date.parse().unwrap();
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
        (at, value.parse::<f64>().unwrap().to_bits())
    };
    lines.map(point).collect()
}

fn expected(job: &Job, queries: &[Registered]) -> Vec<Points> {
    let mut all = Vec::new();
    for query in queries {
        let interval = query.text.interval;
        let asked = job.range.aligned(interval).unwrap();
        let (from, to) = (asked.start_s(), asked.end_s());
        let answer =
            job.organisation.expected(&query.text.sent, from, to, interval.secs()).unwrap();
        for series in answer {
            all.push(series.points.iter().map(|(at, value)| (*at, value.to_bits())).collect());
        }
    }
    all
}
