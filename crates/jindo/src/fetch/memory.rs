//! What a run that ends within a diagnosis knows of refusals, for the next run: runs of few calls get on as well. Pure.
//!
//! The next run asks the same questions in the same order, since its plan is the same; those that were answered are not
//! asked again but answered from here, each once. What was fine and stored is coverage, and needs no memory.

use super::bisect::{ListLength, Verdict};
use super::machine::Machine;
use super::protocol::{Action, Form};
use super::query_state::{Job, Purpose, Travels};
use crate::plan::{PlanIndex, Window};

/// What was found out in vain so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    pub fates: Vec<Fate>,
    pub lists: ListLength,
}

/// A question and its answer, within a diagnosis that has come to no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Indexes into the plan's queries, as in the call.
    pub queries: Vec<PlanIndex>,
    pub form: Form,
    pub window: Window,
    /// The server's words; `None`: it took the question.
    pub refused: Option<String>,
}

impl Machine {
    /// Begins with what an earlier run knew.
    #[must_use]
    pub fn recalling(mut self, memory: Memory) -> Self {
        self.recalled = memory.fates;
        self.diagnoses.recall(memory.lists);
        self
    }

    pub(super) fn form(&self, job: &Job) -> Form {
        match job.purpose {
            Purpose::Question(id) if self.diagnoses.drops_fill(id, &self.subjects) => {
                Form::Unfilled
            }
            _ if self.subjects.get(job.task.queries[0]).travels == Travels::Unfilled => {
                Form::Unfilled
            }
            Purpose::Fetch
            | Purpose::Half(_)
            | Purpose::Question(_)
            | Purpose::Trial
            | Purpose::Sounding => Form::Sent,
        }
    }

    /// Answers the job from memory, or hands it back to be asked.
    pub(super) fn recall(&mut self, job: Job, actions: &mut Vec<Action>) -> Option<Job> {
        let known = self.recalled.iter().position(|fate| {
            let asked = (&fate.queries, fate.window) == (&job.task.queries, job.task.window);
            asked && fate.form == self.form(&job)
        });
        let Some(fate) = known.map(|known| self.recalled.swap_remove(known)) else {
            return Some(job);
        };
        match (fate.refused, job.purpose) {
            (Some(words), Purpose::Fetch | Purpose::Half(_) | Purpose::Question(_)) => {
                self.refused(job, words, actions);
                None
            }
            (None, Purpose::Question(id)) => {
                self.witness(&job, None);
                let task = job.task;
                let conclusions = self.diagnoses.verdict(id, task, Verdict::Fine, &self.subjects);
                self.apply(conclusions, actions);
                None
            }
            // A trial is to find out whether things have changed.
            (Some(_), Purpose::Trial)
            | (_, Purpose::Sounding)
            | (None, Purpose::Fetch | Purpose::Half(_) | Purpose::Trial) => Some(job),
        }
    }

    /// Notes what a diagnosis is told, as long as one is open.
    pub(super) fn witness(&mut self, job: &Job, refused: Option<&str>) {
        self.witnessed.push(Fate {
            queries: job.task.queries.clone(),
            form: self.form(job),
            window: job.task.window,
            refused: refused.map(str::to_owned),
        });
    }

    /// What the next run should know, when this one ends before its diagnoses do.
    pub(super) fn remember(&mut self, actions: &mut Vec<Action>) {
        if !self.diagnoses.is_calm() {
            let mut fates = std::mem::take(&mut self.witnessed);
            fates.append(&mut self.recalled);
            let lists = self.diagnoses.lists();
            actions.push(Action::Remember { memory: Memory { fates, lists } });
        }
    }
}
