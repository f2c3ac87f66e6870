//! Refusals of the server, in its words.

use super::decision::Decision;
use crate::plan::Task;

/// A task that the server will not answer.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) task: Task,
    pub(super) words: String,
    /// True if the window's size may be to blame.
    pub(super) window: WindowSize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowSize {
    Possible,
    /// A small window was refused as well.
    RuledOut,
}

impl Refusal {
    pub(super) fn new(task: Task, words: String) -> Self {
        Self { task, words, window: WindowSize::Possible }
    }

    pub(super) fn is_of_one_query(&self) -> bool {
        self.task.queries.len() == 1
    }

    /// The window is refused for its place in time.
    pub(super) fn out_of_place(self) -> Decision {
        let Task { queries, window, .. } = self.task;
        Decision::RefuseWindow { queries, window, words: self.words }
    }
}

/// Returns whether two refusals read the same, but for the numbers in them.
pub(super) fn alike(a: &str, b: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    letters(a) == letters(b)
}
