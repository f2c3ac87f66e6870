//! Queries made from another query, to learn something about its data: coarser ones and samples. Pure.

mod coarse_query;
mod sample;

pub use coarse_query::coarse;
pub use sample::{Spacings, count_samples, sample};
