//! Which sample or count is asked for next, and the interval that follows from them.

use super::super::window::{ceil, floor};
use super::super::{DAY_S, Limits, RETENTION, Window, tile};
use super::{Counting, IntervalSample};
use crate::query::Interval;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Samples span as many points as a call is documented to carry, whatever limit was learnt: the same samples are asked for again
/// after a limit was learnt or forgotten.
const POINTS: Limits = Limits::ASSUMED;

/// The default interval. Points further apart are taken to be so only where a count confirms it.
const MINUTE_S: i64 = 60;

/// Gaps that show an interval above 60 s: one alone may be chance.
const GAPS_ENOUGH: u64 = 2;

/// All that is known of a query's points.
#[derive(Debug, Clone)]
pub struct Observed {
    /// At most one of an interval.
    pub samples: Vec<IntervalSample>,
    pub counting: Counting,
    /// The finest interval that the server offers for the query, as far as known.
    pub finest: Interval,
}

/// The next question about a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextSample {
    /// Points of this interval in this window.
    Points(Interval, Window),
    /// A count of points in buckets of this interval.
    Count(Interval, Window),
}

/// The interval of a query's points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NativeInterval {
    /// No bucket of this interval holds two points, as far as sampled and counted.
    Every(Interval),
    /// Not found, for this reason.
    Unknown(Confidence),
}

/// Evidence on which the interval of a query rests. The ledger and `status --json` call it `basis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Its points.
    Sampled,
    /// The default: it has no points in the range.
    Empty,
    /// The default: it has too few points.
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
    fn sample(&self, interval: Interval) -> Option<&IntervalSample> {
        self.samples.iter().find(|sample| sample.interval() == interval)
    }

    /// Returns 60 s, or the finest interval offered where that is longer.
    fn minute(&self) -> Interval {
        Interval::offered(MINUTE_S.unsigned_abs())
            .map_or(self.finest, |minute| minute.max(self.finest))
    }

    /// Returns the smallest gap between neighbouring points of any series, snapped down to an interval that is offered. One above 60 s
    /// must occur twice.
    fn proposed(&self) -> NativeInterval {
        let minute = self.minute();
        let fine = self.samples.iter().filter(|sample| sample.interval() <= minute);
        let smallest_s = fine.filter_map(IntervalSample::smallest_gap_s).min();
        if let Some(interval) = smallest_s.and_then(Interval::offered_below)
            && interval <= minute
        {
            return NativeInterval::Every(interval.max(self.finest));
        }
        let Some(sample) = self.decisive() else {
            let has_points = self.samples.iter().any(IntervalSample::has_points);
            let confidence = if has_points { Confidence::Sparse } else { Confidence::Empty };
            return NativeInterval::Unknown(confidence);
        };
        let repeated_s =
            sample.smallest_gap_s().filter(|&gap_s| sample.gaps_up_to(gap_s) >= GAPS_ENOUGH);
        repeated_s
            .and_then(Interval::offered_below)
            .map_or(NativeInterval::Unknown(Confidence::Irregular), NativeInterval::Every)
    }

    /// Returns the sample whose gaps are compared where all are above 60 s: one of minutes before the overview, in which buckets
    /// that touch may hide points that lie closer together.
    fn decisive(&self) -> Option<&IntervalSample> {
        let minute = self.minute();
        let (fine, coarse): (Vec<_>, Vec<_>) = self
            .samples
            .iter()
            .filter(|sample| sample.gaps() >= GAPS_ENOUGH)
            .partition(|sample| sample.interval() <= minute);
        let apart = coarse.into_iter().filter(|sample| sample.touching_end_s().is_none());
        let finest_apart = apart.min_by_key(|sample| sample.interval());
        fine.into_iter().max_by_key(|sample| sample.interval()).or(finest_apart)
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
        let kept = Window::from_secs((now - RETENTION).as_second(), settled.as_second());
        let sampled = kept.and_then(|kept| range.intersect(kept)).unwrap_or(range);
        let counted = Window::new(sampled.start(), range.end()).unwrap_or(range);
        Self { sampled, counted }
    }

    /// Returns what may be sampled.
    pub fn sampled(&self) -> Window {
        self.sampled
    }

    /// Returns the seconds of the newest sample at `interval`: what one call carries, in whole days where it carries any.
    pub fn newest_s(interval: Interval) -> i64 {
        let longest_s = POINTS.window_secs_max(interval);
        if longest_s < DAY_S { longest_s } else { floor(longest_s, DAY_S) }
    }

    /// Returns the next question that tells more about a query; `None` once its interval is settled.
    pub fn next(&self, observed: &Observed) -> Option<NextSample> {
        self.next_sample(observed).or_else(|| self.next_count(observed))
    }

    /// The newest points are asked for as finely as offered, then of a day every 60 s, then of the whole range coarsely; where a
    /// coarser sample has points that may lie closer together, a finer one around its newest.
    fn next_sample(&self, observed: &Observed) -> Option<NextSample> {
        let (finest, minute) = (observed.finest, observed.minute());
        let unless_held = |interval: Interval, window: Window| {
            let is_held = observed.sample(interval).is_some_and(|sample| sample.covers(window));
            (!is_held).then_some(NextSample::Points(interval, window))
        };
        if observed.sample(finest).is_some_and(IntervalSample::is_enough) {
            return None;
        }
        for interval in [finest, minute] {
            let newest = self.newest(interval);
            if let Some(next) = newest.and_then(|newest| unless_held(interval, newest)) {
                return Some(next);
            }
        }
        let minutes = observed.sample(minute)?;
        if !minutes.is_enough()
            && minutes.touching_end_s().is_none()
            && let Some((interval, window)) = self.overview(minute)
        {
            let seen = observed.sample(interval).filter(|sample| sample.covers(window));
            let Some(overview) = seen else { return Some(NextSample::Points(interval, window)) };
            let newest = overview.newest().and_then(|newest| newest.intersect(self.sampled));
            let unseen = newest.filter(|&newest| !minutes.covers(newest));
            let window = unseen.and_then(|newest| self.around(minute, newest.end_s()));
            if let Some(next) = window.and_then(|window| unless_held(minute, window)) {
                return Some(next);
            }
        }
        let touching = minutes.touching_end_s().filter(|_| finest < minute)?;
        unless_held(finest, self.around(finest, touching)?)
    }

    fn newest(&self, interval: Interval) -> Option<Window> {
        let step = interval.secs();
        let end_s = floor(self.sampled.end_s(), step);
        let start_s = end_s - Self::newest_s(interval);
        Window::from_secs(start_s.max(ceil(self.sampled.start_s(), step)), end_s)
    }

    /// Returns a window of one call that reaches `end_s` or somewhat further. It lies on a grid of half its length, so that queries
    /// whose points end at about the same time share their calls.
    fn around(&self, interval: Interval, end_s: i64) -> Option<Window> {
        let (step, length_s) = (interval.secs(), POINTS.window_secs_max(interval));
        let start_s = ceil(end_s - length_s, floor(length_s / 2, step).max(step));
        // Samples may become wanted data: nothing outside the range.
        let end_s = (start_s + length_s).min(floor(self.sampled.end_s(), step));
        Window::from_secs(start_s.max(ceil(self.sampled.start_s(), step)), end_s)
    }

    /// Returns the whole range as finely as one call carries it; `None` where the newest sample covers it.
    fn overview(&self, minute: Interval) -> Option<(Interval, Window)> {
        let (start_s, end_s) = (self.sampled.start_s(), self.sampled.end_s());
        if self.newest(minute).is_none_or(|newest| newest.start_s() - start_s < minute.secs()) {
            return None;
        }
        Interval::all_offered().filter(|&interval| interval > minute).find_map(|interval| {
            let step = interval.secs();
            let window = Window::from_secs(ceil(start_s, step), floor(end_s, step))?;
            is_one_call(interval, window).then_some((interval, window))
        })
    }

    fn next_count(&self, observed: &Observed) -> Option<NextSample> {
        let Counting::Counted(counts) = &observed.counting else { return None };
        let NativeInterval::Every(every) = observed.proposed() else { return None };
        let (interval, window) = self.count_of(every).filter(|_| every > observed.minute())?;
        let is_known = counts.iter().any(|count| count.is_of(interval, window));
        (!is_known).then_some(NextSample::Count(interval, window))
    }

    /// Returns the buckets that confirm points `every` so often: as fine as one call carries, ending where theirs do. Both ends lie
    /// outside the range: what is counted too much leads to the default at worst.
    fn count_of(&self, every: Interval) -> Option<(Interval, Window)> {
        let (start_s, end_s) = (self.counted.start_s(), self.counted.end_s());
        Interval::all_offered().find_map(|interval| {
            let step = interval.secs();
            let window = Window::from_secs(floor(start_s, step), ceil(end_s, step))?;
            let fits = step % every.secs() == 0 && is_one_call(interval, window);
            fits.then_some((interval, window))
        })
    }

    /// Returns the interval that follows from all that is known: the one proposed, above 60 s only where a count confirms it.
    pub fn conclude(&self, observed: &Observed) -> NativeInterval {
        let proposed = observed.proposed();
        match (proposed, &observed.counting) {
            (NativeInterval::Every(every), _) if every <= observed.minute() => proposed,
            (NativeInterval::Unknown(_), _) => proposed,
            (NativeInterval::Every(every), Counting::Counted(counts))
                if self.count_of(every).is_some_and(|(interval, window)| {
                    let of_range = counts.iter().find(|count| count.is_of(interval, window));
                    of_range.is_some_and(|count| count.confirms(every))
                }) =>
            {
                proposed
            }
            (NativeInterval::Every(_), _) => NativeInterval::Unknown(Confidence::Irregular),
        }
    }
}

fn is_one_call(interval: Interval, window: Window) -> bool {
    tile(window, interval, POINTS).len() == 1
}
