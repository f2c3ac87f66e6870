//! How far apart a query's points lie: what samples saw of it, what to sample next, and what follows in the end. Pure.

use super::window::{ceil, floor};
use super::{Limits, RETENTION, Window, subtract, tile, union};
use crate::query::Interval;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

mod tally;

pub use tally::{Counts, Side, Tally, Untold};

/// Samples span as many points as a call is documented to carry, whatever this server turned out to serve: the same samples are
/// asked again after that was learnt, or forgotten.
const POINTS: Limits = Limits::ASSUMED;

/// Points of one series that show its spacing: two distances that can be compared.
const POINTS_ENOUGH: u64 = 3;

/// How coarsely it is looked where a second is too fine a question; what jindo asks when it is told nothing.
const MINUTE_S: i64 = 60;

const DAY_S: i64 = 86_400;

/// Distances that are all multiples of one are believed to be so on purpose where chance does that once in so many times.
const LUCK: u64 = 1_000;

/// What was seen of a query at one interval.
#[derive(Debug, Clone)]
pub struct Sampled {
    interval: Interval,
    /// Disjoint windows that do not touch, oldest first.
    asked: Vec<Window>,
    /// Starts (Unix seconds) of the buckets in which any of its series has a point.
    seen_s: BTreeSet<i64>,
    /// Of these, the ones straight behind which the same series has another: there it may be finer than this sample.
    dense_s: BTreeSet<i64>,
    /// Points of the longest series within one of the windows.
    points_max: u64,
    /// How often neighbouring points of a series lie so many seconds apart.
    gaps: BTreeMap<i64, u64>,
    /// Per series: where it was left.
    ends: HashMap<String, End>,
}

/// What it saw, for whoever wonders at an interval.
impl fmt::Display for Sampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (interval, most) = (self.interval, self.points_max);
        write!(f, "every {interval}: ")?;
        match (most, self.gaps.first_key_value()) {
            (0, _) => f.write_str("no points"),
            (_, None) => f.write_str("single points"),
            (_, Some((gap_s, _))) => {
                write!(f, "at most {most} points of a series, at least {gap_s} s apart")
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct End {
    at_s: i64,
    window: usize,
    points: u64,
}

impl Sampled {
    /// Nothing seen yet; `asked` in any order.
    pub fn new(interval: Interval, asked: &[Window]) -> Self {
        Self {
            interval,
            asked: union(asked),
            seen_s: BTreeSet::new(),
            dense_s: BTreeSet::new(),
            points_max: 0,
            gaps: BTreeMap::new(),
            ends: HashMap::new(),
        }
    }

    /// Takes in points (Unix milliseconds) of the series that is called so; those of one series come oldest first. What lies in none
    /// of the windows is left out.
    pub fn take(&mut self, series: &str, ts_ms: impl IntoIterator<Item = i64>) {
        let step = self.interval.secs();
        let mut end = self.ends.get(series).copied();
        for ts_ms in ts_ms {
            let at_s = floor(ts_ms.div_euclid(1_000), step);
            let window = self.asked.partition_point(|asked| asked.end_s() <= at_s);
            if self.asked.get(window).is_none_or(|asked| at_s < asked.start_s()) {
                continue;
            }
            self.seen_s.insert(at_s);
            // Between two windows there may be points that were not asked for.
            let before = end.filter(|end| end.window == window);
            if let Some(before) = before {
                *self.gaps.entry(at_s - before.at_s).or_default() += 1;
                if at_s - before.at_s == step {
                    self.dense_s.insert(before.at_s);
                }
            }
            let points = before.map_or(0, |end| end.points) + 1;
            self.points_max = self.points_max.max(points);
            end = Some(End { at_s, window, points });
        }
        if let Some(end) = end {
            self.ends.insert(series.to_owned(), end);
        }
    }

    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Whether one of its series shows its spacing.
    pub fn is_enough(&self) -> bool {
        self.points_max >= POINTS_ENOUGH
    }

    pub fn has_points(&self) -> bool {
        self.points_max > 0
    }

    fn covers(&self, window: Window) -> bool {
        self.asked.iter().any(|asked| asked.covers(window))
    }

    /// The stretches of `buckets` from each of these starts.
    fn stretches(&self, starts_s: &BTreeSet<i64>, buckets: i64) -> Vec<Window> {
        let length_s = buckets * self.interval.secs();
        starts_s.iter().filter_map(|&at_s| Window::from_secs(at_s, at_s + length_s)).collect()
    }
}

/// Where single points are looked at by the minute, in so many places at most before it is left at that.
const ELSEWHERE_MAX: usize = 3;

/// What would tell more about a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nothing would.
    Nowhere,
    /// Points of this interval in this window.
    In(Interval, Window),
    /// The same around any one of these stretches, in which it has points.
    Around(Interval, Vec<Window>),
    /// A [`Tally`] of this interval in this window.
    Count(Interval, Window),
}

/// Where it is worth looking for points.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    range: Window,
    /// What a conclusion must hold for: the range to its end, settled or not.
    counted: Window,
}

impl Search {
    /// Through the part of `range` that is `settled` and still kept by the server; where none of it is, through all of it.
    pub fn through(range: Window, settled: Timestamp, now: Timestamp) -> Self {
        let whole = |at: Timestamp| at.as_second();
        let kept = Window::from_secs(whole(now - RETENTION), whole(settled));
        let range_kept = kept.and_then(|kept| range.intersect(kept)).unwrap_or(range);
        let counted = Window::new(range_kept.start(), range.end()).unwrap_or(range);
        Self { range: range_kept, counted }
    }

    /// What may be sampled.
    pub fn range(&self) -> Window {
        self.range
    }

    /// How much of the newest is asked at `interval` before anything older, in seconds.
    pub fn newest_s(interval: Interval) -> i64 {
        if interval.secs() < MINUTE_S {
            POINTS.window_secs_max(interval)
        } else {
            DAY_S.max(POINTS.window_secs_max(interval))
        }
    }

    /// What is to be asked next of a query of which all of `samples` and `counts` are known, `finest` being the finest interval that
    /// the server offers for it. From the newest points outward: most queries have some, and are done with one look.
    pub fn next(&self, samples: &[Sampled], counts: &Counts, finest: Interval) -> Look {
        match self.look(samples, finest) {
            Look::Nowhere => self.proof(samples, counts, finest),
            look @ (Look::In(..) | Look::Around(..) | Look::Count(..)) => look,
        }
    }

    fn look(&self, samples: &[Sampled], finest: Interval) -> Look {
        let minute = minute(finest);
        let of = |interval: Interval| samples.iter().find(|sample| sample.interval == interval);
        if of(finest).is_some_and(Sampled::is_enough) {
            return Look::Nowhere;
        }
        for (interval, length_s) in [(finest, POINTS.window_secs_max(finest)), (minute, DAY_S)] {
            if let Some(newest) = self.newest(interval, length_s)
                && !of(interval).is_some_and(|sample| sample.covers(newest))
            {
                return Look::In(interval, newest);
            }
        }
        let coarse = || samples.iter().filter(|sample| sample.interval > minute);
        match of(minute).filter(|sample| !sample.seen_s.is_empty()) {
            Some(sample) => match closer(sample, of(finest), finest) {
                // A stray point or two say nothing about the rest of the range.
                Look::Nowhere if !sample.is_enough() => self.elsewhere(samples, sample),
                look @ (Look::Nowhere | Look::In(..) | Look::Around(..) | Look::Count(..)) => look,
            },
            None if of(finest).is_some_and(|sample| !sample.seen_s.is_empty()) => Look::Nowhere,
            None => {
                let seen = coarse().filter(|sample| !sample.seen_s.is_empty());
                match seen.min_by_key(|sample| sample.interval) {
                    Some(sample) => within(sample.stretches(&sample.seen_s, 1), of(minute), minute),
                    None => self.sweep(samples, minute),
                }
            }
        }
    }

    /// Where the minutes that were looked at hold too few points: where a sweep of the range saw some, a few times.
    fn elsewhere(&self, samples: &[Sampled], minutes: &Sampled) -> Look {
        if minutes.asked.len() > ELSEWHERE_MAX {
            return Look::Nowhere;
        }
        let coarse = samples.iter().filter(|sample| sample.interval > minutes.interval);
        let Some(sweep) = coarse.filter(|s| !s.seen_s.is_empty()).min_by_key(|s| s.interval) else {
            return self.sweep(samples, minutes.interval);
        };
        let mut stretches = sweep.stretches(&sweep.seen_s, 1);
        stretches.retain(|&stretch| !minutes.covers(stretch));
        if stretches.is_empty() { Look::Nowhere } else { Look::Around(minutes.interval, stretches) }
    }

    /// The newest stretch of so many seconds, or all there is.
    fn newest(&self, interval: Interval, length_s: i64) -> Option<Window> {
        let (step, range) = (interval.secs(), self.range);
        let end_s = floor(range.end_s(), step);
        let length_s = floor(length_s, step).max(step);
        Window::from_secs((end_s - length_s).max(ceil(range.start_s(), step)), end_s)
    }

    /// The whole range as finely as one call carries it, where not all of it was asked yet.
    fn sweep(&self, samples: &[Sampled], minute: Interval) -> Look {
        let asked: Vec<_> =
            samples.iter().flat_map(|sample| sample.asked.iter().copied()).collect();
        let left: i64 = subtract(self.range, &asked).into_iter().map(Window::secs).sum();
        if left < minute.secs() {
            return Look::Nowhere;
        }
        let sweep = |interval: Interval| {
            let step = interval.secs();
            let (start_s, end_s) = (self.range.start_s(), self.range.end_s());
            let window = Window::from_secs(ceil(start_s, step), floor(end_s, step))?;
            (tile(window, interval, POINTS).len() == 1).then_some((interval, window))
        };
        let mut coarser = Interval::all_offered().filter(|&interval| interval > minute);
        match coarser.find_map(sweep) {
            Some((interval, window))
                if !samples.iter().any(|s| s.interval == interval && s.covers(window)) =>
            {
                Look::In(interval, window)
            }
            _ => Look::Nowhere,
        }
    }

    /// Which of the wanted looks are made where, in few different windows: each wish is granted by one of them. Greedy; of those that
    /// serve as many, the one that sees more of their stretches, and then the newest.
    pub fn share(
        &self,
        interval: Interval,
        wishes: &[(usize, Vec<Window>)],
    ) -> Vec<(usize, Window)> {
        let length_s = POINTS.window_secs_max(interval);
        let step_s = floor(length_s / 2, interval.secs()).max(interval.secs());
        // Per start of a window: the wishes that it serves, and with how many stretches each.
        let mut served: BTreeMap<i64, BTreeMap<usize, usize>> = BTreeMap::new();
        for (wish, (_, stretches)) in wishes.iter().enumerate() {
            for stretch in stretches {
                // The first place from which a look reaches its end; the next one has its start as well, or this is it.
                let first = ceil(stretch.end_s() - length_s, step_s);
                let starts = (0..3).map(|n| first + n * step_s);
                for start_s in starts.filter(|&start_s| start_s <= stretch.start_s()) {
                    *served.entry(start_s).or_default().entry(wish).or_default() += 1;
                }
            }
        }
        let worth =
            |wishes: &BTreeMap<usize, usize>| (wishes.len(), wishes.values().sum::<usize>());
        let mut granted = Vec::new();
        while let Some((&start_s, _)) = served.iter().max_by_key(|(_, wishes)| worth(wishes)) {
            let here = served.remove(&start_s).unwrap_or_default();
            let end_s = (start_s + length_s).min(floor(self.range.end_s(), interval.secs()));
            // Samples may become wanted data: nothing before the range.
            let start_s = start_s.max(ceil(self.range.start_s(), interval.secs()));
            let window = Window::from_secs(start_s, end_s);
            granted.extend(here.keys().filter_map(|&wish| Some((wishes[wish].0, window?))));
            served.retain(|_, others| {
                others.retain(|wish, _| !here.contains_key(wish));
                !others.is_empty()
            });
        }
        granted
    }
}

/// Where a sample of minutes leaves open whether the points lie closer together: where they are a minute apart, or, when they are
/// further apart, around any of them.
fn closer(minutes: &Sampled, fine: Option<&Sampled>, finest: Interval) -> Look {
    if minutes.interval == finest {
        return Look::Nowhere;
    }
    if !minutes.dense_s.is_empty() {
        return within(minutes.stretches(&minutes.dense_s, 2), fine, finest);
    }
    if fine.is_some_and(|fine| !fine.seen_s.is_empty()) || !minutes.is_enough() {
        return Look::Nowhere;
    }
    within(minutes.stretches(&minutes.seen_s, 1), fine, finest)
}

/// One of the stretches at `interval`, unless one was looked at already.
fn within(stretches: Vec<Window>, looked: Option<&Sampled>, interval: Interval) -> Look {
    let seen = |&stretch: &Window| looked.is_some_and(|sample| sample.covers(stretch));
    if stretches.is_empty() || stretches.iter().any(seen) {
        Look::Nowhere
    } else {
        Look::Around(interval, stretches)
    }
}

fn minute(finest: Interval) -> Interval {
    Interval::offered(MINUTE_S.unsigned_abs()).map_or(finest, |minute| minute.max(finest))
}

/// What came of sampling a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Points lie so far apart, at least.
    Every(Interval),
    /// Nobody can say.
    Unknown(Basis),
}

/// On what the interval of a query rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Its points.
    Sampled,
    /// The default: it has no points in the range.
    Empty,
    /// The default: it has too few points to tell.
    Sparse,
    /// The default: its points lie far apart where they were looked at, but now more and now less, or closer together elsewhere in
    /// the range, or nothing tells about the rest of it.
    Irregular,
    /// The default: the server refused its sample.
    Refused,
}

impl Basis {
    /// As the ledger writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Empty => "empty",
            Self::Sparse => "sparse",
            Self::Irregular => "irregular",
            Self::Refused => "refused",
        }
    }

    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Sampled, Self::Empty, Self::Sparse, Self::Irregular, Self::Refused];
}

impl Spacing {
    /// The smallest distance between neighbouring points of any series, snapped down to an interval that is offered: no two points
    /// of the samples share a bucket of it. Longer than a minute only where the points keep to it: few of them lie on no grid and
    /// would come closer together another time. What the samples say of themselves: see [`Search::spacing`].
    fn of(samples: &[Sampled], finest: Interval) -> Self {
        let minute = minute(finest);
        let mut near: Vec<_> = samples
            .iter()
            .filter(|sample| sample.interval <= minute && !sample.gaps.is_empty())
            .collect();
        if near.is_empty() {
            // Neighbouring buckets of a coarse sample say only that there is more between them.
            let apart = |sample: &&Sampled| !sample.gaps.is_empty() && sample.dense_s.is_empty();
            near = samples.iter().filter(apart).collect();
            near.sort_unstable_by_key(|sample| sample.interval);
            near.truncate(1);
        }
        let smallest_s = near.iter().filter_map(|sample| sample.gaps.keys().next()).min();
        let Some((&smallest_s, most)) =
            smallest_s.zip(near.iter().max_by_key(|sample| sample.interval))
        else {
            let seen = samples.iter().any(|sample| !sample.seen_s.is_empty());
            return Self::Unknown(if seen { Basis::Sparse } else { Basis::Empty });
        };
        match Interval::offered_below(smallest_s) {
            Some(interval) if interval <= minute => Self::Every(interval.max(finest)),
            Some(_) => most.far_apart(smallest_s),
            None => Self::Unknown(Basis::Sparse),
        }
    }
}

impl Sampled {
    /// The spacing of points that lie more than a minute apart, at least `smallest_s`: that of the grid on which all lie, where
    /// that is no chance; else the smallest, where most distances are that one.
    fn far_apart(&self, smallest_s: i64) -> Spacing {
        let all: u64 = self.gaps.values().sum();
        let grid_s = self.gaps.keys().copied().reduce(gcd).unwrap_or(smallest_s).min(smallest_s);
        let by_chance = |every: i64| {
            let odds = u64::try_from(every / self.interval.secs()).unwrap_or(1);
            odds.checked_pow(u32::try_from(all - 1).unwrap_or(u32::MAX)).is_some_and(|n| n < LUCK)
        };
        if grid_s > MINUTE_S && !by_chance(grid_s) {
            return Interval::offered_below(grid_s)
                .map_or(Spacing::Unknown(Basis::Sparse), Spacing::Every);
        }
        let blur_s = self.interval.secs();
        let near: u64 = self.gaps.range(..=smallest_s + blur_s).map(|(_, times)| times).sum();
        match (all, Interval::offered_below(smallest_s)) {
            (0 | 1, _) | (_, None) => Spacing::Unknown(Basis::Sparse),
            (all, Some(interval)) if near * 2 > all => Spacing::Every(interval),
            _ => Spacing::Unknown(Basis::Irregular),
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[path = "spacing_tests.rs"]
mod tests;
