//! A machine that runs out of something: room, size of files, descriptors, the right to write. It ends with 1 and the cause,
//! and what was fetched is kept: the same command without the shortage ends where an undisturbed run does.

use crate::support::{DAY_S, START_S, World, calm, exits, said, tree};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const DAYS: i64 = 8;

/// Long files of few series: a CSV file outgrows the ledger, which outgrows an object.
const LONG: [&str; 2] = ["avg:system.cpu.user{*}", "avg:odd.values{*}"];

fn args(world: &World, out: &str) -> Vec<String> {
    args_of(DAYS, world, out)
}

fn args_of(days: i64, world: &World, out: &str) -> Vec<String> {
    let mut args = world.export_args(START_S, START_S + days * DAY_S);
    let place = args.iter().position(|arg| arg == "out").unwrap();
    out.clone_into(&mut args[place]);
    args
}

#[cfg(unix)]
#[test]
fn files_that_may_grow_no_further_end_a_run_at_any_stage_and_lose_nothing() {
    let wide = jindo_sim::built_in_queries();
    let wide: Vec<_> = wide.iter().map(String::as_str).take(35).collect();
    // Blocks of 512 bytes, and what does not fit into so many.
    let cases: [(&[&str], i64, u32, &str); 4] = [
        (&LONG, 1, 24, "the ledger failed while creating the ledger"),
        (&LONG, DAYS, 300, "the ledger failed while committing an object"),
        (&wide, 1, 300, "the archive failed while publishing 20"),
        (&LONG, DAYS, 800, "could not stage csv/system.cpu.user/values.csv"),
    ];
    for (queries, days, blocks, cause) in cases {
        let world = World::new(calm(), queries);
        let script = format!(r#"ulimit -f {blocks} && exec "$0" "$@""#);
        let cut = world.shell(&script, args_of(days, &world, "out")).output().unwrap();
        exits(&cut, 1);
        assert!(said(&cut).contains(cause), "{}", said(&cut));
        exits(&world.run(args_of(days, &world, "out")), 0);
        exits(&world.run(args_of(days, &world, "undisturbed")), 0);
        assert!(world.tree() == tree(&world.path("undisturbed")), "{}", said(&cut));
    }
}

#[cfg(unix)]
#[test]
fn a_few_file_descriptors_are_enough_and_too_few_are_told() {
    let all = jindo_sim::built_in_queries();
    let all: Vec<_> = all.iter().map(String::as_str).take(20).collect();
    let world = World::new(calm(), &all);
    let few = |count: u32, out: &str| {
        let script = format!(r#"ulimit -n {count} && exec "$0" "$@""#);
        world.shell(&script, args_of(1, &world, out)).output().unwrap()
    };
    // Whatever needs the one that is missing: the client, the ledger, a table, the connection, an object. Which count meets
    // which depends on the descriptors that this process inherited.
    let enough = (5..=24).find(|&count| {
        let output = few(count, "starved");
        if output.status.success() {
            return true;
        }
        exits(&output, 1);
        let hint = "hint: allow more open files (ulimit -n)";
        assert!(said(&output).contains(hint), "{count}: {}", said(&output));
        false
    });
    assert!(enough.is_some_and(|count| count > 12), "{enough:?}");
    exits(&few(24, "out"), 0);
    assert_eq!(tree(&world.path("starved")), world.tree());
}

/// The script with file systems of its own; `None` where this user may not mount any.
pub(crate) fn with_mounts(world: &World, script: &str, args: &[String]) -> Option<Output> {
    let sandbox = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-Urm", "/bin/sh", "-ec", script, env!("CARGO_BIN_EXE_jindo")]);
        command.current_dir(world.dir.path()).stdin(Stdio::null());
        command.env("DD_API_KEY", jindo_sim::API_KEY).env("DD_APP_KEY", jindo_sim::APP_KEY);
        command
    };
    let probe = sandbox("mkdir -p probe && mount -t tmpfs tmpfs probe").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        skipped("this user may not mount a file system");
        return None;
    }
    Some(sandbox(script).args(args).output().unwrap())
}

/// A test that cannot be made here says so to whoever listens (`--nocapture`).
#[expect(clippy::print_stderr, reason = "else it would pass without a word")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn a_full_disk_ends_a_run_at_any_stage_and_loses_nothing() {
    let world = World::new(calm(), &["avg:system.cpu.user{*} by {host}"]);
    exits(&world.run(args(&world, "undisturbed")), 0);
    let undisturbed = tree(&world.path("undisturbed"));
    let mut causes = String::new();
    for kilobytes in [280, 310, 400, 1_000, 1_800] {
        let script = format!(
            r#"mkdir out kept{kilobytes}; mount -t tmpfs -o size={kilobytes}k tmpfs out
            "$0" "$@" && exit 99 || test $? = 1
            test ! -e out/archive/staging
            "$0" verify out >&2 || test $? = 3
            mount -o remount,size=200m out
            "$0" "$@"; "$0" verify out; cp -r out/. kept{kilobytes}; umount out; rmdir out"#
        );
        let Some(output) = with_mounts(&world, &script, &args(&world, "out")) else { return };
        exits(&output, 0);
        causes.push_str(&said(&output));
        let kept = tree(&world.path(&format!("kept{kilobytes}")));
        assert!(kept == undisturbed, "{kilobytes} kB: {}", said(&output));
    }
    for stage in ["publishing 20", "could not stage csv/", "No space left on device"] {
        assert!(causes.contains(stage), "no size hit `{stage}`:\n{causes}");
    }
    assert!(causes.contains("hint: make room on the disk"), "{causes}");
}

#[test]
fn what_cannot_fit_is_not_begun() {
    let world = World::new(calm(), &LONG);
    let script = r#"mkdir -p out; mount -t tmpfs -o size=3700k tmpfs out; "$0" "$@""#;
    let mut args = args_of(60, &world, "out");
    let Some(refused) = with_mounts(&world, script, &args) else { return };
    exits(&refused, 1);
    assert_eq!(
        said(&refused),
        "error: 3.8 MB are free where out lies, and at least 4.0 MB are needed; nothing was fetched\n\n\
         hint: make room, choose another disk by --out, or fetch less: a shorter range, or N calls of it by \
         --max-calls N (20 or more)\n"
    );
    assert_eq!(world.stats().calls_by_path.len(), 0);
    args.extend(["--max-calls", "20"].map(str::to_owned));
    exits(&with_mounts(&world, script, &args).unwrap(), 3);
    let plan =
        ["plan", "queries.txt", "--from", "2026-06-01", "--to", "2026-07-31", "--out", "out"];
    let planned = with_mounts(&world, script, &plan.map(str::to_owned)).unwrap();
    let planned = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert!(
        planned.contains("on disk\n  3.8 MB are free there: that is too little\n"),
        "{planned}"
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_read_all_the_same() {
    let world = World::new(calm(), &LONG);
    exits(&world.run(args(&world, "out")), 0);
    let script = r#"mount --bind out out; mount -o remount,ro,bind out
        "$0" status out; "$0" verify out; "$0" extract out --out copy; "$0" "$@""#;
    let mut more = args(&world, "out");
    *more.last_mut().unwrap() =
        jiff::Timestamp::from_second(START_S + 9 * DAY_S).unwrap().to_string();
    let Some(refused) = with_mounts(&world, script, &more) else { return };
    exits(&refused, 1);
    assert!(said(&refused).contains("Read-only file system"), "{}", said(&refused));
    assert!(
        said(&refused).contains("\nhint: make the directory writable, or choose another by --out")
    );
    assert_eq!(tree(&world.path("copy")), world.tree());
}

/// The same where no file system can be mounted, but not for root, who may write everywhere.
#[cfg(unix)]
#[test]
fn a_directory_without_the_right_to_write_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(calm(), &LONG);
    let locked = world.path("locked");
    std::fs::create_dir(&locked).unwrap();
    let mode =
        |mode| std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let may_write = |place: &Path| std::fs::File::create(place.join("probe")).is_ok();
    if may_write(&locked) {
        return skipped("this user may write everywhere");
    }
    let output = world.run(args(&world, "locked/out"));
    mode(0o755);
    exits(&output, 1);
    assert!(said(&output).contains("hint: make the directory writable"), "{}", said(&output));
}

/// What was asked for was not told, so it is no success; and nothing about the archive needs mending.
#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_takes_nothing_is_a_failure_without_advice_about_disks() {
    let world = World::new(calm(), &LONG);
    exits(&world.export(1), 0);
    for args in [
        &["--help"][..],
        &["export", "--help"],
        &["--version"],
        &["status", "out"],
        &["plan", "queries.txt", "--from", "-3d"],
        &["simulate", "--list"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = world.command(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        exits(&output, 1);
        let said = said(&output);
        let cause = "error: the output could not be written to stdout: No space left on device";
        assert!(said.contains(cause) && !said.contains("hint:"), "{args:?}: {said}");
    }
}
