//! State of each query of a job, and the cut of a task to what may be asked of its queries now. Pure.

use super::call::points;
use crate::plan::{
    BODY_BYTES_TARGET, Limits, PerQuery, Plan, PlanIndex, RETENTION, Task, WEIGHT_ASSUMED, Window,
    buckets, earlier, escaped_len, tile,
};
use crate::query::Query;
use jiff::{SignedDuration, Timestamp};

/// Answers are planned for three quarters of what the client takes, and cut only when seven eighths are expected: a little more
/// than planned is not worth another call.
const BODY_BYTES_MOST: f64 = (56 << 20) as f64;

#[derive(Debug, Clone)]
pub(super) struct QueryState {
    pub(super) asked: Option<Window>,
    /// Seconds of gaps that no stored answer has closed yet.
    pub(super) left_s: i64,
    /// It goes without the fill that jindo added, since the server refuses that.
    unfilled: bool,
    pub(super) given_up: bool,
    pub(super) served: Served,
    /// Points that a call for it, in the form in which it is sent first, asked for at most which the server has taken. 0: it has taken none.
    pub(super) accepted: u32,
    /// Length of its text in a URL.
    escaped: usize,
    /// Decoded bytes a bucket, from the answers so far.
    pub(super) weight: Option<f64>,
}

/// Age from which a small question is surely answered; younger points may still change.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// Points of a query that the server serves at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// As many as of the others, as far as known.
    AsOthers,
    /// The same; a small call did not find that its interval is not on offer.
    Offered,
    /// It came back coarse alone, and a small call asks whether its interval is on offer.
    Doubted,
    /// It came back coarse where others did not, and a small call asks why; so many, if the interval is on offer at all.
    Unsure(u32),
    AtMost(u32),
}

/// All queries of a set of calls.
#[derive(Debug, Clone)]
pub(super) struct QueryStates {
    pub(super) all: PerQuery<QueryState>,
    /// As planned, but for those that turned out to be sent alone, or to be heavy.
    pub(super) planned: PerQuery<Query>,
    /// The last step of the machine.
    pub(super) now: Timestamp,
}

impl QueryState {
    /// Returns whether the query goes without the fill that jindo added.
    pub(super) fn is_unfilled(&self) -> bool {
        self.unfilled
    }
}

impl QueryStates {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut states: PerQuery<_> = plan
            .queries
            .iter()
            .zip(&plan.asked)
            .map(|(query, &asked)| QueryState {
                asked,
                left_s: 0,
                unfilled: false,
                given_up: false,
                served: Served::AsOthers,
                accepted: 0,
                escaped: escaped_len(&query.text.sent),
                weight: query.weight.map(as_float),
            })
            .collect();
        for task in &plan.tasks {
            for &query in &task.queries {
                states[query].left_s += task.window.secs();
            }
        }
        Self { all: states, planned: plan.queries.clone(), now: Timestamp::MIN }
    }

    /// Returns the newest moment, in Unix seconds, at which the query may be asked a small question: the end of its range, or,
    /// where that may be past retention, an hour ago. `None`: nothing is asked of it.
    pub(super) fn newest_s(&self, query: PlanIndex) -> Option<i64> {
        let asked_s = self.all[query].asked?.end_s();
        let may_be_gone =
            self.now != Timestamp::MIN && asked_s <= earlier(self.now, RETENTION).as_second();
        Some(if may_be_gone { earlier(self.now, LATELY).as_second() } else { asked_s })
    }

    pub(super) fn send_unfilled(&mut self, query: PlanIndex) {
        self.all[query].unfilled = true;
        self.planned[query].text.alone = true;
    }

    /// Decoded bytes that the answer to `task` is expected to have.
    pub(super) fn expected_bytes(&self, task: &Task) -> f64 {
        let assumed = as_float(WEIGHT_ASSUMED);
        let weight = |&query: &PlanIndex| self.all[query].weight.unwrap_or(assumed);
        let per_bucket: f64 = task.queries.iter().map(weight).sum();
        per_bucket * as_float(buckets(task.window, task.interval))
    }

    /// The length of the task's list in a URL.
    pub(super) fn url_len(&self, task: &Task) -> usize {
        task.queries
            .iter()
            .map(|&query| self.all[query].escaped + escaped_len(crate::plan::SEPARATOR))
            .sum()
    }

    /// Returns the length of the longest query in a URL, with what separates it from the next.
    pub(super) fn longest_url(&self) -> usize {
        let longest = self.all.iter().map(|state| state.escaped).max();
        longest.unwrap_or(0) + escaped_len(crate::plan::SEPARATOR)
    }

    /// Returns whether fewer points are served of some query than of the others.
    pub(super) fn has_own_caps(&self, limits: Limits) -> bool {
        let alive = self.all.indexes().filter(|&query| !self.all[query].given_up);
        alive.into_iter().any(|query| self.points(query, limits) < limits.points)
    }

    /// Returns whether the server has taken calls for so many points of each of the task's queries.
    pub(super) fn has_accepted(&self, task: &Task) -> bool {
        let points = points(task);
        task.queries.iter().all(|&query| self.all[query].accepted >= points)
    }

    /// Takes in that the server has taken the task.
    pub(super) fn accepted(&mut self, task: &Task) {
        let points = points(task);
        for &query in &task.queries {
            let accepted = &mut self.all[query].accepted;
            *accepted = points.max(*accepted);
        }
    }

    /// Returns whether no query but this one is still asked.
    pub(super) fn is_last(&self, query: PlanIndex) -> bool {
        self.all.indexes().all(|other| other == query || self.all[other].given_up)
    }

    /// `task` cut to what may be asked now: without the queries that were given up, within the limits, not too heavy. One
    /// task when nothing had to be cut, none when it is not wanted any more.
    pub(super) fn fit(&self, mut task: Task, limits: Limits) -> Vec<Task> {
        task.queries.retain(|&query| !self.all[query].given_up);
        if task.queries.is_empty() {
            return Vec::new();
        }
        let least = task.queries.iter().map(|&query| self.points(query, limits)).min();
        let fewest = Limits { points: least.unwrap_or(limits.points), ..limits };
        if fewest.points < limits.points
            && task.window.secs() > fewest.window_secs_max(task.interval)
        {
            return self.part(&task, fewest, limits);
        }
        if task.window.secs() > limits.window_secs_max(task.interval) {
            return tiles(&task, limits);
        }
        let apart = |&query: &PlanIndex| self.planned[query].text.alone;
        let crowded = task.queries.len() > limits.queries || self.url_len(&task) > limits.url;
        let heavy = self.expected_bytes(&task) > BODY_BYTES_MOST;
        if task.queries.len() > 1 && (crowded || heavy || task.queries.iter().any(apart)) {
            return self.divide(&task, limits);
        }
        if heavy {
            let weight = self.all[task.queries[0]].weight.unwrap_or_default();
            return tiles(&task, limits.carrying(as_whole(weight)));
        }
        vec![task]
    }

    /// Points of it that are served at once.
    pub(super) fn points(&self, query: PlanIndex, limits: Limits) -> u32 {
        match self.all[query].served {
            Served::AsOthers | Served::Offered | Served::Doubted | Served::Unsure(_) => {
                limits.points
            }
            Served::AtMost(most) => most.min(limits.points),
        }
    }

    /// Those of which the fewest points are served in windows of their own, the others as before.
    fn part(&self, task: &Task, fewest: Limits, limits: Limits) -> Vec<Task> {
        let is_few = |query: &&PlanIndex| self.points(**query, limits) == fewest.points;
        let (few, others): (Vec<PlanIndex>, Vec<PlanIndex>) = task.queries.iter().partition(is_few);
        let mut parts = tiles(&Task { queries: few, ..*task }, fewest);
        if !others.is_empty() {
            parts.push(Task { queries: others, ..*task });
        }
        parts
    }

    /// The task's queries in several tasks: those apart alone, the others filled up in order to count, length and weight.
    fn divide(&self, task: &Task, limits: Limits) -> Vec<Task> {
        let part = |queries: &[PlanIndex]| Task { queries: queries.to_vec(), ..task.clone() };
        let mut parts: Vec<Task> = Vec::new();
        let mut open: Vec<PlanIndex> = Vec::new();
        for &query in &task.queries {
            if self.planned[query].text.alone {
                parts.push(part(&[query]));
                continue;
            }
            let mut wider = part(&open);
            wider.queries.push(query);
            let fits = wider.queries.len() <= limits.queries
                && self.url_len(&wider) <= limits.url
                && self.expected_bytes(&wider) <= as_float(BODY_BYTES_TARGET);
            if !fits && !open.is_empty() {
                parts.push(part(&open));
                open.clear();
            }
            open.push(query);
        }
        if !open.is_empty() {
            parts.push(part(&open));
        }
        parts
    }
}

/// The task in windows that keep to the limits.
fn tiles(task: &Task, limits: Limits) -> Vec<Task> {
    let windows = tile(task.window, task.interval, limits).into_iter();
    windows.map(|window| Task { window, ..task.clone() }).collect()
}

#[expect(clippy::cast_precision_loss, reason = "an estimate of bytes")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}

/// Rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes of a body, which are few"
)]
pub(super) fn as_whole(bytes: f64) -> u64 {
    bytes.ceil() as u64
}
