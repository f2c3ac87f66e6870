//! Scheduling: when the next call may go, and which it is. Knows nothing of answers.

pub(super) mod outage;
pub(super) mod queue;
pub(super) mod scheduler;
