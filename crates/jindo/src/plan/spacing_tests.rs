//! Spacings from samples, and the way of the looks, played against series that are known.

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use std::fmt::Write as _;

const START_S: i64 = 1_639_267_200; // 2021-12-12T00:00:00Z
const HOUR_S: i64 = 3_600;

fn secs(secs: u32) -> Interval {
    Interval::from_secs(secs).unwrap()
}

fn span(from_s: i64, to_s: i64) -> Window {
    Window::from_secs(START_S + from_s, START_S + to_s).unwrap()
}

fn search(days: i64) -> Search {
    let now = Timestamp::from_second(START_S + 100 * DAY_S).unwrap();
    Search::through(span(0, days * DAY_S), now, now)
}

/// Points of one series by the second, counted from the start.
type Points = Vec<i64>;

fn regular(spacing_s: i64, phase_s: i64, from_s: i64, to_s: i64) -> Points {
    let first = ceil(from_s - phase_s, spacing_s) + phase_s;
    std::iter::successors(Some(first), |at_s| Some(at_s + spacing_s))
        .take_while(|at_s| *at_s < to_s)
        .collect()
}

/// What comes of a tally.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Numbers {
    Counts,
    /// The server takes the metric for a distribution: the sum of values, and the least of them. All are this one.
    Values(f64),
    /// It is not to be asked.
    Untold,
}

impl Numbers {
    fn tally(self, interval: Interval, window: Window, series: &[Points]) -> Tally {
        let mut tally = Tally::new(interval, &[window], &[window]);
        for points in series {
            let mut counts: BTreeMap<i64, u32> = BTreeMap::new();
            for at_s in points.iter().map(|at_s| START_S + at_s) {
                if (window.start_s()..window.end_s()).contains(&at_s) {
                    *counts.entry(floor(at_s, interval.secs()) * 1_000).or_default() += 1;
                }
            }
            let told = counts.into_iter().map(|(at, count)| (at, f64::from(count)));
            let (total, least): (Vec<_>, Vec<_>) = match self {
                Self::Values(value) => {
                    told.map(|(at, count)| ((at, count * value), (at, value))).unzip()
                }
                Self::Counts | Self::Untold => told.map(|told| (told, (told.0, 1.0))).unzip(),
            };
            tally.take(Side::Total, total);
            tally.take(Side::Least, least);
        }
        tally
    }
}

/// A server that answers looks at series of points: how it is asked until nothing more is, and what follows. Points at the same time
/// are those of several sources of a series.
struct Played {
    looks: String,
    spacing: Spacing,
}

fn play(search: Search, finest: Interval, series: &[Points]) -> Played {
    play_told(search, finest, series, Numbers::Counts)
}

fn play_told(search: Search, finest: Interval, series: &[Points], numbers: Numbers) -> Played {
    let untold = Counts::Untold(Untold::Unsound);
    let mut counts = if numbers == Numbers::Untold { untold } else { Counts::Told(Vec::new()) };
    let mut asked: BTreeMap<Interval, Vec<Window>> = BTreeMap::new();
    let mut looks = String::new();
    for _ in 0..14 {
        let samples: Vec<_> = asked
            .iter()
            .map(|(&interval, windows)| {
                let mut sampled = Sampled::new(interval, windows);
                for (index, points) in series.iter().enumerate() {
                    let step = interval.secs();
                    let mut starts: Vec<_> =
                        points.iter().map(|at_s| floor(START_S + at_s, step)).collect();
                    starts.dedup();
                    sampled.take(&index.to_string(), starts.into_iter().map(|at_s| at_s * 1_000));
                }
                sampled
            })
            .collect();
        let (interval, window) = match search.next(&samples, &counts, finest) {
            Look::Nowhere => {
                return Played { looks, spacing: search.spacing(&samples, &counts, finest) };
            }
            Look::Count(interval, window) => {
                let Counts::Told(told) = &mut counts else { panic!("it is not to be asked") };
                told.push(numbers.tally(interval, window, series));
                let buckets = window.secs() / interval.secs();
                write!(looks, "count {} s x {buckets} ", interval.secs()).unwrap();
                continue;
            }
            Look::In(interval, window) => (interval, window),
            Look::Around(interval, stretches) => {
                (interval, search.share(interval, &[(0, stretches)])[0].1)
            }
        };
        asked.entry(interval).or_default().push(window);
        write!(looks, "{} s x {} ", interval.secs(), window.secs() / interval.secs()).unwrap();
    }
    panic!("it never ends: {looks}");
}

fn check(days: i64, series: &[Points], expected: &Expect) {
    check_told(days, series, Numbers::Counts, expected);
}

fn check_told(days: i64, series: &[Points], numbers: Numbers, expected: &Expect) {
    let Played { looks, spacing } = play_told(search(days), secs(1), series, numbers);
    let spacing = match spacing {
        Spacing::Every(interval) => interval.to_string(),
        Spacing::Unknown(basis) => basis.name().to_owned(),
    };
    expected.assert_eq(&format!("{looks}-> {spacing}"));
}

#[test]
fn what_is_active_now_takes_one_look() {
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
fn the_day_shows_what_is_too_slow_for_a_short_look() {
    let newest = |spacing_s| vec![regular(spacing_s, 61, 2 * DAY_S, 3 * DAY_S)];
    check(3, &newest(900), &expect!["1 s x 1499 60 s x 1440 count 900 s x 288 -> 900 s"]);
    check(
        3,
        &newest(3_600),
        &expect!["1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 72 -> 3600 s"],
    );
    check(3, &newest(DAY_S), &expect!["1 s x 1499 60 s x 1440 300 s x 864 -> sparse"]);
}

#[test]
fn what_was_active_once_is_found() {
    let old = [regular(10, 3, 40 * DAY_S + 777, 40 * DAY_S + 1_377)];
    check(
        96,
        &old,
        &expect!["1 s x 1499 60 s x 1440 7200 s x 1152 60 s x 1499 1 s x 1499 -> 10 s"],
    );
    let daily = [regular(DAY_S, 61, 0, 96 * DAY_S)];
    check(
        96,
        &daily,
        &expect![
            "1 s x 1499 60 s x 1440 7200 s x 1152 60 s x 1499 60 s x 1499 60 s x 1499 1 s x 1499 count 86400 s x 96 -> 86400 s"
        ],
    );
}

#[test]
fn bursts_do_not_pass_for_a_slow_series() {
    let mut bursts: Points = (0..24)
        .flat_map(|hour| (0..4).map(move |n| 2 * DAY_S + hour * HOUR_S + 100 + n * 5))
        .collect();
    check(3, &[bursts.clone()], &expect!["1 s x 1499 60 s x 1440 1 s x 1499 -> 5 s"]);
    bursts.retain(|at_s| *at_s < 2 * DAY_S + HOUR_S);
    check(3, &[bursts], &expect!["1 s x 1499 60 s x 1440 300 s x 864 -> sparse"]);
}

#[test]
fn events_at_any_time_keep_the_default_and_missing_points_change_nothing() {
    let events: Points = [3_700, 9_005, 20_900, 33_333, 61_000].map(|at_s| 2 * DAY_S + at_s).into();
    check(3, &[events], &expect!["1 s x 1499 60 s x 1440 1 s x 1499 -> irregular"]);
    let mut thin = regular(300, 0, 2 * DAY_S, 3 * DAY_S);
    thin.retain(|at_s| at_s / 300 % 7 == 1 || at_s / 300 % 5 == 2);
    check(3, &[thin], &expect!["1 s x 1499 60 s x 1440 count 300 s x 864 -> 300 s"]);
}

#[test]
fn nothing_anywhere_is_asked_for_once_at_each_scale() {
    check(96, &[], &expect!["1 s x 1499 60 s x 1440 7200 s x 1152 -> empty"]);
    check(1, &[], &expect!["1 s x 1499 60 s x 1440 -> empty"]);
}

#[test]
fn where_a_second_is_not_offered_the_nearest_is_the_finest() {
    let newest = [regular(5, 0, 2 * DAY_S, 3 * DAY_S)];
    let played = play(search(3), secs(10), &newest);
    assert_eq!((played.looks.as_str(), played.spacing), ("10 s x 1499 ", Spacing::Every(secs(10))));
    let slow = [regular(900, 0, 0, 3 * DAY_S)];
    let played = play(search(3), secs(300), &slow);
    assert_eq!(played.spacing, Spacing::Every(secs(900)));
}

#[test]
fn two_windows_are_no_neighbours() {
    let mut sampled = Sampled::new(secs(1), &[span(0, 100), span(5_000, 5_100)]);
    sampled.take("a", [50, 5_050, 7_000].map(|at_s| (START_S + at_s) * 1_000));
    assert_eq!(Spacing::of(&[sampled], secs(1)), Spacing::Unknown(Basis::Sparse));
}

/// A look at the last of an old series' points saw no distance, and that of the sweep's buckets was taken for its spacing.
#[test]
fn neighbouring_buckets_of_a_sweep_prove_no_spacing() {
    let mut sweep = Sampled::new(secs(7_200), &[span(0, 96 * DAY_S)]);
    sweep.take(
        "a",
        regular(7_200, 0, DAY_S, 2 * DAY_S).into_iter().map(|at_s| (START_S + at_s) * 1_000),
    );
    assert_eq!(Spacing::of(&[sweep], secs(1)), Spacing::Unknown(Basis::Sparse));
    let old = [regular(1_988, 1_585, 5_459_767, 5_898_000)];
    check(
        96,
        &old,
        &expect![
            "1 s x 1499 60 s x 1440 7200 s x 1152 60 s x 1499 1 s x 1499 count 7200 s x 1152 -> 1800 s"
        ],
    );
}

/// Points of one series that change their spacing: every so often in these days.
fn changing(parts: &[(i64, i64, i64)]) -> Points {
    let mut points: Points = parts
        .iter()
        .flat_map(|&(spacing_s, from_s, to_s)| regular(spacing_s, 0, from_s, to_s))
        .collect();
    points.sort_unstable();
    points
}

#[test]
fn what_was_denser_earlier_is_found_wherever_it_lies() {
    let (hour_s, to_s) = (HOUR_S, 10 * DAY_S);
    let single = |parts: &[(i64, i64, i64)], expected: &Expect| {
        let mut points = changing(parts);
        points.dedup();
        check(10, &[points], expected);
    };
    single(
        &[(60, 0, 8 * DAY_S), (hour_s, 8 * DAY_S, to_s)],
        &expect![
            "1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 60 s x 1499 1 s x 1499 -> 60 s"
        ],
    );
    single(
        &[(10, 0, DAY_S), (hour_s, DAY_S, to_s)],
        &expect![
            "1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 60 s x 1499 1 s x 1499 -> 10 s"
        ],
    );
    single(
        &[(300, 0, DAY_S), (hour_s, DAY_S, to_s)],
        &expect![
            "1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 60 s x 1499 count 600 s x 1440 -> 300 s"
        ],
    );
    single(
        &[(6 * hour_s, 0, to_s), (60, DAY_S, DAY_S + 5 * hour_s)],
        &expect![
            "1 s x 1499 60 s x 1440 1 s x 1499 count 21600 s x 40 60 s x 1499 1 s x 1499 -> 60 s"
        ],
    );
    single(
        &[(DAY_S, 0, to_s), (20, 5 * hour_s, 5 * hour_s + 2_000)],
        &expect!["1 s x 1499 60 s x 1440 600 s x 1440 60 s x 1499 1 s x 1499 -> 20 s"],
    );
    single(
        &[(hour_s, 0, to_s)],
        &expect!["1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 -> 3600 s"],
    );
}

#[test]
fn sources_of_a_series_are_counted_together() {
    let to_s = 10 * DAY_S;
    let hourly = (HOUR_S, 0, to_s);
    check(
        10,
        &[changing(&[hourly, (60, 0, 3 * DAY_S)])],
        &expect![
            "1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 60 s x 1499 1 s x 1499 -> 60 s"
        ],
    );
    // Another source that reports as rarely, at other minutes, on days of its own.
    let mut other = regular(HOUR_S, 600, 0, 3 * DAY_S);
    other.extend(changing(&[hourly]));
    other.sort_unstable();
    check(
        10,
        &[other],
        &expect![
            "1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 60 s x 1499 count 600 s x 1440 -> 600 s"
        ],
    );
    // As often at the same minute: nobody can tell, and the default loses nothing.
    check(
        10,
        &[changing(&[hourly, hourly])],
        &expect!["1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 -> irregular"],
    );
    check(
        10,
        &[changing(&[hourly]), changing(&[hourly])],
        &expect!["1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 -> 3600 s"],
    );
}

#[test]
fn where_nothing_is_counted_the_default_stays() {
    let hourly = || [regular(HOUR_S, 0, 0, 10 * DAY_S)];
    check_told(
        10,
        &hourly(),
        Numbers::Untold,
        &expect!["1 s x 1499 60 s x 1440 1 s x 1499 -> irregular"],
    );
    for value in [0.0, 0.5, -3.0, 1.5, f64::NAN] {
        let played = play_told(search(10), secs(1), &hourly(), Numbers::Values(value));
        assert_eq!(played.spacing, Spacing::Unknown(Basis::Irregular), "{value}");
    }
    // A sum of values above one bounds their number as well.
    check_told(
        10,
        &hourly(),
        Numbers::Values(1.0),
        &expect!["1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 -> 3600 s"],
    );
    check_told(
        10,
        &hourly(),
        Numbers::Values(7.0),
        &expect!["1 s x 1499 60 s x 1440 1 s x 1499 count 3600 s x 240 -> irregular"],
    );
}

#[test]
fn many_wishes_share_few_stretches() {
    let at = |from_s: i64| span(from_s, from_s + 60);
    let wishes: Vec<_> = (0..40).map(|n| vec![at(600), at(40_000 + n * 60)]).enumerate().collect();
    let granted = search(3).share(secs(1), &wishes);
    assert_eq!(granted.len(), 40);
    assert!(granted.iter().all(|(_, window)| *window == granted[0].1 && window.covers(at(600))));
}

proptest! {
    /// The law of it all: what is exported at the interval that was found loses no point.
    #[test]
    fn every_point_of_a_regular_series_lies_in_its_own_bucket(
        spacing_s in 1_i64..4_000, phase in 0.0..1.0_f64, from_s in 0..80 * DAY_S, length_s in 1..9 * DAY_S,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share")]
        let phase_s = (phase * spacing_s as f64) as i64;
        let points = regular(spacing_s, phase_s, from_s, from_s + length_s);
        let Played { spacing, .. } = play(search(96), secs(1), std::slice::from_ref(&points));
        match spacing {
            Spacing::Every(interval) => {
                let buckets: BTreeSet<_> =
                    points.iter().map(|at_s| floor(START_S + at_s, interval.secs())).collect();
                prop_assert_eq!(buckets.len(), points.len());
                let next = Interval::all_offered().find(|other| *other > interval);
                prop_assert!(spacing_s >= 3_600 || next.is_none_or(|next| next.secs() > floor(spacing_s, 60)),
                    "{} for points every {} s", interval, spacing_s);
            }
            Spacing::Unknown(Basis::Empty) => prop_assert!(points.is_empty()),
            Spacing::Unknown(basis) => {
                prop_assert!(basis == Basis::Sparse || spacing_s > 60, "{:?}", basis);
                prop_assert!(spacing_s >= 60 || points.len() < 3, "{:?}", basis);
            }
        }
    }

    /// However it changed its pace: what is exported above a minute loses no point, even one that no look saw.
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
        let Played { spacing, .. } = play(search(ceil(from_s, DAY_S) / DAY_S), secs(1), std::slice::from_ref(&points));
        if let Spacing::Every(interval) = spacing && interval.secs() > MINUTE_S {
            let buckets: BTreeSet<_> =
                points.iter().map(|at_s| floor(START_S + at_s, interval.secs())).collect();
            // Where a bucket of the tally holds only part of a pace, up to its share of points may have been together.
            prop_assert!(points.len() - buckets.len() <= 24, "{} of {}", buckets.len(), points.len());
        }
    }

    #[test]
    fn each_wish_is_granted_where_it_has_points(
        wishes in proptest::collection::vec(proptest::collection::vec(0..96 * 1_440_i64, 1..5), 1..20),
        interval_s in prop_oneof![Just(1_u32), Just(60)],
    ) {
        let width = i64::from(interval_s) * 60;
        let wishes: Vec<_> = wishes
            .into_iter()
            .map(|minutes| minutes.into_iter().map(|at| span(at * 60, at * 60 + width)).collect())
            .enumerate()
            .collect();
        let granted = search(100).share(secs(interval_s), &wishes);
        prop_assert_eq!(granted.len(), wishes.len());
        for (wish, window) in granted {
            let wished: &Vec<Window> = &wishes[wish].1;
            prop_assert!(wished.iter().any(|stretch| window.covers(*stretch)));
            prop_assert!(window.points(secs(interval_s)) < 1_500);
        }
    }
}
