//! `verify --refetch`: what is told of a server that says the same, more, or something else; and that nothing is written.

use crate::support::{DAY_S, START_S, World, calm, exits, objects, walk};
use jindo_sim::{Options, Organisation, OverPoints, Presence, Simulator};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Output, Stdio};
use std::time::Duration;

const THREE: [&str; 3] = [
    "avg:odd.partitions{*} by {partition}",
    "avg:odd.values{*}",
    "avg:aws.cloudfront.requests{*} by {distributionid}",
];

/// One series with a point every minute, whole and exact.
const MINUTELY: [&str; 1] = ["avg:odd.lives{name:always}"];

fn verify(world: &World, url: &str, more: &[&str]) -> Output {
    let args = ["verify", "out", "--json", "--api-url", url, "--refetch"];
    world.run(args.iter().chain(more))
}

/// What asking again has to say.
fn told(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["refetch"].clone()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All objects, the files made from them, and what the ledger says but for the audit.
fn bytes(world: &World) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = walk(&world.out().join("archive/data"));
    files.extend(walk(&world.out().join("csv")));
    let mut all: Vec<_> =
        files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let mut status = status(world);
    status.as_object_mut().unwrap().remove("audit");
    all.push(("ledger".into(), status.to_string().into_bytes()));
    all
}

fn status(world: &World) -> Value {
    serde_json::from_slice(&world.run(["status", "out", "--json"]).stdout).unwrap()
}

/// The calls of the newest run: windows and queries.
fn asked(world: &World) -> BTreeSet<String> {
    let log = walk(&world.out().join("runs")).pop().unwrap();
    let line = |line: &str| -> String {
        let line: Value = serde_json::from_str(line).unwrap();
        format!("{} {} {}", line["start"], line["end"], line["queries"])
    };
    fs::read_to_string(log).unwrap().lines().map(line).collect()
}

/// The arguments of an export of so many days from another server than the world's own.
fn export_from(world: &World, server: &Simulator, days: i64) -> Vec<String> {
    let mut args = world.export_args(START_S, START_S + days * DAY_S);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = server.url();
    args
}

/// The same server at a time of its own.
fn at(options: Options, secs: i64) -> Options {
    Options { now_at_start: Some(Duration::from_secs(secs.unsigned_abs())), ..options }
}

#[test]
fn a_server_that_says_the_same_is_told_so_and_nothing_is_written() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(12), 0);
    let (before, calls) = (bytes(&world), world.stats().query_calls);
    let output = verify(&world, &world.sim.url(), &["100%"]);
    exits(&output, 0);
    let told = told(&output);
    assert_eq!(
        (&told["windows"], &told["sampled"], &told["compared"]),
        (&12.into(), &12.into(), &12.into())
    );
    assert_eq!(world.stats().query_calls, calls + 12);
    let status = status(&world);
    let rows = status["totals"]["rows"].as_u64().unwrap();
    assert!(rows > 0);
    let audit = &status["audit"];
    assert_eq!((&audit["compared"], &audit["points"]), (&told["compared"], &told["points"]));
    assert_eq!(
        (&audit["late"], &audit["changed"], &audit["gone"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert_eq!(told["points"].as_u64(), Some(rows), "every point was compared");
    assert_eq!(bytes(&world), before);
}

#[test]
fn so_many_calls_are_made_and_a_seed_draws_the_same() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(12), 0);
    for (portion, calls) in [("5", 5), ("1%", 1), ("25%", 3), ("99", 12)] {
        let before = world.stats().query_calls;
        let output = verify(&world, &world.sim.url(), &[portion]);
        exits(&output, 0);
        assert_eq!(world.stats().query_calls, before + calls, "{portion}");
        let seed = told(&output)["seed"].to_string();
        let windows = asked(&world);
        assert_eq!(windows.len() as u64, calls);
        exits(&verify(&world, &world.sim.url(), &[portion, "--seed", &seed]), 0);
        assert_eq!(asked(&world), windows, "{portion} of seed {seed}");
    }
    let draw = |seed: &str| {
        exits(&verify(&world, &world.sim.url(), &["2", "--seed", seed]), 0);
        asked(&world)
    };
    let samples: BTreeSet<_> = ["1", "2", "3", "4"].into_iter().map(draw).collect();
    assert!(samples.len() > 1, "every seed draws the same: {samples:?}");
}

/// Six hours of the last day were not there yet when it was fetched.
fn late_world(days: i64) -> (World, Simulator) {
    let end_s = START_S + days * DAY_S;
    let late = Options { late_s: 6 * 3_600, ..at(calm(), end_s) };
    let world = World::new(late, &MINUTELY);
    exits(&world.export(days), 0);
    (world, Simulator::start(calm()).unwrap())
}

#[test]
fn exactly_the_points_that_came_late_are_late_and_repair_and_export_bring_them() {
    let (world, now) = late_world(3);
    let early = world.tree();
    let output = verify(&world, &now.url(), &["100%"]);
    exits(&output, 3);
    let report = told(&output);
    // The server's `now - late` is a point of its own.
    let expected: Vec<_> =
        (1..360).map(|minute| START_S + 3 * DAY_S - 21_600 + minute * 60).collect();
    let found: Vec<_> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            assert_eq!((&line["kind"], &line["held"]), (&"late".into(), &Value::Null));
            line["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
        })
        .collect();
    assert_eq!((found, &report["changed"], &report["gone"]), (expected, &0.into(), &0.into()));

    // Without --repair the next export has nothing to ask.
    let args = export_from(&world, &now, 3);
    let calls = now.stats().query_calls;
    exits(&world.run(&args), 0);
    assert_eq!((world.tree() == early, now.stats().query_calls), (true, calls));

    let output = verify(&world, &now.url(), &["100%", "--repair"]);
    exits(&output, 3);
    assert_eq!((told(&output)["marked"].as_u64(), world.tree() == early), (Some(1), true));
    let calls = now.stats().query_calls;
    exits(&world.run(&args), 0);
    assert_eq!(now.stats().query_calls, calls + 1, "one window is asked again, whole");
    let fresh = World::new(calm(), &MINUTELY);
    exits(&fresh.export(3), 0);
    assert_eq!(world.tree(), fresh.tree());
    exits(&verify(&world, &now.url(), &["100%"]), 0);
}

#[test]
fn late_points_are_told_in_words() {
    let (world, now) = late_world(1);
    let url = now.url();
    let output = world.run(["verify", "out", "--refetch", "1%", "--seed", "9", "--api-url", &url]);
    exits(&output, 3);
    let text = words(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2 + 20 + 4, "{text}");
    let age = |line: &str, before: &str, after: &str| {
        let (head, rest) = line.split_once(before).unwrap_or_else(|| panic!("{text}"));
        assert!(rest.ends_with(after), "{text}");
        head.to_owned()
    };
    let first = age(lines[2], " is served, and was not there ", " h after its time");
    assert!(
        first.starts_with(
            "late: avg:odd.lives{name:always} 2026-06-01T18:01:00Z: nothing is held, "
        )
    );
    assert_eq!(lines[22], "339 more points differ; --json lists the first 1,000");
    let verdict =
        "1 of 1 window compared in 1 call (--seed 9 draws the same): 1,440 points, 359 differ";
    assert_eq!(lines[23], verdict);
    let late = age(lines[24], ", the latest more than ", " h after its time");
    assert_eq!(late, "late     359: reported after they were fetched");
    let remedy = "jindo verify out --refetch 1% --seed 9 --repair marks what differs; the next export fetches it again";
    assert_eq!(lines[25], remedy);
}

#[test]
fn other_values_are_changed_and_what_the_server_lost_is_gone_and_kept() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(2), 0);
    let other = Options::new(8).with_query_limit(1_000_000, 60);
    let other =
        Simulator::start(Options { org_id: world.options.org_id.clone(), ..other }).unwrap();
    let output = verify(&world, &other.url(), &["100%"]);
    exits(&output, 1);
    let report = told(&output);
    assert!(report["changed"].as_u64() > Some(1_000), "{report}");
    assert_eq!(report["differences"].as_array().unwrap().len(), 1_000);

    // Only the newest day is still kept: what the archive alone has must not be asked away.
    let short = Options { retention_s: Some(DAY_S), ..at(calm(), START_S + 2 * DAY_S + DAY_S / 2) };
    let short = Simulator::start(short).unwrap();
    let before = bytes(&world);
    let output = verify(&world, &short.url(), &["100%", "--repair"]);
    exits(&output, 1);
    let report = told(&output);
    assert!(report["gone"].as_u64() > Some(0) && report["kept"].as_u64() > Some(0), "{report}");
    assert_eq!(
        (&report["changed"], &report["late"], &report["marked"]),
        (&0.into(), &0.into(), &0.into())
    );
    let data = |files: &[(std::path::PathBuf, Vec<u8>)]| -> Vec<_> {
        files.iter().filter(|(path, _)| !path.ends_with("ledger")).cloned().collect()
    };
    assert_eq!(data(&bytes(&world)), data(&before));
}

#[test]
fn a_flipped_bit_is_the_archives_and_costs_no_call() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(2), 0);
    let object = walk(&world.out().join("archive/data")).pop().unwrap();
    let mut flipped = fs::read(&object).unwrap();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&object, flipped).unwrap();
    let calls = world.stats().calls_by_path.clone();
    let url = world.sim.url();
    let output = world.run(["verify", "out", "--refetch", "100%", "--api-url", &url]);
    exits(&output, 1);
    assert!(
        words(&output)
            .contains("not compared with the server: what is wrong here has to be repaired first")
    );
    assert_eq!(world.stats().calls_by_path, calls);

    // Mended, the rest is compared; what was set aside is the next export's.
    let output = verify(&world, &world.sim.url(), &["100%", "--repair"]);
    exits(&output, 3);
    assert_eq!((&told(&output)["windows"], &told(&output)["compared"]), (&1.into(), &1.into()));
    assert_eq!(told(&output)["changed"], 0);
}

#[test]
fn other_keys_and_missing_keys_are_refused_before_any_query() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(2), 0);
    let other = Simulator::start(Options { org_id: "another".into(), ..calm() }).unwrap();
    let output = verify(&world, &other.url(), &["1%"]);
    exits(&output, 2);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("the keys to organisation another on 127.0.0.1; nothing was fetched"),
        "{said}"
    );
    assert_eq!(other.stats().query_calls, 0);
    let url = world.sim.url();
    let mut command = world.command(["verify", "out", "--refetch", "1%", "--api-url", &url]);
    exits(&command.env_remove("DD_APP_KEY").output().unwrap(), 2);
    exits(&world.run(["verify", "out", "--seed", "3"]), 2);
    exits(&world.run(["verify", "out", "--api-url", &url]), 2);
    exits(&world.run(["verify", "out", "--concurrency", "3"]), 2);
    exits(&world.run(["verify", "out"]), 0);
}

#[test]
fn a_server_that_goes_away_leaves_words_of_how_far_it_came() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(6), 0);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = verify(&world, &format!("http://{nobody}"), &["3", "--give-up-after", "1s"]);
    exits(&output, 1);
    let report = told(&output);
    assert_eq!((&report["compared"], &report["not_compared"]), (&0.into(), &3.into()));

    let revoked = Simulator::start(Options { revoked_after: Some(2), ..calm() }).unwrap();
    let output = verify(&world, &revoked.url(), &["5", "--concurrency", "1"]);
    exits(&output, 1);
    let report = told(&output);
    assert_eq!((&report["compared"], &report["not_compared"]), (&2.into(), &3.into()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the keys worked and are now refused"), "{said}");
}

#[test]
fn a_server_that_takes_less_than_before_is_asked_in_pieces_and_teaches_the_archive_nothing() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(2), 0);
    let before = bytes(&world);
    for over_points in [OverPoints::Coarser, OverPoints::Refused] {
        let small = Options { points_max: 350, over_points, queries_max: Some(2), ..calm() };
        let small = Simulator::start(small).unwrap();
        let output = verify(&world, &small.url(), &["100%"]);
        exits(&output, 0);
        assert_eq!(told(&output)["compared"], 2);
        assert!(small.stats().query_calls > 8);
    }
    assert_eq!(bytes(&world), before);
}

#[test]
fn a_query_that_is_refused_now_is_named_and_the_others_are_compared() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(2), 0);
    let grim = Simulator::start(Options { refused: vec!["odd.values".into()], ..calm() }).unwrap();
    let output = verify(&world, &grim.url(), &["100%"]);
    exits(&output, 1);
    let report = told(&output);
    assert_eq!(report["refused"][0]["query"], "avg:odd.values{*}");
    assert_eq!((&report["not_compared"], &report["changed"]), (&2.into(), &0.into()));
    assert!(report["points"].as_u64() > Some(0));
    // It stays what it was: nothing of it was given up.
    exits(&world.run(["verify", "out"]), 0);
}

/// What the server takes instead of the form that it refuses has other values: those would be called changed.
#[test]
fn a_form_that_is_refused_now_is_not_compared_with_another() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(2), 0);
    let grim = Simulator::start(Options { refused: vec![".fill(null)".into()], ..calm() }).unwrap();
    let before = bytes(&world);
    let output = verify(&world, &grim.url(), &["1"]);
    exits(&output, 1);
    let report = told(&output);
    let differing = [&report["late"], &report["changed"], &report["gone"], &report["compared"]];
    assert_eq!(differing, [0, 0, 0, 0]);
    assert_eq!(report["refused"].as_array().unwrap().len(), THREE.len(), "{report}");
    assert_eq!(bytes(&world), before);
}

#[test]
fn what_was_probed_must_still_be_empty() {
    let options = Options { organisation: Organisation::sparse(7).into(), ..calm() };
    let built_in = jindo_sim::built_in_queries();
    let queries: Vec<_> =
        built_in.iter().take(20).map(|query| query.split(" by ").next().unwrap()).collect();
    let world = World::new(options.clone(), &queries);
    let mut args = world.export_args(START_S, START_S + 12 * DAY_S);
    args.push("--probe".to_owned());
    exits(&world.run(args), 0);
    let output = verify(&world, &world.sim.url(), &["100%"]);
    exits(&output, 0);
    assert!(
        told(&output)["windows"].as_u64() > Some(objects(&world.out())),
        "probed windows are units too"
    );

    // The same, but that every source reports always.
    let mut metrics = options.organisation.metrics().to_vec();
    for source in metrics.iter_mut().flat_map(|metric| &mut metric.sources) {
        source.signal.presence = Presence::All;
    }
    let options = Options { organisation: Organisation::new(metrics).into(), ..calm() };
    let dense = Simulator::start(options.clone()).unwrap();
    let output = verify(&world, &dense.url(), &["100%", "--repair"]);
    exits(&output, 3);
    let report = told(&output);
    assert_eq!((&report["changed"], &report["gone"]), (&0.into(), &0.into()));
    let lines = report["differences"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["probed"] == true), "{lines:?}");

    // The next export finds the probes wrong, and fetches what they left out.
    exits(&world.run(export_from(&world, &dense, 12)), 0);
    let fresh = World::new(options, &queries);
    exits(&fresh.export(12), 0);
    assert_eq!(world.tree(), fresh.tree());
}

#[test]
fn faults_cost_calls_and_change_no_verdict() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(12), 0);
    let bad = Simulator::start(Options { faults: "12".parse().unwrap(), ..calm() }).unwrap();
    let output = verify(&world, &bad.url(), &["100%"]);
    exits(&output, 0);
    assert_eq!(told(&output)["compared"], 12);
    assert!(bad.stats().faults() > 0 && bad.stats().query_calls > 12, "{:?}", bad.stats());
}

#[test]
fn beside_a_running_export_a_sample_is_compared_and_none_is_marked() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(2), 0);
    let slow = Simulator::start(Options { latency: Duration::from_millis(500), ..calm() }).unwrap();
    let mut args = export_from(&world, &slow, 40);
    args.extend(["--concurrency", "1"].map(str::to_owned));
    let mut export =
        world.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while slow.stats().query_calls < 2 && export.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let output = verify(&world, &world.sim.url(), &["100%"]);
    exits(&output, 3);
    let report = told(&output);
    let left_out = report["replaced"].as_u64().unwrap() + report["not_compared"].as_u64().unwrap();
    assert_eq!((left_out, &report["changed"], &report["gone"]), (0, &0.into(), &0.into()));
    assert!(report["compared"].as_u64() >= Some(2), "{report}");
    exits(&verify(&world, &world.sim.url(), &["1%", "--repair"]), 4);
    assert!(export.try_wait().unwrap().is_none(), "the export was to run all the time");
    export.kill().unwrap();
    export.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_it_with_what_was_compared_so_far() {
    let world = World::new(calm(), &THREE);
    exits(&world.export(12), 0);
    let slow = Simulator::start(Options { latency: Duration::from_millis(300), ..calm() }).unwrap();
    let url = slow.url();
    let args =
        ["verify", "out", "--json", "--refetch", "100%", "--concurrency", "1", "--api-url", &url];
    let verify = world.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    while slow.stats().query_calls < 3 {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&verify);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = verify.wait_with_output().unwrap();
    exits(&output, 130);
    let report = told(&output);
    let (compared, left) = (report["compared"].as_u64().unwrap(), report["not_compared"].as_u64());
    assert!((2..12).contains(&compared) && left == Some(12 - compared), "{report}");
}
