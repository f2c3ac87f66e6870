//! Evidence of the limits: which calls were refused, how many, and the largest answer of the run. Pure.

use crate::fetch::call::points;
use crate::fetch::protocol::{Facts, Lesson};
use crate::plan::{LearntLimit, PlanIndex, Task};
use std::collections::BTreeSet;

/// Observations about one limit.
#[derive(Debug, Default)]
struct LimitEvidence {
    /// Refusals since it was last recorded.
    refusals: u32,
    largest: u64,
    queries: BTreeSet<PlanIndex>,
}

/// Observations about each limit on the size of a call.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    points: LimitEvidence,
    queries: LimitEvidence,
    url: LimitEvidence,
    /// Queries of the last call that was refused.
    refused: Vec<PlanIndex>,
}

impl Evidence {
    /// Takes in an answer whose list has so many escaped characters.
    pub(crate) fn answered(&mut self, task: &Task, facts: &Facts, url: usize) {
        if facts.holds_points() {
            self.points.largest = self.points.largest.max(points(task).into());
        }
        self.queries.largest = self.queries.largest.max(task.queries.len() as u64);
        self.url.largest = self.url.largest.max(url as u64);
    }

    /// Takes in that a call for these queries was refused.
    pub(crate) fn refused(&mut self, queries: &[PlanIndex]) {
        queries.clone_into(&mut self.refused);
    }

    /// Takes in that calls for these queries were refused for their number of points as well.
    pub(crate) fn witnessed(&mut self, queries: impl Iterator<Item = PlanIndex>) {
        self.points.queries.extend(queries);
    }

    /// Takes in that the last refusal was for the limit.
    pub(crate) fn blamed(&mut self, limit: LearntLimit) {
        let refused = std::mem::take(&mut self.refused);
        if let Some(observed) = self.of(limit) {
            observed.refusals += 1;
            observed.queries.extend(refused);
        }
    }

    /// Forgets who taught the limit, which does not hold.
    pub(crate) fn refuted(&mut self, limit: LearntLimit) {
        if let Some(observed) = self.of(limit) {
            observed.refusals = 0;
            observed.queries.clear();
        }
    }

    /// Returns whether the query took part in teaching the cap on points by calls of no other.
    pub(crate) fn rests_on(&self, query: PlanIndex) -> bool {
        self.points.queries.iter().eq([&query])
    }

    /// Returns the evidence to be recorded; refusals count from here anew.
    pub(crate) fn lesson(&mut self, limit: LearntLimit, why: String) -> Lesson {
        let lesson = |observed: &mut LimitEvidence| Lesson {
            why: String::new(),
            queries: observed.queries.iter().copied().collect(),
            refusals: std::mem::take(&mut observed.refusals),
            largest: observed.largest,
        };
        let refused = &self.refused;
        let other = || Lesson { queries: refused.clone(), refusals: 1, ..Lesson::default() };
        let of_size = match limit {
            LearntLimit::SeriesPoints(_)
            | LearntLimit::CallPoints(_)
            | LearntLimit::Withheld(_) => Some(Lesson::default()),
            LearntLimit::Points(_) => Some(lesson(&mut self.points)),
            LearntLimit::Queries(_) => Some(lesson(&mut self.queries)),
            LearntLimit::UrlChars(_) => Some(lesson(&mut self.url)),
            LearntLimit::OldestKept(_) => None,
        };
        Lesson { why, ..of_size.unwrap_or_else(other) }
    }

    fn of(&mut self, limit: LearntLimit) -> Option<&mut LimitEvidence> {
        match limit {
            LearntLimit::Points(_) => Some(&mut self.points),
            LearntLimit::Queries(_) => Some(&mut self.queries),
            LearntLimit::UrlChars(_) => Some(&mut self.url),
            LearntLimit::OldestKept(_)
            | LearntLimit::SeriesPoints(_)
            | LearntLimit::CallPoints(_)
            | LearntLimit::Withheld(_) => None,
        }
    }
}
