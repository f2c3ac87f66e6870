//! The weight of answers: learnt from each of them, and from those that were too large. Pure.
//!
//! A list whose answer is too large is halved, a lone query's window is cut to a small piece first; until all of them have
//! been weighed there is one call at a time, so that a large answer is paid once and not once per call in flight.

use crate::archive::GiveUpReason;
use crate::fetch::call::{PendingCall, list_halves};
use crate::fetch::consequence::Consequence;
use crate::fetch::protocol::{Decision, Facts};
use crate::fetch::query_state::{QueryStates, as_whole};
use crate::plan::{BODY_BYTES_TARGET, Limits, PlanIndex, Task, Window, buckets};
use crate::request::BODY_BYTES_MAX;
use std::collections::BTreeSet;

/// A lone query that is too heavy for its window is weighed by a piece of so many parts of it: small enough to come through
/// where the window is some times too long, large enough to be worth its call.
const PARTS: u32 = 8;

/// So much heavier, or lighter, than what is kept changes what is kept. Less is the usual coming and going of series, and
/// worth neither a transaction nor a new plan: what stays below the first fits into the same calls.
const HEAVIER: f64 = 7.0 / 6.0;
const LIGHTER: f64 = 0.6;

/// So that a list that was too large is expected to be too large, whatever the last digit of the sum says.
const ROUNDING: f64 = 1.000_001;

#[derive(Debug)]
pub(crate) struct Weights {
    /// Queries of answers that were too large, until an answer has weighed them.
    weighing: BTreeSet<PlanIndex>,
    /// Some queries are heavy: of those without a weight there is one call at a time.
    wary: bool,
}

impl Weights {
    pub(crate) fn new(states: &QueryStates) -> Self {
        Self {
            weighing: BTreeSet::new(),
            wary: states.planned.iter().any(|query| query.weight.is_some()),
        }
    }

    /// Takes in the weight, in bytes a bucket, of each query, from its share of the answer's points. A weight rises at once,
    /// since too much is paid for in vain, and falls slowly.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn answered(
        &mut self,
        task: &Task,
        facts: &Facts,
        states: &mut QueryStates,
        limits: Limits,
    ) -> Vec<Consequence> {
        let all = facts.points.iter().sum::<u64>().max(1) as f64;
        let buckets = buckets(task.window, task.interval) as f64;
        for (&query, &points) in task.queries.iter().zip(&facts.points) {
            let measured = facts.bytes as f64 * (points as f64 / all) / buckets;
            let suspected = self.weighing.remove(&query);
            let weight = match states.all[query].weight {
                Some(before) if !suspected && before > measured => f64::midpoint(before, measured),
                _ => measured,
            };
            states.all[query].weight = Some(weight);
        }
        self.keep(&task.queries, states, limits)
    }

    /// Takes in that the answer to the task is larger than what is taken. A single point of a single query is given up. What an earlier
    /// answer has told already follows what is queued, which is cut. Else smaller parts are asked.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn too_large(
        &mut self,
        task: Task,
        states: &mut QueryStates,
        limits: Limits,
    ) -> Vec<Consequence> {
        if let ([query], 1) = (&task.queries[..], task.window.points(task.interval)) {
            self.weighing.remove(query);
            let reason = GiveUpReason::PointTooLarge { mebibytes_max: BODY_BYTES_MAX as u64 >> 20 };
            return vec![Consequence::give_up(*query, reason)];
        }
        let most = BODY_BYTES_MAX as f64;
        if states.expected_bytes(&task) >= most {
            return vec![Consequence::AskBehind(PendingCall::fetch(task))];
        }
        let share = most / task.queries.len() as f64 / buckets(task.window, task.interval) as f64
            * ROUNDING;
        for &query in &task.queries {
            let weight = states.all[query].weight.unwrap_or(0.0).max(share);
            states.all[query].weight = Some(weight);
            self.weighing.insert(query);
        }
        let kept = self.keep(&task.queries, states, limits).into_iter();
        kept.chain(parts(&task).into_iter().rev().map(Consequence::fetch)).collect()
    }

    /// Takes in that a query is given up: it need not be weighed any more.
    pub(crate) fn given_up(&mut self, query: PlanIndex) {
        self.weighing.remove(&query);
    }

    /// Returns whether queries wait to be weighed whose answers were too large.
    pub(crate) fn is_weighing(&self) -> bool {
        !self.weighing.is_empty()
    }

    /// Returns whether the first answer about some of the call's queries should come before it, where heavy ones were found.
    pub(crate) fn wants_first_answer(&self, call: &PendingCall, states: &QueryStates) -> bool {
        self.wary && call.task.queries.iter().any(|&query| states.all[query].weight.is_none())
    }

    /// Keeps the weights of those queries that shape calls, for the plan and for later runs; drops those that no longer do.
    fn keep(
        &mut self,
        queries: &[PlanIndex],
        states: &mut QueryStates,
        limits: Limits,
    ) -> Vec<Consequence> {
        let mut weights = Vec::new();
        for &query in queries {
            let Some(weight) = states.all[query].weight else { continue };
            let share = fair_share(states, query, limits);
            let heavy = (weight > share).then(|| as_whole(weight));
            let worth_it = match (states.planned[query].weight, heavy) {
                (Some(kept), Some(measured)) => is_other(kept, measured),
                (kept, measured) => kept != measured,
            };
            if worth_it {
                states.planned[query].weight = heavy;
                weights.push((query, heavy));
            }
        }
        if weights.is_empty() {
            return Vec::new();
        }
        self.wary = true;
        vec![Consequence::Replan, Consequence::Decide(Decision::Weigh { weights })]
    }
}

/// Bytes a bucket up to which queries fit into full calls, whichever others share them.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn fair_share(states: &QueryStates, query: PlanIndex, limits: Limits) -> f64 {
    let interval = states.planned[query].text.interval;
    let longest = limits.window_secs_max(interval) / interval.secs();
    BODY_BYTES_TARGET as f64 / limits.queries.max(1) as f64 / longest.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn is_other(kept: u64, measured: u64) -> bool {
    let change = measured as f64 / kept.max(1) as f64;
    !(LIGHTER..=HEAVIER).contains(&change)
}

/// Halves of a list; of a lone query a small piece and the rest, whose length the piece decides.
fn parts(task: &Task) -> Vec<Task> {
    if task.queries.len() > 1 {
        return list_halves(task).to_vec();
    }
    let step = task.interval.secs();
    let (start, end) = (task.window.start_s(), task.window.end_s());
    let piece = (task.window.secs() / step / i64::from(PARTS)).max(1) * step;
    let windows = [Window::from_secs(start, start + piece), Window::from_secs(start + piece, end)];
    windows.into_iter().flatten().map(|window| Task { window, ..task.clone() }).collect()
}
