//! A range → windows that a call can carry at full resolution. Pure.

use super::{DAY_S, Limits, Window};
use crate::query::Interval;

/// A round window may cost this many per cent more calls than the longest one; for that it starts where people look.
const ROUND_COST_PERCENT_MAX: i64 = 5;

/// Longest rest in seconds that gets no call of its own: summer time adds as much to a range of whole days.
const REST_SPREAD_MAX_S: i64 = 3_600;

/// Cuts `range` (aligned to `interval`) into windows that touch, counted from its start in whole days or divisors of a day
/// where that is cheap. A short rest is spread over the last windows instead of costing a call: in a zone with summer time 96 days may
/// be an hour longer.
pub fn tile(range: Window, interval: Interval, limits: Limits) -> Vec<Window> {
    let (step, longest) = (interval.secs(), limits.window_secs_max(interval));
    let round = round_length(interval, longest);
    let (whole, rest) = (range.secs() / round, range.secs() % round);
    // Seconds that each window has to spare.
    let slack = (longest - round) / step * step;
    let spreads = rest <= slack.saturating_mul(whole).min(REST_SPREAD_MAX_S);
    let mut start = range.start_s();
    let windows = (0..whole + i64::from(!spreads)).filter_map(|at| {
        let behind = slack.saturating_mul(whole - 1 - at);
        let share = if spreads { (rest - behind).clamp(0, slack) } else { 0 };
        let end = if at == whole { range.end_s() } else { start + round + share };
        Window::from_secs(std::mem::replace(&mut start, end), end)
    });
    windows.collect()
}

/// The longest whole number of days, or divisor of a day, that is a multiple of `interval` and at most `longest` seconds;
/// `longest` itself where that would cost too many more calls.
fn round_length(interval: Interval, longest: i64) -> i64 {
    let fits = |length: &i64| *length <= longest && length % interval.secs() == 0;
    let days = (1..=longest / DAY_S).rev().map(|days| days * DAY_S).find(fits);
    let parts =
        || (1..=DAY_S / interval.secs()).filter(|n| DAY_S % n == 0).map(|n| DAY_S / n).find(fits);
    match days.or_else(parts) {
        Some(round) if longest * 100 <= round * (100 + ROUND_COST_PERCENT_MAX) => round,
        _ => longest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: i64 = 1_639_267_200; // 2021-12-12T00:00:00Z

    fn windows(secs: i64, interval_s: u32, points: u32) -> Vec<Window> {
        let interval = Interval::from_secs(interval_s).unwrap();
        let range = Window::from_secs(START, START + secs).unwrap();
        tile(range, interval, Limits { points, ..Limits::ASSUMED })
    }

    #[test]
    fn window_lengths_are_round_where_that_is_cheap() {
        let first = |interval_s, points| windows(96 * DAY_S, interval_s, points)[0].secs();
        assert_eq!(first(60, 1_500), DAY_S);
        assert_eq!(first(10, 1_500), 4 * 3_600);
        assert_eq!(first(300, 1_500), 5 * DAY_S);
        assert_eq!(first(60, 300), 288 * 60);
        assert_eq!(first(60, 350), 349 * 60);
        assert_eq!(first(3_600, 1_500), 62 * DAY_S);
    }

    #[test]
    fn the_article_takes_96_windows_in_any_zone() {
        for extra in [-3_600, 0, 3_600] {
            assert_eq!(windows(96 * DAY_S + extra, 60, 1_500).len(), 96);
        }
        assert_eq!(windows(96 * DAY_S, 10, 1_500).len(), 576);
    }

    proptest! {
        #[test]
        fn windows_tile_the_range_with_no_gap_or_overlap(
            buckets in 1_i64..50_000, interval_s in 1_u32..90_000, points in 100_u32..1_500,
        ) {
            let all = windows(buckets * i64::from(interval_s), interval_s, points);
            let interval = Interval::from_secs(interval_s).unwrap();
            prop_assert_eq!(all[0].start_s(), START);
            prop_assert_eq!(all.last().unwrap().end_s(), START + buckets * i64::from(interval_s));
            prop_assert!(all.windows(2).all(|pair| pair[0].end() == pair[1].start()));
            prop_assert!(all.iter().all(|window| window.secs() % interval.secs() == 0));
            prop_assert!(all.iter().all(|window| window.secs() / interval.secs() < i64::from(points)));
        }
    }
}
