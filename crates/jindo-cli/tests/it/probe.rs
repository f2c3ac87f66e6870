//! `--probe`: few calls for a sparse organisation, the same bytes, whatever happens in between.

use crate::support::{DAY_S, START_S, World, calm, exits};
use jindo_sim::{
    Kind, Life, Metric, Options, Organisation, Presence, Shape, Signal, Source, built_in_queries,
};
use std::process::{Output, Stdio};
use std::time::Duration;

/// Queries that travel in one call.
const BATCH: usize = 35;

const QUERIES: usize = 70;

/// Something every hour, always.
const HOURLY: Signal = Signal {
    seed: 1,
    shape: Shape::Fine { base: 1.0, span: 9.0 },
    spacing_s: 3_600,
    phase_s: 0,
    life: Life::Always,
    presence: Presence::All,
};

/// The first of the built-in queries, without their groups: one series each, so that a test takes seconds.
fn queries() -> Vec<String> {
    let ungrouped = |query: String| query.split(" by ").next().unwrap().to_owned();
    built_in_queries().into_iter().map(ungrouped).take(QUERIES).collect()
}

fn world(organisation: Organisation) -> World {
    let options =
        Options { organisation: organisation.into(), latency: Duration::from_millis(20), ..calm() };
    World::new(options, &queries().iter().map(String::as_str).collect::<Vec<_>>())
}

fn args(world: &World, days: i64, more: &[&str]) -> Vec<String> {
    let mut args = world.export_args(START_S, START_S + days * DAY_S);
    args.extend(more.iter().map(|&text| text.to_owned()));
    args
}

fn export(world: &World, days: i64, more: &[&str]) -> Output {
    world.run(args(world, days, more))
}

/// Over all days, the calls that the queries with data on that day fill.
fn calls_needed(world: &World, days: i64) -> u64 {
    let organisation = &world.options.organisation;
    let mut active = vec![0_usize; usize::try_from(days).unwrap()];
    for query in queries() {
        let all = organisation.expected(&query, START_S, START_S + days * DAY_S, DAY_S).unwrap();
        for (start_s, _) in all.iter().flat_map(|series| &series.points) {
            active[usize::try_from((start_s - START_S) / DAY_S).unwrap()] += 1;
        }
    }
    active.into_iter().map(|queries| queries.div_ceil(BATCH) as u64).sum()
}

fn status(world: &World) -> serde_json::Value {
    let output = world.run(["status", "out", "--json"]);
    exits(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_sparse_organisation_takes_hardly_more_calls_than_its_data_and_yields_the_same_bytes() {
    const DAYS: i64 = 24;
    let plain = world(Organisation::sparse(7));
    exits(&export(&plain, DAYS, &[]), 0);
    assert_eq!(plain.stats().query_calls, 48);

    let probed = world(Organisation::sparse(7));
    exits(&export(&probed, DAYS, &["--probe"]), 0);
    let (calls, needed) = (probed.stats().query_calls, calls_needed(&probed, DAYS));
    assert!(calls * 10 <= needed * 11, "{calls} calls, {needed} needed");
    assert_eq!(probed.tree(), plain.tree());

    // Marked, counted, and no call more.
    let totals = &status(&probed)["totals"];
    let share = totals["probed_s"].as_f64().unwrap() / totals["covered_s"].as_f64().unwrap();
    assert!((0.6..0.8).contains(&share), "{share} of what is covered was probed");
    exits(&probed.run(["verify", "out"]), 0);
    exits(&export(&probed, DAYS, &["--probe"]), 0);
    assert_eq!(probed.stats().query_calls, calls);
}

#[test]
fn a_dense_organisation_is_probed_by_its_first_batches_alone() {
    const DAYS: i64 = 10;
    let metric = |number: usize| Metric {
        name: format!("dense.m{number}"),
        kind: Kind::Gauge,
        interval_s: None,
        unit: None,
        sources: vec![Source { tags: vec!["host:one".into()], signal: HOURLY }],
    };
    let organisation = Organisation::new((0..105).map(metric).collect());
    let queries: Vec<_> = (0..105).map(|number| format!("avg:dense.m{number}{{*}}")).collect();
    let options = Options { organisation: organisation.into(), ..calm() };
    let world = World::new(options, &queries.iter().map(String::as_str).collect::<Vec<_>>());
    exits(&export(&world, DAYS, &["--probe"]), 0);
    assert_eq!(world.stats().query_calls, 2 + 30);
    assert_eq!(status(&world)["totals"]["probed_s"], 0);
}

#[test]
fn killed_while_it_probes_or_after_it_the_bytes_are_the_same() {
    const DAYS: i64 = 10;
    let plain = world(Organisation::sparse(7));
    exits(&export(&plain, DAYS, &[]), 0);
    let world = world(Organisation::sparse(7));
    for calls in [1, 1, 2, 3, 5] {
        let mut child = world
            .command(args(&world, DAYS, &["--probe"]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = world.stats().query_calls + calls;
        while world.stats().query_calls < until && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    exits(&export(&world, DAYS, &["--probe"]), 0);
    assert_eq!(world.tree(), plain.tree());
    exits(&world.run(["verify", "out"]), 0);

    // Fetched after all.
    assert_ne!(status(&world)["totals"]["probed_s"], 0);
    exits(&export(&world, DAYS, &["--recheck-probed"]), 0);
    assert_eq!(status(&world)["totals"]["probed_s"], 0);
    assert_eq!(world.tree(), plain.tree());
}

#[test]
fn a_lost_ledger_is_rebuilt_with_what_was_probed() {
    const DAYS: i64 = 10;
    let world = world(Organisation::sparse(7));
    exits(&export(&world, DAYS, &["--probe"]), 0);
    let (before, totals, calls) =
        (world.tree(), status(&world)["totals"].clone(), world.stats().query_calls);
    assert!(totals["probed_s"].as_u64() > Some(0));
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        std::fs::remove_file(world.out().join("archive").join(name)).unwrap_or_default();
    }
    world.run(["verify", "out", "--repair"]);
    exits(&export(&world, DAYS, &[]), 0);
    assert_eq!((world.tree(), status(&world)["totals"].clone()), (before, totals));
    assert_eq!(world.stats().query_calls, calls);
}
