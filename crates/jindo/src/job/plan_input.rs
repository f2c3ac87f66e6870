//! Inputs of a plan from the archive: learnt limits, and coverage that counts.

use crate::archive::{Archive, Coverage, Error};
use crate::plan::{Limits, Window};

/// Returns the stretches that need not be fetched again: all except open ones.
pub fn closed(coverage: &[Coverage]) -> Vec<Window> {
    coverage.iter().filter(|covered| !covered.open).map(|covered| covered.window).collect()
}

/// Returns the limits as earlier runs learnt them, and where they did not, as `assumed`.
pub fn learnt_limits(archive: &Archive, assumed: Limits) -> Result<Limits, Error> {
    Ok(archive
        .ledger()
        .learnt()?
        .into_iter()
        .fold(assumed, |limits, learnt| limits.with(learnt.limit)))
}
