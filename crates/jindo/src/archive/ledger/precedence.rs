//! Which of two objects a query's moment belongs to. Pure: the newer rank wins, whatever the order in which they are seen, so
//! that a ledger rebuilt from footers equals the lost one.

use super::{Coverage, Origin};
use crate::plan::{Window, subtract};

/// Order of objects. Fetched is greater than probed, and newer is greater: by generation, then by the time of fetching; the name
/// breaks ties that only damage can make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::archive) struct Rank {
    pub origin: Origin,
    pub generation: u32,
    pub fetched_ms: i64,
    pub name: String,
}

/// A stretch of one query, and the rank of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct Holding {
    pub held: Coverage,
    pub rank: Rank,
}

/// Changes of coverage that keep ranges disjoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct Takeover {
    /// Parts of its window that the new object is granted.
    pub granted: Vec<Window>,
    /// The weaker holdings that it overlaps (by index), each with what is left to it.
    pub trimmed: Vec<(usize, Vec<Window>)>,
}

/// Settles `window` among the holdings of one query, which are disjoint and all overlap it.
pub(in crate::archive) fn take_over(holdings: &[Holding], window: Window, rank: &Rank) -> Takeover {
    let (weaker, stronger): (Vec<_>, Vec<_>) =
        holdings.iter().enumerate().partition(|(_, holding)| holding.rank < *rank);
    let stronger: Vec<Window> = stronger.iter().map(|(_, stronger)| stronger.held.window).collect();
    let left =
        |(index, weaker): (usize, &Holding)| (index, subtract(weaker.held.window, &[window]));
    let trimmed = weaker.into_iter().map(left).collect();
    Takeover { granted: subtract(window, &stronger), trimmed }
}
