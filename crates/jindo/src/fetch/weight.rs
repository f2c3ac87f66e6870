//! What answers weigh: learnt from each of them, and from those that were too large. Pure.
//!
//! A list whose answer is too large is halved, a lone query's window is cut to a small piece first; until all of them have
//! been weighed there is one call at a time, so that a large answer is paid once and not once per call in flight.

use super::bisect::Conclusion;
use super::machine::Machine;
use super::protocol::{Action, Facts};
use super::query_state::{Job, as_whole};
use crate::archive::GiveUpReason;
use crate::plan::{BODY_BYTES_TARGET, PlanIndex, Task, Window, buckets};
use crate::request::BODY_BYTES_MAX;

/// A lone query that is too heavy for its window is weighed by a piece of so many parts of it: small enough to come through
/// where the window is some times too long, large enough to be worth its call.
const PARTS: u32 = 8;

/// So much heavier, or lighter, than what is kept changes what is kept. Less is the usual coming and going of series, and
/// worth neither a transaction nor a new plan: what stays below the first fits into the same calls.
const HEAVIER: f64 = 7.0 / 6.0;
const LIGHTER: f64 = 0.6;

impl Machine {
    /// Bytes a bucket of each query, from its share of the answer's points. A weight rises at once, since too much is paid
    /// for in vain, and falls slowly.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn weigh(&mut self, task: &Task, facts: &Facts, actions: &mut Vec<Action>) {
        let all = facts.points.iter().sum::<u64>().max(1) as f64;
        let buckets = buckets(task.window, task.interval) as f64;
        for (&query, &points) in task.queries.iter().zip(&facts.points) {
            let told = facts.bytes as f64 * (points as f64 / all) / buckets;
            let suspected = self.weighing.remove(&query);
            let weight = &mut self.subjects.get_mut(query).weight;
            *weight = Some(match *weight {
                Some(before) if !suspected && before > told => f64::midpoint(before, told),
                _ => told,
            });
        }
        self.note_weights(&task.queries, actions);
    }

    /// The answer is larger than what is taken.
    pub(super) fn too_large(&mut self, job: &Job, actions: &mut Vec<Action>) {
        let task = job.task.clone();
        if task.queries.len() == 1 && task.window.points(task.interval) == 1 {
            let reason = GiveUpReason::PointTooLarge { mebibytes_max: BODY_BYTES_MAX as u64 >> 20 };
            self.weighing.remove(&task.queries[0]);
            return self
                .apply(vec![Conclusion::GiveUp { query: task.queries[0], reason }], actions);
        }
        self.settle(job);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let most = BODY_BYTES_MAX as f64;
        if self.subjects.expected_bytes(&task) >= most {
            // Another call, sent before, has told; the parts into which that was cut go first.
            let others = self.queue.iter().position(|other| !other.is_akin(&task));
            self.queue.insert(others.unwrap_or(self.queue.len()), Job::fetch(task));
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let share = most / task.queries.len() as f64 / buckets(task.window, task.interval) as f64
            * ROUNDING;
        for &query in &task.queries {
            let weight = &mut self.subjects.get_mut(query).weight;
            *weight = Some(weight.unwrap_or(0.0).max(share));
            self.weighing.insert(query);
        }
        self.note_weights(&task.queries, actions);
        for part in parts(&task).into_iter().rev() {
            self.queue.push_front(Job::fetch(part));
        }
    }

    /// Whether the first answer about some of its queries is still to come, where heavy ones were found among others.
    pub(super) fn is_blind(&self, job: &Job) -> bool {
        let unseen = |query: &PlanIndex| self.subjects.get(*query).weight.is_none();
        self.wary
            && job.task.queries.iter().any(unseen)
            && self.flying.values().any(|flight| flight.job.is_akin(&job.task))
    }

    /// Keeps the weights of those queries that shape calls, for this run's plan and for the next run; drops those that no
    /// longer do.
    fn note_weights(&mut self, queries: &[PlanIndex], actions: &mut Vec<Action>) {
        let mut weights = Vec::new();
        for &query in queries {
            let Some(weight) = self.subjects.get(query).weight else { continue };
            let heavy = (weight > self.fair_share(query)).then(|| as_whole(weight));
            let worth_it = match (self.queries[query].weight, heavy) {
                (Some(kept), Some(told)) => is_other(kept, told),
                (kept, told) => kept != told,
            };
            if worth_it {
                self.queries[query].weight = heavy;
                weights.push((query, heavy));
            }
        }
        if !weights.is_empty() {
            self.outweighed = true;
            self.wary = true;
            actions.push(Action::Weigh { weights });
        }
    }

    /// Bytes a bucket up to which queries fit into full calls, whatever their company.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn fair_share(&self, query: PlanIndex) -> f64 {
        let interval = self.queries[query].text.interval;
        let longest = self.limits.window_secs_max(interval) / interval.secs();
        BODY_BYTES_TARGET as f64 / self.limits.queries.max(1) as f64 / longest.max(1) as f64
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn is_other(kept: u64, told: u64) -> bool {
    let change = told as f64 / kept.max(1) as f64;
    !(LIGHTER..=HEAVIER).contains(&change)
}

/// So that a list that was too large is expected to be too large, whatever the last digit of the sum says.
const ROUNDING: f64 = 1.000_001;

/// Halves of a list; of a lone query a small piece and the rest, whose length the piece decides.
fn parts(task: &Task) -> Vec<Task> {
    if task.queries.len() > 1 {
        let (first, second) = task.queries.split_at(task.queries.len().div_ceil(2));
        return [first, second]
            .map(|queries| Task { queries: queries.to_vec(), ..task.clone() })
            .to_vec();
    }
    let step = task.interval.secs();
    let (start, end) = (task.window.start_s(), task.window.end_s());
    let piece = (task.window.secs() / step / i64::from(PARTS)).max(1) * step;
    let windows = [Window::from_secs(start, start + piece), Window::from_secs(start + piece, end)];
    windows.into_iter().flatten().map(|window| Task { window, ..task.clone() }).collect()
}
