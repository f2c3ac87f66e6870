//! `GET /api/v1/query`: the answer's JSON, with everything that varies between recordings.

use super::errors;
use super::query::{self, Range, Refused};
use crate::evaluate::{Answer, Line, selectors};
use crate::faults::Fault;
use crate::grammar::{self, Arg, Expr, Query};
use crate::json::{self, Spelling};
use crate::noise;
use crate::options::Options;
use crate::organisation::Unit;
use crate::wire::{Request, Response};

/// One series with what it takes to write it.
struct Item<'a> {
    index: usize,
    query: &'a Query,
    answer: &'a Answer,
    line: &'a Line,
}

pub(super) fn answer(
    options: &Options,
    now_s: i64,
    request: &Request,
    (hash, fault): (u64, Option<Fault>),
) -> Response {
    let (from_s, to_s) = match (seconds(request, "from"), seconds(request, "to")) {
        (Ok(from_s), Ok(to_s)) => (from_s, to_s),
        (Err(refused), _) | (_, Err(refused)) => return refused,
    };
    let Some(text) = request.parameter("query") else {
        return errors::errors(400, "The parameter 'query' is required");
    };
    if from_s >= to_s {
        return errors::errors(400, "The parameter 'from' must be before 'to'");
    }
    if fault == Some(Fault::TimedOut) {
        return errors::timed_out((from_s, to_s), &text);
    }
    let range = Range { from_s, to_s, now_s, interval_s: None };
    let queries = match grammar::parse_list(&text) {
        Ok(queries) => queries,
        Err(e) => return errors::refused(options, (from_s, to_s), &text, &e.to_string()),
    };
    let answers = match query::answers(options, &queries, range) {
        Ok(answers) => answers,
        Err(Refused::TimedOut) => return errors::timed_out((from_s, to_s), &text),
        Err(Refused::Query(words)) => {
            return errors::refused(options, (from_s, to_s), &text, &words);
        }
    };
    let mut items: Vec<Item<'_>> = Vec::new();
    for (index, (query, answer)) in queries.iter().zip(&answers).enumerate() {
        let alive = answer.lines.iter().filter(|line| answer.points(line).next().is_some());
        items.extend(alive.map(|line| Item { index, query, answer, line }));
    }
    noise::shuffle(&mut items, hash);
    let writer = Writer {
        hash,
        spelling: Spelling::by(hash),
        fault,
        shared: shared_times(&queries, &items),
    };
    let (body, points) = writer.document(&text, (from_s, to_s), &queries, &items);
    if options.answer_bytes_max.is_some_and(|max| body.len() > max) {
        return errors::refused(options, (from_s, to_s), &text, "The response is too large");
    }
    Response { points, ..Response::json(200, body) }
}

fn seconds(request: &Request, name: &str) -> Result<i64, Response> {
    let text = request
        .parameter(name)
        .ok_or_else(|| errors::errors(400, &format!("The parameter '{name}' is required")))?;
    // Whole seconds only (USER); beyond these bounds arithmetic on milliseconds would overflow.
    let seconds = text.parse().ok().filter(|s| (0..=1_000_000_000_000_i64).contains(s));
    seconds
        .ok_or_else(|| errors::errors(400, &format!("The parameter '{name}' must be an integer")))
}

/// In comma lists all series share one grid: every time at which any has a value. (USER) `None` for a lone query,
/// whose empty buckets are left out. (REC)
fn shared_times(queries: &[Query], items: &[Item<'_>]) -> Option<Vec<i64>> {
    if queries.len() < 2 {
        return None;
    }
    let mut grids: Vec<(crate::evaluate::Grid, Vec<bool>)> = Vec::new();
    for item in items {
        let grid = item.answer.grid;
        let at = grids.iter().position(|(known, _)| *known == grid).unwrap_or_else(|| {
            grids.push((grid, vec![false; grid.len]));
            grids.len() - 1
        });
        for (any, value) in grids[at].1.iter_mut().zip(&item.line.values) {
            *any |= value.is_finite();
        }
    }
    let mut times: Vec<i64> = Vec::new();
    for (grid, present) in &grids {
        times.extend(
            present.iter().enumerate().filter(|(_, any)| **any).map(|(i, _)| grid.time_s(i)),
        );
    }
    times.sort_unstable();
    times.dedup();
    Some(times)
}

struct Writer {
    hash: u64,
    spelling: Spelling,
    fault: Option<Fault>,
    shared: Option<Vec<i64>>,
}

impl Writer {
    fn document(
        &self,
        text: &str,
        (from_s, to_s): (i64, i64),
        queries: &[Query],
        items: &[Item<'_>],
    ) -> (Vec<u8>, u64) {
        let mut keys: Vec<&String> = Vec::new();
        for selector in queries.iter().flat_map(|query| selectors(&query.expr)) {
            keys.extend(selector.by.iter());
        }
        let mut seen = std::collections::HashSet::new();
        keys.retain(|key| seen.insert(*key));
        let mut points = 0;
        let mut series =
            Vec::with_capacity(items.iter().map(|item| 40 * item.line.values.len()).sum());
        json::list(&mut series, items, |out, item| points += self.series(out, item));
        let mut members = vec![
            ("status", json::text(|out| json::string(out, "ok"))),
            ("res_type", json::text(|out| json::string(out, "time_series"))),
            ("resp_version", b"1".to_vec()),
            ("query", json::text(|out| json::string(out, text))),
            ("from_date", json::text(|out| json::integer(out, from_s * 1_000))),
            ("to_date", json::text(|out| json::integer(out, to_s * 1_000))),
            ("series", series),
            ("values", b"[]".to_vec()),
            ("times", b"[]".to_vec()),
            ("message", json::text(|out| json::string(out, ""))),
            ("group_by", json::text(|out| json::strings(out, &keys))),
        ];
        // The order of keys varies between recordings. (REC)
        noise::shuffle(&mut members, self.hash);
        (json::text(|out| json::members(out, &members)), points)
    }

    /// One series; returns how many values it has.
    fn series(&self, out: &mut Vec<u8>, item: &Item<'_>) -> u64 {
        let Item { index, query, answer, line } = item;
        let interval_s = answer.grid.interval_s;
        let own: Vec<i64>;
        let times = if let Some(shared) = &self.shared {
            shared
        } else {
            own = answer.points(line).map(|(time_s, _)| time_s).collect();
            &own
        };
        let first_s = times.first().copied().unwrap_or(0);
        let last_s = times.last().copied().unwrap_or(0);
        let selectors = selectors(&query.expr);
        let aggregator = match &query.expr {
            Expr::Series(selector) if selector.aggregator.is_some() => {
                Some(selector.aggregator_text.as_str())
            }
            Expr::Series(_)
            | Expr::Number(_)
            | Expr::Negate(_)
            | Expr::Binary { .. }
            | Expr::Call { .. } => None,
        };
        let name = render(&query.expr, &[], Detail::Metrics);
        let mut points = 0;
        let mut pointlist = Vec::with_capacity(40 * times.len());
        json::list(&mut pointlist, times.iter(), |out, &time_s| {
            let value = answer.grid.bucket(time_s).map_or(f64::NAN, |i| line.values[i]);
            points += u64::from(value.is_finite());
            self.point(out, time_s, value);
        });
        let number = |n: i64| json::text(|out| json::integer(out, n));
        let string = |text: &str| json::text(|out| json::string(out, text));
        let mut members = vec![
            ("metric", string(&name)),
            ("display_name", string(&name)),
            ("aggr", aggregator.map_or(b"null".to_vec(), string)),
            ("scope", string(&scope(&selectors, &line.tags))),
            ("expression", string(&render(&query.expr, &line.tags, Detail::Full))),
            ("interval", number(interval_s)),
            ("length", number(i64::try_from(times.len()).unwrap_or(i64::MAX))),
            ("start", number(first_s * 1_000)),
            // Recorded: the last point's time plus the interval minus a second. (REC)
            ("end", number((last_s + interval_s - 1) * 1_000)),
            ("pointlist", pointlist),
            ("tag_set", json::text(|out| json::strings(out, &line.tags))),
            ("attributes", b"{}".to_vec()),
            ("unit", json::text(|out| unit(out, answer.unit))),
        ];
        match self.fault {
            Some(Fault::NoIndex) => {}
            Some(Fault::UnknownIndex) => members.push(("query_index", number(9_999))),
            _ => members.push(("query_index", number(i64::try_from(*index).unwrap_or(i64::MAX)))),
        }
        noise::shuffle(&mut members, noise::at(self.hash, 7));
        json::members(out, &members);
        points
    }

    fn point(&self, out: &mut Vec<u8>, time_s: i64, value: f64) {
        out.push(b'[');
        json::time(out, time_s, self.spelling);
        out.push(b',');
        json::value(out, value, self.spelling);
        out.push(b']');
    }
}

/// Filter tags, then group tags, joined by commas; `*` when there are neither. (REC)
fn scope(selectors: &[&grammar::Selector], tags: &[String]) -> String {
    let filter = selectors.first().map_or("*", |s| s.filter_text.as_str());
    scoped(filter, tags)
}

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// The names of the metrics only.
    Metrics,
    /// With the group's tags written into the scopes.
    Full,
}

/// The expression as text, for one group. (REC: `avg:M{bar:baz,host:h}` for `avg:M{bar:baz}by{host}`)
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

/// `null`, or a list of two: the unit and what it is per. (REC)
pub(super) fn unit(out: &mut Vec<u8>, unit: Option<Unit>) {
    let Some(unit) = unit else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'[');
    let string = |text: &str| json::text(|out| json::string(out, text));
    json::members(
        out,
        &[
            ("family", string(unit.family)),
            ("scale_factor", format!("{:?}", unit.scale_factor).into_bytes()),
            ("name", string(unit.name)),
            ("short_name", unit.short_name.map_or(b"null".to_vec(), string)),
            ("plural", string(unit.plural)),
            ("id", unit.id.to_string().into_bytes()),
        ],
    );
    out.extend_from_slice(b",null]");
}
