//! Forecast of a run: its calls and its time, as they look from where it stands. Pure.

use super::protocol::Progress;
use jiff::{SignedDuration, Timestamp};

/// Calls and time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// All calls of the run, those already made too.
    pub calls: u64,
    /// Seconds from now to the last answer.
    pub secs: u64,
}

impl Forecast {
    /// Returns the forecast `elapsed` after the run's start: as fast as the limits allow, and as the answers come in side by
    /// side. `None`: no answer of the planned size came through yet, or failures go on.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub fn new(
        progress: &Progress,
        elapsed: SignedDuration,
        now: Timestamp,
        concurrency: usize,
    ) -> Option<Self> {
        if !progress.settled || progress.trouble.is_some() {
            return None;
        }
        let answered = progress.answered();
        // Until an answer came through there was one call at a time.
        let each = elapsed.as_secs_f64() / answered.max(1) as f64;
        let answering = each * progress.calls_left as f64 / concurrency.max(1) as f64;
        let limited = progress.paced_s(now).map_or(0.0, |secs| secs + each);
        Some(Self {
            calls: answered + progress.calls_left,
            secs: limited.max(answering).ceil() as u64,
        })
    }
}

impl Progress {
    /// Calls that have come to their end.
    pub fn answered(&self) -> u64 {
        self.calls_made.saturating_sub(self.flying as u64)
    }

    /// Seconds until the last call that is left may be sent, as the limits are now. `None`: nothing sets a pace.
    pub fn paced_s(&self, now: Timestamp) -> Option<f64> {
        self.paced_until.map(|until| until.duration_since(now).as_secs_f64().max(0.0))
    }
}
