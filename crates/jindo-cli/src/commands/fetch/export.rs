//! The main job: plan, contact, fetch, extract, and say how it went.

use crate::args;
use crate::auth::{self, Acquaintance};
use crate::commands::fetch::fetching::Run;
use crate::commands::fetch::plan;
use crate::commands::fetch::sampling::{self, Sampled};
use crate::commands::output::extract::extract_all;
use crate::directory::{existing, last_words, open};
use crate::disk_space;
use crate::environment::{Access, Environment};
use crate::exit_code;
use crate::keys;
use crate::render::errors::{CONTINUES, Failed, Usage, broken_off};
use crate::render::plan::brief;
use crate::render::summary::{self, Told};
use crate::request::{Asked, Words, understand};
use crate::terminal;
use anyhow::Context as _;
use jiff::Timestamp;
use jindo::archive::{Archive, Aside, Journal, Line, Request, Spaced};
use jindo::clock::Clock;
use jindo::extract;
use jindo::fetch::{End, FetchOutcome};
use jindo::job::{Export, Probing, closed, closed_without_probes};
use jindo::plan::{Limits, Plan};
use jindo::request::Client;
use std::sync::atomic::AtomicBool;

/// `jindo export`: again = continue.
pub(crate) fn run(
    command: &args::ExportArgs,
    clock: &dyn Clock,
    interrupted: &AtomicBool,
) -> anyhow::Result<u8> {
    let access = || {
        let given = keys::given(&command.connection, Environment::read())?;
        given.access(&command.connection, command.pacing.give_up_after())
    };
    let told = export(command, &access, clock, interrupted)?;
    terminal::answer(&summary::of_export(&told))?;
    terminal::answer(&summary::next(&told))?;
    Ok(exit_code::of_export(&told.outcome.end, told.files.as_ref(), command.accept_partial))
}

/// The whole job. `access` is called only when there is something to ask.
pub(crate) fn export(
    command: &args::ExportArgs,
    access: &dyn Fn() -> anyhow::Result<Access>,
    clock: &dyn Clock,
    interrupted: &AtomicBool,
) -> anyhow::Result<Told> {
    let started = clock.now();
    let Prepared { asked: first, spaced, plan } = prepare(command, started)?;
    let unsampled = !first.list.unspaced.is_empty();
    if !unsampled {
        say_plan(&first, &plan, command, started);
        disk_space::check(&plan, command)?;
    }
    let client = (unsampled || plan.calls() > 0).then(|| connect(access)).transpose()?;
    let archive = open(command.out(), clock)?;
    say_journal(&archive, command);
    let known = match &client {
        Some((client, access)) => Some(bind(client, access, &archive, command)?),
        None => None,
    };
    forget(&archive, command, &first)?;
    archive.space(&spaced)?;
    let (archive, shown, zone) = (&archive, &shown(&first)?, first.zone_of_clocks());
    let mut run = Run {
        command,
        asked: &first,
        archive,
        client: client.as_ref().map(|(client, _)| client),
        shown,
        started,
        clock,
        interrupted,
        zone,
        calls: 0,
        promise: None,
    };
    let Sampled { spaced, end } = run.sample()?;
    let asked = &first.spaced(spaced)?;
    let is_asked = end.is_none();
    let (plan, mut outcome) = if let Some(end) = end {
        (plan, FetchOutcome { end, calls: 0, points: 0 })
    } else {
        archive.register(&request(asked)?)?;
        let course = course(archive, asked, command);
        if unsampled {
            let plan = course.planned(clock.now())?.plan;
            say_plan(asked, &plan, command, started);
            disk_space::check(&plan, command)?;
        }
        course.run(&mut run)?
    };
    let promise = run.promise;
    outcome.calls = run.calls;
    if let Some(((client, access), known)) = client.as_ref().zip(known) {
        check_access(&outcome, client, access, known)?;
    }
    // Before anything is registered there are no files to be brought up to date. Why the fetching ended comes first: what is
    // wrong with the files may follow from it.
    let files =
        if is_asked { extract_all(archive, command.out(), shown, interrupted) } else { Ok(None) };
    check_end(&outcome)?;
    let files = files?;
    Ok(Told {
        plan,
        outcome,
        promise,
        files,
        dir: command.out().to_owned(),
        whom: command.connection.as_typed(),
        took: clock.now().duration_since(started),
    })
}

fn course<'a>(archive: &'a Archive, asked: &Asked, command: &args::ExportArgs) -> Export<'a> {
    let probing = if command.sparse.probe { Probing::First } else { Probing::Never };
    let (range, look_back) = (asked.wanted(), command.pacing.look_back());
    Export { archive, range, probing, look_back, assumed: Limits::ASSUMED }
}

/// What is known before anything is asked or written.
struct Prepared {
    asked: Asked,
    /// What samples of an earlier run show, and is not kept yet.
    spaced: Vec<Spaced>,
    plan: Plan,
}

fn prepare(command: &args::ExportArgs, now: Timestamp) -> anyhow::Result<Prepared> {
    let before = existing(command.out())?;
    let last = last_words(&command.request, before.as_ref())?;
    let known = before.as_ref().filter(|_| !command.forget);
    let spaced = known.map(Archive::spaced).transpose()?.unwrap_or_default();
    let words = Words::new(&command.request, last)?;
    let asked = understand(words, spaced, command.pacing.settle(), now)?;
    let spaced = sampling::by_samples(&asked, known, command.pacing.look_back(), now)?;
    let asked = asked.spaced(spaced.clone())?;
    let limits = known.map(plan::limits).transpose()?.unwrap_or(Limits::ASSUMED);
    let held = if command.sparse.recheck_probed { closed_without_probes } else { closed };
    let plan = plan::plan(&asked, before.as_ref(), held, limits, now)?;
    Ok(Prepared { asked, spaced, plan })
}

/// Drops what was learnt, as far as that is wanted; of samples and probes the answers too, or they would teach the same again.
fn forget(archive: &Archive, command: &args::ExportArgs, asked: &Asked) -> anyhow::Result<()> {
    if command.forget {
        archive.forget()?;
    }
    let samples_anew = command.forget && asked.words.is_auto();
    if command.sparse.recheck_probed || samples_anew {
        archive.forget_answers(Aside::Probes)?;
    }
    if samples_anew {
        archive.forget_answers(Aside::Samples)?;
    }
    Ok(())
}

fn say_plan(asked: &Asked, plan: &Plan, command: &args::ExportArgs, now: Timestamp) {
    if !command.progress().is_talkative() {
        return;
    }
    for note in &asked.list.notes {
        terminal::remark(&format!("{note}\n"));
    }
    if asked.words.keeps_going() {
        for complaint in &asked.list.refused {
            terminal::remark(&format!("left out: {complaint}\n"));
        }
    }
    terminal::remark(&brief(asked, plan, command.pacing.limit, now));
    terminal::remark(&disk_space::in_words(plan, command.out()));
}

/// Where the directory lies is said when it makes the ledger slower.
fn say_journal(archive: &Archive, command: &args::ExportArgs) {
    if let Journal::Rollback(place) = archive.journal()
        && command.progress().is_talkative()
    {
        terminal::remark(&format!(
            "{} lies on {place}: its ledger is kept by a slower journal, safe there\n",
            command.out().display()
        ));
    }
}

/// The client. Made only when there is a call to make: without one neither keys nor network are needed.
fn connect(access: &dyn Fn() -> anyhow::Result<Access>) -> anyhow::Result<(Client, Access)> {
    let access = access()?;
    let client = Client::new(&access.endpoint, &access.keys).map_err(|error| {
        let is_key = matches!(error, jindo::request::ClientError::Key { .. });
        let origin = if is_key { format!(" ({})", access.origin) } else { String::new() };
        Usage::new(format!("{error}{origin}"))
    })?;
    Ok((client, access))
}

/// Learns whose organisation the keys open, and refuses to mix two in one directory.
fn bind(
    client: &Client,
    access: &Access,
    archive: &Archive,
    command: &args::ExportArgs,
) -> anyhow::Result<Acquaintance> {
    let (organisation, known) = auth::organisation(client, access, archive)?;
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
        asked: asked.wanted(),
        timezone: zone_name(asked)?,
        arguments: serde_json::to_string(&asked.words)?,
    })
}

/// The IANA name; `local` is a name of today's machine only.
fn zone_name(asked: &Asked) -> anyhow::Result<String> {
    asked.zone.iana_name().map(str::to_owned).context("the time zone has no IANA name")
}

fn shown(asked: &Asked) -> anyhow::Result<extract::DisplayOptions> {
    Ok(extract::DisplayOptions { zone: asked.zone.clone(), timezone: zone_name(asked)? })
}

/// Keys that are refused from the start, or an address without an API, end with a sentence that says which.
fn check_access(
    outcome: &FetchOutcome,
    client: &Client,
    access: &Access,
    known: Acquaintance,
) -> anyhow::Result<()> {
    match &outcome.end {
        End::Forbidden { words, after_success: false } => {
            Err(auth::which_key(client, access, known, words))
        }
        End::Astray { words } => Err(auth::no_api(access, words)),
        End::Forbidden { after_success: true, .. }
        | End::Done
        | End::OutOfCalls
        | End::Interrupted
        | End::Failed { .. }
        | End::Broke { .. } => Ok(()),
    }
}

/// A run that broke off says why, once the files show what it brought.
fn check_end(outcome: &FetchOutcome) -> anyhow::Result<()> {
    let (text, hint) = match &outcome.end {
        End::Broke { cause } => return Err(broken_off(cause).into()),
        End::Failed { why } => (why.clone(), CONTINUES),
        End::Forbidden { words, .. } => (
            format!("the keys worked and are now refused: {words}"),
            "what was fetched is kept; with valid keys the same command continues",
        ),
        End::Done | End::OutOfCalls | End::Interrupted | End::Astray { .. } => return Ok(()),
    };
    Err(Failed::new(text, hint).into())
}
