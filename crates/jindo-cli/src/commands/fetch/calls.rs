//! Calls of an export: finds keys and makes a client once the first call is certain, then runs the driver for each job.

use crate::auth::{self, KeyFacts};
use crate::commands::fetch::export_setup::ExportSetup;
use crate::disk_space;
use crate::environment::Access;
use crate::render::errors::Usage;
use anyhow::Context as _;
use jiff::Timestamp;
use jindo::archive::{Archive, Organisation};
use jindo::clock::{Clock, entropy};
use jindo::fetch::{Doors, End, FetchOutcome, RunLog, drive};
use jindo::job::{Caller, FetchWork};
use jindo::plan::Plan;
use jindo::request::{Client, ClientError};
use std::sync::atomic::AtomicBool;

/// Makes the calls of one export.
pub(crate) struct Calls<'a> {
    setup: &'a ExportSetup<'a>,
    clock: &'a dyn Clock,
    interrupted: &'a AtomicBool,
    started: Timestamp,
    contact: Option<Contact>,
    /// Calls made so far, by which the log numbers them.
    made: u64,
}

/// Connection to the API, and the result of the first calls about the keys.
struct Contact {
    client: Client,
    access: Access,
    known: Option<KeyFacts>,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(
        setup: &'a ExportSetup<'a>,
        clock: &'a dyn Clock,
        interrupted: &'a AtomicBool,
    ) -> Self {
        Self { setup, clock, interrupted, started: clock.now(), contact: None, made: 0 }
    }

    /// Returns an error that names the key or the address, where calls were refused from the start.
    pub(crate) fn check(&self, end: &End) -> anyhow::Result<()> {
        let Some(Contact { client, access, known: Some(known) }) = &self.contact else {
            return Ok(());
        };
        match end {
            End::Forbidden { words, after_success: false } => {
                Err(auth::which_key(client, access, *known, words))
            }
            End::NotAnApi { words } => Err(auth::no_api(access, words)),
            End::Forbidden { after_success: true, .. }
            | End::Done
            | End::OutOfCalls
            | End::Interrupted
            | End::Failed { .. }
            | End::Broke { .. } => Ok(()),
        }
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

    fn admit(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let calls_max = self.setup.request.pacing.max_calls;
        Ok(disk_space::check(plan, self.setup.out, calls_max)?)
    }

    fn connect(&mut self) -> anyhow::Result<()> {
        let access = (self.setup.access)()?;
        let client = Client::new(&access.endpoint, &access.keys).map_err(|error| {
            let is_key = matches!(error, ClientError::Key { .. });
            let origin = if is_key { format!(" ({})", access.origin) } else { String::new() };
            Usage::new(format!("{error}{origin}"))
        })?;
        self.contact = Some(Contact { client, access, known: None });
        Ok(())
    }

    fn identify(&mut self, archive: &Archive) -> anyhow::Result<Organisation> {
        let contact = self.contact();
        let (organisation, known) = auth::organisation(&contact.client, &contact.access, archive)?;
        contact.known = Some(known);
        Ok(organisation)
    }

    fn make(&mut self, work: FetchWork<'_>) -> anyhow::Result<FetchOutcome> {
        let log = RunLog::create(self.setup.out, self.started, self.made)
            .context("while creating the run's log")?;
        let FetchWork { job, settings, sink, files, report, .. } = work;
        let (clock, interrupted) = (self.clock, self.interrupted);
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
}
