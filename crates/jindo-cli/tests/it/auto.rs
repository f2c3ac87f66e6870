//! `--resolution auto`: each query at the interval of its own points, found with few calls, once.

use crate::support::{DAY_S, START_S, World, calm, exits, rows, step_since, walk};
use jindo_sim::{
    Kind, Life, Metric, Options, Organisation, OverPoints, Presence, Shape, Signal, Simulator,
    Source,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: i64 = 3;

/// What each of the list is about, and the interval that fits.
const LIST: [(&str, i64); 13] = [
    ("avg:every.10{*}", 10),
    ("avg:every.15{*} by {host}", 15),
    ("avg:every.20{*}.fill(zero)", 20),
    ("avg:every.60{*}", 60),
    ("sum:every.90{*}.as_count()", 60),
    ("avg:every.300{*}", 300),
    ("avg:every.900{*}", 900),
    ("max:every.3600{*}", 3_600),
    ("avg:old{*}", 60),
    ("avg:nightly{*}", 10),
    ("avg:empty{*}", 60),
    ("avg:every.10{*}.rollup(max, 300)", 300),
    // Of what is computed nobody can count the points through the whole range.
    ("avg:every.60{*} / avg:every.300{*}", 60),
];

fn signal(spacing_s: i64, life: Life) -> Signal {
    let shape = Shape::Fine { base: 3.0, span: 9.0 };
    Signal {
        seed: spacing_s.unsigned_abs(),
        shape,
        spacing_s,
        phase_s: 0,
        life,
        presence: Presence::All,
    }
}

fn metric(name: &str, signals: &[Signal]) -> Metric {
    let source =
        |(index, &signal): (usize, &Signal)| Source { tags: vec![format!("host:{index}")], signal };
    let sources = signals.iter().enumerate().map(source).collect();
    Metric { name: name.into(), kind: Kind::Gauge, interval_s: None, unit: None, sources }
}

fn organisation() -> Organisation {
    let regular = |spacing_s, phase_s| {
        let name = format!("every.{spacing_s}");
        metric(&name, &[Signal { phase_s, ..signal(spacing_s, Life::Always) }])
    };
    let mut metrics: Vec<_> =
        [(10, 3), (20, 0), (60, 59), (90, 7), (300, 0), (900, 61), (3_600, 1)]
            .map(|(spacing_s, phase_s)| regular(spacing_s, phase_s))
            .into();
    metrics.push(metric("every.15", &[signal(60, Life::Always), signal(15, Life::Always)]));
    // Ten minutes long, two days before the end, where nobody looks: it comes at the default.
    let from_s = START_S + DAY_S + 20_000;
    let life = Life::Between { born_s: from_s, died_s: from_s + 600 };
    metrics.push(metric("old", &[signal(10, life)]));
    // Two minutes a day: from afar it looks like a point a day.
    let life = Life::Cycle { period_s: DAY_S, from_s: 10_000, to_s: 10_120 };
    metrics.push(metric("nightly", &[signal(10, life)]));
    metrics
        .push(metric("empty", &[Signal { presence: Presence::Never, ..signal(60, Life::Always) }]));
    Organisation::new(metrics)
}

fn options() -> Options {
    Options { organisation: Arc::new(organisation()), ..calm() }
}

fn world(options: Options) -> World {
    World::new(options, &LIST.map(|(query, _)| query))
}

fn args(world: &World) -> Vec<String> {
    let mut args = world.export_args(START_S, START_S + DAYS * DAY_S);
    args.extend(["--resolution", "auto"].map(str::to_owned));
    args
}

fn export(world: &World) -> Output {
    world.run(args(world))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every file against the function, at the interval that fits.
#[track_caller]
fn assert_each_at_its_own(world: &World) {
    assert_each_at(world, &LIST);
}

#[track_caller]
fn assert_each_at(world: &World, list: &[(&str, i64)]) {
    let others = without_each_at(world, list);
    assert!(others.is_empty(), "{others:?}");
}

/// A file by its query, tags and interval.
type Files = BTreeMap<(String, String, String), PathBuf>;

/// The files of none of these.
#[track_caller]
fn without_each_at(world: &World, list: &[(&str, i64)]) -> Files {
    without_each(world, list, START_S + DAYS * DAY_S)
}

#[track_caller]
fn without_each(world: &World, list: &[(&str, i64)], to_s: i64) -> Files {
    let mut files = Files::new();
    let mut table = csv::Reader::from_path(world.out().join("series.csv")).unwrap();
    for row in table.records().map(Result::unwrap) {
        let path = world.out().join(&row[0]);
        files.insert((row[1].to_owned(), row[3].to_owned(), row[5].to_owned()), path);
    }
    for &(query, interval_s) in list {
        let organisation = &world.options.organisation;
        let all = organisation.expected(query, START_S, to_s, interval_s);
        for expected in all.unwrap() {
            let tags = serde_json::to_string(&expected.tags).unwrap();
            let name = (query.to_owned(), tags, interval_s.to_string());
            let path = files.remove(&name).unwrap_or_else(|| panic!("no file of {name:?}"));
            let found = rows(&path);
            assert_eq!(found.len(), expected.points.len(), "{query}");
            let same =
                |(a, b): (&(i64, f64), &(i64, f64))| a.0 == b.0 && a.1.to_bits() == b.1.to_bits();
            assert!(found.iter().zip(&expected.points).all(same), "{query}");
        }
    }
    files
}

#[test]
fn every_query_comes_at_the_spacing_of_its_points_and_the_second_run_asks_nothing() {
    let world = world(options());
    let mut loud = args(&world);
    let style = loud.iter().position(|arg| arg == "none").unwrap();
    loud[style] = "plain".into();
    let output = world.run(&loud);
    exits(&output, 0);
    let said = text(&output.stderr);
    assert!(
        said.contains("resolution: 2 queries at 10 s, 1 at 15 s, 1 at 20 s, 5 at 60 s, 2 at 300 s, 1 at 900 s, 1 at 3600 s (2 had no points of late: 60 s; 1 had points far apart, but not surely all through the range: 60 s)"),
        "{said}"
    );
    assert_each_at_its_own(&world);
    let (calls, tree) = (world.stats().query_calls, world.tree());
    exits(&export(&world), 0);
    exits(&world.run(["export", "--out", "out", "--progress", "none"]), 0);
    assert_eq!((world.stats().query_calls, world.tree()), (calls, tree));
    exits(&world.run(["verify", "out"]), 0);
}

#[test]
fn killed_while_it_samples_it_comes_to_the_same_bytes() {
    let undisturbed = world(options());
    exits(&export(&undisturbed), 0);
    let calls = undisturbed.stats().query_calls;

    let world = world(Options { latency: Duration::from_millis(30), ..options() });
    let mut kills = 0;
    for until in 1..=6 {
        let mut child = world
            .command(args(&world))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while world.stats().query_calls < until && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        kills += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    exits(&export(&world), 0);
    assert!(kills >= 4, "only {kills} kills hit a running export");
    assert_eq!(world.tree(), undisturbed.tree());
    let most = calls + kills * 8;
    assert!(world.stats().query_calls <= most, "what was answered is not asked again");
}

#[test]
fn without_its_ledger_the_archive_tells_the_same_spacings() {
    let world = world(options());
    exits(&export(&world), 0);
    let (calls, tree) = (world.stats().query_calls, world.tree());
    for file in walk(&world.out().join("archive")) {
        if file.file_name().unwrap().to_string_lossy().starts_with("ledger.db") {
            fs::remove_file(file).unwrap();
        }
    }
    exits(&world.run(["verify", "out", "--repair"]), 0);
    exits(&export(&world), 0);
    assert_eq!((world.stats().query_calls, world.tree()), (calls, tree));
}

#[test]
fn a_server_that_serves_fewer_points_changes_nothing() {
    for over_points in [OverPoints::Coarser, OverPoints::Refused] {
        let world = world(Options { points_max: 350, over_points, ..options() });
        exits(&export(&world), 0);
        assert_each_at_its_own(&world);
    }
}

#[test]
fn where_a_second_is_not_offered_the_nearest_interval_is_sampled() {
    let mut intervals_s = jindo_sim::INTERVALS_S.to_vec();
    intervals_s.retain(|interval_s| *interval_s >= 10);
    let world = world(Options { intervals_s, ..options() });
    exits(&export(&world), 0);
    // Points every 15 s lie in neighbouring buckets of 10 s.
    assert_each_at(&world, &LIST.map(|(query, s)| (query, if s == 15 { 10 } else { s })));
    let calls = world.stats().query_calls;
    assert!(calls < 60, "{calls} calls: one after the other was refused");
}

#[test]
fn a_probe_after_the_samples_leaves_out_what_is_empty() {
    let plain = world(options());
    exits(&export(&plain), 0);
    let probing = world(options());
    let args: Vec<_> = args(&probing).into_iter().chain(["--probe".to_owned()]).collect();
    exits(&probing.run(&args), 0);
    assert_eq!(probing.tree(), plain.tree());
    let calls = probing.stats().query_calls;
    exits(&probing.run(&args), 0);
    assert_eq!(probing.stats().query_calls, calls);
}

#[test]
fn what_cannot_be_sampled_keeps_the_default_and_the_plan_says_so() {
    let refused = vec!["every.20{*}.rollup(avg, 1)".to_owned()];
    let world = world(Options { refused, ..options() });
    let plan = || {
        let time = |secs: i64| jiff::Timestamp::from_second(secs).unwrap().to_string();
        let (from, to) = (time(START_S), time(START_S + DAYS * DAY_S));
        let args = [
            "plan",
            "queries.txt",
            "--resolution",
            "auto",
            "--out",
            "out",
            "--from",
            &from,
            "--to",
            &to,
        ];
        let words = world.run(args);
        exits(&words, 0);
        let json = world.run(args.into_iter().chain(["--json"]));
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        (text(&words.stdout), json["resolutions"].clone(), json["unsampled"].clone())
    };
    let (words, resolutions, unsampled) = plan();
    assert!(words.contains("(12 not sampled yet: reckoned at 60 s)"), "{words}");
    assert_eq!((resolutions["60"].as_u64(), unsampled.as_u64()), (Some(12), Some(12)));
    assert!(!world.out().exists(), "a plan touches nothing");
    exits(&export(&world), 0);
    assert_each_at(&world, &LIST.map(|(query, s)| (query, if s == 20 { 60 } else { s })));
    let (words, resolutions, unsampled) = plan();
    assert!(words.contains("(2 had no points of late: 60 s; 1 had points far apart, but not surely all through the range: 60 s; 1 could not be sampled: 60 s)"), "{words}");
    assert_eq!((resolutions["10"].as_u64(), unsampled.as_u64()), (Some(2), Some(0)));
    let status = text(&world.run(["status", "out"]).stdout);
    assert!(status.contains("resolution 2 queries at 10 s, 1 at 15 s, 6 at 60 s"), "{status}");
}

#[test]
fn what_was_found_is_forgotten_on_demand_and_sampling_stops_at_max_calls() {
    // Calls of one query: detection takes more than twenty.
    let world = world(Options { queries_max: Some(1), ..options() });
    let few: Vec<_> =
        args(&world).into_iter().chain(["--max-calls", "20"].map(str::to_owned)).collect();
    let stopped = world.run(&few);
    exits(&stopped, 3);
    assert!(text(&stopped.stdout).starts_with("stopped at --max-calls after"), "{stopped:?}");
    exits(&export(&world), 0);
    assert_each_at_its_own(&world);
    let (calls, tree) = (world.stats().query_calls, world.tree());
    let again: Vec<_> = args(&world).into_iter().chain(["--forget".to_owned()]).collect();
    exits(&world.run(&again), 0);
    assert!(world.stats().query_calls > calls);
    assert_eq!(world.tree(), tree);
}

/// What was exported every 60 s was taken for a sample that holds only its newest object, and never for enough.
#[test]
fn an_earlier_export_serves_as_a_sample() {
    let world = world(options());
    exits(&world.export(DAYS), 0);
    let before = world.stats().query_calls;
    exits(&export(&world), 0);
    let others = without_each_at(&world, &LIST);
    assert!(others.keys().all(|(_, _, interval)| interval == "60"), "{others:?}");
    let calls = world.stats().query_calls - before;
    let fresh = self::world(options());
    exits(&export(&fresh), 0);
    let from_nothing = fresh.stats().query_calls;
    assert!(calls < from_nothing, "{calls} calls, {from_nothing} from nothing");
}

#[test]
fn a_server_that_fails_now_and_then_changes_nothing() {
    let faults = "10%".parse().unwrap();
    let world = world(Options { faults, ..options() });
    exits(&export(&world), 0);
    assert_each_at_its_own(&world);
}

/// Samples of what is still young became data that was never asked again.
#[test]
fn young_samples_stay_open_until_late_points_are_in() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_s = i64::try_from(now.as_secs()).unwrap();
    let (from_s, to_s) = (now_s / 60 * 60 - 2_400, now_s / 60 * 60);
    let late = Options { late_s: 1_800, ..options() };
    let list = ["avg:every.10{*}", "avg:every.60{*}", "avg:every.300{*}"];
    let at = |options: &Options, later: u64| {
        let now_at_start = Some(now + Duration::from_secs(later));
        Options { now_at_start, ..options.clone() }
    };
    let args = |world: &World, url: String| {
        let mut args = world.export_args(from_s, to_s);
        let place = args.iter().position(|arg| arg == "--api-url").unwrap();
        args[place + 1] = url;
        args.extend(["--settle", "0s", "--resolution", "auto"].map(str::to_owned));
        args
    };
    let world = World::new(at(&late, 0), &list);
    exits(&world.run(args(&world, world.sim.url())), 0);
    let early = world.tree();
    let later = Simulator::start(at(&late, 7_200)).unwrap();
    let again = [args(&world, later.url()), vec!["--look-back".to_owned(), step_since(to_s)]];
    exits(&world.run(again.concat()), 0);
    assert_ne!(world.tree(), early);
    let whole = |spacing_s: i64| usize::try_from(2_400 / spacing_s).unwrap();
    for (query, spacing_s) in [("every.10@10s", 10), ("every.60", 60)] {
        let file = world.out().join(format!("csv/{query}/values.csv"));
        assert_eq!(rows(&file).len(), whole(spacing_s), "{query}");
    }
}

/// Samples reached back before the range, and their points into the files.
#[test]
fn nothing_from_before_the_range_is_exported() {
    let spaced = signal(60, Life::Always);
    // Active until ten minutes into the range, so that a look around its last points begins before it.
    let period_s = 400 * DAY_S;
    let until_s = (START_S + 600).rem_euclid(period_s);
    let life = Life::Cycle { period_s, from_s: until_s - DAY_S, to_s: until_s };
    let organisation = Organisation::new(vec![metric("ended", &[Signal { life, ..spaced }])]);
    let queries = ["avg:ended{*}"];
    let world = World::new(Options { organisation: organisation.into(), ..calm() }, &queries);
    let mut args = world.export_args(START_S, START_S + 10 * DAY_S);
    args.extend(["--resolution", "auto"].map(str::to_owned));
    exits(&world.run(args), 0);
    let found = rows(&world.out().join("csv/ended/values.csv"));
    assert_eq!(found.first().map(|row| row.0), Some(START_S), "{} rows", found.len());
    assert_eq!(found.len(), 10);
}

/// Seconds between points; from which day of the range until which.
type Pace = (i64, i64, i64);

/// Days of the range in which each source of a metric reports every so often. Sources of one metric are in one series where the query does
/// not group them, and then the series changes its pace.
const CHANGING: [(&str, &[Pace]); 6] = [
    ("new.hourly", &[(60, 0, 8), (3_600, 8, 10)]),
    ("old.10", &[(10, 0, 1), (3_600, 1, 10)]),
    ("old.300", &[(3_600, 0, 2), (300, 2, 4), (3_600, 4, 10)]),
    ("two.hosts", &[(3_600, 0, 10), (60, 0, 3)]),
    ("parallel", &[(3_600, 0, 10), (3_600, 0, 10)]),
    ("steady", &[(3_600, 0, 10)]),
];

fn changing() -> Organisation {
    let all = CHANGING.iter().map(|(name, parts)| {
        let signals: Vec<_> = parts
            .iter()
            .map(|&(spacing_s, from, to)| {
                let (born_s, died_s) = (START_S + from * DAY_S, START_S + to * DAY_S);
                signal(spacing_s, Life::Between { born_s, died_s })
            })
            .collect();
        metric(name, &signals)
    });
    let values = [metric("values", &[signal(3_600, Life::Always)])]
        .map(|metric| Metric { kind: Kind::Distribution, ..metric });
    Organisation::new(all.chain(values).collect())
}

/// The newest points were taken to stand for the whole range: thousands that lay closer together before were averaged over an hour.
#[test]
fn what_was_denser_earlier_in_the_range_comes_every_minute() {
    let list = [
        ("avg:new.hourly{*}", 60),
        ("avg:old.10{*}", 60),
        ("max:old.300{*}", 60),
        ("avg:two.hosts{*}", 60),
        ("avg:two.hosts{*} by {host}", 60),
        ("avg:parallel{*}", 60),
        ("avg:parallel{*} by {host}", 3_600),
        ("min:steady{*}", 3_600),
        ("sum:steady{*}.as_count()", 60),
        ("abs(avg:steady{*})", 60),
        ("avg:values{*}", 60),
    ];
    let options = Options { organisation: changing().into(), ..calm() };
    let world = World::new(options, &list.map(|(query, _)| query));
    let to_s = START_S + 10 * DAY_S;
    let mut args = world.export_args(START_S, to_s);
    args.extend(["--resolution", "auto"].map(str::to_owned));
    exits(&world.run(&args), 0);
    assert!(without_each(&world, &list, to_s).is_empty());
    let status = text(&world.run(["status", "out", "--json"]).stdout);
    assert!(
        status.contains("counted through the range every 3600 s: 1 sample of a series at most"),
        "{status}"
    );
    let (calls, tree) = (world.stats().query_calls, world.tree());
    exits(&world.run(&args), 0);
    assert_eq!((world.stats().query_calls, world.tree()), (calls, tree));
}

/// A server that declines to count costs a trial, and no diagnosis of each query.
#[test]
fn where_the_server_does_not_count_all_stays_at_a_minute() {
    let names: Vec<_> = (0..70).map(|n| format!("hourly.{n}")).collect();
    let always = [signal(3_600, Life::Always)];
    let organisation = Organisation::new(names.iter().map(|n| metric(n, &always)).collect());
    let refused = vec![".rollup(count".to_owned()];
    let queries: Vec<_> = names.iter().map(|name| format!("avg:{name}{{*}}")).collect();
    let queries: Vec<_> = queries.iter().map(String::as_str).collect();
    let options = Options { organisation: organisation.into(), refused, ..calm() };
    let world = World::new(options, &queries);
    exits(&export(&world), 0);
    let at_a_minute: Vec<_> = queries.iter().map(|&query| (query, 60)).collect();
    assert_each_at(&world, &at_a_minute);
    let calls = world.stats().query_calls;
    assert!(calls <= 6 + 6 + 8 + 8, "{calls} calls");
}
