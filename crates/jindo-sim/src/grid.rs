//! Time ranges and the grids of buckets on them, aligned to UNIX time. (DOC) Pure arithmetic on epoch seconds.

/// A half-open range of epoch seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    /// First second of the range.
    pub(crate) from_s: i64,
    /// First second after the range.
    pub(crate) to_s: i64,
}

impl TimeRange {
    /// Returns the same range `shift_s` seconds earlier.
    pub(crate) fn earlier(self, shift_s: i64) -> Self {
        Self { from_s: self.from_s - shift_s, to_s: self.to_s - shift_s }
    }
}

/// Buckets that start at `start_s + i * interval_s`, for i in `0..len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Start of the first bucket in epoch seconds.
    pub(crate) start_s: i64,
    /// Length of each bucket in seconds, at least 1.
    pub(crate) interval_s: i64,
    /// Number of buckets; 0 is allowed.
    pub(crate) len: usize,
}

impl Grid {
    /// Returns the buckets that start within `range`. (REC)
    pub(crate) fn covering(range: TimeRange, interval_s: i64) -> Self {
        let start_s = first_multiple(range.from_s, interval_s);
        let len = (first_multiple(range.to_s, interval_s) - start_s).max(0) / interval_s;
        Self { start_s, interval_s, len: usize::try_from(len).unwrap_or(0) }
    }

    /// Returns the start of a bucket in epoch seconds.
    pub(crate) fn time_s(&self, bucket: usize) -> i64 {
        self.start_s + i64::try_from(bucket).unwrap_or(i64::MAX) * self.interval_s
    }

    /// Returns the end of the last bucket in epoch seconds.
    pub(crate) fn end_s(&self) -> i64 {
        self.time_s(self.len)
    }

    /// Returns the index of the bucket that starts exactly at `time_s`.
    pub(crate) fn bucket(&self, time_s: i64) -> Option<usize> {
        let offset = time_s - self.start_s;
        let bucket = usize::try_from(offset / self.interval_s).ok()?;
        (offset >= 0 && offset % self.interval_s == 0 && bucket < self.len).then_some(bucket)
    }
}

/// Returns the smallest multiple of `interval_s` at or after `time_s`.
fn first_multiple(time_s: i64, interval_s: i64) -> i64 {
    -(-time_s).div_euclid(interval_s) * interval_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_holds_the_buckets_that_start_in_the_range() {
        let covering = |from_s, to_s| Grid::covering(TimeRange { from_s, to_s }, 300);
        // Recorded: from=1641343852, to=1641430252, interval 300.
        let grid = covering(1_641_343_852, 1_641_430_252);
        assert_eq!((grid.start_s, grid.len, grid.time_s(287)), (1_641_344_100, 288, 1_641_430_200));
        assert_eq!(covering(0, 600).len, 2, "`to` is excluded");
        assert_eq!(covering(1, 2).len, 0);
    }
}
