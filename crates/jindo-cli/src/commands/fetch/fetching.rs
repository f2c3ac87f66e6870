//! Makes the calls of an export, and of what goes ahead of it: a mission in, what came of it out.

use crate::args;
use crate::commands::fetch::plan::limits;
use crate::commands::output::extract::extract_queries;
use crate::render::progress::{Kept, Shown};
use crate::render::units::{count, counted};
use crate::request::Asked;
use crate::terminal;
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{self, Archive, QueryId};
use jindo::clock::{Clock, entropy};
use jindo::extract::{self, Directory};
use jindo::fetch::{
    Breakage, Doors, End, FetchJob, FetchOutcome, Keeping, RunLog, Settings, drive,
};
use jindo::job::{Caller, ProbeResults, Probed};
use jindo::request::Client;
use std::sync::atomic::AtomicBool;

/// What the calls of an export need, those of its samples and probes too, and what they came to.
pub(crate) struct Run<'a> {
    pub(crate) command: &'a args::ExportArgs,
    pub(crate) asked: &'a Asked,
    pub(crate) archive: &'a Archive,
    /// Without one there is nothing to ask.
    pub(crate) client: Option<&'a Client>,
    pub(crate) shown: &'a extract::DisplayOptions,
    pub(crate) started: Timestamp,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) interrupted: &'a AtomicBool,
    /// In which the time of day is told at which the run will be done.
    pub(crate) zone: TimeZone,
    /// Calls that were made so far.
    pub(crate) calls: u64,
    /// What the last mission promised after its first answer, and what it took.
    pub(crate) promise: Option<Kept>,
}

impl Run<'_> {
    /// `calls_max`: besides the user's own bound.
    fn settings(&self, calls_max: Option<u64>) -> Result<Settings, archive::Error> {
        let pace = &self.command.pacing;
        let users = pace.max_calls.map(|most| most.saturating_sub(self.calls));
        Ok(Settings {
            concurrency: usize::from(pace.concurrency()),
            reserve: pace.reserve(),
            pace: pace.limit,
            calls_max: [users, calls_max].into_iter().flatten().min(),
            give_up_after: pace.give_up_after(),
            limits: limits(self.archive)?,
            seed: entropy(),
        })
    }
}

impl Caller for Run<'_> {
    type Error = anyhow::Error;

    fn present(&self) -> Timestamp {
        self.clock.now()
    }

    fn make(
        &mut self,
        mission: FetchJob<'_>,
        evidence: &ProbeResults,
        calls_max: Option<u64>,
    ) -> anyhow::Result<FetchOutcome> {
        let Some(client) = self.client else {
            return Ok(FetchOutcome { end: End::Done, calls: 0, points: 0 });
        };
        let settings = self.settings(calls_max)?;
        let mut report = Shown::new(
            self.command.progress(),
            self.command.pacing.concurrency(),
            self.present(),
            self.zone.clone(),
        );
        let disk = Directory::of_archive(self.command.out());
        let extract = |queries: &[QueryId]| {
            extract_queries(self.archive, &disk, queries, self.shown, self.interrupted)
                .map_err(Breakage::new)
        };
        let doors = Doors {
            archive: self.archive,
            client,
            clock: self.clock,
            log: RunLog::create(self.command.out(), self.started, self.calls)
                .context("while creating the run's log")?,
            report: &mut report,
            keeping: Keeping::Store(evidence),
            interrupted: self.interrupted,
            extract: &extract,
        };
        let outcome = drive(doors, mission, settings).context("while fetching")?;
        self.promise = report.done(&outcome, self.present());
        self.calls += outcome.calls;
        Ok(outcome)
    }

    fn probed(&mut self, probed: &Probed) {
        let Probed { calls, found, planned, left } = *probed;
        let percent = (found.empty * 100).checked_div(found.windows).unwrap_or(0);
        if self.command.progress().is_talkative() {
            terminal::remark(&format!(
                "probed in {}: {percent} % of {} hold nothing, which leaves {} of {}\n",
                counted(calls, "call", "calls"),
                counted(found.windows as u64, "window of a query", "windows of queries"),
                count(left as u64),
                counted(planned as u64, "call", "calls"),
            ));
        }
    }
}
