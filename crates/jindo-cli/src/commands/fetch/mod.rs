//! Commands that fetch from the API, or plan to.

pub(crate) mod demo;
pub(crate) mod export;
mod fetching;
pub(crate) mod plan;
mod sampling;
