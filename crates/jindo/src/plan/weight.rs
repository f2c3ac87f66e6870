//! Weights of answers: decoded bytes, by what earlier answers brought. Pure.

use super::{Limits, Window};
use crate::query::{Interval, Query};

/// Decoded bytes that one call should bring at most; three quarters of what the client takes.
pub const BODY_BYTES_TARGET: u64 = 48 << 20;

/// Bytes a bucket of a query without an answer yet: about three series.
pub const WEIGHT_ASSUMED: u64 = 100;

/// Weight of a series besides its points (name, tags, scope, unit), in points. Without it an answer of one bucket would make a query look ten times as heavy as it is.
const HEAD_BUCKETS: u64 = 10;

/// Returns the factor of a window's weight: its buckets, and the heads of its series in buckets.
pub fn buckets(window: Window, interval: Interval) -> u64 {
    window.points(interval).max(1) + HEAD_BUCKETS
}

/// Bytes a bucket, as the plan reckons with them.
pub(super) fn weight(query: &Query) -> u64 {
    query.weight.unwrap_or(WEIGHT_ASSUMED)
}

impl Limits {
    /// The same with windows so short that a query of that weight, alone, brings no more than [`BODY_BYTES_TARGET`].
    #[must_use]
    pub fn carrying(self, bytes_per_bucket: u64) -> Self {
        let buckets = (BODY_BYTES_TARGET / bytes_per_bucket.max(1)).saturating_sub(HEAD_BUCKETS);
        // Windows stay one point below the limit.
        let points = u32::try_from(buckets.max(1) + 1).unwrap_or(u32::MAX);
        Self { points: self.points.min(points), ..self }
    }
}
