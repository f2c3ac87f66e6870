//! A sample against answers made by hand: what is told of them, and that the archive stays as it is.

use super::*;
use crate::archive::{ArchiveId, ArchiveWriter, Fetched, Holder, Request, RequestLine};
use crate::archive::{GiveUpReason, ObjectId};
use crate::fetch::{AskedCall, Errand, Form};
use crate::plan::RETENTION;
use crate::query::Interval;
use crate::secret::Secrets;
use expect_test::{Expect, expect};
use jiff::SignedDuration;
use std::fmt::Write as _;

const DAY_S: i64 = 86_400;
const START_S: i64 = 1_780_272_000; // 2026-06-01T00:00:00Z

fn window(from_s: i64, until_s: i64) -> Window {
    Window::from_secs(START_S + from_s, START_S + until_s).unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(START_S + secs).unwrap()
}

fn query(name: &str) -> Query {
    let written = format!("avg:{name}{{*}} by {{host}}");
    let unfilled = format!("{written}.rollup(avg, 60)");
    let (sent, interval) = (format!("{unfilled}.fill(null)"), Interval::from_secs(60).unwrap());
    Query::new(QueryText::new(written, sent, interval).with_unfilled(unfilled))
}

/// One series of the query: (second, value).
fn series(query: usize, host: &str, points: &[(i64, f64)]) -> Series {
    Series {
        query: CallPosition::new(query),
        metric: "m".into(),
        tags: vec![format!("host:{host}")],
        unit: None,
        metadata: std::sync::Arc::default(),
        ts_ms: points.iter().map(|(s, _)| (START_S + s) * 1000).collect(),
        values: points.iter().map(|(_, value)| *value).collect(),
    }
}

struct World {
    _dir: tempfile::TempDir,
    archive: Archive,
    ids: Vec<QueryId>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let holder = Holder { pid: 7, host: "loft".into(), since: Timestamp::UNIX_EPOCH };
        let writer = ArchiveWriter { holder, fresh_id: ArchiveId::new(1) };
        let archive = Archive::open(dir.path(), &writer).unwrap();
        let request = Request {
            lines: ["a", "b"].map(|name| RequestLine::Query(query(name))).to_vec(),
            asked: window(0, 2 * DAY_S).into(),
            timezone: "UTC".into(),
            arguments: "{}".into(),
        };
        archive.register(&request).unwrap();
        let ids = archive.ledger().queries().unwrap().iter().map(|query| query.id).collect();
        Self { _dir: dir, archive, ids }
    }

    /// Keeps an answer to both queries, fetched an hour after the window.
    fn store(&self, window: Window, series: Vec<Series>) -> ObjectId {
        let fetched = Fetched {
            queries: &self.ids,
            interval: Interval::from_secs(60).unwrap(),
            window,
            fetched_at: window.end() + SignedDuration::from_hours(1),
            open: false,
            answer: &Answer { series },
        };
        self.archive.store(&fetched).unwrap().object
    }

    fn draw(&self) -> Audit<'_> {
        Audit::draw(&self.archive, SampleSize::Percent(100.0), 1, at(9 * DAY_S)).unwrap().unwrap()
    }
}

fn ask(queries: &[usize], window: Window) -> Ask {
    let interval = Interval::from_secs(60).unwrap();
    let queries = queries.iter().map(|&query| PlanIndex::new(query)).collect();
    Ask {
        queries,
        form: Form::Sent,
        interval,
        window,
        attempt: 1,
        beyond: 0,
        errand: Errand::Planned,
    }
}

/// Everything that is told, a line each.
fn told(audit: Audit<'_>) -> String {
    let ended = audit.ended();
    let AuditReport { sampled, compared, replaced, points, counts, .. } = ended;
    let mut text = format!(
        "{compared} of {sampled} windows, {replaced} replaced, {points} points: {counts:?}\n"
    );
    for difference in &ended.differences {
        let Difference { kind, held, served, at, tags, query, .. } = difference;
        writeln!(text, "{kind:?} {query} {tags:?} {at}: {held:?} {served:?}").unwrap();
    }
    let stretches: Vec<_> =
        ended.to_ask.iter().map(|(query, _, window)| (query.0, *window)).collect();
    for (query, window) in stretches {
        writeln!(text, "to ask: {query} {window}").unwrap();
    }
    if let Some(by) = ended.late_by_max {
        writeln!(text, "late by {by:#}").unwrap();
    }
    writeln!(text, "{} to keep, refused {:?}", ended.to_keep, ended.refused).unwrap();
    text
}

fn check(audit: Audit<'_>, expected: &Expect) {
    expected.assert_eq(&told(audit));
}

#[test]
fn late_changed_and_gone_points_are_told_apart_and_what_is_gone_is_not_asked_again() {
    let world = World::new();
    let (first, second) = (window(0, DAY_S), window(DAY_S, 2 * DAY_S));
    let one = [(0, 1.0), (60, 2.0)];
    world.store(first, vec![series(0, "x", &one), series(1, "x", &one)]);
    world.store(second, vec![series(0, "x", &[(DAY_S, 5.0)])]);
    let audit = world.draw();
    let more = [(0, 1.0), (60, 2.5), (120, 3.0)];
    let answer = Answer {
        series: vec![
            series(0, "x", &more),
            series(0, "y", &[(86_340, 7.0)]),
            series(1, "x", &one[..1]),
        ],
    };
    audit.compare(&ask(&[0, 1], first), &answer).unwrap();
    audit
        .compare(&ask(&[0, 1], second), &Answer { series: vec![series(0, "x", &[(DAY_S, 5.0)])] })
        .unwrap();
    check(
        audit,
        &expect![[r#"
        2 of 2 windows, 0 replaced, 7 points: DifferenceCounts { late: 2, changed: 1, gone: 1 }
        Changed avg:a{*} by {host} ["host:x"] 2026-06-01T00:01:00Z: Some(2.0) Some(2.5)
        Late avg:a{*} by {host} ["host:x"] 2026-06-01T00:02:00Z: None Some(3.0)
        Late avg:a{*} by {host} ["host:y"] 2026-06-01T23:59:00Z: None Some(7.0)
        Gone avg:b{*} by {host} ["host:x"] 2026-06-01T00:01:00Z: Some(2.0) None
        to ask: 1 2026-06-01T00:00:00Z … 2026-06-02T00:00:00Z
        late by 24h 58m
        1 to keep, refused []
    "#]],
    );
}

#[test]
fn a_window_that_was_cut_is_compared_when_all_its_parts_were() {
    let world = World::new();
    let all = window(0, DAY_S);
    world.store(all, vec![series(0, "x", &[(0, 1.0), (43_200, 2.0)])]);
    let (early, late) = all.halves(Interval::from_secs(60).unwrap()).unwrap();
    let points = [series(0, "x", &[(0, 1.0)])];
    let audit = world.draw();
    audit.compare(&ask(&[0, 1], early), &Answer { series: points.to_vec() }).unwrap();
    audit.compare(&ask(&[1], late), &Answer { series: Vec::new() }).unwrap();
    let reason = GiveUpReason::Refused("invalid query".into());
    let decision = Decision::GiveUp { query: PlanIndex::new(0), reason };
    audit.record(&decision, &mut audit.mission(), at(0)).unwrap();
    check(
        audit,
        &expect![[r#"
        0 of 1 windows, 0 replaced, 1 points: DifferenceCounts { late: 0, changed: 0, gone: 0 }
        0 to keep, refused [RefusedAudit { query: "avg:a{*} by {host}", window: None, reason: "invalid query" }]
    "#]],
    );

    let audit = world.draw();
    audit.compare(&ask(&[0, 1], early), &Answer { series: points.to_vec() }).unwrap();
    audit.compare(&ask(&[1], late), &Answer { series: Vec::new() }).unwrap();
    audit
        .compare(&ask(&[0], late), &Answer { series: vec![series(0, "x", &[(43_200, 2.0)])] })
        .unwrap();
    check(
        audit,
        &expect![[r#"
        1 of 1 windows, 0 replaced, 2 points: DifferenceCounts { late: 0, changed: 0, gone: 0 }
        0 to keep, refused []
    "#]],
    );
}

/// A run that was cut off marked the whole stretch after the first late point, and the next export replaced what only the archive had.
#[test]
fn a_stretch_that_was_not_compared_to_its_end_is_not_asked_again() {
    let world = World::new();
    let (all, morning) = (window(0, DAY_S), window(0, DAY_S / 2));
    world.store(all, vec![series(0, "x", &[(0, 1.0), (DAY_S / 2, 2.0)])]);
    let late = Answer { series: vec![series(0, "x", &[(0, 1.0), (60, 1.5)])] };
    let audit = world.draw();
    audit.compare(&ask(&[0, 1], morning), &late).unwrap();
    let ended = audit.ended();
    assert_eq!((ended.counts.late, ended.unfinished), (1, 1));
    assert_eq!((ended.to_ask, ended.to_keep), (Vec::new(), 0));
}

#[test]
fn what_an_export_replaced_meanwhile_is_left_out() {
    let world = World::new();
    let all = window(0, DAY_S);
    world.store(all, vec![series(0, "x", &[(0, 1.0)]), series(1, "x", &[(0, 1.0)])]);
    let audit = world.draw();
    // Of the first query a newer object holds the morning, and it is right.
    let fetched = Fetched {
        queries: &world.ids[..1],
        interval: Interval::from_secs(60).unwrap(),
        window: window(0, DAY_S / 2),
        fetched_at: at(3 * DAY_S),
        open: false,
        answer: &Answer { series: vec![series(0, "x", &[(0, 9.0)])] },
    };
    world.archive.store(&fetched).unwrap();
    let answer = Answer { series: vec![series(0, "x", &[(0, 9.0)]), series(1, "x", &[(0, 1.0)])] };
    audit.compare(&ask(&[0, 1], all), &answer).unwrap();
    check(
        audit,
        &expect![[r#"
        0 of 1 windows, 1 replaced, 1 points: DifferenceCounts { late: 0, changed: 0, gone: 0 }
        0 to keep, refused []
    "#]],
    );

    // And now the whole object is replaced, its file removed.
    let audit = world.draw();
    world.store(all, answer.series.clone());
    for window in [all, window(0, DAY_S / 2)] {
        audit.compare(&ask(&[0, 1], window), &Answer { series: Vec::new() }).unwrap();
    }
    check(
        audit,
        &expect![[r#"
        0 of 2 windows, 2 replaced, 0 points: DifferenceCounts { late: 0, changed: 0, gone: 0 }
        0 to keep, refused []
    "#]],
    );
}

/// A range with other borders leaves objects that overlap, each asked in its own window: points counted twice, and windows that
/// never counted as compared.
#[test]
fn of_objects_that_overlap_every_point_is_compared_once() {
    let world = World::new();
    let (all, morning) = (window(0, DAY_S), window(0, DAY_S / 2));
    let noon = DAY_S / 2;
    world.store(all, vec![series(0, "x", &[(0, 1.0), (noon, 2.0)])]);
    world.store(morning, vec![series(0, "x", &[(0, 1.0)])]);
    let told = |order: [Window; 2]| {
        let audit = world.draw();
        assert_eq!(audit.plan.calls(), 2);
        for asked in order {
            let mut points = vec![(0, 1.5), (noon, 2.5)];
            points.truncate(if asked == all { 2 } else { 1 });
            let answer = Answer { series: vec![series(0, "x", &points)] };
            audit.compare(&ask(&[0, 1], asked), &answer).unwrap();
        }
        told(audit)
    };
    assert_eq!(told([all, morning]), told([morning, all]));
    expect![[r#"
        2 of 2 windows, 0 replaced, 2 points: DifferenceCounts { late: 0, changed: 2, gone: 0 }
        Changed avg:a{*} by {host} ["host:x"] 2026-06-01T00:00:00Z: Some(1.0) Some(1.5)
        Changed avg:a{*} by {host} ["host:x"] 2026-06-01T12:00:00Z: Some(2.0) Some(2.5)
        to ask: 1 2026-06-01T12:00:00Z … 2026-06-02T00:00:00Z
        to ask: 1 2026-06-01T00:00:00Z … 2026-06-01T12:00:00Z
        0 to keep, refused []
    "#]]
    .assert_eq(&told([all, morning]));
}

#[test]
fn the_first_differences_do_not_depend_on_the_order_of_the_answers() {
    let days = [window(0, DAY_S), window(DAY_S, 2 * DAY_S)];
    let world = World::new();
    for day in days {
        world.store(day, Vec::new());
    }
    let answer = |day: Window| {
        let from = day.start_s() - START_S;
        let points: Vec<_> = (0..1_440).map(|minute| (from + minute * 60, 1.0)).collect();
        Answer { series: vec![series(0, "x", &points), series(1, "x", &points)] }
    };
    let run = |order: [Window; 2]| {
        let audit = world.draw();
        for day in order {
            audit.compare(&ask(&[0, 1], day), &answer(day)).unwrap();
        }
        audit.ended()
    };
    let (one, other) = (run(days), run([days[1], days[0]]));
    assert_eq!(one.counts, DifferenceCounts { late: 4 * 1_440, changed: 0, gone: 0 });
    assert_eq!((one.differences.len(), one.counts), (1_000, other.counts));
    let told = |ended: &AuditReport| -> Vec<_> {
        ended.differences.iter().map(|one| (one.query.clone(), one.at)).collect()
    };
    assert_eq!(told(&one), told(&other));
    assert_eq!(one.differences[999].at, at(999 * 60));
}

#[test]
fn nothing_that_could_be_asked_is_no_sample() {
    let world = World::new();
    let draw = |now| Audit::draw(&world.archive, SampleSize::Calls(3), 1, now).unwrap().is_some();
    assert!(!draw(at(DAY_S)));
    world.store(window(0, DAY_S), Vec::new());
    assert!(draw(at(DAY_S)));
    assert!(!draw(at(1) + RETENTION));
}

#[test]
fn an_answer_that_is_compared_is_not_kept() {
    let world = World::new();
    let all = window(0, 3_600);
    world.store(all, vec![series(0, "x", &[(0, 1.0)])]);
    let before =
        (world.archive.ledger().totals().unwrap(), world.archive.ledger().coverage_all().unwrap());
    let audit = world.draw();
    let body = format!(
        r#"{{"status":"ok","series":[{{"metric":"m","query_index":0,"interval":60,"tag_set":["host:x"],"scope":"host:x","expression":"e","pointlist":[[{}.0,4.0]]}}]}}"#,
        START_S * 1000
    );
    let asked = AskedCall { ask: ask(&[0, 1], all), ids: world.ids.clone() };
    let (read, _) = ReadAnswer::read(asked, body.as_bytes(), &Secrets::default()).unwrap();
    audit.accept(&read, at(DAY_S)).unwrap();
    assert_eq!(audit.ended().counts, DifferenceCounts { late: 0, changed: 1, gone: 0 });
    assert_eq!(
        (world.archive.ledger().totals().unwrap(), world.archive.ledger().coverage_all().unwrap()),
        before
    );
}
