//! What the machine knows of each query, and the jobs it still has to do.

use crate::plan::{
    BODY_BYTES_TARGET, Limits, PerQuery, Plan, PlanIndex, RETENTION, Task, WEIGHT_ASSUMED, Window,
    buckets, escaped_len, tile,
};
use jiff::{SignedDuration, Timestamp};

/// What was planned for three quarters of what the client takes is cut only when seven eighths are expected: a little more
/// than planned is not worth another call.
const BODY_BYTES_MOST: f64 = (56 << 20) as f64;

/// One query as the run sees it.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) asked: Option<Window>,
    /// Seconds of gaps that no answer has closed yet.
    pub(super) left_s: i64,
    pub(super) travels: Travels,
    /// There is a form without the fill that jindo added.
    pub(super) has_unfilled: bool,
    pub(super) given_up: bool,
    pub(super) served: Served,
    escaped: usize,
    /// Decoded bytes a bucket, from the answers so far.
    pub(super) weight: Option<f64>,
}

/// What is younger may still change; a question about it is answered all the same.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// In what company and form a query travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Travels {
    Together,
    Alone,
    /// As written, alone, since the server refuses the added fill.
    Unfilled,
}

/// How many points of a query the server serves at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// As many as of the others, as far as known.
    AsOthers,
    /// It came back coarse where others did not, and why is being asked; so many, if the interval is on offer at all.
    Unsure(u32),
    AtMost(u32),
}

/// One call to be made.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) task: Task,
    /// Calls made for it in vain.
    pub(super) attempts: u32,
    /// When the first of these was sent.
    pub(super) tried_since: Option<Timestamp>,
    pub(super) purpose: Purpose,
}

/// What an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Fetch,
    /// Half of a refused task: its fate tells the diagnosis of that number more.
    Half(u64),
    /// A small question of the diagnosis of that number; its answer is not kept.
    Question(u64),
    /// The one call for a query that an earlier run gave up.
    Trial,
    /// A small part of what came back coarse while others did not: is the interval on offer?
    Sounding,
}

impl Job {
    pub(super) fn fetch(task: Task) -> Self {
        Self { task, attempts: 0, tried_since: None, purpose: Purpose::Fetch }
    }

    /// Whether it shares a query with `task`.
    pub(super) fn is_akin(&self, task: &Task) -> bool {
        self.task.queries.iter().any(|query| task.queries.contains(query))
    }
}

/// All queries of the run.
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    all: PerQuery<Subject>,
    /// When the machine was last told the time.
    now: Timestamp,
}

impl Subjects {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut subjects: PerQuery<_> = plan
            .queries
            .iter()
            .zip(&plan.asked)
            .map(|(query, &asked)| Subject {
                asked,
                left_s: 0,
                travels: if query.text.alone { Travels::Alone } else { Travels::Together },
                has_unfilled: query.text.unfilled.is_some(),
                given_up: false,
                served: Served::AsOthers,
                escaped: escaped_len(&query.text.sent),
                weight: query.weight.map(as_float),
            })
            .collect();
        for task in &plan.tasks {
            for &query in &task.queries {
                subjects[query].left_s += task.window.secs();
            }
        }
        Self { all: subjects, now: Timestamp::MIN }
    }

    pub(super) fn told(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The newest moment at which the query may be asked a small question: the end of what is asked of it, or, where that may be
    /// older than what the server keeps, of these days.
    pub(super) fn newest_s(&self, query: PlanIndex) -> Option<i64> {
        let asked_s = self.all[query].asked?.end_s();
        let kept = |now: Timestamp| asked_s > (now - RETENTION).as_second();
        let told = Some(self.now).filter(|&now| now != Timestamp::MIN);
        let lately = |now: Timestamp| (now - LATELY).as_second();
        Some(told.filter(|&now| !kept(now)).map_or(asked_s, lately))
    }

    pub(super) fn get(&self, query: PlanIndex) -> &Subject {
        &self.all[query]
    }

    pub(super) fn get_mut(&mut self, query: PlanIndex) -> &mut Subject {
        &mut self.all[query]
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

    /// `task` cut to what may be asked now: without the queries that were given up, within the limits, not too heavy. One
    /// task when nothing had to be cut, none when nobody wants it any more.
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
            let windows = tile(task.window, task.interval, limits);
            return windows.into_iter().map(|window| Task { window, ..task.clone() }).collect();
        }
        let apart = |&query: &PlanIndex| self.all[query].travels != Travels::Together;
        let crowded = task.queries.len() > limits.queries || self.url_len(&task) > limits.url;
        let heavy = self.expected_bytes(&task) > BODY_BYTES_MOST;
        if task.queries.len() > 1 && (crowded || heavy || task.queries.iter().any(apart)) {
            return self.divide(&task, limits);
        }
        if heavy {
            let weight = self.all[task.queries[0]].weight.unwrap_or_default();
            let windows = tile(task.window, task.interval, limits.carrying(as_whole(weight)));
            return windows.into_iter().map(|window| Task { window, ..task.clone() }).collect();
        }
        vec![task]
    }

    /// Points of it that are served at once.
    pub(super) fn points(&self, query: PlanIndex, limits: Limits) -> u32 {
        match self.all[query].served {
            Served::AsOthers | Served::Unsure(_) => limits.points,
            Served::AtMost(most) => most.min(limits.points),
        }
    }

    /// Those of which the fewest points are served in windows of their own, the others as before.
    fn part(&self, task: &Task, fewest: Limits, limits: Limits) -> Vec<Task> {
        let is_few = |query: &&PlanIndex| self.points(**query, limits) == fewest.points;
        let (few, others): (Vec<PlanIndex>, Vec<PlanIndex>) = task.queries.iter().partition(is_few);
        let windows = tile(task.window, task.interval, fewest).into_iter();
        let few = windows.map(|window| Task { queries: few.clone(), window, ..*task });
        let others = Task { queries: others, ..task.clone() };
        few.chain((!others.queries.is_empty()).then_some(others)).collect()
    }

    /// The task's queries in several tasks: those apart alone, the others filled up in order to count, length and weight.
    fn divide(&self, task: &Task, limits: Limits) -> Vec<Task> {
        let part = |queries: &[PlanIndex]| Task { queries: queries.to_vec(), ..task.clone() };
        let mut parts: Vec<Task> = Vec::new();
        let mut open: Vec<PlanIndex> = Vec::new();
        for &query in &task.queries {
            if self.all[query].travels != Travels::Together {
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
