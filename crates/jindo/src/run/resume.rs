//! What an archive already knows, as plan and machine take it: continuing is starting with this.

use crate::archive::{Archive, Coverage, Error, Registered};
use crate::plan::{Limits, Window};
use crate::query::Query;

/// The query as the ledger knows it: perhaps with a substitute, perhaps given up and so alone until it proves itself.
pub fn as_registered(known: &Registered) -> Query {
    Query {
        written: known.written.clone(),
        sent: known.sent.clone(),
        unfilled: known.unfilled.clone(),
        interval: known.interval,
        alone: known.alone || known.given_up.is_some(),
    }
}

/// What need not be asked again: everything but open stretches.
pub fn closed(coverage: &[Coverage]) -> Vec<Window> {
    coverage.iter().filter(|covered| !covered.open).map(|covered| covered.window).collect()
}

/// The limits as earlier runs learnt them.
pub fn learnt_limits(archive: &Archive) -> Result<Limits, Error> {
    let mut limits = Limits::ASSUMED;
    for learnt in archive.learnt()? {
        match learnt.name.as_str() {
            "points" => limits.points = u32::try_from(learnt.value).unwrap_or(limits.points),
            "queries" => limits.queries = usize::try_from(learnt.value).unwrap_or(limits.queries),
            "url" => limits.url = usize::try_from(learnt.value).unwrap_or(limits.url),
            _ => {}
        }
    }
    Ok(limits)
}
