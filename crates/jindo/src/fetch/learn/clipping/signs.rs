//! Signs that an answer was cut. Pure.
//!
//! What no cap can explain is none: series as long as their window, series shorter than one that was served before, fewer points in
//! all than in an answer before. So one dense series spares all others a call.

use crate::archive::Trusted;
use crate::fetch::call::points;
use crate::parse::Outline;
use crate::plan::{LearntLimit, Limits, Task};
use jiff::Timestamp;

/// A series with gaps is silent at a side of its window that holds none of its points in more buckets than one in so many of them.
const SILENT_PART: u32 = 50;

/// Points of buckets that ended less than so many seconds ago may be on their way: that they are missing proves nothing.
const SETTLED_AFTER_S: i64 = 48 * 3_600;

/// Answers whose longest series has the same number of points, until this is a sign.
const SAME_LENGTHS: u32 = 3;

/// Answers of the same number of points, until this is a sign.
const SAME_TOTALS: u32 = 3;

/// Caps are round numbers: one answer that breaks off at a multiple of this is a sign. Hosts end everywhere, mostly elsewhere.
const ROUND: u64 = 100;

/// Series of one answer, or answers, with a point in the last bucket but one and none in the last, until this is a sign.
const LACKING: u32 = 3;

/// End of a window at which a series may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Early,
    Late,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Early => Self::Late,
            Self::Late => Self::Early,
        }
    }
}

/// Largest number seen so far, and how often.
#[derive(Debug, Default)]
struct Largest {
    number: u64,
    times: u32,
}

/// Answers so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Points of the longest series that was not cut.
    served: u32,
    /// Points of the largest answer that was not cut.
    call_points: u64,
    /// A point in the last bucket of a window was seen.
    serves_newest: bool,
    /// Answers that lack it.
    lacking: u32,
    lengths: Largest,
    totals: Largest,
}

/// One answer, as far as it may be cut.
#[derive(Debug)]
pub(super) struct Signs {
    /// Buckets of its window.
    asked: u32,
    /// Those that ended long enough ago.
    settled: u32,
    /// Points of its longest series.
    pub(super) longest: u32,
    /// Points of all series.
    pub(super) points: u64,
    /// All series are as long as the window, or come evenly through it.
    is_whole: bool,
    /// An even series of the last query with points ended before the window did.
    is_broken_off: bool,
    newest: LastBucket,
}

/// End of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastBucket {
    /// Some series has a point in it.
    Filled,
    /// None has, and some have one in the bucket before.
    Lacking,
    Silent,
}

impl Signs {
    pub(super) fn new(task: &Task, outlines: &[Outline], now: Timestamp) -> Self {
        let (asked, settled) = (points(task), settled(task, now));
        let last = outlines.iter().rfind(|outline| outline.points > 0);
        Self {
            asked,
            settled,
            longest: outlines.iter().map(|outline| outline.longest).max().unwrap_or(0),
            points: outlines.iter().map(|outline| outline.points).sum(),
            is_whole: outlines.iter().all(|outline| outline.whole == outline.series),
            is_broken_off: last.is_some_and(|outline| {
                outline.ended.saturating_sub(asked - settled) >= outline.stride.max(1)
            }),
            newest: if outlines.iter().any(|outline| outline.newest > 0) {
                LastBucket::Filled
            } else if outlines.iter().any(|outline| outline.second_newest > 0) {
                LastBucket::Lacking
            } else {
                LastBucket::Silent
            },
        }
    }

    /// Returns whether a cap on points per call may have cut the answer.
    pub(super) fn by_call(&self, seen: &Seen) -> bool {
        let is_same = seen.totals.number == self.points && seen.totals.times >= SAME_TOTALS;
        !self.is_whole
            && self.points >= LearntLimit::CALL_POINTS_MIN
            && self.points > seen.call_points
            && (is_same || self.is_broken_off && self.points.is_multiple_of(ROUND))
    }

    /// Returns whether the longest series of a query may end at a cap.
    pub(super) fn by_length(&self, outline: &Outline, known: Trusted, seen: &Seen) -> bool {
        let Outline { longest, stride, .. } = *outline;
        let served = seen.served.max(self.longest);
        let is_served = if stride > 1 {
            // Thinned out, it may be half as long as what is served.
            longest.saturating_mul(2) <= served.saturating_add(1)
        } else {
            longest < served
        };
        let full = self.settled / known.stride.max(1);
        let in_range = (Limits::POINTS_MIN..full).contains(&longest);
        let is_silent = |side| is_silent(outline, side, self.asked - self.settled);
        let is_same =
            seen.lengths.number == u64::from(longest) && seen.lengths.times >= SAME_LENGTHS;
        let looks_cut = stride > 1 || is_silent(Side::Early) || is_silent(Side::Late) || is_same;
        in_range && longest > known.points && !is_served && looks_cut
    }

    /// Returns whether the newest bucket of a query seems to be left out.
    pub(super) fn by_newest(&self, outline: &Outline, known: Trusted, seen: &Seen) -> bool {
        let is_due = outline.is_even && outline.stride > 0 && outline.tail == outline.stride
            || outline.second_newest >= LACKING
            || outline.second_newest > 0 && seen.lacking >= LACKING;
        self.settled == self.asked && !seen.serves_newest && is_due && !known.newest
    }
}

impl Seen {
    /// Takes in an answer.
    pub(super) fn take(&mut self, signs: &Signs) {
        self.serves_newest |= signs.newest == LastBucket::Filled;
        self.lacking += u32::from(signs.newest == LastBucket::Lacking);
        self.lengths.see(signs.longest.into());
        if !signs.is_whole {
            self.totals.see(signs.points);
        }
    }

    /// Takes in that nothing of an answer looks cut. A cap of just as many points may have cut it all the same.
    pub(super) fn pass(&mut self, signs: &Signs) {
        if signs.settled == signs.asked {
            self.believe(signs.longest, signs.points.saturating_sub(1));
        }
    }

    /// Takes in that a series and an answer of so many points were whole.
    pub(super) fn believe(&mut self, longest: u32, call_points: u64) {
        self.served = self.served.max(longest);
        self.call_points = self.call_points.max(call_points);
    }
}

impl Largest {
    fn see(&mut self, number: u64) {
        if number > self.number {
            *self = Self { number, times: 0 };
        }
        self.times += u32::from(number == self.number);
    }
}

/// Returns whether the longest series has no points at a side of its window, of which the last `unsettled` buckets do not count.
pub(super) fn is_silent(outline: &Outline, side: Side, unsettled: u32) -> bool {
    let silent = match side {
        Side::Early => outline.head,
        Side::Late => outline.tail.saturating_sub(unsettled),
    };
    let usual = if outline.is_even {
        outline.stride.saturating_sub(1)
    } else {
        outline.longest / SILENT_PART
    };
    silent > usual
}

/// Returns how many buckets of the task's window are settled.
fn settled(task: &Task, now: Timestamp) -> u32 {
    let until_s = task.window.end_s().min(now.as_second() - SETTLED_AFTER_S);
    u32::try_from((until_s - task.window.start_s()) / task.interval.secs()).unwrap_or(0)
}
