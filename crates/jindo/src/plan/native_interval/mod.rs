//! The interval at which a query's points were reported: what is sampled to find it, and what follows. Pure.
//!
//! The newest points propose an interval: the smallest gap between two points of a series. One above 60 s is taken only where
//! a count over the whole range shows that no bucket of it holds two points; else the points are exported every 60 s.

#[cfg(test)]
mod tests;

use super::window::{ceil, floor};
use super::{DAY_S, Limits, RETENTION, Window, earlier, tile};
use crate::query::Interval;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Samples span as many points as a call is documented to carry, whatever limit was learnt: the same samples are asked for again
/// after a limit was learnt or forgotten.
const POINTS: Limits = Limits::ASSUMED;

/// The default interval. Points further apart are taken to be so only where a count confirms it.
const MINUTE_S: u64 = 60;

/// Points of one series that show its interval: two gaps that can be compared.
const POINTS_ENOUGH: usize = 3;

/// Gaps that show an interval above 60 s: one alone may be chance.
const GAPS_ENOUGH: u64 = 2;

/// All that is known of a query's points.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The finest interval that the server offers for the query, as far as known.
    pub finest: Interval,
    /// Answers to [`SampleRange::next_points`], in its order.
    pub samples: Vec<IntervalSample>,
    pub counting: Counting,
    /// The server's words in refusing a sample; nothing else is asked then.
    pub refused: Option<String>,
}

/// The count of a query's points over the whole range.
#[derive(Debug, Clone)]
pub enum Counting {
    /// Not known yet, or not needed.
    Unknown,
    Counted(PointCount),
    /// The points of such a query are not known to be countable.
    Unsupported,
    /// The server refused, in these words.
    Refused(String),
}

/// The next question about a query. Questions that are equal share their calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextSample {
    pub kind: SampleKind,
    pub interval: Interval,
    pub window: Window,
}

/// Kinds of questions about the points of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleKind {
    /// The points themselves.
    Points,
    /// Counts of points per bucket.
    Count,
}

/// Evidence on which the interval of a query rests. The ledger and `status --json` call it `basis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Its points.
    Sampled,
    /// The default: it has no points in the newest day.
    Empty,
    /// The default: it has too few points there.
    Sparse,
    /// The default: its newest points lie more than 60 s apart, but no count confirms that of the whole range.
    Irregular,
    /// The default: the server refused its sample.
    Refused,
}

impl Confidence {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Sampled, Self::Empty, Self::Sparse, Self::Irregular, Self::Refused];

    /// Returns the word that the ledger keeps.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Empty => "empty",
            Self::Sparse => "sparse",
            Self::Irregular => "irregular",
            Self::Refused => "refused",
        }
    }
}

impl Observed {
    /// Returns 60 s, or the finest interval offered where that is longer.
    fn minute(&self) -> Interval {
        Interval::offered(MINUTE_S).map_or(self.finest, |minute| minute.max(self.finest))
    }

    /// Returns the smallest gap between neighbouring points of any series, snapped down to an interval that is offered. One above 60 s
    /// must occur twice.
    fn proposed(&self) -> Result<Interval, Confidence> {
        let smallest_s = self.samples.iter().filter_map(IntervalSample::smallest_gap_s).min();
        if let Some(interval) = smallest_s.and_then(Interval::offered_below)
            && interval <= self.minute()
        {
            return Ok(interval.max(self.finest));
        }
        if let Some(sample) = self.samples.iter().rev().find(|sample| sample.has_gaps()) {
            let repeated_s = sample.repeated_gap_s();
            return repeated_s.and_then(Interval::offered_below).ok_or(Confidence::Irregular);
        }
        let has_points = self.samples.iter().any(IntervalSample::has_points);
        Err(if has_points { Confidence::Sparse } else { Confidence::Empty })
    }

    /// Returns the interval of which no bucket holds two points, as far as sampled and counted: the one proposed, above 60 s only where
    /// a count confirms it.
    ///
    /// # Errors
    /// The reason for which there is none.
    pub fn conclude(&self) -> Result<Interval, Confidence> {
        if self.refused.is_some() {
            return Err(Confidence::Refused);
        }
        let every = self.proposed()?;
        let is_confirmed =
            matches!(&self.counting, Counting::Counted(count) if count.confirms(every));
        if every <= self.minute() || is_confirmed { Ok(every) } else { Err(Confidence::Irregular) }
    }

    /// Describes what the interval rests on, for the reason that the ledger keeps.
    pub fn seen(&self) -> String {
        if let Some(words) = &self.refused {
            return words.clone();
        }
        let samples = self.samples.iter().map(IntervalSample::seen);
        let count = match &self.counting {
            Counting::Counted(count) => Some(count.seen()),
            Counting::Refused(words) => Some(format!("not counted: {words}")),
            Counting::Unknown | Counting::Unsupported => None,
        };
        samples.chain(count).collect::<Vec<_>>().join("; ")
    }
}

/// The range in which a query is sampled and counted.
#[derive(Debug, Clone, Copy)]
pub struct SampleRange {
    sampled: Window,
    /// To the end of the range asked, settled or not: the interval must hold for all of it.
    counted: Window,
}

impl SampleRange {
    /// The part of `range` that is `settled` and still kept by the server; all of it where no part is.
    pub fn new(range: Window, settled: Timestamp, now: Timestamp) -> Self {
        let kept = Window::from_secs(earlier(now, RETENTION).as_second(), settled.as_second());
        let sampled = kept.and_then(|kept| range.intersect(kept)).unwrap_or(range);
        let counted = Window::new(sampled.start(), range.end()).unwrap_or(range);
        Self { sampled, counted }
    }

    /// Returns the next question that tells more about a query; `None` once its interval is settled, or its sample refused.
    pub fn next(&self, observed: &Observed) -> Option<NextSample> {
        let counted = || match observed.counting {
            Counting::Unknown => self.count_of(observed),
            Counting::Counted(_) | Counting::Unsupported | Counting::Refused(_) => None,
        };
        let is_refused = observed.refused.is_some();
        if is_refused { None } else { self.next_points(observed).or_else(counted) }
    }

    /// Returns the sample after those that are known: the newest points as finely as offered; where these are few, a day of minutes;
    /// where points lie in minutes that touch, a finer look at the newest of them.
    pub fn next_points(&self, observed: &Observed) -> Option<NextSample> {
        let (finest, minute) = (observed.finest, observed.minute());
        let (interval, window) = match &observed.samples[..] {
            [] => (finest, self.newest(finest)?),
            [fine, ..] if fine.is_enough() || finest == minute => return None,
            [_] => (minute, self.newest(minute)?),
            [_, minutes] => (finest, self.around(finest, minutes.touching_end_s?)?),
            [..] => return None,
        };
        Some(NextSample { kind: SampleKind::Points, interval, window })
    }

    /// Returns what one call carries of the newest, in whole days where it carries any. Samples may become wanted data: nothing
    /// outside the range.
    fn newest(&self, interval: Interval) -> Option<Window> {
        let longest_s = POINTS.window_secs_max(interval);
        let length_s = if longest_s < DAY_S { longest_s } else { floor(longest_s, DAY_S) };
        let end_s = floor(self.sampled.end_s(), interval.secs());
        self.sampled.intersect(Window::from_secs(end_s - length_s, end_s)?)?.aligned(interval)
    }

    /// Returns a window of one call that reaches `end_s` or somewhat further. It lies on a grid of half its length, so that queries
    /// whose points end at about the same time share their calls.
    fn around(&self, interval: Interval, end_s: i64) -> Option<Window> {
        let (step, length_s) = (interval.secs(), POINTS.window_secs_max(interval));
        let start_s = ceil(end_s - length_s, floor(length_s / 2, step).max(step));
        let whole = Window::from_secs(start_s, start_s + length_s)?.intersect(self.sampled)?;
        Window::from_secs(ceil(whole.start_s(), step), floor(whole.end_s(), step))
    }

    /// Returns the count that would confirm what the samples propose: in buckets as fine as one call carries, ending where those of the
    /// proposal do. `None` where there is nothing above 60 s to confirm. Both ends lie outside the range: what is counted too much
    /// leads to the default at worst.
    pub fn count_of(&self, observed: &Observed) -> Option<NextSample> {
        let every = observed.proposed().ok().filter(|&every| every > observed.minute())?;
        let (start_s, end_s) = (self.counted.start_s(), self.counted.end_s());
        Interval::all_offered().find_map(|interval| {
            let step = interval.secs();
            let window = Window::from_secs(floor(start_s, step), ceil(end_s, step))?;
            let fits = step % every.secs() == 0 && tile(window, interval, POINTS).len() == 1;
            fits.then_some(NextSample { kind: SampleKind::Count, interval, window })
        })
    }
}

/// The newest points of a query at one interval.
#[derive(Debug, Clone)]
pub struct IntervalSample {
    pub interval: Interval,
    /// Points of the longest series.
    points_max: usize,
    /// Seconds between neighbouring points of a series, and how often they occur.
    gaps: BTreeMap<i64, u64>,
    /// End (Unix seconds) of the newest two buckets that touch and in which one series has points: it may be finer than the sample there.
    touching_end_s: Option<i64>,
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
    fn is_enough(&self) -> bool {
        self.points_max >= POINTS_ENOUGH
    }

    /// Returns true where gaps can be compared.
    fn has_gaps(&self) -> bool {
        self.gaps.values().sum::<u64>() >= GAPS_ENOUGH
    }

    fn smallest_gap_s(&self) -> Option<i64> {
        self.gaps.keys().next().copied()
    }

    /// Returns the smallest gap where another one is as long, give or take a bucket.
    fn repeated_gap_s(&self) -> Option<i64> {
        let alike = |gap_s: &i64| self.gaps.range(..=gap_s + self.interval.secs());
        self.smallest_gap_s()
            .filter(|gap_s| alike(gap_s).map(|(_, n)| n).sum::<u64>() >= GAPS_ENOUGH)
    }

    fn seen(&self) -> String {
        let points = match (self.points_max, self.smallest_gap_s()) {
            (0, _) => "no points".to_owned(),
            (_, None) => "single points".to_owned(),
            (most, Some(gap_s)) => {
                format!("at most {most} points of a series, at least {gap_s} s apart")
            }
        };
        format!("every {}: {points}", self.interval)
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
    fn confirms(&self, every: Interval) -> bool {
        let allowed = u32::try_from(self.interval.secs() / every.secs()).unwrap_or(0);
        self.most.is_some_and(|most| most <= f64::from(allowed))
    }

    fn seen(&self) -> String {
        let counts = match self.most {
            Some(most) if most <= 1.0 => "1 sample of a series at most".to_owned(),
            Some(most) => format!("{most} samples of a series at most"),
            None => "no counts came".to_owned(),
        };
        format!("counted through the range every {}: {counts}", self.interval)
    }
}
