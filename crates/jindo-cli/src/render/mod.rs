//! Words for people: plans, progress, summaries, errors. Reads results, never computes them.

pub(crate) mod limits;
pub(crate) mod progress;
pub(crate) mod resolution;
pub(crate) mod summary;
pub(crate) mod words;
