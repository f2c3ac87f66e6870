//! Limits of one call (the figures assumed at first, and their smaller values when the server refuses more), and the windows and
//! batches that keep within them. Pure.

use super::{DAY_S, PerQuery, PlanIndex, Window};
use crate::query::{Interval, Query};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Limits of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Points per series that the server serves without coarsening. Windows stay one below: a bucket at `to` may count.
    pub points: u32,
    /// Queries in one comma list.
    pub queries: usize,
    /// URL-escaped characters of one comma list.
    pub url: usize,
    /// Unix seconds. What ends by then is older than anything that the server keeps.
    pub oldest_s: i64,
}

impl Limits {
    /// Documented: 1,500 points per series since 2024 (350 and 300 before). Datadog's own agent sends at most 35 queries and
    /// 7,000 escaped characters a call (414 was seen beyond 7,607).
    pub const ASSUMED: Self = Self { points: 1_500, queries: 35, url: 7_000, oldest_s: i64::MIN };

    /// A server that coarsens even this many points does not offer the interval at all; below, learning stops.
    pub const POINTS_MIN: u32 = 100;

    /// The same, with this limit in place of the one of its kind.
    #[must_use]
    pub fn with(self, learnt: LearntLimit) -> Self {
        match learnt {
            LearntLimit::Points(points) => Self { points, ..self },
            LearntLimit::Queries(queries) => Self { queries, ..self },
            LearntLimit::UrlChars(url) => Self { url, ..self },
            LearntLimit::OldestKept(oldest) => Self { oldest_s: oldest.as_second(), ..self },
        }
    }

    /// The longest window in seconds at which a series of `interval` is still served as asked.
    pub fn window_secs_max(self, interval: Interval) -> i64 {
        i64::from(self.points.saturating_sub(1).max(1)) * interval.secs()
    }

    /// The same with windows so short that a query of that weight, alone, brings no more than [`BODY_BYTES_TARGET`].
    #[must_use]
    pub fn carrying(self, bytes_per_bucket: u64) -> Self {
        let buckets = (BODY_BYTES_TARGET / bytes_per_bucket.max(1)).saturating_sub(HEAD_BUCKETS);
        // Windows stay one point below the limit.
        let points = u32::try_from(buckets.max(1) + 1).unwrap_or(u32::MAX);
        Self { points: self.points.min(points), ..self }
    }

    /// The next smaller cap to try when `points` were too many and `served` (0: unknown) are known to be fine: a documented
    /// cap when one lies between, else half.
    pub fn fewer_points(points: u32, served: u32) -> u32 {
        const DOCUMENTED: [u32; 2] = [350, 300];
        let documented = DOCUMENTED.into_iter().find(|&cap| served < cap && cap < points);
        let halved = (points / 2).max(served.saturating_add(1)).min(points.saturating_sub(1));
        documented.unwrap_or(halved).max(Self::POINTS_MIN)
    }
}

/// Limit of the server that its answers taught, with the figure that holds from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearntLimit {
    /// See [`Limits::points`].
    Points(u32),
    /// See [`Limits::queries`].
    Queries(usize),
    /// See [`Limits::url`].
    UrlChars(usize),
    /// See [`Limits::oldest_s`]; whole seconds.
    OldestKept(Timestamp),
}

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

/// Everything but RFC 3986's unreserved characters: what a URL's query value may hold without being escaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Stands between the queries of one call.
pub const SEPARATOR: &str = ",";

/// `text` as it stands in a URL.
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The length of `text` in a URL, in characters.
pub fn escaped_len(text: &str) -> usize {
    utf8_percent_encode(text, RESERVED).map(str::len).sum()
}

/// Cuts `members`, which are in list order, into batches within the limits. A query that is too long for
/// any batch gets a call of its own; the server may refuse it. `buckets` is what a query's weight is
/// multiplied with: see [`super::buckets`].
pub fn pack(
    members: &[PlanIndex],
    queries: &PerQuery<Query>,
    limits: Limits,
    buckets: u64,
) -> Vec<Vec<PlanIndex>> {
    let separator = escaped_len(SEPARATOR);
    let mut batches: Vec<Vec<PlanIndex>> = Vec::new();
    let (mut length, mut bytes) = (0, 0_u64);
    for &member in members {
        let query = &queries[member];
        let more = escaped_len(&query.text.sent) + separator;
        let heavier = query.weight.unwrap_or(WEIGHT_ASSUMED).saturating_mul(buckets);
        match batches.last_mut() {
            Some(batch)
                if !query.text.alone
                    && !queries[batch[0]].text.alone
                    && batch.len() < limits.queries
                    && length + more <= limits.url
                    && bytes.saturating_add(heavier) <= BODY_BYTES_TARGET =>
            {
                batch.push(member);
                length += more;
                bytes += heavier;
            }
            _ => {
                batches.push(vec![member]);
                (length, bytes) = (more, heavier);
            }
        }
    }
    batches
}

/// Decoded bytes that one call should bring at most; three quarters of what the client takes.
pub const BODY_BYTES_TARGET: u64 = 48 << 20;

/// Bytes a bucket of a query without an answer yet: about three series.
pub const WEIGHT_ASSUMED: u64 = 100;

/// Weight of a series besides its points (name, tags, scope, unit), in points. Without it an answer of one bucket would make a query look ten times as heavy as it is.
const HEAD_BUCKETS: u64 = 10;

/// Returns the factor of a window's weight: its buckets, and the heads of its series in buckets.
pub fn buckets(window: Window, interval: Interval) -> u64 {
    window.points(interval).max(1) + HEAD_BUCKETS
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

    #[test]
    fn caps_are_learnt_downward_in_few_steps() {
        let mut cap = 1_440;
        let mut steps = Vec::new();
        while cap > Limits::POINTS_MIN {
            cap = Limits::fewer_points(cap, 0);
            steps.push(cap);
        }
        assert_eq!(steps, [350, 300, 150, 100]);
        assert_eq!(Limits::fewer_points(1_440, 288), 350);
        assert_eq!(Limits::fewer_points(1_440, 720), 721);
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
