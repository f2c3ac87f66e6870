//! `jindo export`: turns the command line into a request, lets the library carry it out, and reports the result.

use crate::args::ExportArgs;
use crate::commands::fetch::calls::{Calls, ExportSetup};
use crate::defaults;
use crate::directory::{Memory, writer};
use crate::environment::carried_address;
use crate::exit_code;
use crate::interruption::Interruption;
use crate::keys;
use crate::keys::address::{KnownAddress, checked};
use crate::render::export::{Screen, of_job};
use crate::render::plan::Annotated;
use crate::render::progress::Voice;
use crate::render::summary::{self, ExportSummary, NextStep};
use crate::request::TypedRequest;
use crate::terminal;
use jiff::Timestamp;
use jindo::archive::Archive;
use jindo::clock::Clock;
use jindo::job::{
    DirectoryStatus, Export, ExportReport, ExportRequest, Folder, LearntFacts, Pacing, Probing,
};
use jindo::request::{Budgets, Reserve};

/// Runs `jindo export`; running it again continues.
pub(crate) fn run(
    command: &ExportArgs,
    clock: &dyn Clock,
    interruption: &Interruption,
) -> anyhow::Result<u8> {
    let give_up_after = command.pacing.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER);
    let memory = Memory::of_directory(command.out())?;
    let known = KnownAddress { other: command.other_organisation(), ..memory.address() };
    let connection = &command.connection;
    let carried = carried_address(connection, &known)?;
    let access = || keys::given(connection)?.access(connection, &known, give_up_after);
    let typed = typed(command, &memory)?;
    let mut notes = memory.notes(&typed, &command.request);
    notes.kept.extend(carried.filter(|_| memory.request.is_some()));
    let end = typed.range_end();
    let request = &request(command, typed, clock.now())?;
    let progress = command.progress.unwrap_or(defaults::PROGRESS);
    let setup =
        ExportSetup { request, notes: &notes, out: command.out(), progress, access: &access };
    let told = setup.carry_out(clock, interruption)?;
    terminal::answer(summary::of_export(&told))?;
    let next = NextStep { request, end, connection, now: clock.now() };
    terminal::answer(Vec::from_iter(next.in_words(&told)))?;
    let ExportReport { outcome, files, .. } = &told.report;
    Ok(exit_code::of_export(&outcome.end, files.as_ref(), command.accept_partial))
}

/// Returns the words of the command line, and of the directory where it says nothing. An address is kept only if keys may be sent to it.
fn typed(command: &ExportArgs, memory: &Memory) -> anyhow::Result<TypedRequest> {
    let connection = &command.connection;
    let mut typed = TypedRequest::new(&command.request, memory.last(&command.request)?)?;
    typed.api_url = match &connection.api_url {
        Some(url) => Some(checked(url, connection)?.to_string()),
        None => typed.api_url.filter(|_| connection.site.is_none()),
    };
    Ok(typed)
}

/// Returns the request that these words and the command line's pace mean at this moment.
fn request(
    command: &ExportArgs,
    typed: TypedRequest,
    now: Timestamp,
) -> anyhow::Result<ExportRequest> {
    let ExportArgs { pacing, sparse, .. } = command;
    Ok(ExportRequest {
        probing: match (sparse.probe, sparse.recheck_probed) {
            (true, _) => Probing::First,
            (false, true) => Probing::Discard,
            (false, false) => Probing::Never,
        },
        pacing: Pacing {
            concurrency: pacing.concurrency.unwrap_or(Pacing::CONCURRENCY),
            reserve: pacing.reserve.unwrap_or(Reserve::USUAL),
            limit: pacing.limit,
            max_calls: pacing.max_calls,
            give_up_after: pacing.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER),
        },
        settle: pacing.settle.unwrap_or(ExportRequest::SETTLE),
        look_back: pacing.look_back.clone().unwrap_or_default(),
        learnt: if command.forget { LearntFacts::Forget } else { LearntFacts::Keep },
        other_organisation: command.other_organisation(),
        ..typed.resolve(now)?
    })
}

impl ExportSetup<'_> {
    /// Runs the export and returns its summary. A run that broke off returns its error after the files were brought up to date.
    pub(crate) fn carry_out(
        &self,
        clock: &dyn Clock,
        interruption: &Interruption,
    ) -> anyhow::Result<ExportSummary> {
        let storage = &Folder::new(self.out, writer(clock));
        let mut calls = Calls::new(self, clock, interruption);
        let annotated = Annotated { request: self.request, notes: self.notes };
        let mut screen = Screen::new(
            annotated,
            self.out,
            Voice { style: self.progress, interruption },
            clock.now(),
        );
        let budgets = &Budgets::default();
        let export =
            Export { request: self.request, storage, budgets, interrupted: interruption.flag() };
        let worded = |error: anyhow::Error| match error.downcast() {
            Ok(error) => of_job(error, &self.request.zone),
            Err(other) => other,
        };
        let report = export.run(&mut calls, &mut screen).map_err(worded)?;
        calls.check(&report.outcome.end)?;
        let empty = match &report.files {
            Some(files) if files.empty > 0 => {
                summary::empty_in_words(&DirectoryStatus::read(&Archive::read(self.out)?)?)
            }
            _ => Vec::new(),
        };
        Ok(ExportSummary { report, forecast: screen.forecast(), dir: self.out.to_owned(), empty })
    }
}
