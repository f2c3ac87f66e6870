//! Consequences of answers, as the bisection and the learners find them, and refusals, from which most follow.

use super::call::PendingCall;
use super::protocol::Decision;
use crate::archive::GiveUpReason;
use crate::plan::{LearntLimit, PlanIndex, Task};

/// A consequence for the machine to carry out.
#[derive(Debug)]
pub(super) enum Consequence {
    /// Make this call next.
    Ask(PendingCall),
    /// Make this call after all others.
    AskLast(PendingCall),
    /// Make this call after those next ones that share a query with it.
    AskBehind(PendingCall),
    /// Tasks were refused for their number of points: lower the cap, and ask them next.
    FewerPoints {
        tasks: Vec<Task>,
        words: String,
    },
    /// A task was refused for its place in time.
    OutOfPlace(Refusal),
    /// This limit holds from now on.
    Limit {
        limit: LearntLimit,
        why: String,
    },
    /// A larger answer came through than this limit allows: it is as assumed again.
    Refuted(LearntLimit),
    /// Plan anew all that is queued.
    Replan,
    Decide(Decision),
}

impl Consequence {
    /// Fetches the task next.
    pub(super) fn fetch(task: Task) -> Self {
        Self::Ask(PendingCall::fetch(task))
    }

    pub(super) fn give_up(query: PlanIndex, reason: GiveUpReason) -> Self {
        Self::Decide(Decision::GiveUp { query, reason })
    }
}

/// A task that the server will not answer, in its words.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) task: Task,
    pub(super) words: String,
    /// The window's size may be to blame: no small window was refused as well.
    pub(super) may_be_size: bool,
}

impl Refusal {
    pub(super) fn new(task: Task, words: String) -> Self {
        Self { task, words, may_be_size: true }
    }

    pub(super) fn is_of_one_query(&self) -> bool {
        self.task.queries.len() == 1
    }
}

/// Returns whether two refusals read the same, but for the numbers in them.
pub(super) fn alike(a: &str, b: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    letters(a) == letters(b)
}
