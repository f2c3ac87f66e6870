//! Half-open stretches of time, and the algebra of what they cover.

use crate::query::Interval;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;

/// A half-open stretch `[start, end)` in UTC with whole seconds, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    /// `None` when nothing lies between `start` and `end`, or one of them is no whole second.
    pub fn new(start: Timestamp, end: Timestamp) -> Option<Self> {
        let whole = start.subsec_nanosecond() == 0 && end.subsec_nanosecond() == 0;
        (whole && start < end).then_some(Self { start, end })
    }

    /// The window between two Unix times in seconds.
    pub fn from_secs(start_s: i64, end_s: i64) -> Option<Self> {
        Self::new(Timestamp::from_second(start_s).ok()?, Timestamp::from_second(end_s).ok()?)
    }

    pub fn start(self) -> Timestamp {
        self.start
    }

    pub fn end(self) -> Timestamp {
        self.end
    }

    pub fn start_s(self) -> i64 {
        self.start.as_second()
    }

    pub fn end_s(self) -> i64 {
        self.end.as_second()
    }

    /// Length in seconds, at least 1.
    pub fn secs(self) -> i64 {
        self.end_s() - self.start_s()
    }

    /// Returns the number of buckets of `interval` that start within the window.
    pub fn points(self, interval: Interval) -> u64 {
        let buckets = self.aligned(interval).map_or(0, |all| all.secs() / interval.secs());
        u64::try_from(buckets).unwrap_or(0)
    }

    pub fn contains(self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// True if every moment of `other` lies in `self`.
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The buckets of `interval` that start within the window, as a window with both ends on multiples of it.
    pub fn aligned(self, interval: Interval) -> Option<Self> {
        let step = interval.secs();
        Self::from_secs(ceil(self.start_s(), step), ceil(self.end_s(), step))
    }

    /// Both halves, cut on a multiple of `interval`; `None` when there is only one bucket.
    pub fn halves(self, interval: Interval) -> Option<(Self, Self)> {
        let step = interval.secs();
        let middle = ceil(self.start_s() + self.secs() / 2, step);
        Some((Self::from_secs(self.start_s(), middle)?, Self::from_secs(middle, self.end_s())?))
    }
}

/// A range asked for: of each query the buckets that start within the window and are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub window: Window,
    /// A bucket that ends later is not over: a sum over half of it would look like one over all of it.
    pub settled: Timestamp,
}

impl Range {
    /// The buckets of `interval` that are asked, as a window with both ends on multiples of it.
    pub fn of(self, interval: Interval) -> Option<Window> {
        let aligned = self.window.aligned(interval)?;
        let over_s = floor(self.settled.as_second(), interval.secs());
        Window::from_secs(aligned.start_s(), aligned.end_s().min(over_s))
    }
}

/// All of it is long over.
impl From<Window> for Range {
    fn from(window: Window) -> Self {
        let settled = Timestamp::from_second(Timestamp::MAX.as_second());
        Self { window, settled: settled.expect("the last whole second there is") }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} … {}", self.start, self.end)
    }
}

/// Returns the moment that lies so long before another, or the first one that there is.
pub fn earlier(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// The last multiple of `step` that is not after the moment, also before 1970.
pub(super) fn floor(at_s: i64, step: i64) -> i64 {
    at_s.div_euclid(step) * step
}

/// The first multiple of `step` that is not before the moment.
pub(super) fn ceil(at_s: i64, step: i64) -> i64 {
    -floor(-at_s, step)
}

/// The shortest window that covers all of them; `None` without any.
pub fn hull(windows: impl IntoIterator<Item = Window>) -> Option<Window> {
    windows.into_iter().reduce(|a, b| Window { start: a.start.min(b.start), end: a.end.max(b.end) })
}

/// Returns the parts of `wanted` that are in none of `covered` (in any order, overlapping or not), oldest first.
pub fn subtract(wanted: Window, covered: &[Window]) -> Vec<Window> {
    let mut gaps = Vec::new();
    let mut from = wanted.start;
    for held in union(covered) {
        let until = held.start.min(wanted.end);
        gaps.extend(Window::new(from, until));
        from = from.max(held.end);
    }
    gaps.extend(Window::new(from, wanted.end));
    gaps
}

/// The same moments as disjoint windows that do not touch, oldest first.
pub fn union(windows: &[Window]) -> Vec<Window> {
    let mut sorted = windows.to_vec();
    sorted.sort_unstable();
    let mut merged: Vec<Window> = Vec::with_capacity(sorted.len());
    for window in sorted {
        match merged.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => merged.push(window),
        }
    }
    merged
}
