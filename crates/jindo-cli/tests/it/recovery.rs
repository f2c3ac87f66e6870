//! A query that the server refused in one run and serves in the next: everything that reports on it agrees.

use crate::support::{DAY_S, START_S, World, assert_equals_the_function, calm, exits, walk};
use jindo_sim::{Options, Simulator};
use std::fs;

const QUERIES: [&str; 3] =
    ["avg:system.cpu.user{*} by {host}", "avg:odd.values{*}", "sum:app.requests{*}.as_count()"];

/// Queries of each call of the last run, by its log.
fn calls(world: &World) -> Vec<Vec<String>> {
    let log = walk(&world.out().join("runs")).pop().unwrap();
    let text = fs::read_to_string(log).unwrap();
    let queries = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        serde_json::from_value(line["queries"].clone()).unwrap()
    };
    text.lines().map(queries).collect()
}

fn status(world: &World) -> serde_json::Value {
    let output = world.run(["status", "out", "--json"]);
    exits(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_query_that_recovers_is_complete_everywhere_and_travels_with_the_others_again() {
    let days = |days: i64| START_S + days * DAY_S;
    let refused = vec!["odd.values".to_owned()];
    let world = World::new(Options { refused, ..calm() }, &QUERIES);
    exits(&world.export(4), 3);
    let counts = &status(&world)["queries"];
    assert_eq!((&counts["complete"], &counts["given_up"]), (&2.into(), &1.into()), "{counts}");
    exits(&world.run(["verify", "out"]), 3);

    // The same organisation, which serves it now. What is left of a query that was refused is fetched in calls of its own.
    let serving = Simulator::start(calm()).unwrap();
    let export = |until_s| {
        let mut args = world.export_args(START_S, until_s);
        let url = args.iter().position(|arg| arg == "--api-url").unwrap();
        args[url + 1] = serving.url();
        world.run(args)
    };
    exits(&export(days(4)), 0);
    assert_eq!(calls(&world).len(), 4, "{:?}", calls(&world));

    let counts = &status(&world)["queries"];
    assert_eq!((&counts["complete"], &counts["given_up"]), (&3.into(), &0.into()), "{counts}");
    let text = String::from_utf8(world.run(["status", "out"]).stdout).unwrap();
    assert!(text.contains("3 listed: 3 complete, 0 empty, 0 with gaps, 0 given up"), "{text}");
    let table = |name: &str| fs::read_to_string(world.out().join(name)).unwrap();
    let statuses = table("queries.csv");
    assert_eq!(statuses.matches(",60,complete,").count(), 3, "{statuses}");
    assert_eq!(table("gaps.csv").lines().count(), 1, "{}", table("gaps.csv"));
    let verified = world.run(["verify", "out"]);
    exits(&verified, 0);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(text.contains("everything that was requested is there"), "{text}");
    assert_equals_the_function(&world, &QUERIES, START_S, days(4));

    // Two more days cost two calls of three queries.
    exits(&export(days(6)), 0);
    let calls = calls(&world);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls.iter().all(|queries| queries.len() == 3), "{calls:?}");
    assert_equals_the_function(&world, &QUERIES, START_S, days(6));
}
