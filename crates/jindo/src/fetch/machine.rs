//! The run as a machine: (state, event, now) → actions. Pure; it performs nothing and knows no clock.

use super::bisect::Diagnoses;
use super::outage::Trouble;
use super::protocol::{Action, Ask, Call, End, Event, Form, Progress, Settings};
use super::query_state::{Job, Purpose, Subjects, Travels};
use super::retention::Edge;
use super::url_length::UrlLength;
use crate::clock::Random;
use crate::plan::{Limits, PerQuery, Plan, PlanIndex, Task, Window};
use crate::query::Query;
use crate::request::{Allowance, Budget};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Decoded bodies in flight together, by expectation. With one more being parsed and written a run stays under 200 MB.
const BYTES_IN_FLIGHT_MAX: f64 = (96_u32 << 20) as f64;

/// After an interruption, or when the keys are refused, answers under way may still come in within this time: they are paid
/// for. An interrupted process ends within 5 s.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(2);

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) job: Job,
    pub(super) sent_at: Timestamp,
    pub(super) bytes: f64,
}

/// How far the limits can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// No call of the planned size was answered yet: one call at a time, so that a mistake is made once.
    Unproven,
    /// They changed, and what is queued was planned for others.
    Stale,
    Proven,
}

/// Whose turn it is when both are ready: a few calls that always fail must not keep the others from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// A job that has not been sent yet.
    Fresh,
    /// One that has failed before.
    Tried,
}

#[derive(Debug)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) range: Window,
    /// As planned, but for those that turned out to travel alone.
    pub(super) queries: PerQuery<Query>,
    pub(super) limits: Limits,
    pub(super) budget: Budget,
    pub(super) random: Random,
    pub(super) subjects: Subjects,
    pub(super) queue: VecDeque<Job>,
    /// Jobs to be tried again, not before their time.
    pub(super) delayed: Vec<(Timestamp, Job)>,
    /// What a trial decides about: the rest of the tasks of a query that an earlier run gave up.
    pub(super) on_trial: BTreeMap<PlanIndex, Vec<Task>>,
    pub(super) turn: Turn,
    pub(super) flying: BTreeMap<Call, Flight>,
    pub(super) storing: BTreeMap<Call, Flight>,
    pub(super) diagnoses: Diagnoses,
    /// A points cap that no answer has proven yet: how many queries were in the call whose refusal led to it.
    pub(super) unproven_points: Option<usize>,
    /// Queries of answers that were too large, until an answer has weighed them.
    pub(super) weighing: BTreeSet<PlanIndex>,
    /// Weights changed, and what is queued was planned for others.
    pub(super) outweighed: bool,
    /// Some queries are heavy: of those that nobody has seen yet there is one call at a time.
    pub(super) wary: bool,
    pub(super) url: UrlLength,
    pub(super) edge: Edge,
    /// What came back coarse, while it is asked why.
    pub(super) waiting: Vec<Task>,
    pub(super) points_proven: u32,
    /// Points that were asked for at most in an answer with a series as it was asked.
    pub(super) length_proven: u32,
    pub(super) calls: u64,
    pub(super) points: u64,
    pub(super) succeeded_at: Option<Timestamp>,
    pub(super) trust: Trust,
    pub(super) trouble: Trouble,
    pub(super) hold_until: Option<Timestamp>,
    pub(super) waits_until: Option<Timestamp>,
    pub(super) ending: Option<(End, Timestamp)>,
    pub(super) finished: bool,
}

impl Machine {
    /// `given_up`: queries that an earlier run gave up; each gets one call to prove itself.
    pub fn new(plan: &Plan, given_up: &[PlanIndex], settings: Settings) -> Self {
        let mut on_trial: BTreeMap<PlanIndex, Vec<Task>> =
            given_up.iter().map(|&query| (query, Vec::new())).collect();
        let mut queue = VecDeque::new();
        for task in &plan.tasks {
            let (tried, sound): (Vec<PlanIndex>, Vec<PlanIndex>) =
                task.queries.iter().partition(|query| on_trial.contains_key(query));
            for query in tried {
                on_trial
                    .entry(query)
                    .or_default()
                    .push(Task { queries: vec![query], ..task.clone() });
            }
            if !sound.is_empty() {
                queue.push_back(Job::fetch(Task { queries: sound, ..task.clone() }));
            }
        }
        for tasks in on_trial.values_mut().filter(|tasks| !tasks.is_empty()) {
            // The newest: what is too old is refused whatever the query.
            let newest = tasks.iter().map(|task| task.window).enumerate().max_by_key(|(_, w)| *w);
            let (newest, _) = newest.expect("it has tasks");
            queue.push_back(Job { purpose: Purpose::Trial, ..Job::fetch(tasks.remove(newest)) });
        }
        Self {
            range: plan.range,
            queries: plan.queries.clone(),
            limits: settings.limits,
            budget: Budget::new(settings.reserve, settings.pace),
            random: Random::seeded(settings.seed),
            subjects: Subjects::new(plan),
            queue,
            delayed: Vec::new(),
            on_trial,
            turn: Turn::Tried,
            flying: BTreeMap::new(),
            storing: BTreeMap::new(),
            diagnoses: Diagnoses::default(),
            unproven_points: None,
            weighing: BTreeSet::new(),
            outweighed: false,
            wary: plan.queries.iter().any(|query| query.weight.is_some()),
            url: UrlLength::default(),
            edge: Edge::default(),
            waiting: Vec::new(),
            points_proven: 0,
            length_proven: 0,
            calls: 0,
            points: 0,
            succeeded_at: None,
            trust: Trust::Unproven,
            trouble: Trouble::default(),
            hold_until: None,
            waits_until: None,
            ending: None,
            finished: false,
            settings,
        }
    }

    /// What is to be done now that `event` has happened.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.subjects.told(now);
        self.trouble.pass(now, self.settings.give_up_after);
        match event {
            Event::Started | Event::Woke => {}
            Event::Answered { call, outcome, rate } => {
                self.answered(now, call, (outcome, rate), &mut actions);
            }
            Event::Stored { call } => self.stored(call, &mut actions),
            Event::Broke { cause } => {
                self.storing.clear();
                self.end(End::Broke { cause }, now);
            }
            Event::Interrupted => self.end(End::Interrupted, now + GRACE),
        }
        self.dispatch(now, &mut actions);
        actions
    }

    /// Whether the answer to `call` is still of use; a run that ends drops what is in the air.
    pub fn awaits(&self, call: Call) -> bool {
        self.flying.contains_key(&call)
    }

    pub fn progress(&self) -> Progress {
        let queued = self.queue.len()
            + self.delayed.len()
            + self.flying.len()
            + self.waiting.len()
            + self.diagnoses.waiting();
        let trials: usize = self.on_trial.values().map(Vec::len).sum();
        Progress {
            calls_made: self.calls,
            calls_left: (queued + trials) as u64,
            flying: self.flying.len(),
            points: self.points,
            budget: self.budget.left(),
            paced_until: self.budget.paced_until((queued + trials - self.flying.len()) as u64),
            settled: self.trust == Trust::Proven
                && !self.is_in_doubt()
                && self.waiting.is_empty()
                && self.diagnoses.is_calm(),
            trouble: self.trouble.what.clone(),
            waits_until: self.waits_until,
        }
    }

    fn dispatch(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.waits_until = None;
        while self.ending.is_none() && self.flying.len() < self.concurrency() {
            let waiting = self.diagnoses.resume(self.limits, &self.subjects);
            if !waiting.is_empty() {
                // Perhaps nothing is asked for it, and the next one is due: nobody else would wake it.
                self.apply(waiting, actions);
                continue;
            }
            if self.trust == Trust::Stale {
                self.replan(now, actions);
                self.trust = Trust::Unproven;
            } else if self.outweighed && self.weighing.is_empty() {
                self.replan(now, actions);
            }
            self.narrow_edge();
            let Some(job) = self.next_job(now) else { break };
            match self.may_send(now, &job) {
                Some(at) if at <= now => self.send(now, job, actions),
                wait => {
                    self.queue.push_front(job);
                    self.waits_until = wait;
                    actions.extend(wait.map(|at| Action::Wake { at }));
                    break;
                }
            }
        }
        if self.ending.is_none() && self.flying.len() < self.concurrency() {
            // What is due already waits for something else, and that will wake us.
            let next = self.delayed.iter().map(|(at, _)| *at).filter(|&at| at > now).min();
            actions.extend(next.map(|at| Action::Wake { at }));
        }
        self.finish(now, actions);
    }

    /// Until an answer of the planned size, while a new cap is unproven, and while those are weighed whose answers were too
    /// large, one call at a time: a mistake is made once.
    fn concurrency(&self) -> usize {
        let proven = self.trust == Trust::Proven && !self.is_in_doubt();
        if proven { self.settings.concurrency.max(1) } else { 1 }
    }

    fn is_in_doubt(&self) -> bool {
        self.unproven_points.is_some() || !self.weighing.is_empty() || self.seeks_edge()
    }

    /// When the job may go; `None`: an answer has to come first.
    fn may_send(&mut self, now: Timestamp, job: &Job) -> Option<Timestamp> {
        let expected = self.subjects.expected_bytes(&job.task);
        let held: f64 =
            self.flying.values().chain(self.storing.values()).map(|flight| flight.bytes).sum();
        if (held > 0.0 && held + expected > BYTES_IN_FLIGHT_MAX) || self.is_blind(job) {
            return None;
        }
        if let Some(until) = self.hold_until.filter(|&until| until > now) {
            return Some(until);
        }
        match self.budget.allowance(now) {
            Allowance::Now => Some(now),
            Allowance::At(at) => {
                if self.flying.is_empty() {
                    self.trouble.is_paced(now);
                }
                Some(at)
            }
            Allowance::AfterAnswer => None,
        }
    }

    /// The next job, cut to what may be asked now.
    fn next_job(&mut self, now: Timestamp) -> Option<Job> {
        let ready = self.delayed.iter().position(|(at, _)| *at <= now);
        // Tried and fresh jobs take turns: a few calls that always fail must not keep the others from being made.
        if let Some(ready) = ready.filter(|_| self.queue.is_empty() || self.turn == Turn::Tried) {
            let (_, job) = self.delayed.swap_remove(ready);
            self.queue.push_front(job);
        }
        while let Some(job) = self.queue.pop_front() {
            if let Purpose::Question(_) = job.purpose {
                return Some(job);
            }
            let mut parts = self.subjects.fit(job.task.clone(), self.limits);
            if parts.len() == 1 && parts[0] == job.task {
                return Some(job);
            }
            self.settle(&job);
            while let Some(task) = parts.pop() {
                self.queue.push_front(Job::fetch(task));
            }
        }
        None
    }

    fn send(&mut self, now: Timestamp, job: Job, actions: &mut Vec<Action>) {
        if self.settings.calls_max.is_some_and(|most| self.calls >= most) {
            self.queue.push_front(job);
            return self.end(End::OutOfCalls, now);
        }
        self.calls += 1;
        self.budget.sent(now);
        self.turn = if job.attempts > 0 { Turn::Fresh } else { Turn::Tried };
        self.trouble.goes_on(now);
        let form = self.form(&job);
        let Task { queries, interval, window } = job.task.clone();
        let ask = Ask { queries, form, interval, window, attempt: job.attempts + 1 };
        actions.push(Action::Ask { call: self.calls, ask });
        let bytes = self.subjects.expected_bytes(&job.task);
        self.flying.insert(self.calls, Flight { job, sent_at: now, bytes });
    }

    /// Returns the form in which the job's queries travel.
    fn form(&self, job: &Job) -> Form {
        let drops_fill = match job.purpose {
            Purpose::Question(id) => self.diagnoses.drops_fill(id, &self.subjects),
            Purpose::Fetch | Purpose::Half(_) | Purpose::Trial | Purpose::Sounding => false,
        };
        let unfilled = self.subjects.get(job.task.queries[0]).travels == Travels::Unfilled;
        if drops_fill || unfilled { Form::Unfilled } else { Form::Sent }
    }

    fn finish(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let idle = self.queue.is_empty()
            && self.delayed.is_empty()
            && self.waiting.is_empty()
            && self.diagnoses.is_idle();
        if self.ending.is_none() && idle && self.flying.is_empty() && self.storing.is_empty() {
            self.ending = Some((End::Done, now));
        }
        let Some((end, grace)) = self.ending.clone() else { return };
        if end == End::OutOfCalls && !self.flying.is_empty() {
            return;
        }
        if !self.flying.is_empty() && now < grace {
            actions.push(Action::Wake { at: grace });
            return;
        }
        self.flying.clear();
        if self.storing.is_empty() && !self.finished {
            self.finished = true;
            actions.push(Action::Finish { end });
        }
    }
}
