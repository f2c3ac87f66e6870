//! The observer of a run. The library prints nothing: a front end implements [`Observer`].

use super::protocol::{Action, Progress};
use crate::plan::Plan;
use jiff::Timestamp;

/// Takes the reports of a run, and passes over those that it does not show; called from one thread.
pub trait Observer: Send {
    /// Takes the state of the run, many times a second.
    fn progress(&mut self, _progress: &Progress, _now: Timestamp) {}

    /// Takes a limit that was learnt, or a query that was given up.
    fn decided(&mut self, _decision: &Action, _plan: &Plan) {}
}
