//! The way back up: a limit that was lowered is exceeded by a little now and then, and rises where larger answers come through. Pure.
//!
//! An ascent begins when a limit was lowered, and for each lowered limit in turn once in [`ANSWERS_BETWEEN`] answers: a passing refusal
//! lowers it for no longer than that. Its first step exceeds the limit by a fortieth. Refused, the limit holds; else what was refused
//! is tried again, and if it still is, the limit lies between both.

use crate::fetch::call::points;
use crate::fetch::consequence::Consequence;
use crate::fetch::protocol::Facts;
use crate::fetch::query_state::{QueryStates, Served};
use crate::plan::{LearntLimit, Limits, Task};
use std::collections::{BTreeMap, VecDeque};

/// Answers between two ascents, of whichever limit: one refused call in so many costs 1.6 %.
const ANSWERS_BETWEEN: u32 = 64;

/// Answers before the first ascents of a run, so that short runs try too.
const ANSWERS_FIRST: u32 = 16;

/// Rounds of ascents between two that try the caps of single queries, which hold for the run only.
const OWN_ROUNDS: u32 = 5;

/// A limit is known well enough when the truth is at most so small a part of it away.
const PRECISION: usize = 40;

/// Limit that an attempt exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Points,
    Queries,
    Url,
    /// Caps on points of single queries.
    OwnPoints,
}

/// Attempt to exceed a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) subject: Subject,
    /// The limit that would allow the call. Of caps of single queries: not used, they are doubled.
    pub(crate) size: usize,
    /// Nothing smaller would exceed the limit by enough.
    is_least: bool,
}

/// Size of the attempts of an ascent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// A little more than a limit that was just lowered: until it is known there is one call at a time.
    Fresh,
    /// A little more than a limit that was lowered a while ago.
    Step,
    /// As much as was refused.
    Whole,
    /// The middle between what came through and what was refused.
    Between,
}

#[derive(Debug)]
pub(crate) struct Raises {
    /// Limits that hold where nothing else is learnt; no attempt goes beyond.
    assumed: Limits,
    /// Smallest limits that were refused in this run.
    refused: BTreeMap<Subject, usize>,
    ascent: Option<(Subject, Reach)>,
    /// Limits of which an ascent is due.
    due: VecDeque<(Subject, Reach)>,
    /// Answers until an ascent of every lowered limit is due.
    answers_left: u32,
    /// Times that they were.
    rounds: u32,
}

impl Raises {
    pub(crate) fn new(assumed: Limits) -> Self {
        Self {
            assumed,
            refused: BTreeMap::new(),
            ascent: None,
            due: VecDeque::new(),
            answers_left: ANSWERS_FIRST,
            rounds: 0,
        }
    }

    /// Takes in that the limit was lowered. `refused`: the smallest one that is known to be too large.
    pub(crate) fn lowered(&mut self, subject: Subject, refused: Option<usize>) {
        if let Some(refused) = refused {
            let known = self.refused.entry(subject).or_insert(refused);
            *known = refused.min(*known);
        }
        self.answers_left = self.answers_left.max(ANSWERS_BETWEEN);
        self.due.retain(|(of, _)| *of != subject);
        self.due.push_back((subject, Reach::Fresh));
    }

    /// Returns whether a limit is being sought that was just lowered, or turned out to be too low.
    pub(crate) fn is_searching(&self) -> bool {
        let mut reachs = self.due.iter().chain(&self.ascent).map(|(_, reach)| *reach);
        reachs.any(|reach| reach != Reach::Step)
    }

    /// Takes in a limit that is lower than the one before.
    pub(crate) fn lowered_to(&mut self, limit: LearntLimit) {
        match limit {
            LearntLimit::Queries(_) => self.lowered(Subject::Queries, None),
            LearntLimit::UrlChars(_) => self.lowered(Subject::Url, None),
            LearntLimit::Points(_)
            | LearntLimit::OldestKept(_)
            | LearntLimit::SeriesPoints(_)
            | LearntLimit::CallPoints(_)
            | LearntLimit::Withheld(_) => {}
        }
    }

    /// Takes in an answer whose list has so many escaped characters. One that is larger than a limit raises it, or refutes it.
    pub(crate) fn answered(
        &mut self,
        task: &Task,
        facts: &Facts,
        states: &mut QueryStates,
        limits: Limits,
    ) -> Vec<Consequence> {
        self.answers_left = self.answers_left.saturating_sub(1);
        let mut consequences = Vec::new();
        let mut sizes =
            vec![(Subject::Queries, task.queries.len()), (Subject::Url, states.url_len(task))];
        if facts.holds_points() {
            let most = points(task).saturating_add(1);
            sizes.push((Subject::Points, most as usize));
            for (&query, &points) in task.queries.iter().zip(&facts.points) {
                let served = &mut states.all[query].served;
                if points > 0 && matches!(*served, Served::AtMost(cap) if cap < most) {
                    let raised =
                        if most < limits.points { Served::AtMost(most) } else { Served::Offered };
                    *served = raised;
                    consequences.push(Consequence::Replan);
                }
            }
        }
        for (subject, size) in sizes {
            if size > figure(subject, limits) && figure(subject, limits) < self.assumed(subject) {
                consequences.push(self.exceeded(subject, size, limits));
            }
        }
        consequences
    }

    /// Takes in that a larger call than the limit allows came through.
    fn exceeded(&mut self, subject: Subject, size: usize, limits: Limits) -> Consequence {
        if size >= self.believed(subject) {
            // What was refused came through: nothing speaks for a limit any more.
            self.refused.remove(&subject);
            self.end_of(subject);
            return Consequence::Refuted(limit(subject, figure(subject, limits)));
        }
        let reach = match self.ascent {
            Some((of, Reach::Whole | Reach::Between)) if of == subject => Reach::Between,
            _ => Reach::Whole,
        };
        if self.ascent.is_none_or(|(of, _)| of == subject) {
            self.ascent = Some((subject, reach));
        }
        if self.is_found(subject, size) {
            self.end_of(subject);
        }
        let why = format!("larger calls than learnt came through, up to {}", size - 1);
        Consequence::Limit { limit: limit(subject, size), why }
    }

    /// Takes in that an attempt was refused. Returns the limit if it was thereby seen once more.
    pub(crate) fn refused(&mut self, attempt: Attempt, limits: Limits) -> Option<LearntLimit> {
        let Attempt { subject, size, is_least } = attempt;
        if subject == Subject::OwnPoints {
            self.end_of(subject);
            return None;
        }
        match self.ascent {
            Some((of, Reach::Whole | Reach::Between)) if of == subject => {
                let refused = size.min(self.believed(subject));
                self.refused.insert(subject, refused);
                self.ascent = Some((subject, Reach::Between));
                if is_least || self.is_found(subject, figure(subject, limits)) {
                    self.end_of(subject);
                }
                None
            }
            _ => {
                self.end_of(subject);
                Some(limit(subject, figure(subject, limits)))
            }
        }
    }

    /// Takes in that no call is left that the attempt could be made of.
    pub(crate) fn no_more(&mut self) {
        self.ascent = None;
    }

    /// Returns the attempt that is due, if any.
    pub(crate) fn next(&mut self, states: &QueryStates, limits: Limits) -> Option<Attempt> {
        if self.ascent.is_none() {
            self.ascent = Some(self.next_ascent(states, limits)?);
        }
        let (subject, reach) = self.ascent?;
        let (known, refused) = (figure(subject, limits), self.believed(subject));
        let step = match subject {
            Subject::Url => states.longest_url(),
            Subject::Points | Subject::Queries | Subject::OwnPoints => 1,
        };
        let above = (known + step.max(known / PRECISION)).min(refused);
        let size = match reach {
            Reach::Fresh | Reach::Step => above,
            Reach::Whole => refused,
            Reach::Between => known.midpoint(refused).max(above),
        };
        Some(Attempt { subject, size, is_least: size <= above })
    }

    /// Returns the ascent that is due, if any: of a limit that was just lowered, or of each in turn.
    fn next_ascent(&mut self, states: &QueryStates, limits: Limits) -> Option<(Subject, Reach)> {
        let assumed = self.assumed;
        let is_low = |subject: &Subject| match subject {
            Subject::OwnPoints => states.has_own_caps(limits),
            Subject::Points | Subject::Queries | Subject::Url => {
                figure(*subject, limits) < figure(*subject, assumed)
            }
        };
        if self.answers_left == 0 {
            let all = [Subject::Points, Subject::Queries, Subject::Url, Subject::OwnPoints];
            let is_turn = |subject: &Subject| {
                *subject != Subject::OwnPoints || self.rounds % OWN_ROUNDS == OWN_ROUNDS - 1
            };
            let low: Vec<Subject> = all.into_iter().filter(is_low).filter(is_turn).collect();
            self.answers_left = ANSWERS_BETWEEN * u32::try_from(low.len().max(1)).unwrap_or(1);
            self.rounds += 1;
            self.due.extend(low.into_iter().map(|subject| (subject, Reach::Step)));
        }
        self.due.retain(|(subject, _)| is_low(subject));
        self.due.pop_front()
    }

    fn is_found(&self, subject: Subject, known: usize) -> bool {
        self.believed(subject) <= known + (known / PRECISION).max(1)
    }

    /// Returns the smallest limit that is known to be too large, or the one that is assumed.
    fn believed(&self, subject: Subject) -> usize {
        self.refused.get(&subject).copied().unwrap_or_else(|| self.assumed(subject))
    }

    fn assumed(&self, subject: Subject) -> usize {
        figure(subject, self.assumed)
    }

    fn end_of(&mut self, subject: Subject) {
        self.ascent = self.ascent.filter(|(of, _)| *of != subject);
    }
}

fn figure(subject: Subject, limits: Limits) -> usize {
    match subject {
        Subject::Points | Subject::OwnPoints => limits.points as usize,
        Subject::Queries => limits.queries,
        Subject::Url => limits.url,
    }
}

fn limit(subject: Subject, figure: usize) -> LearntLimit {
    match subject {
        Subject::Points | Subject::OwnPoints => {
            LearntLimit::Points(u32::try_from(figure).unwrap_or(u32::MAX))
        }
        Subject::Queries => LearntLimit::Queries(figure),
        Subject::Url => LearntLimit::UrlChars(figure),
    }
}
