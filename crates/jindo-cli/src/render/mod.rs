//! Text for people: plans, progress, summaries, errors, units. Reads results, never computes them.

pub(crate) mod errors;
pub(crate) mod export;
pub(crate) mod limits;
pub(crate) mod lists;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod refetch;
pub(crate) mod resolution;
pub(crate) mod shell;
pub(crate) mod summary;
pub(crate) mod units;
