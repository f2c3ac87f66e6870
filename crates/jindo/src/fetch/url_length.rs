//! The search for the longest list that the server takes in a URL. Pure.
//!
//! A refusal (414, 431) tells what is too long and not what is not: half of it is asked, and from there the search goes on between what
//! came through and what did not, one call at a time, until less than a query is left to be gained.

use super::bisect::Conclusion;
use super::machine::Machine;
use super::protocol::Action;
use super::query_state::Job;
use crate::archive::GiveUpReason;
use crate::plan::{LearntLimit, Task};

/// The search ends when what is between both bounds is at most so small a part of the refused length: about a query.
const PRECISION: usize = 40;

/// What is known of the lengths of lists, in escaped characters.
#[derive(Debug, Default)]
pub(super) struct UrlLength {
    /// The longest that came through.
    fine: usize,
    /// The shortest that was refused.
    refused: Option<usize>,
}

impl UrlLength {
    /// What to try next, given what was refused.
    fn most(&self, refused: usize) -> usize {
        let between = refused.saturating_sub(self.fine);
        if between <= refused / PRECISION { self.fine.max(1) } else { self.fine + between / 2 }
    }
}

impl Machine {
    pub(super) fn url_too_long(&mut self, job: Job, actions: &mut Vec<Action>) {
        if let [query] = job.task.queries[..] {
            let reason = GiveUpReason::UrlTooLong;
            return self.apply(vec![Conclusion::GiveUp { query, reason }], actions);
        }
        let length = self.subjects.url_len(&job.task);
        if length <= self.url.fine {
            // What came through before was chance, or this is: from here the search begins anew.
            self.url.fine = 0;
        }
        self.url.refused = Some(self.url.refused.map_or(length, |refused| refused.min(length)));
        self.limit_url(length, actions);
        self.again(job);
    }

    /// A list came through: where a longer one was refused, something between the two may be taken.
    pub(super) fn lengthen_url(&mut self, task: &Task, actions: &mut Vec<Action>) {
        let length = self.subjects.url_len(task);
        if length > self.url.fine {
            self.url.fine = length;
            if let Some(refused) = self.url.refused {
                self.limit_url(refused, actions);
            }
        }
    }

    fn limit_url(&mut self, refused: usize, actions: &mut Vec<Action>) {
        let most = self.url.most(refused);
        if most != self.limits.url {
            self.limits.url = most;
            self.doubt_limits();
            let why = format!("a list of {refused} escaped characters was too long for a URL");
            actions.push(Action::Learn { limit: LearntLimit::UrlChars(most), why });
        }
    }
}
