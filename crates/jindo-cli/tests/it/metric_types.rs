//! `.as_count()` and `.as_rate()` by the type of the metric: the numbers are those of the documentation, which the simulator
//! follows, and a type that cannot be had costs one query and no wrong number.

use crate::support::{DAY_S, START_S, World, assert_equals_the_function, calm, exits};
use jindo_sim::{
    Kind, Life, Metadata, Metric, Options, Organisation, Presence, Shape, Signal, Simulator, Source,
};
use std::fs;

const METADATA: &str = "/api/v1/metrics/{name}";

fn source(tag: &str, seed: u64, spacing_s: i64) -> Source {
    let signal = Signal {
        seed,
        shape: Shape::Fine { base: 2.0, span: 90.0 },
        spacing_s,
        phase_s: 0,
        life: Life::Always,
        presence: Presence::Gaps { per_mille: 90 },
    };
    Source { tags: vec![format!("host:{tag}")], signal }
}

fn metric(name: &str, kind: Kind, interval_s: Option<i64>) -> Metric {
    let sources = vec![source("a", 1, 10), source("b", 2, 10), source("slow", 3, 180)];
    Metric { name: name.to_owned(), kind, interval_s, unit: None, sources }
}

/// A metric of every type, and `silent`, which the organisation does not have.
fn options() -> Options {
    let metrics = vec![
        metric("t.gauge", Kind::Gauge, None),
        metric("t.count", Kind::Count, Some(10)),
        metric("t.rate", Kind::Rate, Some(10)),
        metric("t.bare", Kind::Rate, None),
        metric("t.dist", Kind::Distribution, None),
    ];
    Options { organisation: Organisation::new(metrics).into(), ..calm() }
}

const NAMES: [&str; 5] = ["t.gauge", "t.count", "t.rate", "t.bare", "t.dist"];

fn metadata_calls(world: &World) -> u64 {
    world.stats().calls_by_path.get(METADATA).copied().unwrap_or(0)
}

fn export(world: &World, more: &[&str]) -> std::process::Output {
    let mut args = world.export_args(START_S, START_S + DAY_S);
    args.extend(more.iter().map(|&arg| arg.to_owned()));
    world.run(args)
}

#[test]
fn every_modifier_on_every_type_gives_the_documented_numbers_alone_and_in_a_list() {
    let queries: Vec<String> = NAMES
        .iter()
        .flat_map(|name| {
            ["as_count", "as_rate"].map(|modifier| format!("sum:{name}{{*}}.{modifier}()"))
        })
        .chain(["avg:t.gauge{*} by {host}.as_count()".to_owned(), "avg:t.gauge{*}".to_owned()])
        .collect();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let together = World::new(options(), &queries);
    exits(&export(&together, &[]), 0);
    assert_equals_the_function(&together, &queries, START_S, START_S + DAY_S);
    assert_eq!(metadata_calls(&together), 5, "one for each metric");
    let before = (together.tree(), together.stats().query_calls);
    exits(&export(&together, &[]), 0);
    assert_eq!(metadata_calls(&together), 5, "kept");
    assert_eq!((together.tree(), together.stats().query_calls), before);
    for query in &queries[..4] {
        let alone = World::new(options(), &[query]);
        exits(&export(&alone, &[]), 0);
        assert_equals_the_function(&alone, &[query], START_S, START_S + DAY_S);
    }
}

#[test]
fn where_types_cannot_be_had_their_queries_are_given_up_unasked_and_an_assumption_helps() {
    for metadata in [Metadata::Forbidden, Metadata::WithoutTypes] {
        let queries = ["sum:t.gauge{*}.as_count()", "avg:t.gauge{*}", "sum:t.count{*}.as_count()"];
        let world = World::new(Options { metadata, ..options() }, &queries);
        exits(&export(&world, &[]), 3);
        assert_eq!(world.stats().queries, 1, "the one without a modifier");
        let table = fs::read_to_string(world.out().join("queries.csv")).unwrap();
        let given_up: Vec<_> = table.lines().filter(|line| line.contains("given-up")).collect();
        assert_eq!(given_up.len(), 2, "{table}");
        assert!(given_up.iter().all(|line| line.contains("--assume-type")), "{table}");
        // The next run asks again, and takes the user's word where there is still no answer.
        world.list(&queries[..2]);
        exits(&export(&world, &["--assume-type", "gauge"]), 0);
        assert_equals_the_function(&world, &queries[..2], START_S, START_S + DAY_S);
        // The assumption is kept, and outlives the ledger as one: it is no answer of the server.
        let asked = metadata_calls(&world);
        exits(&world.run(["export", "--out", "out"]), 0);
        fs::remove_file(world.out().join("archive/ledger.db")).unwrap();
        exits(&world.run(["verify", "out", "--repair"]), 0);
        exits(&world.run(["export", "--out", "out", "--api-url", &world.sim.url()]), 0);
        assert_eq!(metadata_calls(&world), asked);
        exits(&export(&world, &[]), 3);
        assert_eq!(metadata_calls(&world), asked + 1, "a list for itself assumes nothing");
    }
}

/// A wrong key costs the type of a metric, too; that is no reason to ask the metric's query alone once the key is right.
#[test]
fn after_a_wrong_key_the_calls_are_those_of_a_first_run() {
    let queries = ["avg:t.gauge{*}", "sum:t.count{*}.as_count()", "avg:t.dist{*}"];
    let world = World::new(options(), &queries);
    let args = world.export_args(START_S, START_S + 3 * DAY_S);
    exits(&world.command(&args).env("DD_APP_KEY", "wrong").output().unwrap(), 2);
    let refused = world.stats().query_calls;
    exits(&world.run(&args), 0);
    assert_eq!(world.stats().query_calls - refused, 3, "one a day");
}

#[test]
fn sums_of_gauges_that_an_earlier_version_fetched_are_dropped_and_come_anew() {
    let queries = ["sum:t.gauge{*}.as_count()", "avg:t.gauge{*}", "sum:t.count{*}.as_count()"];
    let denied = Options { metadata: Metadata::Forbidden, ..options() };
    let mut world = World::new(denied, &queries);
    // What an earlier version asked of every metric.
    exits(&export(&world, &["--assume-type", "count"]), 0);
    let sums = world.tree();
    world.options = options();
    world.sim = Simulator::start(options()).unwrap();
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let style = args.iter().position(|arg| arg == "none").unwrap();
    "plain".clone_into(&mut args[style]);
    let again = world.run(&args);
    exits(&again, 0);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    let expected =
        "1,440 points of gauges were fetched as sums of their samples by an earlier version";
    assert!(said.contains(expected), "{said}");
    let told = "t.gauge was taken for a count (--assume-type) when its data was fetched, and its metadata says gauge";
    assert!(said.contains(told), "{said}");
    assert!(!said.contains("t.count was taken"), "{said}");
    assert_eq!(world.stats().queries, 1, "the gauge with a modifier, and nothing else");
    assert_equals_the_function(&world, &queries, START_S, START_S + DAY_S);
    assert_ne!(world.tree(), sums);
    assert!(!String::from_utf8_lossy(&world.run(&args).stderr).contains("earlier version"));
    // A ledger that is lost brings them back as far as their object is there, and the next run lets go of them again.
    fs::remove_file(world.out().join("archive/ledger.db")).unwrap();
    exits(&world.run(["verify", "out", "--repair"]), 0);
    exits(&export(&world, &[]), 0);
    assert_equals_the_function(&world, &queries, START_S, START_S + DAY_S);
}

#[test]
fn a_metric_that_is_not_there_is_asked_as_a_count() {
    let world = World::new(options(), &["sum:t.absent{*}.as_count()"]);
    exits(&export(&world, &[]), 0);
    let table = fs::read_to_string(world.out().join("queries.csv")).unwrap();
    assert!(table.contains(",empty,"), "{table}");
    assert_eq!((metadata_calls(&world), world.stats().queries), (1, 1));
}

#[test]
fn a_plan_counts_metadata_calls_beside_query_calls_and_makes_none() {
    let world = World::new(
        options(),
        &["sum:t.gauge{*}.as_count()", "sum:t.gauge{*}.as_rate()", "avg:t.count{*}"],
    );
    let output =
        world.run(["plan", "queries.txt", "--from", "2026-06-01", "--to", "2026-06-02", "--json"]);
    exits(&output, 0);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((plan["calls"].as_u64(), plan["metadata_calls"].as_u64()), (Some(1), Some(1)));
    assert_eq!(metadata_calls(&world), 0);
}
