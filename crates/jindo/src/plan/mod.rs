//! Queries × range − coverage → windows → batches → [`Plan`], a value: printed and counted before the first call. Pure.

mod batch;
mod limits;
mod native_interval;
mod plan_index;
mod presence;
mod tile;
mod window;

pub use batch::{SEPARATOR, escape, escaped_len, pack};
pub use limits::{BODY_BYTES_TARGET, LearntLimit, Limits, WEIGHT_ASSUMED, buckets};
pub use native_interval::{
    Confidence, Counting, IntervalSample, NextSample, Observed, PointCount, SampleKind, SampleRange,
};
pub use plan_index::{PerQuery, PlanIndex};
pub use presence::{PresenceMap, ProbeGrid};
pub use tile::tile;
pub use window::{DAY_S, Range, Window, earlier, hull, subtract, union};

use crate::query::{Interval, Query};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;

/// Datadog keeps metrics for 15 months (documented); a day short of the shortest such stretch, to be early and not late.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 455);

/// Data is closed when it was asked this long after its window's end, or later: cloud metrics come late, some by a day.
pub const CLOSED_AFTER: SignedDuration = SignedDuration::from_hours(48);

/// Windows that leave the retention within this time go before everything else.
pub const EXPIRING: SignedDuration = SignedDuration::from_hours(48);

/// A range, its queries, and the calls that fetch what is not held of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The range asked, not aligned to any interval.
    pub range: Window,
    pub queries: PerQuery<Query>,
    /// Range of each query, aligned to its interval. `None`: no bucket of it starts in the range and is over.
    pub asked: PerQuery<Option<Window>>,
    pub tasks: Vec<Task>,
}

/// One API call's worth of work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Task {
    /// In list order; all of one interval.
    pub queries: Vec<PlanIndex>,
    pub interval: Interval,
    pub window: Window,
}

/// A number of calls per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub calls: u32,
    pub period_s: u32,
}

impl Pace {
    /// Seconds that so many calls take. Saturates.
    pub fn seconds(self, calls: u64) -> u64 {
        calls.saturating_mul(u64::from(self.period_s)).div_ceil(u64::from(self.calls.max(1)))
    }
}

/// Points and bytes as ranges, since the number of series per group is the server's knowledge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    pub points: RangeInclusive<u64>,
    /// On disk, archive and CSV together.
    pub bytes: RangeInclusive<u64>,
    pub series: SeriesAssumption,
}

/// Basis of an estimate: how many queries of the calls have `by`, and of how many of these the number of series is a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeriesAssumption {
    pub grouped: u64,
    /// Each is taken for 1 to [`SeriesAssumption::GUESSED_MAX`] series. The others have as many as were seen before.
    pub guessed: u64,
}

impl SeriesAssumption {
    /// Most series that a query with `by` is taken for, where none were seen.
    pub const GUESSED_MAX: u64 = 20;
}

/// Series that queries were seen to have, by the query as it is written.
pub type SeriesSeen = BTreeMap<String, u64>;

/// Calls of a plan at most. At the usual pace, 1,600 an hour, they take thirteen days; a list of 579 queries over all that the server
/// keeps takes 446,000 at a second a point. A plan has a window for each call in memory.
pub const CALLS_MAX: u64 = 500_000;

/// Bytes a point: Parquet 2 to 7, a CSV row 21 to 32.
const BYTES_PER_POINT: RangeInclusive<u64> = 23..=39;

impl Plan {
    /// `covered` holds per query what need not be asked again, in any order.
    pub fn new(
        range: impl Into<Range>,
        queries: Vec<Query>,
        covered: &[Vec<Window>],
        limits: Limits,
        now: Timestamp,
    ) -> Self {
        let range = range.into();
        let queries = PerQuery::from(queries);
        assert_eq!(queries.len(), covered.len(), "coverage of every query, in its order");
        let asked: PerQuery<_> =
            queries.iter().map(|query| range.of(query.text.interval)).collect();
        let gaps: PerQuery<_> = asked
            .iter()
            .zip(covered)
            .map(|(asked, covered)| asked.map_or_else(Vec::new, |window| subtract(window, covered)))
            .collect();
        let tasks = arrange(range.window, &queries, &gaps, limits, now);
        Self { range: range.window, queries, asked, tasks }
    }

    pub fn calls(&self) -> usize {
        self.tasks.len()
    }

    /// Returns true if the calls ask for all of every query: nothing of it is held.
    pub fn holds_nothing(&self) -> bool {
        let asked: i64 = self.asked.iter().flatten().map(|window| window.secs()).sum();
        let missing =
            self.tasks.iter().flat_map(|task| task.queries.iter().map(|_| task.window.secs()));
        missing.sum::<i64>() == asked
    }

    /// Returns the number of different stretches of time that the calls ask for.
    pub fn windows(&self) -> usize {
        self.tasks.iter().map(|task| (task.interval, task.window)).collect::<HashSet<_>>().len()
    }

    /// Returns the number of different sets of queries that share a call.
    pub fn batches(&self) -> usize {
        self.tasks.iter().map(|task| &task.queries).collect::<HashSet<_>>().len()
    }

    /// Low: as many series as were seen, else one per query. High: as many as were seen, else twenty per grouped one; all without a gap.
    pub fn estimate(&self, seen: &SeriesSeen) -> Estimate {
        let series: PerQuery<RangeInclusive<u64>> = self
            .queries
            .iter()
            .map(|query| match seen.get(&query.text.written) {
                Some(&seen) => seen..=seen,
                None if query.text.sent.is_grouped() => 1..=SeriesAssumption::GUESSED_MAX,
                None => 1..=1,
            })
            .collect();
        let (mut low, mut high) = (0_u64, 0_u64);
        for task in &self.tasks {
            let points = task.window.points(task.interval);
            for &query in &task.queries {
                low = low.saturating_add(points.saturating_mul(*series[query].start()));
                high = high.saturating_add(points.saturating_mul(*series[query].end()));
            }
        }
        Estimate {
            points: low..=high,
            bytes: low.saturating_mul(*BYTES_PER_POINT.start())
                ..=high.saturating_mul(*BYTES_PER_POINT.end()),
            series: self.assumption(seen),
        }
    }

    fn assumption(&self, seen: &SeriesSeen) -> SeriesAssumption {
        let asked: BTreeSet<PlanIndex> =
            self.tasks.iter().flat_map(|task| task.queries.iter().copied()).collect();
        let texts = asked.iter().map(|&query| &self.queries[query].text);
        let grouped: Vec<_> = texts.filter(|text| text.sent.is_grouped()).collect();
        let guessed = grouped.iter().filter(|text| !seen.contains_key(&text.written)).count();
        SeriesAssumption { grouped: grouped.len() as u64, guessed: guessed as u64 }
    }

    /// Seconds that the calls take at `pace`.
    pub fn seconds(&self, pace: Pace) -> u64 {
        pace.seconds(self.calls() as u64)
    }
}

/// Returns a number of calls that a plan has at least, by its range and by its gaps, before any window of it is made. Saturates.
pub fn calls_least(
    range: Range,
    queries: &[Query],
    covered: &[Vec<Window>],
    limits: Limits,
) -> u64 {
    let (mut tiles, mut pieces) = (0, 0_u64);
    for (query, covered) in queries.iter().zip(covered) {
        let Some(asked) = range.of(query.text.interval) else { continue };
        let limits = query.weight.map_or(limits, |weight| limits.carrying(weight));
        let longest = limits.window_secs_max(query.text.interval);
        let windows = |secs: i64| u64::try_from(secs / longest).unwrap_or(0);
        tiles = windows(asked.secs()).max(tiles);
        let gaps = subtract(asked, covered);
        pieces = gaps.iter().fold(pieces, |all, gap| all.saturating_add(windows(gap.secs())));
    }
    tiles.max(pieces / limits.queries.max(1) as u64)
}

/// The gaps cut at the tiles' borders. A piece that is no whole tile joins its neighbour where both fit into one call.
fn pieces(tiles: &[Window], gaps: &[Window], longest_s: i64) -> Vec<Window> {
    let mut pieces: Vec<Window> = Vec::new();
    let mut whole_before = true;
    for gap in gaps {
        let first = tiles.partition_point(|tile| tile.end() <= gap.start());
        for tile in tiles[first..].iter().take_while(|tile| tile.start() < gap.end()) {
            let Some(piece) = tile.intersect(*gap) else { continue };
            let whole = piece == *tile;
            match pieces.last_mut() {
                Some(last)
                    if !(whole && whole_before)
                        && last.end() == piece.start()
                        && last.secs() + piece.secs() <= longest_s =>
                {
                    *last = Window::new(last.start(), piece.end()).expect("two windows that touch");
                    whole_before = false;
                }
                _ => {
                    pieces.push(piece);
                    whole_before = whole;
                }
            }
        }
    }
    pieces
}

/// The calls that close `gaps` (per query, disjoint, oldest first). Groups of queries in list order, so that queries finish
/// and their files appear early; within a group the oldest window first; what soon leaves the retention before everything.
pub fn arrange(
    range: Window,
    queries: &PerQuery<Query>,
    gaps: &PerQuery<Vec<Window>>,
    limits: Limits,
    now: Timestamp,
) -> Vec<Task> {
    let edge = earlier(now, RETENTION - EXPIRING);
    let mut ranked = Vec::new();
    for ((interval, window), members) in wanted(range, queries, gaps, limits) {
        for batch in pack(&members, queries, limits, buckets(window, interval)) {
            let expiring = window.start() < edge;
            let group = if expiring { 0 } else { batch[0].number() / limits.queries.max(1) };
            let rank = (!expiring, group, window, batch[0]);
            ranked.push((rank, Task { queries: batch, interval, window }));
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, task)| task).collect()
}

/// Which queries want which stretch, each short enough for one call.
fn wanted(
    range: Window,
    queries: &PerQuery<Query>,
    gaps: &PerQuery<Vec<Window>>,
    limits: Limits,
) -> BTreeMap<(Interval, Window), Vec<PlanIndex>> {
    let mut wanted: BTreeMap<(Interval, Window), Vec<PlanIndex>> = BTreeMap::new();
    let mut tiles: BTreeMap<(Interval, u32), Vec<Window>> = BTreeMap::new();
    for (index, query) in queries.indexed() {
        let Some(window) = range.aligned(query.text.interval) else { continue };
        let limits = query.weight.map_or(limits, |weight| limits.carrying(weight));
        let tiles = tiles
            .entry((query.text.interval, limits.points))
            .or_insert_with(|| tile(window, query.text.interval, limits));
        let longest = limits.window_secs_max(query.text.interval);
        let kept = |piece: &Window| piece.end_s() > limits.oldest_s;
        for piece in pieces(tiles, &gaps[index], longest).into_iter().filter(kept) {
            wanted.entry((query.text.interval, piece)).or_default().push(index);
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
