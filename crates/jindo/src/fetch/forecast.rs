//! Forecast of a run: its calls and its time, as they look from where it stands. Pure.

use super::protocol::Progress;
use jiff::{SignedDuration, Timestamp};

/// Answers after which what was measured counts: some for each call in flight, so that chance weighs little.
const MEASURED_ANSWERS_MIN: u64 = 32;

/// Calls and time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// All calls of the run, those already made too.
    pub calls: u64,
    /// Seconds from now to the last answer. `None`: no limit sets the pace, and too little was measured to tell.
    pub secs: Option<u64>,
}

/// Point of a run from which its speed is measured: its first forecast, when what is learnt one call at a time is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milestone {
    pub at: Timestamp,
    /// Calls that had come to their end.
    pub answered: u64,
}

impl Forecast {
    /// Returns the forecast `elapsed` after the run's start. Where the limits are slower than `concurrency` answers side by side, they
    /// set the pace, and the time is known at once. Else it is what was measured `since` the first forecast: how many answers this
    /// machine takes in at once is not known before. `None`: no answer of the planned size came through yet, or failures go on.
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
        since: Option<Milestone>,
    ) -> Option<Self> {
        if !progress.settled || progress.trouble.is_some() {
            return None;
        }
        let (answered, left) = (progress.answered(), progress.calls_left as f64);
        // Until an answer came through there was one call at a time.
        let each = elapsed.as_secs_f64() / answered.max(1) as f64;
        let side_by_side = each * left / concurrency.max(1) as f64;
        let limited = progress.paced_s(now).map_or(0.0, |secs| secs + each);
        let measured = || {
            let Milestone { at, answered: before } = since?;
            let answers = answered.saturating_sub(before);
            let each = now.duration_since(at).as_secs_f64() / answers as f64;
            (answers >= MEASURED_ANSWERS_MIN).then_some(each * left)
        };
        let secs = if limited >= side_by_side {
            Some(limited)
        } else {
            measured().map(|measured| measured.max(limited))
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
