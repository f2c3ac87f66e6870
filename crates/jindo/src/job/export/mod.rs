//! An export from its first plan to its last file, in the order that every front end shares.

mod files;
mod planned;
mod ports;
mod probe;
mod resolve;
mod rounds;
mod run;
mod sampling;
mod store_answers;

pub use files::Files;
pub use planned::ExportPlan;
pub use ports::{Caller, Events, ExportEvent, FetchWork, Folder, Probed, Storage};
pub use probe::{ProbeResults, ProbeYield};
pub use resolve::ResolvedRequest;
pub use store_answers::StoreAnswers;

use crate::archive::{Archive, Aside};
use crate::extract::{CsvTree, Summary};
use crate::fetch::{End, FetchOutcome};
use crate::job::error::Error;
use crate::job::request::{ExportRequest, LearntFacts, Probing};
use crate::plan::Plan;
use crate::request::Budgets;
use jiff::{SignedDuration, Timestamp};
use rounds::Rounds;
use run::ExportRun;
use sampling::Sampled;
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

/// A plan with the outcome of its calls.
struct FetchedPlan {
    plan: Plan,
    outcome: FetchOutcome,
    /// Without a registered request there are no files to be brought up to date.
    is_registered: bool,
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
        calls: &mut C,
        events: &mut dyn Events,
    ) -> Result<ExportReport, C::Error> {
        let started = calls.present();
        let plan = self.plan(started)?;
        prepare(&plan, calls, events)?;
        let archive = self.open(events)?;
        let (request, csv) = (self.request.once_dropped(), self.request.csv()?);
        let files = self.files(&archive, &csv);
        let mut run = ExportRun::new(&request, files, calls, events, self.budgets);
        if plan.needs_calls() {
            run.identify()?;
        }
        self.drop_learnt(&archive)?;
        let sampled = sampling::sample(&mut run, plan)?;
        let fetched = fetch(&mut run, sampled)?;
        let files = extract(&mut run, &fetched)?;
        let took = run.present().duration_since(started);
        Ok(ExportReport { plan: fetched.plan, outcome: fetched.outcome, files, took })
    }

    fn open(&self, events: &mut dyn Events) -> Result<Archive, Error> {
        let archive = self.storage.open()?;
        events.happened(ExportEvent::Opened(&archive));
        Ok(archive)
    }

    fn files<'a>(&'a self, archive: &'a Archive, csv: &'a CsvTree) -> Files<'a> {
        Files { archive, disk: self.storage.disk(), csv, interrupted: self.interrupted }
    }

    /// Drops what was learnt, as far as that is wanted; of samples and probes the answers too, or they would teach the same again.
    fn drop_learnt(&self, archive: &Archive) -> Result<(), Error> {
        let is_forgetting = self.request.learnt == LearntFacts::Forget;
        if is_forgetting {
            archive.forget()?;
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

/// Tells of the plan where it is final, and connects where there is a call to make; nothing is written yet.
fn prepare<C: Caller>(
    plan: &ExportPlan,
    calls: &mut C,
    events: &mut dyn Events,
) -> Result<(), C::Error> {
    if !plan.needs_samples() {
        events.happened(ExportEvent::Planned(plan));
        calls.admit(&plan.plan)?;
    }
    if plan.needs_calls() { calls.connect() } else { Ok(()) }
}

/// Makes the request the directory's own, and fetches what it lacks. What runs is what was announced last.
fn fetch<C: Caller>(run: &mut ExportRun<'_, C>, sampled: Sampled) -> Result<FetchedPlan, C::Error> {
    let Sampled { mut plan, is_announced, end } = sampled;
    if let Some(end) = end {
        let outcome = FetchOutcome { end, calls: run.calls(), points: 0 };
        return Ok(FetchedPlan { plan: plan.plan, outcome, is_registered: false });
    }
    let (archive, request) = (run.archive(), run.request);
    archive.register(&plan.request.to_register(request)?).map_err(Error::from)?;
    let resolved = plan.request.clone();
    let rounds = Rounds { archive, request, resolved: &resolved };
    rounds.doubt_empty()?;
    let planned = rounds.planned(run.present())?;
    if !is_announced || planned.plan != plan.plan {
        plan.plan = planned.plan.clone();
        run.announce(&plan)?;
    }
    let outcome = rounds.run(run, planned)?;
    let outcome = FetchOutcome { calls: run.calls(), ..outcome };
    Ok(FetchedPlan { plan: plan.plan, outcome, is_registered: true })
}

/// Brings files and tables up to date, unless nothing can be in them. After a failure of the calls that is told, and not what
/// went wrong with the files: it may follow from it.
fn extract<C: Caller>(
    run: &mut ExportRun<'_, C>,
    fetched: &FetchedPlan,
) -> Result<Option<Summary>, Error> {
    let (is_worth, has_failed) = match &fetched.outcome.end {
        End::Done | End::OutOfCalls => (true, false),
        End::Failed { .. } | End::Broke { .. } => (true, true),
        End::Forbidden { after_success, .. } => (*after_success, true),
        End::Interrupted | End::NotAnApi { .. } => (false, false),
    };
    if !(is_worth && fetched.is_registered) {
        return Ok(None);
    }
    let files = match run.files.update_all() {
        Err(_) if has_failed => None,
        files => files?,
    };
    if let Some(summary) = &files {
        run.tell(ExportEvent::Extracted(summary));
    }
    Ok(files)
}
