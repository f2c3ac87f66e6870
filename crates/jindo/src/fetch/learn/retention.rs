//! The edge of what the server still keeps: learnt from a refusal, searched once, and nothing before it asked again. Pure.
//!
//! A window is refused for its place in time only when its beginning is refused and the newest stretch is not (see
//! `fetch/bisect.rs`). Nothing that ends before it need be asked then, of any query. The newest window that is left
//! tells whether anything is kept at all, and from there the edge is searched by halving: some ten refusals for years of days.

use crate::fetch::queue::Queue;
use crate::plan::{PerQuery, PlanIndex, Task, Window, hull};

#[derive(Debug, Default)]
pub(crate) struct RetentionEdge {
    /// The server's words about what is too old.
    words: Option<String>,
    /// A window that begins there was answered.
    kept_from_s: Option<i64>,
    /// Windows that were refused though something older was answered, and are asked once more.
    doubted: Vec<Task>,
    /// More is known of the edge, and no window was chosen since to narrow it.
    moved: bool,
}

impl RetentionEdge {
    /// Takes in that a window was answered. One after the range, which a small question may ask for, tells nothing.
    pub(crate) fn answered(&mut self, window: Window, range: Window) {
        let start_s = window.start_s();
        if start_s >= range.end_s() {
            return;
        }
        self.kept_from_s = Some(self.kept_from_s.map_or(start_s, |kept_s| kept_s.min(start_s)));
        self.moved |= self.words.is_some();
    }

    /// Returns whether the refused task is to be asked once more: something older was answered, so that its refusal may be chance.
    pub(crate) fn doubts(&mut self, task: &Task) -> bool {
        let has_older = self.kept_from_s.is_some_and(|kept_s| kept_s < task.window.start_s());
        if !has_older || self.doubted.contains(task) {
            return false;
        }
        self.doubted.push(task.clone());
        true
    }

    /// Takes in that a window was refused for its place in time. Returns whether the edge moves to its end: not when something
    /// older was answered.
    pub(crate) fn refused(&mut self, window: Window, words: &str, oldest_s: i64) -> bool {
        let end_s = window.end_s();
        let contradicted = self.kept_from_s.is_some_and(|kept_s| kept_s < end_s);
        if contradicted || end_s <= oldest_s || end_s < 0 {
            return false;
        }
        self.moved = true;
        self.words = Some(words.to_owned());
        true
    }

    /// Returns whether something is queued that may lie on either side of the edge: then there is one call at a time.
    pub(crate) fn is_sought(&self, queue: &Queue) -> bool {
        self.words.is_some() && !queue.fetch_starts_before(self.kept_s()).is_empty()
    }

    /// Returns what of the gaps is too old, one stretch a query, and the server's words about it.
    pub(crate) fn refused_of(
        &self,
        gaps: &PerQuery<Vec<Window>>,
        oldest_s: i64,
    ) -> Vec<(PlanIndex, Window, String)> {
        let Some(words) = &self.words else { return Vec::new() };
        let old = |(query, gaps): (PlanIndex, &Vec<Window>)| {
            let old = gaps
                .iter()
                .filter_map(|gap| Window::from_secs(gap.start_s(), gap.end_s().min(oldest_s)));
            hull(old).map(|window| (query, window, words.clone()))
        };
        gaps.indexed().filter_map(old).collect()
    }

    /// Puts the window that tells most about the edge first, once for each time that more is known of it.
    pub(crate) fn narrow(&mut self, queue: &mut Queue) {
        if !std::mem::take(&mut self.moved) {
            return;
        }
        let starts = queue.fetch_starts_before(self.kept_s());
        // Until something is known to be kept the newest tells; then the middle.
        let at = match self.kept_from_s {
            None => starts.len().checked_sub(1),
            Some(_) => Some(starts.len() / 2),
        };
        if let Some(&start_s) = at.and_then(|at| starts.get(at)) {
            queue.advance_fetch_from(start_s);
        }
    }

    fn kept_s(&self) -> i64 {
        self.kept_from_s.unwrap_or(i64::MAX)
    }
}
