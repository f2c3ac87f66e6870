//! The cap on points per series: what answers have proven, and whether the cap that is assumed has been proven yet. Pure.

use crate::fetch::call::points;
use crate::fetch::protocol::Facts;
use crate::plan::Task;

#[derive(Debug, Default)]
pub(crate) struct PointsCap {
    /// A cap that no answer has proven yet: how many queries were in the call whose refusal led to it.
    unproven: Option<usize>,
    /// Points of the longest series so far.
    served: u32,
    /// Points that were asked for at most in an answer with a series as it was asked.
    asked: u32,
}

impl PointsCap {
    /// Takes in an answer that is as it was asked.
    pub(crate) fn answered(&mut self, task: &Task, facts: &Facts) {
        self.served = self.served.max(facts.points_max);
        if facts.holds_points() {
            self.asked = self.asked.max(points(task));
        }
    }

    /// Takes in that some series of a coarse answer came back as they were asked.
    pub(crate) fn partly_answered(&mut self, task: &Task) {
        self.asked = self.asked.max(points(task));
    }

    /// Takes in that the cap was lowered by the refusal of a call of so many queries.
    pub(crate) fn lowered(&mut self, queries: usize) {
        self.unproven = Some(queries);
    }

    /// Takes in an answer that is stored: one with points proves the cap.
    pub(crate) fn stored(&mut self, facts: &Facts) {
        if facts.holds_points() {
            self.unproven = None;
        }
    }

    pub(crate) fn is_unproven(&self) -> bool {
        self.unproven.is_some()
    }

    /// Returns whether a refusal of the task is explained by a cap that is still too high. A longer list than the one that led to the
    /// cap may be refused for its length as well.
    pub(crate) fn explains(&self, task: &Task) -> bool {
        self.unproven.is_some_and(|queries| task.queries.len() <= queries)
    }

    /// Returns whether a series of at least as many points was served before.
    pub(crate) fn has_served(&self, task: &Task) -> bool {
        points(task) <= self.served
    }

    /// Returns whether some series was served as asked when at least as many points were asked for.
    pub(crate) fn has_answered(&self, task: &Task) -> bool {
        points(task) <= self.asked
    }
}
