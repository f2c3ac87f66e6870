//! What people see of the text of their queries: several values of a variable, days in a zone, notations that the server refuses.

use crate::support::{DAY_S, START_S, World, calm, exits, printed, said};
use std::fs;

const DAY: &str = "2021-12-12";

fn plan(world: &World, more: &[&str]) -> std::process::Output {
    let list = world.path("queries.txt").display().to_string();
    let range = ["plan", &list, "--from", DAY, "--to", "2021-12-19"];
    world.run(range.iter().chain(more))
}

#[test]
fn several_values_of_a_variable_are_several_queries_of_the_export() {
    let world =
        World::new(calm(), &["avg:system.cpu.user{$env} by {host}", "avg:system.load.1{*}"]);
    let values = ["--var", "env=prod", "--var", "env=staging,dev"];
    let args = world.export_args(START_S, START_S + 3_600);
    let export = world.run(args.iter().map(String::as_str).chain(values));
    exits(&export, 0);
    let queries = fs::read_to_string(world.out().join("queries.csv")).unwrap();
    let written: Vec<_> =
        queries.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(
        written,
        [
            "avg:system.cpu.user{env:prod} by {host}",
            "avg:system.cpu.user{env:staging} by {host}",
            "avg:system.cpu.user{env:dev} by {host}",
            "avg:system.load.1{*}",
        ]
    );
    for (value, words) in [
        ("env=", "a value behind the `=` and behind each comma, such as env=prod,staging"),
        ("env=prod,", "a value behind the `=` and behind each comma, such as env=prod,staging"),
        ("env=prod, prod", "--var env has the value `prod` twice"),
    ] {
        let refused = plan(&world, &["--var", value]);
        exits(&refused, 2);
        assert!(said(&refused).contains(words), "{}", said(&refused));
    }
    let twice = plan(&world, &["--var", "env=prod", "--var", "env=prod"]);
    exits(&twice, 2);
    assert!(said(&twice).contains("--var env has the value `prod` twice"), "{}", said(&twice));
}

#[test]
fn points_of_days_and_weeks_are_of_utc_and_it_is_said_in_other_zones() {
    let lines = [
        "sum:system.cpu.user{*}.rollup(sum, 86400)",
        "avg:system.cpu.user{*} by {host}.rollup(max, 86400)",
        "avg:system.load.1{*}.rollup(avg, 604800)",
        "avg:system.load.1{*}",
    ];
    let world = World::new(calm(), &lines);
    let notes = |zone: &str| {
        let plan = plan(&world, &["--timezone", zone]);
        exits(&plan, 0);
        let lines: Vec<_> = printed(&plan).lines().map(str::to_owned).collect();
        lines.into_iter().filter(|line| line.contains("points: of")).collect::<Vec<_>>()
    };
    assert_eq!(
        notes("Asia/Seoul"),
        [
            "  2 queries have daily points: of days in UTC, not in Asia/Seoul",
            "  1 query has weekly points: of weeks from Thursday on in UTC, not in Asia/Seoul",
        ]
    );
    let args = world.export_args(START_S, START_S + 14 * DAY_S).into_iter();
    let plain = args.map(|word| if word == "none" { "plain".to_owned() } else { word });
    let export = world.run(plain.chain(["--timezone", "Asia/Seoul"].map(str::to_owned)));
    exits(&export, 0);
    assert!(
        said(&export).contains("2 queries have daily points: of days in UTC"),
        "{}",
        said(&export)
    );
    // London is in UTC in winter.
    for zone in ["UTC", "Etc/UTC", "Europe/London"] {
        assert_eq!(notes(zone), [""; 0], "{zone}");
    }
}

#[test]
fn a_scope_of_two_notations_is_noted_in_the_plan() {
    let world = World::new(calm(), &["avg:system.cpu.user{env:prod AND !host:a}"]);
    let plan = plan(&world, &[]);
    exits(&plan, 0);
    let note = "queries.txt:1:35: this scope mixes AND, OR, NOT or IN with `,` or `!`, which the server refuses";
    assert!(printed(&plan).contains(note), "{}", printed(&plan));
}
