//! `GET /api/v1/query`: the answer's JSON, with everything that varies between recordings.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

use super::errors;
use super::query::{self, QueryCall, QueryError, Row};
use crate::faults::Fault;
use crate::grammar::{self, Arg, Expr, Query, Selector};
use crate::grid::TimeRange;
use crate::json::{self, Spelling, text};
use crate::noise;
use crate::options::Refusal;
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
        let text = required(request, "query")?;
        if range.from_s >= range.to_s {
            return Err(errors::errors(400, "The parameter 'from' must be before 'to'"));
        }
        Ok(Self { range, text })
    }

    /// Evaluates the queries and writes all series with a value, in an order by the hash. (REC)
    fn answer(&self, call: &QueryCall) -> Response {
        // Status 400 or 200, as the options say.
        let refused = |message: &str| match call.options.refusal {
            Refusal::Status400 => errors::errors(400, message),
            Refusal::Status200 => self.error(message),
        };
        if call.fault == Some(Fault::TimedOut) {
            return self.timed_out();
        }
        let queries = match grammar::parse_list(&self.text) {
            Ok(queries) => queries,
            Err(e) => return refused(&e.to_string()),
        };
        let results = match query::results(call, &queries, self.range, None) {
            Ok(results) => results,
            Err(QueryError::TimedOut) => return self.timed_out(),
            Err(QueryError::Refused(message)) => return refused(&message),
        };
        let mut rows = query::rows(&results);
        noise::shuffle(&mut rows, call.hash);
        let mut writer = Writer {
            call,
            spelling: Spelling::by(call.hash),
            queries: &queries,
            shared_times_s: (queries.len() > 1).then(|| query::times_s(&rows)),
            points: 0,
        };
        let mut series = String::new();
        json::list(&mut series, &rows, |out, row| writer.series(out, row));
        let selectors = queries.iter().flat_map(|query| query.expr.selectors());
        let mut seen = HashSet::new();
        let keys: Vec<&String> =
            selectors.flat_map(|selector| &selector.by).filter(|key| seen.insert(*key)).collect();
        let mut members = self.members("ok", "", series, text(keys));
        // The order of keys varies between recordings. (REC)
        noise::shuffle(&mut members, call.hash);
        let body = json::object(&members);
        if call.options.answer_bytes_max.is_some_and(|max| body.len() > max) {
            return refused("The response is too large");
        }
        Response { points: writer.points, ..Response::json(200, body) }
    }

    /// Returns the members of an answer in their usual order. `series` and `group_by` are lists in JSON.
    fn members(
        &self,
        status: &str,
        message: &str,
        series: String,
        group_by: String,
    ) -> Vec<(&'static str, String)> {
        let empty = "[]".to_owned();
        vec![
            ("status", text(status)),
            ("res_type", text("time_series")),
            ("resp_version", text(1)),
            ("query", text(&self.text)),
            ("from_date", text(self.range.from_s * 1_000)),
            ("to_date", text(self.range.to_s * 1_000)),
            ("series", series),
            ("values", empty.clone()),
            ("times", empty),
            (if status == "error" { "error" } else { "message" }, text(message)),
            ("group_by", group_by),
        ]
    }

    /// Returns a 200 with `status: "error"`. (USER, reported verbatim in 2023)
    fn error(&self, message: &str) -> Response {
        let members = self.members("error", message, "[]".to_owned(), "[]".to_owned());
        Response::json(200, json::object(&members))
    }

    /// Returns the 200 of a query that took too long. (USER)
    fn timed_out(&self) -> Response {
        self.error("Query timed out")
    }
}

/// Returns a parameter, decoded; fails with the 400 to answer.
fn required(request: &Request, name: &str) -> Result<String, Response> {
    let missing = || errors::errors(400, &format!("The parameter '{name}' is required"));
    request.parameter(name).ok_or_else(missing)
}

/// Parses a parameter in epoch seconds; fails with the 400 to answer.
fn seconds(request: &Request, name: &str) -> Result<i64, Response> {
    // Whole seconds only (USER); beyond these bounds arithmetic on milliseconds would overflow.
    let seconds = required(request, name)?.parse().ok();
    seconds
        .filter(|s| (0..=1_000_000_000_000_i64).contains(s))
        .ok_or_else(|| errors::errors(400, &format!("The parameter '{name}' must be an integer")))
}

/// The spelling of one answer, and the values written so far.
struct Writer<'a> {
    call: &'a QueryCall,
    spelling: Spelling,
    queries: &'a [Query],
    /// `None` for a lone query, whose empty buckets are left out. (REC)
    shared_times_s: Option<Vec<i64>>,
    /// Number of values that are not `null`.
    points: u64,
}

impl Writer<'_> {
    /// Appends one series.
    fn series(&mut self, out: &mut String, row: &Row<'_>) {
        let Row { index, result, series } = row;
        let expr = &self.queries[*index].expr;
        let times_s: Cow<'_, [i64]> = match &self.shared_times_s {
            Some(shared) => shared.into(),
            None => result.points(series).map(|(time_s, _)| time_s).collect(),
        };
        let first_s = times_s.first().copied().unwrap_or(0);
        let last_s = times_s.last().copied().unwrap_or(0);
        let interval_s = result.grid.interval_s;
        let mut pointlist = String::with_capacity(40 * times_s.len());
        json::list(&mut pointlist, &*times_s, |out, &time_s| {
            let value = result.value_at(series, time_s);
            self.points += u64::from(value.is_finite());
            let end = self.spelling.time_end;
            write!(out, "[{}{end},", time_s * 1_000).expect("a String grows");
            json::value(out, value, self.spelling.value);
            out.push(']');
        });
        let name = text(render(expr, &|selector| selector.metric.clone()));
        let first = expr.selectors().first().map_or("*", |first| first.filter_text.as_str());
        let mut members = vec![
            ("metric", name.clone()),
            ("display_name", name),
            ("aggr", text(aggregator(expr))),
            ("scope", text(scoped(first, &series.tags))),
            ("expression", text(render(expr, &|selector| in_full(selector, &series.tags)))),
            ("interval", text(interval_s)),
            ("length", text(times_s.len())),
            ("start", text(first_s * 1_000)),
            // The last point's time plus the interval minus a second. (REC)
            ("end", text((last_s + interval_s - 1) * 1_000)),
            ("pointlist", pointlist),
            ("tag_set", text(&series.tags)),
            ("attributes", "{}".to_owned()),
            ("unit", text(row.unit())),
        ];
        members.extend(row.query_index(self.call.fault).map(|index| ("query_index", text(index))));
        noise::shuffle(&mut members, noise::at(self.call.hash, 7));
        out.push_str(&json::object(&members));
    }
}

/// Returns the aggregator as written, of a plain series with one.
fn aggregator(expr: &Expr) -> Option<&str> {
    let Expr::Series(selector) = expr else { return None };
    selector.aggregator.map(|_| selector.aggregator_text.as_str())
}

/// Returns the filter as written, then those tags that it does not contain already, joined by commas; `*` when there are
/// neither. (REC)
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

/// Returns a selector as text, for one group. (REC: `avg:M{bar:baz,host:h}` for `avg:M{bar:baz}by{host}`)
fn in_full(selector: &Selector, tags: &[String]) -> String {
    let Selector { aggregator_text, metric, filter_text, modifiers_text, .. } = selector;
    let colon = if aggregator_text.is_empty() { "" } else { ":" };
    format!("{aggregator_text}{colon}{metric}{{{}}}{modifiers_text}", scoped(filter_text, tags))
}

/// Returns the expression as text, with each selector as `series` writes it.
fn render(expr: &Expr, series: &dyn Fn(&Selector) -> String) -> String {
    match expr {
        Expr::Number(n) => format!("{n}"),
        Expr::Series(selector) => series(selector),
        Expr::Negate(inner) => format!("-{}", render(inner, series)),
        Expr::Binary { operator, left, right } => {
            format!("({} {} {})", render(left, series), operator.symbol(), render(right, series))
        }
        Expr::Call { function, args } => {
            let args = args.iter().map(|arg| match arg {
                Arg::Expr(inner) => render(inner, series),
                Arg::Text(text) => format!("'{text}'"),
            });
            format!("{function}({})", args.collect::<Vec<_>>().join(","))
        }
    }
}
