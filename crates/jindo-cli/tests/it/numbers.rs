//! Numbers, lengths and times at the edges of what a flag, a list, an environment or a directory can say: each is taken, or refused with
//! a sentence, and nothing is allocated in proportion to one.

use crate::support::{DAY_S, START_S, World, calm, exits};
use std::fs;
use std::time::{Duration, Instant};

/// Memory that a process may have mapped, in KiB.
const MAPPED_KIB_MAX: u32 = 1_500_000;

/// Longest run of the debug build.
const RUN_MAX: Duration = Duration::from_secs(20);

const LIST: [&str; 2] =
    ["avg:aws.ec2.cpuutilization{*}", "avg:aws.ec2.cpuutilization{*}.rollup(max, 3600)"];

/// A flag, the values that are taken, and those that are refused, each with exit 2.
struct Flag {
    name: &'static str,
    fine: &'static [&'static str],
    refused: &'static [&'static str],
}

/// No spans: too long, too short, too large for any number, or no numbers.
const NO_SPANS: [&str; 16] = [
    "175307616h",
    "36526d",
    "-1s",
    "-1d",
    "4294967296s",
    "9223372036854775807s",
    "9223372036854775808s",
    "99999999999999999999s",
    "1e99s",
    "inf",
    "NaN",
    "",
    "d",
    "P9999999Y",
    "1h-2h",
    "876601h",
];

/// Times that are none, or beyond every calendar.
const NO_TIMES: [&str; 18] = [
    "-2147483647d",
    "-2147483648d",
    "-4294967295d",
    "-99999999999999999999d",
    "-613566757w",
    "-36526d",
    "--5d",
    "-0x5d",
    "-1e9d",
    "-175307616h",
    "-9223372036854775808s",
    "10000-01-01",
    "9999-12-31T23:59:59Z",
    "2021-12-12T00:00:00+99:00",
    "-999999-01-01",
    "0000-00-00",
    "32/13/2021",
    "99999999999999999999",
];

const REQUEST: [Flag; 10] = [
    Flag { name: "--from", fine: &["-1d", "-2w", "-36525d", "1970-01-01"], refused: &NO_TIMES },
    Flag {
        name: "--from",
        fine: &[],
        refused: &["0001-01-01", "-9999-01-02T01:59:59Z", "9999-12-30", "now"],
    },
    Flag {
        name: "--to",
        fine: &["now", "-1h", "9999-12-30", "9999-12-30T22:00:00Z"],
        refused: &NO_TIMES,
    },
    Flag { name: "--to", fine: &[], refused: &["0001-01-01", "-9999-01-02T01:59:59Z", "-36525d"] },
    Flag { name: "--settle", fine: &["0", "0s", "12h", "1ms"], refused: &NO_SPANS },
    Flag { name: "--settle", fine: &[], refused: &["36525d"] },
    Flag {
        name: "--resolution",
        fine: &["1s", "60", "7d", "604800s", "auto"],
        refused: &[
            "0",
            "0s",
            "1ms",
            "37s",
            "8d",
            "-60s",
            "4294967296s",
            "99999999999999999999",
            "1e9s",
            "inf",
            "NaN",
            "36525d",
            "",
        ],
    },
    Flag {
        name: "--limit",
        fine: &["4294967295/1s", "1/36525d", "1/1h", "3600/h"],
        refused: &[
            "0/1h",
            "-1/1h",
            "4294967296/1h",
            "1/0s",
            "1/-1s",
            "1/x",
            "/",
            "1/1e400s",
            "1/36526d",
            "1/4294967296",
            "99999999999/99999999999d",
            "1e9/1h",
            "NaN/1h",
        ],
    },
    Flag {
        name: "--reserve",
        fine: &["0", "0%", "99%", "99"],
        refused: &["100%", "-1%", "1e9", "NaN", "inf", "4294967396%", "99999999999999999999%", ""],
    },
    Flag {
        name: "--timezone",
        fine: &["UTC", "Asia/Seoul", "Pacific/Kiritimati"],
        refused: &["UTC+99999999999", "../../etc/passwd", "+25:00", ""],
    },
];

const ROLLING: Flag =
    Flag { name: "--rolling", fine: &["1d", "2w", "36525d", "12h"], refused: &NO_SPANS };

const PACE: [Flag; 5] = [
    Flag {
        name: "--concurrency",
        fine: &["1", "64"],
        refused: &["0", "65", "-1", "65536", "65601", "99999999999999999999", "1e1", "NaN"],
    },
    Flag {
        name: "--max-calls",
        fine: &["20", "18446744073709551615"],
        refused: &[
            "0",
            "19",
            "-1",
            "18446744073709551616",
            "18446744073709551636",
            "1e9",
            "NaN",
            "",
        ],
    },
    Flag { name: "--give-up-after", fine: &["1s", "36525d"], refused: &NO_SPANS },
    Flag {
        name: "--look-back",
        fine: &["none", "0", "36525d", "1h,36525d,1ms"],
        refused: &["175307616h", "1h,,2h", "1h,36526d", "-1h", "NaN", "99999999999999999999d"],
    },
    Flag { name: "--settle", fine: &["0"], refused: &["175307616h", "36525d"] },
];

const REFETCH: [Flag; 6] = [
    Flag {
        name: "--refetch",
        fine: &["18446744073709551615", "100%", "1e-300%", "1"],
        refused: &[
            "0",
            "-1",
            "0%",
            "101%",
            "-1%",
            "NaN%",
            "inf%",
            "1e400%",
            "18446744073709551616",
            "1e9",
            "",
        ],
    },
    Flag {
        name: "--seed",
        fine: &["0", "18446744073709551615"],
        refused: &["-1", "18446744073709551616", "1e9", "NaN"],
    },
    Flag { name: "--concurrency", fine: &["1", "64"], refused: &["0", "65", "65537"] },
    Flag {
        name: "--limit",
        fine: &["4294967295/1s"],
        refused: &["0/1h", "1/0s", "4294967296/1s", "1/36526d"],
    },
    Flag { name: "--reserve", fine: &["0%", "99%"], refused: &["100%", "-1%", "inf"] },
    Flag { name: "--give-up-after", fine: &["1s", "36525d"], refused: &NO_SPANS },
];

const EXTRACT: [Flag; 2] = [
    Flag { name: "--from", fine: &["0001-01-01", "1970-01-01"], refused: &NO_TIMES },
    Flag { name: "--to", fine: &["9999-12-30T22:00:00Z", "now"], refused: &NO_TIMES },
];

/// What is fine runs until it is ended.
const SIMULATE: [Flag; 9] = [
    Flag {
        name: "--wide",
        fine: &["0", "200000"],
        refused: &[
            "200001",
            "4294967295",
            "9999999999",
            "18446744073709551615",
            "99999999999999999999",
            "-1",
            "1e9",
        ],
    },
    Flag { name: "--port", fine: &["0"], refused: &["65536", "-1", "99999999999", "NaN"] },
    Flag {
        name: "--limit",
        fine: &["4294967295/1s", "1/36525d"],
        refused: &["0/1h", "1/0s", "4294967296/1s", "1/36526d"],
    },
    Flag {
        name: "--latency",
        fine: &["36525d", "0s-36525d"],
        refused: &["36526d", "175307616h", "5s-1s", "-1s", "NaN", "1s-", ""],
    },
    Flag { name: "--cap", fine: &["1", "4294967295"], refused: &["0", "-1", "4294967296", "1e9"] },
    Flag {
        name: "--max-queries",
        fine: &["1", "4294967295"],
        refused: &["0", "-1", "4294967296", "99999999999999999999"],
    },
    Flag {
        name: "--clip",
        fine: &[
            "last:18446744073709551615",
            "every:18446744073709551615",
            "total:18446744073709551615",
            "first:1",
        ],
        refused: &["last:0", "last:-1", "first:18446744073709551616", "every:", ":1", "NaN"],
    },
    Flag {
        name: "--faults",
        fine: &["0", "1000000", "100%", "0%"],
        refused: &[
            "1000001",
            "99999999999",
            "101%",
            "-1%",
            "NaN%",
            "inf%",
            "500:1000001",
            "500:-1",
            "500:",
        ],
    },
    Flag {
        name: "--seed",
        fine: &["18446744073709551615"],
        refused: &["-1", "18446744073709551616"],
    },
];

fn run(world: &World, args: &[&str], seconds: u64) -> (Option<i32>, String) {
    let script =
        format!("ulimit -c 0; ulimit -v {MAPPED_KIB_MAX}; exec timeout {seconds} \"$0\" \"$@\"");
    let began = Instant::now();
    let output = world.shell(&script, args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !said.contains("panicked") && output.status.code().is_some(),
        "{args:?}: {} {said}",
        output.status
    );
    assert!(began.elapsed() < RUN_MAX, "{args:?} took too long: {said}");
    (output.status.code(), said)
}

/// Tries every value of a flag behind a command line; returns how many these were.
fn tried(world: &World, base: &[&str], flags: &[Flag], fine: i32) -> usize {
    let mut count = 0;
    let seconds = if fine == ENDED { 1 } else { RUN_MAX.as_secs() };
    for Flag { name, fine: taken, refused } in flags {
        let expected =
            taken.iter().map(|value| (value, fine)).chain(refused.iter().map(|value| (value, 2)));
        for (value, code) in expected {
            let flag = format!("{name}={value}");
            drop(fs::remove_dir_all(world.path("copy")));
            let mut args = base.to_vec();
            // A flag of the base that is tried is given once.
            if let Some(at) = args.iter().position(|arg| arg == name) {
                args.drain(at..at + 2);
            }
            args.push(&flag);
            let (found, said) = run(world, &args, seconds);
            assert_eq!(found, Some(code), "{args:?}: {said}");
            let says_why = said.starts_with("error: ") && said.trim_end().lines().count() <= 8;
            assert!(code != 2 || says_why, "{args:?}: {said}");
            count += 1;
        }
    }
    count
}

/// Exit code of `timeout` for what it ended.
const ENDED: i32 = 124;

#[test]
fn attempts_of_flags_to_overflow() {
    let world = World::new(calm(), &LIST);
    let url = world.sim.url();
    exits(&world.export(1), 0);
    fs::rename(world.out(), world.path("held")).unwrap();
    let plan = ["plan", "queries.txt", "--from", "-1d"];
    let mut count = tried(&world, &plan, &REQUEST, 0);
    count += tried(&world, &plan[..2], &[ROLLING], 0);
    let export = [
        "export",
        "queries.txt",
        "--from",
        "2026-06-01",
        "--to",
        "2026-06-01T01:00:00Z",
        "--progress",
        "none",
        "--api-url",
        &url,
    ];
    count += tried(&world, &export, &PACE, 0);
    count += tried(&world, &[&export[..], &["--probe"]].concat(), &PACE[3..4], 0);
    let refetch = ["verify", "held", "--refetch", "1", "--api-url", &url];
    count += tried(&world, &refetch, &REFETCH, 0);
    let extract = ["extract", "held", "--out", "copy"];
    count += tried(&world, &extract, &EXTRACT, 0);
    count += tried(&world, &["simulate"], &SIMULATE, ENDED);
    jindo_testing::all_held("numbers, lengths and times of flags", count);
}

/// A range of two thousand years at a second a point has 42 million windows.
#[test]
fn a_range_of_more_calls_than_anybody_makes_is_refused_before_it_is_planned() {
    let world = World::new(calm(), &LIST[..1]);
    for resolution in ["1s", "5s", "60s"] {
        let args = ["plan", "queries.txt", "--from", "0001-01-01", "--resolution", resolution];
        let (code, said) = run(&world, &args, 5);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("calls or more, and an export makes 500000 at most"), "{said}");
        assert!(
            said.contains(
                "hint: give a later --from or an earlier --to, or fewer points: --resolution 1h"
            ),
            "{said}"
        );
    }
    let args = ["plan", "queries.txt", "--from", "0001-01-01", "--resolution", "1h"];
    assert_eq!(run(&world, &args, 15).0, Some(0), "12,000 calls are planned");
}

/// Lines of a list, each with a number that is none, or beyond what is sent.
const LINES: [&str; 28] = [
    "avg:a{*}.rollup(avg, 99999999999999)",
    "avg:a{*}.rollup(avg, 4294967296)",
    "avg:a{*}.rollup(avg, 4294967295)",
    "avg:a{*}.rollup(avg, 0)",
    "avg:a{*}.rollup(avg, -60)",
    "avg:a{*}.rollup(avg, 60.5)",
    "avg:a{*}.rollup(avg, 1e9)",
    "avg:a{*}.rollup(avg, 1e400)",
    "avg:a{*}.rollup(99999999999999999999999999999999)",
    "avg:a{*}.rollup(avg, 0x3c)",
    "avg:a{*}.rollup(avg, 18446744073709551616)",
    "avg:a{*}.fill(linear, 99999999999999999999)",
    "avg:a{*}.fill(null, -1)",
    "timeshift(avg:a{*}, -99999999999999999999)",
    "timeshift(avg:a{*}, 9223372036854775808)",
    "timeshift(avg:a{*}, 1e308)",
    "avg:a{*} * 1e309",
    "avg:a{*} / 0",
    "avg:a{*} + 99999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "p99999999999:a{*}",
    "p1e9:a{*}",
    "count(v: v>=1e999):a{*}",
    "count(v: v>=-99999999999999999999999):a{*}",
    "moving_rollup(avg:a{*}, 99999999999999, 'avg')",
    "ewma_99999999999(avg:a{*})",
    "clamp_max(avg:a{*}, 1e999999999)",
    "top(avg:a{*} by {b}, 18446744073709551616, 'mean', 'desc')",
    "avg:a{*}.rollup(avg, 60).rollup(avg, 99999999999999)",
];

/// Variables of the environment that hold numbers for this or for a library.
const ENVIRONMENT: [(&str, &str); 13] = [
    ("COLUMNS", "0"),
    ("COLUMNS", "-1"),
    ("COLUMNS", "99999999999999999999"),
    ("LINES", "18446744073709551615"),
    ("TZ", "UTC-99999999999"),
    ("TZ", "<+25>-25:99:99"),
    ("DD_SITE", "99999999999999"),
    ("TERM", "99999999999"),
    ("RUST_LOG", "99999999999"),
    ("RUST_BACKTRACE", "99999999999"),
    ("TOKIO_WORKER_THREADS", "0"),
    ("TOKIO_WORKER_THREADS", "99999999999999999999"),
    ("RUST_MIN_STACK", "18446744073709551615"),
];

#[test]
fn attempts_of_lists_and_of_the_environment_to_overflow() {
    let world = World::new(calm(), &LIST);
    let plan = ["plan", "queries.txt", "--from", "-1d"];
    for line in LINES {
        world.list(&[line]);
        for args in [
            &plan[..],
            &["plan", "queries.txt", "--from", "-1d", "--fill", "keep", "--allow-range-functions"],
        ] {
            let (code, said) = run(&world, args, RUN_MAX.as_secs());
            assert!(matches!(code, Some(0 | 2)), "{line}: {said}");
            assert!(code == Some(0) || said.contains("error: queries.txt:1:"), "{line}: {said}");
        }
    }
    world.list(&LIST);
    for (name, value) in ENVIRONMENT {
        let output = world.command(plan).env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 2)) && !said.contains("panicked"),
            "{name}={value}: {code:?} {said}"
        );
    }
    let count = LINES.len() * 2 + ENVIRONMENT.len();
    jindo_testing::all_held("numbers of lists and of the environment", count);
}

/// What a directory remembers of its last request, changed: a field of its JSON and a value of it.
const REMEMBERED: [(&str, &str); 22] = [
    ("from", "\"-2147483647d\""),
    ("from", "\"-9999-01-02T01:59:59Z\""),
    ("from", "\"0001-01-01T00:00:00Z\""),
    ("from", "\"9999-12-30T22:00:00Z\""),
    ("from", "\"99999999999999\""),
    ("from", "-1"),
    ("to", "\"9999-12-30T22:00:00Z\""),
    ("to", "\"-2147483647d\""),
    ("to", "\"-9999-01-02T01:59:59Z\""),
    ("rolling", "\"2147483647d\""),
    ("rolling", "\"-1d\""),
    ("rolling", "\"36525d\""),
    ("rolling", "\"175307616h\""),
    ("resolution_s", "0"),
    ("resolution_s", "1"),
    ("resolution_s", "4294967295"),
    ("resolution_s", "4294967296"),
    ("resolution_s", "-1"),
    ("resolution_s", "1e400"),
    ("timezone", "\"UTC+99999999999\""),
    ("variables", "{\"n\":\"99999999999999999999\"}"),
    ("list", "\"avg:a{*}.rollup(avg, 99999999999999)\""),
];

#[test]
fn attempts_of_a_remembered_request_to_overflow() {
    let world = World::new(calm(), &LIST[..1]);
    exits(&world.export(1), 0);
    let ledger = rusqlite::Connection::open(world.out().join("archive/ledger.db")).unwrap();
    let words: String =
        ledger.query_row("SELECT arguments FROM request", [], |row| row.get(0)).unwrap();
    for (field, value) in REMEMBERED {
        let mut request: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&words).unwrap();
        request.remove(field);
        let rest = serde_json::to_string(&request).unwrap();
        let changed = format!("{{\"{field}\":{value},{}", &rest[1..]);
        ledger.execute("UPDATE request SET arguments = ?1", [&changed]).unwrap();
        for args in [
            &["status", "out"][..],
            &["plan", "--out", "out"],
            &["export", "--out", "out", "--max-calls", "20", "--progress", "none"],
            &["verify", "out"],
        ] {
            let (code, said) = run(&world, args, RUN_MAX.as_secs());
            assert!(matches!(code, Some(0..=3)), "{field} {value}: {args:?}: {said}");
            assert!(
                matches!(code, Some(0 | 3)) || !said.is_empty() || args[0] == "verify",
                "{field} {value}: {args:?}"
            );
        }
        ledger
            .execute(
                "UPDATE request SET arguments = ?1, asked_start_s = ?2, asked_end_s = ?3",
                (&words, START_S, START_S + DAY_S),
            )
            .unwrap();
    }
    jindo_testing::all_held("numbers of a remembered request", REMEMBERED.len());
}
