//! Answers that a server clipped: the right interval, fewer points than it has, and no word about it. Pure.
//!
//! All that looks cut in an answer shares one question, for the part of its window in which the longest series is silent, or for a
//! half. A part that holds as many points is believed, and the verdict kept. Before a part that holds more proves a cap the whole is
//! asked again: points that came late look the same.

mod quota;
mod signs;
#[cfg(test)]
mod tests;

use crate::archive::Trusted;
use crate::fetch::call::{PendingCall, Purpose, points};
use crate::fetch::protocol::{Clipped, Facts};
use crate::parse::{Outline, PARTS};
use crate::plan::{Limits, PerQuery, PlanIndex, Task};
use jiff::Timestamp;
use quota::Quota;
use signs::{Seen, Side, Signs, is_silent};
use std::ops::Range;

/// Questions of a job that may stay without an answer; after that, no more are asked.
const FAILURES_MAX: u32 = 20;

/// The question that is out.
#[derive(Debug)]
enum Question {
    /// Has this part of the window more points than the whole answer had in it?
    Part { is_last: bool },
    /// It had more: has it more than the whole answer has now?
    Whole { held: Vec<Outline> },
}

/// An answer that looks cut, and the question about it.
#[derive(Debug)]
struct OpenDoubt {
    task: Task,
    /// The queries of the question, in its order.
    suspects: Vec<Suspect>,
    /// Points of the whole answer, all its queries together, where these look cut.
    call_points: Option<u64>,
    /// Some series was as long as its window: no cap on points per series cut the others.
    has_whole_series: bool,
    side: Side,
    /// Which of the [`PARTS`] of the window are asked for.
    parts: Range<usize>,
    question: Question,
}

#[derive(Debug)]
struct Suspect {
    query: PlanIndex,
    outline: Outline,
    /// Its longest series looks cut.
    by_length: bool,
    /// Its newest bucket seems to be left out.
    by_newest: bool,
}

/// The outcome of a question.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// One more question decides.
    Ask(PendingCall),
    Clipped(Clipped),
    /// The answer is whole.
    Trusted(Vec<(PlanIndex, Trusted)>),
    /// The data changed between the questions.
    Unsettled,
}

/// Search for caps that the server does not name.
#[derive(Debug, Default)]
pub(crate) struct Clipping {
    /// `None`: nothing is suspected in this job.
    trusted: Option<PerQuery<Trusted>>,
    seen: Seen,
    open: Option<OpenDoubt>,
    quota: Quota,
    failures: u32,
}

impl Clipping {
    /// Begins to suspect answers, apart from what earlier runs came to trust.
    pub(crate) fn watch(&mut self, trusted: PerQuery<Trusted>) {
        for Trusted { points, call_points, .. } in &trusted {
            self.seen.believe(*points, *call_points);
        }
        self.trusted = Some(trusted);
    }

    /// Returns whether a question is out.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns whether a part held more than the whole answer did.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.open.as_ref().is_some_and(|doubt| matches!(doubt.question, Question::Whole { .. }))
    }

    /// Takes in an answer. Returns the question that it leads to: while it is out, the answer is not to be believed.
    pub(crate) fn examine(
        &mut self,
        task: &Task,
        facts: &Facts,
        now: Timestamp,
    ) -> Option<PendingCall> {
        let trusted = self.trusted.as_ref()?;
        if facts.outlines.len() != task.queries.len() || self.failures >= FAILURES_MAX {
            return None;
        }
        self.quota.answered(task);
        let signs = Signs::new(task, &facts.outlines, now);
        self.seen.take(&signs);
        let by_call = signs.by_call(&self.seen);
        let mut suspects = Vec::new();
        for (&query, &outline) in task.queries.iter().zip(&facts.outlines) {
            let by_length = signs.by_length(&outline, trusted[query], &self.seen);
            let by_newest = signs.by_newest(&outline, trusted[query], &self.seen);
            if by_call || by_length || by_newest {
                suspects.push(Suspect { query, outline, by_length, by_newest });
            }
        }
        if suspects.is_empty() {
            self.seen.pass(&signs);
            return None;
        }
        if !self.quota.spend(if by_call { signs.points } else { signs.longest.into() }) {
            return None;
        }
        let side = side(&suspects);
        let doubt = OpenDoubt {
            task: task.clone(),
            call_points: by_call.then_some(signs.points),
            has_whole_series: signs.longest >= points(task),
            parts: parts(&suspects, side, points(task)),
            suspects,
            side,
            question: Question::Part { is_last: false },
        };
        let call = doubt.call()?;
        self.open = Some(doubt);
        Some(call)
    }

    /// Takes in the answer to the question.
    pub(crate) fn answered(&mut self, facts: &Facts) -> Option<Verdict> {
        let mut doubt = self.open.take()?;
        Some(match &doubt.question {
            Question::Part { .. } if doubt.clipped(&facts.outlines).is_some() => {
                doubt.question = Question::Whole { held: facts.outlines.clone() };
                self.ask(doubt)
            }
            Question::Part { is_last: false }
                if doubt.is_silent_beyond() && self.quota.exceed() =>
            {
                doubt.turn();
                self.ask(doubt)
            }
            Question::Part { .. } => Verdict::Trusted(self.trust(&doubt, &facts.outlines)),
            Question::Whole { held } => {
                let held = held.clone();
                doubt.whole_is(&facts.outlines);
                doubt.clipped(&held).map_or(Verdict::Unsettled, Verdict::Clipped)
            }
        })
    }

    /// Takes in that the question cannot be answered.
    pub(crate) fn failed(&mut self) {
        self.open = None;
        self.failures += 1;
    }

    fn ask(&mut self, doubt: OpenDoubt) -> Verdict {
        let Some(call) = doubt.call() else { return Verdict::Unsettled };
        self.open = Some(doubt);
        Verdict::Ask(call)
    }

    /// Trusts the queries of a question to which `held` was the last answer.
    fn trust(&mut self, doubt: &OpenDoubt, held: &[Outline]) -> Vec<(PlanIndex, Trusted)> {
        let mut verdicts = Vec::new();
        let Some(all) = self.trusted.as_mut() else { return verdicts };
        for (suspect, got) in doubt.suspects.iter().zip(held) {
            let Suspect { query, outline, by_length, by_newest } = suspect;
            let trusted = &mut all[*query];
            if *by_length {
                trusted.points = trusted.points.max(outline.longest);
                if outline.stride > 1 && outline.stride == got.stride {
                    trusted.stride = outline.stride;
                }
            }
            trusted.call_points = trusted.call_points.max(doubt.call_points.unwrap_or(0));
            trusted.newest |= *by_newest && doubt.side == Side::Late;
            verdicts.push((*query, *trusted));
        }
        let longest = doubt.suspects.iter().map(|suspect| suspect.outline.longest).max();
        self.seen.believe(longest.unwrap_or(0), doubt.call_points.unwrap_or(0));
        verdicts
    }
}

impl OpenDoubt {
    /// Returns the call that asks the question.
    fn call(&self) -> Option<PendingCall> {
        let Task { window, interval, .. } = self.task;
        let (purpose, window) = match self.question {
            Question::Part { .. } => {
                (Purpose::Doubt, Outline::stretch(window, interval, &self.parts)?)
            }
            Question::Whole { .. } => (Purpose::Recheck, window),
        };
        let queries = self.suspects.iter().map(|suspect| suspect.query).collect();
        Some(PendingCall::of(purpose, Task { queries, window, ..self.task.clone() }))
    }

    /// Takes in what the whole window holds now.
    fn whole_is(&mut self, outlines: &[Outline]) {
        for (suspect, outline) in self.suspects.iter_mut().zip(outlines) {
            suspect.outline = *outline;
        }
        let all = outlines.iter().map(|outline| outline.points).sum();
        self.call_points = self.call_points.map(|_| all);
    }

    /// Turns to the other side of the window.
    fn turn(&mut self) {
        self.side = self.side.other();
        self.parts = parts(&self.suspects, self.side, points(&self.task));
        self.question = Question::Part { is_last: true };
    }

    /// Returns the cap that is proven by a part that holds more than the whole answer did.
    fn clipped(&self, held: &[Outline]) -> Option<Clipped> {
        let (mut gained, mut newest) = (0, 0);
        let (mut top, mut was_absent) = (0, false);
        for (Suspect { outline, .. }, got) in self.suspects.iter().zip(held) {
            let more = got.points.saturating_sub(outline.parts[self.parts.clone()].iter().sum());
            gained += more;
            newest += u64::from(got.newest.saturating_sub(outline.newest));
            if more > 0 {
                top = top.max(outline.longest);
                was_absent |= outline.points == 0;
            }
        }
        if gained == 0 {
            return None;
        }
        if self.side == Side::Late && gained == newest {
            return Some(Clipped::Newest);
        }
        match self.call_points {
            Some(points) if was_absent || self.has_whole_series => Some(Clipped::Call { points }),
            Some(_) | None => Some(Clipped::Series { points: top.max(Limits::POINTS_MIN - 1) }),
        }
    }

    /// Returns whether the longest series is silent at the other side, too.
    fn is_silent_beyond(&self) -> bool {
        longest_cut(&self.suspects).is_some_and(|outline| is_silent(outline, self.side.other(), 0))
    }
}

/// Returns the longest series that looks cut.
fn longest_cut(suspects: &[Suspect]) -> Option<&Outline> {
    let cut = suspects.iter().filter(|suspect| suspect.by_length);
    cut.map(|suspect| &suspect.outline).max_by_key(|outline| outline.longest)
}

/// Returns the side at which the longest series is silent for longer.
fn side(suspects: &[Suspect]) -> Side {
    let is_early = longest_cut(suspects).is_some_and(|outline| outline.head > outline.tail);
    if is_early { Side::Early } else { Side::Late }
}

/// Returns the parts of a window of so many buckets that tell of a cap: where the longest series is silent, with one or two parts in
/// which it is not, and else a half. With all of its points in them they could be cut just as the whole was.
fn parts(suspects: &[Suspect], side: Side, buckets: u32) -> Range<usize> {
    let part = |bucket: u32| bucket as usize * PARTS / buckets.max(1) as usize;
    let silent = longest_cut(suspects).filter(|outline| is_silent(outline, side, 0));
    match (silent, side) {
        (Some(outline), Side::Early) => 0..(part(outline.head) + 2).min(PARTS),
        (Some(outline), Side::Late) => {
            part(buckets.saturating_sub(outline.tail + 1)).saturating_sub(1)..PARTS
        }
        (None, Side::Early) => 0..PARTS / 2,
        (None, Side::Late) => PARTS / 2..PARTS,
    }
}
