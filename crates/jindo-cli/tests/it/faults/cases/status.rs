//! Answers that are no 200.

use crate::faults::case::{Case, LONE_METRIC, bare, headed, html, json};
use crate::faults::peer::framed;

const FORBIDDEN: &str = r#"{"status":"error","code":403,"errors":["Forbidden"]}"#;
const UNPARSABLE: &str = r#"{"errors":["Error parsing query: unable to parse"]}"#;
const TIMED_OUT: &str = r#"{"errors":["Query timed out"]}"#;
const LOGIN: &[(&str, &str)] = &[("Location", "https://login.example/")];

pub(crate) fn all() -> Vec<Case> {
    let mut cases = refusals();
    cases.extend(strangers());
    cases.extend(passing());
    cases
}

fn refusals() -> Vec<Case> {
    vec![
        Case::about_one("400-query", json("400 Bad Request", UNPARSABLE)),
        Case::about_one("400-query-html", html("400 Bad Request")),
        Case::first("400-all", json("400 Bad Request", UNPARSABLE)),
        Case::once("400-once", bare("400 Bad Request")),
        Case::about_one("422-query", json("422 Unprocessable Entity", UNPARSABLE)),
        Case::first("401-first", json("401 Unauthorized", FORBIDDEN)),
        Case::later("401-later", json("401 Unauthorized", FORBIDDEN)),
        Case::first("403-first", json("403 Forbidden", FORBIDDEN)),
        Case::later("403-later", json("403 Forbidden", FORBIDDEN)),
        Case::later("403-later-html", html("403 Forbidden")),
        Case::later("403-later-empty", bare("403 Forbidden")),
        Case::once("413-once", html("413 Request Entity Too Large")),
        Case::about_both("414-list", html("414 URI Too Long")),
        Case::about_one("414-query", html("414 URI Too Long")),
        Case::about_both("431-list", html("431 Request Header Fields Too Large")),
    ]
}

fn strangers() -> Vec<Case> {
    vec![
        Case::first("404-first", html("404 Not Found")),
        Case::once("404-once", html("404 Not Found")),
        Case::new("404-query", |asked, truth| {
            let lone = asked.nth > 1 && asked.names(LONE_METRIC);
            lone.then(|| json("404 Not Found", r#"{"errors":["Not found"]}"#)(truth))
        })
        .with(&["--give-up-after", "40s"]),
        Case::first("302-first", headed("302 Found", LOGIN)),
        Case::once("301-once", headed("301 Moved Permanently", LOGIN)),
        Case::once("302-once", headed("302 Found", LOGIN)),
        Case::once("307-once", headed("307 Temporary Redirect", LOGIN)),
        Case::once("204-once", headed("204 No Content", &[])),
        Case::once("206-once", |truth| {
            let half = &truth.body[..truth.body.len() / 2];
            vec![framed("206 Partial Content", &truth.headers, half.as_bytes())]
        }),
    ]
}

fn passing() -> Vec<Case> {
    vec![
        Case::once("408-once", bare("408 Request Timeout")),
        Case::about_both("408-list", bare("408 Request Timeout")),
        Case::once("500-once", json("500 Internal Server Error", r#"{"status":"error"}"#)),
        Case::once("500-once-html", html("500 Internal Server Error")),
        Case::once("500-once-empty", bare("500 Internal Server Error")),
        Case::once("500-once-timed-out", json("500 Internal Server Error", TIMED_OUT)),
        Case::once("502-once", html("502 Bad Gateway")),
        Case::once("503-once", html("503 Service Unavailable")),
        Case::once("503-retry-after", headed("503 Service Unavailable", &[("Retry-After", "1")])),
        Case::once("504-once", html("504 Gateway Time-out")),
        Case::times("504-twice", 2, html("504 Gateway Time-out")),
        Case::later("503-later", bare("503 Service Unavailable")).with(&["--give-up-after", "2s"]),
        Case::once("529-once", bare("529 Overloaded")),
    ]
}
