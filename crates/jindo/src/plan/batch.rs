//! Queries → batches that travel in one call: by number, by length in a URL, and by the weight of their answers. Pure.

use super::{BODY_BYTES_TARGET, Limits, PerQuery, PlanIndex, WEIGHT_ASSUMED};
use crate::query::Query;
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

/// Cuts `members`, which are in list order, into batches within the limits. A query that travels alone or is too long for any batch
/// gets a call of its own, which the server may refuse; those around it share theirs. `buckets` is what a query's weight is
/// multiplied with: see [`super::buckets`].
pub fn pack(
    members: &[PlanIndex],
    queries: &PerQuery<Query>,
    limits: Limits,
    buckets: u64,
) -> Vec<Vec<PlanIndex>> {
    let separator = escaped_len(SEPARATOR);
    let mut batches: Vec<Vec<PlanIndex>> = Vec::new();
    let (mut open, mut length, mut bytes) = (None, 0, 0_u64);
    for &member in members {
        let query = &queries[member];
        if query.text.alone {
            batches.push(vec![member]);
            continue;
        }
        let more = escaped_len(&query.text.sent) + separator;
        let heavier = query.weight.unwrap_or(WEIGHT_ASSUMED).saturating_mul(buckets);
        match open.map(|at: usize| &mut batches[at]) {
            Some(batch)
                if batch.len() < limits.queries
                    && length + more <= limits.url
                    && bytes.saturating_add(heavier) <= BODY_BYTES_TARGET =>
            {
                batch.push(member);
                length += more;
                bytes += heavier;
            }
            _ => {
                open = Some(batches.len());
                batches.push(vec![member]);
                (length, bytes) = (more, heavier);
            }
        }
    }
    batches
}
