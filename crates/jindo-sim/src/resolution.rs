//! The interval of an answer: default by range, snap to the sizes on offer, limit on points per series.

use crate::grid::{Grid, TimeRange};

/// Bucket sizes that the server offers, in seconds, ascending. (DOC) names the ends and "nice" sizes; 1 to 14400 as
/// seen in answers (REC); the rest from users' tables (USER). The full set is not public.
pub const INTERVALS_S: [i64; 22] = [
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600,
    28_800, 43_200, 86_400, 604_800,
];

/// Default intervals as (longest range, interval), both in seconds. (DOC) from one hour to a month; 1 s and 5 s (REC).
const DEFAULTS_S: [(i64, i64); 9] = [
    (300, 1),
    (1_800, 5),
    (3_600, 20),
    (14_400, 60),
    (86_400, 300),
    (172_800, 600),
    (604_800, 3_600),
    (2_678_400, 14_400),
    (8_035_200, 43_200),
];

/// Returns the interval, in seconds, of a query without `.rollup(…, N)`; a day beyond the longest known range.
pub(crate) fn default_s(range: TimeRange) -> i64 {
    let range_s = range.to_s - range.from_s;
    let found = DEFAULTS_S.iter().find(|(longest_s, _)| range_s <= *longest_s);
    found.map_or(86_400, |(_, interval_s)| *interval_s)
}

/// The intervals that a server offers and its limit on points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// Bucket sizes in seconds, ascending, not empty.
    pub(crate) offered_s: Vec<i64>,
    /// Points per series; 1500. (DOC)
    pub(crate) points_max: usize,
}

impl Resolution {
    /// Returns the nearest size on offer (DOC: "snap"), or the next larger one at which `range` holds no more than
    /// `points_max` buckets; the largest size where none fits.
    pub(crate) fn resolve(&self, stated_s: i64, range: TimeRange) -> i64 {
        // Of two equally near ones, the smaller.
        let nearest_s = self.offered_s.iter().min_by_key(|&&s| (s - stated_s).abs());
        let fits =
            |s: &&i64| Some(*s) >= nearest_s && Grid::covering(range, **s).len <= self.points_max;
        let found = self.offered_s.iter().find(fits).or(self.offered_s.last());
        found.copied().unwrap_or(stated_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 86_400;

    fn recent() -> Resolution {
        Resolution { offered_s: INTERVALS_S.to_vec(), points_max: 1_500 }
    }

    #[test]
    fn recorded_and_documented_defaults() {
        let ranges_s = [200, 1_200, 3_600, 14_400, DAY_S, 120_000, 7 * DAY_S, 30 * DAY_S];
        let found =
            ranges_s.map(|range_s| default_s(TimeRange { from_s: 1_000, to_s: 1_000 + range_s }));
        assert_eq!(found, [1, 5, 20, 60, 300, 600, 3_600, 14_400]);
    }

    #[test]
    fn too_fine_becomes_silently_coarser() {
        let resolve = |stated_s, to_s| recent().resolve(stated_s, TimeRange { from_s: 0, to_s });
        assert_eq!(resolve(60, 90_000), 60, "1500 points");
        assert_eq!(resolve(60, 90_060), 120, "1501 points");
        assert_eq!(resolve(10, DAY_S), 60);
        assert_eq!(resolve(1, 96 * DAY_S), 7_200);
    }

    #[test]
    fn odd_intervals_snap() {
        let snap = |stated_s| recent().resolve(stated_s, TimeRange { from_s: 0, to_s: 1 });
        assert_eq!([37, 61, 59, 2_592_000, 90].map(snap), [30, 60, 60, 604_800, 60]);
    }
}
