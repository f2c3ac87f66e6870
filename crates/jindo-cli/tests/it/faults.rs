//! A server that fails: nothing is lost, nothing wrong is written, and each fault costs one call.

mod case;
mod cases;
mod flood;
mod keys;
mod matrix;
mod peer;
mod sandbox;
mod table;
mod tls;

use crate::support::{DAY_S, START_S, World, calm, exits, objects};
use jindo_sim::{Options, built_in_queries};

fn queries(count: usize) -> Vec<String> {
    built_in_queries().into_iter().take(count).collect()
}

#[test]
fn twenty_four_faults_of_eight_kinds_cost_at_most_one_call_each() {
    let all = queries(35);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let options = Options { points_max: 300, ..calm() };
    let calm_world = World::new(options.clone(), &all);
    exits(&calm_world.export(6), 0);
    let world = World::new(Options { faults: "24".parse().unwrap(), ..options }, &all);
    exits(&world.export(6), 0);
    let stats = world.stats();
    assert_eq!((stats.faults(), stats.faults_by_kind.len()), (24, 8));
    let faultless = calm_world.stats().query_calls;
    assert!(
        stats.query_calls <= faultless + 24,
        "{} calls, {faultless} without faults",
        stats.query_calls
    );
    assert_eq!(world.tree(), calm_world.tree());
}

#[test]
fn one_bad_query_is_given_up_and_the_others_are_complete() {
    let mut all = queries(34);
    all.insert(11, "avg:aws.bad.one{*}".to_owned());
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let refused = vec!["aws.bad.one".to_owned()];
    let world = World::new(Options { refused, ..calm() }, &all);
    exits(&world.export(1), 3);
    let calls = world.stats().query_calls;
    assert!(calls <= 14, "{calls} calls");
    let table = String::from_utf8(world.tree()["queries.csv"].clone()).unwrap();
    let line = table.lines().find(|line| line.contains("aws.bad.one")).unwrap();
    assert!(line.starts_with("avg:aws.bad.one{*},60,given-up,0,0,"), "{line}");
    assert_eq!(
        table
            .lines()
            .filter(|line| line.contains(",given-up,") || line.contains(",partial,"))
            .count(),
        1
    );
    // The next run tries it again with one call.
    exits(&world.export(1), 3);
    assert_eq!(world.stats().query_calls, calls + 1);
}

#[test]
fn keys_revoked_in_the_middle_stop_at_once_and_lose_nothing() {
    let all = queries(35);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let world = World::new(Options { revoked_after: Some(3), ..calm() }, &all);
    let mut args = world.export_args(START_S, START_S + 8 * DAY_S);
    args.extend(["--concurrency", "1"].map(str::to_owned));
    let output = world.run(&args);
    exits(&output, 1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the keys worked and are now refused: Forbidden"), "{said}");
    assert_eq!((world.stats().query_calls, objects(&world.out())), (3, 3));
    let table = String::from_utf8(world.tree()["queries.csv"].clone()).unwrap();
    assert_eq!(table.lines().filter(|line| line.contains(",partial,")).count(), 35, "{table}");
}

#[test]
fn calls_stop_at_the_most_and_the_next_run_goes_on() {
    let all = queries(36);
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let world = World::new(calm(), &all);
    let mut args = world.export_args(START_S, START_S + 11 * DAY_S);
    args.extend(["--max-calls", "20"].map(str::to_owned));
    exits(&world.run(args), 3);
    assert_eq!(world.stats().query_calls, 20);
    exits(&world.export(11), 0);
    assert_eq!(world.stats().query_calls, 22);
}
