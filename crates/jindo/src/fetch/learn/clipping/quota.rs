//! Bound on the questions about answers that look cut: an organisation in which every answer holds more than the ones before would
//! otherwise pay for a question about each of them. Pure.

use crate::plan::{PlanIndex, Task};
use std::collections::BTreeSet;

/// Answers for each of which one question may be asked.
const ANSWERS_PER_QUESTION: u64 = 100;

/// Questions of a job beyond the quota.
const EXCESS_MAX: u32 = 3;

/// Questions that may be asked: one for each list of queries, one in [`ANSWERS_PER_QUESTION`] answers, and [`EXCESS_MAX`] more.
#[derive(Debug, Default)]
pub(super) struct Quota {
    answers: u64,
    /// First query of each list.
    lists: BTreeSet<PlanIndex>,
    spent: u64,
    excess: u32,
    /// Numbers of points about which no question was asked: seen again, they look like a cap.
    unasked: BTreeSet<u64>,
}

impl Quota {
    pub(super) fn answered(&mut self, task: &Task) {
        self.answers += 1;
        self.lists.extend(task.queries.first());
    }

    /// Takes a question about an answer of so many points out of the quota. Returns whether it may be asked.
    pub(super) fn spend(&mut self, points: u64) -> bool {
        let allowed = self.lists.len() as u64 + self.answers / ANSWERS_PER_QUESTION;
        if self.spent < allowed {
            self.spent += 1;
            return true;
        }
        !self.unasked.insert(points) && self.exceed()
    }

    /// Takes a question out of what may be asked beyond the quota. Returns whether it may be asked.
    pub(super) fn exceed(&mut self) -> bool {
        let may = self.excess < EXCESS_MAX;
        self.excess += u32::from(may);
        may
    }
}
