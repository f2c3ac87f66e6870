//! Counts of the samples that a query's sources sent, in coarse buckets over a whole range: an upper bound on its points. Pure.

use super::super::window::floor;
use super::super::{Window, union};
use crate::query::Interval;
use std::collections::BTreeMap;
use std::fmt;

/// Counts of a query's points, where they can be had.
#[derive(Debug, Clone)]
pub enum Counting {
    /// Counts so far.
    Counted(Vec<PointCount>),
    /// The points of such a query are not known to be countable.
    Unsupported,
    /// The server refused, in these words.
    Refused(String),
}

/// The two questions that make up a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountPart {
    /// The samples of all sources of a series together.
    Total,
    /// Those of the source that has the fewest.
    Least,
}

/// Samples per bucket of a query's series, summed over their sources: each point needs one, so a series has at most as many points.
///
/// The sum over sources, not the busiest source: two that report every hour may do so at different minutes. A source that has any
/// has one at least. Where a server returns values instead of counts, as it may of distributions, these are not whole, or below one;
/// else their sum is at least their number, and the bound holds all the same.
#[derive(Debug, Clone)]
pub struct PointCount {
    interval: Interval,
    /// Windows in which both questions were answered.
    asked: Vec<Window>,
    /// The most of any series, by the start of the bucket (Unix seconds).
    most: BTreeMap<i64, u64>,
    /// Numbers in the answers to either question: as many, or something was left out.
    totals: u64,
    leasts: u64,
    /// True while all numbers so far can be counts.
    is_whole: bool,
}

impl PointCount {
    /// A count without numbers yet, of what both questions were asked for.
    pub fn new(interval: Interval, totals: &[Window], leasts: &[Window]) -> Self {
        let both = |&total: &Window| leasts.iter().filter_map(move |least| total.intersect(*least));
        let asked: Vec<_> = totals.iter().flat_map(both).collect();
        let (asked, most) = (union(&asked), BTreeMap::new());
        Self { interval, asked, most, totals: 0, leasts: 0, is_whole: true }
    }

    /// Adds numbers of one series (Unix milliseconds, value).
    pub fn add(&mut self, part: CountPart, numbers: impl IntoIterator<Item = (i64, f64)>) {
        for (ts_ms, number) in numbers {
            let Some(count) = whole(number) else {
                self.is_whole = false;
                continue;
            };
            match part {
                CountPart::Least => self.leasts += 1,
                CountPart::Total => {
                    self.totals += 1;
                    let at_s = floor(ts_ms.div_euclid(1_000), self.interval.secs());
                    let most = self.most.entry(at_s).or_default();
                    *most = count.max(*most);
                }
            }
        }
    }

    pub(super) fn is_of(&self, interval: Interval, window: Window) -> bool {
        self.interval == interval && self.asked.iter().any(|asked| asked.covers(window))
    }

    /// Returns true where no bucket holds more samples than points that lie `every` apart.
    pub(super) fn confirms(&self, every: Interval) -> bool {
        let allowed = u64::try_from(self.interval.secs() / every.secs()).unwrap_or(0);
        self.is_sound() && self.most.values().all(|&count| count <= allowed)
    }

    fn is_sound(&self) -> bool {
        self.is_whole && self.totals > 0 && self.totals == self.leasts
    }
}

/// Writes what was counted, for the reason that the ledger keeps.
impl fmt::Display for PointCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted through the range every {}: ", self.interval)?;
        match self.most.values().max() {
            Some(1) if self.is_sound() => f.write_str("1 sample of a series at most"),
            Some(most) if self.is_sound() => write!(f, "{most} samples of a series at most"),
            Some(_) | None => f.write_str("no counts came"),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only whole numbers below 2^53 are cast"
)]
fn whole(number: f64) -> Option<u64> {
    let fits = (1.0..9e15).contains(&number) && number.fract() == 0.0;
    fits.then_some(number as u64)
}
