//! The directory shows exactly what was asked last: narrower, wider, another list, another zone; and any part of the archive
//! elsewhere, without a call.

use crate::plain_parquet::assert_plain;
use crate::support::{
    DAY_S, START_S, World, assert_equals_the_function, calm, exits, objects, tree, walk,
};
use std::fs;

const CPU: &str = "avg:system.cpu.user{*} by {host}";
const REQUESTS: &str = "sum:app.requests{*}.as_count()";

/// Files of a directory that was only ever asked for this.
fn fresh(queries: &[&str], from_s: i64, to_s: i64) -> std::collections::BTreeMap<String, Vec<u8>> {
    let world = World::new(calm(), queries);
    exits(&world.run(world.export_args(from_s, to_s)), 0);
    world.tree()
}

#[test]
fn a_narrower_range_leaves_no_earlier_row_and_a_wider_one_asks_only_for_the_rest() {
    let world = World::new(calm(), &[CPU, REQUESTS]);
    let range =
        |from, to| world.run(world.export_args(START_S + from * DAY_S, START_S + to * DAY_S));
    exits(&range(0, 4), 0);
    let (all, calls, held) = (world.tree(), world.stats().query_calls, objects(&world.out()));
    let mut args = world.export_args(START_S + DAY_S, START_S + 2 * DAY_S);
    args[5] = "plain".to_owned();
    let narrower = world.run(args);
    exits(&narrower, 0);
    let said = String::from_utf8_lossy(&narrower.stderr).into_owned();
    assert!(said.contains("rows of 2 queries outside the range are removed from it"), "{said}");
    assert!(said.contains("jindo extract out --query '*' --out PATH"), "{said}");
    assert_eq!(world.stats().query_calls, calls, "everything was there");
    assert_eq!(world.tree(), fresh(&[CPU, REQUESTS], START_S + DAY_S, START_S + 2 * DAY_S));
    assert_equals_the_function(&world, &[CPU, REQUESTS], START_S + DAY_S, START_S + 2 * DAY_S);
    assert_eq!(objects(&world.out()), held, "the archive keeps everything");
    let points = assert_plain(&world);
    exits(&world.run(["verify", "out"]), 0);
    exits(&range(0, 4), 0);
    assert_eq!((world.tree(), world.stats().query_calls), (all, calls));
    exits(&range(0, 5), 0);
    assert_eq!(world.stats().query_calls, calls + 1);
    assert!(assert_plain(&world).len() > points.len());
}

#[test]
fn another_list_leaves_no_file_of_the_one_before() {
    let world = World::new(calm(), &[CPU]);
    exits(&world.export(2), 0);
    let (before, calls) = (world.tree(), world.stats().query_calls);
    world.list(&[REQUESTS]);
    exits(&world.export(2), 0);
    assert_eq!(world.tree(), fresh(&[REQUESTS], START_S, START_S + 2 * DAY_S));
    exits(&world.run(["verify", "out"]), 0);
    world.list(&[CPU]);
    let asked = world.stats().query_calls;
    exits(&world.export(2), 0);
    assert_eq!((world.tree(), world.stats().query_calls), (before, asked));
    assert!(asked > calls);
    assert_plain(&world);
}

#[test]
fn any_part_of_the_archive_goes_elsewhere_without_a_call() {
    let world = World::new(calm(), &[CPU]);
    exits(&world.export(3), 0);
    world.list(&[REQUESTS]);
    exits(&world.export(1), 0);
    let (here, calls) = (world.tree(), world.stats().query_calls);
    let time =
        |days: i64| jiff::Timestamp::from_second(START_S + days * DAY_S).unwrap().to_string();
    let (from, to) = (time(1), time(2));
    let part =
        ["extract", "out", "--query", "*cpu*", "--from", &from, "--to", &to, "--out", "part"];
    exits(&world.run(part), 0);
    assert_eq!(tree(&world.path("part")), fresh(&[CPU], START_S + DAY_S, START_S + 2 * DAY_S));
    exits(&world.run(["extract", "out", "--query", "*", "--out", "all"]), 0);
    let queries = fs::read_to_string(world.path("all/queries.csv")).unwrap();
    assert_eq!(queries.lines().count(), 3, "{queries}");
    assert_eq!((world.tree(), world.stats().query_calls), (here, calls));

    let nowhere = world.run(["extract", "out", "--query", "*cpu*"]);
    exits(&nowhere, 2);
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("--out PATH"));
    exits(&world.run(["extract", "out", "--query", "nothing", "--out", "none"]), 2);
    assert!(!world.path("none").exists());
}

#[test]
fn queries_say_what_was_asked_and_what_was_seen() {
    let world = World::new(calm(), &["avg:system.cpu.user{*}"]);
    exits(&world.export(1), 0);
    let text = fs::read_to_string(world.out().join("queries.csv")).unwrap();
    assert_eq!(
        text,
        "query,interval_seconds,status,series,points,from,to,first,last,reason\n\
         avg:system.cpu.user{*},60,complete,1,1440,2026-06-01T00:00:00Z,2026-06-02T00:00:00Z,\
         2026-06-01T00:00:00Z,2026-06-01T23:59:00Z,\n"
    );
}

/// Rows without an offset stood beside rows with one, once a range had grown over a change of clocks.
#[test]
fn a_range_that_grows_over_a_change_of_clocks_keeps_its_rows() {
    let world = World::new(calm(), &["avg:system.cpu.user{*}"]);
    // New York turns its clocks forward on 2026-03-08.
    let from_s = 1_772_841_600;
    let text = |days: i64, zone: &str| {
        let mut args = world.export_args(from_s, from_s + days * DAY_S);
        args.extend(["--timezone", zone].map(str::to_owned));
        exits(&world.run(args), 0);
        let files = walk(&world.out().join("csv"));
        fs::read_to_string(&files[0]).unwrap()
    };
    let before = text(1, "America/New_York");
    assert!(before.lines().nth(1).unwrap().contains("-05:00,"), "{}", &before[..60]);
    let after = text(3, "America/New_York");
    assert!(after.starts_with(&before) && after.contains("-04:00,"));
    let calls = world.stats().query_calls;
    let seoul = text(3, "Asia/Seoul");
    assert!(seoul.lines().nth(1).unwrap().starts_with("2026-03-07 09:00:00,"));
    assert_eq!(world.stats().query_calls, calls, "another zone asks for nothing");
    assert_plain(&world);
}

/// A list called queries.csv was written over in `--out .`.
#[test]
fn nothing_of_the_users_is_written_over_in_a_new_directory() {
    for name in ["queries.csv", "series.csv", "gaps.csv", "csv", "csv/mine.csv", "csv/m/values.csv"]
    {
        let world = World::new(calm(), &[CPU]);
        let mine = world.out().join(name);
        fs::create_dir_all(mine.parent().unwrap()).unwrap();
        fs::write(&mine, "mine").unwrap();
        let refused = world.export(1);
        exits(&refused, 2);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            said.contains(&format!("{name} is there already")) && said.contains("--out"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
        assert!(world.stats().calls_by_path.is_empty(), "before the first call");
        assert!(!world.out().join("archive").exists());
    }
}

/// A file that the ledger does not name is never written over: before the first call, in `extract` too.
#[test]
fn nothing_of_the_users_is_written_over_beside_a_ledger() {
    let world = World::new(calm(), &[CPU]);
    exits(&world.export(1), 0);
    let (before, calls) = (world.tree(), world.stats().query_calls);
    let mine = world.out().join("csv/sum.app.requests/values.csv");
    fs::create_dir_all(mine.parent().unwrap()).unwrap();
    fs::write(&mine, "mine").unwrap();
    world.list(&[CPU, REQUESTS]);
    for refused in [world.export(1), world.run(["extract", "out"])] {
        exits(&refused, 2);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("values.csv is there already") && said.contains("move it"), "{said}");
    }
    assert_eq!(
        (fs::read_to_string(&mine).unwrap(), world.stats().query_calls),
        ("mine".into(), calls)
    );
    fs::rename(&mine, world.path("mine.csv")).unwrap();
    // What no file of ours is called may lie there.
    fs::write(world.out().join("csv/.DS_Store"), "").unwrap();
    exits(&world.export(1), 0);
    fs::remove_file(world.out().join("csv/.DS_Store")).unwrap();
    assert!(world.tree().len() > before.len());
}

/// A rebuilt ledger knows no file: what is not as it makes it is kept aside, what is stays.
#[test]
fn a_rebuilt_ledger_sets_aside_what_it_does_not_know() {
    let world = World::new(calm(), &[CPU]);
    exits(&world.export(1), 0);
    let whole = world.tree();
    let file = walk(&world.out().join("csv")).remove(0);
    let spoil = || {
        fs::write(&file, "changed").unwrap();
        fs::write(file.with_file_name("mine.csv"), "mine").unwrap();
        fs::remove_file(world.out().join("archive/ledger.db")).unwrap();
    };
    let aside = || {
        let mut aside: Vec<_> = walk(&world.out().join("set-aside"))
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        aside.sort();
        aside
    };
    spoil();
    let repaired = world.run(["verify", "out", "--repair"]);
    exits(&repaired, 0);
    let said = String::from_utf8_lossy(&repaired.stdout).into_owned();
    assert!(said.contains("mine.csv: not written by jindo — moved to set-aside/"), "{said}");
    assert_eq!((world.tree(), aside()), (whole.clone(), vec!["changed".into(), "mine".into()]));
    let again = world.export(1);
    exits(&again, 0);
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.contains("set aside    2 files that were not written by jindo"), "{said}");
    spoil();
    exits(&world.run(["verify", "out", "--repair"]), 0);
    assert_eq!((world.tree(), aside().len()), (whole, 4), "nothing that was set aside is lost");
}
