//! Native intervals of known series, and the samples that lead to them.

use super::*;
use crate::plan::Window;
use crate::plan::window::{ceil, floor};
use crate::query::Interval;
use expect_test::{Expect, expect};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const DAY_S: i64 = 86_400;
const MINUTE_S: i64 = 60;
const START_S: i64 = 1_639_267_200; // 2021-12-12T00:00:00Z
const HOUR_S: i64 = 3_600;

fn secs(secs: u32) -> Interval {
    Interval::from_secs(secs).unwrap()
}

fn span(from_s: i64, to_s: i64) -> Window {
    Window::from_secs(START_S + from_s, START_S + to_s).unwrap()
}

fn range(days: i64) -> SampleRange {
    let now = Timestamp::from_second(START_S + 100 * DAY_S).unwrap();
    SampleRange::new(span(0, days * DAY_S), now, now)
}

/// Points of one series by the second, counted from the start.
type Points = Vec<i64>;

fn regular(spacing_s: i64, phase_s: i64, from_s: i64, to_s: i64) -> Points {
    let first = ceil(from_s - phase_s, spacing_s) + phase_s;
    std::iter::successors(Some(first), |at_s| Some(at_s + spacing_s))
        .take_while(|at_s| *at_s < to_s)
        .collect()
}

/// The answers to a count.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Numbers {
    Counts,
    /// The server takes the metric for a distribution: the sum of values, and the least of them. All are this one.
    Values(f64),
    /// None is asked for.
    Unsupported,
}

impl Numbers {
    fn count(self, interval: Interval, window: Window, series: &[Points]) -> PointCount {
        let (mut totals, mut leasts) = (Vec::new(), Vec::new());
        for points in series {
            let mut counts: BTreeMap<i64, u32> = BTreeMap::new();
            for at_s in points.iter().map(|at_s| START_S + at_s) {
                if (window.start_s()..window.end_s()).contains(&at_s) {
                    *counts.entry(floor(at_s, interval.secs())).or_default() += 1;
                }
            }
            let each = if let Self::Values(value) = self { value } else { 1.0 };
            totals.extend(counts.values().map(|&count| f64::from(count) * each));
            leasts.extend(counts.values().map(|_| each));
        }
        PointCount::new(interval, &totals, &leasts)
    }
}

/// The samples that were asked of a server that has these series, and what followed. Points at the same time are those of several
/// sources of a series.
struct Played {
    samples: String,
    interval: Result<Interval, Confidence>,
}

fn play(range: SampleRange, finest: Interval, series: &[Points]) -> Played {
    play_counting(range, finest, series, Numbers::Counts)
}

fn play_counting(
    range: SampleRange,
    finest: Interval,
    series: &[Points],
    numbers: Numbers,
) -> Played {
    let is_counted = numbers != Numbers::Unsupported;
    let counting = if is_counted { Counting::Unknown } else { Counting::Unsupported };
    let mut observed = Observed { samples: Vec::new(), counting, finest, refused: None };
    let mut samples = String::new();
    for _ in 0..4 {
        let Some(NextSample { kind, interval, window }) = range.next(&observed) else {
            return Played { samples, interval: observed.conclude() };
        };
        match kind {
            SampleKind::Points => observed.samples.push(sampled(interval, window, series)),
            SampleKind::Count => {
                observed.counting = Counting::Counted(numbers.count(interval, window, series));
                samples.push_str("count ");
            }
        }
        write!(samples, "{} s x {} ", interval.secs(), window.secs() / interval.secs()).unwrap();
    }
    panic!("it never ends: {samples}");
}

fn sampled(interval: Interval, window: Window, series: &[Points]) -> IntervalSample {
    let buckets = |points: &Points| -> Vec<i64> {
        let mut starts: Vec<_> =
            points.iter().map(|at_s| floor(START_S + at_s, interval.secs())).collect();
        starts.dedup();
        starts.retain(|at_s| (window.start_s()..window.end_s()).contains(at_s));
        starts.into_iter().map(|at_s| at_s * 1_000).collect()
    };
    let series: Vec<_> = series.iter().map(buckets).collect();
    IntervalSample::new(interval, &series)
}

fn check(days: i64, series: &[Points], expected: &Expect) {
    check_counting(days, series, Numbers::Counts, expected);
}

fn check_counting(days: i64, series: &[Points], numbers: Numbers, expected: &Expect) {
    let Played { samples, interval } = play_counting(range(days), secs(1), series, numbers);
    let interval = match interval {
        Ok(interval) => interval.to_string(),
        Err(confidence) => confidence.name().to_owned(),
    };
    expected.assert_eq(&format!("{samples}-> {interval}"));
}

#[test]
fn what_is_active_now_takes_one_sample() {
    let to_s = 3 * DAY_S;
    let newest = |spacing_s, phase_s| vec![regular(spacing_s, phase_s, to_s - DAY_S, to_s)];
    check(3, &newest(10, 3), &expect!["1 s x 1499 -> 10 s"]);
    check(3, &newest(60, 59), &expect!["1 s x 1499 -> 60 s"]);
    check(3, &newest(90, 0), &expect!["1 s x 1499 -> 60 s"]);
    check(3, &newest(300, 0), &expect!["1 s x 1499 count 300 s x 864 -> 300 s"]);
    let two = [newest(60, 0).remove(0), newest(60, 20).remove(0)];
    check(3, &two, &expect!["1 s x 1499 -> 60 s"]);
    let mut merged = two.concat();
    merged.sort_unstable();
    check(3, &[merged], &expect!["1 s x 1499 -> 20 s"]);
}

#[test]
fn the_day_shows_what_is_too_slow_for_a_short_sample() {
    let newest = |spacing_s| vec![regular(spacing_s, 61, 2 * DAY_S, 3 * DAY_S)];
    check(3, &newest(900), &expect!["1 s x 1499 60 s x 1440 count 900 s x 288 -> 900 s"]);
    check(3, &newest(3_600), &expect!["1 s x 1499 60 s x 1440 count 3600 s x 72 -> 3600 s"]);
    check(3, &newest(DAY_S), &expect!["1 s x 1499 60 s x 1440 -> sparse"]);
}

/// Only the newest day is sampled: what ended before it, or has a point a day, keeps the default.
#[test]
fn what_was_active_once_keeps_the_default() {
    let old = [regular(10, 3, 40 * DAY_S + 777, 40 * DAY_S + 1_377)];
    check(96, &old, &expect!["1 s x 1499 60 s x 1440 -> empty"]);
    let daily = [regular(DAY_S, 61, 0, 96 * DAY_S)];
    check(96, &daily, &expect!["1 s x 1499 60 s x 1440 -> sparse"]);
}

#[test]
fn bursts_do_not_pass_for_a_slow_series() {
    let mut bursts: Points = (0..24)
        .flat_map(|hour| (0..4).map(move |n| 2 * DAY_S + hour * HOUR_S + 100 + n * 5))
        .collect();
    check(3, &[bursts.clone()], &expect!["1 s x 1499 60 s x 1440 count 3600 s x 72 -> irregular"]);
    bursts.retain(|at_s| *at_s < 2 * DAY_S + HOUR_S);
    check(3, &[bursts], &expect!["1 s x 1499 60 s x 1440 -> sparse"]);
}

#[test]
fn events_at_any_time_keep_the_default_and_missing_points_change_nothing() {
    let events: Points = [3_700, 9_005, 20_900, 33_333, 61_000].map(|at_s| 2 * DAY_S + at_s).into();
    check(3, &[events], &expect!["1 s x 1499 60 s x 1440 -> irregular"]);
    let mut thin = regular(300, 0, 2 * DAY_S, 3 * DAY_S);
    thin.retain(|at_s| at_s / 300 % 7 == 1 || at_s / 300 % 5 == 2);
    check(3, &[thin], &expect!["1 s x 1499 60 s x 1440 count 300 s x 864 -> 300 s"]);
}

#[test]
fn nothing_anywhere_is_asked_for_once_at_each_scale() {
    check(96, &[], &expect!["1 s x 1499 60 s x 1440 -> empty"]);
    check(1, &[], &expect!["1 s x 1499 60 s x 1440 -> empty"]);
}

#[test]
fn where_a_second_is_not_offered_the_nearest_is_the_finest() {
    let newest = [regular(5, 0, 2 * DAY_S, 3 * DAY_S)];
    let played = play(range(3), secs(10), &newest);
    assert_eq!((played.samples.as_str(), played.interval), ("10 s x 1499 ", Ok(secs(10))));
    let slow = [regular(900, 0, 0, 3 * DAY_S)];
    let played = play(range(3), secs(300), &slow);
    assert_eq!(played.interval, Ok(secs(900)));
}

/// Points of one series that changes its pace: (seconds between points, from, to).
fn changing(parts: &[(i64, i64, i64)]) -> Points {
    let mut points: Points = parts
        .iter()
        .flat_map(|&(spacing_s, from_s, to_s)| regular(spacing_s, 0, from_s, to_s))
        .collect();
    points.sort_unstable();
    points
}

#[test]
fn what_was_denser_earlier_keeps_the_default_wherever_it_lies() {
    let (hour_s, to_s) = (HOUR_S, 10 * DAY_S);
    let single = |parts: &[(i64, i64, i64)], expected: &Expect| {
        let mut points = changing(parts);
        points.dedup();
        check(10, &[points], expected);
    };
    single(
        &[(60, 0, 8 * DAY_S), (hour_s, 8 * DAY_S, to_s)],
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> irregular"],
    );
    single(
        &[(10, 0, DAY_S), (hour_s, DAY_S, to_s)],
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> irregular"],
    );
    single(
        &[(300, 0, DAY_S), (hour_s, DAY_S, to_s)],
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> irregular"],
    );
    single(
        &[(6 * hour_s, 0, to_s), (60, DAY_S, DAY_S + 5 * hour_s)],
        &expect!["1 s x 1499 60 s x 1440 count 21600 s x 40 -> irregular"],
    );
    single(
        &[(DAY_S, 0, to_s), (20, 5 * hour_s, 5 * hour_s + 2_000)],
        &expect!["1 s x 1499 60 s x 1440 -> sparse"],
    );
    single(&[(hour_s, 0, to_s)], &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> 3600 s"]);
}

#[test]
fn sources_of_a_series_are_counted_together() {
    let to_s = 10 * DAY_S;
    let hourly = (HOUR_S, 0, to_s);
    check(
        10,
        &[changing(&[hourly, (60, 0, 3 * DAY_S)])],
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> irregular"],
    );
    // Another source that reports as rarely, at other minutes, on days of its own.
    let mut other = regular(HOUR_S, 600, 0, 3 * DAY_S);
    other.extend(changing(&[hourly]));
    other.sort_unstable();
    check(10, &[other], &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> irregular"]);
    // As often at the same minute: a count cannot tell them from denser points, and the default loses nothing.
    check(
        10,
        &[changing(&[hourly, hourly])],
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> irregular"],
    );
    check(
        10,
        &[changing(&[hourly]), changing(&[hourly])],
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> 3600 s"],
    );
}

#[test]
fn where_nothing_is_counted_the_default_stays() {
    let hourly = || [regular(HOUR_S, 0, 0, 10 * DAY_S)];
    check_counting(
        10,
        &hourly(),
        Numbers::Unsupported,
        &expect!["1 s x 1499 60 s x 1440 -> irregular"],
    );
    for value in [0.0, 0.5, -3.0, 1.5, f64::NAN] {
        let played = play_counting(range(10), secs(1), &hourly(), Numbers::Values(value));
        assert_eq!(played.interval, Err(Confidence::Irregular), "{value}");
    }
    // A sum of values above one bounds their number as well.
    check_counting(
        10,
        &hourly(),
        Numbers::Values(1.0),
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> 3600 s"],
    );
    check_counting(
        10,
        &hourly(),
        Numbers::Values(7.0),
        &expect!["1 s x 1499 60 s x 1440 count 3600 s x 240 -> irregular"],
    );
}

proptest! {
    /// What is exported at the interval detected loses no point.
    #[test]
    fn every_point_of_a_regular_series_lies_in_its_own_bucket(
        spacing_s in 1_i64..4_000, phase in 0.0..1.0_f64, from_s in 87 * DAY_S..96 * DAY_S, length_s in 1..9 * DAY_S,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share")]
        let phase_s = (phase * spacing_s as f64) as i64;
        let points = regular(spacing_s, phase_s, from_s, (from_s + length_s).min(96 * DAY_S));
        let newest = points.iter().filter(|&&at_s| at_s >= 95 * DAY_S);
        let minutes: BTreeSet<_> = newest.map(|at_s| floor(*at_s, MINUTE_S)).collect();
        let Played { interval: found, .. } = play(range(96), secs(1), std::slice::from_ref(&points));
        match found {
            Ok(interval) => {
                let buckets: BTreeSet<_> =
                    points.iter().map(|at_s| floor(START_S + at_s, interval.secs())).collect();
                prop_assert_eq!(buckets.len(), points.len());
                let next = Interval::all_offered().find(|other| *other > interval);
                prop_assert!(spacing_s >= 3_600 || next.is_none_or(|next| next.secs() > floor(spacing_s, 60)),
                    "{} for points every {} s", interval, spacing_s);
            }
            Err(Confidence::Empty) => prop_assert!(minutes.is_empty()),
            Err(confidence) => {
                prop_assert!(confidence == Confidence::Sparse || spacing_s > 60, "{:?}", confidence);
                prop_assert!(spacing_s >= 60 || minutes.len() < 2, "{:?}", confidence);
            }
        }
    }

    /// However a series changed its pace: above a minute no point is lost, not even one that no sample saw.
    #[test]
    fn above_a_minute_no_point_is_lost_of_a_series_that_changed_its_pace(
        paces in proptest::collection::vec((0..7_usize, 1..6 * DAY_S), 1..4), phase_s in 0..60_i64,
    ) {
        let (mut points, mut from_s) = (Points::new(), 0);
        for (pace, length_s) in paces {
            let pace_s = [10, 60, 300, 900, HOUR_S, 6 * HOUR_S, DAY_S][pace];
            points.extend(regular(pace_s, phase_s, from_s, from_s + length_s));
            from_s += length_s;
        }
        points.sort_unstable();
        points.dedup();
        let Played { interval: found, .. } = play(range(ceil(from_s, DAY_S) / DAY_S), secs(1), std::slice::from_ref(&points));
        if let Ok(interval) = found && interval.secs() > MINUTE_S {
            let buckets: BTreeSet<_> =
                points.iter().map(|at_s| floor(START_S + at_s, interval.secs())).collect();
            // Where a bucket of the tally holds only part of a pace, up to its share of points may have been together.
            prop_assert!(points.len() - buckets.len() <= 24, "{} of {}", buckets.len(), points.len());
        }
    }
}
