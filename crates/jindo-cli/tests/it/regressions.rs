//! What goes wrong in other exporters, each as it would look here: silent errors in data that looks right.

use crate::support::{
    DAY_S, START_S, World, assert_equals_the_function, calm, exits, objects, rows, step_since,
    tree, walk,
};
use jindo_sim::{Fault, Options, Simulator, built_in_queries};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Columns were filled by position, and a series born later went into another's.
#[test]
fn series_that_are_born_and_die_in_any_order_stay_in_their_own_files() {
    let queries = ["avg:odd.lives{*} by {name}"];
    let world = World::new(Options { points_max: 300, ..calm() }, &queries);
    exits(&world.export(3), 0);
    assert_equals_the_function(&world, &queries, START_S, START_S + 3 * DAY_S);
}

/// 0.0 became a blank, null crashed, and six decimals were kept of 1e-12.
#[test]
fn zeros_stay_zeros_and_small_numbers_keep_their_digits() {
    let queries = ["avg:odd.values{*}"];
    let world = World::new(calm(), &queries);
    exits(&world.export(1), 0);
    assert_equals_the_function(&world, &queries, START_S, START_S + DAY_S);
    let values = rows(&world.out().join("csv/odd.values/values.csv"));
    for odd in [0.0_f64, -0.0, 5e-324, 1e300, 1e-12] {
        assert!(values.iter().any(|(_, value)| value.to_bits() == odd.to_bits()), "{odd:?}");
    }
}

/// Only the first series was kept, groups went without a word, and the key left out the scope.
#[test]
fn every_group_of_several_keys_is_kept() {
    let queries = ["avg:system.cpu.user{*} by {host,env}"];
    let world = World::new(calm(), &queries);
    exits(&world.export(1), 0);
    assert_equals_the_function(&world, &queries, START_S, START_S + DAY_S);
}

/// The output was removed before the first call had succeeded.
#[test]
fn a_bad_key_leaves_yesterdays_export_as_it_was() {
    let world = World::new(calm(), &["avg:system.cpu.user{*} by {host}"]);
    exits(&world.export(1), 0);
    let before = world.tree();
    let args = world.export_args(START_S, START_S + 2 * DAY_S);
    exits(&world.command(args).env("DD_API_KEY", "wrong").output().unwrap(), 2);
    assert_eq!(world.tree(), before);
}

/// The sum over the part of a day that was over stood in the file like the sums over whole days.
#[test]
fn a_day_that_is_not_over_is_not_in_the_files() {
    let day = "sum:app.requests{*}.as_count().rollup(sum, 86400)";
    let world = World::new(calm(), &[day, "sum:app.requests{*}.as_count()"]);
    let url = world.sim.url();
    let args = ["export", "queries.txt", "--from", "-2d", "--out", "out", "--api-url", &url];
    // Just after midnight the settling time would take yesterday out as well.
    let args = args.iter().copied().chain(["--settle", "0s"]);
    let output = world.run(args);
    exits(&output, 0);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("the last 86400 s are incomplete: left out until they are over"),
        "{said}"
    );
    let days = rows(&world.out().join("csv/app.requests.sum.as_count@86400s/values.csv"));
    assert_eq!(days.len(), 2, "two whole days");
    let minutes = rows(&world.out().join("csv/app.requests.sum.as_count/values.csv"));
    assert!(minutes.len() >= 2 * 1_440, "and all minutes since");
}

/// A 429 ended the program, and everything was written at its end.
#[test]
fn a_429_on_the_last_call_loses_nothing() {
    let script = BTreeMap::from([(4, Fault::TooMany)]);
    let world = World::new(Options { script, ..calm() }, &["avg:system.cpu.user{*} by {host}"]);
    exits(&world.export(4), 0);
    assert_eq!((world.stats().query_calls, objects(&world.out())), (5, 4));
}

/// Windows were written back to back, which was neither JSON nor lines of it.
#[test]
fn every_output_parses_on_its_own() {
    let world = World::new(calm(), &["avg:system.cpu.user{*} by {host}"]);
    exits(&world.export(2), 0);
    for (path, bytes) in tree(&world.out()) {
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert!(reader.records().all(|record| record.is_ok()), "{path}");
    }
    let log = &walk(&world.out().join("runs"))[0];
    let lines: Vec<serde_json::Value> = fs::read_to_string(log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["outcome"] == "ok" && line["attempts"] == 1), "{lines:?}");
    assert!(lines.iter().map(|line| line["points"].as_u64().unwrap()).sum::<u64>() > 0);
}

/// The last point seen was the watermark: what came later was never asked for.
#[test]
fn late_points_arrive_with_the_next_run() {
    let queries = ["avg:system.cpu.user{*} by {host}"];
    let late = |options: Options| Options { late_s: 1_800, ..options };
    let now_s =
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let (from_s, to_s) = (now_s / 60 * 60 - 7_200, now_s / 60 * 60);
    let world = World::new(late(calm()), &queries);
    let mut args = world.export_args(from_s, to_s);
    args.extend(["--settle", "0s"].map(str::to_owned));
    exits(&world.run(&args), 0);
    let early = world.tree();

    let clock = Some(Duration::from_secs(now_s.unsigned_abs() + 7_200));
    let later = Simulator::start(Options { now_at_start: clock, ..late(calm()) }).unwrap();
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = later.url();
    args.extend(["--look-back".to_owned(), step_since(to_s)]);
    exits(&world.run(&args), 0);
    assert_ne!(world.tree(), early);
    assert_equals_the_function(&world, &queries, from_s, to_s);
}

/// Local midnights: a day of 23 or 25 hours lost or doubled one.
#[test]
fn a_day_of_25_hours_has_25_hours_of_points() {
    let queries = ["avg:system.cpu.user{*}"];
    let world = World::new(calm(), &queries);
    let mut args = world.export_args(0, 1);
    for (flag, time) in [("--from", "2025-11-02"), ("--to", "2025-11-03")] {
        let place = args.iter().position(|arg| arg == flag).unwrap();
        args[place + 1] = time.to_owned();
    }
    args.extend(["--timezone", "America/New_York"].map(str::to_owned));
    exits(&world.run(&args), 0);
    let text = fs::read_to_string(world.out().join("csv/system.cpu.user/values.csv")).unwrap();
    assert!(
        text.contains("2025-11-02 01:59:00-04:00,") && text.contains("2025-11-02 01:00:00-05:00,")
    );
    assert_eq!(text.lines().count(), 1 + 25 * 60);
}

/// The first ten days are older than what the server keeps: that is learnt with few calls, the rest comes home, in small runs
/// too, and nobody takes what was never asked for refused.
#[test]
fn what_is_too_old_costs_few_calls_and_nothing_else() {
    const DAYS: i64 = 20;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let edge_s = START_S + DAYS / 2 * DAY_S + 3_600;
    let queries = built_in_queries();
    let queries: Vec<_> = queries.iter().map(String::as_str).take(40).collect();
    let world = || {
        let retention_s = Some(i64::try_from(now_s).unwrap() - edge_s);
        World::new(Options { retention_s, ..calm() }, &queries)
    };
    let at_once = world();
    exits(&at_once.export(DAYS), 3);
    let calls = at_once.stats().query_calls;
    assert!(calls <= 2 * 10 + 45, "{calls} calls for 10 days of 2 batches");
    exits(&at_once.export(DAYS), 3);
    assert_eq!(at_once.stats().query_calls, calls, "what is too old is not asked again");
    let gaps = fs::read_to_string(at_once.out().join("gaps.csv")).unwrap();
    assert_eq!(gaps.lines().count(), 1 + queries.len(), "one stretch a query: {gaps}");
    assert!(gaps.lines().skip(1).all(|line| line.contains("outside the retention date")), "{gaps}");
    let table = fs::read_to_string(at_once.out().join("queries.csv")).unwrap();
    assert!(!table.contains("given-up"), "{table}");
    let held = objects(&at_once.out());

    // A query that is new to the list was never refused, and is not asked for what is known to be gone.
    let args = at_once.export_args(START_S, START_S + DAYS * DAY_S);
    let longer: Vec<_> =
        queries.iter().chain(&["avg:system.mem.used{*} by {host}"]).copied().collect();
    at_once.list(&longer);
    exits(&at_once.run(&args), 3);
    let told = fs::read_to_string(at_once.out().join("gaps.csv")).unwrap();
    assert_eq!(told.lines().count(), 1 + longer.len(), "{told}");
    assert!(told.lines().skip(1).all(|line| line.contains("outside the retention date")), "{told}");
    // What is forgotten is asked again.
    let calls = at_once.stats().query_calls;
    exits(
        &at_once.run(args.iter().map(String::as_str).chain(["--forget", "--max-calls", "20"])),
        3,
    );
    assert!(at_once.stats().query_calls > calls, "what is forgotten is asked again");
    let told = fs::read_to_string(at_once.out().join("gaps.csv")).unwrap();
    assert!(told.lines().skip(1).all(|line| line.contains("outside the retention date")), "{told}");

    let by_and_by = world();
    let args = by_and_by.export_args(START_S, START_S + DAYS * DAY_S);
    for _ in 0..20 {
        let small = args.iter().map(String::as_str).chain(["--max-calls", "20"]);
        exits(&by_and_by.run(small), 3);
    }
    // The edge moves on while the test runs, and with it the first points: the stretches are what counts.
    assert_eq!(fs::read_to_string(by_and_by.out().join("gaps.csv")).unwrap(), gaps);
    assert_eq!(objects(&by_and_by.out()), held);
}
