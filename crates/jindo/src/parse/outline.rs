//! The outline of an answer: of each query, how many points there are, where the longest series begins and ends, and how far apart its
//! points are. Enough to notice that a server sent less than it has. Pure.

use super::{Answer, CallPosition, Expected, Series};
use crate::plan::Window;
use crate::query::Interval;
use std::ops::Range;

/// Parts of a window of which the points are counted.
pub const PARTS: usize = 32;

/// Fewer points are even by chance.
const EVEN_MIN: u32 = 10;

/// Places of the points of one query in the window of its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outline {
    pub series: u32,
    /// Points of all series.
    pub points: u64,
    /// Points of all series in each part of the window, see [`Outline::stretch`].
    pub parts: [u64; PARTS],
    /// Points of the longest series.
    pub longest: u32,
    /// Smallest distance of two points of the longest series, in buckets; 0: it has fewer than two.
    pub stride: u32,
    /// No point of the longest series is farther from the next one.
    pub is_even: bool,
    /// Buckets before the first point of the longest series.
    pub head: u32,
    /// Buckets behind its last point.
    pub tail: u32,
    /// Series that are even and leave no room for a point before or behind.
    pub whole: u32,
    /// Most buckets behind the last point of an even series of at least `EVEN_MIN` points.
    pub ended: u32,
    /// Series with a point in the last bucket of the window.
    pub newest: u32,
    /// Series with a point in the last bucket but one.
    pub second_newest: u32,
}

impl Outline {
    /// Returns the outlines of the queries of a call, in its order.
    pub fn of(answer: &Answer, expected: &Expected) -> Vec<Self> {
        let parts_ms: [i64; PARTS] = std::array::from_fn(|part| {
            let stretch = Self::stretch(expected.window, expected.interval, &(0..part + 1));
            stretch.map_or(expected.window.start_s(), Window::end_s) * 1_000
        });
        let mut outlines = vec![Self::default(); expected.queries];
        for (position, outline) in CallPosition::all(expected.queries).zip(&mut outlines) {
            let from = answer.series.partition_point(|series| series.query < position);
            let own = answer.series[from..].iter().take_while(|series| series.query == position);
            own.for_each(|series| outline.add(series, expected, &parts_ms));
        }
        outlines
    }

    /// Returns the stretch of a window that these of its [`PARTS`] make; `None`: it is too short for them.
    pub fn stretch(window: Window, interval: Interval, parts: &Range<usize>) -> Option<Window> {
        let buckets = window.points(interval);
        let edge_s = |part: usize| {
            let part = i64::try_from(buckets * part as u64 / PARTS as u64).ok()?;
            Some(window.start_s() + part * interval.secs())
        };
        Window::from_secs(edge_s(parts.start)?, edge_s(parts.end)?)
    }

    /// Adds a series; `parts_ms` are the ends of the parts.
    fn add(&mut self, series: &Series, expected: &Expected, parts_ms: &[i64; PARTS]) {
        let (window, step_ms) = (expected.window, expected.interval.secs() * 1_000);
        let (start_ms, end_ms) = (window.start_s() * 1_000, window.end_s() * 1_000);
        let times = &series.ts_ms;
        let has = |at_ms: i64| u32::from(times.binary_search(&at_ms).is_ok());
        self.series += 1;
        self.points += times.len() as u64;
        let mut counted = 0;
        for (points, until_ms) in self.parts.iter_mut().zip(parts_ms) {
            let before = times.partition_point(|at_ms| at_ms < until_ms) as u64;
            *points += before - counted;
            counted = before;
        }
        self.newest += has(end_ms - step_ms);
        self.second_newest += has(end_ms - 2 * step_ms);
        let buckets = |ms: i64| u32::try_from(ms / step_ms).unwrap_or(u32::MAX);
        let longest = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let (Some(&first_ms), Some(&last_ms)) = (times.first(), times.last()) else { return };
        let nearest_ms = times.array_windows().map(|[one, next]| next - one).min();
        let stride = nearest_ms.map_or(0, buckets);
        let (head, tail) = (buckets(first_ms - start_ms), buckets(end_ms - step_ms - last_ms));
        let is_even = stride > 0 && buckets(last_ms - first_ms) == stride * (longest - 1);
        if is_even && head.max(tail) < stride.max(1) {
            self.whole += 1;
        }
        if is_even && longest >= EVEN_MIN {
            self.ended = self.ended.max(tail);
        }
        if longest > self.longest {
            *self = Self { longest, stride, is_even, head, tail, ..*self };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Window;
    use crate::query::Interval;

    #[test]
    fn the_outline_tells_where_the_points_of_each_query_lie() {
        let expected = Expected {
            queries: 3,
            window: Window::from_secs(600, 1_200).unwrap(),
            interval: Interval::from_secs(60).unwrap(),
        };
        let series = |query, tag: &str, minutes: &[i64]| Series {
            query: CallPosition::new(query),
            metric: "m".to_owned(),
            tags: vec![tag.to_owned()],
            unit: None,
            metadata: std::sync::Arc::default(),
            ts_ms: minutes.iter().map(|minute| minute * 60_000).collect(),
            values: vec![1.0; minutes.len()],
        };
        let series =
            vec![series(0, "a", &[11, 13, 16, 18]), series(0, "b", &[19]), series(2, "a", &[10])];
        // Part n ends with minute 10 (n + 1) / 32, rounded down.
        let parts = |minutes: &[(usize, u64)]| {
            let mut parts = [0; PARTS];
            for (part, points) in minutes {
                parts[*part] = *points;
            }
            parts
        };
        let outlines = Outline::of(&Answer { series }, &expected);
        let first = Outline {
            series: 2,
            points: 5,
            parts: parts(&[(6, 1), (12, 1), (22, 1), (28, 1), (31, 1)]),
            longest: 4,
            stride: 2,
            is_even: false,
            whole: 0,
            ended: 0,
            head: 1,
            tail: 1,
            newest: 1,
            second_newest: 1,
        };
        let third = Outline {
            series: 1,
            points: 1,
            parts: parts(&[(3, 1)]),
            longest: 1,
            tail: 9,
            ..Outline::default()
        };
        assert_eq!(outlines, [first, Outline::default(), third]);
    }
}
