//! The search for the longest list of queries that the server takes in one call. Pure.
//!
//! A list that is refused although both its halves are fine was too long. That must happen twice before it is believed, since
//! it slows down everything that follows.

use crate::fetch::consequence::{Consequence, Refusal, alike};
use crate::fetch::protocol::Decision;
use crate::plan::{LearntLimit, Limits};

/// Unexplained refusals before a shorter list becomes the rule.
const STRIKES: u32 = 2;

#[derive(Debug, Default)]
pub(in crate::fetch) struct ListLength {
    strikes: u32,
    /// The longest list that came through.
    fine: usize,
    /// The shortest that was refused.
    refused: Option<usize>,
    words: Option<String>,
}

impl ListLength {
    /// Takes in that both halves are fine and the whole is not: the second time a shorter list becomes the rule.
    pub(in crate::fetch) fn unexplained(
        &mut self,
        whole: &Refusal,
        half: usize,
    ) -> Option<Consequence> {
        let size = whole.task.queries.len();
        self.strikes += 1;
        self.fine = self.fine.max(half);
        self.refused = Some(self.refused.map_or(size, |refused| refused.min(size)));
        self.words = Some(whole.words.clone());
        (self.strikes >= STRIKES).then(|| self.limit())
    }

    /// While the search is on, a refusal in the known words says only that this list was too long.
    pub(in crate::fetch) fn shorten(&mut self, refusal: &Refusal) -> Option<Consequence> {
        let size = refusal.task.queries.len();
        let known = self.words.as_ref().is_some_and(|words| alike(words, &refusal.words));
        if self.strikes < STRIKES || !known || size <= self.fine {
            return None;
        }
        self.refused = Some(self.refused.map_or(size, |refused| refused.min(size)));
        Some(self.limit())
    }

    /// Takes in that a list of that many queries came through: the bound moves up, or was never one.
    pub(in crate::fetch) fn answered(
        &mut self,
        size: usize,
        limits: Limits,
    ) -> Option<Consequence> {
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
        known.then(|| self.limit())
    }

    /// Returns whether a list was refused for its length, and the longest that is taken is not known yet.
    pub(in crate::fetch) fn is_open(&self) -> bool {
        self.refused.is_some_and(|refused| refused > self.fine + 1)
    }

    /// The middle between what is fine and what is refused, or what is fine once they meet.
    fn most(&self) -> usize {
        let refused = self.refused.unwrap_or(self.fine + 1);
        (self.fine + refused.saturating_sub(self.fine) / 2).max(1)
    }

    fn limit(&self) -> Consequence {
        let refused = self.refused.unwrap_or(self.fine + 1);
        let words = self.words.as_deref().unwrap_or_default();
        let why = format!("{refused} queries in a call were refused: {words}");
        Consequence::Decide(Decision::Learn { limit: LearntLimit::Queries(self.most()), why })
    }
}
