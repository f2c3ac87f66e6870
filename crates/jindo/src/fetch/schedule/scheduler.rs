//! Time of the next call, and what follows from the class of an outcome: budget, retries, outage, end. Knows nothing of what
//! a call asks for. Pure.

use super::outage::{ATTEMPTS_MAX, Outage};
use crate::clock::Random;
use crate::fetch::protocol::{Call, End, Settings};
use crate::request::{Allowance, Backoff, Budget, Failure, Rate};
use jiff::{SignedDuration, Timestamp};

/// After an interruption, or when the keys are refused, answers under way may still come in within this time: they are paid
/// for. An interrupted process ends within 5 s.
const GRACE: SignedDuration = SignedDuration::from_secs(2);

#[derive(Debug)]
pub(in crate::fetch) struct Scheduler {
    calls_max: Option<u64>,
    budget: Budget,
    outage: Outage,
    calls: Call,
    succeeded_at: Option<Timestamp>,
    /// No call is made before then.
    hold_until: Option<Timestamp>,
    ending: Option<Ending>,
}

/// The end that a run comes to.
#[derive(Debug, Clone)]
pub(in crate::fetch) struct Ending {
    pub(in crate::fetch) end: End,
    /// Until then answers under way are waited for.
    pub(in crate::fetch) grace: Timestamp,
}

/// A failed call, as far as retrying it goes.
#[derive(Debug, Clone, Copy)]
pub(in crate::fetch) struct Attempts {
    /// So many calls failed.
    pub(in crate::fetch) made: u32,
    /// Time at which the first of these was sent.
    pub(in crate::fetch) since: Option<Timestamp>,
}

impl Scheduler {
    pub(in crate::fetch) fn new(settings: Settings) -> Self {
        Self {
            calls_max: settings.calls_max,
            budget: settings.budgets.budget(settings.budget_key, settings.reserve, settings.pace),
            outage: Outage::new(settings.give_up_after, Random::seeded(settings.seed)),
            calls: 0,
            succeeded_at: None,
            hold_until: None,
            ending: None,
        }
    }

    pub(in crate::fetch) fn pass(&mut self, now: Timestamp) {
        self.outage.pass(now);
    }

    /// Returns when the next call may go; `None`: an answer has to come first.
    pub(in crate::fetch) fn next_call(
        &mut self,
        now: Timestamp,
        in_flight: usize,
    ) -> Option<Timestamp> {
        if let Some(until) = self.hold_until.filter(|&until| until > now) {
            return Some(until);
        }
        match self.budget.allowance(now) {
            Allowance::Now => Some(now),
            Allowance::At(at) => {
                if in_flight == 0 {
                    self.outage.is_paced(now);
                }
                Some(at)
            }
            Allowance::AfterAnswer => None,
        }
    }

    /// Numbers the call that is sent now. `None`: `--max-calls` is reached, and the run ends.
    pub(in crate::fetch) fn send(&mut self, now: Timestamp) -> Option<Call> {
        if self.calls_max.is_some_and(|most| self.calls >= most) {
            self.end(End::OutOfCalls, now);
            return None;
        }
        self.calls += 1;
        self.budget.sent(now);
        self.outage.goes_on(now);
        Some(self.calls)
    }

    /// Takes in the end of a call for the budget.
    pub(in crate::fetch) fn ended(
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
    pub(in crate::fetch) fn succeeded(&mut self) {
        self.outage.ends();
        self.hold_until = None;
    }

    /// Takes in a 429; its call is made again.
    pub(in crate::fetch) fn limited(
        &mut self,
        now: Timestamp,
        rate: Option<&Rate>,
        retry_after: Option<SignedDuration>,
    ) {
        let until = self.outage.limited(now, rate, retry_after);
        self.hold_until = self.hold_until.max(Some(until));
        self.check_deadline(now);
    }

    /// Takes in that the keys are refused.
    pub(in crate::fetch) fn forbidden(&mut self, now: Timestamp, words: String) {
        let after_success = self.succeeded_at.is_some();
        let grace = if after_success { now + GRACE } else { now };
        self.end(End::Forbidden { words, after_success }, grace);
    }

    /// Takes in an answer of something that is no metrics API; returns whether the address is wrong, which ends the run.
    pub(in crate::fetch) fn no_api(&mut self, now: Timestamp, words: &str) -> bool {
        let is_wrong = self.outage.no_api() && self.succeeded_at.is_none();
        if is_wrong {
            self.end(End::NotAnApi { words: words.to_owned() }, now);
        }
        is_wrong
    }

    /// Takes in an answer that cannot be used; returns whether nothing else comes through.
    pub(in crate::fetch) fn unusable(&mut self) -> bool {
        self.outage.unusable()
    }

    /// Returns whether it is not the server but this call: it failed often, and others came through meanwhile.
    pub(in crate::fetch) fn is_to_blame(&self, attempts: Attempts) -> bool {
        let others = self.succeeded_at.zip(attempts.since).is_some_and(|(at, since)| at > since);
        attempts.made >= ATTEMPTS_MAX && others
    }

    /// Returns whether a question that failed so often is taken for refused, also where nothing else is left to ask.
    pub(in crate::fetch) fn settles(&mut self, now: Timestamp, attempts: Attempts) -> bool {
        attempts.made >= ATTEMPTS_MAX && self.outage.settles(now)
    }

    /// Takes in a failure that may pass.
    pub(in crate::fetch) fn retry(&mut self, now: Timestamp, what: String, pace: Backoff) {
        let until = self.outage.retry(now, what, pace);
        self.hold_until = self.hold_until.max(until);
    }

    /// Returns when a call that failed so often may be tried again.
    pub(in crate::fetch) fn again_at(
        &mut self,
        now: Timestamp,
        attempts: u32,
        pace: Backoff,
    ) -> Timestamp {
        self.outage.again_at(now, attempts, pace)
    }

    /// Takes in the words of a failure that changes what is asked.
    pub(in crate::fetch) fn failed(&mut self, what: String) {
        self.outage.failed(what);
    }

    /// Ends the run once nothing has come through for as long as it is to wait.
    pub(in crate::fetch) fn check_deadline(&mut self, now: Timestamp) {
        if let Some(why) = self.outage.check_deadline(now) {
            self.end(End::Failed { why }, now);
        }
    }

    pub(in crate::fetch) fn interrupted(&mut self, now: Timestamp) {
        self.end(End::Interrupted, now + GRACE);
    }

    /// The first reason to end counts. Until `grace` answers under way may still come in.
    pub(in crate::fetch) fn end(&mut self, end: End, grace: Timestamp) {
        self.ending.get_or_insert(Ending { end, grace });
    }

    pub(in crate::fetch) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    pub(in crate::fetch) fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns the last failure in words, while failures go on.
    pub(in crate::fetch) fn trouble(&self) -> Option<&str> {
        self.outage.what()
    }

    /// Returns calls left in the strictest limit, and the limit.
    pub(in crate::fetch) fn budget_left(&self) -> Option<(u64, u64)> {
        self.budget.left()
    }

    /// Returns when the last of so many calls may be sent, as the limits are now.
    pub(in crate::fetch) fn paced_until(&self, calls: u64) -> Option<Timestamp> {
        self.budget.paced_until(calls)
    }
}
