//! A 200 with JSON that is not what was asked, or not what the API promises.

use crate::faults::case::{self, Case, LONE_METRIC, body, replaced, series};
use crate::faults::peer::{Act, Truth};
use serde_json::json;
use std::fmt::Write as _;

/// Where the first point of an answer's first series begins.
const POINTS: &str = "\"pointlist\":[[";

pub(crate) fn all() -> Vec<Case> {
    let mut cases = said();
    cases.extend(shapes());
    cases.extend(fields());
    cases.extend(points());
    cases.extend(intervals());
    cases
}

fn said() -> Vec<Case> {
    const REFUSED: &str = r#"{"status":"error","error":"Invalid query","series":[]}"#;
    vec![
        Case::about_one("error-query", case::json("200 OK", REFUSED)),
        Case::about_one(
            "errors-ok-query",
            case::json("200 OK", r#"{"status":"ok","errors":["No such metric"],"series":[]}"#),
        ),
        Case::once(
            "error-timed-out",
            case::json("200 OK", r#"{"status":"error","error":"Query timed out","series":[]}"#),
        ),
        Case::about_both(
            "error-timed-out-list",
            case::json("200 OK", r#"{"status":"error","error":"Query timed out","series":[]}"#),
        ),
        Case::once(
            "error-passing",
            case::json("200 OK", r#"{"status":"error","error":"Please try again later"}"#),
        ),
        Case::once("status-unknown", replaced(r#""status":"ok""#, r#""status":"pending""#)),
        Case::once("status-missing", replaced(r#""status":"ok""#, r#""state":"ok""#)),
    ]
}

fn shapes() -> Vec<Case> {
    vec![
        Case::once("json-cut", body(|text| text[..text.len() - 7].to_owned())),
        Case::once("json-broken", body(|text| text.replacen(':', "=", 1))),
        Case::once("json-trailing", body(|text| format!("{text}{{}}"))),
        Case::once("json-list", body(|text| format!("[{text}]"))),
        Case::once("json-twice", replaced(r#""series":["#, r#""series":[],"series":["#)),
        Case::once(
            "json-field-twice",
            replaced(r#""interval":60,"#, r#""interval":60,"interval":60,"#),
        ),
        Case::once(
            "json-deep",
            body(|text| {
                let nest = "[".repeat(100_000) + &"]".repeat(100_000);
                text.replacen('{', &format!("{{\"deep\":{nest},"), 1)
            }),
        ),
        Case::once(
            "json-unknown",
            body(|text| {
                text.replacen('{', r#"{"new":{"of":[2027,null,{}]},"#, 1)
                    .replace(r#""aggr""#, r#""brand_new":[1,{"a":"é"}],"aggr""#)
            }),
        ),
        Case::first(
            "remarks",
            body(|text| {
                let remarks = r#"{"message":["a\u001b\nb",7],"warnings":{"detail":"c","of":1},"#;
                text.replace(r#""message":"#, r#""messages":"#).replacen('{', remarks, 1)
            }),
        )
        .with(&["--progress", "plain"]),
        Case::once("nan", nth_value(1, "NaN")),
        Case::once("infinity", nth_value(1, "-Infinity")),
        Case::once("too-large-number", nth_value(1, "1e999")),
        Case::once("text-number", nth_value(1, "\"1.5\"")),
        Case::about_one("nan-query", nth_value(1, "NaN")).with(&["--give-up-after", "40s"]),
    ]
}

fn fields() -> Vec<Case> {
    vec![
        Case::once("series-missing", replaced(r#""series":["#, r#""rows":["#)),
        Case::once("series-null", body(|_| r#"{"status":"ok","series":null}"#.into())),
        Case::once("index-missing", replaced(r#""query_index""#, r#""query_number""#)),
        Case::once("index-unknown", replaced(r#""query_index":1"#, r#""query_index":7"#)),
        Case::once("index-negative", replaced(r#""query_index":1"#, r#""query_index":-1"#)),
        Case::once("tags-missing", replaced(r#""tag_set""#, r#""tags""#)),
        Case::once("metric-missing", replaced(r#""metric""#, r#""name_of_it""#)),
        Case::once("interval-missing", replaced(r#""interval""#, r#""every""#)),
        Case::once("points-missing", replaced(r#""pointlist""#, r#""points""#)),
        Case::once(
            "group-twice",
            series(|all| {
                let of = |host: &str| json!([format!("host:{host}")]);
                let twin = all.iter_mut().find(|series| series["tag_set"] == of("web-2"));
                twin.unwrap()["tag_set"] = of("web-1");
            }),
        ),
    ]
}

fn points() -> Vec<Case> {
    vec![
        Case::once(
            "points-outside",
            body(|text| {
                text.replace(POINTS, "\"pointlist\":[[0,1.5],[60000,2],[1980288000000,3],[")
            }),
        ),
        Case::once("points-unsorted", body(reversed)),
        Case::once("points-twice", body(|text| doubled(text, None))),
        Case::once("points-conflict", body(|text| doubled(text, Some("77")))),
        Case::once(
            "points-off-grid",
            body(|text| text.replacen(POINTS, "\"pointlist\":[[1780272000123.0,1.5],[", 1)),
        ),
        Case::once(
            "points-seconds",
            series(|all| {
                for point in
                    all.iter_mut().flat_map(|series| series["pointlist"].as_array_mut().unwrap())
                {
                    point[0] = json!(point[0].as_f64().unwrap() / 1_000.0);
                }
            }),
        ),
        Case::once("points-short", body(|text| text.replacen(POINTS, "\"pointlist\":[[1],[", 1))),
        Case::once("series-twice", series(|all| all.push(all[0].clone()))),
    ]
}

fn intervals() -> Vec<Case> {
    vec![
        Case::once("coarser-once", replaced(r#""interval":60,"#, r#""interval":300,"#)),
        Case::new("coarser-cap", |asked, truth| {
            let long = asked.nth > 0 && asked.window_s() > 43_200;
            long.then(|| replaced(r#""interval":60,"#, r#""interval":300,"#)(truth))
        }),
        Case::about_one(
            "coarser-query",
            series(|all| {
                for lone in all.iter_mut().filter(|series| series["metric"] == LONE_METRIC) {
                    lone["interval"] = json!(300);
                }
            }),
        ),
        Case::about_one(
            "finer-query",
            series(|all| {
                for lone in all.iter_mut().filter(|series| series["metric"] == LONE_METRIC) {
                    lone["interval"] = json!(10);
                }
            }),
        ),
        Case::once("finer-once", replaced(r#""interval":60,"#, r#""interval":10,"#)),
        Case::first("interval-milliseconds", replaced(r#""interval":60,"#, r#""interval":60000,"#)),
        Case::once("interval-zero", replaced(r#""interval":60,"#, r#""interval":0,"#)),
    ]
}

/// Another number, or none, in the n-th point of the first series.
fn nth_value(nth: usize, value: &'static str) -> impl Fn(&Truth) -> Vec<Act> {
    body(move |text| {
        let start = text.find(POINTS).unwrap() + POINTS.len() - 1;
        let point = text[start..].match_indices('[').nth(nth).unwrap().0 + start;
        let comma = text[point..].find(',').unwrap() + point + 1;
        let end = text[comma..].find(']').unwrap() + comma;
        format!("{}{value}{}", &text[..comma], &text[end..])
    })
}

/// Every point list backwards.
fn reversed(text: &str) -> String {
    changed(text, |points| points.into_iter().rev().collect())
}

/// Every tenth point twice, the second time with this value.
fn doubled(text: &str, value: Option<&str>) -> String {
    changed(text, |points| {
        let mut all = Vec::new();
        for (at, point) in points.into_iter().enumerate() {
            if at % 10 == 0 {
                let (time, _) = point.split_once(',').unwrap();
                all.push(value.map_or(point.clone(), |value| format!("{time},{value}")));
            }
            all.push(point);
        }
        all
    })
}

/// The points of every list, `time,value` each, as `change` has them.
fn changed(text: &str, change: impl Fn(Vec<String>) -> Vec<String>) -> String {
    let mut parts = text.split("\"pointlist\":[[");
    let mut all = parts.next().unwrap().to_owned();
    for part in parts {
        let (points, rest) = part.split_once("]]").unwrap();
        let points = change(points.split("],[").map(str::to_owned).collect());
        write!(all, "\"pointlist\":[[{}]]{rest}", points.join("],[")).unwrap();
    }
    all
}
