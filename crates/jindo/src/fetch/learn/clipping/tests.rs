//! A model of a server that clips, against the search for its caps.

use super::*;
use crate::parse::{Answer, CallPosition, Expected, Series};
use crate::plan::Window;
use crate::query::Interval;
use proptest::prelude::*;

const DAY: std::ops::Range<i64> = 0..1_440;

/// Minutes at which each series of each query has a point.
type Truth = Vec<Vec<Vec<i64>>>;

/// The points that are sent of those that a call asks for, in the order of the call: by their place, and how many there are.
#[derive(Debug, Clone, Copy)]
enum Clip {
    Nothing,
    First(usize),
    Last(usize),
    Every(usize),
    AllButNewest,
    Total(usize),
}

struct Server {
    truth: Truth,
    clip: Clip,
}

fn every(minutes: std::ops::Range<i64>, stride: usize) -> Vec<i64> {
    minutes.step_by(stride).collect()
}

fn task(queries: usize, minutes: std::ops::Range<i64>) -> Task {
    Task {
        queries: (0..queries).map(PlanIndex::new).collect(),
        interval: Interval::from_secs(60).unwrap(),
        window: Window::from_secs(minutes.start * 60, minutes.end * 60).unwrap(),
    }
}

impl Server {
    fn new(truth: Truth, clip: Clip) -> Self {
        Self { truth, clip }
    }

    /// Returns what is sent of a series, apart from a cap on all series together.
    fn sent(&self, mut all: Vec<i64>, newest: i64) -> Vec<i64> {
        match self.clip {
            Clip::Nothing | Clip::Total(_) => {}
            Clip::First(most) => all.truncate(most),
            Clip::Last(most) => drop(all.drain(..all.len().saturating_sub(most))),
            Clip::Every(most) => {
                let stride = all.len().div_ceil(most).max(1);
                all = all.into_iter().step_by(stride).collect();
            }
            Clip::AllButNewest => all.retain(|at| *at != newest),
        }
        all
    }

    fn answer(&self, call: &PendingCall) -> Facts {
        let Task { queries, interval, window } = &call.task;
        let beyond = i64::from(call.purpose == Purpose::Doubt);
        let asked = window.start_s() / 60..window.end_s() / 60 + beyond;
        let mut left = if let Clip::Total(most) = self.clip { most } else { usize::MAX };
        let mut series = Vec::new();
        for (position, query) in queries.iter().enumerate() {
            for (nth, all) in self.truth[query.number()].iter().enumerate() {
                let all: Vec<i64> = all.iter().copied().filter(|at| asked.contains(at)).collect();
                let mut sent = self.sent(all, asked.end - 1);
                sent.truncate(left);
                left -= sent.len();
                let is_inside = |at: &i64| *at < window.end_s() / 60;
                let ts_ms: Vec<i64> =
                    sent.into_iter().filter(is_inside).map(|at| at * 60_000).collect();
                if !ts_ms.is_empty() {
                    let query = CallPosition::new(position);
                    let (metric, tags) = ("m".to_owned(), vec![format!("a:{nth}")]);
                    let values = vec![1.0; ts_ms.len()];
                    series.push(Series {
                        query,
                        metric,
                        tags,
                        unit: None,
                        metadata: std::sync::Arc::default(),
                        ts_ms,
                        values,
                    });
                }
            }
        }
        let expected = Expected { queries: queries.len(), window: *window, interval: *interval };
        let outlines = Outline::of(&Answer { series }, &expected);
        Facts { outlines, ..Facts::default() }
    }
}

/// Asks for a task and about it. Returns the questions, and the last verdict, if there were any.
fn asked(clipping: &mut Clipping, server: &Server, task: &Task) -> (usize, Option<Verdict>) {
    let now = Timestamp::from_second(task.window.end_s() + 48 * 3_600).unwrap();
    asked_at(clipping, server, task, now)
}

fn asked_at(
    clipping: &mut Clipping,
    server: &Server,
    task: &Task,
    now: Timestamp,
) -> (usize, Option<Verdict>) {
    let facts = server.answer(&PendingCall::fetch(task.clone()));
    let mut questions = 0;
    let mut question = clipping.examine(task, &facts, now);
    let mut verdict = None;
    while let Some(call) = question.take() {
        questions += 1;
        match clipping.answered(&server.answer(&call)) {
            Some(Verdict::Ask(call)) => question = Some(call),
            other => verdict = other,
        }
    }
    (questions, verdict)
}

fn watching(queries: usize) -> Clipping {
    let mut clipping = Clipping::default();
    clipping.watch(PerQuery::filled(Trusted::default(), queries));
    clipping
}

#[test]
fn each_way_to_clip_is_proven_by_a_half() {
    let dense = || vec![every(DAY, 1), every(DAY, 1)];
    let series = |points| Some(Clipped::Series { points });
    for (clip, cap) in [
        (Clip::Nothing, None),
        (Clip::First(500), series(500)),
        (Clip::Last(500), series(500)),
        (Clip::Every(500), series(480)),
        (Clip::AllButNewest, Some(Clipped::Newest)),
        (Clip::Total(4_000), Some(Clipped::Call { points: 4_000 })),
    ] {
        let server = Server::new(vec![dense(), dense()], clip);
        let (questions, verdict) = asked(&mut watching(2), &server, &task(2, DAY));
        let found = match verdict {
            Some(Verdict::Clipped(clipped)) => Some(clipped),
            _ => None,
        };
        assert_eq!((questions, found), (if cap.is_some() { 2 } else { 0 }, cap), "{clip:?}");
    }
}

#[test]
fn what_looks_cut_and_is_whole_is_asked_about_once() {
    let ended = vec![every(0..700, 1), every(0..700, 1)];
    for truth in
        [ended, vec![every(740..1_440, 1)], vec![every(DAY, 5)], vec![every(300..1_100, 1)]]
    {
        let server = Server::new(vec![truth.clone()], Clip::Nothing);
        let mut clipping = watching(1);
        let (questions, verdict) = asked(&mut clipping, &server, &task(1, DAY));
        let Some(Verdict::Trusted(verdicts)) = verdict else { panic!("{verdict:?}") };
        assert!((1..=2).contains(&questions), "{questions}");
        assert_eq!(asked(&mut clipping, &server, &task(1, DAY)).0, 0);
        let mut later = Clipping::default();
        later.watch(verdicts.iter().map(|(_, trusted)| *trusted).collect());
        assert_eq!(asked(&mut later, &server, &task(1, DAY)).0, 0, "a later run");
    }
}

#[test]
fn a_metric_of_every_fifth_minute_is_believed_in_windows_of_any_length() {
    let server = Server::new(vec![vec![every(0..3_000, 5)]], Clip::Nothing);
    let mut clipping = watching(1);
    let (questions, verdict) = asked(&mut clipping, &server, &task(1, 0..1_000));
    assert_eq!(questions, 1);
    let Some(Verdict::Trusted(verdicts)) = verdict else { panic!("{verdict:?}") };
    assert_eq!(asked(&mut clipping, &server, &task(1, 1_000..2_499)).0, 0);
    let mut later = Clipping::default();
    later.watch(verdicts.iter().map(|(_, trusted)| *trusted).collect());
    let cut = Server::new(vec![vec![every(0..3_000, 5)]], Clip::First(250));
    let (_, verdict) = asked(&mut later, &cut, &task(1, 0..1_499));
    assert!(matches!(verdict, Some(Verdict::Clipped(_))), "{verdict:?}");
}

#[test]
fn one_dense_series_spares_all_others_a_question() {
    let truth = vec![vec![every(DAY, 1)], vec![every(0..700, 1)], vec![every(DAY, 5)]];
    let server = Server::new(truth, Clip::Nothing);
    let mut clipping = watching(3);
    let dense = Task { queries: vec![PlanIndex::new(0)], ..task(1, DAY) };
    assert_eq!(asked(&mut clipping, &server, &dense).0, 0);
    let others = Task { queries: [1, 2].map(PlanIndex::new).to_vec(), ..task(2, DAY) };
    assert_eq!(asked(&mut clipping, &server, &others).0, 0);
}

#[test]
fn what_may_be_on_its_way_is_not_missed() {
    let server = Server::new(vec![vec![every(0..1_400, 1)]], Clip::Nothing);
    let now = Timestamp::from_second(DAY.end * 60).unwrap();
    let mut clipping = watching(1);
    assert_eq!(asked_at(&mut clipping, &server, &task(1, DAY), now).0, 0);
    let now = now + jiff::SignedDuration::from_hours(48);
    assert_eq!(asked_at(&mut clipping, &server, &task(1, DAY), now).0, 1);
}

#[test]
fn points_that_come_between_two_questions_are_no_cap() {
    let early = Server::new(vec![vec![every(0..700, 1)]], Clip::Nothing);
    let late = Server::new(vec![vec![every(DAY, 1)]], Clip::Nothing);
    let (mut clipping, task) = (watching(1), task(1, DAY));
    let facts = early.answer(&PendingCall::fetch(task.clone()));
    let now = Timestamp::from_second(DAY.end * 60 + 50 * 3_600).unwrap();
    let half = clipping.examine(&task, &facts, now).unwrap();
    let Some(Verdict::Ask(whole)) = clipping.answered(&late.answer(&half)) else { panic!() };
    let verdict = clipping.answered(&late.answer(&whole));
    assert!(matches!(verdict, Some(Verdict::Unsettled)), "{verdict:?}");
}

#[test]
fn ever_larger_answers_cost_one_question_in_a_hundred() {
    let mut clipping = watching(1);
    let mut questions = 0;
    for day in 0..400 {
        let hosts = usize::try_from(day + 1).unwrap();
        let window = day * 1_440..(day + 1) * 1_440;
        let truth = vec![vec![every(window.start..window.start + 100 + day, 1); hosts]];
        questions += asked(&mut clipping, &Server::new(truth, Clip::Nothing), &task(1, window)).0;
    }
    assert!((1..=1 + 4 + 3).contains(&questions), "{questions}");
}

proptest! {
    #[test]
    fn a_server_that_sends_all_is_never_found_to_clip_and_asked_about_once(
        series in prop::collection::vec((0..1_440_i64, 1..1_440_i64, 1..7_usize), 1..4),
    ) {
        let whole = |(from, length, stride): &(i64, i64, usize)| {
            every(*from..(from + length).min(DAY.end), *stride)
        };
        let truth: Truth = series.iter().map(|one| vec![whole(one)]).collect();
        let server = Server::new(truth, Clip::Nothing);
        let task = task(series.len(), DAY);
        let mut clipping = watching(series.len());
        let (questions, verdict) = asked(&mut clipping, &server, &task);
        prop_assert!(questions <= 2);
        prop_assert!(matches!(verdict, None | Some(Verdict::Trusted(_))), "{verdict:?}");
        prop_assert_eq!(asked(&mut clipping, &server, &task).0, 0);
    }

    #[test]
    fn a_cap_that_cuts_the_longest_series_is_found(
        (from, length) in (0..700_i64, 600..1_440_i64),
        cap in 120..550_usize,
        way in 0..3,
    ) {
        let clip = [Clip::First(cap), Clip::Last(cap), Clip::Every(cap)][usize::try_from(way).unwrap()];
        let longest = every(from..(from + length).min(DAY.end), 1);
        let server = Server::new(vec![vec![longest]], clip);
        let (questions, verdict) = asked(&mut watching(1), &server, &task(1, DAY));
        let Some(Verdict::Clipped(Clipped::Series { points })) = verdict else {
            return Err(TestCaseError::fail(format!("{verdict:?}")));
        };
        prop_assert!(questions <= 3 && points <= u32::try_from(cap).unwrap());
    }
}
