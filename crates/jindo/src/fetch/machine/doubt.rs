//! Answers that look cut: held back until a half of the window was asked again, then stored, or dropped and asked again in parts.
//! A crash loses what is held like a call in flight.

use super::{Machine, Step};
use crate::archive::{GiveUpReason, Trusted};
use crate::fetch::FetchJob;
use crate::fetch::call::{PendingCall, Purpose};
use crate::fetch::consequence::Consequence;
use crate::fetch::learn::{Clipping, Verdict};
use crate::fetch::protocol::{Action, Call, Clipped, Decision, Facts, Settings};
use crate::fetch::queue::Flight;
use crate::plan::{LearntLimit, PerQuery};
use crate::request::{BODY_BYTES_MAX, Failure};

/// Bytes of answers that are held at once, if they are more than one: the rest is asked again. As many as one answer may have.
const HELD_BYTES_MAX: u64 = BODY_BYTES_MAX as u64;

/// Answers that look cut, and what was found out about them.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    pub(super) clipping: Clipping,
    /// The answer that a question is about, and all that came after it.
    held: Vec<HeldAnswer>,
    /// A way to cut that was proven; it waits until all answers before it are stored, since these are to be opened again.
    proven: Option<Clipped>,
    /// Calls up to this number were made before the last cap was learnt: their answers may be cut.
    outdated: Call,
}

#[derive(Debug)]
struct HeldAnswer {
    number: Call,
    flight: Flight,
    facts: Facts,
}

impl Doubts {
    /// Returns whether nothing is in doubt.
    pub(super) fn is_calm(&self) -> bool {
        !self.clipping.is_open() && self.proven.is_none()
    }

    /// Returns whether a cap is about to be learnt: no call is made before.
    pub(super) fn is_concluding(&self) -> bool {
        self.proven.is_some()
    }
}

impl Machine {
    /// Returns a machine for the calls of a job.
    pub fn of(job: &FetchJob<'_>, settings: Settings) -> Self {
        let mut machine = Self::new(job.plan, &job.given_up, settings);
        if let Some(trusted) = &job.trusted {
            machine.watch(trusted.clone());
        }
        machine
    }

    /// Begins to suspect answers of being cut, apart from those of queries that are `trusted`.
    pub fn watch(&mut self, trusted: PerQuery<Trusted>) {
        self.doubts.clipping.watch(trusted);
    }

    /// Drops an answer that a cap cuts, known since or before, and asks again. Returns whether it did.
    pub(super) fn is_cut(
        &mut self,
        number: Call,
        flight: &Flight,
        facts: &Facts,
        step: &mut Step,
    ) -> bool {
        let is_full = self.reaches_call_points(facts);
        if !is_full && !self.is_outdated_answer(number) {
            return false;
        }
        step.actions.push(Action::Discard(number));
        if flight.call.purpose == Purpose::Beyond {
            self.drop_attempt();
            self.raises.no_more();
        } else if is_full {
            self.too_large(flight.call.clone(), step);
        } else {
            self.again(flight.call.clone(), step);
        }
        true
    }

    /// Returns whether the answer was asked for before a cap was learnt that may have cut it.
    pub(super) fn is_outdated_answer(&self, number: Call) -> bool {
        number <= self.doubts.outdated
    }

    /// Returns whether an answer reaches the cap on points per call: it is cut.
    pub(super) fn reaches_call_points(&self, facts: &Facts) -> bool {
        facts.points.iter().sum::<u64>() >= self.limits.call_points
    }

    /// Returns the same facts with so many bytes that the cap on points per call weighs like the one on bytes.
    pub(super) fn weighed_by_points(&self, facts: &Facts) -> Facts {
        let points: u64 = facts.points.iter().sum();
        let weight =
            u128::from(points) * BODY_BYTES_MAX as u128 / u128::from(self.limits.call_points);
        let bytes = facts.bytes.max(u64::try_from(weight).unwrap_or(u64::MAX));
        Facts { bytes, ..facts.clone() }
    }

    /// Stores an answer, or holds it where it looks cut.
    pub(super) fn admit(&mut self, number: Call, flight: Flight, facts: &Facts, step: &mut Step) {
        if self.doubts.is_calm() {
            match self.doubts.clipping.examine(&flight.call.task, facts, step.now) {
                None => return self.store(number, flight, facts, step),
                Some(question) => self.queue.ready.push_front(question),
            }
        }
        let held: u64 = self.doubts.held.iter().map(|held| held.facts.bytes).sum();
        if held > 0 && held + facts.bytes > HELD_BYTES_MAX {
            step.actions.push(Action::Discard(number));
            self.reshape(&flight.call, step);
            // Behind the question, which would wait for it else.
            return self.queue.ready.push_back(PendingCall::fetch(flight.call.task));
        }
        self.doubts.held.push(HeldAnswer { number, flight, facts: facts.clone() });
    }

    fn store(&mut self, number: Call, flight: Flight, facts: &Facts, step: &mut Step) {
        self.points_cap.stored(facts);
        self.points += facts.points.iter().sum::<u64>();
        self.in_flight.storing.insert(number, flight);
        step.actions.push(Action::Store(number));
    }

    /// Takes in the answer to a question about one that looks cut.
    pub(super) fn doubt_answered(&mut self, number: Call, facts: &Facts, step: &mut Step) {
        step.actions.push(Action::Discard(number));
        match self.doubts.clipping.answered(facts) {
            Some(Verdict::Ask(question)) => self.queue.ready.push_front(question),
            Some(Verdict::Unsettled) => self.doubt_failed(step),
            Some(Verdict::Clipped(clipped)) => {
                self.doubts.proven = Some(clipped);
                self.conclude(step);
            }
            Some(Verdict::Trusted(verdicts)) => {
                self.carry_out([Consequence::Decide(Decision::Trust { verdicts })], step);
                let mut held = std::mem::take(&mut self.doubts.held).into_iter();
                if let Some(HeldAnswer { number, flight, facts }) = held.next() {
                    self.store(number, flight, &facts, step);
                }
                for HeldAnswer { number, flight, facts } in held {
                    self.admit(number, flight, &facts, step);
                }
            }
            None => {}
        }
    }

    /// Stores what is held when no call is left for the question, unless a half held more: else a run of few calls would keep nothing,
    /// however often it is made.
    pub(super) fn release_held(&mut self, step: &mut Step) {
        if self.doubts.is_concluding() || self.doubts.clipping.is_alarmed() {
            return;
        }
        for HeldAnswer { number, flight, facts } in std::mem::take(&mut self.doubts.held) {
            self.store(number, flight, &facts, step);
        }
    }

    /// Takes in that the question cannot be answered: what it was about is asked again.
    pub(super) fn doubt_failed(&mut self, step: &mut Step) {
        self.doubts.clipping.failed();
        self.ask_held_again(step);
    }

    /// Learns the cap that was proven, once all answers before it are stored: these are opened again before it is kept, so that a
    /// crash in between learns it again.
    pub(super) fn conclude(&mut self, step: &mut Step) {
        if !self.in_flight.storing.is_empty() {
            return;
        }
        let Some(clipped) = self.doubts.proven.take() else { return };
        let (limit, why) = self.limit_of(clipped);
        self.doubts.outdated = self.scheduler.calls;
        let is_known = self.limits.with(limit) == self.limits;
        if is_known
            || matches!(limit, LearntLimit::Withheld(buckets) if buckets > LearntLimit::WITHHELD_MAX)
        {
            return self.give_up_held(step);
        }
        self.carry_out([Consequence::Decide(Decision::Reopen { clipped })], step);
        self.learn(limit, why, step);
        self.ask_held_again(step);
    }

    /// Returns the limit that keeps a server from cutting in this way, and its evidence.
    fn limit_of(&self, clipped: Clipped) -> (LearntLimit, String) {
        match clipped {
            Clipped::Series { points } => {
                let why = format!("series ended after {points} points, and a half held more");
                // Windows stay one point below the limit.
                (LearntLimit::SeriesPoints(points + 1), why)
            }
            Clipped::Call { points } => {
                let why = format!("an answer ended after {points} points, and a half held more");
                (LearntLimit::CallPoints(points), why)
            }
            Clipped::Newest => {
                let why = "the newest bucket of a window came only with a later one".to_owned();
                (LearntLimit::Withheld(self.limits.withheld + 1), why)
            }
        }
    }

    /// Gives up the queries of an answer that is cut in a way that no smaller call avoids.
    fn give_up_held(&mut self, step: &mut Step) {
        let first = self.doubts.held.first();
        let queries = first.map_or_else(Vec::new, |held| held.flight.call.task.queries.clone());
        let words = "the server sends fewer points than it has, in smaller calls too";
        let give_up = |query| Consequence::give_up(query, GiveUpReason::Refused(words.to_owned()));
        self.carry_out(queries.into_iter().map(give_up), step);
        self.ask_held_again(step);
    }

    fn ask_held_again(&mut self, step: &mut Step) {
        for HeldAnswer { number, flight, .. } in
            std::mem::take(&mut self.doubts.held).into_iter().rev()
        {
            step.actions.push(Action::Discard(number));
            self.again(flight.call, step);
        }
    }
}

/// Returns whether such a failure ends a question about an answer that looks cut: it would have to be asked in another shape.
pub(super) fn ends_doubt(failure: &Failure, attempts: u32) -> bool {
    match failure {
        Failure::TimedOut { .. } => attempts > 0,
        Failure::Refused { .. }
        | Failure::TooLarge
        | Failure::UrlTooLong
        | Failure::OtherInterval { .. } => true,
        Failure::Limited { .. }
        | Failure::Transient { .. }
        | Failure::Unusable { .. }
        | Failure::NotAnApi { .. }
        | Failure::NotFound { .. }
        | Failure::Forbidden { .. } => false,
    }
}
