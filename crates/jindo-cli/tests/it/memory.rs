//! A directory remembers how it was asked: a bare `jindo export` repeats it, a flag changes one setting, and keys follow its address
//! only to places that are safe.

use crate::plain_parquet::assert_plain;
use crate::support::{DAY_S, START_S, World, calm, exits, said};
use std::net::TcpListener;
use std::process::{Command, Output};

const CPU: &str = "avg:system.cpu.user{*}";

/// Arguments of an export that says nothing but its directory.
const BARE: [&str; 3] = ["export", "--out", "out"];

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A directory that holds two days of one query, asked at five minutes in Seoul.
fn asked(days: i64) -> World {
    let world = World::new(calm(), &[CPU]);
    let mut args = world.export_args(START_S, START_S + days * DAY_S);
    args.extend(["--timezone", "Asia/Seoul", "--resolution", "5m"].map(str::to_owned));
    exits(&world.run(&args), 0);
    world
}

fn points(world: &World) -> usize {
    let table = std::fs::read_to_string(world.out().join("series.csv")).unwrap();
    let file = table.lines().nth(1).unwrap().split(',').next().unwrap();
    std::fs::read_to_string(world.out().join(file)).unwrap().lines().count() - 1
}

/// Exchanges a text in a column of the ledger, as somebody else might have.
fn rewrite(world: &World, table: &str, column: &str, [from, to]: [&str; 2]) {
    let script = format!(
        "import sqlite3, sys\n\
         ledger = sqlite3.connect(sys.argv[1])\n\
         rows = 'FROM {table} WHERE instr({column}, ?)'\n\
         assert ledger.execute('SELECT count(*) ' + rows, sys.argv[2:3]).fetchone() == (1,)\n\
         ledger.execute('UPDATE {table} SET {column} = replace({column}, ?, ?)', sys.argv[2:4])\n\
         ledger.commit()\n"
    );
    let ledger = world.out().join("archive/ledger.db");
    let mut python = Command::new("python3");
    exits(&python.args(["-c", &script]).arg(ledger).args([from, to]).output().unwrap(), 0);
}

#[test]
fn a_bare_export_repeats_everything_and_says_so() {
    let world = asked(2);
    let calls = world.stats().query_calls;
    let again = world.command(BARE).env("TZ", "America/New_York").output().unwrap();
    exits(&again, 0);
    assert_eq!(world.stats().query_calls, calls);
    let expected = format!(
        "1 Jun 2026 09:00 KST … 3 Jun 2026 09:00 KST (excluded), 2 days\n  carried over: list queries.txt, range, \
         timezone Asia/Seoul, resolution 300 s, fill null, address {}\n",
        world.sim.url()
    );
    assert!(said(&again).starts_with(&expected), "{}", said(&again));
    let plan = world.run(["plan", "--out", "out"]);
    exits(&plan, 0);
    assert!(
        told(&plan).starts_with("1 Jun 2026 09:00 KST … 3 Jun 2026 09:00 KST"),
        "{}",
        told(&plan)
    );
}

#[test]
fn a_changed_setting_is_told_with_what_follows_and_kept() {
    let world = asked(2);
    let minutes = world.run(BARE.iter().chain(&["--resolution", "60s"]));
    exits(&minutes, 0);
    let expected = "resolution 300 s → 60 s: all of it is fetched anew: 2 calls";
    assert!(said(&minutes).contains(expected), "{}", said(&minutes));
    assert_eq!(points(&world), 2 * 1_440);
    assert_eq!(assert_plain(&world).len(), 2 * 1_440 + 2 * 288, "each resolution for itself");
    let zone = world.run(BARE.iter().chain(&["--timezone", "UTC"]));
    exits(&zone, 0);
    let expected = "timezone Asia/Seoul → UTC: the files are written anew, 0 calls";
    assert!(said(&zone).contains(expected), "{}", said(&zone));
    assert!(said(&zone).starts_with("1 Jun 2026 00:00 UTC …"), "instants stay: {}", said(&zone));

    world.list(&[CPU, "avg:odd.values{*}"]);
    let more = world.run(["export", "queries.txt", "--out", "out"]);
    exits(&more, 0);
    let kept = said(&more).lines().nth(1).unwrap().to_owned();
    assert!(kept.starts_with("  carried over: range, timezone UTC, resolution 60 s"), "{kept}");
}

#[test]
fn a_range_is_an_instant_unless_it_rolls() {
    let world = World::new(calm(), &[CPU]);
    let url = world.sim.url();
    exits(
        &world.run(["export", "queries.txt", "--out", "out", "--from", "-2d", "--api-url", &url]),
        0,
    );
    let kept = std::fs::read_to_string(world.out().join("archive/request.json")).unwrap();
    assert!(!kept.contains("-2d"), "{kept}");
    let rolling = world.run(BARE.iter().chain(&["--rolling", "1d"]));
    exits(&rolling, 0);
    for output in [rolling, world.run(BARE)] {
        let note = said(&output).lines().nth(1).unwrap().to_owned();
        assert_eq!(note, "  its start moves with every run (--rolling 1d)");
    }
    exits(&world.run(BARE.iter().chain(&["--to", "2026-06-01"])), 2);
    let fixed = world.run(BARE.iter().chain(&["--from", "-1d"]));
    assert!(!said(&fixed).contains("--rolling"), "{}", said(&fixed));
}

#[test]
fn an_address_that_contradicts_the_directory_is_refused_before_any_call() {
    let world = asked(1);
    let url = world.sim.url();
    let said_by =
        |words: &[&str], site: &str| world.command(words).env("DD_SITE", site).output().unwrap();
    let own = format!(
        "but the data of this directory is of 127.0.0.1 (asked at {url} by its last request)"
    );
    let api = "https://api.datadoghq.com";
    let flags = |flag: &str, value: &str| {
        ([flag.to_owned(), value.to_owned()], format!("{flag} says {value}"))
    };
    // With calls to make, without any, and in a plan of them.
    let commands =
        [&["export", "--out", "out", "--to", "2026-06-05"][..], &BARE, &["plan", "--out", "out"]];
    for words in commands {
        let calls = world.stats().query_calls;
        let mut refused: Vec<_> = [flags("--site", "datadoghq.eu"), flags("--api-url", api)]
            .map(|(flags, says)| {
                (world.run(words.iter().copied().chain(flags.iter().map(String::as_str))), says)
            })
            .into();
        let says = "DD_SITE in the environment says us5.datadoghq.com".to_owned();
        refused.push((said_by(words, "us5.datadoghq.com"), says));
        for (output, says) in refused {
            exits(&output, 2);
            let expected = format!("error: {says}, {own}");
            assert!(said(&output).contains(&expected), "{}", said(&output));
            assert!(said(&output).contains("--rebind"), "{}", said(&output));
        }
        assert_eq!(world.stats().query_calls, calls);
        // The flag is stronger than the environment.
        exits(&said_by(&[words, &["--api-url", &url]].concat(), "us5.datadoghq.com"), 0);
    }
    exits(&said_by(&["plan", "--out", "out", "--rebind"], "us5.datadoghq.com"), 0);
}

#[test]
fn keys_do_not_follow_a_received_directory_to_a_foreign_address() {
    let world = asked(1);
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    // Of this machine, but not by a name that is known to be.
    let foreign = format!("http://jindo.invalid:{}", listener.local_addr().unwrap().port());
    let own = world.sim.url();
    let nip = "http://127.0.0.1.nip.io:1";
    for url in [foreign.as_str(), "https://api.datadoghq.com.example.com", nip] {
        let host = url.split("://").nth(1).unwrap().split(':').next().unwrap();
        let (own_host, host) = ("\"127.0.0.1\"", format!("\"{host}\""));
        rewrite(&world, "request", "arguments", [&own, url]);
        rewrite(&world, "kept", "text", [own_host, &host]);
        let output = world.run(BARE.iter().chain(&["--to", "2026-06-05"]));
        exits(&output, 2);
        let expected = format!("this directory was last asked at {url}");
        assert!(said(&output).contains(&expected), "{}", said(&output));
        rewrite(&world, "request", "arguments", [url, &own]);
        rewrite(&world, "kept", "text", [&host, own_host]);
    }
    assert!(listener.accept().is_err(), "somebody came");
}

#[test]
fn a_directory_of_an_earlier_version_does_not_fall_back_to_another_site() {
    let world = asked(1);
    let url = format!(r#""api_url":"{}","#, world.sim.url());
    rewrite(&world, "request", "arguments", [&url, ""]);
    let output = world.run(BARE.iter().chain(&["--to", "2026-06-05"]));
    exits(&output, 2);
    assert!(said(&output).contains("give the address again by --api-url"), "{}", said(&output));
}

#[test]
fn times_are_told_to_be_utc_where_the_machine_is_elsewhere() {
    let world = World::new(calm(), &[CPU]);
    let args = ["plan", "queries.txt", "--from", "2026-06-01", "--to", "2026-06-02"];
    let plan = |zone: &str, more: &[&str]| {
        told(&world.command(args.iter().chain(more)).env("TZ", zone).output().unwrap())
    };
    let hint = "\n  times are UTC (this machine is in Asia/Seoul: --timezone local)\n";
    assert!(plan("Asia/Seoul", &[]).contains(hint));
    assert!(!plan("UTC", &[]).contains("times are UTC"));
    assert!(!plan("Asia/Seoul", &["--timezone", "UTC"]).contains("times are UTC"));
}

/// Returns the command of the closing line that goes on, as it stands there.
fn next(output: &Output) -> String {
    let line = format!("{} ", told(output).lines().last().unwrap());
    let from = line.rfind("jindo export").unwrap();
    let ends = [" again", ". "].into_iter().filter_map(|end| line[from..].find(end));
    line[from..][..ends.min().unwrap()].to_owned()
}

#[test]
fn the_next_command_can_be_pasted() {
    let world = World::new(calm(), &[CPU]);
    let url = world.sim.url();
    let mut args = world.export_args(START_S, START_S + DAY_S);
    let place = args.iter().position(|arg| arg == "out").unwrap();
    args[place] = "it's mine".to_owned();
    let paste = |command: &str, site: &str| {
        let script = format!(r#"jindo() {{ "$0" "$@"; }}; {command}"#);
        exits(&world.shell(&script, [""; 0]).env("DD_SITE", site).output().unwrap(), 0);
    };
    let output = world.run(&args);
    exits(&output, 0);
    assert_eq!(next(&output), r"jindo export --out 'it'\''s mine' --to now");
    paste(&next(&output), "");
    // What contradicts the directory is outweighed by a flag, now as then.
    let output = world.command(&args).env("DD_SITE", "us5.datadoghq.com").output().unwrap();
    exits(&output, 0);
    assert_eq!(
        next(&output),
        format!(r"jindo export --out 'it'\''s mine' --api-url {url} --to now")
    );
    paste(&next(&output), "us5.datadoghq.com");
    let (api, app) = (jindo_sim::API_KEY, jindo_sim::APP_KEY);
    args.push("--key-command".to_owned());
    args.push(format!("echo DD_API_KEY={api}; echo DD_APP_KEY={app}"));
    let output = world.run(&args);
    exits(&output, 0);
    assert!(
        told(&output)
            .ends_with(" Give --key-command again: it is left out here, since it may hold keys.\n")
    );
    assert!(!told(&output).contains(app), "{}", told(&output));
}

#[test]
fn the_next_step_of_a_fixed_range_is_another_end() {
    let world = World::new(calm(), &[CPU]);
    let url = world.sim.url();
    let last = |to: &str| {
        let from = ["--from", "2026-06-01", "--max-calls", "1000"];
        let to = ["--to", to, "--resolution", "1h", "--api-url", &url];
        let words = ["export", "queries.txt", "--out", "out"].into_iter().chain(from).chain(to);
        let output = world.run(words);
        exits(&output, 0);
        told(&output).lines().last().unwrap().to_owned()
    };
    assert!(last("now").ends_with("jindo export --out out again brings it up to date."));
    let late = last("-1d");
    assert!(
        late.contains("jindo export --out out again asks for points that come late, until "),
        "{late}"
    );
    assert!(late.ends_with("; --to now adds newer points."), "{late}");
    let closed = "; to add newer points: jindo export --out out --to now.";
    assert!(last("-3d").ends_with(closed));
}

#[test]
fn a_damaged_request_stops_only_what_repeats_it() {
    let world = asked(1);
    rewrite(&world, "request", "arguments", ["{", "["]);
    for words in [&BARE[..], &["export", "queries.txt", "--out", "out"], &["plan", "--out", "out"]]
    {
        let output = world.run(words);
        exits(&output, 2);
        let (said, remedy) =
            (said(&output), "hint: what was fetched is kept; give a list and a range");
        assert!(
            said.starts_with("error: the last request of this directory cannot be read"),
            "{said}"
        );
        assert!(said.contains(remedy), "{said}");
    }
    let whole = world.run(
        world
            .export_args(START_S, START_S + DAY_S)
            .iter()
            .filter(|arg| !["--progress", "none"].contains(&arg.as_str())),
    );
    exits(&whole, 0);
    let said = said(&whole);
    let (first, rest) = said.split_once('\n').unwrap();
    assert!(
        rest.starts_with("  nothing could be carried over: the last request of this directory"),
        "{said}"
    );
    assert!(first.contains("UTC …"), "{said}");
    exits(&world.run(BARE), 0);
}
