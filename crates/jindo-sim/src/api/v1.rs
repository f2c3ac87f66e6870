//! `GET /api/v1/query`: the answer's JSON, with everything that varies between recordings.

use std::collections::{BTreeSet, HashSet};

use super::call::QueryCall;
use super::errors;
use super::query::{self, QueryError};
use crate::evaluate::{QueryResult, Series};
use crate::faults::Fault;
use crate::grammar::{self, Arg, Expr, Query, Selector};
use crate::grid::{Grid, TimeRange};
use crate::json::{self, Spelling, quoted, whole};
use crate::noise;
use crate::wire::{Request, Response};

/// Answers a v1 query call; its fault may be in the text.
pub(super) fn answer(call: &QueryCall) -> Response {
    match Parameters::parse(&call.request) {
        Ok(parameters) => parameters.answer(call),
        Err(refused) => refused,
    }
}

/// The parameters of a call.
struct Parameters {
    range: TimeRange,
    text: String,
}

impl Parameters {
    /// Parses the parameters; fails with the 400 to answer.
    fn parse(request: &Request) -> Result<Self, Response> {
        let range = TimeRange { from_s: seconds(request, "from")?, to_s: seconds(request, "to")? };
        let text = request
            .parameter("query")
            .ok_or_else(|| errors::errors(400, "The parameter 'query' is required"))?;
        if range.from_s >= range.to_s {
            return Err(errors::errors(400, "The parameter 'from' must be before 'to'"));
        }
        Ok(Self { range, text })
    }

    /// Evaluates the queries and writes all series with a value, in an order by the hash. (REC)
    /// Evaluates the queries and writes all series with a value, in an order by the hash. (REC)
    fn answer(&self, call: &QueryCall) -> Response {
        let Self { range, text } = self;
        let refused = |message: &str| errors::refused(&call.options, *range, text, message);
        if call.fault == Some(Fault::TimedOut) {
            return errors::timed_out(*range, text);
        }
        let queries = match grammar::parse_list(text) {
            Ok(queries) => queries,
            Err(e) => return refused(&e.to_string()),
        };
        let results = match query::results(call, &queries, *range, None) {
            Ok(results) => results,
            Err(QueryError::TimedOut) => return errors::timed_out(*range, text),
            Err(QueryError::Refused(message)) => return refused(&message),
        };
        let mut rows: Vec<Row<'_>> = Vec::new();
        for (index, (query, result)) in queries.iter().zip(&results).enumerate() {
            let alive = result.series.iter().filter(|s| result.points(s).next().is_some());
            rows.extend(alive.map(|series| Row { index, query, result, series }));
        }
        noise::shuffle(&mut rows, call.hash);
        let writer = Writer {
            hash: call.hash,
            spelling: Spelling::by(call.hash),
            fault: call.fault,
            shared_times_s: (queries.len() > 1).then(|| shared_times_s(&rows)),
        };
        let (body, points) = writer.document(self, &queries, &rows);
        if call.options.answer_bytes_max.is_some_and(|max| body.len() > max) {
            return refused("The response is too large");
        }
        Response { points, ..Response::json(200, body) }
    }
}

/// Parses a parameter in epoch seconds; fails with the 400 to answer.
fn seconds(request: &Request, name: &str) -> Result<i64, Response> {
    let text = request
        .parameter(name)
        .ok_or_else(|| errors::errors(400, &format!("The parameter '{name}' is required")))?;
    // Whole seconds only (USER); beyond these bounds arithmetic on milliseconds would overflow.
    let seconds = text.parse().ok().filter(|s| (0..=1_000_000_000_000_i64).contains(s));
    seconds
        .ok_or_else(|| errors::errors(400, &format!("The parameter '{name}' must be an integer")))
}

/// One series of an answer, and the query that it belongs to.
struct Row<'a> {
    /// Position of the query in the list.
    index: usize,
    query: &'a Query,
    result: &'a QueryResult,
    series: &'a Series,
}

/// Returns every time, in epoch seconds, at which any series has a value: the one grid of all series in a comma list.
/// (USER)
fn shared_times_s(rows: &[Row<'_>]) -> Vec<i64> {
    let mut grids: Vec<(Grid, Vec<bool>)> = Vec::new();
    for row in rows {
        let grid = row.result.grid;
        let at = grids.iter().position(|(known, _)| *known == grid).unwrap_or_else(|| {
            grids.push((grid, vec![false; grid.len]));
            grids.len() - 1
        });
        for (any, value) in grids[at].1.iter_mut().zip(&row.series.values) {
            *any |= value.is_finite();
        }
    }
    let mut times_s = BTreeSet::new();
    for (grid, present) in &grids {
        let present = present.iter().enumerate().filter(|(_, any)| **any);
        times_s.extend(present.map(|(i, _)| grid.time_s(i)));
    }
    times_s.into_iter().collect()
}

/// The spelling of one answer.
struct Writer {
    hash: u64,
    spelling: Spelling,
    fault: Option<Fault>,
    /// `None` for a lone query, whose empty buckets are left out. (REC)
    shared_times_s: Option<Vec<i64>>,
}

impl Writer {
    /// Returns the body and the number of values in it.
    fn document(
        &self,
        parameters: &Parameters,
        queries: &[Query],
        rows: &[Row<'_>],
    ) -> (Vec<u8>, u64) {
        let selectors = queries.iter().flat_map(|query| query.expr.selectors());
        let mut seen = HashSet::new();
        let keys: Vec<&String> =
            selectors.flat_map(|selector| &selector.by).filter(|key| seen.insert(*key)).collect();
        let mut points = 0;
        let mut series =
            Vec::with_capacity(rows.iter().map(|row| 40 * row.series.values.len()).sum());
        json::list(&mut series, rows, |out, row| points += self.series(out, row));
        let mut members = vec![
            ("status", quoted("ok")),
            ("res_type", quoted("time_series")),
            ("resp_version", whole(1)),
            ("query", quoted(&parameters.text)),
            ("from_date", whole(parameters.range.from_s * 1_000)),
            ("to_date", whole(parameters.range.to_s * 1_000)),
            ("series", series),
            ("values", b"[]".to_vec()),
            ("times", b"[]".to_vec()),
            ("message", quoted("")),
            ("group_by", json::text(|out| json::strings(out, &keys))),
        ];
        // The order of keys varies between recordings. (REC)
        noise::shuffle(&mut members, self.hash);
        (json::text(|out| json::members(out, &members)), points)
    }

    /// Appends one series; returns the number of its values.
    fn series(&self, out: &mut Vec<u8>, row: &Row<'_>) -> u64 {
        let Row { index, query, result, series } = row;
        let own_times_s: Vec<i64>;
        let times_s = if let Some(shared) = &self.shared_times_s {
            shared
        } else {
            own_times_s = result.points(series).map(|(time_s, _)| time_s).collect();
            &own_times_s
        };
        let (pointlist, points) = self.pointlist(row, times_s);
        let first_s = times_s.first().copied().unwrap_or(0);
        let last_s = times_s.last().copied().unwrap_or(0);
        let interval_s = result.grid.interval_s;
        let name = quoted(&render(&query.expr, &[], Detail::Metrics));
        let mut members = vec![
            ("metric", name.clone()),
            ("display_name", name),
            ("aggr", aggregator(&query.expr).map_or(b"null".to_vec(), quoted)),
            ("scope", quoted(&scope(&query.expr.selectors(), &series.tags))),
            ("expression", quoted(&render(&query.expr, &series.tags, Detail::Full))),
            ("interval", whole(interval_s)),
            ("length", whole(i64::try_from(times_s.len()).unwrap_or(i64::MAX))),
            ("start", whole(first_s * 1_000)),
            // The last point's time plus the interval minus a second. (REC)
            ("end", whole((last_s + interval_s - 1) * 1_000)),
            ("pointlist", pointlist),
            ("tag_set", json::text(|out| json::strings(out, &series.tags))),
            ("attributes", b"{}".to_vec()),
            ("unit", json::text(|out| query::unit(out, result.unit))),
        ];
        match self.fault {
            Some(Fault::NoIndex) => {}
            Some(Fault::UnknownIndex) => members.push(("query_index", whole(9_999))),
            _ => members.push(("query_index", whole(i64::try_from(*index).unwrap_or(i64::MAX)))),
        }
        noise::shuffle(&mut members, noise::at(self.hash, 7));
        json::members(out, &members);
        points
    }

    /// Returns the points at `times_s`, `null` where there is no value, and the number of values.
    fn pointlist(&self, row: &Row<'_>, times_s: &[i64]) -> (Vec<u8>, u64) {
        let mut points = 0;
        let mut list = Vec::with_capacity(40 * times_s.len());
        json::list(&mut list, times_s, |out, &time_s| {
            let value = row.result.value_at(row.series, time_s);
            points += u64::from(value.is_finite());
            out.push(b'[');
            json::time(out, time_s, self.spelling);
            out.push(b',');
            json::value(out, value, self.spelling);
            out.push(b']');
        });
        (list, points)
    }
}

/// Returns the aggregator as written, of a plain series with one.
fn aggregator(expr: &Expr) -> Option<&str> {
    let Expr::Series(selector) = expr else { return None };
    selector.aggregator.map(|_| selector.aggregator_text.as_str())
}

/// Returns filter tags, then group tags, joined by commas; `*` when there are neither. (REC)
fn scope(selectors: &[&Selector], tags: &[String]) -> String {
    let filter = selectors.first().map_or("*", |s| s.filter_text.as_str());
    scoped(filter, tags)
}

/// Returns the filter as written with those tags that it does not contain already.
/// Returns the filter as written with those tags that it does not contain already.
fn scoped(filter: &str, tags: &[String]) -> String {
    match (filter, tags) {
        ("*" | "", []) => "*".to_owned(),
        ("*" | "", tags) => tags.join(","),
        (filter, tags) => {
            let named = |tag: &&String| filter.split(',').any(|item| item.trim() == tag.as_str());
            let more = tags.iter().filter(|tag| !named(tag)).map(String::as_str);
            [filter].into_iter().chain(more).collect::<Vec<_>>().join(",")
        }
    }
}

/// The detail of a rendered expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// The names of the metrics only.
    Metrics,
    /// With the group's tags written into the scopes.
    Full,
}

/// Returns the expression as text, for one group. (REC: `avg:M{bar:baz,host:h}` for `avg:M{bar:baz}by{host}`)
fn render(expr: &Expr, tags: &[String], detail: Detail) -> String {
    match expr {
        Expr::Number(n) => format!("{n}"),
        Expr::Series(selector) if detail == Detail::Metrics => selector.metric.clone(),
        Expr::Series(selector) => {
            let prefix = match selector.aggregator_text.as_str() {
                "" => String::new(),
                text => format!("{text}:"),
            };
            let scope = scoped(&selector.filter_text, tags);
            format!("{prefix}{}{{{scope}}}{}", selector.metric, selector.modifiers_text)
        }
        Expr::Negate(inner) => format!("-{}", render(inner, tags, detail)),
        Expr::Binary { operator, left, right } => {
            let (left, right) = (render(left, tags, detail), render(right, tags, detail));
            format!("({left} {} {right})", operator.symbol())
        }
        Expr::Call { function, args } => {
            let args: Vec<String> = args
                .iter()
                .map(|arg| match arg {
                    Arg::Expr(inner) => render(inner, tags, detail),
                    Arg::Text(text) => format!("'{text}'"),
                })
                .collect();
            format!("{function}({})", args.join(","))
        }
    }
}
