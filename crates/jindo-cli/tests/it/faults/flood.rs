//! Answers that are made to fill memory, on all calls in flight at once: the system's own bound on memory holds, and nothing is lost.

use super::case::{GROUPED, LONE, LONE_METRIC, bomb, header};
use super::peer::{Act, Asked, Peer, Script, Truth, framed, head};
use super::sandbox::{Ran, Sandbox, options};
use crate::support::{DAY_S, START_S, tree};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What is promised in docs/guarantees.md, as the kernel counts it (`VmHWM`), in MiB: 400 MB.
const PEAK_MIB_MAX: u64 = 400_000_000 >> 20;

/// The same for `ulimit -d`: an allocation beyond it fails, and ends the process.
const DATA_KIB_MAX: u64 = 400_000_000 >> 10;

/// Calls of a faultless run, a day each: one to prove the limits, and eight at once.
const DAYS: i64 = 9;

/// Calls that are flooded, after the first: all that are in flight at once, and alone two, since it is waited before each is made again.
fn flooded_calls(concurrency: &str) -> u64 {
    if concurrency == "1" { 2 } else { 8 }
}

/// Bytes of a flood that is meant to be read whole: a little less than a body may have.
const WHOLE: usize = 62 << 20;

/// Bytes of a flood of many small pieces, which a test build reads slowly: enough for a hundred mebibytes of series.
const PIECES: usize = 18 << 20;

/// The same of pieces of which nothing is kept.
const PASSING: usize = 8 << 20;

/// Runs at once: most of them wait most of the time, to ask again.
const AT_ONCE: usize = 3;

/// Where the flood comes: in the answers to queries, or in those to calls beside them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flooded {
    Queries,
    /// Calls whose path holds this.
    Beside(&'static str),
}

type Acts = Arc<dyn Fn(&Asked, &Truth) -> Vec<Act> + Send + Sync>;

struct Flood {
    name: &'static str,
    flooded: Flooded,
    /// Part of the run's log, or of what the user reads.
    sees: &'static str,
    acts: Acts,
}

impl Flood {
    fn new(
        name: &'static str,
        sees: &'static str,
        acts: impl Fn(&Asked, &Truth) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self { name, flooded: Flooded::Queries, sees, acts: Arc::new(acts) }
    }
}

const TOO_LARGE: &str = r#""outcome":"too-large""#;
const UNUSABLE: &str = r#""outcome":"unusable""#;
const TRANSIENT: &str = r#""outcome":"transient""#;

/// `begin`, a piece again and again until there are `bytes`, `end`.
fn repeated(status: &str, begin: &str, piece: &str, end: &str, bytes: usize) -> Vec<Act> {
    // Written in larger parts: a call of the system for each piece would be slow.
    let many = (1 << 20) / piece.len() + 1;
    let part = piece.repeat(many).into_bytes();
    let times = bytes / part.len();
    let length = begin.len() + part.len() * times + end.len();
    let mut first = head(status, &[]);
    first.extend_from_slice(format!("Content-Length: {length}\r\n\r\n{begin}").as_bytes());
    vec![Act::Send(first), Act::Repeat(part, times as u64), Act::Send(end.as_bytes().to_vec())]
}

const OK: &str = "200 OK";
const SERIES: &str = r#"{"status":"ok","series":["#;
/// Ends a list of series so that the answer is read whole and cannot be used.
const SPOILT: &str =
    r#"{"query_index":9,"metric":"m","interval":60,"tag_set":[],"pointlist":[]}]}"#;

/// Bytes of a flood of such series: long texts are read quickly.
fn of_text(fields: &str) -> usize {
    match fields.len() {
        ..20_000 => PIECES,
        20_000..100_000 => PASSING,
        _ => WHOLE,
    }
}

/// An answer of this series again and again, which is spoilt in the end.
fn series(fields: &str, bytes: usize) -> Vec<Act> {
    let piece = format!(r#"{{"query_index":0,"interval":60,{fields}}},"#);
    repeated(OK, SERIES, &piece, SPOILT, bytes)
}

/// Fields of an answer besides its series, after which it lacks them.
fn beside(begin: &str, piece: &str, end: &str) -> Vec<Act> {
    let bytes = if piece.len() < 4 { WHOLE } else { PASSING };
    repeated(OK, &format!(r#"{{"status":"ok",{begin}"#), piece, &format!("{end}}}"), bytes)
}

/// So many numbered tags of one letter.
fn tags(count: usize) -> String {
    let tags: Vec<_> = (0..count).map(|tag| format!(r#""t:{tag}""#)).collect();
    tags.join(",")
}

fn of_series() -> Vec<Flood> {
    let long = "x".repeat(1 << 20);
    let plain = r#""metric":"m","tag_set":["a:1"],"pointlist":[]"#;
    let of = |name, sees, fields: String| {
        Flood::new(name, sees, move |_, _| series(&fields, of_text(&fields)))
    };
    vec![
        of(
            "series of 1,000 tags",
            TOO_LARGE,
            format!(r#""metric":"m","tag_set":[{}],"pointlist":[]"#, tags(1_000)),
        ),
        of("tiny series", TOO_LARGE, r#""metric":"","tag_set":[],"pointlist":[]"#.to_owned()),
        of("long metrics", TOO_LARGE, format!(r#""metric":"{long}","tag_set":[],"pointlist":[]"#)),
        of("long tags", TOO_LARGE, format!(r#""metric":"m","tag_set":["{long}"],"pointlist":[]"#)),
        of("long units", TOO_LARGE, format!(r#"{plain},"unit":[{{"name":"{long}"}}]"#)),
        of("long scopes", UNUSABLE, format!(r#"{plain},"scope":"{long}""#)),
        of(
            "long names and expressions",
            UNUSABLE,
            format!(r#"{plain},"display_name":"{long}","expression":"{long}","aggr":"{long}""#),
        ),
        of(
            "lists of units",
            UNUSABLE,
            format!(r#"{plain},"unit":[{}null]"#, "null,".repeat(9_999)),
        ),
        Flood::new("one tag", TOO_LARGE, |_, _| {
            let begin =
                format!(r#"{SERIES}{{"query_index":0,"metric":"m","interval":60,"tag_set":[""#);
            repeated(OK, &begin, "x", &format!(r#""],"pointlist":[]}},{SPOILT}"#), WHOLE)
        }),
        Flood::new("expressions of tags, each another", TOO_LARGE, move |_, _| {
            let one = |number: usize| {
                let expression = "a:1,".repeat(3_900);
                format!(
                    r#"{{"query_index":0,"interval":60,{plain},"expression":"{expression}{number}"}},"#
                )
            };
            let body: String = (0..400).map(one).collect();
            vec![framed(OK, &[], format!("{SERIES}{body}{SPOILT}").as_bytes())]
        }),
    ]
}

fn of_points() -> Vec<Flood> {
    let of = |name, piece: String, bytes| {
        Flood::new(name, UNUSABLE, move |_, _| {
            let fields = r#""query_index":0,"metric":"m","interval":60,"tag_set":[]"#;
            let begin = format!(r#"{SERIES}{{{fields},"pointlist":["#);
            repeated(OK, &begin, &piece, &format!("[{START_S}000,1]]}},{SPOILT}"), bytes)
        })
    };
    let (first, second) = (START_S + DAY_S, START_S + DAY_S + 60);
    vec![
        of("points without a value", format!("[{first}000,null],"), PASSING),
        of("the same points again, backwards", format!("[{second}000,1],[{first}000,1],"), PASSING),
        of(
            "values of a million digits",
            format!("[{first}000,1.{}],", "1".repeat(1 << 20)),
            PIECES,
        ),
    ]
}

fn of_fields() -> Vec<Flood> {
    let of = |name, sees, [begin, piece, end]: [&'static str; 3]| {
        Flood::new(name, sees, move |_, _| beside(begin, piece, end))
    };
    vec![
        of("nested lists", UNUSABLE, [r#""x":"#, "[[[[[[[[", ""]),
        of("one unknown key after the other", UNUSABLE, ["", r#""k":0,"#, r#""k":0"#]),
        of("one long key", UNUSABLE, ["\"", r"k\n", r#"":0"#]),
        of("one message", UNUSABLE, [r#""message":""#, r"x\n", "\""]),
        of("many messages", UNUSABLE, ["", r#""message":"x","#, r#""message":"x""#]),
        of("warnings", UNUSABLE, [r#""warnings":["#, r#""w","#, r#""w"]"#]),
        of("one error", TRANSIENT, [r#""error":"try again "#, r"x\n", "\""]),
        of("errors", TRANSIENT, [r#""errors":["try again","#, r#""no","#, r#""no"]"#]),
        Flood::new("white space", UNUSABLE, |_, _| repeated(OK, "", " ", "{}", WHOLE)),
    ]
}

fn of_delivery() -> Vec<Flood> {
    let words = |status: &'static str| {
        move |_: &Asked, _: &Truth| repeated(status, r#"{"errors":[""#, "x", r#""]}"#, WHOLE)
    };
    let beside = |name, path, begin: &'static str| Flood {
        flooded: Flooded::Beside(path),
        ..Flood::new(name, r#""outcome":"ok""#, move |_, _| repeated(OK, begin, "x", "\"}", WHOLE))
    };
    vec![
        Flood::new("200 MB in 200 kB of gzip", TOO_LARGE, |_, truth| bomb(truth)),
        Flood::new("a body without an end", TOO_LARGE, |_, _| {
            let mut first = head(OK, &[]);
            first.extend_from_slice(b"Connection: close\r\n\r\n");
            vec![Act::Send(first), Act::Repeat(vec![b' '; 1 << 20], 1_000)]
        }),
        Flood::new("a body that breaks off", TRANSIENT, |_, _| {
            let mut acts = repeated(OK, "", " ", "{}", WHOLE);
            acts.pop();
            [acts, vec![Act::Reset]].concat()
        }),
        Flood::new("a body whose end comes slowly", UNUSABLE, |_, _| {
            let mut acts = repeated(OK, "", " ", "          {}", WHOLE);
            let Some(Act::Send(end)) = acts.pop() else { unreachable!() };
            [acts, vec![Act::Drip(end, 1, Duration::from_millis(100))]].concat()
        }),
        Flood::new("headers", TRANSIENT, |_, truth| {
            let long = header("X-Long", &"x".repeat(4 << 20));
            vec![framed(OK, &[long], truth.body.as_bytes())]
        }),
        Flood::new("status 500", TRANSIENT, words("500 Internal Server Error")),
        Flood::new("status 429", r#""outcome":"limited""#, words("429 Too Many Requests")),
        beside("the organisation", "/api/v2/current_user", r#"{"data":""#),
        beside("metadata of a metric", "/api/v1/metrics/", r#"{"type":"count","description":""#),
    ]
}

fn all() -> Vec<Flood> {
    [of_series(), of_points(), of_fields(), of_delivery()].into_iter().flatten().collect()
}

fn list(flood: &Flood) -> String {
    let typed = if flood.flooded == Flooded::Beside("/api/v1/metrics/") {
        "sum:odd.values{*}.as_count()\n"
    } else {
        ""
    };
    format!("{GROUPED}\n{LONE}\n{typed}")
}

fn run(flood: &Flood, concurrency: &str) -> (Ran, Sandbox) {
    let sandbox = Sandbox::of(&list(flood));
    let (place, acts) = (flood.flooded, Arc::clone(&flood.acts));
    let last = 1 + flooded_calls(concurrency);
    let flooded: Script = Arc::new(move |asked, truth| {
        let is_it = match place {
            Flooded::Queries => (2..=last).contains(&asked.nth),
            Flooded::Beside(path) => asked.names(path),
        };
        is_it.then(|| acts(asked, truth))
    });
    let peer = Peer::start(options(), flooded);
    let arguments = ["--concurrency", concurrency];
    let ran = sandbox.run_within(DATA_KIB_MAX, DAYS, &peer, &arguments);
    assert!(!peer.is_botched(), "{}: its script panicked", flood.name);
    (ran, sandbox)
}

type Tree = BTreeMap<String, Vec<u8>>;

fn faultless() -> Tree {
    let sandbox = Sandbox::of(&format!("{GROUPED}\n{LONE}\n"));
    let peer = Peer::start(options(), Arc::new(|_, _| None));
    let ran = sandbox.run_within(DATA_KIB_MAX, DAYS, &peer, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    tree(&sandbox.out())
}

fn check(flood: &Flood, concurrency: &str, faultless: &Tree) -> Result<(), String> {
    let began = Instant::now();
    let (ran, sandbox) = run(flood, concurrency);
    let has_files = sandbox.out().join("queries.csv").exists();
    let is_small = (1..=PEAK_MIB_MAX).contains(&ran.peak_mb) || cfg!(not(target_os = "linux"));
    let is_seen = ran.said.contains(flood.sees);
    let (code, whole) = match flood.flooded {
        Flooded::Beside("/api/v1/metrics/") => (3, true),
        Flooded::Beside(_) | Flooded::Queries => {
            (0, has_files && tree(&sandbox.out()) == *faultless)
        }
    };
    if is_small && is_seen && whole && ran.code == Some(code) {
        return Ok(());
    }
    let name = flood.name;
    Err(format!(
        "{name} at {concurrency}: {} MiB, seen {is_seen}, whole {whole}, exit {:?}, {:?}\n{}",
        ran.peak_mb,
        ran.code,
        began.elapsed(),
        ran.said
    ))
}

#[test]
fn attempts_to_fill_memory_by_answers() {
    let faultless = faultless();
    let floods = all();
    let runs: Vec<_> = floods.iter().flat_map(|flood| [(flood, "1"), (flood, "8")]).collect();
    let (waiting, broken) = (Mutex::new(runs.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((flood, concurrency)) = waiting.lock().unwrap().next() else { return };
                    let checked = check(flood, concurrency, &faultless);
                    broken.lock().unwrap().extend(checked.err());
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{} of {}\n{}", broken.len(), runs.len(), broken.join("\n"));
    jindo_testing::all_held("answers made to fill memory, at 1 and at 8 calls at once", runs.len());
}

#[test]
fn a_query_that_takes_too_much_memory_however_little_is_asked_is_given_up() {
    // 17 MB that would take 130 MB.
    let fields = format!(r#""metric":"m","tag_set":[{}],"pointlist":[]"#, tags(1_000));
    let script: Script = Arc::new(move |asked: &Asked, _: &Truth| {
        asked.names(LONE_METRIC).then(|| series(&fields, 17 << 20))
    });
    let sandbox = Sandbox::new();
    let peer = Peer::start(options(), script);
    let ran = sandbox.run_within(DATA_KIB_MAX, DAYS, &peer, &[]);
    let reason = "a single point of all its series is larger than 64 MiB, or takes more memory than one answer may";
    assert_eq!(ran.code, Some(3), "{}", ran.said);
    assert!(ran.said.contains("odd.values{*},60,given-up,"), "{}", ran.said);
    assert!(ran.said.contains(reason), "{}", ran.said);
    assert!(peer.calls() < 40, "{} calls", peer.calls());
}
