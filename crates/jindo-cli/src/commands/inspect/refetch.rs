//! `jindo verify --refetch`: compares a random sample of the archive with the server, point by point. With `--repair` what differs is
//! marked, and the next export fetches it again; otherwise only the run's log and the result are written.

use crate::args::VerifyArgs;
use crate::auth::{self, KeyFacts};
use crate::commands::fetch::plan::limits;
use crate::defaults;
use crate::directory::open;
use crate::environment::{Access, Environment};
use crate::keys;
use crate::render::errors::{Failed, Usage, broken_off};
use crate::render::progress::ProgressReport;
use crate::render::refetch::RefetchReport;
use crate::render::units::counted;
use crate::terminal;
use anyhow::Context as _;
use jiff::tz::TimeZone;
use jindo::archive::{self, Archive};
use jindo::clock::{Clock, entropy};
use jindo::fetch::{Doors, End, FetchOutcome, RunLog, Settings, drive};
use jindo::job::{Audit, AuditRecord, AuditRequest, Marking, SampleSize};
use jindo::request::{BudgetKey, Budgets, Client};
use jindo::text::with_causes;
use std::sync::atomic::AtomicBool;

/// A seed that is short enough to be typed.
const SEED_BELOW: u64 = 1_000_000_000;

/// A comparison as the command line requests it, with the access that its calls need.
pub(crate) struct Refetch<'a> {
    command: &'a VerifyArgs,
    size: SampleSize,
    access: Access,
}

/// Report of a comparison, and the failure that ended it early.
pub(crate) struct RefetchOutcome {
    pub(crate) report: RefetchReport,
    pub(crate) failure: Option<anyhow::Error>,
}

impl<'a> Refetch<'a> {
    /// Reads keys and connection; `None` without `--refetch`.
    pub(crate) fn of(command: &'a VerifyArgs) -> anyhow::Result<Option<Self>> {
        let Some(size) = command.refetch.sample else { return Ok(None) };
        let place = &command.refetch.connection;
        let given = keys::given(place, Environment::read())?;
        let access = given.access(place, command.refetch.give_up_after())?;
        Ok(Some(Self { command, size, access }))
    }

    /// Compares a sample with the server. The archive is locked only where `--repair` is to mark something.
    pub(crate) fn run(
        &self,
        clock: &dyn Clock,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<RefetchOutcome> {
        let VerifyArgs { dir, repair, refetch, .. } = self.command;
        let archive = if *repair { open(dir, clock)? } else { Archive::read(dir)? };
        let request = AuditRequest {
            size: self.size,
            seed: refetch.seed.unwrap_or_else(|| entropy() % SEED_BELOW),
            marking: if *repair { Marking::Mark } else { Marking::Keep },
        };
        let mut contact = None;
        let outcome = request.run(&archive, clock.now(), |audit| {
            let contact = contact.insert(self.contact(&archive)?);
            self.make(contact, audit, clock, interrupted)
        })?;
        if let Some(Ok(_)) = &outcome.calls {
            self.keep(&archive, &AuditRecord::new(&outcome.report, request.seed, clock.now()));
        }
        let report = RefetchReport::new(dir, request, &outcome);
        let failure = match (outcome.marked, outcome.calls) {
            (Err(error), _) => Some(error.into()),
            (Ok(_), Some(Err(error))) => Some(error),
            (Ok(_), Some(Ok(made))) => contact.and_then(|contact| self.failure(made.end, &contact)),
            (Ok(_), None) => None,
        };
        Ok(RefetchOutcome { report, failure })
    }

    /// Keeps the result in the ledger. Where that cannot be written, the result is reported all the same: its calls are paid.
    fn keep(&self, archive: &Archive, record: &AuditRecord) {
        let kept = if self.command.repair {
            record.keep(archive)
        } else {
            Archive::beside(&self.command.dir)
                .map_err(Into::into)
                .and_then(|archive| record.keep(&archive))
        };
        if let Err(error) = kept {
            let why = with_causes(&error);
            terminal::remark(&format!("`jindo status` will not show this result: {why}\n"));
        }
    }

    /// Opens the connection. Other keys than those of the archive's organisation are refused before any query.
    fn contact<'c>(&self, archive: &'c Archive) -> anyhow::Result<AuditConnection<'c>> {
        let client = Client::new(&self.access.endpoint, &self.access.keys)
            .map_err(|error| Usage::new(error.to_string()))?;
        let (organisation, known) = auth::organisation(&client, &self.access, archive)?;
        match archive.recognise(&organisation) {
            Err(archive::Error::OtherOrganisation { kept, given }) => Err(Usage::new(format!(
                "this directory belongs to {kept}, the keys to {given}; nothing was fetched"
            ))
            .hint("give the keys of the organisation whose data it holds")
            .into()),
            other => Ok(other.map(|()| AuditConnection { archive, client, known })?),
        }
    }

    /// Makes the calls, and shows their progress.
    fn make(
        &self,
        AuditConnection { archive, client, .. }: &AuditConnection<'_>,
        audit: &Audit<'_>,
        clock: &dyn Clock,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<FetchOutcome> {
        let again = &self.command.refetch;
        let settings = Settings {
            concurrency: usize::from(again.concurrency()),
            budgets: Budgets::default(),
            budget_key: BudgetKey::of_queries(&self.access.site, None),
            reserve: again.reserve(),
            pace: again.limit,
            calls_max: None,
            give_up_after: again.give_up_after(),
            limits: limits(archive)?,
            seed: entropy(),
        };
        let started = clock.now();
        let calls = counted(audit.plan().calls() as u64, "window is", "windows are");
        terminal::remark(&format!("{calls} fetched again, one call each\n"));
        let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
        let mut report =
            ProgressReport::new(defaults::PROGRESS, again.concurrency(), started, zone);
        let doors = Doors {
            client,
            clock,
            log: log(RunLog::create(&self.command.dir, started, 0))?,
            report: &mut report,
            sink: audit,
            interrupted,
            extract: &|_| Ok(()),
        };
        let outcome = drive(doors, audit.mission(), settings).context("while fetching again")?;
        report.done(&outcome, clock.now());
        Ok(outcome)
    }

    /// Returns why the calls ended before the last one; `None` where they did not, or were interrupted.
    fn failure(&self, end: End, contact: &AuditConnection<'_>) -> Option<anyhow::Error> {
        let (text, hint) = match end {
            End::Done | End::OutOfCalls | End::Interrupted => return None,
            End::Forbidden { words, after_success: false } => {
                let AuditConnection { client, known, .. } = contact;
                return Some(auth::which_key(client, &self.access, *known, &words));
            }
            End::NotAnApi { words } => return Some(auth::no_api(&self.access, &words)),
            End::Broke { cause } => return Some(broken_off(&cause).into()),
            End::Failed { why } => (why, "try again later; the same --seed draws the same sample"),
            End::Forbidden { words, after_success: true } => (
                format!("the keys worked and are now refused: {words}"),
                "with valid keys the same --seed draws the same sample",
            ),
        };
        Some(Failed::new(text, hint).into())
    }
}

/// A connection whose keys belong to the archive's organisation.
struct AuditConnection<'a> {
    archive: &'a Archive,
    client: Client,
    known: KeyFacts,
}

/// Opens the run's log; without one where the directory is read-only, so that such a copy can be compared too.
fn log(created: std::io::Result<RunLog>) -> anyhow::Result<RunLog> {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match created {
        Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            Ok(RunLog::nowhere())
        }
        other => other.context("while creating the run's log"),
    }
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
