//! Failures since the last success: the pause before the next try, and the deadline after which a run ends. Pure.

use crate::clock::Random;
use crate::request::{Backoff, Rate};
use jiff::{SignedDuration, Timestamp};

/// A call that failed so often while others came through is refused for good, whatever the server calls it.
pub(super) const ATTEMPTS_MAX: u32 = 5;

/// So often in a row something that is no metrics API may answer before anything has worked. Once may be chance; a typing
/// error in an address should not take ten minutes to show.
const NO_API_MAX: u32 = 3;

#[derive(Debug)]
pub(super) struct Outage {
    /// Time without a success after which the run ends (`--give-up-after`).
    patience: SignedDuration,
    /// Jitter of the pauses.
    random: Random,
    /// Start of the outage, moved by the time that does not count.
    since: Option<Timestamp>,
    /// Start of the current rate-limit wait. Does not count towards `patience`.
    paced_since: Option<Timestamp>,
    /// The last step of the machine.
    latest: Option<Timestamp>,
    /// Failures without a success between them, of all kinds and of some.
    consecutive: u32,
    consecutive_limited: u32,
    consecutive_no_api: u32,
    consecutive_unusable: u32,
    /// Time at which a question was last taken for answered by nothing but failures.
    settled_at: Option<Timestamp>,
    /// The last failure, in words.
    what: Option<String>,
}

impl Outage {
    pub(super) fn new(patience: SignedDuration, random: Random) -> Self {
        Self {
            patience,
            random,
            since: None,
            paced_since: None,
            latest: None,
            consecutive: 0,
            consecutive_limited: 0,
            consecutive_no_api: 0,
            consecutive_unusable: 0,
            settled_at: None,
            what: None,
        }
    }

    /// Returns the last failure in words, while failures go on.
    pub(super) fn what(&self) -> Option<&str> {
        self.what.as_deref()
    }

    /// Takes in the words of a failure that is not tried again.
    pub(super) fn failed(&mut self, what: String) {
        self.what = Some(what);
    }

    /// Takes in that a call came through.
    pub(super) fn ends(&mut self) {
        self.since = None;
        self.paced_since = None;
        self.consecutive = 0;
        self.consecutive_limited = 0;
        self.consecutive_no_api = 0;
        self.consecutive_unusable = 0;
        self.settled_at = None;
        self.what = None;
    }

    /// Takes in that time has come to `now`. No call takes more than half of the patience; where more passes between two steps
    /// the machine was suspended, or its clock was set forward, and no answer could have come.
    pub(super) fn pass(&mut self, now: Timestamp) {
        let before = self.latest.replace(now);
        if let Some((since, before)) = self.since.as_mut().zip(before)
            && self.paced_since.is_none()
        {
            // What is waited for a reset lies before `since`.
            let passed = now.duration_since(before.max(*since));
            *since += (passed - self.patience.mul_f64(0.5)).max(SignedDuration::ZERO);
        }
    }

    /// Returns whether a question that keeps failing is an answer by now. It asks just whether its call is to blame, and must find out
    /// also where nothing else is left to ask; but an outage answers it wrongly, so it takes half of the patience, every time.
    pub(super) fn settles(&mut self, now: Timestamp) -> bool {
        let since = self.since.max(self.settled_at);
        let long = self.patience.mul_f64(0.5);
        let settles = since.is_some_and(|since| now.duration_since(since) >= long);
        if settles {
            self.settled_at = Some(now);
        }
        settles
    }

    /// Takes in that nothing may be sent before the budget allows it.
    pub(super) fn is_paced(&mut self, now: Timestamp) {
        self.paced_since.get_or_insert(now);
    }

    /// Takes in that a call is sent: what was waited for the budget does not count as time without success.
    pub(super) fn goes_on(&mut self, now: Timestamp) {
        if let Some((paced_since, since)) = self.paced_since.take().zip(self.since) {
            let counted = paced_since.duration_since(since).max(SignedDuration::ZERO);
            self.since = Some(now - counted);
        }
    }

    /// Takes in a 429; returns when calls may go on. With a reset the budget waits for it; the time without success starts
    /// after that wait.
    pub(super) fn limited(
        &mut self,
        now: Timestamp,
        rate: Option<&Rate>,
        retry_after: Option<SignedDuration>,
    ) -> Timestamp {
        self.consecutive_limited += 1;
        let reset = rate
            .map(|rate| SignedDuration::from_secs_f64(rate.reset_s) + SignedDuration::from_secs(1));
        let told = reset.or(retry_after);
        let wait = told
            .unwrap_or_else(|| Backoff::LIMITED.wait(self.consecutive_limited, &mut self.random));
        let until = now + wait;
        self.since = Some(match (self.since, told) {
            (None, Some(_)) => until,
            (None, None) => now,
            (Some(at), Some(_)) => at.max(until),
            (Some(at), None) => at,
        });
        self.what = Some("the rate limit is used up".into());
        until
    }

    /// Takes in an answer that cannot be used; returns whether that is so often in a row that the calls may be to blame.
    pub(super) fn unusable(&mut self) -> bool {
        self.consecutive_unusable += 1;
        self.consecutive_unusable >= ATTEMPTS_MAX
    }

    /// Takes in an answer of something that is no metrics API; returns whether that is so often in a row that the address is
    /// wrong, if nothing has come through yet.
    pub(super) fn no_api(&mut self) -> bool {
        self.consecutive_no_api += 1;
        self.consecutive_no_api >= NO_API_MAX
    }

    /// Takes in a failure that may pass; returns until when no call is made at all: the later the more has failed. `None`: the
    /// first failure holds nothing up but its own call.
    pub(super) fn retry(
        &mut self,
        now: Timestamp,
        what: String,
        pace: Backoff,
    ) -> Option<Timestamp> {
        self.consecutive += 1;
        self.since.get_or_insert(now);
        self.what = Some(what);
        let others = self.consecutive - 1;
        (others > 0).then(|| now + pace.wait(others, &mut self.random))
    }

    /// Returns when a call that failed so often may be tried again.
    pub(super) fn again_at(&mut self, now: Timestamp, attempts: u32, pace: Backoff) -> Timestamp {
        now + pace.wait(attempts, &mut self.random)
    }

    /// Returns why the run ends, once nothing has come through for as long as it is to wait.
    pub(super) fn check_deadline(&self, now: Timestamp) -> Option<String> {
        let since = self.since?;
        if now.duration_since(since) < self.patience {
            return None;
        }
        let what = self.what.as_deref().unwrap_or_default();
        let waited = if self.patience < SignedDuration::from_mins(2) {
            format!("{} seconds", self.patience.as_secs())
        } else {
            format!("{} minutes", self.patience.as_mins())
        };
        Some(format!("no answer came through for {waited}; the last failure: {what}"))
    }
}
