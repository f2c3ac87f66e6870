//! The oracle: the true values of a query, computed without batches, limits, faults or a clock.

use super::Organisation;
use crate::evaluate::{self, Context, Unsupported};
use crate::grammar::{self, ParseError};
use crate::grid::TimeRange;

/// One series as a client must receive it.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Position of the query in a comma list; 0 for a lone query.
    pub query_index: usize,
    /// The group's tags, `key:value`, in the order of `by {…}`.
    pub tags: Vec<String>,
    /// (start of the bucket in epoch seconds, value), ascending; buckets without data are absent.
    pub points: Vec<(i64, f64)>,
}

/// A query without true values; the API refuses it too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectedError {
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

impl Organisation {
    /// Returns the series of `query` with the buckets that start in `[from_s, to_s)`, epoch seconds; the last bucket is
    /// whole even where `to_s` cuts it. `interval_s` applies to queries without an interval of their own. Only an
    /// explicit `.fill` interpolates: the values are those of `.rollup(…, interval).fill(null)`. Series without points
    /// are absent.
    ///
    /// # Errors
    /// The query does not parse, or calls an unsupported function.
    pub fn expected(
        &self,
        query: &str,
        from_s: i64,
        to_s: i64,
        interval_s: i64,
    ) -> Result<Vec<Expected>, ExpectedError> {
        let context = Context::oracle(TimeRange { from_s, to_s }, interval_s);
        let mut all = Vec::new();
        for (query_index, query) in grammar::parse_list(query)?.iter().enumerate() {
            let result = evaluate::evaluate(self, &query.expr, &context)?;
            for series in &result.series {
                let points = result.points(series).collect::<Vec<_>>();
                if !points.is_empty() {
                    all.push(Expected { query_index, tags: series.tags.clone(), points });
                }
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::built_in_queries;

    const DAY_S: i64 = 86_400;

    #[test]
    fn batching_changes_nothing_and_neither_does_the_cut_of_a_range() {
        let organisation = Organisation::built_in(1);
        let queries = &built_in_queries()[..12];
        let from_s = 20_000 * DAY_S;
        let listed = organisation.expected(&queries.join(","), from_s, from_s + DAY_S, 60).unwrap();
        for (index, query) in queries.iter().enumerate() {
            let whole = organisation.expected(query, from_s, from_s + DAY_S, 60).unwrap();
            let of_list: Vec<Expected> = listed
                .iter()
                .filter(|e| e.query_index == index)
                .map(|e| Expected { query_index: 0, ..e.clone() })
                .collect();
            assert_eq!(whole, of_list, "{query}");
            let half =
                organisation.expected(query, from_s + DAY_S / 2, from_s + DAY_S, 60).unwrap();
            let points =
                |all: &[Expected]| all.iter().flat_map(|e| e.points.clone()).collect::<Vec<_>>();
            let mut later = points(&whole);
            later.retain(|(time_s, _)| *time_s >= from_s + DAY_S / 2);
            assert_eq!(points(&half), later, "{query}");
        }
    }

    #[test]
    fn of_a_sparse_organisation_most_days_are_empty() {
        let organisation = Organisation::sparse(1);
        let from_s = 20_000 * DAY_S;
        let days = built_in_queries().into_iter().take(60).flat_map(|query| {
            let all = organisation.expected(&query, from_s, from_s + 10 * DAY_S, 3_600).unwrap();
            (0..10).map(move |day| {
                let start_s = from_s + day * DAY_S;
                let mut points = all.iter().flat_map(|e| &e.points);
                points.any(|(time_s, _)| (start_s..start_s + DAY_S).contains(time_s))
            })
        });
        let full = days.filter(|full| *full).count();
        assert!((130..230).contains(&full), "{full} of 600 query-days");
    }

    #[test]
    fn what_is_not_known_is_no_empty_answer() {
        let organisation = Organisation::new(Vec::new());
        let error =
            organisation.expected("forecast(avg:m{*}, 'linear', 1)", 0, 60, 60).unwrap_err();
        assert_eq!(error, ExpectedError::Unsupported(Unsupported("forecast".to_owned())));
    }
}
