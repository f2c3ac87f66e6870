//! Calls that are larger than what was learnt allows: made of queued ones that are neighbours, which come back if it is refused.

use super::{Machine, Reliability, Step};
use crate::fetch::call::{PendingCall, Purpose, part, points};
use crate::fetch::learn::{Attempt, Subject};
use crate::fetch::protocol::{Action, Decision};
use crate::plan::{BODY_BYTES_TARGET, Limits, Task, Window};
use std::collections::BTreeMap;

/// Queued calls that are tried as the first part of an attempt, at most.
const FIRSTS_MAX: usize = 16;

/// An attempt that waits to be made, or for its answer.
#[derive(Debug)]
pub(super) struct OpenAttempt {
    attempt: Attempt,
    task: Task,
    /// Queued calls that it took the place of.
    taken: Vec<Task>,
    /// Part of these that it does not ask for.
    rest: Option<Task>,
}

impl Machine {
    /// Queues the attempt that is due, while nothing else is in doubt.
    pub(super) fn attempt_beyond(&mut self) {
        let is_clear = self.attempt.is_none()
            && self.reliability == Reliability::Proven
            && !self.points_cap.is_unproven()
            && !self.weights.is_weighing()
            && self.bisection.is_idle()
            && self.query_cap.waiting.is_empty()
            && !self.is_outdated;
        if !is_clear {
            return;
        }
        let Some(attempt) = self.raises.next(&self.states, self.limits) else { return };
        let Some(open) = self.open_attempt(attempt) else { return self.raises.no_more() };
        self.queue.take(&open.taken);
        self.queue.ready.push_front(PendingCall::of(Purpose::Beyond, open.task.clone()));
        self.attempt = Some(open);
    }

    /// Takes in that the attempt came through: what it did not ask for is asked as well.
    pub(super) fn attempt_answered(&mut self) {
        let rest = self.attempt.take().and_then(|open| open.rest);
        self.queue.ready.extend(rest.map(PendingCall::fetch));
    }

    /// Takes in that the attempt was refused: the calls that it took the place of are made.
    pub(super) fn attempt_refused(&mut self, step: &mut Step) {
        let Some(attempt) = self.drop_attempt() else { return };
        if let Some(limit) = self.raises.refused(attempt, self.limits) {
            self.evidence.blamed(limit);
            let lesson = self.evidence.lesson(limit, "a larger call was refused again".to_owned());
            step.actions.push(Action::Record(Decision::Confirm { limit, lesson }));
        }
    }

    /// Puts the calls back that an attempt took the place of, without a conclusion.
    pub(super) fn drop_attempt(&mut self) -> Option<Attempt> {
        let OpenAttempt { attempt, taken, .. } = self.attempt.take()?;
        for task in taken.into_iter().rev() {
            self.queue.ready.push_front(PendingCall::fetch(task));
        }
        Some(attempt)
    }

    /// Returns whether the attempt is still of use: none of its queries was given up.
    pub(super) fn is_attempt_sound(&self) -> bool {
        let open = self.attempt.as_ref();
        open.is_some_and(|open| {
            open.task.queries.iter().all(|&query| !self.states.all[query].given_up)
        })
    }

    fn open_attempt(&self, attempt: Attempt) -> Option<OpenAttempt> {
        let fetches = || self.queue.ready.iter().filter(|call| call.is_fetch());
        let tasks: Vec<&Task> = fetches().map(|call| &call.task).collect();
        let made = |first: &&Task| match attempt.subject {
            Subject::Points | Subject::OwnPoints => self.longer(attempt, first, &tasks),
            Subject::Queries | Subject::Url => self.wider(attempt, first, &tasks),
        };
        let open = tasks.iter().copied().filter(|first| self.is_first(attempt, first));
        open.take(FIRSTS_MAX).find_map(|first| made(&first))
    }

    /// Returns whether an attempt may begin with the task: it is as large as the limit in question allows, and no other one shapes it.
    fn is_first(&self, attempt: Attempt, task: &Task) -> bool {
        let cap = |query| self.states.points(query, self.limits);
        let cap_of = cap(task.queries[0]);
        let is_even = task.queries.iter().all(|&query| cap(query) == cap_of);
        let has_own = cap_of < self.limits.points;
        let is_alone = task.queries.iter().any(|&query| self.states.planned[query].text.alone);
        is_even
            && match attempt.subject {
                Subject::Points => !has_own,
                Subject::OwnPoints => has_own,
                Subject::Queries | Subject::Url => !is_alone,
            }
    }

    /// Joins windows that follow the first one's, of the same queries.
    fn longer(&self, attempt: Attempt, first: &Task, tasks: &[&Task]) -> Option<OpenAttempt> {
        let cap = self.states.points(first.queries[0], self.limits);
        let size = match attempt.subject {
            Subject::OwnPoints => cap.saturating_mul(2).min(self.limits.points),
            Subject::Points | Subject::Queries | Subject::Url => {
                u32::try_from(attempt.size).unwrap_or(u32::MAX)
            }
        };
        let most = Limits { points: size, ..self.limits }.window_secs_max(first.interval);
        let start_s = first.window.start_s();
        let same = tasks.iter().filter(|task| task.queries == first.queries);
        let by_start: BTreeMap<i64, &Task> =
            same.map(|task| (task.window.start_s(), *task)).collect();
        let (mut taken, mut end_s) = (Vec::new(), start_s);
        while end_s - start_s < most
            && let Some(&next) = by_start.get(&end_s)
        {
            end_s = next.window.end_s();
            taken.push(next.clone());
        }
        let cut_s = end_s.min(start_s + most);
        let window = Window::from_secs(start_s, cut_s)?;
        let task = Task { window, ..first.clone() };
        let rest = Window::from_secs(cut_s, end_s).map(|window| Task { window, ..first.clone() });
        let is_larger = points(&task) >= cap && self.is_light(&task);
        is_larger.then_some(OpenAttempt { attempt, task, taken, rest })
    }

    /// Joins lists of the first one's window.
    fn wider(&self, attempt: Attempt, first: &Task, tasks: &[&Task]) -> Option<OpenAttempt> {
        let limits = match attempt.subject {
            Subject::Queries => Limits { queries: attempt.size, ..self.limits },
            Subject::Points | Subject::Url | Subject::OwnPoints => {
                Limits { url: attempt.size, ..self.limits }
            }
        };
        let fits = |task: &Task| {
            task.queries.len() <= limits.queries && self.states.url_len(task) <= limits.url
        };
        let is_beside =
            |task: &&&Task| task.window == first.window && task.interval == first.interval;
        let mut task = Task { queries: Vec::new(), ..first.clone() };
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        let others = tasks.iter().filter(|other| **other != first);
        for other in std::iter::once(&first).chain(others).filter(is_beside) {
            if !left.is_empty() || !self.is_first(attempt, other) {
                continue;
            }
            for &query in &other.queries {
                task.queries.push(query);
                if !left.is_empty() || !fits(&task) {
                    task.queries.pop();
                    left.push(query);
                }
            }
            taken.push((*other).clone());
        }
        let is_larger = task.queries.len() > self.limits.queries
            || self.states.url_len(&task) > self.limits.url && task.queries.len() > 1;
        let rest = (!left.is_empty()).then(|| part(first, &left));
        let is_larger = is_larger && self.is_light(&task);
        is_larger.then_some(OpenAttempt { attempt, task, taken, rest })
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn is_light(&self, task: &Task) -> bool {
        self.states.expected_bytes(task) <= BODY_BYTES_TARGET as f64
    }
}
