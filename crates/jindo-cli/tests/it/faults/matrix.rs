//! docs/faults.md, row by row: the real binary meets each fault, and what the row says comes true.
//!
//! The oracle: the bytes of the export equal those of a faultless run; where a run stops or gives a query up, after the
//! next run against a healthy server.

use super::case::{Case, Place};
use super::cases;
use super::peer::Peer;
use super::sandbox::{Ran, Sandbox, options};
use super::table::{Does, Row, rows};
use super::tls;
use crate::support::tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// Cases at once: most of them wait most of the time.
const AT_ONCE: usize = 12;

/// Calls of a faultless run: a day each.
const DAYS: u64 = 3;

/// What an export of this job may hold, in MB: a body of 64 MiB, its columns, and the process itself.
const PEAK_MB_MAX: u64 = 300;

type Tree = BTreeMap<String, Vec<u8>>;

#[test]
fn every_row_of_the_table_comes_true() {
    let table = rows();
    let only = only();
    let cases: Vec<_> = cases::all()
        .into_iter()
        .filter(|case| only.as_ref().is_none_or(|only| case.name == only))
        .collect();
    let faultless = faultless();
    tell(cases.len());
    let cases = Mutex::new(cases.into_iter());
    let broken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().next() else { return };
                    let row = table.iter().find(|row| row.name == case.name);
                    if let Err(why) = check(&case, row, &faultless) {
                        broken.lock().unwrap().push(format!("{}: {why}", case.name));
                    }
                }
            });
        }
    });
    let mut broken = broken.into_inner().unwrap();
    broken.sort();
    assert!(broken.is_empty(), "{} rows\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn every_row_has_a_case_and_every_case_a_row() {
    let table: Vec<_> = rows().into_iter().map(|row| row.name).collect();
    let rows: BTreeSet<_> = table.iter().cloned().collect();
    assert_eq!(rows.len(), table.len(), "a name twice");
    let cases: BTreeSet<_> = cases::all().iter().map(|case| case.name.to_owned()).collect();
    let lonely: Vec<_> = rows.symmetric_difference(&cases).collect();
    assert!(lonely.is_empty(), "{lonely:?}");
}

/// For `cargo xtask endure`.
#[expect(clippy::print_stdout, reason = "a tally is heard with --nocapture alone")]
fn tell(rows: usize) {
    println!("tally: {rows} faults on the wire, each held to its row of docs/faults.md");
}

/// `FAULT=name cargo test …`: that row alone.
#[expect(clippy::disallowed_methods, reason = "a test's only setting")]
fn only() -> Option<String> {
    std::env::var("FAULT").ok()
}

fn faultless() -> Tree {
    let sandbox = Sandbox::new();
    let peer = Peer::start(options(), Arc::new(|_, _| None));
    let ran = sandbox.run(&peer.url(), Some(&peer), &[]);
    assert_eq!((ran.code, sandbox.calls()), (Some(0), DAYS), "{}", ran.said);
    tree(&sandbox.out())
}

fn check(case: &Case, row: Option<&Row>, faultless: &Tree) -> Result<(), String> {
    let sandbox = Sandbox::new();
    let began = Instant::now();
    let ran = meet(case, &sandbox);
    let mut told = format!("exit {:?}", ran.code);
    let given_up = ran.said.contains(",given-up,");
    let whole = sandbox.out().join("queries.csv").exists() && tree(&sandbox.out()) == *faultless;
    let again = (!whole).then(|| next(&sandbox));
    let calls = sandbox.calls().checked_sub(DAYS);
    let after = tree(&sandbox.out()) == *faultless;
    write!(told, ", {} s, {} MB", began.elapsed().as_secs_f32(), ran.peak_mb).unwrap();
    write!(told, ", calls {calls:?}, given up {given_up}, whole {whole}, then {after}").unwrap();
    told.push('\n');
    told.push_str(&ran.said);
    let row = row.ok_or(format!("no row\n{told}"))?;
    let does = match (whole, given_up) {
        (true, _) => matches!(row.does, Does::Accepts | Does::Retries | Does::Splits),
        (false, true) => row.does == Does::GivesUp,
        (false, false) => row.does == Does::Stops,
    };
    let asked_again = ran.said.contains(r#""attempts":2"#);
    let kind = match row.does {
        Does::Accepts => row.calls == (0, 0),
        Does::Retries => asked_again || ran.said.contains(r#""outcome":"limited""#),
        Does::Splits | Does::GivesUp | Does::Stops => true,
    };
    let few = calls.is_some_and(|calls| (row.calls.0..=row.calls.1).contains(&calls));
    let unseen: Vec<_> = row.sees.iter().filter(|words| !ran.said.contains(*words)).collect();
    let small = ran.peak_mb <= PEAK_MB_MAX;
    let fine = [does, kind, few, ran.code == Some(row.exit), after, unseen.is_empty(), small];
    if fine.contains(&false) {
        let again = again.map(|ran| ran.said).unwrap_or_default();
        return Err(format!("{fine:?} of {row:?}, unseen {unseen:?}\n{told}\nthen: {again}\n"));
    }
    Ok(())
}

/// The run that meets the fault.
fn meet(case: &Case, sandbox: &Sandbox) -> Ran {
    let script = case.script.clone();
    let peer = match &case.place {
        Place::Plain | Place::TlsNone => Peer::start(options(), script),
        Place::Tls(identity) => Peer::with_tls(options(), script, tls::server(*identity)),
        Place::Url(url) => return sandbox.run(url, None, &case.arguments),
    };
    let url = match case.place {
        Place::TlsNone => peer.url().replace("http:", "https:"),
        Place::Plain | Place::Tls(_) | Place::Url(_) => peer.url(),
    };
    let ran = sandbox.run(&url, Some(&peer), &case.arguments);
    assert!(!peer.is_botched(), "{}: its script panicked", case.name);
    let seen = peer.calls();
    assert!(
        seen <= sandbox.calls(),
        "{}: {seen} calls came in, {} are noted",
        case.name,
        sandbox.calls()
    );
    ran
}

/// The next run, against a healthy server.
fn next(sandbox: &Sandbox) -> Ran {
    let peer = Peer::start(options(), Arc::new(|_, _| None));
    sandbox.run(&peer.url(), Some(&peer), &[])
}
