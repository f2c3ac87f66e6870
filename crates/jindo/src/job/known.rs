//! What an archive already knows, as plan and machine take it: continuing is starting with this.

use crate::archive::{Archive, Coverage, Error, Origin, Registered};
use crate::plan::{Limits, Window};
use crate::query::{Query, QueryText};

/// The query as the ledger knows it: perhaps with a substitute, perhaps heavy, perhaps given up and so alone until it proves itself.
pub fn as_registered(known: &Registered) -> Query {
    let alone = known.text.alone || known.given_up.is_some();
    Query {
        text: QueryText { alone, ..known.text.clone() },
        weight: known.weight.map(|weight| weight.bytes_per_bucket),
    }
}

/// Returns the stretches that need not be fetched again if probes do not count: those fetched, except open ones.
pub(super) fn closed_without_probes(coverage: &[Coverage]) -> Vec<Window> {
    let fetched = |covered: &&Coverage| !covered.open && covered.origin == Origin::Fetched;
    coverage.iter().filter(fetched).map(|covered| covered.window).collect()
}

/// Returns the stretches that need not be fetched again: all except open ones.
pub fn closed(coverage: &[Coverage]) -> Vec<Window> {
    coverage.iter().filter(|covered| !covered.open).map(|covered| covered.window).collect()
}

/// The limits as earlier runs learnt them, and where they did not, as `assumed`.
pub fn learnt_limits(archive: &Archive, assumed: Limits) -> Result<Limits, Error> {
    Ok(archive.learnt()?.into_iter().fold(assumed, |limits, learnt| limits.with(learnt.limit)))
}
