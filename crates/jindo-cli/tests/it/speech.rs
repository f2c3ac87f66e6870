//! What the binary says: exit codes and messages, and what it never says.

use crate::support::{DAY_S, START_S, World, calm, exits, tree};
use expect_test::{Expect, expect};
use jindo_sim::{API_KEY, APP_KEY};
use std::fs;
use std::process::Output;

const ONE: [&str; 1] = ["avg:system.cpu.user{*} by {host}"];

/// stderr, with what differs from run to run replaced.
fn said(world: &World, output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr)
        .replace(&world.sim.url(), "[URL]")
        .replace(&world.dir.path().display().to_string(), "[DIR]")
}

#[track_caller]
fn check(world: &World, output: &Output, code: i32, expected: &Expect) {
    exits(output, code);
    expected.assert_eq(&said(world, output));
}

#[test]
fn a_bad_list_is_told_all_at_once_and_costs_nothing() {
    let list = ["avg:system.cpu.user", "system.load.1", "avg:m{*", "sum:m{*}.rollup(sum, 37)", "top(avg:m{*}, 10, 'mean', 'desc')"];
    let world = World::new(calm(), &list);
    check(&world, &world.export(1), 2, &expect![[""]]);
    assert_eq!(world.stats().query_calls, 0);
    assert!(!world.out().exists(), "nothing was written");
}

#[test]
fn missing_keys_are_named() {
    let world = World::new(calm(), &ONE);
    let args = world.export_args(START_S, START_S + DAY_S);
    let output = world.command(args).env_remove("DD_APP_KEY").output().unwrap();
    check(&world, &output, 2, &expect![[""]]);
    assert!(!world.out().exists(), "nothing was written");
}

#[test]
fn wrong_keys_end_with_the_key_to_check_and_few_calls() {
    for (name, expected) in [("DD_API_KEY", expect![[""]]), ("DD_APP_KEY", expect![[""]])] {
        let world = World::new(calm(), &ONE);
        let args = world.export_args(START_S, START_S + DAY_S);
        let output = world.command(args).env(name, "0123456789abcdef").output().unwrap();
        check(&world, &output, 2, &expected);
        let calls: u64 = world.stats().calls_by_path.values().sum();
        assert!(calls <= 3, "{name}: {calls} calls");
    }
}

#[test]
fn an_api_that_cannot_be_reached_is_told_soon() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = "http://127.0.0.1:9".to_owned();
    check(&world, &world.run(args), 1, &expect![[""]]);
}

#[test]
fn keys_are_sent_to_no_open_network() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = "http://api.example.com".to_owned();
    check(&world, &world.run(args), 2, &expect![[""]]);
}

#[test]
fn keys_of_another_organisation_are_refused_before_any_query() {
    let world = World::new(calm(), &ONE);
    exits(&world.export(1), 0);
    let mut options = calm();
    options.org_id = "another-organisation".to_owned();
    let other = jindo_sim::Simulator::start(options).unwrap();
    let mut args = world.export_args(START_S, START_S + 2 * DAY_S);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = other.url();
    check(&world, &world.run(&args), 2, &expect![[""]]);
    assert_eq!(other.stats().query_calls, 0);
    args.push("--rebind".to_owned());
    exits(&world.run(&args), 0);
}

#[test]
fn the_plan_is_printed_and_touches_nothing() {
    let world = World::new(calm(), &ONE);
    let output = world.run(["plan", "queries.txt", "--from", "2026-06-01", "--to", "2026-06-09", "--limit", "3600/1h"]);
    exits(&output, 0);
    expect![[""]].assert_eq(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(fs::read_dir(world.dir.path()).unwrap().count(), 1, "only the list is there");
    assert_eq!(world.stats().calls_by_path.len(), 0);
}

#[test]
fn the_summary_says_what_there_is_and_where() {
    let world = World::new(calm(), &ONE);
    let output = world.export(2);
    exits(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, lines) = text.split_once('\n').unwrap();
    expect![[""]].assert_eq(lines);
}

#[test]
fn keys_appear_nowhere() {
    let world = World::new(calm(), &ONE);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.insert(0, "-vv".to_owned());
    let output = world.run(args);
    exits(&output, 0);
    let mut places = vec![("stdout".to_owned(), output.stdout), ("stderr".to_owned(), output.stderr)];
    places.extend(tree(&world.out()));
    for folder in ["runs", "archive", "archive/data"] {
        for entry in walk(&world.out().join(folder)) {
            places.push((entry.display().to_string(), fs::read(&entry).unwrap()));
        }
    }
    for (place, bytes) in places {
        for key in [API_KEY, APP_KEY] {
            let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            assert!(!found, "{key} stands in {place}");
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn the_directory_cannot_be_guessed_wrong() {
    let world = World::new(calm(), &ONE);
    let output = world.run(["status", "nowhere"]);
    check(&world, &output, 2, &expect![[""]]);
}
