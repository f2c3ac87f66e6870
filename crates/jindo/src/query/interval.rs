//! Seconds per point, and which of them the server is known to offer. Pure: answers are checked when they come.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;

/// Seconds per point (the rollup interval).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval(NonZeroU32);

/// Intervals in seconds, ascending, that can be asked for. The server snaps others to the nearest of its own set of round
/// ones, from a second to a week; these are the ones it was seen to return or that dashboards ask for.
const OFFERED_S: [u32; 21] = [
    1, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14_400, 21_600, 28_800,
    43_200, 86_400, 604_800,
];

/// An interval that the server would replace by another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an interval of {asked_s} s is not offered; take {nearest}")]
pub struct NotOffered {
    pub asked_s: u64,
    /// The nearest offered ones, joined by `or`.
    pub nearest: String,
}

impl Interval {
    pub fn from_secs(secs: u32) -> Option<Self> {
        NonZeroU32::new(secs).map(Self)
    }

    /// An interval that the server is known to offer.
    pub fn offered(secs: u64) -> Result<Self, NotOffered> {
        let at = OFFERED_S.partition_point(|offered| u64::from(*offered) < secs);
        let known = |index: usize| OFFERED_S.get(index).copied().and_then(Self::from_secs);
        match known(at) {
            Some(found) if u64::from(found.0.get()) == secs => Ok(found),
            above => {
                let below = at.checked_sub(1).and_then(known);
                let near: Vec<_> = [below, above].iter().flatten().map(Self::to_string).collect();
                Err(NotOffered { asked_s: secs, nearest: near.join(" or ") })
            }
        }
    }

    /// Every interval that the server is known to offer, the finest first.
    pub fn all_offered() -> impl Iterator<Item = Self> {
        OFFERED_S.into_iter().filter_map(Self::from_secs)
    }

    /// The largest offered one that is not longer than `secs`; `None` below a second.
    pub fn offered_below(secs: i64) -> Option<Self> {
        Self::all_offered().take_while(|offered| offered.secs() <= secs).last()
    }

    pub fn secs(self) -> i64 {
        i64::from(self.0.get())
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_intervals_that_the_server_keeps_are_offered() {
        assert_eq!(Interval::offered(300).unwrap().secs(), 300);
        let words = |secs| Interval::offered(secs).unwrap_err().to_string();
        assert_eq!(words(37), "an interval of 37 s is not offered; take 30 s or 60 s");
        assert_eq!(words(0), "an interval of 0 s is not offered; take 1 s");
        assert_eq!(words(2_592_000), "an interval of 2592000 s is not offered; take 604800 s");
        assert_eq!(words(u64::MAX).split("take").nth(1), Some(" 604800 s"));
        assert!(OFFERED_S.is_sorted_by(|a, b| a < b));
    }
}
