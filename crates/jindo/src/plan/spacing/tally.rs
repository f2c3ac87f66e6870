//! Whether points lie as far apart all through a range as where they were looked at: the samples of a query's sources, counted coarsely
//! over the whole range in one call. Pure.

use super::{POINTS, Sampled, Search, Spacing, minute, within};
use crate::plan::window::{ceil, floor};
use crate::plan::{Basis, Look, Window, tile, union};
use crate::query::Interval;
use std::collections::BTreeMap;
use std::fmt;

/// A bucket that is longer is looked at in parts, each of which fits into a look by the minute wherever that begins.
const PART_S: i64 = 21_600;

/// What can be told of the number of a query's points.
#[derive(Debug, Clone)]
pub enum Counts {
    /// What was counted so far.
    Told(Vec<Tally>),
    /// Nothing, and nothing is to be asked.
    Untold(Untold),
}

/// Why nothing is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// Nothing is known to count the points of such a query.
    Unsound,
    /// The server refused, in these words.
    Refused(String),
}

/// Which of the two questions of a tally an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The samples of all sources of a series together.
    Total,
    /// Those of the source that has the fewest.
    Least,
}

/// How many samples the sources of a query's series sent in each bucket: the points that its series can have had at most, since each
/// needs a sample.
///
/// The sum over sources, not the busiest source: two that report every hour may do so at different minutes. And no source has less
/// than one sample where it has any. Where a server counts nothing and tells values instead, as it may of distributions, these are not
/// whole, or below one; else their sum is at least their number, and the bound holds all the same.
#[derive(Debug, Clone)]
pub struct Tally {
    interval: Interval,
    /// By which both questions were answered.
    asked: Vec<Window>,
    /// The most of any series, by the start of the bucket (Unix seconds).
    most: BTreeMap<i64, u64>,
    /// Numbers told by either side: as many, or something was left out.
    totals: u64,
    leasts: u64,
    /// Whether all numbers so far can be counts.
    counts: bool,
}

impl Tally {
    /// Nothing counted yet; both sides were asked in these windows.
    pub fn new(interval: Interval, totals: &[Window], leasts: &[Window]) -> Self {
        let both = |&total: &Window| leasts.iter().filter_map(move |least| total.intersect(*least));
        let asked: Vec<_> = totals.iter().flat_map(both).collect();
        let (asked, most) = (union(&asked), BTreeMap::new());
        Self { interval, asked, most, totals: 0, leasts: 0, counts: true }
    }

    /// Takes in numbers of one series (Unix milliseconds, value).
    pub fn take(&mut self, side: Side, numbers: impl IntoIterator<Item = (i64, f64)>) {
        for (ts_ms, number) in numbers {
            let Some(count) = whole(number) else {
                self.counts = false;
                continue;
            };
            match side {
                Side::Least => self.leasts += 1,
                Side::Total => {
                    self.totals += 1;
                    let at_s = floor(ts_ms.div_euclid(1_000), self.interval.secs());
                    let most = self.most.entry(at_s).or_default();
                    *most = count.max(*most);
                }
            }
        }
    }

    fn is_sound(&self) -> bool {
        self.counts && self.totals > 0 && self.totals == self.leasts
    }

    /// How many points there may be in a bucket where they lie so far apart.
    fn allows(&self, every: Interval) -> u64 {
        u64::try_from(self.interval.secs() / every.secs()).unwrap_or(0)
    }

    fn bears(&self, every: Interval) -> bool {
        self.is_sound() && self.most.values().all(|&count| count <= self.allows(every))
    }

    /// Where there may be more points than that: the fullest buckets, down to half of the fullest.
    fn denser(&self, every: Interval) -> Vec<Window> {
        let fullest = self.most.values().copied().max().unwrap_or(0);
        let least = (self.allows(every) + 1).max(fullest.div_ceil(2));
        let full = self.most.iter().filter(|(_, count)| self.is_sound() && **count >= least);
        let length_s = self.interval.secs();
        let part_s = length_s.min(PART_S);
        full.flat_map(|(&from_s, _)| (from_s..from_s + length_s).step_by(as_step(part_s)))
            .filter_map(|from_s| Window::from_secs(from_s, from_s + part_s))
            .collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted through the range every {}: ", self.interval)?;
        match self.most.values().max() {
            Some(1) if self.is_sound() => f.write_str("1 sample of a series at most"),
            Some(most) if self.is_sound() => write!(f, "{most} samples of a series at most"),
            Some(_) | None => f.write_str("no counts came"),
        }
    }
}

fn as_step(secs: i64) -> usize {
    usize::try_from(secs).unwrap_or(1)
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

impl Search {
    /// What is to be asked before an interval above a minute is believed: what it rests on are a few looks, and points may lie closer
    /// together elsewhere in the range. First a tally, then a look where that has more points than there should be.
    pub(super) fn proof(&self, samples: &[Sampled], counts: &Counts, finest: Interval) -> Look {
        let minute = minute(finest);
        let (Spacing::Every(every), Counts::Told(tallies)) = (Spacing::of(samples, finest), counts)
        else {
            return Look::Nowhere;
        };
        if every <= minute {
            return Look::Nowhere;
        }
        match self.told(tallies, every) {
            Some(tally) => {
                let minutes = samples.iter().find(|sample| sample.interval == minute);
                let inside = |stretch: Window| stretch.intersect(self.range);
                let stretches = tally.denser(every).into_iter().filter_map(inside).collect();
                within(stretches, minutes, minute)
            }
            None => self
                .tally(every)
                .map_or(Look::Nowhere, |(interval, window)| Look::Count(interval, window)),
        }
    }

    /// The tally that tells about points every so often: as finely as one call carries it, in buckets that end where theirs do. Both
    /// ends lie outside the range: what is counted too much leads to a finer interval at worst.
    fn tally(&self, every: Interval) -> Option<(Interval, Window)> {
        let fits = |interval: Interval| {
            let step = interval.secs();
            let (start_s, end_s) = (self.counted.start_s(), self.counted.end_s());
            let window = Window::from_secs(floor(start_s, step), ceil(end_s, step))?;
            let fits = step % every.secs() == 0 && tile(window, interval, POINTS).len() == 1;
            fits.then_some((interval, window))
        };
        Interval::all_offered().find_map(fits)
    }

    fn told<'a>(&self, tallies: &'a [Tally], every: Interval) -> Option<&'a Tally> {
        let (interval, window) = self.tally(every)?;
        let is_whole = |tally: &&Tally| tally.asked.iter().any(|asked| asked.covers(window));
        tallies.iter().filter(|tally| tally.interval == interval).find(is_whole)
    }

    /// What follows from all that is known of a query.
    pub fn spacing(&self, samples: &[Sampled], counts: &Counts, finest: Interval) -> Spacing {
        let spacing = Spacing::of(samples, finest);
        match (spacing, counts) {
            (Spacing::Every(every), _) if every <= minute(finest) => spacing,
            (Spacing::Every(every), Counts::Told(tallies))
                if self.told(tallies, every).is_some_and(|tally| tally.bears(every)) =>
            {
                spacing
            }
            (Spacing::Every(_), _) => Spacing::Unknown(Basis::Irregular),
            (Spacing::Unknown(_), _) => spacing,
        }
    }
}
