//! `POST /api/v2/query/timeseries`, metrics source: columns on one shared list of times. (DOC)/(REC)

use std::collections::BTreeSet;

use serde_json::Value;

use super::call::QueryCall;
use super::errors;
use super::query::{self, INVALID, QueryError};
use crate::evaluate::QueryResult;
use crate::faults::Fault;
use crate::grammar::{self, Query};
use crate::grid::TimeRange;
use crate::json::{self, Number, Spelling, Time};
use crate::wire::Response;

/// The spelling of all answers: for times the only one recorded.
const SPELLING: Spelling = Spelling { time: Time::Integer, value: Number::Bare };

/// The question in a body.
struct TimeseriesRequest {
    range: TimeRange,
    /// Interval in seconds for queries without one of their own.
    interval_s: Option<i64>,
    /// One query text per series list of the answer: the formulas, or the queries where there are none.
    texts: Vec<String>,
}

/// Answers a v2 query call; its fault may be in the text.
pub(super) fn answer(call: &QueryCall) -> Response {
    if call.fault == Some(Fault::TimedOut) {
        return timed_out();
    }
    let request = match parse(&call.request.body) {
        Ok(request) => request,
        Err(message) => return errors::errors(400, &message),
    };
    let mut queries: Vec<Query> = Vec::new();
    for text in &request.texts {
        match grammar::parse_list(text) {
            Ok(mut parsed) if parsed.len() == 1 => queries.append(&mut parsed),
            Ok(_) => return errors::errors(400, INVALID),
            Err(e) => return errors::errors(400, &e.to_string()),
        }
    }
    match query::results(call, &queries, request.range, request.interval_s) {
        Ok(results) => document(&results, call.fault),
        Err(QueryError::TimedOut) => timed_out(),
        Err(QueryError::Refused(message)) => errors::errors(400, &message),
    }
}

/// Parses a body; fails with the message of the 400 to answer.
fn parse(body: &[u8]) -> Result<TimeseriesRequest, String> {
    let invalid = |what: &str| format!("API input validation failed: {what}.");
    let body: Value = serde_json::from_slice(body).map_err(|_| invalid("Invalid JSON"))?;
    let data = body.get("data").ok_or_else(|| invalid("Missing data"))?;
    if data.get("type").and_then(Value::as_str) != Some("timeseries_request") {
        return Err(invalid("Invalid type. Expected \"timeseries_request\""));
    }
    let attributes = data.get("attributes").ok_or_else(|| invalid("Missing attributes"))?;
    let seconds = |key: &str| {
        let milliseconds = attributes.get(key).and_then(integer);
        // Beyond these bounds arithmetic on times would overflow.
        let found = milliseconds.filter(|ms| (0..=1_000_000_000_000_000).contains(ms));
        found.map(|ms| ms / 1_000).ok_or_else(|| invalid(&format!("Missing {key}")))
    };
    let range = TimeRange { from_s: seconds("from")?, to_s: seconds("to")? };
    if range.from_s >= range.to_s {
        return Err(invalid("from must be before to"));
    }
    let interval_s = attributes.get("interval").and_then(integer).map(|ms| (ms / 1_000).max(1));
    let mut named = Vec::new();
    for query in attributes["queries"].as_array().into_iter().flatten() {
        if query.get("data_source").and_then(Value::as_str) != Some("metrics") {
            return Err(invalid("Only the metrics data source is simulated"));
        }
        let text =
            query.get("query").and_then(Value::as_str).ok_or_else(|| invalid("Missing query"))?;
        named.push((query.get("name").and_then(Value::as_str).unwrap_or_default(), text));
    }
    if named.is_empty() {
        return Err(invalid("Missing queries"));
    }
    let formulas = attributes["formulas"].as_array().into_iter().flatten();
    let formulas = formulas.filter_map(|formula| formula.get("formula")?.as_str());
    let mut texts: Vec<String> = formulas.map(|formula| substitute(formula, &named)).collect();
    if texts.is_empty() {
        texts = named.iter().map(|(_, text)| (*text).to_owned()).collect();
    }
    Ok(TimeseriesRequest { range, interval_s, texts })
}

/// Returns a number that is whole and within the integers that a double counts exactly; `1.7e12` is one.
#[expect(clippy::cast_possible_truncation, reason = "checked here")]
fn integer(value: &Value) -> Option<i64> {
    value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64)
}

/// Replaces the names of queries in a formula by their texts, each in parentheses.
fn substitute(formula: &str, named: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = formula;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let word = &rest[..end];
        match named.iter().find(|(name, _)| *name == word) {
            Some((_, text)) => out.extend(["(", text, ")"]),
            None => out.push_str(word),
        }
        rest = &rest[end..];
    }
    out
}

/// Returns a 200 with `errors` as a string. (DOC)
fn timed_out() -> Response {
    Response::json(200, "{\"errors\":\"Query timed out\"}")
}

/// Returns the answer with all series that have a value.
fn document(results: &[QueryResult], fault: Option<Fault>) -> Response {
    let mut rows = Vec::new();
    let mut times_s = BTreeSet::new();
    for (index, result) in results.iter().enumerate() {
        for series in &result.series {
            let mut own = result.points(series).map(|(time_s, _)| time_s).peekable();
            if own.peek().is_some() {
                rows.push((index, result, series));
            }
            times_s.extend(own);
        }
    }
    let mut points = 0;
    let mut out =
        b"{\"data\":{\"id\":\"0\",\"type\":\"timeseries_response\",\"attributes\":{\"series\":"
            .to_vec();
    json::list(&mut out, &rows, |out, (index, result, series)| {
        out.extend_from_slice(b"{\"group_tags\":");
        json::strings(out, &series.tags);
        match fault {
            Some(Fault::NoIndex) => {}
            Some(Fault::UnknownIndex) => out.extend_from_slice(b",\"query_index\":9999"),
            _ => out.extend_from_slice(format!(",\"query_index\":{index}").as_bytes()),
        }
        out.extend_from_slice(b",\"unit\":");
        query::unit(out, result.unit);
        out.push(b'}');
    });
    out.extend_from_slice(b",\"times\":");
    json::list(&mut out, &times_s, |out, time_s| json::time(out, *time_s, SPELLING));
    out.extend_from_slice(b",\"values\":");
    json::list(&mut out, &rows, |out, (_, result, series)| {
        json::list(out, &times_s, |out, time_s| {
            let value = result.value_at(series, *time_s);
            points += u64::from(value.is_finite());
            json::value(out, value, SPELLING);
        });
    });
    out.extend_from_slice(b"}}}");
    Response { points, ..Response::new(200, "application/vnd.api+json", out) }
}
