//! Profiles of servers that accept less than the documentation says: every point is exported as requested, with few calls to
//! learn the limits.

use crate::support::{DAY_S, START_S, World, assert_equals_the_function, calm, exits, walk};
use jindo_sim::{
    Kind, Life, Metric, Options, Organisation, OverPoints, Presence, Shape, Signal, Simulator,
    Source, built_in_queries,
};
use std::fs;
use std::sync::Arc;

/// Sixty queries of the built-in organisation, each with a lengthy scope that leaves nothing out.
fn long_queries() -> Vec<String> {
    let lengthy = "{!environment:somewhere-that-nothing-ever-reports-from}";
    let long = built_in_queries().into_iter().filter(|query| query.contains("{*}"));
    long.map(|query| query.replacen("{*}", lengthy, 1)).take(60).collect()
}

/// Outcome of the failing calls, and the most calls in all.
#[derive(Clone, Copy)]
struct Cost {
    failure: &'static str,
    calls_max: usize,
}

/// Exports some hours within a cost and compares every value with the simulator's function. Makes one call at a time: otherwise
/// the number of calls in flight at the first refusal would depend on this machine.
fn check(options: Options, queries: &[String], hours: i64, cost: Cost) {
    let queries: Vec<_> = queries.iter().map(String::as_str).collect();
    let world = World::new(options, &queries);
    let until_s = START_S + hours * 3_600;
    let mut args = world.export_args(START_S, until_s);
    args.extend(["--concurrency", "1"].map(str::to_owned));
    exits(&world.run(args), 0);
    let (failed, calls) = (outcomes(&world, cost.failure), outcomes(&world, ""));
    assert!(failed > 0, "nothing was to be learnt");
    assert!(calls <= cost.calls_max, "{calls} calls, {} expected at most", cost.calls_max);
    assert_equals_the_function(&world, &queries, START_S, until_s);
}

#[test]
fn urls_of_four_thousand_characters() {
    check(
        Options { query_chars_max: 4_000, ..calm() },
        &long_queries(),
        3,
        Cost { failure: "url-too-long", calls_max: 12 },
    );
}

#[test]
fn time_outs_above_eight_queries() {
    check(
        Options { queries_before_timeout: Some(8), ..calm() },
        &long_queries(),
        3,
        Cost { failure: "timed-out", calls_max: 24 },
    );
}

#[test]
fn caps_of_all_kinds_together() {
    let options = Options {
        points_max: 300,
        over_points: OverPoints::Refused,
        queries_max: Some(10),
        query_chars_max: 4_000,
        ..calm()
    };
    check(options, &long_queries()[..30], 24, Cost { failure: "refused", calls_max: 36 });
}

#[test]
fn the_forecast_after_the_cap_is_known_is_met() {
    let world = World::new(
        Options { points_max: 300, ..calm() },
        &["avg:system.cpu.user{*} by {host}", "avg:odd.values{*}"],
    );
    let output = world.export(4);
    exits(&output, 0);
    let summary = String::from_utf8(output.stdout).unwrap();
    assert!(
        summary.contains("forecast     23 calls after the first answer; it took 23\n"),
        "{summary}"
    );
}

/// An organisation of one metric so wide that a day of it is larger than what is taken.
fn wide() -> Arc<Organisation> {
    let source = |number: u64| Source {
        tags: vec![format!("host:h{number}")],
        signal: Signal {
            seed: number,
            shape: Shape::Fine { base: 2.0, span: 90.0 },
            spacing_s: 60,
            phase_s: 0,
            life: Life::Always,
            presence: Presence::All,
        },
    };
    let sources = (0..1_500).map(source).collect();
    let (name, kind) = ("wide.one".to_owned(), Kind::Gauge);
    Arc::new(Organisation::new(vec![Metric { name, kind, interval_s: None, unit: None, sources }]))
}

/// How many calls of all runs so far had that outcome; `""`: any.
fn outcomes(world: &World, outcome: &str) -> usize {
    let logs =
        walk(&world.out().join("runs")).into_iter().map(|log| fs::read_to_string(log).unwrap());
    logs.map(|log| log.matches(&format!("\"outcome\":\"{outcome}")).count()).sum()
}

#[test]
fn an_answer_that_is_too_large_is_paid_for_once_and_not_again_in_the_next_run() {
    let queries = ["avg:wide.one{*} by {host}"];
    let options = Options { organisation: wide(), ..calm() };
    // The keys are refused after the first call, which ends the run.
    let world = World::new(Options { revoked_after: Some(1), ..options.clone() }, &queries);
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.extend(["--concurrency", "1"].map(str::to_owned));
    exits(&world.run(&args), 2);
    assert_eq!(outcomes(&world, "too-large"), 1);
    let status = String::from_utf8(world.run(["status", "out"]).stdout).unwrap();
    let learnt = "learnt     1 query in smaller calls, because their answers are large: the heaviest, avg:wide.one{*} by {host}, brings";
    assert!(status.contains(learnt), "{status}");
    let served = Simulator::start(options).unwrap();
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = served.url();
    exits(&world.run(&args), 0);
    assert_eq!((outcomes(&world, "too-large"), outcomes(&world, "ok")), (1, 2));
    let table = String::from_utf8(world.tree()["queries.csv"].clone()).unwrap();
    assert!(table.contains(",60,complete,1500,2160000,"), "{table}");
}

/// An empty answer says nothing of its interval: beyond a cap that nobody knows yet a coarser one may have left out its first,
/// partial bucket.
#[test]
fn what_came_back_empty_before_the_cap_was_known_is_asked_again() {
    let source = |host: &str, at_s: i64| {
        let from_s = at_s.rem_euclid(400 * DAY_S);
        let life = Life::Cycle { period_s: 400 * DAY_S, from_s, to_s: from_s + 60 };
        let shape = Shape::Fine { base: 1.0, span: 2.0 };
        let (spacing_s, phase_s, presence) = (60, 0, Presence::All);
        let signal = Signal { seed: 1, shape, spacing_s, phase_s, life, presence };
        Source { tags: vec![format!("host:{host}")], signal }
    };
    let sources =
        vec![source("a", START_S + 4 * DAY_S + 60), source("b", START_S + 8 * DAY_S + 43_200)];
    let metric =
        Metric { name: "lone".into(), kind: Kind::Gauge, interval_s: None, unit: None, sources };
    let organisation = Arc::new(Organisation::new(vec![metric]));
    let options = Options { organisation, points_max: 350, ..calm() };
    let queries = ["avg:lone{*} by {host}"];
    let world = World::new(options, &queries);
    let (from_s, to_s) = (START_S + 17, START_S + 12 * DAY_S);
    exits(&world.run(world.export_args(from_s, to_s)), 0);
    assert_equals_the_function(&world, &queries, START_S + 60, to_s);
    let calls = world.stats().query_calls;
    exits(&world.run(world.export_args(from_s, to_s)), 0);
    assert_eq!(world.stats().query_calls, calls);
}
