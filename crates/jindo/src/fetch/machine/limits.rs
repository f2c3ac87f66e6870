//! Lowers limits where the server refuses more, and raises them where larger answers come through.

use super::{Machine, Reliability, Step};
use crate::fetch::call::{PendingCall, points};
use crate::fetch::learn::Subject;
use crate::fetch::protocol::{Action, Decision};
use crate::fetch::query_state::Served;
use crate::plan::{LearntLimit, Limits, Task, Window};

impl Machine {
    /// Takes in that the tasks asked for too many points, and asks them again. Where the server has taken as many of the same queries
    /// before, it has trouble with these windows only, and they are asked in halves.
    pub(super) fn fewer_points(&mut self, tasks: &[Task], words: &str, step: &mut Step) {
        let taken_before = tasks.iter().all(|task| self.states.has_accepted(task));
        let halves = |task: &Task| {
            let halves = task.window.halves(task.interval).filter(|_| taken_before)?;
            Some(<[Window; 2]>::from(halves).map(|window| Task { window, ..task.clone() }).to_vec())
        };
        let again =
            tasks.iter().flat_map(|task| halves(task).unwrap_or_else(|| vec![task.clone()]));
        let again: Vec<Task> = again.collect();
        for task in again.into_iter().rev() {
            self.queue.ready.push_front(PendingCall::fetch(task));
        }
        if !taken_before {
            let points = points(&tasks[0]);
            let why = format!("{points} points were refused: {words}");
            self.lower_points(&tasks[0], Limits::fewer_points(points, 0), why, step);
        }
    }

    /// Takes in that the task asked for too many points. What one query alone shows, or what other answers contradict, is its own cap.
    pub(super) fn lower_points(&mut self, task: &Task, fewer: u32, why: String, step: &mut Step) {
        let is_own = match task.queries[..] {
            [query] => !self.states.is_last(query) && !self.points_cap.is_confirmed_by(query),
            _ => false,
        };
        if is_own || self.points_cap.has_answered(task) {
            for &query in &task.queries {
                let most = self.states.points(query, self.limits);
                self.states.all[query].served = Served::AtMost(fewer.min(most));
            }
            self.is_outdated = true;
            return self.raises.lowered(Subject::OwnPoints, None);
        }
        self.points_cap.lowered(task.queries.len());
        let refused = points(task).saturating_add(1) as usize;
        self.raises.lowered(Subject::Points, Some(refused));
        if fewer < self.limits.points {
            self.evidence.witnessed(self.points_cap.witnesses());
            self.learn(LearntLimit::Points(fewer), why, step);
        }
    }

    /// Takes in a limit, and has it kept with its evidence. Where it differs from the one so far all that is queued is planned anew.
    pub(super) fn learn(&mut self, limit: LearntLimit, why: String, step: &mut Step) {
        let limits = self.limits.with(limit);
        if limits == self.limits {
            return;
        }
        let is_lower = limits.points < self.limits.points
            || limits.queries < self.limits.queries
            || limits.url < self.limits.url;
        if is_lower {
            self.evidence.blamed(limit);
            self.raises.lowered_to(limit);
        }
        self.limits = limits;
        self.reliability = Reliability::Stale;
        self.record(limit, why, step);
    }

    /// Takes in that a limit does not hold: what is queued is planned for what is assumed.
    pub(super) fn unlearn(&mut self, limit: LearntLimit, step: &mut Step) {
        let assumed = self.limits.with(self.assumed.like(limit));
        if assumed == self.limits {
            return;
        }
        self.limits = assumed;
        self.reliability = Reliability::Stale;
        self.evidence.refuted(limit);
        step.actions.push(Action::Record(Decision::Unlearn { limit }));
    }

    fn record(&mut self, limit: LearntLimit, why: String, step: &mut Step) {
        let lesson = self.evidence.lesson(limit, why);
        step.actions.push(Action::Record(Decision::Learn { limit, lesson }));
    }
}
