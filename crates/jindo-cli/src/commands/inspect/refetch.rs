//! `jindo verify --refetch`: compares a random sample of the archive with the server, point by point. With `--repair` what differs is
//! marked, and the next export fetches it again; otherwise only the run's log and the result are written.

use crate::args::VerifyArgs;
use crate::auth::{Contact, EndHints, failure};
use crate::defaults;
use crate::directory::{Memory, writer};
use crate::environment::Access;
use crate::interruption::Interruption;
use crate::keys;
use crate::render::errors::Usage;
use crate::render::progress::{ProgressReport, Voice};
use crate::render::refetch::RefetchReport;
use crate::render::units::counted;
use crate::terminal;
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{self, Archive};
use jindo::clock::{Clock, entropy};
use jindo::fetch::{Doors, RunLog, Settings, drive};
use jindo::job::{AuditRecord, AuditRequest, Marking, Pacing, SampleSize, learnt_limits};
use jindo::plan::Limits;
use jindo::request::{BudgetKey, Budgets, Reserve};
use jindo::text::with_causes;

/// A seed that is short enough to be typed.
const SEED_BELOW: u64 = 1_000_000_000;

/// A comparison as the command line requests it, with the access that its calls need.
pub(crate) struct Refetch<'a> {
    command: &'a VerifyArgs,
    size: SampleSize,
    access: Access,
}

impl<'a> Refetch<'a> {
    /// Reads keys and connection; `None` without `--refetch`.
    pub(crate) fn of(command: &'a VerifyArgs) -> anyhow::Result<Option<Self>> {
        let Some(size) = command.refetch.sample else { return Ok(None) };
        let give_up_after = command.refetch.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER);
        let connection = &command.refetch.connection;
        let known = Memory::of_directory(command.dir())?.address();
        let access = keys::given(connection)?.access(connection, &known, give_up_after)?;
        Ok(Some(Self { command, size, access }))
    }

    /// Compares a sample with the server. The archive is locked only where `--repair` is to mark something. Returns the
    /// report, and the failure that ended it early.
    pub(crate) fn run(
        self,
        clock: &dyn Clock,
        interruption: &Interruption,
    ) -> anyhow::Result<(RefetchReport, Option<anyhow::Error>)> {
        let Self { command, size, access } = self;
        let VerifyArgs { repair, refetch, .. } = command;
        let dir = command.dir();
        let archive =
            if *repair { Archive::open(dir, &writer(clock))? } else { Archive::read(dir)? };
        let request = AuditRequest {
            size,
            seed: refetch.seed.unwrap_or_else(|| entropy() % SEED_BELOW),
            marking: if *repair { Marking::Mark } else { Marking::Keep },
        };
        let settings = settings(command, &access.site, &archive, clock.now())?;
        let mut contact = None;
        let outcome = request.run(&archive, clock.now(), |audit| {
            let contact = contact.insert(connect(access, &archive)?);
            let started = clock.now();
            let calls = counted(audit.plan.calls() as u64, "window is", "windows are");
            terminal::remark(format!("{calls} fetched again, one call each"));
            let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
            let concurrency = refetch.concurrency.unwrap_or(Pacing::CONCURRENCY);
            let voice = Voice { style: defaults::PROGRESS, interruption };
            let mut report = ProgressReport::new(voice, concurrency, started, zone);
            let doors = Doors {
                client: &contact.client,
                clock,
                log: log(RunLog::create(dir, started, 0))?,
                report: &mut report,
                sink: audit,
                interrupted: interruption.flag(),
                extract: &|_| Ok(()),
            };
            let made = drive(doors, audit.mission(), settings).context("while fetching again")?;
            report.done(&made, clock.now());
            Ok(made)
        })?;
        let made = outcome.calls.as_ref().and_then(|made| made.as_ref().ok());
        if made.is_some() {
            keep(command, &archive, &AuditRecord::new(&outcome.report, request.seed, clock.now()));
        }
        let hints = EndHints {
            failed: "try again later; the same --seed draws the same sample",
            revoked: "with valid keys the same --seed draws the same sample",
        };
        let failure = made.and_then(|made| failure(&made.end, contact.as_ref(), &hints));
        let (report, broken) = RefetchReport::new(dir, request, outcome);
        Ok((report, broken.or(failure)))
    }
}

/// Returns the settings of the calls: those of the command line, and the limits that exports learnt.
fn settings(
    command: &VerifyArgs,
    site: &str,
    archive: &Archive,
    now: Timestamp,
) -> anyhow::Result<Settings> {
    let again = &command.refetch;
    let limits = learnt_limits(archive, Limits::ASSUMED, now)?;
    Ok(Settings {
        concurrency: usize::from(again.concurrency.unwrap_or(Pacing::CONCURRENCY)),
        budgets: Budgets::default(),
        budget_key: BudgetKey::of_queries(site, None),
        reserve: again.reserve.unwrap_or(Reserve::USUAL),
        pace: again.limit,
        calls_max: None,
        give_up_after: again.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER),
        limits,
        // What is compared is asked as it was fetched: nothing larger is attempted.
        assumed: limits,
        seed: entropy(),
    })
}

/// Keeps the result in the ledger. Where that cannot be written, the result is reported all the same: its calls are paid.
fn keep(command: &VerifyArgs, archive: &Archive, record: &AuditRecord) {
    let kept = if command.repair {
        record.keep(archive)
    } else {
        Archive::beside(command.dir()).map_err(Into::into).and_then(|archive| record.keep(&archive))
    };
    if let Err(error) = kept {
        let why = with_causes(&error);
        terminal::remark(format!("`jindo status` will not show this result: {why}"));
    }
}

/// Opens the connection. Other keys than those of the archive's organisation are refused before any query.
fn connect(access: Access, archive: &Archive) -> anyhow::Result<Contact> {
    let mut contact = Contact::new(access)?;
    let organisation = contact.organisation(archive)?;
    match archive.recognise(&organisation) {
        Err(archive::Error::OtherOrganisation { kept, given }) => Err(Usage::new(format!(
            "this directory belongs to {kept}, the keys to {given}; nothing was fetched"
        ))
        .hint("give the keys of the organisation whose data it holds")
        .into()),
        other => Ok(other.map(|()| contact)?),
    }
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
