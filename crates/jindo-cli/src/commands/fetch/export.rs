//! `jindo export`: turns the command line into a request, lets the library carry it out, and reports the result.

use crate::args::ExportArgs;
use crate::commands::fetch::calls::Calls;
use crate::commands::fetch::export_setup::ExportSetup;
use crate::directory::{existing, holder, last_request};
use crate::environment::Environment;
use crate::exit_code;
use crate::keys;
use crate::render::errors::{CONTINUES, Failed, broken_off};
use crate::render::export::{Screen, of_job};
use crate::render::summary::{self, ExportSummary};
use crate::request::TypedRequest;
use crate::terminal;
use jiff::Timestamp;
use jindo::clock::Clock;
use jindo::fetch::End;
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
    let access = || {
        let given = keys::given(&command.connection, Environment::read())?;
        given.access(&command.connection, command.pacing.give_up_after())
    };
    let request = &request(command, clock.now())?;
    let connection = command.connection.as_typed();
    let (out, progress) = (command.out(), command.progress());
    let setup = ExportSetup { request, out, progress, access: &access, connection };
    let told = setup.carry_out(clock, interrupted)?;
    terminal::answer(&summary::of_export(&told))?;
    terminal::answer(&summary::next(&told))?;
    Ok(exit_code::of_export(&told.outcome.end, told.files.as_ref(), command.accept_partial))
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
            concurrency: pacing.concurrency(),
            reserve: pacing.reserve(),
            limit: pacing.limit,
            max_calls: pacing.max_calls,
            give_up_after: pacing.give_up_after(),
        },
        settle: pacing.settle(),
        look_back: pacing.look_back(),
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
        let report = export.run(&mut calls, &mut screen).map_err(|error| self.worded(error))?;
        let ExportReport { plan, outcome, files, took } = report;
        calls.check(&outcome.end)?;
        check_end(&outcome.end)?;
        let (forecast, dir) = (screen.forecast(), self.out.to_owned());
        let connection = self.connection.clone();
        Ok(ExportSummary { plan, outcome, forecast, files, dir, connection, took })
    }

    fn worded(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast() {
            Ok(error) => of_job(error, &self.request.zone),
            Err(other) => other,
        }
    }
}

/// Returns an error for calls that ended in a failure.
fn check_end(end: &End) -> anyhow::Result<()> {
    let (text, hint) = match end {
        End::Broke { cause } => return Err(broken_off(cause).into()),
        End::Failed { why } => (why.clone(), CONTINUES),
        End::Forbidden { words, .. } => (
            format!("the keys worked and are now refused: {words}"),
            "what was fetched is kept; with valid keys the same command continues",
        ),
        End::Done | End::OutOfCalls | End::Interrupted | End::NotAnApi { .. } => return Ok(()),
    };
    Err(Failed::new(text, hint).into())
}
