//! The interval at which a query's points were reported: what is sampled to find it, and what follows. Pure.
//!
//! The newest points propose an interval: the smallest gap between two points of a series. One above 60 s is taken only where
//! a count over the whole range shows that no bucket of it holds two points; else the points are exported every 60 s.

mod count;
mod detect;
mod sample;

#[cfg(test)]
mod tests;

pub use count::{CountPart, Counting, PointCount};
pub use detect::{Confidence, NativeInterval, NextSample, Observed, SampleRange};
pub use sample::IntervalSample;
