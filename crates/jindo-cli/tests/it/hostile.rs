//! A server, tags and a list that try to steer the terminal or to reach out of the directory: their words are shown, their
//! control characters are not; every series gets a file of its own, in its place, and reads back as it was served.

use crate::network::Listener;
use crate::support::{START_S, World, assert_equals_the_function, calm, exits, walk};
use jindo_sim::{Kind, Life, Metric, Options, Organisation, Presence, Shape, Signal, Source, Unit};
use std::collections::BTreeSet;
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
    let table = fs::read_to_string(world.out().join("queries.csv")).unwrap();
    assert!(table.contains(",,,no ") && table.contains(",given-up,0,0,"), "{table}");
    assert_plain("queries.csv", &table);
    assert_plain("gaps.csv", &fs::read_to_string(world.out().join("gaps.csv")).unwrap());
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

/// What a tag value may be: ways out of a directory, what shells, spreadsheets, terminals and Windows trip over, and twins.
fn values() -> Vec<String> {
    let plain = [
        "../../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "C:\\windows\\x",
        "con",
        "nul.txt",
        "com1",
        "aux ",
        "trailing.",
        "-rf",
        "~root",
        "$(reboot)",
        "`reboot`",
        "a b",
        "a,b",
        "a;b|c&d",
        "a\"b'c",
        "=1+1",
        "+1",
        "@sum(1)",
        "*?<>",
        "%2e%2e",
        "line\nbreak",
        "carriage\rreturn",
        "tab\ttab",
        "nul\0nul",
        "\u{1b}[31m",
        "\u{202e}txt.exe",
        "\u{feff}bom",
        "한글 배포",
        "\u{e9}clair",
        "e\u{301}clair",
        "twin",
        "TWIN",
        "Twin",
        "\u{1f415}\u{1f3fb}",
        "ß",
        "ss",
    ];
    let long = ["x".repeat(10_000), format!("{}y", "x".repeat(9_999)), "\u{d55c}".repeat(3_000)];
    plain.into_iter().map(str::to_owned).chain(long).collect()
}

#[test]
fn tags_and_units_of_any_kind_stay_in_their_place_and_read_back() {
    let source = |(seed, value): (u64, String)| Source {
        tags: vec![format!("host:{value}")],
        signal: Signal {
            seed,
            shape: Shape::Odd,
            spacing_s: 300,
            phase_s: 0,
            life: Life::Always,
            presence: Presence::All,
        },
    };
    let sources: Vec<_> = (0..).zip(values()).map(source).collect();
    let count = sources.len();
    let unit = Some(Unit {
        id: 1,
        family: "odd",
        name: "../=cmd\n\u{202e}",
        plural: ",",
        short_name: None,
        scale_factor: 1.0,
    });
    let metric =
        Metric { name: "odd.m".into(), kind: Kind::Gauge, interval_s: None, unit, sources };
    let organisation = Organisation::new(vec![metric]).into();
    let queries = ["avg:odd.m{*} by {host}"];
    let world = World::new(Options { organisation, ..calm() }, &queries);
    let before: BTreeSet<_> = outside(&world);
    let until_s = START_S + 7_200;
    let output = world.run(world.export_args(START_S, until_s));
    exits(&output, 0);
    assert_equals_the_function(&world, &queries, START_S, until_s);
    assert_eq!(outside(&world), before, "nothing is written outside of the directory");

    let files = walk(&world.out().join("csv"));
    assert_eq!(files.len(), count, "a file for each");
    let mut folded = BTreeSet::new();
    for file in &files {
        let name = file.file_name().unwrap().to_str().expect("names are UTF-8");
        assert!(name.len() <= 255 && file.parent().unwrap() == world.out().join("csv/odd.m"));
        let safe = |c: char| !c.is_control() && !"\\/:*?\"<>|\u{202e}\u{feff}".contains(c);
        assert!(name.chars().all(safe), "{name:?}");
        assert!(folded.insert(name.to_lowercase()), "{name} has a twin");
    }
    exits(&world.run(["verify", "out"]), 0);
    for text in [&output.stdout, &output.stderr] {
        assert_plain("what is said", &String::from_utf8_lossy(text));
    }
}

/// Everything in the test's own folder but the export.
fn outside(world: &World) -> BTreeSet<std::path::PathBuf> {
    let all = walk(&world.path("."));
    all.into_iter().filter(|path| !path.to_string_lossy().contains("/out/")).collect()
}
