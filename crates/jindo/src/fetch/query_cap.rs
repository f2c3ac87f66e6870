//! Queries of which the server serves less than of the others in the same answer: no points so close together, or fewer of them at once.
//! All that an answer names are taken out together, one small question tells which of the two it is, and what it tells holds for the
//! rest of the run. Pure, like all of the machine.

use super::answers::points;
use super::machine::Machine;
use super::query_state::{Job, Purpose, Served};
use crate::plan::{Limits, PlanIndex, Task, Window};
use crate::query::Interval;

impl Machine {
    /// These came back coarse, and the number of points is not to blame, or the others would be coarse too. The others are asked again
    /// without them.
    pub(super) fn apart(&mut self, job: &Job, coarse: &[(PlanIndex, Interval)]) {
        self.settle(job);
        let task = &job.task;
        let part = |queries: Vec<PlanIndex>| Task { queries, ..task.clone() };
        let (mut asked, mut waiting, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for &(query, got) in coarse {
            let served = u32::try_from(task.window.secs() / got.secs()).unwrap_or(u32::MAX);
            let fewer = Limits::fewer_points(points(task), served);
            let subject = self.subjects.get_mut(query);
            match subject.served {
                Served::AsOthers => {
                    subject.served = Served::Unsure(fewer);
                    asked.push(query);
                }
                Served::Unsure(_) => waiting.push(query),
                Served::AtMost(most) => {
                    subject.served = Served::AtMost(fewer.min(most));
                    self.outweighed = true;
                    again.push(query);
                }
            }
        }
        let is_coarse = |query: &PlanIndex| coarse.iter().any(|(other, _)| other == query);
        let rest = task.queries.iter().copied().filter(|query| !is_coarse(query)).collect();
        for queries in [again, rest] {
            if !queries.is_empty() {
                self.queue.push_front(Job::fetch(part(queries)));
            }
        }
        if !waiting.is_empty() {
            self.waiting.push(part(waiting));
        }
        if !asked.is_empty() {
            self.sound(&part(asked));
        }
    }

    /// Asks the newest of the task, so little that no cap can be to blame; the rest of it waits for the answer.
    fn sound(&mut self, task: &Task) {
        let (window, step) = (task.window, task.interval.secs());
        let newest_s = window.end_s() - i64::from(Limits::POINTS_MIN) * step;
        let from_s = newest_s.max(window.start_s());
        let part = |from_s, to_s| {
            let window = Window::from_secs(from_s, to_s)?;
            Some(Task { window, ..task.clone() })
        };
        self.waiting.extend(part(window.start_s(), from_s));
        let newest = part(from_s, window.end_s()).map(Job::fetch);
        if let Some(job) = newest {
            self.queue.push_front(Job { purpose: Purpose::Sounding, ..job });
        }
    }

    /// The question came back as it was asked: the interval is on offer, fewer points at once are. Of what had no points in it nothing
    /// is known, and the fewest are asked.
    pub(super) fn sounded(&mut self, task: &Task, seen: &[u64]) {
        for (&query, &seen) in task.queries.iter().zip(seen) {
            let subject = self.subjects.get_mut(query);
            if let Served::Unsure(fewer) = subject.served {
                let most = if seen > 0 { fewer } else { Limits::POINTS_MIN };
                subject.served = Served::AtMost(most);
            }
        }
        self.release();
    }

    /// The question goes on in another shape, and tells nothing.
    pub(super) fn unsounded(&mut self, task: &Task) {
        self.sounded(task, &vec![0; task.queries.len()]);
    }

    /// Some of a question's queries came back coarse, and are given up: the others are asked again.
    pub(super) fn sound_others(&mut self, job: Job) {
        let mut task = job.task;
        for &query in &task.queries {
            let subject = self.subjects.get_mut(query);
            if subject.given_up {
                subject.served = Served::AsOthers;
            }
        }
        task.queries.retain(|&query| !self.subjects.get(query).given_up);
        if !task.queries.is_empty() {
            self.queue.push_front(Job { purpose: Purpose::Sounding, ..Job::fetch(task) });
        }
        self.release();
    }

    /// What waited for an answer that is known now goes back into the queue, which is planned anew.
    fn release(&mut self) {
        for mut task in std::mem::take(&mut self.waiting) {
            let is_unsure =
                |query: &PlanIndex| matches!(self.subjects.get(*query).served, Served::Unsure(_));
            let (unsure, known): (Vec<_>, Vec<_>) = task.queries.iter().partition(|q| is_unsure(q));
            if !known.is_empty() {
                self.queue.push_back(Job::fetch(Task { queries: known, ..task.clone() }));
                self.outweighed = true;
            }
            if !unsure.is_empty() {
                task.queries = unsure;
                self.waiting.push(task);
            }
        }
    }
}
