//! Takes in what came back: each answer, fine or failed, and what it changes.

use super::doubt::ends_doubt;
use super::{Machine, Reliability, Step};
use crate::archive::GiveUpReason;
use crate::fetch::call::{PendingCall, Purpose, at_points_min, list_halves, points};
use crate::fetch::consequence::{Consequence, Refusal};
use crate::fetch::learn::{Coarse, Subject};
use crate::fetch::protocol::{Action, Call, Decision, Facts, Form};
use crate::fetch::query_state::Served;
use crate::fetch::queue::Flight;
use crate::parse::Other;
use crate::plan::{LearntLimit, Limits, PlanIndex, Task};
use crate::query::Interval;
use crate::request::{BODY_BYTES_MAX, Backoff, Failure, Rate};

/// An answer in which some series came back at another interval than asked.
struct OtherInterval {
    others: Vec<Other>,
    /// Some series came back as asked: a cap would have hit them all.
    others_fine: bool,
}

impl Machine {
    pub(super) fn answered(
        &mut self,
        number: Call,
        outcome: Result<Facts, Failure>,
        rate: Option<&Rate>,
        step: &mut Step,
    ) {
        let Some(flight) = self.in_flight.flying.remove(&number) else { return };
        self.scheduler.ended(step.now, flight.sent_at, outcome.as_ref().err(), rate);
        match outcome {
            Ok(facts) => self.fine(number, flight, &facts, step),
            Err(failure) => {
                let mut call = flight.call;
                call.tried_since.get_or_insert(flight.sent_at);
                self.failed(call, failure, rate, step);
            }
        }
    }

    fn fine(&mut self, number: Call, flight: Flight, facts: &Facts, step: &mut Step) {
        self.scheduler.succeeded();
        let task = flight.call.task.clone();
        if flight.call.is_doubt() {
            return self.doubt_answered(number, facts, step);
        }
        if !flight.call.is_question() && self.is_cut(number, &flight, facts, step) {
            return;
        }
        let facts = &self.weighed_by_points(facts);
        self.points_cap.answered(&task, facts);
        if !facts.holds_points() && points(&task) >= self.limits.points {
            // Sent before the cap was learnt: an empty answer says nothing of its interval.
            step.actions.push(Action::Discard(number));
            if flight.call.purpose == Purpose::Beyond {
                self.drop_attempt();
                return self.raises.no_more();
            }
            return self.again(flight.call, step);
        }
        if self.form(&flight.call) == Form::Sent {
            self.states.accepted(&task);
        }
        let weighed = self.weights.answered(&task, facts, &mut self.states, self.limits);
        self.carry_out(weighed, step);
        let length = self.states.url_len(&task);
        self.evidence.answered(&task, facts, length);
        let longer = self.url_length.accepted(length);
        self.carry_out(longer, step);
        let raised = self.raises.answered(&task, facts, &mut self.states, self.limits);
        self.carry_out(raised, step);
        self.edge.answered(task.window, self.range);
        if flight.call.purpose == Purpose::Beyond {
            self.attempt_answered();
        }
        let mut decisions = self.follow(flight.call.purpose, &task, facts);
        if flight.call.is_question() {
            step.actions.push(Action::Discard(number));
        } else {
            decisions.extend(self.bisection.answered(task.queries.len(), self.limits));
            self.admit(number, flight, facts, step);
        }
        self.carry_out(decisions, step);
    }

    /// Returns what follows from a fine answer by its purpose.
    fn follow(&mut self, purpose: Purpose, task: &Task, facts: &Facts) -> Vec<Consequence> {
        match purpose {
            Purpose::Fetch => {
                if self.reliability == Reliability::Unproven {
                    self.reliability = Reliability::Proven;
                }
                Vec::new()
            }
            Purpose::Half(id) | Purpose::Question(id) => {
                self.bisection.outcome(id, task.clone(), Ok(()), &self.states)
            }
            Purpose::Trial => self.release_trial(task),
            Purpose::Beyond => Vec::new(),
            Purpose::CapCheck => self.query_cap.answered(task, &facts.points, &mut self.states),
            Purpose::Doubt | Purpose::Recheck => {
                unreachable!("its answer is compared before")
            }
        }
    }

    pub(super) fn stored(&mut self, number: Call, step: &mut Step) {
        let Some(flight) = self.in_flight.storing.remove(&number) else { return };
        let Task { queries, window, .. } = flight.call.task;
        for query in queries {
            let state = &mut self.states.all[query];
            state.left_s -= window.secs();
            if state.left_s == 0 {
                step.actions.push(Action::Complete(query));
            }
        }
        self.conclude(step);
    }

    fn failed(
        &mut self,
        call: PendingCall,
        failure: Failure,
        rate: Option<&Rate>,
        step: &mut Step,
    ) {
        if let Purpose::Question(id) = call.purpose
            && let Failure::OtherInterval { .. } | Failure::TooLarge | Failure::UrlTooLong = failure
        {
            return self.question_taken(id, call, &failure, step);
        }
        if call.is_doubt() && ends_doubt(&failure, call.attempts) {
            return self.doubt_failed(step);
        }
        if failure.may_be_size() {
            self.evidence.refused(&call.task.queries);
            if call.purpose == Purpose::Beyond {
                return self.attempt_refused(step);
            }
        }
        match failure {
            Failure::Forbidden { words } => self.scheduler.forbidden(step.now, words),
            Failure::Limited { retry_after, .. } => {
                self.queue.ready.push_front(call);
                self.scheduler.limited(step.now, rate, retry_after);
            }
            Failure::Transient { what } => self.transient(call, what, step),
            Failure::Unusable { what } => self.unusable(call, what, step),
            // No query can make its endpoint vanish.
            Failure::NotAnApi { words } | Failure::NotFound { words } => {
                if !self.scheduler.no_api(step.now, &words) {
                    self.unusable(call, words, step);
                }
            }
            Failure::TimedOut { what } => self.timed_out(call, what, step),
            Failure::Refused { words } => self.refused(call, words, step),
            Failure::UrlTooLong => self.url_too_long(call, step),
            Failure::TooLarge => self.too_large(call, step),
            Failure::OtherInterval { others, others_fine } => {
                self.other_interval(call, &OtherInterval { others, others_fine }, step);
            }
        }
    }

    /// The server took a small question, and that is what was to be known.
    fn question_taken(
        &mut self,
        id: u64,
        mut call: PendingCall,
        failure: &Failure,
        step: &mut Step,
    ) {
        if matches!(failure, Failure::UrlTooLong) && call.attempts == 0 {
            // It says nothing about the question, and as long a list was taken before.
            call.attempts = 1;
            return self.queue.ready.push_front(call);
        }
        if matches!(failure, Failure::TooLarge) && call.attempts == 0 {
            // So small a question has so large an answer only when something is broken.
            let what = format!("more than {} MiB for a small question", BODY_BYTES_MAX >> 20);
            return self.transient(call, what, step);
        }
        let decisions = self.bisection.outcome(id, call.task, Ok(()), &self.states);
        self.carry_out(decisions, step);
    }

    fn transient(&mut self, call: PendingCall, what: String, step: &mut Step) {
        self.retry_or_refuse(call, what, Backoff::TRANSIENT, step);
    }

    fn retry_or_refuse(
        &mut self,
        mut call: PendingCall,
        what: String,
        pace: Backoff,
        step: &mut Step,
    ) {
        call.attempts += 1;
        let is_answer = self.scheduler.is_to_blame(call.attempts, call.tried_since)
            || call.is_question() && self.scheduler.settles(step.now, call.attempts);
        if is_answer {
            return self.refused(call, what, step);
        }
        self.retry(vec![call], what, pace, step);
    }

    /// Makes the calls again after a pause, the longer the more has failed.
    fn retry(&mut self, calls: Vec<PendingCall>, what: String, pace: Backoff, step: &Step) {
        self.scheduler.retry(step.now, what, pace);
        for call in calls {
            let at = self.scheduler.again_at(step.now, call.attempts, pace);
            self.queue.delayed.push((at, call));
        }
        self.scheduler.check_deadline(step.now);
    }

    /// An answer that cannot be used. Where nothing else comes through, one query of the list may spoil every call: its
    /// halves are asked instead, and as soon as one of them comes through the other is to blame.
    fn unusable(&mut self, call: PendingCall, what: String, step: &mut Step) {
        let nothing_else = self.scheduler.unusable() && call.attempts > 0;
        let pace = Backoff::UNUSABLE;
        if !nothing_else || !call.is_fetch() || call.task.queries.len() == 1 {
            return self.retry_or_refuse(call, what, pace, step);
        }
        let halves = list_halves(&call.task).map(|task| PendingCall {
            attempts: call.attempts + 1,
            tried_since: call.tried_since,
            ..PendingCall::fetch(task)
        });
        self.retry(halves.into(), what, pace, step);
    }

    /// Once may be chance. Twice: the call asks for too much.
    fn timed_out(&mut self, call: PendingCall, what: String, step: &mut Step) {
        let suspected = matches!(call.purpose, Purpose::Half(_));
        if call.attempts == 0 && !suspected {
            return self.transient(call, what, step);
        }
        self.scheduler.failed(what.clone());
        if call.task.queries.len() > 1 {
            return self.refused(call, what, step);
        }
        let halves = call.task.window.halves(call.task.interval);
        match halves.filter(|_| !at_points_min(&call.task)) {
            Some((early, late)) => {
                for window in [late, early] {
                    let task = Task { window, ..call.task.clone() };
                    self.queue.ready.push_front(PendingCall::fetch(task));
                }
                self.reshape(&call, step);
            }
            None => self.transient(call, what, step),
        }
    }

    fn refused(&mut self, mut call: PendingCall, words: String, step: &mut Step) {
        if call.purpose == Purpose::Beyond {
            return self.attempt_refused(step);
        }
        if call.purpose == Purpose::CapCheck {
            self.reshape(&call, step);
            call.purpose = Purpose::Fetch;
        }
        let task = call.task;
        let refusal = Refusal::new(task.clone(), words.clone());
        let decisions = match call.purpose {
            Purpose::Fetch if task.window.end_s() <= self.limits.oldest_s => {
                vec![Consequence::OutOfPlace(refusal)]
            }
            Purpose::Half(id) | Purpose::Question(id) => {
                self.bisection.outcome(id, task, Err(words), &self.states)
            }
            Purpose::Trial => {
                let reason = GiveUpReason::Refused(words);
                vec![Consequence::give_up(task.queries[0], reason)]
            }
            Purpose::Fetch if self.points_cap.explains(&task) && !at_points_min(&task) => {
                vec![Consequence::FewerPoints { tasks: vec![task], words }]
            }
            Purpose::Fetch => self.bisection.refused(refusal, &self.states),
            Purpose::Doubt | Purpose::Recheck => return self.doubt_failed(step),
            Purpose::CapCheck | Purpose::Beyond => unreachable!("it was dealt with"),
        };
        self.carry_out(decisions, step);
    }

    fn url_too_long(&mut self, mut call: PendingCall, step: &mut Step) {
        let length = self.states.url_len(&call.task);
        if call.attempts == 0 && self.url_length.may_be_chance(length) {
            // Once is no rule.
            call.attempts = 1;
            return self.queue.ready.push_front(call);
        }
        if let [query] = call.task.queries[..] {
            let reason = GiveUpReason::UrlTooLong;
            return self.carry_out([Consequence::give_up(query, reason)], step);
        }
        let shorter = self.url_length.refused(length);
        self.carry_out([shorter], step);
        self.raises.lowered(Subject::Url, Some(length));
        self.again(call, step);
    }

    pub(super) fn too_large(&mut self, call: PendingCall, step: &mut Step) {
        self.reshape(&call, step);
        let consequences = self.weights.too_large(call.task, &mut self.states, self.limits);
        self.carry_out(consequences, step);
    }

    fn other_interval(&mut self, call: PendingCall, answer: &OtherInterval, step: &mut Step) {
        let asked = call.task.interval;
        let Some(got) = worst(&answer.others, asked) else {
            return self.transient(call, "no interval came".to_owned(), step);
        };
        if got > asked && call.attempts == 0 && self.points_cap.has_served(&call.task) {
            // As many points at full resolution have been seen: this answer is chance.
            let what = format!("coarser ({got}) than the same number of points was served before");
            return self.transient(call, what, step);
        }
        if got < asked && call.attempts == 0 {
            // No cap makes an answer finer: it may be chance, and a query is not given up by chance.
            return self.transient(call, format!("finer ({got}) than asked"), step);
        }
        let is_alike = |other: &&Other| (other.got > asked) == (got > asked);
        let alike = answer.others.iter().filter(is_alike);
        let named: Vec<Coarse> = alike
            .map(|other| Coarse { query: *other.query.of(&call.task.queries), got: other.got })
            .collect();
        if got < asked || at_points_min(&call.task) {
            return self.not_offered(call, &named, step);
        }
        if answer.others_fine {
            self.points_cap.partly_answered(&call.task);
        }
        let served = |query: PlanIndex| self.states.all[query].served;
        let is_own =
            |coarse: &Coarse| !matches!(served(coarse.query), Served::AsOthers | Served::Offered);
        if self.points_cap.has_answered(&call.task) || named.iter().all(is_own) {
            self.reshape(&call, step);
            let decisions = self.query_cap.isolate(&call.task, &named, &mut self.states);
            return self.carry_out(decisions, step);
        }
        if let [query] = call.task.queries[..]
            && served(query) == Served::AsOthers
        {
            self.reshape(&call, step);
            let check = self.query_cap.doubt(&call.task, &mut self.states);
            return self.carry_out(check, step);
        }
        let served = u32::try_from(call.task.window.secs() / got.secs()).unwrap_or(u32::MAX);
        let points = points(&call.task);
        let fewer = Limits::fewer_points(points, served);
        let why = format!("{points} points came back every {got}");
        self.lower_points(&call.task, fewer, why, step);
        self.again(call, step);
    }

    /// Gives up the queries whose interval the server does not offer; the others of the call are asked again.
    fn not_offered(&mut self, call: PendingCall, named: &[Coarse], step: &mut Step) {
        let asked = call.task.interval;
        let give_up = |coarse: &Coarse| {
            let reason = GiveUpReason::NotOffered { asked, nearest: coarse.got };
            Consequence::give_up(coarse.query, reason)
        };
        self.carry_out(named.iter().map(give_up), step);
        match call.purpose {
            Purpose::CapCheck => {
                let decisions = self.query_cap.partly_answered(call.task, &mut self.states);
                self.carry_out(decisions, step);
            }
            Purpose::Fetch
            | Purpose::Half(_)
            | Purpose::Question(_)
            | Purpose::Trial
            | Purpose::Doubt
            | Purpose::Recheck
            | Purpose::Beyond => self.again(call, step),
        }
    }

    /// Puts the call back at once; what was learnt cuts it when it comes up.
    pub(super) fn again(&mut self, call: PendingCall, step: &mut Step) {
        self.reshape(&call, step);
        self.queue.ready.push_front(PendingCall::fetch(call.task));
    }

    /// Takes in that the call goes on in another shape: what waited for its answer can conclude nothing.
    pub(super) fn reshape(&mut self, call: &PendingCall, step: &mut Step) {
        let decisions = match call.purpose {
            Purpose::Fetch | Purpose::Beyond => Vec::new(),
            Purpose::Half(id) | Purpose::Question(id) => {
                let tasks = self.bisection.void(id).into_iter();
                tasks.map(Consequence::fetch).collect()
            }
            Purpose::Trial => self.release_trial(&call.task),
            Purpose::CapCheck => {
                let unknown = vec![0; call.task.queries.len()];
                self.query_cap.answered(&call.task, &unknown, &mut self.states)
            }
            Purpose::Doubt | Purpose::Recheck => return self.doubt_failed(step),
        };
        self.carry_out(decisions, step);
    }

    /// Returns the rest of the tasks of the query on trial.
    fn release_trial(&mut self, task: &Task) -> Vec<Consequence> {
        let rest = self.on_trial.remove(&task.queries[0]).unwrap_or_default();
        rest.into_iter().map(|task| Consequence::AskLast(PendingCall::fetch(task))).collect()
    }

    pub(super) fn carry_out(
        &mut self,
        consequences: impl IntoIterator<Item = Consequence>,
        step: &mut Step,
    ) {
        for consequence in consequences {
            match consequence {
                Consequence::Ask(call) => self.queue.ready.push_front(call),
                Consequence::AskLast(call) => self.queue.ready.push_back(call),
                Consequence::AskBehind(call) => self.queue.push_behind_overlapping(call),
                Consequence::Replan => self.is_outdated = true,
                Consequence::Decide(decision) => self.decide(decision, step),
                Consequence::Limit { limit, why } => self.learn(limit, why, step),
                Consequence::Refuted(limit) => self.unlearn(limit, step),
                Consequence::FewerPoints { tasks, words } => {
                    self.fewer_points(&tasks, &words, step);
                }
                Consequence::OutOfPlace(Refusal { task, .. }) if self.edge.doubts(&task) => {
                    self.queue.ready.push_front(PendingCall::fetch(task));
                }
                Consequence::OutOfPlace(Refusal {
                    task: Task { queries, window, .. },
                    words,
                    ..
                }) => {
                    if self.edge.refused(window, &words, self.limits.oldest_s) {
                        let (limit, why) = (LearntLimit::OldestKept(window.end()), words.clone());
                        self.learn(limit, why, step);
                    }
                    for query in queries {
                        let reason = words.clone();
                        self.decide(Decision::RefuseWindow { query, window, reason }, step);
                    }
                }
            }
        }
    }

    /// Takes in a decision about queries, and has it kept.
    fn decide(&mut self, decision: Decision, step: &mut Step) {
        match &decision {
            Decision::GiveUp { query, .. } if self.states.all[*query].given_up => return,
            Decision::GiveUp { query, .. } => {
                self.states.all[*query].given_up = true;
                self.weights.given_up(*query);
                self.on_trial.remove(query);
                self.points_cap.given_up(*query);
                if self.evidence.rests_on(*query) {
                    self.unlearn(LearntLimit::Points(self.limits.points), step);
                }
            }
            Decision::SendUnfilled { query } => self.states.send_unfilled(*query),
            Decision::Weigh { .. }
            | Decision::RefuseWindow { .. }
            | Decision::Learn { .. }
            | Decision::Confirm { .. }
            | Decision::Unlearn { .. }
            | Decision::Reopen { .. }
            | Decision::Trust { .. } => {}
        }
        step.actions.push(Action::Record(decision));
    }
}

/// The interval to be explained: the coarsest interval, or the finest where all are finer than asked.
fn worst(others: &[Other], asked: Interval) -> Option<Interval> {
    let all = || others.iter().map(|other| other.got);
    all().filter(|&got| got > asked).max().or_else(|| all().min())
}
