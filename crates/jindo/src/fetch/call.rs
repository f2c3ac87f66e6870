//! Calls that are still to be made.

use crate::plan::{Limits, PlanIndex, Task};
use jiff::Timestamp;

/// One call to be made.
#[derive(Debug, Clone)]
pub(super) struct PendingCall {
    pub(super) task: Task,
    /// Calls made for it that failed.
    pub(super) attempts: u32,
    /// Time at which the first of these was sent.
    pub(super) tried_since: Option<Timestamp>,
    pub(super) purpose: Purpose,
}

/// The use of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Fetch,
    /// Half of a refused task, or all of it again: its outcome tells the narrowing of that number more.
    Half(u64),
    /// A small question of the narrowing of that number; its answer is not stored.
    Question(u64),
    /// The one call for a query that an earlier run gave up.
    Trial,
    /// A call larger than what was learnt allows: does that still hold?
    Beyond,
    /// A small part of what came back coarse while others did not: is the interval on offer?
    CapCheck,
    /// A half of what looks cut; its answer is compared, not stored.
    Doubt,
    /// All of it, after a half held more; its answer is compared, not stored.
    Recheck,
}

impl PendingCall {
    pub(super) fn fetch(task: Task) -> Self {
        Self::of(Purpose::Fetch, task)
    }

    pub(super) fn of(purpose: Purpose, task: Task) -> Self {
        Self { task, attempts: 0, tried_since: None, purpose }
    }

    /// Returns whether it shares a query with `task`.
    pub(super) fn overlaps(&self, task: &Task) -> bool {
        self.task.queries.iter().any(|query| task.queries.contains(query))
    }

    pub(super) fn is_fetch(&self) -> bool {
        self.purpose == Purpose::Fetch
    }

    pub(super) fn is_question(&self) -> bool {
        matches!(self.purpose, Purpose::Question(_)) || self.is_doubt()
    }

    /// Returns whether it is about an answer that looks cut.
    pub(super) fn is_doubt(&self) -> bool {
        matches!(self.purpose, Purpose::Doubt | Purpose::Recheck)
    }
}

/// Points per series that the task asks for.
pub(super) fn points(task: &Task) -> u32 {
    u32::try_from(task.window.points(task.interval)).unwrap_or(u32::MAX)
}

/// Returns whether so few points are asked for that no cap can be lower.
pub(super) fn at_points_min(task: &Task) -> bool {
    points(task) <= Limits::POINTS_MIN
}

/// The same stretch for other queries.
pub(super) fn part(task: &Task, queries: &[PlanIndex]) -> Task {
    Task { queries: queries.to_vec(), interval: task.interval, window: task.window }
}

/// The task's list in two halves; the first is longer by one where it is odd.
pub(super) fn list_halves(task: &Task) -> [Task; 2] {
    let (first, second) = task.queries.split_at(task.queries.len().div_ceil(2));
    [part(task, first), part(task, second)]
}
