//! An export from its first plan to its last file, in the order that every front end shares.

mod leaving;
mod list_types;
mod planned;
mod ports;
mod probe;
mod resolve;
mod rounds;
mod run;
mod store_answers;
mod typing;

pub use leaving::Leaving;
pub use list_types::{TypeChange, TypeOrigin};
pub use planned::ExportPlan;
pub use ports::{
    Caller, Events, ExportEvent, FetchWork, Files, Folder, LookupWork, Probed, Storage, TakeLookup,
};
pub use probe::ProbeYield;
pub use resolve::ResolvedRequest;

use crate::archive::{Archive, Aside};
use crate::extract::{self, CsvTree, Disk, Summary, Which};
use crate::fetch::{End, FetchOutcome};
use crate::job::error::Error;
use crate::job::request::{ExportRequest, LearntFacts, Probing};
use crate::plan::Plan;
use crate::request::Budgets;
use jiff::{SignedDuration, Timestamp};
use rounds::Rounds;
use run::ExportRun;
use std::sync::atomic::AtomicBool;

/// A request, and the place where it is carried out.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds a trait object")]
pub struct Export<'a> {
    pub request: &'a ExportRequest,
    pub storage: &'a dyn Storage,
    /// Budgets of this process: exports of one organisation that are given the same share them.
    pub budgets: &'a Budgets,
    /// Set from a signal handler; the export then ends within 5 s.
    pub interrupted: &'a AtomicBool,
}

/// Result of an export.
#[derive(Debug, Clone)]
pub struct ExportReport {
    /// As it was announced last, before the first call of the export itself.
    pub plan: Plan,
    /// Calls of samples, probes and all rounds together; points of the rounds.
    pub outcome: FetchOutcome,
    /// Numbers of the files; `None` after an interruption, and where the export ended before anything was registered or
    /// answered.
    pub files: Option<Summary>,
    pub took: SignedDuration,
}

impl Export<'_> {
    /// Returns the plan with which [`Export::run`] would begin. Reads only.
    pub fn plan(&self, now: Timestamp) -> Result<ExportPlan, Error> {
        let archive = self.storage.read()?;
        self.request.plan(archive.as_ref(), now)
    }

    /// Brings home what is wanted and not there. An error or a crash on the way keeps what came in; the same export again does
    /// what is left.
    ///
    /// # Errors
    /// Those of the caller, and [`Error`]. The end of the calls is no error: it is in the report.
    pub fn run<C: Caller>(
        &self,
        caller: &mut C,
        events: &mut dyn Events,
    ) -> Result<ExportReport, C::Error> {
        let started = caller.present();
        let held = self.storage.read().map_err(Error::from)?;
        let mut plan = self.request.plan(held.as_ref(), started)?;
        let (disk, csv) = (self.storage.disk(), self.request.csv()?);
        // Closed here: it is opened for writing below.
        let unclaimed = match held {
            Some(archive) => {
                plan.rewriting_bytes = plan
                    .rewriting_bytes
                    .saturating_add(files_to_make(&archive, disk, &csv).map_err(Error::from)?);
                extract::unclaimed(&archive, disk, &csv)
            }
            None => extract::refuse_occupied(disk, &csv).map(|()| Vec::new()),
        };
        let unclaimed = unclaimed.map_err(Error::from)?;
        let is_announced = !plan.needs_samples() && plan.metadata_calls() == 0;
        // Nothing is written before there is room for the plan, and keys for its calls.
        if is_announced {
            events.happened(ExportEvent::Planned(&plan));
            caller.admit(&plan)?;
        }
        if plan.needs_calls() {
            caller.connect()?;
        }
        let archive = self.storage.open().map_err(Error::from)?;
        let (request, interrupted) = (self.request.once_dropped(), self.interrupted);
        let mut run = ExportRun {
            request: &request,
            files: Files { archive: &archive, disk, csv: &csv, unclaimed: &unclaimed, interrupted },
            caller,
            events,
            budgets: self.budgets,
            budget_key: None,
            is_announced,
            calls: 0,
        };
        if plan.needs_calls() {
            run.identify()?;
        }
        self.drop_learnt(&archive)?;
        let mut end = typing::ask_types(&mut run, &mut plan)?;
        typing::let_go_of_sums(&mut run, plan.request.known_types())?;
        if end == End::Done {
            end = run.sample(&mut plan)?;
        }
        let (outcome, files) = if end == End::Done {
            let outcome = fetch(&mut run, &mut plan)?;
            let files = extract(&mut run, &outcome.end)?;
            (outcome, files)
        } else {
            (FetchOutcome { end, calls: run.calls, points: 0 }, None)
        };
        let took = run.caller.present().duration_since(started);
        Ok(ExportReport { plan: plan.plan, outcome, files, took })
    }

    /// Drops what was learnt, as far as that is wanted; of samples and probes the answers too, or they would teach the same again.
    fn drop_learnt(&self, archive: &Archive) -> Result<(), Error> {
        let is_forgetting = self.request.learnt == LearntFacts::Forget;
        if is_forgetting {
            archive.ledger().forget()?;
        }
        let samples_anew = is_forgetting && self.request.resolution.is_auto();
        if self.request.probing == Probing::Discard || samples_anew {
            archive.forget_answers(Aside::Probes)?;
        }
        if samples_anew {
            archive.forget_answers(Aside::Samples)?;
        }
        Ok(())
    }
}

/// Returns the bytes that files take of what is held already, and that a run before left undone.
fn files_to_make(archive: &Archive, disk: &dyn Disk, csv: &CsvTree) -> Result<u64, extract::Error> {
    let queries = extract::with_files(archive, csv)?;
    extract::bytes_to_make(archive, disk, csv, &queries, Which::Outdated)
}

/// Makes the request the directory's own, and fetches what it lacks. What runs is what was announced last.
fn fetch<C: Caller>(
    run: &mut ExportRun<'_, C>,
    plan: &mut ExportPlan,
) -> Result<FetchOutcome, C::Error> {
    let (archive, request) = (run.files.archive, run.request);
    archive.register(&plan.request.to_register(request)?).map_err(Error::from)?;
    let resolved = plan.request.clone();
    let rounds = Rounds { archive, request, resolved: &resolved };
    rounds.give_up_denied(run.caller.present())?;
    rounds.doubt_empty(run.caller.present())?;
    let planned = rounds.planned(run.caller.present())?;
    if !run.is_announced || planned.plan != plan.plan {
        plan.plan = planned.plan.clone();
        plan.leaving = Leaving::of(archive, &resolved)?;
        run.events.happened(ExportEvent::Planned(plan));
        run.caller.admit(plan)?;
    }
    rounds.run(run, planned)
}

/// Brings the archive's data to rest, and files and tables up to date, unless nothing can be in them. After a failure of the
/// calls that is told, and not what went wrong with data and files: it may follow from it.
fn extract<C: Caller>(run: &mut ExportRun<'_, C>, end: &End) -> Result<Option<Summary>, Error> {
    let has_failed = match end {
        End::Done | End::OutOfCalls => false,
        End::Failed { .. } | End::Broke { .. } | End::Forbidden { after_success: true, .. } => true,
        End::Forbidden { after_success: false, .. } | End::Interrupted | End::NotAnApi { .. } => {
            return Ok(None);
        }
    };
    let rested = run.files.archive.bring_to_rest(run.files.interrupted).map_err(Error::from);
    let files = match rested.and_then(|()| run.files.update_all()) {
        Err(_) if has_failed => None,
        files => files?,
    };
    if let Some(summary) = &files {
        run.events.happened(ExportEvent::Extracted(summary));
    }
    Ok(files)
}
