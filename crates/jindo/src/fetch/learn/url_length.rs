//! The search for the longest list that the server takes in a URL. Pure.
//!
//! A refusal (414, 431) tells what is too long and not what is not: half of it is asked, and from there the search goes on
//! between what came through and what did not, one call at a time, until less than a query is left to be gained.

use crate::fetch::consequence::Consequence;
use crate::fetch::protocol::Decision;
use crate::plan::LearntLimit;

/// The search ends when what is between both bounds is at most so small a part of the refused length: about a query.
const PRECISION: usize = 40;

/// Lengths of lists, in escaped characters.
#[derive(Debug, Default)]
pub(in crate::fetch) struct UrlLength {
    /// The longest that came through.
    fine: usize,
    /// The shortest that was refused.
    refused: Option<usize>,
}

impl UrlLength {
    /// Takes in that a list of this length was refused; returns the length to try next.
    pub(in crate::fetch) fn refused(&mut self, length: usize) -> Consequence {
        if length <= self.fine {
            // What came through before was chance, or this is: from here the search begins anew.
            self.fine = 0;
        }
        self.refused = Some(self.refused.map_or(length, |refused| refused.min(length)));
        self.limit(length)
    }

    /// Takes in that a list of this length came through; where a longer one was refused, something between may be taken.
    pub(in crate::fetch) fn accepted(&mut self, length: usize) -> Option<Consequence> {
        if length <= self.fine {
            return None;
        }
        self.fine = length;
        self.refused.map(|refused| self.limit(refused))
    }

    fn limit(&self, refused: usize) -> Consequence {
        let between = refused.saturating_sub(self.fine);
        let most =
            if between <= refused / PRECISION { self.fine.max(1) } else { self.fine + between / 2 };
        let why = format!("a list of {refused} escaped characters was too long for a URL");
        Consequence::Decide(Decision::Learn { limit: LearntLimit::UrlChars(most), why })
    }
}
