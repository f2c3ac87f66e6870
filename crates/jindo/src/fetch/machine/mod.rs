//! One set of calls as a machine: (state, event, now) → actions. Pure; it performs nothing and knows no clock.
//!
//! It keeps the queue and the calls in flight and carries out the decisions of the bisection and the learners. [`Scheduler`]
//! decides when a call may go; `dispatch` sends, `outcome` takes in what came back.

mod attempts;
mod dispatch;
mod doubt;
mod limits;
mod outcome;

use attempts::OpenAttempt;

use super::bisect::Bisection;
use super::call::{PendingCall, Purpose};
use super::learn::{Evidence, PointsCap, QueryCap, Raises, RetentionEdge, UrlLength, Weights};
use super::protocol::{Action, Call, End, Event, Progress, Settings};
use super::query_state::QueryStates;
use super::queue::{InFlight, Queue};
use super::scheduler::Scheduler;
use crate::plan::{Limits, Plan, PlanIndex, Task, Window};
use doubt::Doubts;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
pub struct Machine {
    /// Calls in flight at once, at most, while the limits are proven.
    concurrency: usize,
    range: Window,
    limits: Limits,
    reliability: Reliability,
    states: QueryStates,
    scheduler: Scheduler,
    queue: Queue,
    in_flight: InFlight,
    /// Tasks of queries that an earlier run gave up; a trial of each decides about the rest of them.
    on_trial: BTreeMap<PlanIndex, Vec<Task>>,
    bisection: Bisection,
    points_cap: PointsCap,
    query_cap: QueryCap,
    weights: Weights,
    url_length: UrlLength,
    edge: RetentionEdge,
    raises: Raises,
    attempt: Option<OpenAttempt>,
    evidence: Evidence,
    /// Limits that hold where nothing else is learnt.
    assumed: Limits,
    doubts: Doubts,
    /// True if the queue was planned for other weights or caps of single queries.
    is_outdated: bool,
    /// Points of all answers that are stored.
    points: u64,
    waits_until: Option<Timestamp>,
    finished: bool,
}

/// Reliability of the limits, which decides how many calls may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reliability {
    /// No call of the planned size was answered yet: one call at a time, so that a mistake is made once.
    Unproven,
    /// They changed, and what is queued was planned for others. Answers to calls that were sent before prove nothing.
    Stale,
    Proven,
}

/// One step of the machine: its time, and the actions that it leads to.
struct Step {
    now: Timestamp,
    actions: Vec<Action>,
}

impl Machine {
    /// `given_up`: queries that an earlier run gave up; each gets one call to prove itself.
    pub fn new(plan: &Plan, given_up: &[PlanIndex], settings: Settings) -> Self {
        let mut on_trial: BTreeMap<PlanIndex, Vec<Task>> =
            given_up.iter().map(|&query| (query, Vec::new())).collect();
        let queue = queue(plan, &mut on_trial);
        let states = QueryStates::new(plan);
        let assumed = settings.assumed;
        Self {
            concurrency: settings.concurrency.max(1),
            range: plan.range,
            limits: settings.limits,
            reliability: Reliability::Unproven,
            weights: Weights::new(&states),
            states,
            scheduler: Scheduler::new(settings),
            queue: Queue::new(queue),
            in_flight: InFlight::default(),
            on_trial,
            bisection: Bisection::default(),
            points_cap: PointsCap::default(),
            query_cap: QueryCap::default(),
            url_length: UrlLength::default(),
            edge: RetentionEdge::default(),
            raises: Raises::new(assumed),
            attempt: None,
            evidence: Evidence::default(),
            assumed,
            doubts: Doubts::default(),
            is_outdated: false,
            points: 0,
            waits_until: None,
            finished: false,
        }
    }

    /// Returns what is to be done now that `event` has happened.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut step = Step { now, actions: Vec::new() };
        self.states.now = now;
        self.scheduler.pass(now);
        match event {
            Event::Started | Event::Woke => {}
            Event::Answered { call, outcome, rate } => {
                self.answered(call, outcome, rate.as_ref(), &mut step);
            }
            Event::Stored { call } => self.stored(call, &mut step),
            Event::Broke { cause } => {
                self.in_flight.storing.clear();
                self.scheduler.end(End::Broke { cause }, now);
            }
            Event::Interrupted => self.scheduler.interrupted(now),
        }
        self.dispatch(&mut step);
        step.actions
    }

    /// Returns whether the answer to `call` is still of use; a run that ends drops what is in flight.
    pub fn awaits(&self, call: Call) -> bool {
        self.in_flight.flying.contains_key(&call)
    }

    pub fn progress(&self) -> Progress {
        let trials: usize = self.on_trial.values().map(Vec::len).sum();
        let queued =
            self.queue.len() + self.query_cap.waiting.len() + self.bisection.parked.len() + trials;
        let flying = self.in_flight.flying.len();
        Progress {
            calls_made: self.scheduler.calls,
            calls_left: (queued + flying) as u64,
            flying,
            points: self.points,
            budget: self.scheduler.budget.left(),
            paced_until: self.scheduler.budget.paced_until(queued as u64),
            settled: self.is_proven()
                && self.query_cap.waiting.is_empty()
                && self.bisection.is_calm(),
            trouble: self.scheduler.trouble(),
            waits_until: self.waits_until,
        }
    }

    /// Returns whether the limits are proven and no learner is in doubt.
    fn is_proven(&self) -> bool {
        self.reliability == Reliability::Proven
            && !self.points_cap.is_unproven()
            && !self.raises.is_searching()
            && !self.weights.is_weighing()
            && self.doubts.is_calm()
            && !self.edge.is_sought(&self.queue)
    }
}

/// The plan's calls in its order, without the queries on trial, whose tasks go into `on_trial`; after them the trials.
fn queue(plan: &Plan, on_trial: &mut BTreeMap<PlanIndex, Vec<Task>>) -> VecDeque<PendingCall> {
    let mut queue = VecDeque::new();
    for task in &plan.tasks {
        let (tried, sound): (Vec<PlanIndex>, Vec<PlanIndex>) =
            task.queries.iter().partition(|query| on_trial.contains_key(query));
        for query in tried {
            let own = Task { queries: vec![query], ..task.clone() };
            on_trial.entry(query).or_default().push(own);
        }
        if !sound.is_empty() {
            queue.push_back(PendingCall::fetch(Task { queries: sound, ..task.clone() }));
        }
    }
    for tasks in on_trial.values_mut().filter(|tasks| !tasks.is_empty()) {
        // The newest: what is too old is refused whatever the query.
        let newest = tasks.iter().map(|task| task.window).enumerate().max_by_key(|(_, w)| *w);
        let (newest, _) = newest.expect("it has tasks");
        queue.push_back(PendingCall::of(Purpose::Trial, tasks.remove(newest)));
    }
    queue
}
