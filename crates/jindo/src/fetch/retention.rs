//! What lies before everything that the server keeps: learnt from a refusal, searched once, and not asked again. Pure.
//!
//! A window is refused for its place in time only when its beginning is refused and the newest stretch is not (see
//! [`super::bisect`]). Nothing that ends before it need be asked then, of any query. The newest window that is left tells
//! whether anything is kept at all, and from there the edge is searched by halving: some ten refusals for years of days.

use super::machine::{Machine, Trust};
use super::protocol::Action;
use super::query_state::{Job, Purpose};
use crate::plan::{LearntLimit, PerQuery, Window, hull};

/// How far the edge is known.
#[derive(Debug, Default)]
pub(super) struct Edge {
    /// The server's words about what is too old.
    words: Option<String>,
    /// A window that begins there was answered.
    kept_from_s: Option<i64>,
    /// More is known of the edge, and no window was chosen since to narrow it.
    moved: bool,
}

impl Machine {
    /// The window was answered. What is asked about these days, beyond the range, tells nothing of the edge.
    pub(super) fn is_kept(&mut self, window: Window) {
        let start_s = window.start_s();
        if start_s >= self.range.end_s() {
            return;
        }
        self.edge.kept_from_s =
            Some(self.edge.kept_from_s.map_or(start_s, |kept_s| kept_s.min(start_s)));
        self.edge.moved |= self.edge.words.is_some();
    }

    /// Whether something is queued of which nobody knows whether it is too old: then there is one call at a time.
    pub(super) fn seeks_edge(&self) -> bool {
        let kept_s = self.edge.kept_from_s.unwrap_or(i64::MAX);
        let is_open =
            |job: &Job| job.purpose == Purpose::Fetch && job.task.window.start_s() < kept_s;
        self.edge.words.is_some() && self.queue.iter().any(is_open)
    }

    /// Whether it is known that the server refuses the window for its age.
    pub(super) fn is_too_old(&self, window: Window) -> bool {
        window.end_s() <= self.limits.oldest_s
    }

    /// The window was refused for its place in time. The edge lies behind it, unless something older was answered.
    pub(super) fn too_old(&mut self, window: Window, words: &str, actions: &mut Vec<Action>) {
        let end_s = window.end_s();
        let contradicted = self.edge.kept_from_s.is_some_and(|kept_s| kept_s < end_s);
        if end_s < 0 || contradicted || self.is_too_old(window) {
            return;
        }
        self.limits.oldest_s = end_s;
        self.trust = Trust::Stale;
        self.edge.moved = true;
        self.edge.words = Some(words.to_owned());
        actions.push(Action::Learn {
            limit: LearntLimit::OldestKept(window.end()),
            why: words.to_owned(),
        });
    }

    /// What of the gaps is too old is refused at once, in the server's words: one stretch a query.
    pub(super) fn refuse_too_old(&self, gaps: &PerQuery<Vec<Window>>, actions: &mut Vec<Action>) {
        let Some(words) = &self.edge.words else { return };
        for (query, gaps) in gaps.indexed() {
            let old = gaps.iter().filter_map(|gap| {
                let end_s = gap.end_s().min(self.limits.oldest_s);
                Window::from_secs(gap.start_s(), end_s)
            });
            let reason = words.clone();
            actions.extend(hull(old).map(|window| Action::RefuseWindow { query, window, reason }));
        }
    }

    /// While the edge is sought, the next window is the one that tells most about it.
    pub(super) fn narrow_edge(&mut self) {
        // One case after the other: every refusal on the way takes questions of its own.
        if !self.diagnoses.is_idle() || !std::mem::take(&mut self.edge.moved) {
            return;
        }
        let kept_s = self.edge.kept_from_s.unwrap_or(i64::MAX);
        let is_open =
            |job: &Job| job.purpose == Purpose::Fetch && job.task.window.start_s() < kept_s;
        let mut starts: Vec<_> = self
            .queue
            .iter()
            .filter(|job| is_open(job))
            .map(|job| job.task.window.start_s())
            .collect();
        starts.sort_unstable();
        starts.dedup();
        // Until something is known to be kept the newest tells; then the middle.
        let at = if self.edge.kept_from_s.is_none() {
            starts.len().checked_sub(1)
        } else {
            Some(starts.len() / 2)
        };
        let Some(&chosen_s) = at.and_then(|at| starts.get(at)) else { return };
        let chosen =
            self.queue.iter().position(|job| is_open(job) && job.task.window.start_s() == chosen_s);
        if let Some(job) = chosen.and_then(|at| self.queue.remove(at)) {
            self.queue.push_front(job);
        }
    }
}
