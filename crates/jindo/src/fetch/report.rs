//! What a run says while it goes on. The library prints nothing: whoever shows it implements this.

use super::protocol::{Action, Progress};
use crate::plan::Plan;
use jiff::Timestamp;

/// Hears of a run; called from one thread.
pub trait Report: Send {
    /// Many times a second; what is shown, and how often, is the listener's.
    fn progress(&mut self, progress: &Progress, now: Timestamp);
    /// Something was learnt, or given up.
    fn decided(&mut self, decision: &Action, plan: &Plan);
}
