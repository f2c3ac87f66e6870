//! Commands that fetch from the API, or plan to.

mod calls;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod plan;
