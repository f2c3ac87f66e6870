//! kill -9 at any moment, then the same command: same bytes, and nothing that was covered is asked again.

use crate::support::{World, calm, exits, objects, tree, walk};
use jindo_sim::{Options, built_in_queries};
use std::process::{Child, Stdio};
use std::time::Duration;

const DAYS: i64 = 4;

/// Kills; each at a moment drawn from the seed below.
const KILLS: u64 = 20;

/// Calls of a faultless run: 105 queries in 3 batches, a call a day.
const PLANNED: u64 = 3 * DAYS.unsigned_abs();

fn world() -> World {
    let all = built_in_queries();
    let all: Vec<_> = all.iter().map(String::as_str).take(105).collect();
    World::new(Options { latency: Duration::from_millis(20), ..calm() }, &all)
}

/// Runs until `calls` query calls more were counted and a little longer, then kills. Whether it was killed.
fn kill_after(world: &World, mut child: Child, calls: u64, spins: u64) -> bool {
    let until = world.stats().query_calls + calls;
    let mut turns = 0;
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if world.stats().query_calls >= until {
            turns += 1;
        }
        if turns > spins {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        std::thread::yield_now();
    }
}

#[test]
fn killed_at_twenty_moments_the_bytes_are_those_of_an_undisturbed_run() {
    let undisturbed = world();
    exits(&undisturbed.export(DAYS), 0);
    assert_eq!(undisturbed.stats().query_calls, PLANNED);

    let world = world();
    let args = world.export_args(
        crate::support::START_S,
        crate::support::START_S + DAYS * crate::support::DAY_S,
    );
    let (mut seed, mut kills) = (42_u64, 0);
    for _ in 0..KILLS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (calls, spins) = ((seed >> 33) % 2, (seed >> 40) % 3_000);
        let child =
            world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        kills += u64::from(kill_after(&world, child, calls, spins));
    }
    exits(&world.export(DAYS), 0);
    assert_eq!(world.tree(), undisturbed.tree());
    assert!(kills >= KILLS / 2, "only {kills} kills hit a running export");
    // A killed run loses at most what was in flight.
    let calls = world.stats().query_calls;
    assert!(calls <= PLANNED + kills * 8, "{calls} calls, {kills} kills");
}

/// What a killed run left, taken to another place (another machine, for all it knows) and continued there.
#[test]
fn a_directory_that_was_copied_in_the_middle_of_a_job_continues_where_it_is() {
    let undisturbed = world();
    exits(&undisturbed.export(DAYS), 0);
    let world = world();
    let args = world.export_args(
        crate::support::START_S,
        crate::support::START_S + DAYS * crate::support::DAY_S,
    );
    let child = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // On a slow machine it may be done before it is killed; that is copied as well.
    kill_after(&world, child, 2, 0);
    let (asked, held) = (world.stats().query_calls, objects(&world.out()));
    let copy = world.path("copy");
    for file in walk(&world.out()) {
        let to = copy.join(file.strip_prefix(world.out()).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, to).unwrap();
    }
    std::fs::remove_dir_all(world.out()).unwrap();
    let out = args.iter().position(|arg| arg == "--out").unwrap();
    let mut args = args;
    args[out + 1] = "copy".into();
    exits(&world.run(&args), 0);
    assert_eq!(tree(&copy), undisturbed.tree());
    // Calls that were in the air when it died may have been counted since.
    let (calls, in_the_air) = (world.stats().query_calls, 8);
    let most = asked + in_the_air + PLANNED - held;
    assert!(calls <= most, "{calls} calls: {asked} before, {held} held");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_came_in_and_continues() {
    let world = world();
    let args = world.export_args(
        crate::support::START_S,
        crate::support::START_S + DAYS * crate::support::DAY_S,
    );
    // Few under way, so that they come in within the grace on a slow machine too.
    let args: Vec<_> = args.into_iter().chain(["--concurrency", "1"].map(str::to_owned)).collect();
    let child = world.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    while world.stats().query_calls < 4 {
        std::thread::yield_now();
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::INT,
    )
    .unwrap();
    let output = child.wait_with_output().unwrap();
    exits(&output, 130);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("interrupted after"));
    let (asked, held) = (world.stats().query_calls, objects(&world.out()));
    assert!(held > 0, "nothing came in before the interruption");
    let verified = world.run(["verify", "out"]);
    exits(&verified, 3);
    let words = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(words.contains(": all as written\nthe export is not finished: "), "{words}");
    assert!(!words.contains("gaps.csv") && words.lines().count() == 2, "{words}");
    exits(&world.export(DAYS), 0);
    exits(&world.run(["verify", "out"]), 0);
    assert_eq!(
        world.stats().query_calls,
        asked + PLANNED - held,
        "what is held is not asked again"
    );
}

#[test]
fn a_second_writer_is_refused_naming_the_first() {
    let world = world();
    let args = world.export_args(
        crate::support::START_S,
        crate::support::START_S + DAYS * crate::support::DAY_S,
    );
    let mut child =
        world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while world.stats().query_calls < 1 {
        std::thread::yield_now();
    }
    let second = world.run(&args);
    exits(&second, 4);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&format!("process {}", child.id())), "{said}");
    let hint = "\nhint: wait until it is done, or end that process: ";
    assert!(said.contains(hint), "{said}");
    exits(&world.run(["status", "out"]), 0);
    exits(&world.run(["extract", "out"]), 0);
    child.wait().unwrap();
    exits(&world.export(DAYS), 0);
}

/// A server that accepts and never answers: the first contact hangs, and an interruption ends it all the same.
#[test]
#[cfg(unix)]
fn an_interruption_is_heeded_while_the_first_contact_hangs() {
    let world = world();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut args = world.export_args(crate::support::START_S, crate::support::START_S + 60);
    let url = args.iter().position(|arg| arg == "--api-url").unwrap();
    args[url + 1] = format!("http://{}", silent.local_addr().unwrap());
    let child = world.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _held = silent.accept().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    exits(&child.wait_with_output().unwrap(), 130);
}
