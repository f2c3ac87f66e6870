//! Decisions of the bisection and of the learners, for the machine to carry out.

use super::call::PendingCall;
use crate::archive::GiveUpReason;
use crate::plan::{LearntLimit, PlanIndex, Task, Window};

#[derive(Debug)]
pub(super) enum Decision {
    /// Make this call next.
    Ask(PendingCall),
    /// Make this call after all others.
    AskLast(PendingCall),
    /// A task was refused for its number of points: lower the cap.
    FewerPoints {
        task: Task,
        words: String,
    },
    /// A limit on what one call may ask for.
    Limit {
        limit: LearntLimit,
        why: String,
    },
    /// Keep weights (decoded bytes a bucket) with the queries; `None`: no longer heavy.
    Weigh {
        weights: Vec<(PlanIndex, Option<u64>)>,
    },
    /// Plan anew all that is queued.
    Replan,
    GiveUp {
        query: PlanIndex,
        reason: GiveUpReason,
    },
    RefuseWindow {
        queries: Vec<PlanIndex>,
        window: Window,
        words: String,
    },
    SendUnfilled {
        query: PlanIndex,
    },
}
