//! Words of a server, in every place where an answer has some.

use super::{assert_within_its_line, forged};
use crate::network::Listener;
use crate::support::{World, calm, exits, walk};
use serde_json::json;
use std::fs;

/// A status, the body of an answer with the text in it, and the exit code of the run that gets it.
type Answer = (&'static str, fn(&str) -> serde_json::Value, i32);

const ANSWERS: [Answer; 5] = [
    ("400 Bad Request", |text| json!({ "errors": [text] }), 3),
    ("422 Unprocessable Entity", |text| json!({ "error": text }), 3),
    ("404 Not Found", |text| json!({ "errors": [text] }), 2),
    ("200 OK", |text| json!({ "status": "error", "error": text, "series": [] }), 3),
    (
        "200 OK",
        |text| json!({ "status": "ok", "message": text, "warnings": [text], "series": [] }),
        0,
    ),
];

#[test]
fn attempts_to_forge_a_line_by_a_servers_words() {
    let mut count = 0;
    for (status, body, code) in ANSWERS {
        for text in forged() {
            for verbose in ["--progress=plain", "--progress=json", "-vv"] {
                count += 1;
                let server = Listener::answering(status, &body(&text).to_string());
                let world = World::new(calm(), &["avg:m{*}"]);
                let url = server.url();
                let args = [
                    "export",
                    "queries.txt",
                    "--from",
                    "-3d",
                    "--to",
                    "-1d",
                    "--out",
                    "out",
                    verbose,
                ];
                let output = world.run(args.into_iter().chain(["--api-url", &url]));
                exits(&output, code);
                assert_within_its_line(&format!("{status} {verbose}"), &text, &output);
                for log in walk(&world.out().join("runs")) {
                    let log = fs::read_to_string(log).unwrap();
                    let is_line =
                        |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
                    assert!(log.lines().all(is_line), "{log}");
                }
            }
        }
    }
    jindo_testing::all_held("lines and controls in a server's words", count);
}
