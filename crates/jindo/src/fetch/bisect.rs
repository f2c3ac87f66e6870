//! Why the server refuses a call: a query, the number of queries, the size of the window, or its place in time. Pure.
//!
//! A refused task is halved until the bad query stands alone: at most two calls a level. When both halves are refused in
//! the same words the window is suspected, and one small question about the newest stretch tells. A single query is given
//! up only when such a small question is refused too. When both halves are fine although the whole was refused, the list
//! was too long; that must happen twice before it is believed, since it would slow down everything that follows.

use super::query_state::{Job, Purpose, Subjects, Travels};
use crate::archive::GiveUpReason;
use crate::plan::{Limits, PlanIndex, Task, Window};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Unexplained refusals before a shorter list becomes the rule.
const STRIKES: u32 = 2;

/// A task that the server will not answer, and its words.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) task: Task,
    pub(super) words: String,
    /// A small window was refused as well, so its size is not to blame.
    window_ruled_out: bool,
}

impl Refusal {
    pub(super) fn new(task: Task, words: String) -> Self {
        Self { task, words, window_ruled_out: false }
    }
}

/// The fate of a half or of a question.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Fine,
    Refused(String),
}

/// What the machine is to do.
#[derive(Debug)]
pub(super) enum Conclusion {
    Ask(Job),
    FewerPoints { task: Task, words: String },
    FewerQueries { most: usize, why: String },
    GiveUp { query: PlanIndex, reason: GiveUpReason },
    RefuseWindow { queries: Vec<PlanIndex>, window: Window, words: String },
    SendUnfilled { query: PlanIndex },
}

#[derive(Debug)]
enum Diagnosis {
    /// Both halves of a task are asked.
    Halves { whole: Refusal, halves: [Task; 2], verdicts: [Option<Verdict>; 2] },
    /// Both halves were refused in the same words, or a single query stands alone: small questions tell why.
    Suspect { stage: Stage, refusal: Refusal, other: Option<Refusal> },
}

/// The small question that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The newest stretch, without the added fill where there is one: refused, the query is bad.
    Recent,
    /// The newest stretch with the added fill: refused, the fill is.
    Filled,
    /// The beginning of the refused window: refused, its place in time is; else its size.
    Early,
}

#[derive(Debug, Default)]
pub(super) struct Diagnoses {
    open: BTreeMap<u64, Diagnosis>,
    /// Wait until no diagnosis is open: what is learnt meanwhile may explain them.
    parked: VecDeque<Refusal>,
    next: u64,
    lists: ListLength,
    /// Words in which the server has refused a window for its place in time.
    of_age: Option<String>,
}

/// The search for the longest list that the server takes.
#[derive(Debug, Default)]
struct ListLength {
    strikes: u32,
    fine: usize,
    refused: Option<usize>,
    words: Option<String>,
}

impl Diagnoses {
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.parked.is_empty()
    }

    /// Nothing is being found out, not even how long a list may be.
    pub(super) fn is_calm(&self) -> bool {
        self.is_idle() && !self.lists.is_open()
    }

    /// Refusals that wait, for the count of calls to come.
    pub(super) fn waiting(&self) -> usize {
        self.parked.len()
    }

    /// A task that belongs to no diagnosis was refused.
    pub(super) fn refused(&mut self, refusal: Refusal, subjects: &Subjects) -> Vec<Conclusion> {
        if let Some(shorter) = self.lists.shorten(&refusal) {
            return vec![Conclusion::Ask(Job::fetch(refusal.task)), shorter];
        }
        if self.open.is_empty() {
            return self.examine(refusal, subjects);
        }
        self.parked.push_back(refusal);
        Vec::new()
    }

    /// The next parked refusal, once nothing is open: asked again when the limits explain it, else examined.
    pub(super) fn resume(&mut self, limits: Limits, subjects: &Subjects) -> Vec<Conclusion> {
        if !self.open.is_empty() {
            return Vec::new();
        }
        while let Some(refusal) = self.newest_parked() {
            if refusal.task.window.end_s() <= limits.oldest_s {
                return vec![refusal.out_of_place()];
            }
            let parts = subjects.fit(refusal.task.clone(), limits);
            if parts.len() == 1 && parts[0] == refusal.task {
                return self.examine(refusal, subjects);
            }
            // Where nobody wants it any more the next one is due, or all would wait for ever.
            if !parts.is_empty() {
                let parts = parts.into_iter().rev();
                return parts.map(|task| Conclusion::Ask(Job::fetch(task))).collect();
            }
        }
        Vec::new()
    }

    /// When it is refused for its place in time, the older ones are explained as well.
    fn newest_parked(&mut self) -> Option<Refusal> {
        let newest = self.parked.iter().enumerate();
        let newest = newest.max_by_key(|(at, refusal)| (refusal.task.window.end(), Reverse(*at)));
        newest.map(|(at, _)| at).and_then(|at| self.parked.remove(at))
    }

    /// A list of that many queries was answered.
    pub(super) fn answered(&mut self, queries: usize, limits: Limits) -> Option<Conclusion> {
        self.lists.lengthen(queries, limits)
    }

    /// The half or the question of diagnosis `id` has met its fate. A diagnosis that is gone needs no verdict, but its refused
    /// task is a new case.
    pub(super) fn verdict(
        &mut self,
        id: u64,
        task: Task,
        verdict: Verdict,
        subjects: &Subjects,
    ) -> Vec<Conclusion> {
        match self.open.remove(&id) {
            Some(Diagnosis::Halves { whole, halves, mut verdicts }) => {
                let which = usize::from(task.queries != halves[0].queries);
                verdicts[which] = Some(verdict);
                if let [Some(first), Some(second)] = verdicts {
                    self.compare(&whole, halves, [first, second], subjects)
                } else {
                    self.open.insert(id, Diagnosis::Halves { whole, halves, verdicts });
                    Vec::new()
                }
            }
            Some(Diagnosis::Suspect { stage, refusal, other }) => {
                self.suspect(stage, (refusal, other), &verdict, subjects)
            }
            None => match verdict {
                Verdict::Fine => Vec::new(),
                Verdict::Refused(words) => self.refused(Refusal::new(task, words), subjects),
            },
        }
    }

    /// A half of diagnosis `id` was cut smaller for another reason: nothing can be concluded any more. The refused tasks that
    /// only the diagnosis knew of, to be asked again.
    pub(super) fn void(&mut self, id: u64) -> Vec<Task> {
        match self.open.remove(&id) {
            Some(Diagnosis::Halves { halves, verdicts, .. }) => {
                let refused =
                    |verdict: &Option<Verdict>| matches!(verdict, Some(Verdict::Refused(_)));
                let halves = halves.into_iter().zip(verdicts);
                halves.filter(|(_, verdict)| refused(verdict)).map(|(half, _)| half).collect()
            }
            Some(Diagnosis::Suspect { refusal, other, .. }) => {
                [refusal].into_iter().chain(other).map(|refusal| refusal.task).collect()
            }
            None => Vec::new(),
        }
    }

    fn examine(&mut self, refusal: Refusal, subjects: &Subjects) -> Vec<Conclusion> {
        let known = self.of_age.as_ref().is_some_and(|words| alike(words, &refusal.words));
        if refusal.task.queries.len() == 1 || (known && !refusal.window_ruled_out) {
            return self.interrogate(refusal, None, subjects);
        }
        let (first, second) = refusal.task.queries.split_at(refusal.task.queries.len().div_ceil(2));
        let half =
            |queries: &[PlanIndex]| Task { queries: queries.to_vec(), ..refusal.task.clone() };
        let halves = [half(first), half(second)];
        let id = self.number();
        let jobs =
            halves.clone().map(|task| Job { purpose: Purpose::Half(id), ..Job::fetch(task) });
        self.open.insert(id, Diagnosis::Halves { whole: refusal, halves, verdicts: [None, None] });
        jobs.into_iter().rev().map(Conclusion::Ask).collect()
    }

    fn compare(
        &mut self,
        whole: &Refusal,
        halves: [Task; 2],
        verdicts: [Verdict; 2],
        subjects: &Subjects,
    ) -> Vec<Conclusion> {
        let refusal = |task: Task, words: String| Refusal {
            task,
            words,
            window_ruled_out: whole.window_ruled_out,
        };
        let [first, second] = halves;
        match verdicts {
            [Verdict::Fine, Verdict::Fine] => {
                self.lists.unexplained(whole, first.queries.len()).into_iter().collect()
            }
            [Verdict::Refused(words), Verdict::Fine] => {
                self.examine(refusal(first, words), subjects)
            }
            [Verdict::Fine, Verdict::Refused(words)] => {
                self.examine(refusal(second, words), subjects)
            }
            [Verdict::Refused(a), Verdict::Refused(b)] => {
                let same = alike(&a, &b);
                let (first, second) = (refusal(first, a), refusal(second, b));
                if same && !whole.window_ruled_out {
                    return self.interrogate(first, Some(second), subjects);
                }
                self.parked.push_front(second);
                self.examine(first, subjects)
            }
        }
    }

    /// Asks the first small question about a refusal.
    fn interrogate(
        &mut self,
        refusal: Refusal,
        other: Option<Refusal>,
        subjects: &Subjects,
    ) -> Vec<Conclusion> {
        let small = refusal.task.window == recent(&refusal.task, subjects);
        if small && refusal.task.queries.len() == 1 && !may_drop_fill(&refusal.task, subjects) {
            return self.give_up(refusal, other);
        }
        self.ask(Stage::Recent, refusal, other, subjects)
    }

    fn ask(
        &mut self,
        stage: Stage,
        refusal: Refusal,
        other: Option<Refusal>,
        subjects: &Subjects,
    ) -> Vec<Conclusion> {
        let window = match stage {
            Stage::Recent | Stage::Filled => recent(&refusal.task, subjects),
            Stage::Early => head(refusal.task.window, &refusal.task),
        };
        let id = self.number();
        let task = Task { window, ..refusal.task.clone() };
        self.open.insert(id, Diagnosis::Suspect { stage, refusal, other });
        vec![Conclusion::Ask(Job { purpose: Purpose::Question(id), ..Job::fetch(task) })]
    }

    fn suspect(
        &mut self,
        stage: Stage,
        (mut refusal, other): (Refusal, Option<Refusal>),
        verdict: &Verdict,
        subjects: &Subjects,
    ) -> Vec<Conclusion> {
        let single = refusal.task.queries.len() == 1;
        match (stage, verdict) {
            (Stage::Recent, Verdict::Refused(_)) if single => self.give_up(refusal, other),
            (Stage::Recent, Verdict::Refused(_)) => {
                refusal.window_ruled_out = true;
                self.parked.extend(other.map(|other| Refusal { window_ruled_out: true, ..other }));
                self.examine(refusal, subjects)
            }
            (Stage::Recent, Verdict::Fine) if may_drop_fill(&refusal.task, subjects) => {
                self.ask(Stage::Filled, refusal, other, subjects)
            }
            (Stage::Recent | Stage::Filled, Verdict::Fine) => {
                self.ask(Stage::Early, refusal, other, subjects)
            }
            (Stage::Filled, Verdict::Refused(_)) => vec![
                Conclusion::Ask(Job::fetch(refusal.task.clone())),
                Conclusion::SendUnfilled { query: refusal.task.queries[0] },
            ],
            (Stage::Early, Verdict::Fine) => {
                let (task, words) = (refusal.task.clone(), refusal.words.clone());
                let again =
                    other.into_iter().chain([refusal]).map(|r| Conclusion::Ask(Job::fetch(r.task)));
                again.chain([Conclusion::FewerPoints { task, words }]).collect()
            }
            (Stage::Early, Verdict::Refused(_)) => {
                self.of_age = Some(refusal.words.clone());
                [refusal].into_iter().chain(other).map(Refusal::out_of_place).collect()
            }
        }
    }

    /// The lone query of `refusal` is bad. Its other half was refused too, and is a case of its own.
    fn give_up(&mut self, refusal: Refusal, other: Option<Refusal>) -> Vec<Conclusion> {
        self.parked.extend(other);
        vec![Conclusion::GiveUp {
            query: refusal.task.queries[0],
            reason: GiveUpReason::Refused(refusal.words),
        }]
    }

    /// Which form a question of diagnosis `id` is to be asked in.
    pub(super) fn drops_fill(&self, id: u64, subjects: &Subjects) -> bool {
        match self.open.get(&id) {
            Some(Diagnosis::Suspect { stage: Stage::Recent, refusal, .. }) => {
                may_drop_fill(&refusal.task, subjects)
            }
            _ => false,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Refusal {
    fn out_of_place(self) -> Conclusion {
        Conclusion::RefuseWindow {
            queries: self.task.queries,
            window: self.task.window,
            words: self.words,
        }
    }
}

impl ListLength {
    /// Both halves are fine, the whole is not: the second time a shorter list becomes the rule.
    fn unexplained(&mut self, whole: &Refusal, half: usize) -> Option<Conclusion> {
        self.strikes += 1;
        self.fine = self.fine.max(half);
        self.refused = Some(
            self.refused
                .map_or(whole.task.queries.len(), |size| size.min(whole.task.queries.len())),
        );
        self.words = Some(whole.words.clone());
        (self.strikes >= STRIKES).then(|| self.conclusion())
    }

    /// While the search is on, a refusal in the known words says only that this list was too long.
    fn shorten(&mut self, refusal: &Refusal) -> Option<Conclusion> {
        let size = refusal.task.queries.len();
        let known = self.words.as_ref().is_some_and(|words| alike(words, &refusal.words));
        if self.strikes < STRIKES || !known || size <= self.fine {
            return None;
        }
        self.refused = Some(self.refused.map_or(size, |refused| refused.min(size)));
        Some(self.conclusion())
    }

    /// A longer list than the longest so far came through: the bound moves up, or was never one.
    fn lengthen(&mut self, size: usize, limits: Limits) -> Option<Conclusion> {
        if size <= self.fine {
            return None;
        }
        self.fine = size;
        let refused = self.refused?;
        if size >= refused {
            *self = Self::default();
            return None;
        }
        let known = self.strikes >= STRIKES && self.most() != limits.queries;
        known.then(|| self.conclusion())
    }

    /// A list was refused for its length, and how long one may be is not known yet.
    fn is_open(&self) -> bool {
        self.refused.is_some_and(|refused| refused > self.fine + 1)
    }

    /// The middle between what is fine and what is refused, or what is fine once they meet.
    fn most(&self) -> usize {
        let refused = self.refused.unwrap_or(self.fine + 1);
        (self.fine + refused.saturating_sub(self.fine) / 2).max(1)
    }

    fn conclusion(&self) -> Conclusion {
        let refused = self.refused.unwrap_or(self.fine + 1);
        let why = format!(
            "{} queries in a call were refused: {}",
            refused,
            self.words.as_deref().unwrap_or_default()
        );
        Conclusion::FewerQueries { most: self.most(), why }
    }
}

/// The newest stretch of what the first query is asked for, so short that its size cannot matter; where all of that may be older than
/// what the server keeps, a stretch of these days.
fn recent(task: &Task, subjects: &Subjects) -> Window {
    let step = task.interval.secs();
    let first = task.queries[0];
    let asked = subjects.get(first).asked.unwrap_or(task.window);
    let newest_s = subjects.newest_s(first).unwrap_or(asked.end_s());
    let end_s = if newest_s == asked.end_s() { newest_s } else { newest_s.div_euclid(step) * step };
    let start_s = (end_s - i64::from(Limits::POINTS_MIN) * step).max(asked.start_s());
    Window::from_secs(start_s, end_s).unwrap_or(task.window)
}

/// The beginning of `window`, so short that its size cannot matter.
fn head(window: Window, task: &Task) -> Window {
    let length = i64::from(Limits::POINTS_MIN) * task.interval.secs();
    Window::from_secs(window.start_s(), window.end_s().min(window.start_s() + length))
        .unwrap_or(window)
}

fn may_drop_fill(task: &Task, subjects: &Subjects) -> bool {
    let subject = subjects.get(task.queries[0]);
    task.queries.len() == 1 && subject.has_unfilled && subject.travels != Travels::Unfilled
}

/// Whether two refusals say the same, whatever numbers they quote.
fn alike(a: &str, b: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    letters(a) == letters(b)
}
