//! Queries made from another query, to learn something about its data: coarser ones and samples. Pure.

mod coarse;
mod sample;

pub use coarse::coarse;
pub use sample::{Spacings, count_samples, sample};
