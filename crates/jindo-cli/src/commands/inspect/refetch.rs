//! `verify --refetch`: fetches a random sample of the held windows again and compares it point by point. With `--repair` it marks
//! what differs, so that the next export fetches it again; else only the run's log is written.

use crate::args::VerifyArgs;
use crate::auth::{self, KeyFacts};
use crate::commands::fetch::plan::limits;
use crate::defaults;
use crate::directory::open;
use crate::environment::{Access, Environment};
use crate::keys;
use crate::render::errors::{Failed, Usage, broken_off};
use crate::render::progress::ProgressReport;
use crate::render::refetch::{Draw, RefetchReport};
use crate::render::units::counted;
use crate::terminal;
use anyhow::Context as _;
use jiff::tz::TimeZone;
use jindo::archive::{self, Archive};
use jindo::clock::{Clock, entropy};
use jindo::fetch::{Doors, End, FetchOutcome, Keeping, RunLog, Settings, drive};
use jindo::job::{Audit, SampleSize};
use jindo::request::Client;
use std::sync::atomic::AtomicBool;

/// A seed that is short enough to be typed.
const SEED_BELOW: u64 = 1_000_000_000;

/// Comparison that the command line asks for, with the access that its calls need.
pub(crate) struct Refetch<'a> {
    command: &'a VerifyArgs,
    size: SampleSize,
    access: Access,
}

/// Result of a comparison. After a failure the report says how far it came.
pub(crate) struct RefetchOutcome {
    pub(crate) report: RefetchReport,
    pub(crate) failure: Option<anyhow::Error>,
}

impl<'a> Refetch<'a> {
    /// Returns `None` without `--refetch`.
    pub(crate) fn of(command: &'a VerifyArgs) -> anyhow::Result<Option<Self>> {
        let Some(size) = command.refetch.sample else { return Ok(None) };
        let place = &command.refetch.connection;
        let given = keys::given(place, Environment::read())?;
        let access = given.access(place, command.refetch.give_up_after())?;
        Ok(Some(Self { command, size, access }))
    }

    /// Draws the sample, fetches it, compares. The archive is locked only if `--repair` is to mark something.
    pub(crate) fn run(
        &self,
        clock: &dyn Clock,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<RefetchOutcome> {
        let VerifyArgs { dir, repair, refetch, .. } = self.command;
        let archive = if *repair { open(dir, clock)? } else { Archive::read(dir)? };
        let seed = refetch.seed.unwrap_or_else(|| entropy() % SEED_BELOW);
        let draw = Draw { dir, size: self.size, seed };
        let drawn = Audit::draw(&archive, self.size, seed, clock.now())?;
        let Some(audit) = drawn else {
            return Ok(RefetchOutcome {
                report: RefetchReport::new(&draw, None, 0),
                failure: None,
            });
        };
        let fetched = self.make(&archive, &audit, clock, interrupted);
        let result = audit.ended();
        let calls = fetched.as_ref().map_or(0, |outcome| outcome.calls);
        let mut report = RefetchReport::new(&draw, Some(&result), calls);
        if *repair && !result.to_ask.is_empty() {
            match archive.reopen(&result.to_ask) {
                Ok(marked) => report.marked = marked,
                // The result is reported all the same: its calls are paid.
                Err(error) => return Ok(RefetchOutcome { report, failure: Some(error.into()) }),
            }
        }
        let failure = match fetched {
            Ok(FetchOutcome { end: End::Interrupted, .. }) => {
                report.interrupted = true;
                None
            }
            Ok(FetchOutcome { end, .. }) => stopped(end),
            Err(error) => Some(error),
        };
        Ok(RefetchOutcome { report, failure })
    }

    /// Makes sure that the keys are those of the archive's organisation, and makes the calls.
    fn make(
        &self,
        archive: &Archive,
        audit: &Audit<'_>,
        clock: &dyn Clock,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<FetchOutcome> {
        let client = Client::new(&self.access.endpoint, &self.access.keys)
            .map_err(|error| Usage::new(error.to_string()))?;
        let known = self.recognise(&client, archive)?;
        let flags = &self.command.refetch;
        let settings = Settings {
            concurrency: usize::from(flags.concurrency()),
            reserve: flags.reserve(),
            pace: flags.limit,
            calls_max: None,
            give_up_after: flags.give_up_after(),
            limits: limits(archive)?,
            seed: entropy(),
        };
        let started = clock.now();
        let calls = counted(audit.plan().calls() as u64, "window is", "windows are");
        terminal::remark(&format!("{calls} fetched again, one call each\n"));
        let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
        let mut report =
            ProgressReport::new(defaults::PROGRESS, flags.concurrency(), started, zone);
        let doors = Doors {
            archive,
            client: &client,
            clock,
            log: log(RunLog::create(&self.command.dir, started, 0))?,
            report: &mut report,
            keeping: Keeping::Compare(audit),
            interrupted,
            extract: &|_| Ok(()),
        };
        let outcome = drive(doors, audit.mission(), settings).context("while fetching again")?;
        report.done(&outcome, clock.now());
        match &outcome.end {
            End::Forbidden { words, after_success: false } => {
                Err(auth::which_key(&client, &self.access, known, words))
            }
            End::Astray { words } => Err(auth::no_api(&self.access, words)),
            End::Forbidden { after_success: true, .. }
            | End::Done
            | End::OutOfCalls
            | End::Interrupted
            | End::Failed { .. }
            | End::Broke { .. } => Ok(outcome),
        }
    }

    /// Refuses keys of another organisation than the archive's, before any query.
    fn recognise(&self, client: &Client, archive: &Archive) -> anyhow::Result<KeyFacts> {
        let (organisation, known) = auth::organisation(client, &self.access, archive)?;
        match archive.recognise(&organisation) {
            Err(archive::Error::OtherOrganisation { kept, given }) => Err(Usage::new(format!(
                "this directory belongs to {kept}, the keys to {given}; nothing was fetched"
            ))
            .hint("give the keys of the organisation whose data it holds")
            .into()),
            other => Ok(other.map(|()| known)?),
        }
    }
}

/// Returns the run's log, or none on a read-only medium, which can be compared all the same.
fn log(created: std::io::Result<RunLog>) -> anyhow::Result<RunLog> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match created {
        Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            Ok(RunLog::nowhere())
        }
        other => other.context("while creating the run's log"),
    }
}

/// Returns the error for calls that ended before the last one.
fn stopped(end: End) -> Option<anyhow::Error> {
    let (text, hint) = match end {
        End::Broke { cause } => return Some(broken_off(&cause).into()),
        End::Failed { why } => (why, "try again later; the same --seed draws the same sample"),
        End::Forbidden { words, .. } => (
            format!("the keys worked and are now refused: {words}"),
            "with valid keys the same --seed draws the same sample",
        ),
        End::Done | End::OutOfCalls | End::Interrupted | End::Astray { .. } => return None,
    };
    Some(Failed::new(text, hint).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_medium_for_reading_goes_without_a_log_and_a_full_one_does_not() {
        let made = |kind: ErrorKind| log(Err(kind.into())).is_ok();
        assert!(made(ErrorKind::PermissionDenied) && made(ErrorKind::ReadOnlyFilesystem));
        assert!(!made(ErrorKind::StorageFull) && !made(ErrorKind::NotADirectory));
    }
}
