//! The course of an export: probe where that is wanted, fetch, and fetch again what is a gap after all, as long as something is
//! learnt that opens gaps. Decides which missions are made and in which order; makes no call itself.

use super::known::{as_registered, closed, learnt_limits};
use super::probe::{NO_PROBES, ProbePlan, ProbeResults, ProbeYield};
use super::request::Probing;
use crate::archive::{
    Archive, Error, GiveUpReason, GivenUp, Learnt, QueryId, Registered, Role, Scope,
};
use crate::fetch::End;
use crate::fetch::{FetchJob, FetchOutcome};
use crate::plan::{LearntLimit, Limits, PerQuery, Plan, PlanIndex, Range, Window, hull, subtract};
use jiff::{SignedDuration, Timestamp};

/// A probe may take so many calls beyond twice those planned before it is left: retries, and learning a limit.
const CALLS_SPARE: u64 = 8;

/// What is wanted of a directory's listed queries and not held.
#[derive(Debug, Clone)]
pub struct Planned {
    pub plan: Plan,
    /// The plan's queries, as the ledger knows them.
    pub registered: PerQuery<Registered>,
}

impl Planned {
    fn mission(&self, look_back: SignedDuration) -> FetchJob<'_> {
        let given_up = |&index: &PlanIndex| self.registered[index].given_up.is_some();
        FetchJob {
            plan: &self.plan,
            ids: self.registered.iter().map(|query| query.id).collect(),
            given_up: self.registered.indexes().filter(given_up).collect(),
            look_back,
            role: Role::Wanted,
        }
    }
}

/// Whoever makes the calls: the driver with its doors, or a simulation.
pub trait Caller {
    type Error: From<Error>;

    /// What the time is.
    fn present(&self) -> Timestamp;

    /// Makes the calls of a mission, at most `calls_max` of them besides what the user allows.
    fn make(
        &mut self,
        mission: FetchJob<'_>,
        evidence: &ProbeResults,
        calls_max: Option<u64>,
    ) -> Result<FetchOutcome, Self::Error>;

    /// Probes were asked; that is what came of it.
    fn probed(&mut self, probed: &Probed);
}

/// What probing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    pub calls: u64,
    pub found: ProbeYield,
    /// Calls that were planned before, and that are left.
    pub planned: usize,
    pub left: usize,
}

/// An export of what a directory was last asked for.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    pub archive: &'a Archive,
    pub range: Range,
    pub probing: Probing,
    /// Answers fetched sooner than this after their window's end stay open.
    pub look_back: SignedDuration,
    /// Where nothing was learnt.
    pub assumed: Limits,
}

impl Export<'_> {
    /// Runs it to its end. The plan is that of the first call, the calls and points those of all missions.
    pub fn run<C: Caller>(&self, crew: &mut C) -> Result<(Plan, FetchOutcome), C::Error> {
        self.doubt_empty()?;
        let mut planned = self.planned(crew.present())?;
        self.refuse_too_old(&planned, crew.present())?;
        let first = planned.plan.clone();
        let mut sum = FetchOutcome { end: End::Done, calls: 0, points: 0 };
        if first.calls() == 0 {
            return Ok((first, sum));
        }
        let mut evidence = ProbeResults::of(self.archive, &planned)?;
        if !evidence.is_none() || self.probing == Probing::First {
            (planned, evidence) = self.probe(crew, (planned, evidence), &mut sum)?;
        }
        let mut evidence = Some(evidence);
        let mut before = None;
        while sum.end == End::Done && planned.plan.calls() > 0 {
            let doubts = Some(self.doubts()?);
            if before == doubts {
                break;
            }
            before = doubts;
            let evidence = match evidence.take() {
                Some(known) => known,
                None => ProbeResults::of(self.archive, &planned)?,
            };
            let FetchOutcome { end, calls, points } =
                crew.make(planned.mission(self.look_back), &evidence, None)?;
            sum = FetchOutcome { end, calls: sum.calls + calls, points: sum.points + points };
            // What a probe had left out, or what came back empty beyond a cap, is a gap again.
            self.doubt_empty()?;
            planned = self.planned(crew.present())?;
        }
        Ok((first, sum))
    }

    /// The plan as the ledger sees it, and its queries as it numbers them.
    pub fn planned(&self, now: Timestamp) -> Result<Planned, Error> {
        let mut registered = self.archive.queries()?;
        registered.retain(|query| query.position.is_some());
        let covered = self.covered(&registered)?;
        let queries = registered.iter().map(as_registered).collect();
        let plan = Plan::new(self.range, queries, &covered, self.limits()?, now);
        Ok(Planned { plan, registered: registered.into() })
    }

    /// What need not be asked again of each query.
    fn covered(&self, registered: &[Registered]) -> Result<Vec<Vec<Window>>, Error> {
        let coverage = self.archive.coverage_all()?;
        let held = |id: &QueryId| closed(coverage.get(id).map_or(&[], Vec::as_slice));
        Ok(registered.iter().map(|query| held(&query.id)).collect())
    }

    fn limits(&self) -> Result<Limits, Error> {
        learnt_limits(self.archive, self.assumed)
    }

    /// Takes in what earlier probes saw, and where that is wanted asks: the first batches, and the others where that pays. What
    /// is found empty is covered from then on.
    fn probe<C: Caller>(
        &self,
        crew: &mut C,
        (planned, evidence): (Planned, ProbeResults),
        sum: &mut FetchOutcome,
    ) -> Result<(Planned, ProbeResults), C::Error> {
        evidence.conclude(self.archive, &planned)?;
        let before = self.planned(crew.present())?;
        if self.probing != Probing::First {
            return Ok((before, evidence));
        }
        let settled = crew.present() - self.look_back;
        let survey = ProbePlan::new(self.archive, &before, &evidence, (self.limits()?, settled))?;
        let Some(survey) = survey else { return Ok((before, evidence)) };
        ask(crew, survey.trial(), sum)?;
        let (mut planned, mut evidence) = self.conclude(crew.present())?;
        let mut found = survey.found_by_trial(&before, &planned);
        if let Some(rest) = survey.rest()
            && sum.end == End::Done
            && found.encourages()
        {
            ask(crew, rest, sum)?;
            (planned, evidence) = self.conclude(crew.present())?;
            found = survey.found(&before, &planned);
        }
        let (planned_before, left) = (before.plan.calls(), planned.plan.calls());
        crew.probed(&Probed { calls: sum.calls, found, planned: planned_before, left });
        Ok((planned, evidence))
    }

    /// Covers what the probes that lie there prove empty; and what is planned then.
    fn conclude(&self, now: Timestamp) -> Result<(Planned, ProbeResults), Error> {
        let planned = self.planned(now)?;
        let evidence = ProbeResults::of(self.archive, &planned)?;
        evidence.conclude(self.archive, &planned)?;
        Ok((self.planned(now)?, evidence))
    }

    /// What opens again what was held: the points per series that the server serves, and whether an answer contradicted a probe.
    fn doubts(&self) -> Result<(u32, bool), Error> {
        Ok((self.limits()?.points, self.archive.probes_discarded()?.is_some()))
    }

    /// What came back empty while a cap was learnt may have been kept after it.
    fn doubt_empty(&self) -> Result<(), Error> {
        let points = self.limits()?.points;
        if points < self.assumed.points {
            self.archive.doubt_empty(points)?;
        }
        Ok(())
    }

    /// An earlier run learnt how far back the server goes: what no plan asks for that reason is told with its words, also of
    /// queries that are new to the list.
    fn refuse_too_old(&self, planned: &Planned, now: Timestamp) -> Result<(), Error> {
        let learnt = self.archive.learnt()?;
        let is_edge = |learnt: &&Learnt| matches!(learnt.limit, LearntLimit::OldestKept(_));
        let Some(edge) = learnt.iter().find(is_edge) else { return Ok(()) };
        let oldest_s = self.limits()?.oldest_s;
        let covered = self.covered(&planned.registered)?;
        let asked = planned.plan.asked.iter().zip(&covered);
        for (known, (asked, covered)) in planned.registered.iter().zip(asked) {
            let gaps = asked.map_or_else(Vec::new, |asked| subtract(asked, covered));
            let old = gaps
                .iter()
                .filter_map(|gap| Window::from_secs(gap.start_s(), gap.end_s().min(oldest_s)));
            let Some(old) = hull(old) else { continue };
            if known.too_old.as_ref().is_none_or(|(until, _)| *until < old.end()) {
                self.archive.give_up(&GivenUp {
                    query: known.id,
                    window: old,
                    scope: Scope::Window,
                    reason: GiveUpReason::Refused(edge.why.clone()),
                    at: now,
                })?;
            }
        }
        Ok(())
    }
}

/// Makes the calls of a probe, and adds them up.
fn ask<C: Caller>(
    crew: &mut C,
    mission: FetchJob<'_>,
    sum: &mut FetchOutcome,
) -> Result<(), C::Error> {
    let most = mission.plan.calls() as u64 * 2 + CALLS_SPARE;
    let FetchOutcome { end, calls, .. } = crew.make(mission, &NO_PROBES, Some(most))?;
    sum.calls += calls;
    sum.end = ahead(end, calls, most);
    Ok(())
}

/// Why calls that go ahead of the export end it: not because of their own bound.
pub fn ahead(end: End, calls: u64, calls_max: u64) -> End {
    if end == End::OutOfCalls && calls >= calls_max { End::Done } else { end }
}
