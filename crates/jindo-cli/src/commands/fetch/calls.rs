//! Calls of an export: finds keys and makes a client once the first call is certain, then runs the driver for each job.

use crate::args::ProgressStyle;
use crate::auth::{self, Contact, EndHints};
use crate::disk_space;
use crate::environment::Access;
use crate::interruption::Interruption;
use crate::render::errors::CONTINUES;
use crate::request::RequestNotes;
use anyhow::Context as _;
use jiff::Timestamp;
use jindo::archive::{Archive, Organisation};
use jindo::clock::{Clock, entropy};
use jindo::fetch::{Doors, End, FetchOutcome, LookupDoors, RunLog, drive, drive_lookups};
use jindo::job::{Caller, ExportPlan, ExportRequest, FetchWork, LookupWork};
use std::path::Path;

/// Request of an export with everything that the command line adds to it.
pub(crate) struct ExportSetup<'a> {
    pub(crate) request: &'a ExportRequest,
    pub(crate) notes: &'a RequestNotes,
    pub(crate) out: &'a Path,
    pub(crate) progress: ProgressStyle,
    /// Returns keys and address. Called only if there are calls to make.
    pub(crate) access: &'a dyn Fn() -> anyhow::Result<Access>,
}

/// Makes the calls of one export.
pub(crate) struct Calls<'a> {
    setup: &'a ExportSetup<'a>,
    clock: &'a dyn Clock,
    interruption: &'a Interruption,
    started: Timestamp,
    contact: Option<Contact>,
    /// Calls made so far, by which the log numbers them.
    made: u64,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(
        setup: &'a ExportSetup<'a>,
        clock: &'a dyn Clock,
        interruption: &'a Interruption,
    ) -> Self {
        Self { setup, clock, interruption, started: clock.now(), contact: None, made: 0 }
    }

    /// Returns the error of calls that ended in a failure.
    pub(crate) fn check(&self, end: &End) -> anyhow::Result<()> {
        let hints = EndHints {
            failed: CONTINUES,
            revoked: "what was fetched is kept; with valid keys the same command continues",
        };
        auth::failure(end, self.contact.as_ref(), &hints).map_or(Ok(()), Err)
    }

    fn contact(&mut self) -> &mut Contact {
        self.contact.as_mut().expect("calls are made once connected")
    }
}

impl Caller for Calls<'_> {
    type Error = anyhow::Error;

    fn present(&self) -> Timestamp {
        self.clock.now()
    }

    fn seed(&mut self) -> u64 {
        entropy()
    }

    fn admit(&mut self, plan: &ExportPlan) -> anyhow::Result<()> {
        let calls_max = self.setup.request.pacing.max_calls;
        Ok(disk_space::check(plan, self.setup.out, calls_max)?)
    }

    fn connect(&mut self) -> anyhow::Result<()> {
        let contact = Contact::new((self.setup.access)()?)?;
        contact.check_list(&self.setup.request.list)?;
        self.contact = Some(contact);
        Ok(())
    }

    fn identify(&mut self, archive: &Archive) -> anyhow::Result<Organisation> {
        self.contact().organisation(archive)
    }

    fn make(&mut self, work: FetchWork<'_>) -> anyhow::Result<FetchOutcome> {
        let log = RunLog::create(self.setup.out, self.started, self.made)
            .context("while creating the run's log")?;
        let FetchWork { job, settings, sink, files, report, .. } = work;
        let (clock, interrupted) = (self.clock, self.interruption.flag());
        let doors = Doors {
            client: &self.contact().client,
            clock,
            log,
            report,
            sink,
            interrupted,
            extract: files,
        };
        let outcome = drive(doors, job, settings).context("while fetching")?;
        self.made += outcome.calls;
        Ok(outcome)
    }

    fn look_up(&mut self, work: LookupWork<'_>) -> anyhow::Result<End> {
        let LookupWork { calls, settings, take } = work;
        let (clock, interrupted) = (self.clock, self.interruption.flag());
        let doors = LookupDoors { client: &self.contact().client, clock, interrupted };
        Ok(drive_lookups(doors, calls, settings, take)?)
    }
}
