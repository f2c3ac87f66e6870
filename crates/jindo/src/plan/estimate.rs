//! Cost of a plan before the first call: time, points and bytes, as far as they can be known.

use super::{Plan, PlanIndex};
use std::ops::RangeInclusive;

/// A number of calls per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub calls: u32,
    pub period_s: u32,
}

/// Points and bytes as ranges, since the number of series per group is the server's knowledge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    pub points: RangeInclusive<u64>,
    /// On disk, archive and CSV together.
    pub bytes: RangeInclusive<u64>,
}

/// A query with `by` is taken for 1 to 20 series.
const SERIES_PER_GROUP_MAX: u64 = 20;

/// Bytes a point: Parquet 2 to 7, a CSV row 21 to 32.
const BYTES_PER_POINT: RangeInclusive<u64> = 23..=39;

impl Plan {
    /// Low: one series per query. High: twenty per grouped one, all without a gap.
    pub fn estimate(&self) -> Estimate {
        let (mut low, mut high) = (0_u64, 0_u64);
        for task in &self.tasks {
            let points = task.window.points(task.interval);
            let is_grouped = |index: &&PlanIndex| self.queries[**index].text.sent.is_grouped();
            let grouped = task.queries.iter().filter(is_grouped).count() as u64;
            let all = task.queries.len() as u64;
            low = low.saturating_add(points * all);
            high = high.saturating_add(points * (all - grouped + grouped * SERIES_PER_GROUP_MAX));
        }
        Estimate {
            points: low..=high,
            bytes: low.saturating_mul(*BYTES_PER_POINT.start())
                ..=high.saturating_mul(*BYTES_PER_POINT.end()),
        }
    }

    /// Seconds that the calls take at `pace`.
    pub fn seconds(&self, pace: Pace) -> u64 {
        let calls = u64::try_from(self.calls()).unwrap_or(u64::MAX);
        calls.saturating_mul(u64::from(pace.period_s)).div_ceil(u64::from(pace.calls.max(1)))
    }
}
