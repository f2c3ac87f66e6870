//! `POST /api/v2/query/timeseries`, metrics source: columns on one shared list of times. (DOC)/(REC)

use std::collections::BTreeSet;

use super::query::{self, INVALID, Range, Refused};
use super::{errors, v1};
use crate::faults::Fault;
use crate::grammar::{self, Query};
use crate::json::{self, Number, Spelling, Time, Value};
use crate::options::Options;
use crate::wire::{Request, Response};

/// As recorded; the integer spelling of times is the only one seen.
const SPELLING: Spelling = Spelling { time: Time::Integer, value: Number::Bare };

/// What a body asks for.
struct Asked {
    from_s: i64,
    to_s: i64,
    interval_s: Option<i64>,
    /// One text per series list of the answer: the formulas, or the queries where there are none.
    texts: Vec<String>,
}

pub(super) fn answer(
    options: &Options,
    now_s: i64,
    request: &Request,
    fault: Option<Fault>,
) -> Response {
    if fault == Some(Fault::TimedOut) {
        return timed_out();
    }
    let asked = match asked(&request.body) {
        Ok(asked) => asked,
        Err(words) => return errors::errors(400, &words),
    };
    let mut queries: Vec<Query> = Vec::new();
    for text in &asked.texts {
        match grammar::parse_list(text) {
            Ok(mut parsed) if parsed.len() == 1 => queries.append(&mut parsed),
            Ok(_) => return errors::errors(400, INVALID),
            Err(e) => return errors::errors(400, &e.to_string()),
        }
    }
    let range =
        Range { from_s: asked.from_s, to_s: asked.to_s, now_s, interval_s: asked.interval_s };
    match query::answers(options, &queries, range) {
        Ok(answers) => document(&answers, fault),
        Err(Refused::TimedOut) => timed_out(),
        Err(Refused::Query(words)) => errors::errors(400, &words),
    }
}

fn asked(body: &[u8]) -> Result<Asked, String> {
    let invalid = |what: &str| format!("API input validation failed: {what}.");
    let body = json::read(body).ok_or_else(|| invalid("Invalid JSON"))?;
    let data = body.get("data").ok_or_else(|| invalid("Missing data"))?;
    if data.get("type").and_then(Value::text) != Some("timeseries_request") {
        return Err(invalid("Invalid type. Expected \"timeseries_request\""));
    }
    let attributes = data.get("attributes").ok_or_else(|| invalid("Missing attributes"))?;
    // Beyond these bounds arithmetic on times would overflow.
    let milliseconds = |key: &str| {
        let found = attributes
            .get(key)
            .and_then(Value::integer)
            .filter(|n| (0..=1_000_000_000_000_000).contains(n));
        found.ok_or_else(|| invalid(&format!("Missing {key}")))
    };
    let (from_s, to_s) = (milliseconds("from")? / 1_000, milliseconds("to")? / 1_000);
    if from_s >= to_s {
        return Err(invalid("from must be before to"));
    }
    let interval_s =
        attributes.get("interval").and_then(Value::integer).map(|ms| (ms / 1_000).max(1));
    let queries = attributes.get("queries").and_then(Value::items).unwrap_or_default();
    let mut named = Vec::new();
    for query in queries {
        if query.get("data_source").and_then(Value::text) != Some("metrics") {
            return Err(invalid("Only the metrics data source is simulated"));
        }
        let text =
            query.get("query").and_then(Value::text).ok_or_else(|| invalid("Missing query"))?;
        named.push((query.get("name").and_then(Value::text).unwrap_or_default(), text));
    }
    if named.is_empty() {
        return Err(invalid("Missing queries"));
    }
    let formulas = attributes.get("formulas").and_then(Value::items).unwrap_or_default();
    let formulas = formulas.iter().filter_map(|formula| formula.get("formula")?.text());
    let mut texts: Vec<String> = formulas.map(|formula| substitute(formula, &named)).collect();
    if texts.is_empty() {
        texts = named.iter().map(|(_, text)| (*text).to_owned()).collect();
    }
    Ok(Asked { from_s, to_s, interval_s, texts })
}

/// A formula with the names of queries replaced by their texts, each in parentheses.
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

/// `errors` as a string in a 200. (DOC)
fn timed_out() -> Response {
    Response::json(200, "{\"errors\":\"Query timed out\"}")
}

fn document(answers: &[crate::evaluate::Answer], fault: Option<Fault>) -> Response {
    let mut rows = Vec::new();
    let mut times = BTreeSet::new();
    for (index, answer) in answers.iter().enumerate() {
        for line in &answer.lines {
            let before = times.len();
            times.extend(answer.points(line).map(|(time_s, _)| time_s));
            if times.len() > before || answer.points(line).next().is_some() {
                rows.push((index, answer, line));
            }
        }
    }
    let mut points = 0;
    let mut out =
        b"{\"data\":{\"id\":\"0\",\"type\":\"timeseries_response\",\"attributes\":{\"series\":"
            .to_vec();
    json::list(&mut out, &rows, |out, (index, answer, line)| {
        out.extend_from_slice(b"{\"group_tags\":");
        json::strings(out, &line.tags);
        match fault {
            Some(Fault::NoIndex) => {}
            Some(Fault::UnknownIndex) => out.extend_from_slice(b",\"query_index\":9999"),
            _ => out.extend_from_slice(format!(",\"query_index\":{index}").as_bytes()),
        }
        out.extend_from_slice(b",\"unit\":");
        v1::unit(out, answer.unit);
        out.push(b'}');
    });
    out.extend_from_slice(b",\"times\":");
    json::list(&mut out, &times, |out, time_s| json::time(out, *time_s, SPELLING));
    out.extend_from_slice(b",\"values\":");
    json::list(&mut out, &rows, |out, (_, answer, line)| {
        json::list(out, &times, |out, time_s| {
            let value = answer.grid.bucket(*time_s).map_or(f64::NAN, |i| line.values[i]);
            points += u64::from(value.is_finite());
            json::value(out, value, SPELLING);
        });
    });
    out.extend_from_slice(b"}}}");
    Response { points, ..Response::new(200, "application/vnd.api+json", out) }
}
