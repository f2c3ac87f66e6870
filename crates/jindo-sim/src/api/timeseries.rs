//! `POST /api/v2/query/timeseries`, metrics source: columns on one shared list of times. (DOC)/(REC)

use serde::Serialize;
use serde_json::Value;

use super::errors;
use super::query::{self, INVALID, QueryCall, QueryError};
use crate::evaluate::QueryResult;
use crate::faults::Fault;
use crate::grammar::{self, Query};
use crate::grid::TimeRange;
use crate::json::{self, Number};
use crate::organisation::Unit;
use crate::wire::Response;

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
    if data["type"].as_str() != Some("timeseries_request") {
        return Err(invalid("Invalid type. Expected \"timeseries_request\""));
    }
    let attributes = data.get("attributes").ok_or_else(|| invalid("Missing attributes"))?;
    let seconds = |key: &str| {
        // Beyond these bounds arithmetic on times would overflow.
        let found = integer(&attributes[key]).filter(|ms| (0..=1_000_000_000_000_000).contains(ms));
        found.map(|ms| ms / 1_000).ok_or_else(|| invalid(&format!("Missing {key}")))
    };
    let range = TimeRange { from_s: seconds("from")?, to_s: seconds("to")? };
    if range.from_s >= range.to_s {
        return Err(invalid("from must be before to"));
    }
    let interval_s = integer(&attributes["interval"]).map(|ms| (ms / 1_000).max(1));
    let mut named = Vec::new();
    for query in attributes["queries"].as_array().into_iter().flatten() {
        if query["data_source"].as_str() != Some("metrics") {
            return Err(invalid("Only the metrics data source is simulated"));
        }
        let text = query["query"].as_str().ok_or_else(|| invalid("Missing query"))?;
        named.push((query["name"].as_str().unwrap_or_default(), text));
    }
    if named.is_empty() {
        return Err(invalid("Missing queries"));
    }
    let formulas = attributes["formulas"].as_array().into_iter().flatten();
    let formulas = formulas.filter_map(|formula| formula["formula"].as_str());
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
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let chars: Vec<char> = formula.chars().collect();
    let parts = chars.chunk_by(|a, b| in_word(*a) && in_word(*b)).map(String::from_iter);
    let replaced = parts.map(|part| match named.iter().find(|(name, _)| *name == part) {
        Some((_, text)) => format!("({text})"),
        None => part,
    });
    replaced.collect()
}

/// Returns a 200 with `errors` as a string. (DOC)
fn timed_out() -> Response {
    Response::json(200, "{\"errors\":\"Query timed out\"}")
}

/// The head of a series, whose values are a column of the answer.
#[derive(Serialize)]
struct Column<'a> {
    group_tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    query_index: Option<usize>,
    unit: Option<(Unit, Option<Unit>)>,
}

/// Returns the answer with all series that have a value.
fn document(results: &[QueryResult], fault: Option<Fault>) -> Response {
    let rows = query::rows(results);
    let times_s = query::times_s(&rows);
    let columns = rows.iter().map(|row| Column {
        group_tags: &row.series.tags,
        query_index: row.query_index(fault),
        unit: row.unit(),
    });
    let columns = json::text(columns.collect::<Vec<_>>());
    let times = json::text(times_s.iter().map(|time_s| time_s * 1_000).collect::<Vec<_>>());
    let mut points = 0;
    let mut values = String::new();
    json::list(&mut values, &rows, |out, row| {
        json::list(out, &times_s, |out, time_s| {
            let value = row.result.value_at(row.series, *time_s);
            points += u64::from(value.is_finite());
            json::value(out, value, Number::Bare);
        });
    });
    let body = format!(
        "{{\"data\":{{\"id\":\"0\",\"type\":\"timeseries_response\",\"attributes\":{{\"series\":{columns},\
         \"times\":{times},\"values\":{values}}}}}}}"
    );
    Response { points, ..Response::new(200, "application/vnd.api+json", body) }
}
