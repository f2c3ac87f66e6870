//! The search for the cause of a refusal: a query, the number of queries, the size of the window, or its place in time. Pure.
//!
//! A refused task is halved until the bad query stands alone: at most two calls a level. When both halves are refused in
//! the same words the window is suspected, and one small question about the newest stretch tells. A single query is given
//! up only when such a small question is refused too. When both halves are fine although the whole was refused, the list
//! was too long: see `learn/lengths.rs`.

use super::call::{PendingCall, Purpose, list_halves};
use super::consequence::{Consequence, Refusal, alike};
use super::learn::ListLength;
use super::protocol::Decision;
use super::query_state::QueryStates;
use crate::archive::GiveUpReason;
use crate::plan::{Limits, Task, Window};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// The outcome of a half or of a question: fine, or refused in these words.
pub(super) type Outcome = Result<(), String>;

#[derive(Debug)]
enum Narrowing {
    /// Both halves of a task are asked.
    Halves { whole: Refusal, halves: Box<[Task; 2]>, outcomes: [Option<Outcome>; 2] },
    /// Small questions about the first of these tell why it was refused: a single query, or one of two halves that were refused in
    /// the same words.
    Small { stage: Stage, suspects: Vec<Refusal> },
    /// A task that only its size explains is asked again as it is.
    Again,
}

/// The small question that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The newest stretch, without the added fill where there is one: refused, the query is bad.
    Recent,
    /// The same once more, of a query that was answered before.
    Confirm,
    /// The newest stretch with the added fill: refused twice, the fill is.
    Filled,
    FilledAgain,
    /// The beginning of the refused window: refused, its place in time is; else its size.
    Early,
    /// Its end, where nothing was refused for its place in time before: fine, the refusal of its beginning may be chance.
    Late,
}

#[derive(Debug, Default)]
pub(super) struct Bisection {
    open: BTreeMap<u64, Narrowing>,
    /// Wait until no narrowing is open: what is learnt meanwhile may explain them.
    pub(super) parked: VecDeque<Refusal>,
    next: u64,
    lists: ListLength,
    /// Words in which the server has refused a window for its place in time.
    retention_message: Option<String>,
    /// Questions about the newest stretch that were answered: none is asked twice.
    fine: Vec<(Stage, Task)>,
}

impl Bisection {
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.parked.is_empty()
    }

    /// Returns whether no cause is sought, not even how long a list may be.
    pub(super) fn is_calm(&self) -> bool {
        self.is_idle() && !self.lists.is_open()
    }

    /// Takes in that a task which belongs to no narrowing was refused.
    pub(super) fn refused(&mut self, refusal: Refusal, states: &QueryStates) -> Vec<Consequence> {
        if let Some(shorter) = self.lists.shorten(&refusal) {
            return vec![Consequence::fetch(refusal.task), shorter];
        }
        if self.open.is_empty() {
            return self.examine(refusal, states);
        }
        self.parked.push_back(refusal);
        Vec::new()
    }

    /// Takes up the next parked refusal, once nothing is open: asked again when the limits explain it, else examined.
    pub(super) fn resume(&mut self, limits: Limits, states: &QueryStates) -> Vec<Consequence> {
        if !self.open.is_empty() {
            return Vec::new();
        }
        while let Some(refusal) = self.newest_parked() {
            if refusal.task.window.end_s() <= limits.oldest_s {
                return vec![Consequence::OutOfPlace(refusal)];
            }
            let parts = states.fit(refusal.task.clone(), limits);
            if parts.len() == 1 && parts[0] == refusal.task {
                return self.examine(refusal, states);
            }
            // Where all its queries are given up the next one is due, or all would wait for ever.
            if !parts.is_empty() {
                let parts = parts.into_iter().rev();
                return parts.map(Consequence::fetch).collect();
            }
        }
        Vec::new()
    }

    /// Takes the newest: when it is refused for its place in time, the older ones are explained as well.
    fn newest_parked(&mut self) -> Option<Refusal> {
        let newest = self.parked.iter().enumerate();
        let newest = newest.max_by_key(|(at, refusal)| (refusal.task.window.end(), Reverse(*at)));
        newest.map(|(at, _)| at).and_then(|at| self.parked.remove(at))
    }

    /// Takes in that a list of that many queries was answered.
    pub(super) fn answered(&mut self, queries: usize, limits: Limits) -> Option<Consequence> {
        self.lists.answered(queries, limits)
    }

    /// Takes in the outcome of a half or a question of narrowing `id`. A narrowing that is gone needs none, but its refused
    /// task is a new case.
    pub(super) fn outcome(
        &mut self,
        id: u64,
        task: Task,
        outcome: Outcome,
        states: &QueryStates,
    ) -> Vec<Consequence> {
        match self.open.remove(&id) {
            Some(Narrowing::Halves { whole, halves, mut outcomes }) => {
                let which = usize::from(task.queries != halves[0].queries);
                outcomes[which] = Some(outcome);
                if let [Some(first), Some(second)] = outcomes {
                    self.compare(&whole, *halves, [first, second], states)
                } else {
                    self.open.insert(id, Narrowing::Halves { whole, halves, outcomes });
                    Vec::new()
                }
            }
            Some(Narrowing::Small { stage, suspects }) => {
                if outcome.is_ok() && !matches!(stage, Stage::Early | Stage::Late) {
                    self.fine.push((stage, task));
                }
                self.small_answer(stage, suspects, &outcome, states)
            }
            Some(Narrowing::Again) => match outcome {
                Ok(()) => Vec::new(),
                Err(words) => fewer_points(vec![Refusal::new(task, words)]),
            },
            None => match outcome {
                Ok(()) => Vec::new(),
                Err(words) => self.refused(Refusal::new(task, words), states),
            },
        }
    }

    /// Drops narrowing `id`, of which a call was cut smaller for another reason: nothing can be concluded any more. Returns the
    /// refused tasks that only the narrowing knew of, to be asked again.
    pub(super) fn void(&mut self, id: u64) -> Vec<Task> {
        match self.open.remove(&id) {
            Some(Narrowing::Halves { halves, outcomes, .. }) => {
                let halves = halves.into_iter().zip(outcomes);
                let refused = halves.filter(|(_, outcome)| matches!(outcome, Some(Err(_))));
                refused.map(|(half, _)| half).collect()
            }
            Some(Narrowing::Small { suspects, .. }) => {
                suspects.into_iter().map(|refusal| refusal.task).collect()
            }
            Some(Narrowing::Again) | None => Vec::new(),
        }
    }

    fn examine(&mut self, refusal: Refusal, states: &QueryStates) -> Vec<Consequence> {
        let known =
            self.retention_message.as_ref().is_some_and(|words| alike(words, &refusal.words));
        if refusal.is_of_one_query() || known && refusal.may_be_size {
            return self.ask_small(vec![refusal], states);
        }
        let halves = list_halves(&refusal.task);
        let id = self.number();
        let calls = halves.clone().map(|task| PendingCall::of(Purpose::Half(id), task));
        let halves = Box::new(halves);
        self.open.insert(id, Narrowing::Halves { whole: refusal, halves, outcomes: [None, None] });
        calls.into_iter().rev().map(Consequence::Ask).collect()
    }

    fn compare(
        &mut self,
        whole: &Refusal,
        halves: [Task; 2],
        outcomes: [Outcome; 2],
        states: &QueryStates,
    ) -> Vec<Consequence> {
        let may_be_size = whole.may_be_size;
        let refusal = |task: Task, words: String| Refusal { task, words, may_be_size };
        let [first, second] = halves;
        match outcomes {
            [Ok(()), Ok(())] => {
                self.lists.unexplained(whole, first.queries.len()).into_iter().collect()
            }
            [Err(words), Ok(())] => self.examine(refusal(first, words), states),
            [Ok(()), Err(words)] => self.examine(refusal(second, words), states),
            [Err(a), Err(b)] => {
                let same = alike(&a, &b);
                let (first, second) = (refusal(first, a), refusal(second, b));
                if same && may_be_size {
                    return self.ask_small(vec![first, second], states);
                }
                self.parked.push_front(second);
                self.examine(first, states)
            }
        }
    }

    /// Asks the first small question about a refusal.
    fn ask_small(&mut self, suspects: Vec<Refusal>, states: &QueryStates) -> Vec<Consequence> {
        let refusal = &suspects[0];
        let small = refusal.task.window == recent(&refusal.task, states);
        if small && refusal.is_of_one_query() && !may_drop_fill(&refusal.task, states) {
            return self.give_up(suspects);
        }
        self.ask(Stage::Recent, suspects, states)
    }

    fn ask(
        &mut self,
        stage: Stage,
        suspects: Vec<Refusal>,
        states: &QueryStates,
    ) -> Vec<Consequence> {
        let task = &suspects[0].task;
        let window = match stage {
            Stage::Recent | Stage::Confirm | Stage::Filled | Stage::FilledAgain => {
                recent(task, states)
            }
            Stage::Early => head(task),
            Stage::Late => tail(task),
        };
        let task = Task { window, ..task.clone() };
        if self.fine.iter().any(|(fine, of)| *fine == stage && *of == task) {
            return self.small_answer(stage, suspects, &Ok(()), states);
        }
        let id = self.number();
        self.open.insert(id, Narrowing::Small { stage, suspects });
        vec![Consequence::Ask(PendingCall::of(Purpose::Question(id), task))]
    }

    fn small_answer(
        &mut self,
        stage: Stage,
        mut suspects: Vec<Refusal>,
        outcome: &Outcome,
        states: &QueryStates,
    ) -> Vec<Consequence> {
        let task = suspects[0].task.clone();
        match (stage, outcome) {
            (Stage::Recent, Err(_)) if may_be_chance(&task, states) => {
                self.ask(Stage::Confirm, suspects, states)
            }
            (Stage::Recent | Stage::Confirm, Err(_)) if task.queries.len() == 1 => {
                self.give_up(suspects)
            }
            (Stage::Recent | Stage::Confirm, Err(_)) => {
                for refusal in &mut suspects {
                    refusal.may_be_size = false;
                }
                let first = suspects.remove(0);
                self.parked.extend(suspects);
                self.examine(first, states)
            }
            (Stage::Recent | Stage::Confirm, Ok(()))
                if may_drop_fill(&task, states) && states.all[task.queries[0]].accepted == 0 =>
            {
                self.ask(Stage::Filled, suspects, states)
            }
            (Stage::Filled, Err(_)) => self.ask(Stage::FilledAgain, suspects, states),
            (Stage::Recent | Stage::Confirm | Stage::Filled | Stage::FilledAgain, Ok(())) => {
                self.ask(Stage::Early, suspects, states)
            }
            (Stage::FilledAgain, Err(_)) => {
                let query = task.queries[0];
                let unfilled = Consequence::Decide(Decision::SendUnfilled { query });
                vec![Consequence::fetch(task), unfilled]
            }
            (Stage::Early, Ok(())) if suspects.len() > 1 => fewer_points(suspects),
            (Stage::Early, Ok(())) => {
                let id = self.number();
                self.open.insert(id, Narrowing::Again);
                vec![Consequence::Ask(PendingCall::of(Purpose::Half(id), task))]
            }
            (Stage::Early, Err(_)) if self.retention_message.is_none() => {
                self.ask(Stage::Late, suspects, states)
            }
            (Stage::Late, Ok(())) if !self.fine.contains(&(Stage::Late, task.clone())) => {
                self.fine.push((Stage::Late, task));
                suspects.into_iter().map(|refusal| Consequence::fetch(refusal.task)).collect()
            }
            (Stage::Early | Stage::Late, _) => {
                self.retention_message = Some(suspects[0].words.clone());
                suspects.into_iter().map(Consequence::OutOfPlace).collect()
            }
        }
    }

    /// Gives up the lone query of the first refusal. Its other half was refused too, and is a case of its own.
    fn give_up(&mut self, mut suspects: Vec<Refusal>) -> Vec<Consequence> {
        let Refusal { task, words, .. } = suspects.remove(0);
        self.parked.extend(suspects);
        vec![Consequence::give_up(task.queries[0], GiveUpReason::Refused(words))]
    }

    /// Returns whether a question of narrowing `id` goes without the added fill.
    pub(super) fn drops_fill(&self, id: u64, states: &QueryStates) -> bool {
        matches!(self.open.get(&id), Some(Narrowing::Small { stage: Stage::Recent | Stage::Confirm, suspects })
            if may_drop_fill(&suspects[0].task, states))
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Asks the tasks again, in order, with a lower cap on points: they were refused twice, and only their size explains it.
fn fewer_points(suspects: Vec<Refusal>) -> Vec<Consequence> {
    let words = suspects[0].words.clone();
    let tasks = suspects.into_iter().map(|refusal| refusal.task).collect();
    vec![Consequence::FewerPoints { tasks, words }]
}

/// Last 100 intervals of the first query's range, so few that no cap can matter. If the whole range may be past retention, a
/// window that ends an hour ago.
fn recent(task: &Task, states: &QueryStates) -> Window {
    let step = task.interval.secs();
    let first = task.queries[0];
    let asked = states.all[first].asked.unwrap_or(task.window);
    let newest_s = states.newest_s(first).unwrap_or(asked.end_s());
    let end_s = if newest_s == asked.end_s() { newest_s } else { newest_s.div_euclid(step) * step };
    let start_s = (end_s - i64::from(Limits::POINTS_MIN) * step).max(asked.start_s());
    Window::from_secs(start_s, end_s).unwrap_or(task.window)
}

/// First 100 intervals of the task's window.
fn head(task: &Task) -> Window {
    let window = task.window;
    let length = i64::from(Limits::POINTS_MIN) * task.interval.secs();
    Window::from_secs(window.start_s(), window.end_s().min(window.start_s() + length))
        .unwrap_or(window)
}

/// Last 100 intervals of the task's window.
fn tail(task: &Task) -> Window {
    let window = task.window;
    let length = i64::from(Limits::POINTS_MIN) * task.interval.secs();
    Window::from_secs(window.start_s().max(window.end_s() - length), window.end_s())
        .unwrap_or(window)
}

/// Returns whether the task is of one query for which calls were taken before.
fn may_be_chance(task: &Task, states: &QueryStates) -> bool {
    matches!(task.queries[..], [query] if states.all[query].accepted > 0)
}

/// Returns whether the task is of one query that could go without its fill, and does not yet.
fn may_drop_fill(task: &Task, states: &QueryStates) -> bool {
    let [query] = task.queries[..] else { return false };
    states.planned[query].text.unfilled.is_some() && !states.all[query].is_unfilled()
}
