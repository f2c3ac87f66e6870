//! A server and a list that try to steer the terminal: their words are shown, their control characters are not.

use crate::network::Listener;
use crate::support::{World, calm, exits, tree, walk};
use std::fs;

/// A window's title, a colour by an 8-bit control, and a text that reads backwards.
const STEERING: &str = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";

fn assert_plain(place: &str, text: &str) {
    let steers = |c: char| c == '\u{202e}' || (c.is_control() && !matches!(c, '\n' | '\t'));
    let found: Vec<_> = text.chars().filter(|&c| steers(c)).collect();
    assert!(found.is_empty(), "{place} holds {found:?}:\n{text}");
}

#[test]
fn words_of_a_server_steer_nothing() {
    let body = serde_json::json!({ "errors": [format!("no {STEERING} such")] });
    let server = Listener::answering("400 Bad Request", &body.to_string());
    let world = World::new(calm(), &["avg:m{*}"]);
    let url = server.url();
    let args = ["export", "queries.txt", "--from", "-3d", "--to", "-1d", "--out", "out"];
    let output = world.run(args.into_iter().chain(["--progress", "plain", "--api-url", &url]));
    exits(&output, 3);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("given up: avg:m{*}: no "), "{said}");
    assert_plain("stderr", &said);
    assert_plain("stdout", &String::from_utf8(output.stdout).unwrap());
    for (path, bytes) in tree(&world.out()) {
        assert_plain(&path, &String::from_utf8(bytes).unwrap());
    }
    for log in walk(&world.out().join("runs")) {
        assert_plain("the log", &fs::read_to_string(log).unwrap());
    }
}

#[test]
fn lines_of_a_list_steer_nothing() {
    let world = World::new(calm(), &[&format!("avg:m{STEERING}{{*}}")]);
    for args in
        [&["plan", "queries.txt", "--from", "-3d"][..], &["export", "queries.txt", "--from", "-3d"]]
    {
        let output = world.run(args);
        exits(&output, 2);
        assert_plain(args[0], &String::from_utf8(output.stderr).unwrap());
    }
}
