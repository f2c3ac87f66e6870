//! Points of a query as they were sampled, and the number of its points as it was counted: how far apart they lie.

use crate::query::Interval;
use std::collections::BTreeMap;
use std::fmt;

/// Points of one series that show its interval: two gaps that can be compared.
const POINTS_ENOUGH: usize = 3;

/// Gaps that show an interval above 60 s: one alone may be chance.
const GAPS_ENOUGH: u64 = 2;

/// The newest points of a query at one interval.
#[derive(Debug, Clone)]
pub struct IntervalSample {
    pub interval: Interval,
    /// Points of the longest series.
    points_max: usize,
    /// Seconds between neighbouring points of a series, and how often they occur.
    gaps: BTreeMap<i64, u64>,
    /// End (Unix seconds) of the newest two buckets that touch and in which one series has points: it may be finer than the sample there.
    pub(super) touching_end_s: Option<i64>,
}

impl IntervalSample {
    /// A sample of these series: the times (Unix milliseconds) of their points, the oldest first.
    pub fn new<'a>(interval: Interval, series: impl IntoIterator<Item = &'a Vec<i64>>) -> Self {
        let (mut points_max, mut gaps, mut touching_end_s) = (0, BTreeMap::new(), None);
        for ts_ms in series {
            points_max = points_max.max(ts_ms.len());
            for pair in ts_ms.windows(2) {
                let distance_s = (pair[1] - pair[0]) / 1_000;
                *gaps.entry(distance_s).or_default() += 1;
                if distance_s == interval.secs() {
                    touching_end_s = touching_end_s.max(Some(pair[1] / 1_000 + distance_s));
                }
            }
        }
        Self { interval, points_max, gaps, touching_end_s }
    }

    pub fn has_points(&self) -> bool {
        self.points_max > 0
    }

    /// Returns true where one series has points enough to show its interval.
    pub(super) fn is_enough(&self) -> bool {
        self.points_max >= POINTS_ENOUGH
    }

    /// Returns true where gaps can be compared.
    pub(super) fn has_gaps(&self) -> bool {
        self.gaps.values().sum::<u64>() >= GAPS_ENOUGH
    }

    pub(super) fn smallest_gap_s(&self) -> Option<i64> {
        self.gaps.keys().next().copied()
    }

    /// Returns the smallest gap where another one is as long, give or take a bucket.
    pub(super) fn repeated_gap_s(&self) -> Option<i64> {
        let alike = |gap_s: &i64| self.gaps.range(..=gap_s + self.interval.secs());
        self.smallest_gap_s()
            .filter(|gap_s| alike(gap_s).map(|(_, n)| n).sum::<u64>() >= GAPS_ENOUGH)
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

/// The most samples of any series in a bucket, summed over its sources: each point needs one, so a series has at most as many points.
///
/// The sum over sources, not the busiest source: two that report every hour may do so at different minutes. A source that has any
/// has one at least. Where a server returns values instead of counts, as it may of distributions, these are not whole, or below one;
/// else their sum is at least their number, and the bound holds all the same.
#[derive(Debug, Clone)]
pub struct PointCount {
    interval: Interval,
    /// `None` where no counts came.
    most: Option<f64>,
}

impl PointCount {
    /// A count of the numbers, in any order, that answered both questions: `totals` of all sources of each series together, `leasts`
    /// of the source that has the fewest. There are as many of either, or something was left out.
    pub fn new(interval: Interval, totals: &[f64], leasts: &[f64]) -> Self {
        let mut numbers = totals.iter().chain(leasts);
        let is_sound = totals.len() == leasts.len()
            && numbers.all(|&number| number >= 1.0 && number.fract() == 0.0);
        Self { interval, most: totals.iter().copied().reduce(f64::max).filter(|_| is_sound) }
    }

    /// Returns true where no bucket holds more samples than points that lie `every` apart.
    pub(super) fn confirms(&self, every: Interval) -> bool {
        let allowed = u32::try_from(self.interval.secs() / every.secs()).unwrap_or(0);
        self.most.is_some_and(|most| most <= f64::from(allowed))
    }
}

/// Writes what was counted, for the reason that the ledger keeps.
impl fmt::Display for PointCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted through the range every {}: ", self.interval)?;
        match self.most {
            Some(most) if most <= 1.0 => f.write_str("1 sample of a series at most"),
            Some(most) => write!(f, "{most} samples of a series at most"),
            None => f.write_str("no counts came"),
        }
    }
}
