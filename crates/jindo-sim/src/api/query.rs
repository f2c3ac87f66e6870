//! The part that v1 and v2 share: from query texts to results on their grids, with all refusals of the server.

use std::sync::Arc;

use crate::evaluate::{self, Context, Interpolation, QueryResult, Series};
use crate::faults::Fault;
use crate::grammar::{self, Query};
use crate::grid::{Grid, TimeRange};
use crate::noise;
use crate::options::{BucketAtTo, Options, OverPoints};
use crate::organisation::Unit;
use crate::resolution::{self, Resolution};
use crate::wire::Request;

/// The server's message for a query that it parsed and refuses. (USER)
pub(super) const INVALID: &str = "Invalid query input:\n";

/// A query call that was admitted and is yet to be computed. Holds no lock.
#[derive(Debug)]
pub struct QueryCall {
    pub(crate) options: Arc<Options>,
    pub(crate) request: Request,
    /// Time of admission in epoch seconds.
    pub(crate) now_s: i64,
    pub(crate) rate_headers: Vec<(String, String)>,
    pub(crate) fault: Option<Fault>,
    /// Hash of the seed and the request, by which equal answers are spelled differently.
    pub(crate) hash: u64,
}

/// Returns the hash of a request under a seed; it does not depend on the order of requests.
pub(super) fn hash(options: &Options, request: &Request) -> u64 {
    let target = noise::of_text(options.seed, &request.target);
    request.body.iter().fold(target, |h, b| noise::mix(h ^ u64::from(*b)))
}

/// A query call that gets no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QueryError {
    /// A query is not allowed or does not parse; holds the server's message.
    Refused(String),
    /// The call took too long.
    TimedOut,
}

impl From<String> for QueryError {
    fn from(message: String) -> Self {
        QueryError::Refused(message)
    }
}

/// Counts the queries of a call for the statistics, valid or not.
pub(super) fn count(request: &Request) -> u64 {
    if let Some(text) = request.parameter("query") {
        return grammar::parse_list(&text).map_or(1, |queries| queries.len() as u64);
    }
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let queries = body["data"]["attributes"]["queries"].as_array();
    queries.map_or(0, |queries| queries.len() as u64)
}

/// Evaluates all queries of a call. `interval_s` applies to queries without an interval of their own; `None` is the
/// default by range.
///
/// # Errors
/// One bad query fails them all. (USER)
pub(super) fn results(
    call: &QueryCall,
    queries: &[Query],
    range: TimeRange,
    interval_s: Option<i64>,
) -> Result<Vec<QueryResult>, QueryError> {
    let options = &*call.options;
    if options.queries_max.is_some_and(|max| queries.len() > max) {
        return Err(format!("Too many queries: {}", queries.len()).into());
    }
    if options.queries_before_timeout.is_some_and(|max| queries.len() > max) {
        return Err(QueryError::TimedOut);
    }
    let refused =
        |query: &Query| options.refused.iter().any(|part| query.text.contains(part.as_str()));
    // A constant alone is no metric query. (INF)
    if queries.iter().any(|query| refused(query) || query.expr.selectors().is_empty()) {
        return Err(INVALID.to_owned().into());
    }
    if options.retention_s.is_some_and(|kept_s| range.to_s <= call.now_s - kept_s) {
        return Err("Queries ending outside the retention date are invalid".to_owned().into());
    }
    check_points(options, range, options.intervals_s.last().copied().unwrap_or(1))?;
    let interpolation = match queries {
        [_] => Interpolation::ByDefault,
        _ => Interpolation::WhenAsked,
    };
    let context = context(call, range, interval_s, interpolation);
    let evaluated = queries.iter().map(|query| {
        if options.over_points == OverPoints::Refused {
            let selectors = query.expr.selectors().into_iter();
            let mut stated_s = selectors.filter_map(|selector| selector.rollup?.interval_s);
            stated_s.try_for_each(|interval_s| check_points(options, context.range, interval_s))?;
        }
        Ok(evaluate::evaluate(&options.organisation, &query.expr, &context)
            .map_err(|e| e.to_string())?)
    });
    let mut results = evaluated.collect::<Result<Vec<_>, QueryError>>()?;
    if let Some(clip) = options.clip {
        clip.apply(&mut results);
    }
    Ok(results)
}

/// Returns the settings of an evaluation by the options and the time of the call.
fn context(
    call: &QueryCall,
    range: TimeRange,
    interval_s: Option<i64>,
    interpolation: Interpolation,
) -> Context {
    let options = &*call.options;
    let to_s = match options.bucket_at_to {
        BucketAtTo::Excluded => range.to_s,
        BucketAtTo::Included => range.to_s + 1,
    };
    let visible = TimeRange {
        from_s: options.retention_s.map_or(i64::MIN, |kept_s| call.now_s - kept_s),
        // The last bucket is cut by `to` and holds only its part; later than now there is nothing. (INF)
        to_s: to_s.min(call.now_s - options.late_s + 1),
    };
    let resolution =
        Resolution { offered_s: options.intervals_s.clone(), points_max: options.points_max };
    Context {
        range: TimeRange { to_s, ..range },
        visible,
        interpolation,
        default_s: interval_s.unwrap_or_else(|| resolution::default_s(range)),
        resolution: Some(resolution),
    }
}

/// Refuses intervals with more points per series than allowed.
fn check_points(options: &Options, range: TimeRange, interval_s: i64) -> Result<(), String> {
    let points = Grid::covering(range, interval_s).len;
    let max = options.points_max;
    if points > max {
        return Err(format!("Too many points: {points} of at most {max} a series"));
    }
    Ok(())
}

/// One series of an answer, and the query that it belongs to.
pub(super) struct Row<'a> {
    /// Position of the query in the list.
    pub(crate) index: usize,
    pub(crate) result: &'a QueryResult,
    pub(crate) series: &'a Series,
}

impl Row<'_> {
    /// Returns the `query_index` to write, by the fault of the call.
    pub(super) fn query_index(&self, fault: Option<Fault>) -> Option<usize> {
        match fault {
            Some(Fault::NoIndex) => None,
            Some(Fault::UnknownIndex) => Some(9_999),
            _ => Some(self.index),
        }
    }

    /// Returns the `unit` to write: the unit, and the unit it is per, of which there is none. (REC)
    pub(super) fn unit(&self) -> Option<(Unit, Option<Unit>)> {
        self.result.unit.map(|unit| (unit, None))
    }
}

/// Returns all series that have a value.
pub(super) fn rows(results: &[QueryResult]) -> Vec<Row<'_>> {
    let all = results.iter().enumerate().flat_map(|(index, result)| {
        result.series.iter().map(move |series| Row { index, result, series })
    });
    all.filter(|row| row.result.points(row.series).next().is_some()).collect()
}

/// Returns every time, in epoch seconds, at which any series has a value, ascending: one grid for all. (USER)
pub(super) fn times_s(rows: &[Row<'_>]) -> Vec<i64> {
    let points = rows.iter().flat_map(|row| row.result.points(row.series));
    let mut times_s: Vec<i64> = points.map(|(time_s, _)| time_s).collect();
    #[expect(clippy::stable_sort_primitive, reason = "it merges the ascending runs of the series")]
    times_s.sort();
    times_s.dedup();
    times_s
}
