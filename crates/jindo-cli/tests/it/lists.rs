//! Lists as people have them, at the binary: what is told of lines that are read as something else, and of files that are no lists.

use crate::support::{World, calm, exits, printed, said};
use expect_test::{Expect, expect};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

fn world_with(name: &str, text: &[u8]) -> World {
    let world = World::new(calm(), &["avg:m{*}"]);
    fs::write(world.path(name), text).unwrap();
    world
}

#[track_caller]
fn check(world: &World, name: &str, expected: &Expect) {
    let output = world.run(["plan", name, "--from", "-1d"]);
    exits(&output, 2);
    assert!(output.stdout.is_empty(), "{name}");
    expected.assert_eq(&said(&output));
    assert_eq!(world.stats().query_calls, 0);
}

#[test]
fn bullets_and_monitors_are_exported_with_one_note_each() {
    let bullets = (0..500).map(|index| format!("- avg:shop.m{index}{{*}} by {{host}}\n"));
    let others = [
        "-- sum:shop.old{*}\n",
        "max(last_15m):max:shop.queue{*} by {host} >= 25\n",
        "change(avg(last_5m),last_1h):avg:shop.load{*} > 3\n",
    ]
    .map(str::to_owned);
    let list = bullets.chain(others).collect::<Vec<_>>().concat();
    let world = world_with("mine.txt", list.as_bytes());
    let output = world.run(["plan", "mine.txt", "--from", "-1d"]);
    exits(&output, 0);
    let text = printed(&output);
    assert!(text.contains("502 queries in "), "{text}");
    let notes: Vec<_> = text.lines().filter(|line| line.contains("mine.txt:")).collect();
    assert_eq!(
        notes,
        [
            "  mine.txt:1:1: the bullet `-` is left out; the negative of a query is written `0 - avg:…`; likewise lines 2, 3, 4 and 496 more",
            "  mine.txt:502:1: the query of this monitor is exported, without `max(last_15m):` and `>= 25`; likewise line 503",
        ]
    );
}

#[test]
fn a_minus_without_a_space_costs_nothing() {
    let world = world_with("mine.txt", b"-avg:shop.cost{*}\nquery1 / query2\n");
    check(
        &world,
        "mine.txt",
        &expect![[r#"
            error: mine.txt:1:1: `-` may be a bullet or a minus here; leave it out, or write `0 - avg:shop.cost{*}`
              -avg:shop.cost{*}
              ^
            mine.txt:2:1: `query1` is the name of another query, as in the formula of a dashboard; write that query itself in its place
              query1 / query2
              ^^^^^^
            2 lines are not understood; nothing was fetched or written

            hint: correct the list, or leave these lines out with --keep-going
        "#]],
    );
}

#[test]
fn a_file_that_is_no_list_is_named_in_one_sentence() {
    let dashboard = "{\n \"title\": \"Shop\",\n \"widgets\": [\n  {\"definition\": {\"requests\": [{\"q\": \"avg:shop.cpu{*}\"}]}}\n ]\n}\n";
    let world = world_with("shop's board.json", dashboard.as_bytes());
    check(
        &world,
        "shop's board.json",
        &expect![[r#"
            error: shop's board.json is no list of queries: it is a dashboard as JSON, with 1 query in it

            hint: take its queries out, one a line, for example:
                jq -r '.. | objects | .q, .query | strings | select(contains("{"))' 'shop'\''s board.json' > queries.txt
        "#]],
    );
    fs::write(world.path("list.json"), "[\"avg:shop.cpu{*}\", \"sum:shop.hits{*}\"]").unwrap();
    check(
        &world,
        "list.json",
        &expect![[r#"
            error: list.json is no list of queries: it is a JSON list of texts, with 2 queries in it

            hint: take its queries out, one a line, for example:
                jq -r '.[]' list.json > queries.txt
        "#]],
    );
    fs::write(
        world.path("main.tf"),
        "resource \"datadog_monitor\" \"a\" {\n  query = \"avg(last_5m):avg:a{*} > 1\"\n}\n",
    )
    .unwrap();
    check(
        &world,
        "main.tf",
        &expect![[r#"
            error: main.tf is no list of queries: it is Terraform, with 1 query in it

            hint: copy its queries into a text file, one a line
        "#]],
    );
    fs::write(world.path("list.xlsx"), b"PK\x03\x04\0\0xl/workbook.xml\0").unwrap();
    check(
        &world,
        "list.xlsx",
        &expect![[r#"
            error: list.xlsx is no list of queries: it is an Excel workbook

            hint: a list has one metric query a line, as Datadog writes it; this writes one with a single query:
                echo 'avg:system.cpu.user{*} by {host}' >> queries.txt
        "#]],
    );
    fs::write(world.path("keys.json"), "{\"api_key\": \"0123456789abcdef0123456789abcdef\"}")
        .unwrap();
    check(
        &world,
        "keys.json",
        &expect![[r#"
            error: keys.json is no list of queries: it is JSON, without a query in it

            hint: keys come from the environment, --key-file or --key-command
        "#]],
    );
}

#[test]
fn a_dashboard_on_standard_input_is_named_too() {
    let world = World::new(calm(), &["avg:m{*}"]);
    let mut command = world.command(["export", "-", "--from", "-1d"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{\"widgets\": [\"avg:m{*}\"]}").unwrap();
    let output = child.wait_with_output().unwrap();
    exits(&output, 2);
    expect![[r#"
        error: standard input is no list of queries: it is a dashboard as JSON, with 1 query in it

        hint: copy its queries into a text file, one a line
    "#]]
    .assert_eq(&said(&output));
    assert!(!world.out().exists(), "nothing was written");
}
