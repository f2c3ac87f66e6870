//! From a list to a complete and correct tree, whatever the server is like.

use crate::support::{DAY_S, START_S, World, assert_equals_the_function, calm, exits, tree, walk};
use jindo_sim::{BucketAtTo, Options, OverPoints, built_in_queries};
use std::collections::BTreeMap;
use std::fs;

const SIX: [&str; 6] = [
    "avg:aws.cloudfront.requests{*} by {distributionid}",
    "avg:system.cpu.user{*} by {host}",
    "sum:app.requests{*} by {service}.as_count()",
    "avg:odd.values{*}",
    "avg:odd.lives{*} by {name}",
    "avg:odd.empty{*}",
];

fn check(options: Options, from_s: i64, to_s: i64) {
    let world = World::new(options, &SIX);
    exits(&world.run(world.export_args(from_s, to_s)), 0);
    assert_equals_the_function(&world, &SIX, from_s, to_s);
}

#[test]
fn every_value_is_the_functions_with_the_end_excluded_or_included() {
    for bucket_at_to in [BucketAtTo::Excluded, BucketAtTo::Included] {
        check(Options { bucket_at_to, ..calm() }, START_S, START_S + 8 * DAY_S);
    }
}

#[test]
fn every_value_is_the_functions_under_any_cap_on_points() {
    for points_max in [350, 300] {
        for over_points in [OverPoints::Coarser, OverPoints::Refused] {
            check(Options { points_max, over_points, ..calm() }, START_S, START_S + 8 * DAY_S);
        }
    }
}

#[test]
fn every_value_is_the_functions_with_few_queries_a_call() {
    for queries_max in [3, 1] {
        check(Options { queries_max: Some(queries_max), ..calm() }, START_S, START_S + 8 * DAY_S);
    }
}

#[test]
fn of_an_unaligned_range_the_buckets_that_begin_within_it_are_exported() {
    let (from_s, to_s) = (START_S + 61, START_S + DAY_S + 3_599);
    let world = World::new(calm(), &SIX);
    exits(&world.run(world.export_args(from_s, to_s)), 0);
    assert_equals_the_function(&world, &SIX, from_s, to_s);
}

#[test]
fn the_values_of_a_query_are_the_same_alone_and_among_34_others() {
    let query = "avg:system.cpu.user{*}";
    let alone = World::new(calm(), &[query]);
    exits(&alone.export(2), 0);
    let built_in = built_in_queries();
    let all: Vec<_> =
        [query].into_iter().chain(built_in.iter().map(String::as_str)).take(35).collect();
    let among = World::new(calm(), &all);
    exits(&among.export(2), 0);
    let files = |world: &World| -> BTreeMap<_, _> {
        world
            .tree()
            .into_iter()
            .filter(|(path, _)| path.starts_with("csv/system.cpu.user/"))
            .collect()
    };
    assert!(!files(&alone).is_empty());
    assert_eq!(files(&alone), files(&among));
    assert_eq!(among.stats().queries_per_call_max, 35);
}

#[test]
fn the_second_run_asks_nothing_and_changes_no_byte() {
    let world = World::new(calm(), &SIX);
    exits(&world.export(2), 0);
    let stamp = |path: &str| fs::metadata(world.out().join(path)).unwrap().modified().unwrap();
    let (before, calls) = (world.tree(), world.stats().query_calls);
    let stamps: Vec<_> = before.keys().map(|path| stamp(path)).collect();
    let output = world.export(2);
    exits(&output, 0);
    assert_eq!(world.stats().query_calls, calls);
    assert_eq!(world.tree(), before);
    assert_eq!(before.keys().map(|path| stamp(path)).collect::<Vec<_>>(), stamps);
}

#[test]
fn an_extended_export_asks_only_for_what_is_missing() {
    let world = World::new(calm(), &SIX);
    exits(&world.export(2), 0);
    exits(&world.export(3), 0);
    assert_eq!(world.stats().query_calls, 3);
    let whole = World::new(calm(), &SIX);
    exits(&whole.export(3), 0);
    assert_eq!(world.tree(), whole.tree());
}

#[test]
fn without_a_list_the_last_request_is_repeated() {
    let world = World::new(calm(), &SIX);
    exits(&world.export(2), 0);
    let before = world.tree();
    exits(
        &world.run(["export", "--out", "out", "--progress", "none", "--api-url", &world.sim.url()]),
        0,
    );
    assert_eq!((world.tree(), world.stats().query_calls), (before, 2));
}

#[test]
fn a_whole_organisation_takes_one_call_per_35_queries_and_day() {
    let all: Vec<_> = built_in_queries();
    let world = World::new(calm(), &all.iter().map(String::as_str).collect::<Vec<_>>());
    exits(&world.run(world.export_args(START_S, START_S + 3_600)), 0);
    assert_eq!((all.len(), world.stats().query_calls), (579, 17));
}

#[test]
fn a_lost_ledger_is_rebuilt_without_a_call_to_the_same_bytes() {
    let world = World::new(calm(), &SIX);
    exits(&world.export(2), 0);
    let before = world.tree();
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        fs::remove_file(world.out().join("archive").join(name)).or_else(absent).unwrap();
    }
    exits(&world.export(2), 1);
    fs::write(world.out().join("csv/notes.txt"), "the user's own").unwrap();
    let repaired = world.run(["verify", "out", "--repair"]);
    exits(&repaired, 0);
    let words = String::from_utf8_lossy(&repaired.stdout).into_owned();
    let strangers: Vec<_> =
        words.lines().filter(|line| line.contains("not written by jindo")).collect();
    assert_eq!(strangers, ["csv/notes.txt: not written by jindo, left alone"], "{words}");
    fs::remove_file(world.out().join("csv/notes.txt")).unwrap();
    assert_eq!(world.tree(), before);
    exits(&world.export(2), 0);
    assert_eq!((world.tree(), world.stats().query_calls), (before, 2));
}

fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[test]
fn damage_is_found_mended_and_fetched_again() {
    let world = World::new(calm(), &SIX);
    exits(&world.export(2), 0);
    let before = world.tree();
    let object = walk(&world.out().join("archive/data")).pop().unwrap();
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&object, bytes).unwrap();
    exits(&world.run(["verify", "out"]), 1);
    exits(&world.run(["verify", "out", "--repair"]), 3);
    exits(&world.export(2), 0);
    assert_eq!((world.tree(), world.stats().query_calls), (before, 3));
    exits(&world.run(["verify", "out"]), 0);
}

#[test]
fn what_expired_is_reported_as_such_and_not_as_empty() {
    // The simulated 15 months end a little later than the 455 days that are reckoned with.
    let world =
        World::new(Options { retention_s: Some(DAY_S * 454 + DAY_S / 2), ..calm() }, &SIX[1..2]);
    let now_s = jiff::Timestamp::now().as_second();
    let output = world.run(world.export_args(now_s - 455 * DAY_S - 7_200, now_s - 454 * DAY_S));
    exits(&output, 0);
    let summary = String::from_utf8(output.stdout).unwrap();
    assert!(
        summary.contains("too old      1 query, no data is usually kept beyond 15 months"),
        "{summary}"
    );
    let table = String::from_utf8(world.tree()["queries.csv"].clone()).unwrap();
    let reason = "part of the range was older than the 15 months that Datadog usually keeps; nothing came from there";
    assert!(table.trim_end().ends_with(reason) && table.contains(",60,complete,"), "{table}");
}

#[test]
fn files_go_elsewhere_as_they_are_here() {
    let world = World::new(calm(), &SIX);
    exits(&world.export(1), 0);
    exits(&world.run(["extract", "out", "--out", "copy"]), 0);
    assert_eq!(tree(&world.path("copy")), world.tree());
}

#[test]
fn a_zone_with_summer_time_shows_its_offset_and_keeps_every_instant() {
    let world = World::new(calm(), &SIX[1..2]);
    // 2026-11-01 06:00 UTC: New York turns its clocks back.
    let from_s = 1_793_505_600;
    let mut options = calm();
    options.now_at_start = Some(std::time::Duration::from_secs(1_795_000_000));
    let mut args = world.export_args(from_s, from_s + DAY_S);
    args.extend(["--timezone", "America/New_York"].map(str::to_owned));
    exits(&world.run(args), 0);
    let tree = world.tree();
    let (_, bytes) = tree.iter().find(|(path, _)| path.starts_with("csv/")).unwrap();
    let text = String::from_utf8_lossy(bytes);
    assert!(
        text.contains("2026-11-01 01:30:00-04:00,") && text.contains("2026-11-01 01:30:00-05:00,")
    );
}
