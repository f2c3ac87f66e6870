//! `jindo export`: turns the command line into a request, lets the library carry it out, and reports the result.

use crate::args::ExportArgs;
use crate::commands::fetch::calls::{Calls, ExportSetup};
use crate::defaults;
use crate::directory::{existing, holder, last_request};
use crate::exit_code;
use crate::keys;
use crate::render::export::{Screen, of_job};
use crate::render::summary::{self, ExportSummary};
use crate::request::TypedRequest;
use crate::terminal;
use jiff::Timestamp;
use jindo::clock::Clock;
use jindo::job::{
    Export, ExportReport, ExportRequest, Folder, LearntFacts, OtherOrganisation, Pacing, Probing,
};
use jindo::request::Budgets;
use std::sync::atomic::AtomicBool;

/// Runs `jindo export`; running it again continues.
pub(crate) fn run(
    command: &ExportArgs,
    clock: &dyn Clock,
    interrupted: &AtomicBool,
) -> anyhow::Result<u8> {
    let give_up_after = command.pacing.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER);
    let access = || keys::given(&command.connection)?.access(&command.connection, give_up_after);
    let request = &request(command, clock.now())?;
    let progress = command.progress.unwrap_or(defaults::PROGRESS);
    let setup = ExportSetup { request, out: command.out(), progress, access: &access };
    let told = setup.carry_out(clock, interrupted)?;
    terminal::answer(&summary::of_export(&told))?;
    terminal::answer(&summary::next(&told, &command.connection.as_typed()))?;
    let ExportReport { outcome, files, .. } = &told.report;
    Ok(exit_code::of_export(&outcome.end, files.as_ref(), command.accept_partial))
}

/// Returns the request of the command line, or the directory's last one with what the command line changes of it.
fn request(command: &ExportArgs, now: Timestamp) -> anyhow::Result<ExportRequest> {
    let last = last_request(&command.request, existing(command.out())?.as_ref())?;
    let ExportArgs { pacing, sparse, .. } = command;
    Ok(ExportRequest {
        probing: match (sparse.probe, sparse.recheck_probed) {
            (true, _) => Probing::First,
            (false, true) => Probing::Discard,
            (false, false) => Probing::Never,
        },
        pacing: Pacing {
            concurrency: pacing.concurrency.unwrap_or(Pacing::CONCURRENCY),
            reserve: pacing.reserve.unwrap_or(Pacing::default().reserve),
            limit: pacing.limit,
            max_calls: pacing.max_calls,
            give_up_after: pacing.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER),
        },
        settle: pacing.settle.unwrap_or(ExportRequest::SETTLE),
        look_back: pacing.look_back.unwrap_or(ExportRequest::LOOK_BACK),
        learnt: if command.forget { LearntFacts::Forget } else { LearntFacts::Keep },
        other_organisation: if command.rebind {
            OtherOrganisation::Accept
        } else {
            OtherOrganisation::Refuse
        },
        ..TypedRequest::new(&command.request, last)?.resolve(now)?
    })
}

impl ExportSetup<'_> {
    /// Runs the export and returns its summary. A run that broke off returns its error after the files were brought up to date.
    pub(crate) fn carry_out(
        &self,
        clock: &dyn Clock,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<ExportSummary> {
        let storage = &Folder::new(self.out, holder(clock));
        let mut calls = Calls::new(self, clock, interrupted);
        let mut screen = Screen::new(self.request, self.out, self.progress, clock.now());
        let budgets = &Budgets::default();
        let export = Export { request: self.request, storage, budgets, interrupted };
        let worded = |error: anyhow::Error| match error.downcast() {
            Ok(error) => of_job(error, &self.request.zone),
            Err(other) => other,
        };
        let report = export.run(&mut calls, &mut screen).map_err(worded)?;
        calls.check(&report.outcome.end)?;
        Ok(ExportSummary { report, forecast: screen.forecast(), dir: self.out.to_owned() })
    }
}
