//! One run of an export in its opened directory: its calls, counted over samples, probes and rounds.

use super::files::Files;
use super::planned::ExportPlan;
use super::ports::{Caller, Events, ExportEvent, FetchWork};
use super::probe::{NO_PROBES, ProbeResults};
use super::store_answers::StoreAnswers;
use crate::archive::{Archive, Organisation};
use crate::fetch::{self, Action, End, FetchJob, FetchOutcome, Observer, Progress, Settings};
use crate::job::error::Error;
use crate::job::request::{ExportRequest, OtherOrganisation};
use crate::plan::{Limits, Plan};
use crate::request::{BudgetKey, Budgets};
use jiff::Timestamp;

/// State that the steps of an export share.
pub(super) struct ExportRun<'a, C: Caller> {
    /// The request once what it drops is dropped.
    pub(super) request: &'a ExportRequest,
    pub(super) files: Files<'a>,
    caller: &'a mut C,
    events: &'a mut dyn Events,
    budgets: &'a Budgets,
    /// Known once the organisation is.
    budget_key: Option<BudgetKey>,
    calls: u64,
}

impl<'a, C: Caller> ExportRun<'a, C> {
    pub(super) fn new(
        request: &'a ExportRequest,
        files: Files<'a>,
        caller: &'a mut C,
        events: &'a mut dyn Events,
        budgets: &'a Budgets,
    ) -> Self {
        Self { request, files, caller, events, budgets, budget_key: None, calls: 0 }
    }

    pub(super) fn archive(&self) -> &'a Archive {
        self.files.archive
    }

    pub(super) fn present(&self) -> Timestamp {
        self.caller.present()
    }

    /// Calls made so far.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) fn tell(&mut self, event: ExportEvent<'_>) {
        self.events.happened(event);
    }

    pub(super) fn limits(&self) -> Result<Limits, Error> {
        self.request.limits(Some(self.archive()))
    }

    /// Tells of a final plan, and checks that there is room for it.
    pub(super) fn announce(&mut self, plan: &ExportPlan) -> Result<(), C::Error> {
        self.tell(ExportEvent::Planned(plan));
        self.caller.admit(&plan.plan)
    }

    /// Learns which organisation the keys open, refuses to mix two in one directory, and returns the key of its budgets.
    pub(super) fn identify(&mut self) -> Result<BudgetKey, C::Error> {
        let organisation = self.caller.identify(self.archive())?;
        match self.request.other_organisation {
            OtherOrganisation::Refuse => {
                self.archive().bind(&organisation).map_err(Error::from)?;
            }
            OtherOrganisation::Accept => {
                self.archive().rebind(&organisation).map_err(Error::from)?;
            }
        }
        let Organisation { site, org_id, .. } = organisation;
        let key = BudgetKey::of_queries(&site, org_id.as_deref());
        Ok(self.budget_key.insert(key).clone())
    }

    /// Makes the calls of a job, at most `calls_max` besides what the request allows.
    pub(super) fn make(
        &mut self,
        job: FetchJob<'_>,
        probes: &ProbeResults,
        calls_max: Option<u64>,
    ) -> Result<FetchOutcome, C::Error> {
        let budget_key = if let Some(known) = self.budget_key.clone() {
            known
        } else {
            self.caller.connect()?;
            self.identify()?
        };
        let settings = self.settings(budget_key, calls_max)?;
        self.tell(ExportEvent::Calling { at: self.caller.present() });
        let files = self.files;
        let sink = StoreAnswers::new(files.archive, &job, probes);
        let outcome = self.caller.make(FetchWork {
            archive: files.archive,
            job,
            settings,
            sink: &sink,
            files: &|queries| {
                files.update(queries).map_err(|error| fetch::Error::Files(error.into()))
            },
            report: &mut Relay(self.events),
        })?;
        self.calls += outcome.calls;
        self.tell(ExportEvent::Called { outcome: &outcome, at: self.caller.present() });
        Ok(outcome)
    }

    /// Makes the calls of a probe or a sample. Its own bound does not end the export.
    pub(super) fn make_ahead(
        &mut self,
        job: FetchJob<'_>,
        calls_max: Option<u64>,
    ) -> Result<FetchOutcome, C::Error> {
        let mut outcome = self.make(job, &NO_PROBES, calls_max)?;
        if outcome.end == End::OutOfCalls && calls_max.is_some_and(|most| outcome.calls >= most) {
            outcome.end = End::Done;
        }
        Ok(outcome)
    }

    fn settings(
        &mut self,
        budget_key: BudgetKey,
        calls_max: Option<u64>,
    ) -> Result<Settings, Error> {
        let pacing = &self.request.pacing;
        let users = pacing.max_calls.map(|most| most.saturating_sub(self.calls));
        Ok(Settings {
            concurrency: usize::from(pacing.concurrency),
            budgets: self.budgets.clone(),
            budget_key,
            reserve: pacing.reserve,
            pace: pacing.limit,
            calls_max: [users, calls_max].into_iter().flatten().min(),
            give_up_after: pacing.give_up_after,
            limits: self.limits()?,
            seed: self.caller.seed(),
        })
    }
}

/// Passes on what a set of calls reports.
struct Relay<'a>(&'a mut dyn Events);

impl Observer for Relay<'_> {
    fn progress(&mut self, progress: &Progress, now: Timestamp) {
        self.0.happened(ExportEvent::Progress { progress, at: now });
    }

    fn decided(&mut self, decision: &Action, plan: &Plan) {
        self.0.happened(ExportEvent::Decided { decision, plan });
    }
}
