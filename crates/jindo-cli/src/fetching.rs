//! Makes the calls of an export, and of what goes ahead of it: a mission in, what came of it out.

use crate::args;
use crate::asked::Asked;
use crate::extracting::extract_queries;
use crate::progress::{Kept, Shown};
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{Archive, QueryId, Registered, Role};
use jindo::clock::{Clock, entropy};
use jindo::extract::{self, Directory};
use jindo::plan::Plan;
use jindo::request::Client;
use jindo::run::{
    Breakage, Doors, End, Evidence, Keeping, Mission, Outcome, RunLog, Settings, as_registered,
    closed, drive, learnt_limits,
};
use std::sync::atomic::AtomicBool;

/// What was asked of the server in the end, and what came of it.
pub(crate) struct Fetched {
    pub(crate) plan: Plan,
    pub(crate) outcome: Outcome,
    pub(crate) promise: Option<Kept>,
}

impl Fetched {
    pub(crate) fn without_calls(plan: Plan, end: End) -> Self {
        Self { plan, outcome: Outcome { end, calls: 0, points: 0 }, promise: None }
    }
}

/// What the calls of an export need, those of its probes too.
pub(crate) struct Run<'a> {
    pub(crate) command: &'a args::Export,
    pub(crate) asked: &'a Asked,
    pub(crate) archive: &'a Archive,
    pub(crate) shown: &'a extract::Shown,
    pub(crate) started: Timestamp,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) interrupted: &'a AtomicBool,
    /// In which the time of day is told at which the run will be done.
    pub(crate) zone: TimeZone,
    /// Calls that were made before the first of its own.
    pub(crate) spent: u64,
}

impl Run<'_> {
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

    /// Fetches what is planned; answers are held against what probes said of them.
    pub(crate) fn fetch(
        &self,
        client: &Client,
        (plan, registered): (Plan, Vec<Registered>),
        evidence: &Evidence,
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
        let settings = self.settings(calls_before)?;
        let (mut outcome, promise) = self.make(client, mission, evidence, settings)?;
        outcome.calls += calls_before;
        Ok(Fetched { plan, outcome, promise })
    }

    /// Makes the calls of a mission, with everything that they touch.
    fn make(
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

    /// Makes calls that go ahead of the export: at most so many, and with those made before no more than the user allows. Their
    /// number, and why the run is over, when it is: not where their own bound is reached.
    pub(crate) fn ask_ahead(
        &self,
        client: &Client,
        mission: Mission<'_>,
        most: Option<u64>,
        calls_before: u64,
    ) -> anyhow::Result<(u64, Option<End>)> {
        let mut settings = self.settings(calls_before)?;
        let users = settings.calls_max;
        settings.calls_max = [users, most].into_iter().flatten().min();
        let (Outcome { end, calls, .. }, _) =
            self.make(client, mission, &Evidence::default(), settings)?;
        let end = match end {
            End::Done => None,
            End::OutOfCalls if users.is_none_or(|most| calls < most) => None,
            End::OutOfCalls
            | End::Interrupted
            | End::Forbidden { .. }
            | End::Astray { .. }
            | End::Failed { .. }
            | End::Broke { .. } => Some(end),
        };
        Ok((calls, end))
    }

    /// `calls_before` were made in this run already.
    fn settings(&self, calls_before: u64) -> anyhow::Result<Settings> {
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
