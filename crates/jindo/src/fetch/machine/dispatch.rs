//! Sends the calls that may go now, and ends the run when nothing is left.

use super::{Machine, Reliability, Step};
use crate::fetch::call::{PendingCall, Purpose};
use crate::fetch::protocol::{Action, Ask, Decision, End, Errand, Form};
use crate::fetch::queue::{Flight, InFlight};
use crate::fetch::scheduler::Ending;
use crate::plan::{Limits, PerQuery, PlanIndex, Task, Window, arrange, union};
use std::collections::BTreeSet;

/// Decoded bodies in flight together, by expectation. With one more being parsed and written a run stays under 200 MB.
const BYTES_IN_FLIGHT_MAX: f64 = (96_u32 << 20) as f64;

/// Calls that may be unstored in any case: one in flight, one being stored, one that waits for it.
const UNSTORED_MIN: usize = 3;

impl Machine {
    pub(super) fn dispatch(&mut self, step: &mut Step) {
        self.waits_until = None;
        while self.may_fly() {
            let decisions = self.bisection.resume(self.limits, &self.states);
            if !decisions.is_empty() {
                // Perhaps nothing is asked for it, and the next one is due: no event would wake it.
                self.carry_out(decisions, step);
                continue;
            }
            self.plan_anew(step);
            self.attempt_beyond();
            // One case after the other: every refusal on the way takes questions of its own.
            if self.bisection.is_idle() {
                self.edge.narrow(&mut self.queue);
            }
            let Some(call) = self.next_call(step) else { break };
            if !self.fits_in_flight(&call) {
                self.queue.ready.push_front(call);
                break;
            }
            match self.scheduler.next_call(step.now, self.in_flight.flying.len()) {
                Some(at) if at <= step.now => self.send(call, step),
                wait => {
                    self.queue.ready.push_front(call);
                    self.waits_until = wait;
                    step.actions.extend(wait.map(Action::Wake));
                    break;
                }
            }
        }
        if self.may_fly() {
            let due = self.queue.next_due(step.now);
            step.actions.extend(due.map(Action::Wake));
        }
        self.finish(step);
    }

    /// Returns whether one more call may be in flight: one at a time while there is doubt, so that a mistake is made once. Answers
    /// that are not stored yet count too, since a crash loses them like a call in flight.
    fn may_fly(&self) -> bool {
        let most = if self.is_proven() { self.concurrency } else { 1 };
        let unstored = self.in_flight.flying.len() + self.in_flight.storing.len();
        self.scheduler.ending.is_none()
            && !self.doubts.is_concluding()
            && self.in_flight.flying.len() < most
            && unstored < most.max(UNSTORED_MIN)
    }

    /// Returns whether the answer still fits beside those in flight, and none of these is to be seen first.
    fn fits_in_flight(&self, call: &PendingCall) -> bool {
        let held = self.in_flight.bytes();
        let expected = self.states.expected_bytes(&call.task);
        let too_much = held > 0.0 && held + expected > BYTES_IN_FLIGHT_MAX;
        let is_blind = self.weights.wants_first_answer(call, &self.states)
            && self.in_flight.overlaps(&call.task);
        !too_much && !is_blind
    }

    /// Plans all that is queued anew where limits, or weights and caps of single queries, have changed: cutting each old task
    /// would cost a call for every remnant.
    fn plan_anew(&mut self, step: &mut Step) {
        let is_stale = self.reliability == Reliability::Stale;
        if is_stale {
            self.reliability = Reliability::Unproven;
        }
        if is_stale || self.is_outdated && !self.weights.is_weighing() {
            self.replan(step);
        }
    }

    fn replan(&mut self, step: &mut Step) {
        let mut gaps = PerQuery::filled(Vec::new(), self.states.planned.len());
        for task in self.queue.take_fetches() {
            task.queries.iter().for_each(|&query| gaps[query].push(task.window));
        }
        for query in gaps.indexes() {
            let given_up = self.states.all[query].given_up;
            gaps[query] = if given_up { Vec::new() } else { union(&gaps[query]) };
        }
        for (query, window, reason) in self.edge.refused_of(&gaps, self.limits.oldest_s) {
            step.actions.push(Action::Record(Decision::RefuseWindow { query, window, reason }));
        }
        // Windows of their own for those of which fewer points are served at once.
        let caps: BTreeSet<_> =
            gaps.indexes().map(|query| self.states.points(query, self.limits)).collect();
        for cap in caps.into_iter().rev() {
            let own = |(query, gaps): (PlanIndex, &Vec<Window>)| {
                let is_own = self.states.points(query, self.limits) == cap;
                if is_own { gaps.clone() } else { Vec::new() }
            };
            let own: PerQuery<_> = gaps.indexed().map(own).collect();
            let limits = Limits { points: cap, ..self.limits };
            for task in arrange(self.range, &self.states.planned, &own, limits, step.now) {
                self.queue.ready.push_back(PendingCall::fetch(task));
            }
        }
        self.is_outdated = false;
    }

    /// Takes the next call, cut to what may be asked now.
    fn next_call(&mut self, step: &mut Step) -> Option<PendingCall> {
        loop {
            // Also after a call that is dropped: one that is due would wait for a time that has passed.
            self.queue.bring_due(step.now);
            let call = self.queue.ready.pop_front()?;
            if call.is_question() {
                return Some(call);
            }
            if call.purpose == Purpose::Beyond {
                if self.is_attempt_sound() {
                    return Some(call);
                }
                self.drop_attempt();
                continue;
            }
            let mut parts = self.states.fit(call.task.clone(), self.limits);
            if parts.len() == 1 && parts[0] == call.task {
                return Some(call);
            }
            self.reshape(&call, step);
            while let Some(task) = parts.pop() {
                self.queue.ready.push_front(PendingCall::fetch(task));
            }
        }
    }

    fn send(&mut self, call: PendingCall, step: &mut Step) {
        let Some(number) = self.scheduler.send(step.now) else {
            return self.queue.ready.push_front(call);
        };
        self.queue.made(&call);
        let form = self.form(&call);
        let Task { queries, interval, window } = call.task.clone();
        let (errand, more) = match call.purpose {
            // One bucket more, so that the newest of the half is not the last one asked for.
            Purpose::Doubt => (Errand::Half, 1),
            Purpose::Recheck => (Errand::Recheck, 0),
            Purpose::Fetch
            | Purpose::Half(_)
            | Purpose::Question(_)
            | Purpose::Trial
            | Purpose::Beyond
            | Purpose::CapCheck => (Errand::Planned, 0),
        };
        let (attempt, beyond) = (call.attempts + 1, self.limits.withheld + more);
        let ask = Ask { queries, form, interval, window, attempt, beyond, errand };
        step.actions.push(Action::Ask { call: number, ask });
        let bytes = self.states.expected_bytes(&call.task);
        self.in_flight.flying.insert(number, Flight { call, sent_at: step.now, bytes });
    }

    /// Returns the form in which the call's queries are sent.
    pub(super) fn form(&self, call: &PendingCall) -> Form {
        let drops_fill = match call.purpose {
            Purpose::Question(id) => self.bisection.drops_fill(id, &self.states),
            Purpose::Fetch
            | Purpose::Half(_)
            | Purpose::Trial
            | Purpose::Beyond
            | Purpose::CapCheck
            | Purpose::Doubt
            | Purpose::Recheck => false,
        };
        let unfilled = self.states.all[call.task.queries[0]].is_unfilled();
        if drops_fill || unfilled { Form::Unfilled } else { Form::Sent }
    }

    fn finish(&mut self, step: &mut Step) {
        let idle =
            self.queue.len() == 0 && self.query_cap.waiting.is_empty() && self.bisection.is_idle();
        if self.in_flight.flying.is_empty()
            && self.scheduler.ending.as_ref().is_some_and(|ending| ending.end == End::OutOfCalls)
        {
            self.release_held(step);
        }
        let InFlight { flying, storing } = &mut self.in_flight;
        if idle && flying.is_empty() && storing.is_empty() {
            self.scheduler.end(End::Done, step.now);
        }
        let Some(Ending { end, grace }) = self.scheduler.ending.clone() else { return };
        if !flying.is_empty() && end == End::OutOfCalls {
            return;
        }
        if !flying.is_empty() && step.now < grace {
            step.actions.push(Action::Wake(grace));
            return;
        }
        flying.clear();
        if storing.is_empty() && !self.finished {
            self.finished = true;
            step.actions.push(Action::Finish(end));
        }
    }
}
