//! Which interval an answer has: the default by range, the snap to allowed sizes, the cap on points per series.

use crate::evaluate::Grid;

/// The sizes of buckets that the server keeps, in seconds. (DOC) names the ends and "nice" sizes; 1 to 14400 as seen in
/// answers (REC); the rest from users' tables (USER). The full set is not public.
pub const INTERVALS_S: [i64; 22] = [
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600,
    28_800, 43_200, 86_400, 604_800,
];

/// (longest range, interval) in seconds where a query states none. (DOC) from one hour to a month; 1 s and 5 s (REC).
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

/// The interval of a query without `.rollup(…, N)`.
pub(crate) fn default_s(from_s: i64, to_s: i64) -> i64 {
    let range_s = to_s - from_s;
    let found = DEFAULTS_S.iter().find(|(longest_s, _)| range_s <= *longest_s);
    found.map_or(86_400, |(_, interval_s)| *interval_s)
}

/// What the server allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// Ascending, not empty.
    pub(crate) allowed_s: Vec<i64>,
    /// Points per series; 1500. (DOC)
    pub(crate) points_max: usize,
}

impl Resolution {
    /// The nearest allowed size (DOC: "snap"); the next larger ones while the range holds more buckets than allowed.
    pub(crate) fn resolve(&self, stated_s: i64, from_s: i64, to_s: i64) -> i64 {
        let snapped_s = self.snap(stated_s);
        let fits =
            |&&s: &&i64| s >= snapped_s && Grid::covering(from_s, to_s, s).len <= self.points_max;
        let largest_s = self.allowed_s.last().copied().unwrap_or(stated_s);
        self.allowed_s.iter().find(fits).copied().unwrap_or(largest_s)
    }

    /// The nearest allowed size; of two as near, the smaller.
    pub(crate) fn snap(&self, stated_s: i64) -> i64 {
        let nearest = self.allowed_s.iter().min_by_key(|&&s| (s - stated_s).abs());
        nearest.copied().unwrap_or(stated_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 86_400;

    fn recent() -> Resolution {
        Resolution { allowed_s: INTERVALS_S.to_vec(), points_max: 1_500 }
    }

    #[test]
    fn recorded_and_documented_defaults() {
        let ranges_s = [200, 1_200, 3_600, 14_400, DAY_S, 120_000, 7 * DAY_S, 30 * DAY_S];
        let found = ranges_s.map(|range_s| default_s(1_000, 1_000 + range_s));
        assert_eq!(found, [1, 5, 20, 60, 300, 600, 3_600, 14_400]);
    }

    #[test]
    fn too_fine_becomes_silently_coarser() {
        assert_eq!(recent().resolve(60, 0, 90_000), 60, "1500 points");
        assert_eq!(recent().resolve(60, 0, 90_060), 120, "1501 points");
        assert_eq!(recent().resolve(10, 0, DAY_S), 60);
        assert_eq!(recent().resolve(1, 0, 96 * DAY_S), 7_200);
    }

    #[test]
    fn odd_intervals_snap() {
        assert_eq!(
            [37, 61, 59, 2_592_000, 90].map(|s| recent().snap(s)),
            [30, 60, 60, 604_800, 60]
        );
    }
}
