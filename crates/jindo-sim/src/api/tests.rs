//! The API by data: what a client sees, on a virtual clock.

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::faults::Faults;
use crate::options::{BucketAtTo, OverPoints, Refusal};
use crate::organisation::{Organisation, built_in_queries, variety_queries};
use crate::rate::HeaderStyle;

/// 2026-03-01T00:00:00Z, a multiple of every interval up to a day.
const DAY: i64 = 1_772_323_200;

/// Two days after [`DAY`].
const NOW: Duration = Duration::from_hours(492_360);

fn options() -> Options {
    thread_local! { static CALM: Options = Options::new(1); }
    CALM.with(Clone::clone)
}

fn api(change: impl Fn(&mut Options)) -> Api {
    let mut options = options();
    change(&mut options);
    Api::new(options)
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn target(query: &str, from_s: i64, to_s: i64) -> String {
    format!("/api/v1/query?from={from_s}&to={to_s}&query={}", escape(query))
}

fn ask(api: &mut Api, query: &str, from_s: i64, to_s: i64) -> Response {
    api.answer(NOW, &Request::get(&target(query, from_s, to_s)))
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("JSON")
}

/// Status and body.
fn check(response: &Response, expected: &Expect) {
    expected.assert_eq(&format!("{} {}", response.status, String::from_utf8_lossy(&response.body)));
}

/// Query index, tags, and (time in seconds, bits of the value) of one series.
type Row = (u64, Vec<String>, Vec<(i64, Option<u64>)>);

/// Every series, in a fixed order.
fn series(response: &Response) -> Vec<Row> {
    let mut all: Vec<_> = json_of(response)["series"]
        .as_array()
        .expect("series")
        .iter()
        .map(|series| {
            let tags = series["tag_set"].as_array().expect("tags").iter();
            let tags = tags.map(|t| t.as_str().expect("text").to_owned()).collect();
            let points = series["pointlist"].as_array().expect("points").iter().map(|point| {
                #[expect(clippy::cast_possible_truncation, reason = "a time")]
                let time_s = point[0].as_f64().expect("time") as i64 / 1_000;
                (time_s, point[1].as_f64().map(f64::to_bits))
            });
            (series["query_index"].as_u64().expect("index"), tags, points.collect())
        })
        .collect();
    all.sort();
    all
}

/// The same from the oracle.
fn oracle(query: &str, (from_s, to_s, interval_s): (i64, i64, i64)) -> Vec<Row> {
    let expected =
        options().organisation.expected(query, from_s, to_s, interval_s).expect("a query");
    let mut all: Vec<_> = expected
        .into_iter()
        .map(|e| {
            let points = e.points.into_iter().map(|(t, v)| (t, Some(v.to_bits()))).collect();
            (e.query_index as u64, e.tags, points)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn a_batch_of_the_built_in_list_equals_the_oracle_to_the_bit() {
    let mut api = api(|_| {});
    for chunk in [&built_in_queries()[..35], &built_in_queries()[340..375]] {
        let query: Vec<String> = chunk.iter().map(|q| format!("{q}.fill(null)")).collect();
        let query: Vec<String> =
            query.iter().map(|q| q.replace(".fill", ".rollup(avg,60).fill")).collect();
        let query = query.join(",");
        let answer = ask(&mut api, &query, DAY, DAY + 14_400);
        assert_eq!(answer.status, 200);
        let mut found = series(&answer);
        let grids: std::collections::HashSet<usize> =
            found.iter().map(|(_, _, p)| p.len()).collect();
        assert_eq!(grids.len(), 1, "one shared grid");
        for (_, _, points) in &mut found {
            points.retain(|(_, value)| value.is_some());
        }
        assert_eq!(found, oracle(&query, (DAY, DAY + 14_400, 60)));
    }
}

#[test]
fn every_family_equals_the_oracle_alone() {
    let mut api = api(|_| {});
    for query in variety_queries() {
        let query =
            if query.contains(":app") { query.to_owned() } else { format!("{query}.fill(null)") };
        let query = format!("{query}.rollup(60)");
        let answer = ask(&mut api, &query, DAY, DAY + 86_400);
        assert_eq!(series(&answer), oracle(&query, (DAY, DAY + 86_400, 60)), "{query}");
    }
}

#[test]
fn a_lone_query_has_the_recorded_fields() {
    let answer =
        ask(&mut api(|_| {}), "avg:odd.values{host:odd}by{host}.rollup(avg,300)", DAY, DAY + 900);
    let mut json = json_of(&answer);
    let mut keys: Vec<String> = json.as_object().expect("object").keys().cloned().collect();
    keys.sort();
    assert_eq!(
        keys.join(" "),
        "from_date group_by message query res_type resp_version series status times to_date values"
    );
    json["series"][0]["pointlist"] = Value::Null;
    let series = json["series"][0].as_object().expect("object");
    let mut lines: Vec<String> =
        series.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    lines.sort();
    expect![[r#"
        aggr: "avg"
        attributes: {}
        display_name: "odd.values"
        end: 1772324099000
        expression: "avg:odd.values{host:odd}.rollup(avg,300)"
        interval: 300
        length: 3
        metric: "odd.values"
        pointlist: null
        query_index: 0
        scope: "host:odd"
        start: 1772323200000
        tag_set: ["host:odd"]
        unit: null"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn lone_queries_leave_empty_buckets_out_and_lists_say_null() {
    let mut api = api(|_| {});
    let (slow, fast) =
        ("avg:odd.unstepped{host:two}.rollup(avg,60)", "avg:odd.values{*}.rollup(avg,60)");
    let alone = series(&ask(&mut api, slow, DAY, DAY + 900));
    assert_eq!(alone[0].2.len(), 3);
    let listed = series(&ask(&mut api, &format!("{slow},{fast}"), DAY, DAY + 900));
    assert_eq!(listed[0].2.len(), 15);
    assert_eq!(listed[0].2.iter().filter(|(_, v)| v.is_none()).count(), 12);
}

#[test]
fn a_lone_query_is_interpolated_unless_it_fills() {
    let mut api = api(|_| {});
    let lone = series(&ask(&mut api, "sum:odd.unstepped{*}.rollup(avg,60)", DAY, DAY + 3_600));
    let filled =
        series(&ask(&mut api, "sum:odd.unstepped{*}.rollup(avg,60).fill(null)", DAY, DAY + 3_600));
    let listed = series(&ask(
        &mut api,
        "sum:odd.unstepped{*}.rollup(avg,60),avg:odd.empty{*}",
        DAY,
        DAY + 3_600,
    ));
    assert_ne!(lone, filled);
    assert_eq!(listed, filled);
}

#[test]
fn too_many_points_are_coarser_or_refused() {
    let query = "avg:system.cpu.user{*}.rollup(avg,10)";
    let coarse = ask(&mut api(|_| {}), query, DAY, DAY + 86_400);
    assert_eq!(json_of(&coarse)["series"][0]["interval"], 60);
    let small = ask(&mut api(|o| o.points_max = 300), query, DAY, DAY + 86_400);
    assert_eq!(json_of(&small)["series"][0]["interval"], 300);
    let refused = ask(&mut api(|o| o.over_points = OverPoints::Refused), query, DAY, DAY + 86_400);
    check(
        &refused,
        &expect![[r#"400 {"errors":["Too many points: 8640 of at most 1500 a series"]}"#]],
    );
}

#[test]
fn the_bucket_at_to_the_partial_bucket_and_late_points() {
    let query = "avg:odd.values{*}.rollup(count,300)";
    let last = |api: &mut Api, to_s: i64| {
        let points = series(&ask(api, query, to_s - 900, to_s)).remove(0).2;
        points.last().map(|(time_s, count)| (to_s - time_s, count.map(f64::from_bits)))
    };
    assert_eq!(last(&mut api(|_| {}), DAY), Some((300, Some(5.0))));
    assert_eq!(
        last(&mut api(|o| o.bucket_at_to = BucketAtTo::Included), DAY),
        Some((0, Some(1.0)))
    );
    assert_eq!(last(&mut api(|_| {}), DAY + 120), Some((120, Some(2.0))), "cut by `to`");
    let now_s = NOW.as_secs().cast_signed();
    assert_eq!(last(&mut api(|o| o.late_s = 600), now_s), Some((600, Some(1.0))), "late");
    assert_eq!(last(&mut api(|_| {}), now_s + 600), Some((600, Some(1.0))), "the future is empty");
}

#[test]
fn keys_are_checked() {
    let mut api = api(|_| {});
    let with = |target: &str, headers: &[(&str, &str)]| Request {
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        ..Request::get(target)
    };
    let query = target("avg:odd.values{*}", DAY, DAY + 60);
    check(
        &api.answer(NOW, &with(&query, &[])),
        &expect![[
            r#"403 {"status":"error","code":403,"errors":["Forbidden"],"statuspage":"http://status.datadoghq.com","twitter":"http://twitter.com/datadogops","email":"support@datadoghq.com"}"#
        ]],
    );
    check(
        &api.answer(NOW, &with(&query, &[("dd-api-key", "sim-api-key")])),
        &expect![[r#"403 {"errors": ["Forbidden"]}"#]],
    );
    check(
        &api.answer(NOW, &with("/api/v1/validate", &[])),
        &expect![[r#"403 {"errors":["API key required"]}"#]],
    );
    check(
        &api.answer(NOW, &with("/api/v1/validate", &[("DD-API-KEY", "sim-api-key")])),
        &expect![[r#"200 {"valid":true}"#]],
    );
    check(
        &api.answer(NOW, &with("/api/v1/validate?api_key=sim-api-key", &[])),
        &expect![[
            r#"400 {"errors":["Keys in the URL are not accepted: they end up in logs. Send headers."]}"#
        ]],
    );
    assert_eq!(api.stats().query_calls, 0);
}

#[test]
fn refusals() {
    let mut api = api(|o| {
        o.refused = vec!["odd.empty".to_owned()];
        o.queries_max = Some(3);
    });
    check(
        &ask(&mut api, "avg:m", DAY, DAY + 60),
        &expect![[
            r#"400 {"errors":["Error parsing query: \nunable to parse avg:m: Rule 'scope_expr' didn't match at '' (line 1, column 6)."]}"#
        ]],
    );
    check(
        &ask(&mut api, "avg:odd.values{*},avg:odd.empty{*}", DAY, DAY + 60),
        &expect![[r#"400 {"errors":["Invalid query input:\n"]}"#]],
    );
    check(
        &ask(&mut api, "avg:a{*},avg:a{*},avg:a{*},avg:a{*}", DAY, DAY + 60),
        &expect![[r#"400 {"errors":["Too many queries: 4"]}"#]],
    );
    check(
        &ask(&mut api, "avg:odd.values{*}", 1_500_000_000, 1_500_000_060),
        &expect![[r#"400 {"errors":["Queries ending outside the retention date are invalid"]}"#]],
    );
    check(
        &ask(&mut api, "avg:odd.values{*}", DAY, DAY),
        &expect![[r#"400 {"errors":["The parameter 'from' must be before 'to'"]}"#]],
    );
    check(
        &ask(&mut api, "forecast(avg:odd.values{*}, 'linear', 1)", DAY, DAY + 60),
        &expect![[
            r#"400 {"errors":["Error parsing query: \nunknown function or arguments: forecast"]}"#
        ]],
    );
    check(
        &api.answer(NOW, &Request::get("/api/v1/query?from=1.5&to=2&query=a")),
        &expect![[r#"400 {"errors":["The parameter 'from' must be an integer"]}"#]],
    );
    check(
        &api.answer(NOW, &Request::get("/api/v1/nothing")),
        &expect![[r#"404 {"errors":["Not found"]}"#]],
    );
    let long = ask(&mut api, &"x".repeat(7_608), DAY, DAY + 60);
    assert_eq!(long.status, 414);
    assert_eq!(
        ask(&mut api, "avg:no.such.metric{*}", DAY, DAY + 60).status,
        200,
        "unknown is silent"
    );
    let mut in_200 = self::api(|o| o.refusal = Refusal::Status200);
    check(
        &ask(&mut in_200, "avg:foo_metric", DAY, DAY + 60),
        &expect![[
            r#"200 {"status":"error","res_type":"time_series","resp_version":1,"query":"avg:foo_metric","from_date":1772323200000,"to_date":1772323260000,"series":[],"values":[],"times":[],"error":"Error parsing query: \nunable to parse avg:foo_metric: Rule 'scope_expr' didn't match at '' (line 1, column 15).","group_by":[]}"#
        ]],
    );
}

#[test]
fn the_rate_limit_is_counted_by_calendar_window() {
    let mut options = options().with_query_limit(2, 3_600);
    options.rate_headers = HeaderStyle::Plain;
    let mut api = Api::new(options);
    let request = Request::get(&target("avg:odd.values{*}", DAY, DAY + 60));
    let mut remaining = |seconds: u64| {
        let answer = api.answer(NOW + Duration::from_secs(seconds), &request);
        let header = |name| answer.header(name).unwrap_or("-").to_owned();
        format!(
            "{} {} {}",
            answer.status,
            header("x-ratelimit-remaining"),
            header("x-ratelimit-reset")
        )
    };
    let seen: Vec<String> = [0, 1, 2, 3_599, 3_600].map(&mut remaining).to_vec();
    assert_eq!(seen, ["200 1 3600", "200 0 3599", "429 0 3598", "429 0 1", "200 1 3600"]);
    let windows: Vec<_> = api.stats().rate_windows.iter().map(|w| (w.used, w.refused)).collect();
    assert_eq!(windows, [(2, 2), (1, 0)]);
}

#[test]
fn each_fault_is_followed_by_the_truth() {
    let healthy = ask(&mut api(|_| {}), "avg:odd.values{*}", DAY, DAY + 3_600);
    for fault in Fault::all() {
        let mut api = api(|o| o.faults = Faults::Exactly(vec![(fault, 1)]));
        let answers: Vec<Response> =
            (0..6).map(|_| ask(&mut api, "avg:odd.values{*}", DAY, DAY + 3_600)).collect();
        let same = |r: &Response| {
            r.status == 200 && r.delivery == Delivery::Whole && r.body == healthy.body
        };
        assert_eq!(answers.iter().filter(|r| !same(r)).count(), 1, "{}", fault.name());
        assert_eq!(api.stats().faults_by_kind.get(fault.name()), Some(&1));
    }
}

#[test]
fn compressed_answers_are_whole_unless_they_are_to_be_cut() {
    use std::io::Read as _;
    let mut request = Request::get(&target("avg:odd.values{*}.rollup(avg,60)", DAY, DAY + 86_400));
    let plain = api(|_| {}).answer(NOW, &request);
    request.headers.push(("Accept-Encoding".to_owned(), "gzip, deflate".to_owned()));
    let unpack = |response: &Response| {
        let mut text = Vec::new();
        let read = flate2::read::GzDecoder::new(response.body.as_slice()).read_to_end(&mut text);
        read.map(|_| text)
    };
    let packed = api(|_| {}).answer(NOW, &request);
    assert_eq!(unpack(&packed).expect("whole"), plain.body);
    let cut = api(|o| o.script = [(1, Fault::TruncatedGzip)].into()).answer(NOW, &request);
    assert!(unpack(&cut).is_err());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let query = "avg:system.cpu.user{*} by {host}";
    let body = |seed| ask(&mut Api::new(Options::new(seed)), query, DAY, DAY + 3_600).body;
    assert_eq!(body(1), body(1));
    assert_ne!(body(1), body(2));
}

#[test]
fn v2_timeseries_is_columnar() {
    let mut api = api(|_| {});
    let mut ask = |queries: &str| {
        let body = format!(
            "{{\"data\":{{\"type\":\"timeseries_request\",\"attributes\":{{\"from\":{DAY}000,\"to\":{}000,\"interval\":60000,{queries}}}}}}}",
            DAY + 240
        );
        api.answer(NOW, &Request::post("/api/v2/query/timeseries", &body))
    };
    check(
        &ask(
            r#""queries":[{"data_source":"metrics","query":"avg:odd.values{*} by {host}","name":"a"}]"#,
        ),
        &expect![[
            r#"200 {"data":{"id":"0","type":"timeseries_response","attributes":{"series":[{"group_tags":["host:odd"],"query_index":0,"unit":null}],"times":[1772323200000,1772323260000,1772323320000,1772323380000],"values":[[0,-0.0,5e-324,1e300]]}}}"#
        ]],
    );
    check(
        &ask(
            r#""formulas":[{"formula":"a*0"}],"queries":[{"data_source":"metrics","query":"avg:odd.values{*}","name":"a"}]"#,
        ),
        &expect![[
            r#"200 {"data":{"id":"0","type":"timeseries_response","attributes":{"series":[{"group_tags":[],"query_index":0,"unit":null}],"times":[1772323200000,1772323260000,1772323320000,1772323380000],"values":[[0,-0.0,0,0]]}}}"#
        ]],
    );
    check(
        &ask(r#""queries":[{"data_source":"metrics","query":"avg:odd.empty{*}"}]"#),
        &expect![[
            r#"200 {"data":{"id":"0","type":"timeseries_response","attributes":{"series":[],"times":[],"values":[]}}}"#
        ]],
    );
    check(
        &ask(r#""queries":[{"data_source":"metrics","query":"avg:m"}]"#),
        &expect![[
            r#"400 {"errors":["Error parsing query: \nunable to parse avg:m: Rule 'scope_expr' didn't match at '' (line 1, column 6)."]}"#
        ]],
    );
    let wrong =
        Request::post("/api/v2/query/timeseries", r#"{"data":{"type":"timeseries_rquest"}}"#);
    check(
        &api.answer(NOW, &wrong),
        &expect![[
            r#"400 {"errors":["API input validation failed: Invalid type. Expected \"timeseries_request\"."]}"#
        ]],
    );
}

#[test]
fn discovery() {
    let mut api = api(|o| {
        o.organisation =
            Arc::new(Organisation::new(options().organisation.metrics()[..3].to_vec()));
    });
    let mut get = |target: &str| api.answer(NOW, &Request::get(target));
    check(&get("/api/v1/validate"), &expect![[r#"200 {"valid":true}"#]]);
    check(&get("/api/v2/validate_keys"), &expect![[r#"200 {"status":"ok"}"#]]);
    check(
        &get("/api/v1/metrics?from=1618221195"),
        &expect![[
            r#"200 {"metrics":["aws.autoscaling.group_total_instances","aws.certificatemanager.days_to_expiry","aws.ec2.cpusurplus_credit_balance"],"from":"1618221195"}"#
        ]],
    );
    check(
        &get("/api/v2/metrics?page%5Bsize%5D=2"),
        &expect![[
            r#"200 {"data":[{"type":"metrics","id":"aws.autoscaling.group_total_instances"},{"type":"metrics","id":"aws.certificatemanager.days_to_expiry"}],"meta":{"pagination":{"cursor":null,"next_cursor":"2","limit":2,"type":"cursor_limit"}},"links":{"self":"/api/v2/metrics?page[size]=2","last":null,"next":"/api/v2/metrics?page[size]=2&page[cursor]=2","prev":null,"first":"/api/v2/metrics?page[size]=2"}}"#
        ]],
    );
    check(
        &get("/api/v2/metrics?page[size]=2&page[cursor]=2"),
        &expect![[r#"200 {"data":[{"type":"metrics","id":"aws.ec2.cpusurplus_credit_balance"}]}"#]],
    );
    check(
        &get("/api/v1/metrics/aws.ec2.cpusurplus_credit_balance"),
        &expect![[
            r#"200 {"description":null,"short_name":null,"integration":"aws","statsd_interval":null,"per_unit":null,"type":"gauge","unit":null}"#
        ]],
    );
    check(&get("/api/v1/metrics/nope"), &expect![[r#"404 {"errors":["metric_name not found"]}"#]]);
    check(
        &get("/api/v1/search?q=metrics:ec2"),
        &expect![[r#"200 {"results":{"metrics":["aws.ec2.cpusurplus_credit_balance"]}}"#]],
    );
    let user = json_of(&get("/api/v2/current_user"));
    assert_eq!(user["data"]["relationships"]["org"]["data"]["id"], options().org_id.as_str());
}

#[test]
fn the_statistics_add_up() {
    let mut api = api(|o| o.faults = "reset:1".parse().expect("a spec"));
    for _ in 0..4 {
        ask(&mut api, "avg:odd.values{*}.rollup(avg,60),avg:odd.empty{*}", DAY, DAY + 600);
    }
    let stats = api.answer(NOW, &Request { headers: Vec::new(), ..Request::get("/sim/stats") });
    let stats = json_of(&stats);
    let found = |key: &str| stats[key].to_string();
    assert_eq!(found("query_calls"), "4");
    assert_eq!(found("queries"), "8");
    assert_eq!(found("answers_by_status"), "{\"200\":3}");
    assert_eq!(found("faults_by_kind"), "{\"reset\":1}");
    assert_eq!(found("points"), "30");
}

#[test]
fn a_v2_body_is_strict_json_with_every_escape() {
    let post =
        |body: &str| api(|_| {}).answer(NOW, &Request::post("/api/v2/query/timeseries", body));
    let whole = format!(
        r#" {{"data":{{"attributes":{{"to":{}000,"from":{DAY}e3,"queries":[{{"query":"\u0061vg:odd.values{{host:\u00e9\ud83d\ude00\n}}",
        "data_source":"metrics"}}],"more":[1,-2.5e3,null,true,{{}}]}},"type":"timeseries_request"}}}} "#,
        DAY + 60
    );
    check(
        &post(&whole),
        &expect![[
            r#"200 {"data":{"id":"0","type":"timeseries_response","attributes":{"series":[],"times":[],"values":[]}}}"#
        ]],
    );
    let deep = "[".repeat(1_000);
    for bad in ["", "{", "[1,]", "{\"a\" 1}", "1 2", "\"\\ud83d\"", "nul", &deep] {
        let refused = post(bad);
        assert_eq!(refused.status, 400, "{bad}");
        assert!(String::from_utf8_lossy(&refused.body).contains("Invalid JSON"), "{bad}");
    }
}
