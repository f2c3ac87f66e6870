//! What the machine knows of each query, and the jobs it still has to do.

use crate::plan::{Limits, Plan, Task, Window, escaped_len, tile};
use jiff::Timestamp;

/// Decoded bytes that one call should bring at most; three quarters of what the client takes.
const BODY_BYTES_TARGET: f64 = (48 << 20) as f64;

/// Bytes a bucket of a query nobody has seen yet: about three series.
const WEIGHT_ASSUMED: f64 = 100.0;

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
    escaped: usize,
    /// Decoded bytes a bucket, from the answers so far.
    pub(super) weight: Option<f64>,
}

/// In what company and form a query travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Travels {
    Together,
    Alone,
    /// As written, alone, since the server refuses the added fill.
    Unfilled,
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
    Probe(u64),
    /// The one call for a query that an earlier run gave up.
    Trial,
}

impl Job {
    pub(super) fn fetch(task: Task) -> Self {
        Self { task, attempts: 0, tried_since: None, purpose: Purpose::Fetch }
    }
}

/// All queries of the run.
#[derive(Debug, Clone)]
pub(super) struct Subjects(Vec<Subject>);

impl Subjects {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut subjects: Vec<_> = plan
            .queries
            .iter()
            .zip(&plan.asked)
            .map(|(query, &asked)| Subject {
                asked,
                left_s: 0,
                travels: if query.alone { Travels::Alone } else { Travels::Together },
                has_unfilled: query.unfilled.is_some(),
                given_up: false,
                escaped: escaped_len(&query.sent),
                weight: None,
            })
            .collect();
        for task in &plan.tasks {
            for &query in &task.queries {
                subjects[query].left_s += task.window.secs();
            }
        }
        Self(subjects)
    }

    pub(super) fn get(&self, query: usize) -> &Subject {
        &self.0[query]
    }

    pub(super) fn get_mut(&mut self, query: usize) -> &mut Subject {
        &mut self.0[query]
    }

    /// Decoded bytes that the answer to `task` is expected to have.
    pub(super) fn expected_bytes(&self, task: &Task) -> f64 {
        let per_bucket: f64 =
            task.queries.iter().map(|&query| self.0[query].weight.unwrap_or(WEIGHT_ASSUMED)).sum();
        per_bucket * buckets(task)
    }

    /// The length of the task's list in a URL.
    pub(super) fn url_len(&self, task: &Task) -> usize {
        task.queries
            .iter()
            .map(|&query| self.0[query].escaped + escaped_len(crate::plan::SEPARATOR))
            .sum()
    }

    /// `task` cut to what may be asked now: without the queries that were given up, within the limits, not too heavy. One
    /// task when nothing had to be cut, none when nobody wants it any more.
    pub(super) fn fit(&self, mut task: Task, limits: Limits) -> Vec<Task> {
        task.queries.retain(|&query| !self.0[query].given_up);
        if task.queries.is_empty() {
            return Vec::new();
        }
        if task.window.secs() > limits.window_secs_max(task.interval) {
            let windows = tile(task.window, task.interval, limits);
            return windows.into_iter().map(|window| Task { window, ..task.clone() }).collect();
        }
        let apart = |&query: &usize| self.0[query].travels != Travels::Together;
        let crowded = task.queries.len() > limits.queries || self.url_len(&task) > limits.url;
        let heavy = self.expected_bytes(&task) > BODY_BYTES_TARGET;
        if task.queries.len() > 1 && (crowded || heavy || task.queries.iter().any(apart)) {
            return self.divide(&task, limits);
        }
        if heavy && let Some((early, late)) = task.window.halves(task.interval) {
            return vec![Task { window: early, ..task.clone() }, Task { window: late, ..task }];
        }
        vec![task]
    }

    /// The task's queries in several tasks: those apart alone, the others filled up in order to count, length and weight.
    fn divide(&self, task: &Task, limits: Limits) -> Vec<Task> {
        let part = |queries: &[usize]| Task { queries: queries.to_vec(), ..task.clone() };
        let mut parts: Vec<Task> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for &query in &task.queries {
            if self.0[query].travels != Travels::Together {
                parts.push(part(&[query]));
                continue;
            }
            let mut wider = part(&open);
            wider.queries.push(query);
            let fits = wider.queries.len() <= limits.queries
                && self.url_len(&wider) <= limits.url
                && self.expected_bytes(&wider) <= BODY_BYTES_TARGET;
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

/// Buckets of the task's window, as a factor of its weight.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn buckets(task: &Task) -> f64 {
    task.window.points(task.interval).max(1) as f64
}
