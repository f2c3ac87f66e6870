//! The oracle: what a query's values must be, computed without batches, caps, faults, rate limits or a clock.

use super::Organisation;
use crate::evaluate::{self, Request};
use crate::grammar::{self, ParseError};

/// One series as it must arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Which query of a comma list; 0 for a lone query.
    pub query_index: usize,
    /// The group's tags, `key:value`, in the order of `by {…}`.
    pub tags: Vec<String>,
    /// (start of the bucket in epoch seconds, value), ascending; buckets without data are absent.
    pub points: Vec<(i64, f64)>,
}

impl Organisation {
    /// The series of `query` whose buckets start in `[from_s, to_s)`; the last one is whole even where `to_s` cuts it.
    /// `interval_s` holds where the query states no interval of its own. Nothing is interpolated unless the query has a
    /// `.fill` that says so: these are the values of `.rollup(…, interval).fill(null)`. Series without points are absent.
    pub fn expected(
        &self,
        query: &str,
        from_s: i64,
        to_s: i64,
        interval_s: i64,
    ) -> Result<Vec<Expected>, ParseError> {
        let mut all = Vec::new();
        for (query_index, query) in grammar::parse_list(query)?.iter().enumerate() {
            let request = Request::plain(from_s, to_s, interval_s);
            let Ok(answer) = evaluate::evaluate(self, &query.expr, &request) else { continue };
            for line in &answer.lines {
                let points = answer.points(line).collect::<Vec<_>>();
                if !points.is_empty() {
                    all.push(Expected { query_index, tags: line.tags.clone(), points });
                }
            }
        }
        Ok(all)
    }
}
