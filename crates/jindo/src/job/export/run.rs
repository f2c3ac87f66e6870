//! One run of an export in its opened directory: its calls, counted over samples, probes and rounds; and the samples themselves, which
//! find native intervals for `--resolution auto`.

use super::planned::ExportPlan;
use super::ports::{Caller, Events, ExportEvent, FetchWork, Files, LookupWork, TakeLookup};
use super::probe::ProbeResults;
use super::store_answers::StoreAnswers;
use crate::archive::{Archive, Organisation, QueryId, Role, Trusted};
use crate::fetch::{self, End, FetchJob, FetchOutcome, Settings};
use crate::job::error::Error;
use crate::job::pace::{KnownPace, TimedWork};
use crate::job::request::{ExportRequest, OtherOrganisation};
use crate::job::resolution::Sampling;
use crate::plan::{Limits, PerQuery};
use crate::request::{ApiCall, BudgetKey, Budgets};
use std::collections::BTreeMap;

/// Rounds of samples at most: four for a query, as many again where the server does not offer what was asked first, and some for calls
/// that failed.
const ROUNDS_MAX: usize = 16;

/// Trials, of samples and of counts, that may be lost to a server that fails.
const TRIALS_MAX: usize = 5;

/// State that the steps of an export share.
pub(super) struct ExportRun<'a, C: Caller> {
    /// The request once what it drops is dropped.
    pub(super) request: &'a ExportRequest,
    pub(super) files: Files<'a>,
    pub(super) caller: &'a mut C,
    pub(super) events: &'a mut dyn Events,
    pub(super) budgets: &'a Budgets,
    /// Known once the organisation is.
    pub(super) budget_key: Option<BudgetKey>,
    /// The plan was final before anything was sampled.
    pub(super) is_announced: bool,
    /// Calls made so far.
    pub(super) calls: u64,
}

impl<C: Caller> ExportRun<'_, C> {
    /// Learns which organisation the keys open, refuses to mix two in one directory, and returns the key of its budgets.
    pub(super) fn identify(&mut self) -> Result<BudgetKey, C::Error> {
        let archive = self.files.archive;
        let organisation = self.caller.identify(archive)?;
        let bound = match self.request.other_organisation {
            OtherOrganisation::Refuse => archive.bind(&organisation),
            OtherOrganisation::Accept => archive.rebind(&organisation),
        };
        bound.map_err(Error::from)?;
        let Organisation { site, org_id, .. } = organisation;
        let key = BudgetKey::of_queries(&site, org_id.as_deref());
        Ok(self.budget_key.insert(key).clone())
    }

    /// Finds the native intervals that the plan lacks, and keeps them; returns the end of the calls where the run ended before. A crash
    /// keeps the answers: the next run concludes the same.
    pub(super) fn sample(&mut self, plan: &mut ExportPlan) -> Result<End, C::Error> {
        let (archive, request) = (self.files.archive, self.request);
        archive.ledger().space(&plan.found).map_err(Error::from)?;
        if !plan.needs_samples() {
            return Ok(End::Done);
        }
        let queries = &plan.request.list.unspaced;
        self.events.happened(ExportEvent::Sampling { queries: queries.len() });
        let now = self.caller.present();
        let range = plan.request.sample_range(request, now);
        let read = || Sampling::read(archive, queries, range).map_err(Error::from);
        let mut trials = 0;
        for _ in 0..ROUNDS_MAX {
            let limits = request.limits(Some(archive), queries, now)?;
            let jobs = read()?.jobs(limits, now).map_err(Error::from)?;
            if jobs.is_empty() {
                break;
            }
            for job in &jobs {
                let trial = job.calls_max.filter(|_| trials < TRIALS_MAX);
                trials += usize::from(trial.is_some());
                let end = self.make(job.fetch_job(), None, trial)?.end;
                if end != End::Done {
                    return Ok(end);
                }
            }
        }
        let spaced = read()?.all(request.resolution.fixed(), self.caller.present());
        archive.ledger().space(&spaced).map_err(Error::from)?;
        plan.request = plan.request.clone().with_intervals(request, spaced);
        Ok(End::Done)
    }

    /// Makes the calls of a job, and compares each answer with `probes`. `calls_max` bounds a probe or a sample besides what the request
    /// allows, and does not end the export.
    pub(super) fn make(
        &mut self,
        mut job: FetchJob<'_>,
        probes: Option<&ProbeResults>,
        calls_max: Option<u64>,
    ) -> Result<FetchOutcome, C::Error> {
        let budget_key = self.budget_key()?;
        let (archive, now) = (Some(self.files.archive), self.caller.present());
        let limits = self.request.limits(archive, job.plan.queries.iter(), now)?;
        let settings = self.settings(budget_key, limits, calls_max);
        let began = self.caller.present();
        self.events.happened(ExportEvent::Calling { at: began });
        let files = self.files;
        if job.role == Role::Wanted {
            job.trusted = Some(trusted(files.archive, &job.ids)?);
        }
        let sink = StoreAnswers::new(files.archive, probes);
        let mut outcome = self.caller.make(FetchWork {
            archive: files.archive,
            job,
            settings,
            sink: &sink,
            files: &|queries| {
                files.update(queries).map_err(|error| fetch::Error::Files(error.into()))
            },
            report: self.events,
        })?;
        self.calls += outcome.calls;
        let ended = self.caller.present();
        self.events.happened(ExportEvent::Called { outcome: &outcome, at: ended });
        if outcome.end == End::Done {
            let took = ended.duration_since(began);
            let work = TimedWork { calls: outcome.calls, points: outcome.points, took };
            KnownPace::note_work(files.archive, work, self.request.pacing.limit)?;
        }
        if outcome.end == End::OutOfCalls && calls_max.is_some_and(|most| outcome.calls >= most) {
            outcome.end = End::Done;
        }
        Ok(outcome)
    }

    /// Makes calls that stand alone, which count against no bound on query calls.
    pub(super) fn look_up(
        &mut self,
        calls: &[ApiCall],
        take: &mut TakeLookup<'_>,
    ) -> Result<End, C::Error> {
        let budget_key = self.budget_key()?.of_endpoint(calls[0].endpoint());
        let settings =
            Settings { calls_max: None, ..self.settings(budget_key, self.request.assumed, None) };
        self.caller.look_up(LookupWork { calls, settings, take })
    }

    fn budget_key(&mut self) -> Result<BudgetKey, C::Error> {
        if let Some(known) = &self.budget_key {
            return Ok(known.clone());
        }
        self.caller.connect()?;
        self.identify()
    }

    fn settings(
        &mut self,
        budget_key: BudgetKey,
        limits: Limits,
        calls_max: Option<u64>,
    ) -> Settings {
        let pacing = &self.request.pacing;
        let users = pacing.max_calls.map(|most| most.saturating_sub(self.calls));
        Settings {
            concurrency: usize::from(pacing.concurrency),
            budgets: self.budgets.clone(),
            budget_key,
            reserve: pacing.reserve,
            pace: pacing.limit,
            calls_max: [users, calls_max].into_iter().flatten().min(),
            give_up_after: pacing.give_up_after,
            limits,
            assumed: self.request.assumed,
            seed: self.caller.seed(),
        }
    }
}

/// Returns the verdicts of earlier runs about answers of these queries that looked cut.
fn trusted(archive: &Archive, ids: &PerQuery<QueryId>) -> Result<PerQuery<Trusted>, Error> {
    let known: BTreeMap<_, _> = archive.ledger().trusted()?.into_iter().collect();
    Ok(ids.iter().map(|id| known.get(id).copied().unwrap_or_default()).collect())
}
