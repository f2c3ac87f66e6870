//! Points of a query at one interval: how far apart they lie, and where the newest are.

use super::super::window::floor;
use super::super::{Window, union};
use crate::query::Interval;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Points of one series that show its interval: two gaps that can be compared.
const POINTS_ENOUGH: u64 = 3;

/// Points of a query at one interval, as far as they were asked for.
#[derive(Debug, Clone)]
pub struct IntervalSample {
    interval: Interval,
    /// Disjoint windows that do not touch, oldest first.
    asked: Vec<Window>,
    /// End (Unix seconds) of the newest bucket in which any series has a point.
    newest_end_s: Option<i64>,
    /// End of the newest two buckets that touch and in which one series has points: it may be finer than the sample there.
    touching_end_s: Option<i64>,
    /// Points of the longest series within one of the windows.
    points_max: u64,
    /// Seconds between neighbouring points of a series, and how often they occur.
    gaps: BTreeMap<i64, u64>,
    /// The last point taken of each series.
    last: HashMap<String, LastPoint>,
}

#[derive(Debug, Clone, Copy)]
struct LastPoint {
    at_s: i64,
    window: usize,
    /// Points of the series in this window, this one included.
    points: u64,
}

impl IntervalSample {
    /// A sample without points yet; `asked` in any order.
    pub fn new(interval: Interval, asked: &[Window]) -> Self {
        Self {
            interval,
            asked: union(asked),
            newest_end_s: None,
            touching_end_s: None,
            points_max: 0,
            gaps: BTreeMap::new(),
            last: HashMap::new(),
        }
    }

    /// Adds points (Unix milliseconds) of a series, the oldest first. Those outside the windows asked are left out.
    pub fn add(&mut self, series: &str, ts_ms: impl IntoIterator<Item = i64>) {
        let step = self.interval.secs();
        let mut last = self.last.get(series).copied();
        for ts_ms in ts_ms {
            let at_s = floor(ts_ms.div_euclid(1_000), step);
            let window = self.asked.partition_point(|asked| asked.end_s() <= at_s);
            if self.asked.get(window).is_none_or(|asked| at_s < asked.start_s()) {
                continue;
            }
            let end_s = Some(at_s + step);
            self.newest_end_s = self.newest_end_s.max(end_s);
            // Between two windows there may be points that were not asked for.
            let before = last.filter(|last| last.window == window);
            if let Some(before) = before {
                let gap_s = at_s - before.at_s;
                *self.gaps.entry(gap_s).or_default() += 1;
                if gap_s == step {
                    self.touching_end_s = self.touching_end_s.max(end_s);
                }
            }
            let points = before.map_or(0, |last| last.points) + 1;
            self.points_max = self.points_max.max(points);
            last = Some(LastPoint { at_s, window, points });
        }
        if let Some(last) = last {
            self.last.insert(series.to_owned(), last);
        }
    }

    pub fn interval(&self) -> Interval {
        self.interval
    }

    pub fn has_points(&self) -> bool {
        self.points_max > 0
    }

    /// Returns true where one series has points enough to show its interval.
    pub fn is_enough(&self) -> bool {
        self.points_max >= POINTS_ENOUGH
    }

    pub(super) fn covers(&self, window: Window) -> bool {
        self.asked.iter().any(|asked| asked.covers(window))
    }

    /// Returns the newest bucket in which any series has a point.
    pub(super) fn newest(&self) -> Option<Window> {
        let end_s = self.newest_end_s?;
        Window::from_secs(end_s - self.interval.secs(), end_s)
    }

    /// Returns the end (Unix seconds) of the newest two buckets that touch and in which one series has points.
    pub(super) fn touching_end_s(&self) -> Option<i64> {
        self.touching_end_s
    }

    pub(super) fn smallest_gap_s(&self) -> Option<i64> {
        self.gaps.keys().next().copied()
    }

    pub(super) fn gaps(&self) -> u64 {
        self.gaps.values().sum()
    }

    /// Returns how many gaps are as long as this one, give or take a bucket.
    pub(super) fn gaps_up_to(&self, gap_s: i64) -> u64 {
        self.gaps.range(..=gap_s + self.interval.secs()).map(|(_, times)| times).sum()
    }
}

/// Writes what the sample shows, for the reason that the ledger keeps.
impl fmt::Display for IntervalSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (interval, most) = (self.interval, self.points_max);
        write!(f, "every {interval}: ")?;
        match (most, self.smallest_gap_s()) {
            (0, _) => f.write_str("no points"),
            (_, None) => f.write_str("single points"),
            (_, Some(gap_s)) => {
                write!(f, "at most {most} points of a series, at least {gap_s} s apart")
            }
        }
    }
}
