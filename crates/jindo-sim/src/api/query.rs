//! What v1 and v2 share: from the texts of queries to answers on their grids, with everything the server refuses.

use crate::evaluate::{self, Answer, Grid, Interpolation, Intervals};
use crate::grammar::{self, Expr, Query};
use crate::json;
use crate::options::{BucketAtTo, Options, OverPoints};
use crate::resolution::{self, Resolution};
use crate::wire::Request;

/// The server's words for a query that it parsed and does not take. (USER)
pub(super) const INVALID: &str = "Invalid query input:\n";

/// What is asked of the data. Epoch seconds.
#[expect(clippy::struct_field_names, reason = "the postfix is the unit")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) from_s: i64,
    pub(super) to_s: i64,
    pub(super) now_s: i64,
    /// Where a query states no interval; `None` is the default by range.
    pub(super) interval_s: Option<i64>,
}

/// How many queries a call holds, for the statistics: a count of texts, valid or not.
pub(super) fn count(request: &Request) -> u64 {
    if let Some(text) = request.parameter("query") {
        return grammar::parse_list(&text).map_or(1, |queries| queries.len() as u64);
    }
    let body = json::read(&request.body);
    let queries =
        body.as_ref().and_then(|body| body.get("data")?.get("attributes")?.get("queries")?.items());
    queries.map_or(0, |queries| queries.len() as u64)
}

/// Why a call gets no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// The query is not allowed or not understood; the server's words.
    Query(String),
    /// It took too long. Reported as a 200 with `status: "error"`. (USER)
    TimedOut,
}

impl From<String> for Refused {
    fn from(words: String) -> Self {
        Refused::Query(words)
    }
}

/// The answers to all queries, or the refusal: one bad query fails them all. (USER)
pub(super) fn answers(
    options: &Options,
    queries: &[Query],
    range: Range,
) -> Result<Vec<Answer>, Refused> {
    if options.queries_max.is_some_and(|max| queries.len() > max) {
        return Err(format!("Too many queries: {}", queries.len()).into());
    }
    if options.queries_before_timeout.is_some_and(|max| queries.len() > max) {
        return Err(Refused::TimedOut);
    }
    let refused =
        |query: &&Query| options.refused.iter().any(|part| query.text.contains(part.as_str()));
    // A constant alone is no metric query. (INF)
    let constant = |query: &Query| evaluate::selectors(&query.expr).is_empty();
    if queries.iter().any(|query| refused(&query) || constant(query)) {
        return Err(INVALID.to_owned().into());
    }
    if options.retention_s.is_some_and(|kept_s| range.to_s <= range.now_s - kept_s) {
        return Err("Queries ending outside the retention date are invalid".to_owned().into());
    }
    let longest_s = options.intervals_s.last().copied().unwrap_or(1);
    let points = Grid::covering(range.from_s, range.to_s, longest_s).len;
    if points > options.points_max {
        return Err(format!(
            "Too many points: {points} of at most {} a series",
            options.points_max
        )
        .into());
    }
    let request = request(options, queries.len(), range);
    queries
        .iter()
        .map(|query| {
            refuse_fine(options, &query.expr, &request)?;
            Ok(evaluate::evaluate(&options.organisation, &query.expr, &request)
                .map_err(|e| e.to_string())?)
        })
        .collect()
}

fn request(options: &Options, queries: usize, range: Range) -> evaluate::Request {
    let Range { from_s, to_s, now_s, interval_s } = range;
    let after_to_s = match options.bucket_at_to {
        BucketAtTo::Excluded => to_s,
        BucketAtTo::Included => to_s + 1,
    };
    let by = Resolution { allowed_s: options.intervals_s.clone(), points_max: options.points_max };
    evaluate::Request {
        from_s,
        to_s: after_to_s,
        visible_from_s: options.retention_s.map_or(i64::MIN, |kept_s| now_s - kept_s),
        // The last bucket is cut by `to` and holds only its part; later than now there is nothing. (INF)
        visible_to_s: after_to_s.min(now_s - options.late_s + 1),
        interpolation: if queries == 1 {
            Interpolation::ByDefault
        } else {
            Interpolation::WhenAsked
        },
        intervals: Intervals::Allowed {
            otherwise_s: interval_s.unwrap_or_else(|| resolution::default_s(from_s, to_s)),
            by,
        },
    }
}

/// Where the server refuses instead of coarsening: a stated interval that gives too many points.
fn refuse_fine(options: &Options, expr: &Expr, request: &evaluate::Request) -> Result<(), String> {
    if options.over_points == OverPoints::Coarser {
        return Ok(());
    }
    for selector in evaluate::selectors(expr) {
        let Some(stated_s) = selector.rollup.and_then(|r| r.interval_s) else { continue };
        let points = Grid::covering(request.from_s, request.to_s, stated_s).len;
        if points > options.points_max {
            return Err(format!(
                "Too many points: {points} of at most {} a series",
                options.points_max
            ));
        }
    }
    Ok(())
}
