//! Time of the next call, and what follows from the class of an outcome: budget, retries, outage, end. Knows nothing of what
//! a call asks for. Pure.

use super::protocol::{Call, End, Settings};
use crate::clock::Random;
use crate::request::{Allowance, Backoff, Budget, Failure, Rate};
use jiff::{SignedDuration, Timestamp};

/// After an interruption, or when the keys are refused, answers under way may still come in within this time: they are paid
/// for. An interrupted process ends within 5 s.
const GRACE: SignedDuration = SignedDuration::from_secs(2);

/// A call that failed so often while others came through is refused for good, whatever the server calls it.
const ATTEMPTS_MAX: u32 = 5;

/// So often in a row something that is no metrics API may answer before anything has worked. Once may be chance; a typing
/// error in an address should not take ten minutes to show.
const NO_API_MAX: u32 = 3;

/// A 429 is never followed by a call within a second, also where it states a wait of 0.
const LIMITED_WAIT_LEAST: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug)]
pub(super) struct Scheduler {
    calls_max: Option<u64>,
    pub(super) budget: Budget,
    /// Time without a success after which the run ends (`--give-up-after`).
    patience: SignedDuration,
    /// Jitter of the pauses.
    random: Random,
    /// Calls made so far.
    pub(super) calls: Call,
    succeeded_at: Option<Timestamp>,
    /// No call is made before then.
    hold_until: Option<Timestamp>,
    /// The last step of the machine.
    latest: Option<Timestamp>,
    outage: Outage,
    pub(super) ending: Option<Ending>,
}

/// Failures since the last success.
#[derive(Debug, Default)]
struct Outage {
    /// Start of the outage, moved by the time that does not count.
    since: Option<Timestamp>,
    /// Start of the current rate-limit wait. Does not count towards the patience.
    paced_since: Option<Timestamp>,
    /// End of the wait that 429s stated first. It does not count towards the patience; what is waited after it does, since the server
    /// has not kept its word.
    reset_at: Option<Timestamp>,
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

/// The end that a run comes to.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) end: End,
    /// Until then answers under way are waited for.
    pub(super) grace: Timestamp,
}

impl Scheduler {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            calls_max: settings.calls_max,
            budget: settings.budgets.budget(settings.budget_key, settings.reserve, settings.pace),
            patience: settings.give_up_after,
            random: Random::seeded(settings.seed),
            calls: 0,
            succeeded_at: None,
            hold_until: None,
            latest: None,
            outage: Outage::default(),
            ending: None,
        }
    }

    /// Takes in that time has come to `now`. No call takes more than half of the patience; where more passes between two steps
    /// the machine was suspended, or its clock was set forward, and no answer could have come.
    pub(super) fn pass(&mut self, now: Timestamp) {
        let before = self.latest.replace(now);
        if let Some((since, before)) = self.outage.since.as_mut().zip(before)
            && self.outage.paced_since.is_none()
        {
            // What is waited for a reset lies before `since`.
            let passed = now.duration_since(before.max(*since));
            *since += (passed - self.patience.mul_f64(0.5)).max(SignedDuration::ZERO);
        }
    }

    /// Returns when the next call may go; `None`: an answer has to come first.
    pub(super) fn next_call(&mut self, now: Timestamp, in_flight: usize) -> Option<Timestamp> {
        if let Some(until) = self.hold_until.filter(|&until| until > now) {
            return Some(until);
        }
        match self.budget.allowance(now) {
            Allowance::Now => Some(now),
            Allowance::At(at) => {
                if in_flight == 0 && self.outage.reset_at.is_none() {
                    self.outage.paced_since.get_or_insert(now);
                }
                Some(at)
            }
            Allowance::AfterAnswer => None,
        }
    }

    /// Numbers the call that is sent now; what was waited for the budget does not count as time without success. `None`:
    /// `--max-calls` is reached, and the run ends.
    pub(super) fn send(&mut self, now: Timestamp) -> Option<Call> {
        if self.calls_max.is_some_and(|most| self.calls >= most) {
            self.end(End::OutOfCalls, now);
            return None;
        }
        self.calls += 1;
        self.budget.sent(now);
        if let Some((paced_since, since)) = self.outage.paced_since.take().zip(self.outage.since) {
            let counted = paced_since.duration_since(since).max(SignedDuration::ZERO);
            self.outage.since = Some(now - counted);
        }
        Some(self.calls)
    }

    /// Takes in the end of a call for the budget.
    pub(super) fn ended(
        &mut self,
        now: Timestamp,
        sent_at: Timestamp,
        failure: Option<&Failure>,
        rate: Option<&Rate>,
    ) {
        let limited = matches!(failure, Some(Failure::Limited { .. }));
        // The status decides, whatever `Remaining` says.
        let used_up = rate.filter(|_| limited).map(|rate| Rate { remaining: 0.0, ..rate.clone() });
        self.budget.answered(sent_at, now, used_up.as_ref().or(rate));
        if failure.is_none() {
            self.succeeded_at = Some(now);
            if rate.is_none() {
                self.budget.unlimited();
            }
        }
    }

    /// Takes in that an answer is what was asked: an outage is over.
    pub(super) fn succeeded(&mut self) {
        self.outage = Outage::default();
        self.hold_until = None;
    }

    /// Takes in a 429; its call is made again. Where the server states a wait the time without success starts at its end. That holds
    /// for one wait, and for all calls that were in flight before it: a server that states another wait whenever one is over would
    /// never be given up. Of each later wait, however long, half of the patience counts (see [`Self::pass`]).
    pub(super) fn limited(
        &mut self,
        now: Timestamp,
        rate: Option<&Rate>,
        retry_after: Option<SignedDuration>,
    ) {
        let outage = &mut self.outage;
        outage.consecutive_limited += 1;
        let reset = rate
            .map(|rate| SignedDuration::from_secs_f64(rate.reset_s) + SignedDuration::from_secs(1));
        let told = reset.or(retry_after).map(|wait| wait.max(LIMITED_WAIT_LEAST));
        let wait = told
            .unwrap_or_else(|| Backoff::LIMITED.wait(outage.consecutive_limited, &mut self.random));
        let until = now + wait;
        let is_over = outage.reset_at.is_some_and(|reset_at| now >= reset_at);
        if told.is_some() && !is_over {
            outage.reset_at = outage.reset_at.max(Some(until));
            outage.since = outage.since.max(Some(until));
        } else {
            outage.since.get_or_insert(now);
        }
        let kept = if is_over { ", also after the wait that the server asked for" } else { "" };
        outage.what = Some(format!("the rate limit is used up{kept}"));
        self.hold_until = self.hold_until.max(Some(until));
        self.check_deadline(now);
    }

    /// Takes in that the keys are refused.
    pub(super) fn forbidden(&mut self, now: Timestamp, words: String) {
        let after_success = self.succeeded_at.is_some();
        let grace = if after_success { now + GRACE } else { now };
        self.end(End::Forbidden { words, after_success }, grace);
    }

    /// Takes in an answer of something that is no metrics API; returns whether the address is wrong, which ends the run: that came
    /// often in a row, and nothing has come through yet.
    pub(super) fn no_api(&mut self, now: Timestamp, words: &str) -> bool {
        self.outage.consecutive_no_api += 1;
        let is_wrong = self.outage.consecutive_no_api >= NO_API_MAX && self.succeeded_at.is_none();
        if is_wrong {
            self.end(End::NotAnApi { words: words.to_owned() }, now);
        }
        is_wrong
    }

    /// Takes in an answer that cannot be used; returns whether nothing else comes through, so that the calls may be to blame.
    pub(super) fn unusable(&mut self) -> bool {
        self.outage.consecutive_unusable += 1;
        self.outage.consecutive_unusable >= ATTEMPTS_MAX
    }

    /// Returns whether it is not the server but this call, which failed `attempts` times from `since` on: others came through meanwhile.
    pub(super) fn is_to_blame(&self, attempts: u32, since: Option<Timestamp>) -> bool {
        let others = self.succeeded_at.zip(since).is_some_and(|(at, since)| at > since);
        attempts >= ATTEMPTS_MAX && others
    }

    /// Returns whether a question that failed so often is an answer by now. It asks just whether its call is to blame, and must find out
    /// also where nothing else is left to ask; but an outage answers it wrongly, so it takes half of the patience, every time.
    pub(super) fn settles(&mut self, now: Timestamp, attempts: u32) -> bool {
        let Outage { since, settled_at, .. } = &mut self.outage;
        let long = self.patience.mul_f64(0.5);
        let is_long =
            (*since).max(*settled_at).is_some_and(|since| now.duration_since(since) >= long);
        let settles = attempts >= ATTEMPTS_MAX && is_long;
        if settles {
            *settled_at = Some(now);
        }
        settles
    }

    /// Takes in a failure that may pass. The first holds nothing up but its own call; then no call is made at all for a while, the
    /// longer the more has failed.
    pub(super) fn retry(&mut self, now: Timestamp, what: String, pace: Backoff) {
        self.outage.consecutive += 1;
        self.outage.since.get_or_insert(now);
        self.failed(what);
        let others = self.outage.consecutive - 1;
        if others > 0 {
            let until = now + pace.wait(others, &mut self.random);
            self.hold_until = self.hold_until.max(Some(until));
        }
    }

    /// Returns when a call that failed so often may be tried again.
    pub(super) fn again_at(&mut self, now: Timestamp, attempts: u32, pace: Backoff) -> Timestamp {
        now + pace.wait(attempts, &mut self.random)
    }

    /// Takes in the words of a failure that is not tried again.
    pub(super) fn failed(&mut self, what: String) {
        self.outage.what = Some(what);
    }

    /// Returns the last failure in words, while failures go on.
    pub(super) fn trouble(&self) -> Option<String> {
        self.outage.what.clone()
    }

    /// Ends the run once nothing has come through for as long as it is to wait.
    pub(super) fn check_deadline(&mut self, now: Timestamp) {
        if self.outage.since.is_none_or(|since| now.duration_since(since) < self.patience) {
            return;
        }
        let what = self.outage.what.as_deref().unwrap_or_default();
        let waited = if self.patience < SignedDuration::from_mins(2) {
            format!("{} seconds", self.patience.as_secs())
        } else {
            format!("{} minutes", self.patience.as_mins())
        };
        let why = format!("no answer came through for {waited}; the last failure: {what}");
        self.end(End::Failed { why }, now);
    }

    pub(super) fn interrupted(&mut self, now: Timestamp) {
        self.end(End::Interrupted, now + GRACE);
    }

    /// The first reason to end counts. Until `grace` answers under way may still come in.
    pub(super) fn end(&mut self, end: End, grace: Timestamp) {
        self.ending.get_or_insert(Ending { end, grace });
    }
}
