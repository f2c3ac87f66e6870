//! The searches for the longest list that the server takes in one call: of queries, and of escaped characters in a URL. Pure.
//!
//! A list that is refused although both its halves are fine had too many queries. That must happen twice before it is believed, since
//! it slows down everything that follows. A refusal of a URL (414, 431) tells what is too long and not what is not. Either way the
//! search goes on between what came through and what did not.

use crate::fetch::consequence::{Consequence, Refusal, alike};
use crate::plan::{LearntLimit, Limits};

/// Unexplained refusals before a shorter list becomes the rule.
const STRIKES: u32 = 2;

/// The search for a URL's length ends when what is between both bounds is at most so small a part of the refused length: about a query.
const PRECISION: usize = 40;

/// Lengths of lists, as far as they were tried.
#[derive(Debug, Default)]
struct Bounds {
    /// The longest that came through.
    fine: usize,
    /// The shortest that was refused.
    refused: Option<usize>,
}

impl Bounds {
    fn refuse(&mut self, length: usize) {
        self.refused = Some(self.refused.map_or(length, |refused| refused.min(length)));
    }

    /// Returns the length beyond `fine` by half of what lies between both bounds.
    fn middle(&self, refused: usize) -> usize {
        self.fine + refused.saturating_sub(self.fine) / 2
    }
}

/// The search for the number of queries in a call.
#[derive(Debug, Default)]
pub(crate) struct ListLength {
    strikes: u32,
    bounds: Bounds,
    words: Option<String>,
}

impl ListLength {
    /// Takes in that both halves are fine and the whole is not: the second time a shorter list becomes the rule.
    pub(crate) fn unexplained(&mut self, whole: &Refusal, half: usize) -> Option<Consequence> {
        if whole.task.queries.len() <= self.bounds.fine {
            // As long a list came through: it was chance.
            return None;
        }
        self.strikes += 1;
        self.bounds.fine = self.bounds.fine.max(half);
        self.bounds.refuse(whole.task.queries.len());
        self.words = Some(whole.words.clone());
        (self.strikes >= STRIKES).then(|| self.limit())
    }

    /// While the search is on, a refusal in the known words says only that this list was too long.
    pub(crate) fn shorten(&mut self, refusal: &Refusal) -> Option<Consequence> {
        let size = refusal.task.queries.len();
        let known = self.words.as_ref().is_some_and(|words| alike(words, &refusal.words));
        if self.strikes < STRIKES || !known || size <= self.bounds.fine {
            return None;
        }
        self.bounds.refuse(size);
        Some(self.limit())
    }

    /// Takes in that a list of that many queries came through: the bound moves up, or was never one.
    pub(crate) fn answered(&mut self, size: usize, limits: Limits) -> Option<Consequence> {
        if size <= self.bounds.fine {
            return None;
        }
        self.bounds.fine = size;
        if size >= self.bounds.refused? {
            *self = Self { bounds: Bounds { fine: size, refused: None }, ..Self::default() };
            return None;
        }
        let known = self.strikes >= STRIKES && self.most() != limits.queries;
        known.then(|| self.limit())
    }

    /// Returns whether a list was refused for its length, and the longest that is taken is not known yet.
    pub(crate) fn is_open(&self) -> bool {
        self.bounds.refused.is_some_and(|refused| refused > self.bounds.fine + 1)
    }

    /// Returns the shortest list that was refused.
    fn refused(&self) -> usize {
        self.bounds.refused.unwrap_or(self.bounds.fine + 1)
    }

    /// Returns the middle between what is fine and what is refused, or what is fine once they meet.
    fn most(&self) -> usize {
        self.bounds.middle(self.refused()).max(1)
    }

    fn limit(&self) -> Consequence {
        let words = self.words.as_deref().unwrap_or_default();
        let why = format!("{} queries in a call were refused: {words}", self.refused());
        Consequence::Limit { limit: LearntLimit::Queries(self.most()), why }
    }
}

/// The search for the number of escaped characters in a URL.
#[derive(Debug, Default)]
pub(crate) struct UrlLength(Bounds);

impl UrlLength {
    /// Returns whether a refusal of a list of this length may be chance: none was refused before, or one as long was taken.
    pub(crate) fn may_be_chance(&self, length: usize) -> bool {
        self.0.refused.is_none() || length <= self.0.fine
    }

    /// Takes in that a list of this length was refused; returns the length to try next.
    pub(crate) fn refused(&mut self, length: usize) -> Consequence {
        if length <= self.0.fine {
            // What came through before was chance, or this is: from here the search begins anew.
            self.0.fine = 0;
        }
        self.0.refuse(length);
        self.limit(length)
    }

    /// Takes in that a list of this length came through; where a longer one was refused, something between may be taken.
    pub(crate) fn accepted(&mut self, length: usize) -> Option<Consequence> {
        if length <= self.0.fine {
            return None;
        }
        self.0.fine = length;
        self.0.refused = self.0.refused.filter(|&refused| length < refused);
        self.0.refused.map(|refused| self.limit(refused))
    }

    fn limit(&self, refused: usize) -> Consequence {
        let fine = self.0.fine;
        let most = if self.is_found(refused) { fine.max(1) } else { self.0.middle(refused) };
        let why = format!("a list of {refused} escaped characters was too long for a URL");
        Consequence::Limit { limit: LearntLimit::UrlChars(most), why }
    }

    fn is_found(&self, refused: usize) -> bool {
        refused.saturating_sub(self.0.fine) <= refused / PRECISION
    }
}
