//! The main job: plan, contact, fetch, extract, and say how it went.

use crate::args;
use crate::asked::{Asked, Words, understand};
use crate::contact::{self, Acquaintance};
use crate::planning::{self, brief, existing, last_words};
use crate::progress::{Kept, Shown};
use crate::screen;
use crate::settings::{Access, Environment};
use crate::summary::{self, Told};
use crate::words::{Failed, Usage};
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{Archive, Holder, Line, QueryId, Registered, Request};
use jindo::clock::{Clock, entropy};
use jindo::extract::{self, Directory, Which};
use jindo::plan::{Limits, Plan};
use jindo::request::Client;
use jindo::run::{
    Doors, End, Mission, Outcome, RunLog, Settings, as_registered, closed, drive, learnt_limits,
};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Queries whose files are made between two looks for an interruption: a second's work, and one sync.
const QUERIES_AT_A_TIME: usize = 16;

/// `jindo export`: again = continue.
pub(crate) fn run(
    command: &args::Export,
    clock: &dyn Clock,
    interrupted: &AtomicBool,
) -> anyhow::Result<u8> {
    let environment = Environment::read();
    let access = || {
        let (site, endpoint) = environment.endpoint(&command.place, command.pace.give_up_after)?;
        Ok(Access { site, endpoint, keys: environment.keys()? })
    };
    let told = export(command, &access, clock, interrupted)?;
    screen::answer(&summary::of_export(&told))?;
    screen::answer(&summary::next(&told))?;
    Ok(exit_code(&told, command))
}

/// The whole job. `access` is called only when there is something to ask.
pub(crate) fn export(
    command: &args::Export,
    access: &dyn Fn() -> anyhow::Result<Access>,
    clock: &dyn Clock,
    interrupted: &AtomicBool,
) -> anyhow::Result<Told> {
    let started = clock.now();
    let before = existing(&command.out)?;
    let last = last_words(before.as_ref())?;
    let asked = understand(Words::new(&command.wanted, last)?, command.pace.settle, started)?;
    let limits = before.as_ref().filter(|_| !command.forget).map(learnt_limits).transpose()?;
    let plan = planning::plan(&asked, before.as_ref(), limits.unwrap_or(Limits::ASSUMED), started)?;
    drop(before);
    say_plan(&asked, &plan, command, started);
    let client = connect(&plan, access)?;
    let archive = open(&command.out, clock)?;
    let known = match &client {
        Some((client, access)) => Some(bind(client, access, &archive, command)?),
        None => None,
    };
    if command.forget {
        archive.forget()?;
    }
    archive.register(&request(&asked)?)?;
    let (plan, registered) = planned(&asked, &archive, clock)?;
    let shown = shown(&asked)?;
    let (outcome, promise) = match client.as_ref().zip(known) {
        Some(((client, access), known)) if plan.calls() > 0 => {
            let zone = asked.zone_of_clocks();
            let run = Run { command, archive: &archive, shown: &shown, clock, interrupted, zone };
            let (outcome, promise) = run.fetch(client, &plan, &registered)?;
            check_keys(&outcome, client, access, known)?;
            (outcome, promise)
        }
        _ => (Outcome { end: End::Done, calls: 0, points: 0 }, None),
    };
    let files = extract_all(&archive, &command.out, &shown, interrupted)?;
    check_end(&outcome)?;
    Ok(Told {
        plan,
        outcome,
        promise,
        files,
        dir: command.out.clone(),
        took: clock.now().duration_since(started),
    })
}

fn say_plan(asked: &Asked, plan: &Plan, command: &args::Export, now: Timestamp) {
    if command.progress == args::ProgressStyle::None
        || command.progress == args::ProgressStyle::Json
    {
        return;
    }
    for note in &asked.list.notes {
        screen::remark(&format!("{note}\n"));
    }
    if asked.words.keeps_going() {
        for complaint in &asked.list.refused {
            screen::remark(&format!("left out: {complaint}\n"));
        }
    }
    screen::remark(&brief(asked, plan, command.pace.limit, now));
}

/// The client, when there is a call to make; without one neither keys nor network are needed.
fn connect(
    plan: &Plan,
    access: &dyn Fn() -> anyhow::Result<Access>,
) -> anyhow::Result<Option<(Client, Access)>> {
    if plan.calls() == 0 {
        return Ok(None);
    }
    let access = access()?;
    let client = Client::new(&access.endpoint, &access.keys)
        .map_err(|error| Usage::new(error.to_string()))?;
    Ok(Some((client, access)))
}

/// Takes the directory for writing; opening and recovering are one path.
pub(crate) fn open(dir: &Path, clock: &dyn Clock) -> anyhow::Result<Archive> {
    Ok(Archive::open(dir, &holder(clock))?)
}

/// This process, for whoever finds the directory in use.
pub(crate) fn holder(clock: &dyn Clock) -> Holder {
    Holder { pid: std::process::id(), host: crate::settings::machine(), since: clock.now() }
}

/// Learns whose organisation the keys open, and refuses to mix two in one directory.
fn bind(
    client: &Client,
    access: &Access,
    archive: &Archive,
    command: &args::Export,
) -> anyhow::Result<Acquaintance> {
    let (organisation, known) = contact::organisation(client, access, archive)?;
    if command.rebind {
        archive.rebind(&organisation)?;
    } else {
        archive.bind(&organisation)?;
    }
    Ok(known)
}

fn request(asked: &Asked) -> anyhow::Result<Request> {
    let queries = asked.list.queries.iter().cloned().map(Line::Query);
    let refused = asked.list.refused.iter().map(|complaint| Line::Refused {
        written: complaint.written.clone(),
        reason: complaint.reason.to_string(),
    });
    Ok(Request {
        lines: queries.chain(refused).collect(),
        asked: asked.range,
        timezone: zone_name(asked)?,
        arguments: serde_json::to_string(&asked.words)?,
    })
}

/// The IANA name; `local` is a name of today's machine only.
fn zone_name(asked: &Asked) -> anyhow::Result<String> {
    asked.zone.iana_name().map(str::to_owned).context("the time zone has no IANA name")
}

/// The plan as the ledger sees it, and its queries as it numbers them.
fn planned(
    asked: &Asked,
    archive: &Archive,
    clock: &dyn Clock,
) -> anyhow::Result<(Plan, Vec<Registered>)> {
    let registered: Vec<_> =
        archive.queries()?.into_iter().filter(|query| query.position.is_some()).collect();
    let coverage = archive.coverage_all()?;
    let covered: Vec<_> = registered
        .iter()
        .map(|query| closed(coverage.get(&query.id).map_or(&[], Vec::as_slice)))
        .collect();
    let queries = registered.iter().map(as_registered).collect();
    let plan = Plan::new(asked.range, queries, &covered, learnt_limits(archive)?, clock.now());
    Ok((plan, registered))
}

fn shown(asked: &Asked) -> anyhow::Result<extract::Shown> {
    Ok(extract::Shown {
        zone: asked.zone.clone(),
        timezone: zone_name(asked)?,
        names: extract::Names::LAYOUT,
    })
}

/// Brings all files and tables up to date. `None`: interrupted before it was done; the next run does what is left.
pub(crate) fn extract_all(
    archive: &Archive,
    dir: &Path,
    shown: &extract::Shown,
    interrupted: &AtomicBool,
) -> anyhow::Result<Option<extract::Summary>> {
    let disk = Directory::of_archive(dir);
    let all: Vec<_> = archive.queries()?.iter().map(|query| query.id).collect();
    extract_queries(archive, &disk, &all, shown, interrupted)?;
    if interrupted.load(Ordering::Relaxed) {
        return Ok(None);
    }
    Ok(Some(extract::tables(archive, &disk, shown)?))
}

/// Some queries at a time, so that an interruption is heeded within its 5 s.
fn extract_queries(
    archive: &Archive,
    disk: &Directory,
    queries: &[QueryId],
    shown: &extract::Shown,
    interrupted: &AtomicBool,
) -> Result<(), extract::Error> {
    for some in queries.chunks(QUERIES_AT_A_TIME) {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        extract::update(archive, disk, some, shown, Which::Outdated)?;
    }
    Ok(())
}

struct Run<'a> {
    command: &'a args::Export,
    archive: &'a Archive,
    shown: &'a extract::Shown,
    clock: &'a dyn Clock,
    interrupted: &'a AtomicBool,
    /// In which the time of day is told at which the run will be done.
    zone: TimeZone,
}

impl Run<'_> {
    fn fetch(
        &self,
        client: &Client,
        plan: &Plan,
        registered: &[Registered],
    ) -> anyhow::Result<(Outcome, Option<Kept>)> {
        let now = self.clock.now();
        let mut report = Shown::new(self.command, now, self.zone.clone());
        let disk = Directory::of_archive(&self.command.out);
        let extract = |queries: &[QueryId]| {
            extract_queries(self.archive, &disk, queries, self.shown, self.interrupted)
                .map_err(|error| jindo::run::with_causes(&error))
        };
        let doors = Doors {
            archive: self.archive,
            client,
            clock: self.clock,
            log: RunLog::create(&self.command.out, now).context("while creating the run's log")?,
            report: &mut report,
            interrupted: self.interrupted,
            extract: &extract,
        };
        let given_up = |query: &Registered| query.given_up.is_some();
        let mission = Mission {
            plan,
            ids: registered.iter().map(|query| query.id).collect(),
            given_up: (0..registered.len()).filter(|&index| given_up(&registered[index])).collect(),
            look_back: self.command.pace.look_back,
        };
        let outcome = drive(doors, mission, self.settings()?).context("while fetching")?;
        let promise = report.done(&outcome, self.clock.now());
        Ok((outcome, promise))
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            concurrency: usize::from(self.command.pace.concurrency),
            reserve: self.command.pace.reserve,
            pace: self.command.pace.limit,
            calls_max: self.command.pace.max_calls,
            give_up_after: self.command.pace.give_up_after,
            limits: learnt_limits(self.archive)?,
            seed: entropy(),
        })
    }
}

/// Keys that are refused from the start end with a sentence that says which.
fn check_keys(
    outcome: &Outcome,
    client: &Client,
    access: &Access,
    known: Acquaintance,
) -> anyhow::Result<()> {
    match &outcome.end {
        End::Forbidden { words, after_success: false } => {
            Err(contact::which_key(client, access, known, words))
        }
        End::Forbidden { after_success: true, .. }
        | End::Done
        | End::OutOfCalls
        | End::Interrupted
        | End::Failed { .. } => Ok(()),
    }
}

/// A run that broke off says why, once the files show what it brought.
fn check_end(outcome: &Outcome) -> anyhow::Result<()> {
    let (text, hint) = match &outcome.end {
        End::Failed { why } => {
            (why.clone(), "what was fetched is kept; the same command continues")
        }
        End::Forbidden { words, .. } => (
            format!("the keys worked and are now refused: {words}"),
            "what was fetched is kept; with valid keys the same command continues",
        ),
        End::Done | End::OutOfCalls | End::Interrupted => return Ok(()),
    };
    Err(Failed::new(text, hint).into())
}

pub(crate) fn exit_code(told: &Told, command: &args::Export) -> u8 {
    let gaps = told.files.as_ref().is_none_or(|files| files.partial + files.given_up > 0);
    match told.outcome.end {
        End::Interrupted => 130,
        _ if told.files.is_none() => 130,
        End::Done | End::OutOfCalls | End::Forbidden { .. } | End::Failed { .. } => {
            if gaps && !command.accept_partial { 3 } else { 0 }
        }
    }
}
