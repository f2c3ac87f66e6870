//! Caps on points: on those of any series, proven by answers or not yet, and on those of single queries. Pure.
//!
//! Of some queries the server serves less than of the others in the same answer: no points so close together, or fewer of
//! them at once. All that an answer names are isolated together, one small call tells which of the two it is, and what it tells
//! holds for the rest of the run.

use crate::fetch::call::{PendingCall, Purpose, part, points};
use crate::fetch::consequence::Consequence;
use crate::fetch::protocol::Facts;
use crate::fetch::query_state::{QueryStates, Served};
use crate::plan::{Limits, PlanIndex, Task, Window};
use crate::query::Interval;
use std::collections::BTreeSet;

/// The cap on points per series.
#[derive(Debug, Default)]
pub(crate) struct PointsCap {
    /// A cap that no answer has proven yet: how many queries were in the call whose refusal led to it.
    unproven: Option<usize>,
    /// Points of the longest series so far.
    served: u32,
    /// Points that were asked for at most in an answer with a series as it was asked.
    asked: u32,
    /// Queries that, alone, were served fewer points than they were asked for.
    witnesses: BTreeSet<PlanIndex>,
}

impl PointsCap {
    /// Takes in an answer that is as it was asked.
    pub(crate) fn answered(&mut self, task: &Task, facts: &Facts) {
        self.served = self.served.max(facts.points_max);
        if facts.holds_points() {
            self.asked = self.asked.max(points(task));
        }
    }

    /// Takes in that some series of a coarse answer came back as they were asked.
    pub(crate) fn partly_answered(&mut self, task: &Task) {
        self.asked = self.asked.max(points(task));
    }

    /// Takes in that the cap was lowered by the refusal of a call of so many queries.
    pub(crate) fn lowered(&mut self, queries: usize) {
        self.unproven = Some(queries);
    }

    /// Takes in that the query, alone, was served fewer points than it was asked for. Returns whether another was as well: then it is
    /// no cap of the query's own.
    pub(crate) fn is_confirmed_by(&mut self, query: PlanIndex) -> bool {
        self.witnesses.insert(query);
        self.witnesses.len() > 1
    }

    /// Returns the queries that, alone, were served fewer points than they were asked for.
    pub(crate) fn witnesses(&self) -> impl Iterator<Item = PlanIndex> {
        self.witnesses.iter().copied()
    }

    /// Takes in that a query is given up: what it showed says nothing about others.
    pub(crate) fn given_up(&mut self, query: PlanIndex) {
        self.witnesses.remove(&query);
    }

    /// Takes in an answer that is stored: one with points proves the cap.
    pub(crate) fn stored(&mut self, facts: &Facts) {
        if facts.holds_points() {
            self.unproven = None;
        }
    }

    pub(crate) fn is_unproven(&self) -> bool {
        self.unproven.is_some()
    }

    /// Returns whether a refusal of the task is explained by a cap that is still too high. A longer list than the one that led to the
    /// cap may be refused for its length as well.
    pub(crate) fn explains(&self, task: &Task) -> bool {
        self.unproven.is_some_and(|queries| task.queries.len() <= queries)
    }

    /// Returns whether a series of at least as many points was served before.
    pub(crate) fn has_served(&self, task: &Task) -> bool {
        points(task) <= self.served
    }

    /// Returns whether some series was served as asked when at least as many points were asked for.
    pub(crate) fn has_answered(&self, task: &Task) -> bool {
        points(task) <= self.asked
    }
}

/// A query that came back coarse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coarse {
    pub(crate) query: PlanIndex,
    pub(crate) got: Interval,
}

/// Caps of single queries.
#[derive(Debug, Default)]
pub(crate) struct QueryCap {
    /// Tasks that came back coarse, until the small call is answered.
    pub(crate) waiting: Vec<Task>,
}

impl QueryCap {
    /// Takes the coarse queries out of the task; the others are asked again without them. The number of points is not to
    /// blame, or the others would be coarse too.
    pub(crate) fn isolate(
        &mut self,
        task: &Task,
        coarse: &[Coarse],
        states: &mut QueryStates,
    ) -> Vec<Consequence> {
        let (mut checked, mut waiting, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let mut decisions = Vec::new();
        for &Coarse { query, got } in coarse {
            let served = u32::try_from(task.window.secs() / got.secs()).unwrap_or(u32::MAX);
            let fewer = Limits::fewer_points(points(task), served);
            match states.all[query].served {
                Served::AsOthers | Served::Offered => {
                    states.all[query].served = Served::Unsure(fewer);
                    checked.push(query);
                }
                Served::Doubted | Served::Unsure(_) => waiting.push(query),
                Served::AtMost(most) => {
                    states.all[query].served = Served::AtMost(fewer.min(most));
                    decisions.push(Consequence::Replan);
                    again.push(query);
                }
            }
        }
        let is_coarse = |query: &PlanIndex| coarse.iter().any(|coarse| coarse.query == *query);
        let rest: Vec<_> = task.queries.iter().copied().filter(|query| !is_coarse(query)).collect();
        for queries in [again, rest] {
            if !queries.is_empty() {
                decisions.push(Consequence::fetch(part(task, &queries)));
            }
        }
        if !waiting.is_empty() {
            self.waiting.push(part(task, &waiting));
        }
        if !checked.is_empty() {
            decisions.extend(self.check(&part(task, &checked)));
        }
        decisions
    }

    /// Asks the query that came back coarse alone for so little that no cap can be to blame, before it teaches anything about others.
    pub(crate) fn doubt(&mut self, task: &Task, states: &mut QueryStates) -> Option<Consequence> {
        states.all[task.queries[0]].served = Served::Doubted;
        self.check(task)
    }

    /// Asks the newest of the task, so little that no cap can be to blame; the rest of it waits for the answer.
    fn check(&mut self, task: &Task) -> Option<Consequence> {
        let (window, step) = (task.window, task.interval.secs());
        let newest_s = window.end_s() - i64::from(Limits::POINTS_MIN) * step;
        let from_s = newest_s.max(window.start_s());
        let part = |from_s, to_s| {
            let window = Window::from_secs(from_s, to_s)?;
            Some(Task { window, ..task.clone() })
        };
        self.waiting.extend(part(window.start_s(), from_s));
        let newest = part(from_s, window.end_s())?;
        Some(Consequence::Ask(PendingCall::of(Purpose::CapCheck, newest)))
    }

    /// Takes in that the small call came back as it was asked: the interval is on offer, fewer points at once are. Of a query
    /// without points in it, or of which the call goes on in another shape, nothing is known, and the fewest are asked.
    pub(crate) fn answered(
        &mut self,
        task: &Task,
        points: &[u64],
        states: &mut QueryStates,
    ) -> Vec<Consequence> {
        for (&query, &points) in task.queries.iter().zip(points) {
            let served = &mut states.all[query].served;
            *served = match *served {
                // Without points in it the small call tells nothing, and the doubt ends.
                Served::Doubted => Served::Offered,
                Served::Unsure(fewer) if points > 0 => Served::AtMost(fewer),
                Served::Unsure(_) => Served::AtMost(Limits::POINTS_MIN),
                known @ (Served::AsOthers | Served::Offered | Served::AtMost(_)) => known,
            };
        }
        self.release(states)
    }

    /// Takes in that some queries of the small call came back coarse and were given up: the others are asked again.
    pub(crate) fn partly_answered(
        &mut self,
        mut task: Task,
        states: &mut QueryStates,
    ) -> Vec<Consequence> {
        for &query in &task.queries {
            if states.all[query].given_up {
                states.all[query].served = Served::AsOthers;
            }
        }
        task.queries.retain(|&query| !states.all[query].given_up);
        let mut decisions = Vec::new();
        if !task.queries.is_empty() {
            decisions.push(Consequence::Ask(PendingCall::of(Purpose::CapCheck, task)));
        }
        decisions.extend(self.release(states));
        decisions
    }

    /// Hands back what waited for an answer that is known now, to be planned anew.
    fn release(&mut self, states: &QueryStates) -> Vec<Consequence> {
        let mut decisions = Vec::new();
        for task in std::mem::take(&mut self.waiting) {
            let is_unsure = |query: &&PlanIndex| {
                matches!(states.all[**query].served, Served::Doubted | Served::Unsure(_))
            };
            let (unsure, known): (Vec<_>, Vec<_>) = task.queries.iter().partition(is_unsure);
            if !known.is_empty() {
                decisions.push(Consequence::AskLast(PendingCall::fetch(part(&task, &known))));
                decisions.push(Consequence::Replan);
            }
            if !unsure.is_empty() {
                self.waiting.push(part(&task, &unsure));
            }
        }
        decisions
    }
}
