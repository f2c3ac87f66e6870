//! What is seen on a terminal: rows that fit, in the characters that it has; an answer to `^C`; hints that can be followed.

mod terminal;

use crate::support::{DAY_S, START_S, World, calm};
use jindo_sim::Options;
use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::time::Duration;
use terminal::{Screen, Session};

const LIST: [&str; 6] = [
    "avg:system.cpu.user{*} by {host}",
    "sum:app.requests{*} by {service}.as_count()",
    "avg:system.cpu.user{*}.as_count()",
    "avg:odd.empty{*}",
    "avg:odd.lives{*} by {name}",
    "avg:system.cpu.user{*}.rollup(max, 300)",
];

/// Lists that are wrong, each in another way.
const WRONG: [(&str, &str); 4] = [
    ("empty.txt", "# nothing yet\n"),
    (
        "wrong.txt",
        "avg:odd.lives{*}\nsystem.cpu.user\nsum:m{*}.rollup(sum, 37)\ntop(avg:m{*}, 10, 'mean', 'desc')\navg:a_metric_with_a_long_name{env:production,service:checkout,region:eu-west-1,team:payments} by {host\navg:m{host:$host}\n",
    ),
    ("refused.txt", "avg:system.cpu.user{*}\navg:sim.refused{*}\n"),
    ("binary.txt", "a\0b"),
];

/// Command lines in the order of a user's walk; `URL` is the simulator's address, `DEAD` one where nobody listens.
const WALK: &[&str] = &[
    "--help",
    "--version",
    "demo --help",
    "plan --help",
    "export --help",
    "status --help",
    "verify --help",
    "extract --help",
    "simulate --help",
    "nonsense",
    "export --nonsense",
    "export queries.txt --from 2026-06-01 --to 2026-06-03 --concurrency 0",
    "export queries.txt --from 2026-06-01 --max-calls 3",
    "export queries.txt --from 2026-06-01 --progress nice",
    "plan",
    "plan missing.txt --from -1d",
    "plan empty.txt --from -1d",
    "plan wrong.txt --from -1d",
    "plan wrong.txt --from -1d --keep-going",
    "plan binary.txt --from -1d",
    "plan queries.txt",
    "plan queries.txt --from yesteryear",
    "plan queries.txt --from 12/13/2025",
    "plan queries.txt --from -1d --to -2d",
    "plan queries.txt --from 1971-01-01 --resolution 1s",
    "plan queries.txt --from -1d --timezone Atlantis",
    "plan queries.txt --from 09/06/2026 --to now --resolution auto",
    "plan queries.txt --from -500d --limit 10/1h",
    "plan queries.txt --from 2026-06-01 --to 2026-06-03",
    "plan queries.txt --from 2026-06-01 --to 2026-06-03 --json",
    "plan --out nowhere",
    "status nowhere",
    "verify nowhere",
    "extract nowhere",
    "export",
    "export missing.txt --from -1d",
    "export wrong.txt --from -1d",
    "export queries.txt --from -1d --site us1.datadoghq.com",
    "export queries.txt --from -1d --site example.com",
    "export queries.txt --from -1d --api-url http://example.com",
    "export queries.txt --from -1d --key-file missing.env",
    "export queries.txt --from -1d --key-command false",
    "export queries.txt --from -1d --ca-file queries.txt --api-url https://localhost:9",
    "export queries.txt --from -1d --give-up-after 1s --api-url DEAD --out dead",
    "export queries.txt --from 2026-06-01 --to 2026-06-03 --timezone Asia/Seoul --out out --api-url URL",
    "export --out out",
    "export --out out --progress plain --from 2026-05-30",
    "export --out out --resolution 5m --timezone Europe/Berlin",
    "export queries.txt --out out --site datadoghq.eu",
    "plan --out out --from 2026-05-01",
    "plan one.txt --out out --to 2026-06-02",
    "export one.txt --out out --to 2026-06-02",
    "export refused.txt --from 2026-06-01 --to 2026-06-02 --out gaps --api-url URL",
    "export wrong.txt --keep-going --from 2026-06-01 --to 2026-06-02 --out left --api-url URL",
    "export queries.txt --from 2026-06-01 --to 2026-06-02 --resolution auto --out auto --api-url URL",
    "export queries.txt --from 2026-05-01 --to 2026-06-02 --probe --out probed --api-url URL",
    "export cap.txt --from 2026-05-01 --to 2026-05-03 --resolution 10s --out cap --api-url URL",
    "status out",
    "status out --json",
    "status gaps",
    "status left",
    "status auto",
    "status probed",
    "status cap",
    "verify out",
    "verify out --json",
    "verify gaps",
    "verify left",
    "verify out --refetch 2 --seed 1 --api-url URL",
    "extract out",
    "extract out --timezone America/New_York",
    "extract out --from 2026-06-01",
    "extract out --query *nothing* --out copy",
    "extract out --query *cpu* --from 01/06/2026 --out copy",
    "extract out --out copy",
    "extract gaps",
    "extract left",
];

/// Commands for a directory that was damaged.
const DAMAGED: &[&str] = &[
    "status out",
    "verify out",
    "extract out",
    "export --out out --to 2026-06-05",
    "verify out --repair",
    "verify out --repair --json",
    "export --out out --to 2026-06-05",
    "status out",
];

fn world() -> World {
    let world = World::new(Options { points_max: 1_500, ..calm() }, &LIST);
    for (name, text) in WRONG {
        fs::write(world.path(name), text).unwrap();
    }
    fs::write(world.path("one.txt"), "avg:odd.lives{*} by {name}\n").unwrap();
    fs::write(world.path("cap.txt"), "avg:system.cpu.user{*} by {host}\n").unwrap();
    world
}

fn words(world: &World, line: &str) -> Vec<String> {
    let dead = "http://127.0.0.1:9";
    let meant = |word: &str| word.replace("URL", &world.sim.url()).replace("DEAD", dead);
    line.split(' ').map(meant).collect()
}

/// Takes the walk on a terminal and hands each screen to `look`.
fn walk(env: &[(&str, &str)], mut look: impl FnMut(&str, &Screen)) {
    let world = world();
    let mut step = |line: &str, env: &[(&str, &str)]| {
        let (_, screen) = Session::start(&world, &words(&world, line), env).end();
        look(line, &screen);
    };
    for line in WALK {
        step(line, env);
    }
    let keys = |name: &'static str| [env, &[(name, "0123456789abcdef")]].concat();
    let args = "export queries.txt --from 2026-06-01 --to 2026-06-02 --out keys --api-url URL";
    step(args, &keys("DD_API_KEY"));
    step(args, &keys("DD_APP_KEY"));
    step(args, &[env, &[("DD_APP_KEY", " ")]].concat());
    step("export queries.txt --from -1d", &[env, &[("DATADOG_HOST", "statsd.internal")]].concat());
    let objects = crate::support::walk(&world.out().join("archive/data"));
    fs::write(objects.last().unwrap(), "damaged").unwrap();
    let files = crate::support::walk(&world.out().join("csv"));
    fs::write(files.first().unwrap(), "changed").unwrap();
    fs::write(world.out().join("csv/stranger.csv"), "of the user's").unwrap();
    for line in DAMAGED {
        step(line, env);
    }
    fs::remove_file(world.out().join("archive/ledger.db")).unwrap();
    for line in DAMAGED {
        step(line, env);
    }
}

const UNICODE: (&str, &str) = ("LANG", "en_US.UTF-8");

#[test]
fn no_row_is_wider_than_a_terminal_of_80_columns() {
    let mut wide = Vec::new();
    walk(&[UNICODE], |line, screen| {
        wide.extend(screen.wide.iter().map(|row| format!("jindo {line}\n  {row}")));
    });
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    walk(&[UNICODE, ("LC_ALL", "C")], |line, screen| {
        let odd = screen.written.iter().find(|row| !row.is_ascii());
        assert_eq!(odd, None, "jindo {line}");
        assert_eq!(screen.wide, None, "jindo {line}");
    });
}

/// Flags of each command, as its help lists them.
fn flags() -> HashMap<String, Vec<String>> {
    let commands = ["demo", "plan", "export", "status", "verify", "extract", "simulate"];
    let of = |command: &str| {
        let mut jindo = Command::new(env!("CARGO_BIN_EXE_jindo"));
        let help =
            String::from_utf8(jindo.args([command, "--help"]).output().unwrap().stdout).unwrap();
        let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
        let flags = lines.flat_map(named).map(str::to_owned).collect();
        (command.to_owned(), flags)
    };
    commands.into_iter().map(of).collect()
}

/// Flags that a text names.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let flags = words.filter_map(|word| word.strip_prefix("--"));
    flags.filter(|flag| flag.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// A flag belongs to the command that stands before it in the same sentence, or else to the one that was typed.
#[test]
fn no_hint_names_a_flag_that_its_command_lacks() {
    let flags = flags();
    let mut lacking = Vec::new();
    walk(&[UNICODE], |line, screen| {
        let typed = line.split(' ').next().unwrap();
        if line.contains("--help") || line.contains("nonsense") || !flags.contains_key(typed) {
            return;
        }
        let (mut command, mut before) = (typed, "");
        for row in &screen.rows {
            if !row.starts_with(' ') {
                command = typed;
            }
            for word in row.split_whitespace() {
                if before.ends_with("jindo") && flags.contains_key(word) {
                    command = word;
                }
                for flag in
                    named(word).filter(|flag| !flags[command].iter().any(|known| known == flag))
                {
                    lacking.push(format!("jindo {line}: `jindo {command}` has no --{flag}: {row}"));
                }
                if word.ends_with(['.', ';', ':', ',']) {
                    command = typed;
                }
                before = word;
            }
        }
    });
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

/// A server that takes its time, so that calls are under way.
fn slow(latency: Duration) -> World {
    World::new(Options { latency, ..calm() }, &LIST)
}

fn export(world: &World) -> Vec<String> {
    let mut args = world.export_args(START_S, START_S + 30 * DAY_S);
    args.retain(|arg| arg != "--progress" && arg != "none");
    args.extend(["--concurrency", "3"].map(str::to_owned));
    args
}

#[test]
fn an_interruption_is_answered_at_once_and_takes_the_bar_away() {
    let world = slow(Duration::from_millis(1_500));
    let mut session = Session::start(&world, &export(&world), &[UNICODE]);
    session.wait_for(" calls left");
    session.type_in("\u{3}");
    session.wait_for("stopping: ");
    session.wait_for("interrupted after ");
    let (status, screen) = session.end();
    assert_eq!(status.code(), Some(130));
    let said = screen.rows.join("\n");
    assert!(said.contains("calls under way… (^C again ends it now)\n"), "{said}");
    assert!(
        said.contains("everything that was fetched is kept,\n  the same command continues"),
        "{said}"
    );
    assert!(!said.contains(['█', '░']), "{said}");
    assert!(screen.written.iter().any(|row| row.contains('░')), "a bar was there before");
}

#[test]
fn a_second_interruption_ends_it_now() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = slow(Duration::ZERO);
    let mut args = export(&world);
    let url = args.iter().position(|arg| *arg == world.sim.url()).unwrap();
    args[url] = format!("http://{}", silent.local_addr().unwrap());
    let mut session = Session::start(&world, &args, &[UNICODE]);
    let _held = silent.accept().unwrap();
    session.type_in("\u{3}");
    session.wait_for("stopping… (^C again ends it now)");
    session.type_in("\u{3}");
    let began = std::time::Instant::now();
    let (status, _) = session.end();
    assert_eq!(status.code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(3), "it waited for {:?}", began.elapsed());
}
