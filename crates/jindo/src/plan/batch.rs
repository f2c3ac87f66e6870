//! Queries that share one call: packed by count, by escaped length and by expected weight (decoded bytes, by what earlier answers
//! brought). Pure.

use super::{Limits, PerQuery, PlanIndex, Window};
use crate::query::{Interval, Query};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters: what a URL's query value may hold without being escaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Stands between the queries of one call.
pub const SEPARATOR: &str = ",";

/// `text` as it stands in a URL.
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The length of `text` in a URL, in characters.
pub fn escaped_len(text: &str) -> usize {
    utf8_percent_encode(text, RESERVED).map(str::len).sum()
}

/// Cuts `members`, which are in list order, into batches within the limits. A query that is too long for
/// any batch gets a call of its own; the server may refuse it. `buckets` is what a query's weight is
/// multiplied with: see [`super::buckets`].
pub fn pack(
    members: &[PlanIndex],
    queries: &PerQuery<Query>,
    limits: Limits,
    buckets: u64,
) -> Vec<Vec<PlanIndex>> {
    let separator = escaped_len(SEPARATOR);
    let mut batches: Vec<Vec<PlanIndex>> = Vec::new();
    let (mut length, mut bytes) = (0, 0_u64);
    for &member in members {
        let query = &queries[member];
        let more = escaped_len(&query.text.sent) + separator;
        let heavier = weight(query).saturating_mul(buckets);
        match batches.last_mut() {
            Some(batch)
                if !query.text.alone
                    && !queries[batch[0]].text.alone
                    && batch.len() < limits.queries
                    && length + more <= limits.url
                    && bytes.saturating_add(heavier) <= BODY_BYTES_TARGET =>
            {
                batch.push(member);
                length += more;
                bytes += heavier;
            }
            _ => {
                batches.push(vec![member]);
                (length, bytes) = (more, heavier);
            }
        }
    }
    batches
}

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
fn weight(query: &Query) -> u64 {
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
