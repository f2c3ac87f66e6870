//! Failures that may pass: how long to wait before asking again, and when to stop asking. Pure.

use super::machine::Machine;
use super::protocol::{Action, End};
use super::query_state::{Job, Purpose};
use crate::plan::Task;
use crate::request::{Backoff, Rate};
use jiff::{SignedDuration, Timestamp};

/// A call that failed so often while others came through is refused for good, whatever the server calls it.
const ATTEMPTS_MAX: u32 = 5;

/// So often in a row something that is no metrics API may answer before anything has worked. Once may be chance; a typing
/// error in an address should not take ten minutes to show.
const ASTRAY_MAX: u32 = 3;

/// Failures since the last success.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// When it began, moved by the time that does not count.
    since: Option<Timestamp>,
    /// Since then nothing is in the air because the budget says so. Such a wait is no trouble, however long.
    paced_since: Option<Timestamp>,
    /// The last step of the machine.
    latest: Option<Timestamp>,
    in_a_row: u32,
    limited_in_a_row: u32,
    astray_in_a_row: u32,
    unusable_in_a_row: u32,
    /// When a question was last taken for answered by nothing but failures.
    settled_at: Option<Timestamp>,
    /// The last failure, in words.
    pub(super) what: Option<String>,
}

impl Trouble {
    /// A call came through.
    pub(super) fn ends(&mut self) {
        *self = Self { latest: self.latest, ..Self::default() };
    }

    /// Time has come to `now`. No call takes more than half of the run's patience; where more passes between two steps the
    /// machine was suspended, or its clock was set forward, and nobody could have answered.
    pub(super) fn pass(&mut self, now: Timestamp, patience: SignedDuration) {
        let before = self.latest.replace(now);
        if let Some((since, before)) = self.since.as_mut().zip(before)
            && self.paced_since.is_none()
        {
            // What is waited for a reset lies before `since`.
            let passed = now.duration_since(before.max(*since));
            *since += (passed - patience.mul_f64(0.5)).max(SignedDuration::ZERO);
        }
    }

    /// Whether a question that keeps failing is an answer by now. It asks just whether its call is to blame, and must find out
    /// also where nothing else is left to ask; but an outage answers it wrongly, so it takes this long, every time.
    fn settles(&mut self, now: Timestamp, patience: SignedDuration) -> bool {
        let since = self.since.max(self.settled_at);
        let settles = since.is_some_and(|since| now.duration_since(since) >= patience);
        if settles {
            self.settled_at = Some(now);
        }
        settles
    }

    /// Nothing may be sent before the budget allows it.
    pub(super) fn is_paced(&mut self, now: Timestamp) {
        self.paced_since.get_or_insert(now);
    }

    /// A call is sent: what was waited for the budget does not count as time without success.
    pub(super) fn goes_on(&mut self, now: Timestamp) {
        if let Some((paced_since, since)) = self.paced_since.take().zip(self.since) {
            let counted = paced_since.duration_since(since).max(SignedDuration::ZERO);
            self.since = Some(now - counted);
        }
    }
}

impl Machine {
    /// A 429. With a reset the budget waits for it; the time without success starts after that wait.
    pub(super) fn limited(
        &mut self,
        now: Timestamp,
        job: Job,
        (rate, retry_after): (Option<&Rate>, Option<SignedDuration>),
    ) {
        self.trouble.limited_in_a_row += 1;
        let reset = rate
            .map(|rate| SignedDuration::from_secs_f64(rate.reset_s) + SignedDuration::from_secs(1));
        let told = reset.or(retry_after);
        let wait = told.unwrap_or_else(|| {
            Backoff::LIMITED.wait(self.trouble.limited_in_a_row, &mut self.random)
        });
        let until = now + wait;
        self.hold_until = self.hold_until.max(Some(until));
        let since = if told.is_some() { until } else { now };
        self.trouble.since = Some(
            self.trouble.since.map_or(since, |at| if told.is_some() { at.max(until) } else { at }),
        );
        self.trouble.what = Some("the rate limit is used up".into());
        self.queue.push_front(job);
        self.lose_patience(now);
    }

    pub(super) fn transient(
        &mut self,
        now: Timestamp,
        job: Job,
        what: String,
        actions: &mut Vec<Action>,
    ) {
        self.again_or_refused(now, job, (what, Backoff::TRANSIENT), actions);
    }

    fn again_or_refused(
        &mut self,
        now: Timestamp,
        mut job: Job,
        (what, pace): (String, Backoff),
        actions: &mut Vec<Action>,
    ) {
        job.attempts += 1;
        let often = job.attempts >= ATTEMPTS_MAX;
        let asks = matches!(job.purpose, Purpose::Question(_));
        let half = self.settings.give_up_after.mul_f64(0.5);
        if often && (self.came_through_meanwhile(&job) || asks && self.trouble.settles(now, half)) {
            return self.refused(job, what, actions);
        }
        self.later(now, vec![job], (what, pace));
    }

    /// An answer that cannot be used. Where nothing else comes through, one query of the list may spoil every call: its
    /// halves are asked instead, and as soon as one of them comes through the other is to blame.
    pub(super) fn unusable(
        &mut self,
        now: Timestamp,
        job: Job,
        what: String,
        actions: &mut Vec<Action>,
    ) {
        self.trouble.unusable_in_a_row += 1;
        let nothing_else = self.trouble.unusable_in_a_row >= ATTEMPTS_MAX && job.attempts > 0;
        let is_list = job.purpose == Purpose::Fetch && job.task.queries.len() > 1;
        if !nothing_else || !is_list {
            return self.again_or_refused(now, job, (what, Backoff::UNUSABLE), actions);
        }
        let (first, second) = job.task.queries.split_at(job.task.queries.len().div_ceil(2));
        let halves = [first, second].map(|queries| Job {
            attempts: job.attempts + 1,
            tried_since: job.tried_since,
            ..Job::fetch(Task { queries: queries.to_vec(), ..job.task.clone() })
        });
        self.later(now, halves.into(), (what, Backoff::UNUSABLE));
    }

    /// What answers is no metrics API.
    pub(super) fn astray(
        &mut self,
        now: Timestamp,
        job: Job,
        words: String,
        actions: &mut Vec<Action>,
    ) {
        self.trouble.astray_in_a_row += 1;
        if self.succeeded_at.is_none() && self.trouble.astray_in_a_row >= ASTRAY_MAX {
            return self.end(End::Astray { words }, now);
        }
        self.unusable(now, job, words, actions);
    }

    /// Others came through while this job failed: it is not the server, it is this call.
    fn came_through_meanwhile(&self, job: &Job) -> bool {
        self.succeeded_at.is_some_and(|at| job.tried_since.is_some_and(|since| at > since))
    }

    /// Asks again after a while, the longer the more has failed.
    fn later(&mut self, now: Timestamp, jobs: Vec<Job>, (what, pace): (String, Backoff)) {
        self.trouble.in_a_row += 1;
        self.trouble.since.get_or_insert(now);
        self.trouble.what = Some(what);
        if self.trouble.in_a_row > 1 {
            let pause = pace.wait(self.trouble.in_a_row - 1, &mut self.random);
            self.hold_until = self.hold_until.max(Some(now + pause));
        }
        for job in jobs {
            let wait = pace.wait(job.attempts, &mut self.random);
            self.delayed.push((now + wait, job));
        }
        self.lose_patience(now);
    }

    fn lose_patience(&mut self, now: Timestamp) {
        let Some(since) = self.trouble.since else { return };
        if now.duration_since(since) >= self.settings.give_up_after {
            let what = self.trouble.what.clone().unwrap_or_default();
            let patience = self.settings.give_up_after;
            let waited = if patience < SignedDuration::from_mins(2) {
                format!("{} seconds", patience.as_secs())
            } else {
                format!("{} minutes", patience.as_mins())
            };
            let why = format!("no answer came through for {waited}; the last failure: {what}");
            self.end(End::Failed { why }, now);
        }
    }
}
