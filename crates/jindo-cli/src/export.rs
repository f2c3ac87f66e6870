//! The main job: plan, contact, fetch, extract, and say how it went.

use crate::args;
use crate::asked::{Asked, Words, understand};
use crate::contact::{self, Acquaintance};
use crate::keys;
use crate::planning::{self, brief, existing, last_words};
use crate::probing::Probe;
use crate::progress::{Kept, Shown};
use crate::room;
use crate::screen;
use crate::settings::{Access, Environment};
use crate::spacing::{self, Sampled};
use crate::summary::{self, Told};
use crate::words::{CONTINUES, Failed, Usage, broken_off};
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{Archive, Holder, Journal, Line, QueryId, Registered, Request, Role, Spaced};
use jindo::clock::{Clock, entropy};
use jindo::extract::{self, Directory, Which};
use jindo::plan::{Limits, Plan};
use jindo::request::Client;
use jindo::run::{
    Breakage, Doors, End, Evidence, Keeping, Mission, Outcome, RunLog, Settings, as_registered,
    closed, closed_without_probes, drive, learnt_limits,
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
    let access = || {
        let given = keys::given(&command.place, Environment::read())?;
        given.access(&command.place, command.pace.give_up_after)
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
    let Prepared { asked: first, spaced, plan } = prepare(command, started)?;
    let unsampled = !first.list.unspaced.is_empty();
    if !unsampled {
        say_plan(&first, &plan, command, started);
        room::check(&plan, command)?;
    }
    let client = (unsampled || plan.calls() > 0).then(|| connect(access)).transpose()?;
    let archive = open(&command.out, clock)?;
    say_journal(&archive, command);
    let known = match &client {
        Some((client, access)) => Some(bind(client, access, &archive, command)?),
        None => None,
    };
    forget(&archive, command, &first)?;
    archive.space(&spaced)?;
    let (archive, shown, zone) = (&archive, &shown(&first)?, first.zone_of_clocks());
    let (asked, spent) = (&first, 0);
    let run = Run { command, asked, archive, shown, started, clock, interrupted, zone, spent };
    let server = client.as_ref().map(|(client, _)| client);
    let Sampled { calls: spent, spaced, end } = run.sample(server)?;
    let asked = &first.spaced(spaced)?;
    let is_asked = end.is_none();
    let Fetched { plan, mut outcome, promise } = if let Some(end) = end {
        Fetched { plan, outcome: Outcome { end, calls: 0, points: 0 }, promise: None }
    } else {
        archive.register(&request(asked)?)?;
        let run = Run { asked, spent, ..run };
        if unsampled {
            let (plan, _) = run.planned()?;
            say_plan(asked, &plan, command, started);
            room::check(&plan, command)?;
        }
        run.go(server)?
    };
    outcome.calls += spent;
    if let Some(((client, access), known)) = client.as_ref().zip(known) {
        check_access(&outcome, client, access, known)?;
    }
    // Before anything is registered there are no files to be brought up to date. Why the fetching ended comes first: what is
    // wrong with the files may follow from it.
    let files =
        if is_asked { extract_all(archive, &command.out, shown, interrupted) } else { Ok(None) };
    check_end(&outcome)?;
    let files = files?;
    Ok(Told {
        plan,
        outcome,
        promise,
        files,
        dir: command.out.clone(),
        whom: command.place.in_words(),
        took: clock.now().duration_since(started),
    })
}

/// What is known before anything is asked or written.
struct Prepared {
    asked: Asked,
    /// What samples of an earlier run show, and is not kept yet.
    spaced: Vec<Spaced>,
    plan: Plan,
}

fn prepare(command: &args::Export, now: Timestamp) -> anyhow::Result<Prepared> {
    let before = existing(&command.out)?;
    let last = last_words(before.as_ref())?;
    let known = before.as_ref().filter(|_| !command.forget);
    let spaced = known.map(Archive::spaced).transpose()?.unwrap_or_default();
    let words = Words::new(&command.wanted, last)?;
    let asked = understand(words, spaced, command.pace.settle, now)?;
    let spaced = spacing::by_samples(&asked, known, command.pace.look_back, now)?;
    let asked = asked.spaced(spaced.clone())?;
    let limits = known.map(learnt_limits).transpose()?.unwrap_or(Limits::ASSUMED);
    let held = if command.emptiness.recheck_probed { closed_without_probes } else { closed };
    let plan = planning::plan(&asked, before.as_ref(), held, limits, now)?;
    Ok(Prepared { asked, spaced, plan })
}

/// Drops what was learnt, as far as that is wanted; of samples and probes the answers too, or they would teach the same again.
fn forget(archive: &Archive, command: &args::Export, asked: &Asked) -> anyhow::Result<()> {
    if command.forget {
        archive.forget()?;
    }
    if command.emptiness.recheck_probed || (command.forget && asked.words.is_auto()) {
        archive.forget_probes()?;
    }
    Ok(())
}

fn say_plan(asked: &Asked, plan: &Plan, command: &args::Export, now: Timestamp) {
    if !is_talkative(command) {
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
    screen::remark(&room::in_words(plan, &command.out));
}

/// Where the directory lies is said when it makes the ledger slower.
fn say_journal(archive: &Archive, command: &args::Export) {
    if let Journal::Rollback(place) = archive.journal()
        && is_talkative(command)
    {
        screen::remark(&format!(
            "{} lies on {place}: its ledger is kept by a slower journal, safe there\n",
            command.out.display()
        ));
    }
}

/// Whether people read along.
fn is_talkative(command: &args::Export) -> bool {
    use args::ProgressStyle::{Auto, Bar, Json, None, Plain};
    match command.progress {
        Auto | Bar | Plain => true,
        Json | None => false,
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

/// What was asked of the server in the end, and what came of it.
struct Fetched {
    plan: Plan,
    outcome: Outcome,
    promise: Option<Kept>,
}

/// What the calls of an export need, those of its probes too.
pub(crate) struct Run<'a> {
    pub(crate) command: &'a args::Export,
    pub(crate) asked: &'a Asked,
    pub(crate) archive: &'a Archive,
    shown: &'a extract::Shown,
    started: Timestamp,
    pub(crate) clock: &'a dyn Clock,
    interrupted: &'a AtomicBool,
    /// In which the time of day is told at which the run will be done.
    zone: TimeZone,
    /// Calls that were made before the first of its own.
    spent: u64,
}

impl Run<'_> {
    /// Probes where that is wanted, and fetches; both only with a client: without one there is nothing to ask.
    fn go(&self, client: Option<&Client>) -> anyhow::Result<Fetched> {
        let done = |plan, calls| Fetched {
            plan,
            outcome: Outcome { end: End::Done, calls, points: 0 },
            promise: None,
        };
        self.doubt_empty()?;
        let (mut plan, mut registered) = self.planned()?;
        let Some(client) = client.filter(|_| plan.calls() > 0) else { return Ok(done(plan, 0)) };
        let mut probe = Probe::default();
        if self.heeds_probes()? {
            probe = self.probe(client)?;
            (plan, registered) = self.planned()?;
        }
        if let Some(end) = probe.end {
            let outcome = Outcome { end, calls: probe.calls, points: 0 };
            return Ok(Fetched { plan, outcome, promise: None });
        }
        if plan.calls() == 0 {
            return Ok(done(plan, probe.calls));
        }
        let before = self.doubts()?;
        let fetched = self.fetch(client, (plan, registered), probe.calls)?;
        self.doubt_empty()?;
        let (rest, registered) = self.planned()?;
        if fetched.outcome.end == End::Done && rest.calls() > 0 && self.doubts()? != before {
            // What a probe had left out, or what came back empty beyond a cap, is a gap again.
            let Outcome { calls, points, .. } = fetched.outcome;
            let mut again = self.fetch(client, (rest, registered), calls)?;
            again.outcome.points += points;
            return Ok(again);
        }
        Ok(fetched)
    }

    /// Samples look like probes: in a directory that has some, nothing is left out on their word unless somebody asked for probes.
    fn heeds_probes(&self) -> anyhow::Result<bool> {
        let asked = self.command.emptiness.probe || self.archive.totals()?.probed_s > 0;
        let sampled = self.asked.words.is_auto() || !self.archive.spaced()?.is_empty();
        Ok(asked || (!sampled && !self.archive.probes()?.is_empty()))
    }

    /// The plan as the ledger sees it, and its queries as it numbers them.
    pub(crate) fn planned(&self) -> anyhow::Result<(Plan, Vec<Registered>)> {
        let registered: Vec<_> =
            self.archive.queries()?.into_iter().filter(|query| query.position.is_some()).collect();
        let coverage = self.archive.coverage_all()?;
        let covered: Vec<_> = registered
            .iter()
            .map(|query| closed(coverage.get(&query.id).map_or(&[], Vec::as_slice)))
            .collect();
        let queries = registered.iter().map(as_registered).collect();
        let limits = learnt_limits(self.archive)?;
        let plan = Plan::new(self.asked.range, queries, &covered, limits, self.clock.now());
        Ok((plan, registered))
    }

    fn fetch(
        &self,
        client: &Client,
        (plan, registered): (Plan, Vec<Registered>),
        calls_before: u64,
    ) -> anyhow::Result<Fetched> {
        let given_up = |query: &Registered| query.given_up.is_some();
        let mission = Mission {
            plan: &plan,
            ids: registered.iter().map(|query| query.id).collect(),
            given_up: (0..registered.len()).filter(|&index| given_up(&registered[index])).collect(),
            look_back: self.command.pace.look_back,
            role: Role::Wanted,
        };
        let evidence = if self.heeds_probes()? {
            Evidence::of(self.archive, (&plan, &registered))?
        } else {
            Evidence::default()
        };
        let settings = self.settings(calls_before)?;
        let (mut outcome, promise) = self.make(client, mission, &evidence, settings)?;
        outcome.calls += calls_before;
        Ok(Fetched { plan, outcome, promise })
    }

    /// Makes the calls of a mission, with everything that they touch.
    pub(crate) fn make(
        &self,
        client: &Client,
        mission: Mission<'_>,
        evidence: &Evidence,
        settings: Settings,
    ) -> anyhow::Result<(Outcome, Option<Kept>)> {
        let now = self.clock.now();
        let args::Export { progress, pace, .. } = self.command;
        let mut report = Shown::new(*progress, pace.concurrency, now, self.zone.clone());
        let disk = Directory::of_archive(&self.command.out);
        let extract = |queries: &[QueryId]| {
            extract_queries(self.archive, &disk, queries, self.shown, self.interrupted)
                .map_err(Breakage::new)
        };
        let doors = Doors {
            archive: self.archive,
            client,
            clock: self.clock,
            log: RunLog::create(&self.command.out, self.started)
                .context("while creating the run's log")?,
            report: &mut report,
            keeping: Keeping::Store(evidence),
            interrupted: self.interrupted,
            extract: &extract,
        };
        let outcome = drive(doors, mission, settings).context("while fetching")?;
        let promise = report.done(&outcome, self.clock.now());
        Ok((outcome, promise))
    }

    /// `calls_before` were made in this run already.
    pub(crate) fn settings(&self, calls_before: u64) -> anyhow::Result<Settings> {
        Ok(Settings {
            concurrency: usize::from(self.command.pace.concurrency),
            reserve: self.command.pace.reserve,
            pace: self.command.pace.limit,
            calls_max: self
                .command
                .pace
                .max_calls
                .map(|most| most.saturating_sub(self.spent + calls_before)),
            give_up_after: self.command.pace.give_up_after,
            limits: learnt_limits(self.archive)?,
            seed: entropy(),
        })
    }
}

/// Keys that are refused from the start, or an address without an API, end with a sentence that says which.
fn check_access(
    outcome: &Outcome,
    client: &Client,
    access: &Access,
    known: Acquaintance,
) -> anyhow::Result<()> {
    match &outcome.end {
        End::Forbidden { words, after_success: false } => {
            Err(contact::which_key(client, access, known, words))
        }
        End::Astray { words } => Err(contact::no_api(access, words)),
        End::Forbidden { after_success: true, .. }
        | End::Done
        | End::OutOfCalls
        | End::Interrupted
        | End::Failed { .. }
        | End::Broke { .. } => Ok(()),
    }
}

/// A run that broke off says why, once the files show what it brought.
fn check_end(outcome: &Outcome) -> anyhow::Result<()> {
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

pub(crate) fn exit_code(told: &Told, command: &args::Export) -> u8 {
    let gaps = told.files.as_ref().is_none_or(|files| files.partial + files.given_up > 0);
    match told.outcome.end {
        End::Interrupted => 130,
        End::OutOfCalls if told.files.is_none() && !command.accept_partial => 3,
        End::OutOfCalls if told.files.is_none() => 0,
        _ if told.files.is_none() => 130,
        End::Done
        | End::OutOfCalls
        | End::Forbidden { .. }
        | End::Astray { .. }
        | End::Failed { .. }
        | End::Broke { .. } => {
            if gaps && !command.accept_partial {
                3
            } else {
                0
            }
        }
    }
}
