//! The simulator's answers have the shapes of recorded ones. The fixtures are written by hand after recordings of the
//! real service: same members, same types, invented contents. Without sockets or time.

use std::collections::BTreeSet;
use std::time::Duration;

use jindo_sim::{Api, Options, Refusal, Request};
use serde_json::Value;

/// 2026-03-01T00:00:00Z.
const DAY_S: i64 = 1_772_323_200;

/// Every path in a document with the type found there: `series[].interval: number`. Empty lists say nothing.
fn shape(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Null => drop(found.insert(format!("{path}: null"))),
        Value::Bool(_) => drop(found.insert(format!("{path}: bool"))),
        Value::Number(_) => drop(found.insert(format!("{path}: number"))),
        Value::String(_) => drop(found.insert(format!("{path}: string"))),
        Value::Array(items) => {
            found.insert(format!("{path}: list"));
            for item in items {
                shape(item, &format!("{path}[]"), found);
            }
        }
        Value::Object(members) => {
            found.insert(format!("{path}: object"));
            for (key, item) in members {
                shape(item, &format!("{path}.{key}"), found);
            }
        }
    }
}

fn shape_of(text: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    shape(&serde_json::from_slice(text).unwrap(), "", &mut found);
    found
}

fn check(change: impl Fn(&mut Options), request: &Request, fixture: &str) {
    let mut options = Options::new(1);
    change(&mut options);
    let now = Duration::from_secs(DAY_S.unsigned_abs() + 86_400);
    let answer = Api::new(options).answer(now, request);
    assert_eq!(shape_of(&answer.body), shape_of(fixture.as_bytes()), "{request:?}");
}

fn query(text: &str) -> Request {
    let escaped = text.replace('{', "%7B").replace('}', "%7D").replace(' ', "+");
    Request::get(&format!("/api/v1/query?from={DAY_S}&to={}&query={escaped}", DAY_S + 3_600))
}

#[test]
fn a_lone_query() {
    let text =
        "avg:aws.elb.estimated_processed_bytes{region:ap-northeast-2}by{name}.rollup(avg,300)";
    check(|_| {}, &query(text), include_str!("fixtures/v1_query_lone.json"));
}

#[test]
fn a_refused_query_with_status_200() {
    let change = |options: &mut Options| options.refusal = Refusal::Status200;
    check(change, &query("avg:app.queue"), include_str!("fixtures/v1_query_error.json"));
    let change = |options: &mut Options| options.queries_before_timeout = Some(0);
    check(change, &query("avg:odd.values{*}"), include_str!("fixtures/v1_query_error.json"));
    let change = |options: &mut Options| options.faults = "timeout:1".parse().unwrap();
    let mut options = Options::new(1);
    change(&mut options);
    let mut api = Api::new(options);
    let now = Duration::from_secs(DAY_S.unsigned_abs() + 86_400);
    let bodies: Vec<Vec<u8>> =
        (0..4).map(|_| api.answer(now, &query("avg:odd.values{*}")).body).collect();
    let wanted = shape_of(include_str!("fixtures/v1_query_error.json").as_bytes());
    assert_eq!(bodies.iter().filter(|body| shape_of(body) == wanted).count(), 1);
}

#[test]
fn a_forbidden_call() {
    let request = Request { headers: Vec::new(), ..query("avg:odd.values{*}") };
    check(|_| {}, &request, include_str!("fixtures/edge_forbidden.json"));
}

#[test]
fn v2_timeseries() {
    let body = format!(
        "{{\"data\":{{\"type\":\"timeseries_request\",\"attributes\":{{\"from\":{DAY_S}000,\"to\":{}000,\
         \"queries\":[{{\"data_source\":\"metrics\",\"query\":\"avg:odd.values{{*}} by {{host}}\"}}]}}}}}}",
        DAY_S + 3_600
    );
    let request = Request::post("/api/v2/query/timeseries", &body);
    check(|_| {}, &request, include_str!("fixtures/v2_timeseries.json"));
}

#[test]
fn lists_and_metadata() {
    let page = Request::get("/api/v2/metrics?page[size]=1");
    check(|_| {}, &page, include_str!("fixtures/v2_metrics_page.json"));
    let metadata = Request::get("/api/v1/metrics/aws.elb.estimated_processed_bytes");
    check(|_| {}, &metadata, include_str!("fixtures/v1_metadata.json"));
}
