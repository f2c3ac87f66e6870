//! Ledgers from elsewhere: the organisation, the request, queries and reasons, as their author likes them.

use super::{assert_steers_nothing, assert_within_its_line, forged};
use crate::support::{World, calm, exits};
use jiff::Timestamp;
use jindo::archive::{
    Archive, ArchiveId, ArchiveWriter, Holder, Learnt, ProbesDiscarded, Request, RequestLine,
};
use jindo::plan::LearntLimit;
use jindo::query::{Interval, Query, QueryText};
use std::fs;
use std::path::Path;

const ONE: [&str; 1] = ["avg:system.cpu.user{*} by {host}"];

fn open(dir: &Path) -> Archive {
    let holder = Holder { pid: 1, host: "test".to_owned(), since: Timestamp::UNIX_EPOCH };
    Archive::open(dir, &ArchiveWriter { holder, fresh_id: ArchiveId::new(7) }).unwrap()
}

fn learnt(why: &str, taught_by: &str) -> Learnt {
    let at = Timestamp::UNIX_EPOCH;
    Learnt {
        limit: LearntLimit::Queries(3),
        learnt_at: at,
        seen_at: at,
        why: why.to_owned(),
        refusals: 2,
        largest: 5,
        taught_by: taught_by.to_owned(),
        teachers: 1,
    }
}

/// Returns the request with other words of the command line.
fn with_setting(request: Request, name: &str, value: &str) -> Request {
    let mut arguments: serde_json::Value = serde_json::from_str(&request.arguments).unwrap();
    arguments[name] = value.into();
    Request { arguments: arguments.to_string(), ..request }
}

fn query(written: &str) -> Query {
    let sent = "avg:x{*}.rollup(avg, 60)";
    Query::new(QueryText::new(written, sent, Interval::from_secs(60).unwrap()))
}

/// A way to put a text into a ledger.
type Forge = fn(&Archive, &str);

/// Where the text stands, how it comes there, and the commands that show it with their exit codes.
type Way = (&'static str, Forge, &'static [(&'static str, i32)]);

fn organisation(archive: &Archive, name: &str, value: &str) {
    let ledger = archive.ledger();
    let kept = ledger.kept("organisation").unwrap().unwrap();
    let mut kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    kept[name] = value.into();
    ledger.keep("organisation", &kept.to_string()).unwrap();
}

fn request(archive: &Archive, change: impl FnOnce(Request) -> Request) {
    archive.register(&change(archive.ledger().request().unwrap().unwrap())).unwrap();
}

const WAYS: [Way; 10] = [
    (
        "the organisation's site",
        |archive, text| organisation(archive, "site", text),
        &[("export,--out,out,--site,datadoghq.eu", 2), ("export,--out,out,--to,2026-06-03,URL", 2)],
    ),
    (
        "the organisation's id",
        |archive, text| organisation(archive, "org_id", text),
        &[("export,--out,out,--to,2026-06-03,URL", 2)],
    ),
    (
        "why a limit was learnt",
        |archive, text| archive.ledger().learn(&learnt(text, "")).unwrap(),
        &[("status,out", 0), ("status,out,--json", 0)],
    ),
    (
        "who taught a limit",
        |archive, text| archive.ledger().learn(&learnt("why", text)).unwrap(),
        &[("status,out", 0), ("status,out,--json", 0)],
    ),
    (
        "why probes are discarded",
        |archive, text| {
            let discarded = ProbesDiscarded { why: text.to_owned(), at: Timestamp::UNIX_EPOCH };
            archive.ledger().discard_probes(&discarded).unwrap();
        },
        &[("status,out", 0), ("status,out,--json", 0)],
    ),
    (
        "the zone",
        |archive, text| {
            request(archive, |request| Request { timezone: text.to_owned(), ..request });
        },
        &[("status,out", 0), ("verify,out", 2), ("extract,out", 2), ("status,out,--json", 0)],
    ),
    (
        "the request's zone",
        |archive, text| request(archive, |request| with_setting(request, "timezone", text)),
        &[],
    ),
    (
        "the request itself",
        |archive, text| {
            request(archive, |request| Request { arguments: text.to_owned(), ..request });
        },
        &[],
    ),
    (
        "a line that was left out",
        |archive, text| {
            request(archive, |mut request| {
                let refused =
                    RequestLine::Refused { written: text.to_owned(), reason: text.to_owned() };
                request.lines.push(refused);
                request
            });
        },
        &[],
    ),
    (
        "a query",
        |archive, text| {
            request(archive, |mut request| {
                request.lines.push(RequestLine::Query(query(text)));
                request
            });
        },
        &[],
    ),
];

/// What every way is tried with; it need not show the text.
const ALWAYS: [&str; 7] = [
    "status,out",
    "status,out,--json",
    "verify,out",
    "verify,out,--json",
    "plan,--out,out,--to,2026-06-03",
    "export,--out,out,--to,2026-06-03,URL",
    "extract,out,--out,copy",
];

#[test]
fn attempts_to_forge_a_line_by_a_ledger() {
    let mut count = 0;
    let world = World::new(calm(), &ONE);
    exits(&world.export(1), 0);
    fs::rename(world.out(), world.path("kept")).unwrap();
    let run = |line: &str| {
        let url = format!("--api-url,{}", world.sim.url());
        world.run(line.replace("URL", &url).split(','))
    };
    for (way, forge, shown) in WAYS {
        for text in forged() {
            copy(&world.path("kept"), &world.out());
            forge(&open(&world.out()), &text);
            for (line, code) in shown {
                let output = run(line);
                exits(&output, *code);
                assert_within_its_line(&format!("{way}: {line}"), &text, &output);
            }
            for line in ALWAYS {
                assert_steers_nothing(&format!("{way}: {line}"), &text, &run(line));
            }
            count += shown.len() + ALWAYS.len();
        }
    }
    jindo_testing::all_held("lines and controls in a ledger", count);
}

/// Copies a folder, over whatever is there.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}
