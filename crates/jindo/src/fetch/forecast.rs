//! Forecast of a run: its calls and its time, as they look from where it stands. Pure.

use super::protocol::Progress;
use jiff::{SignedDuration, Timestamp};

/// Answers after which what was measured counts: some for each call in flight, so that the first, which come one at a time, weigh little.
const MEASURED_ANSWERS_MIN: u64 = 32;

/// Measured times up to this many times what the limit allows are set by the limit: its first answers are waited for.
const LIMIT_SETS_PACE_FACTOR: f64 = 1.25;

/// Calls and time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// All calls of the run, those already made too.
    pub calls: u64,
    /// Seconds from now to the last answer. `None`: no limit sets the pace, and too little was measured to tell.
    pub secs: Option<u64>,
}

impl Forecast {
    /// Returns the forecast `elapsed` after the run's start: as fast as the limits allow, where they are what sets the pace; else as
    /// fast as answers came in so far, for which there must have been some. `None`: no answer of the planned size came through yet,
    /// or failures go on.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub fn new(progress: &Progress, elapsed: SignedDuration, now: Timestamp) -> Option<Self> {
        if !progress.settled || progress.trouble.is_some() {
            return None;
        }
        let answered = progress.answered();
        let each = elapsed.as_secs_f64() / answered.max(1) as f64;
        // As if one came after the other, which they do where the machine is at its limit.
        let measured = each * progress.calls_left as f64;
        let limited = progress.paced_s(now).map_or(0.0, |secs| secs + each);
        let secs = if limited * LIMIT_SETS_PACE_FACTOR >= measured {
            Some(limited)
        } else {
            (answered >= MEASURED_ANSWERS_MIN).then_some(measured)
        };
        let secs = secs.map(|secs| secs.ceil() as u64);
        Some(Self { calls: answered + progress.calls_left, secs })
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
