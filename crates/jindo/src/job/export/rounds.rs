//! The rounds of an export: probe where that is wanted, fetch, and fetch again what is a gap after all, as long as something is
//! learnt that opens gaps.

use super::planned::Planned;
use super::ports::{Caller, ExportEvent, Probed};
use super::probe::{ProbePlan, ProbeResults, ProbeYield};
use super::resolve::ResolvedRequest;
use super::run::ExportRun;
use crate::archive::{Archive, GiveUpReason, GiveUpScope, GivenUp, Learnt};
use crate::fetch::{End, FetchOutcome};
use crate::job::error::Error;
use crate::job::request::{ExportRequest, Probing};
use crate::plan::{LearntLimit, Limits, Window, earlier, hull, subtract};
use jiff::Timestamp;

/// A probe may take so many calls beyond twice those planned before it is left: retries, and learning a limit.
const CALLS_SPARE: u64 = 8;

/// The rounds of one registered request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds<'a> {
    pub(super) archive: &'a Archive,
    pub(super) request: &'a ExportRequest,
    pub(super) resolved: &'a ResolvedRequest,
}

impl Rounds<'_> {
    /// Fetches until nothing is left that can be had. Returns how that ended, with all calls of the run and the points of all rounds.
    pub(super) fn run<C: Caller>(
        &self,
        run: &mut ExportRun<'_, C>,
        planned: Planned,
    ) -> Result<FetchOutcome, C::Error> {
        self.refuse_too_old(&planned, run.caller.present())?;
        let (mut points, mut before) = (0, None);
        let (mut planned, mut end) = self.probe(run, planned)?;
        while end == End::Done && planned.plan.calls() > 0 {
            let doubts = Some(self.doubts(run.caller.present())?);
            if before == doubts {
                break;
            }
            before = doubts;
            let probes = ProbeResults::of(self.archive, &planned)?;
            let outcome = run.make(planned.job(), Some(&probes), None)?;
            (end, points) = (outcome.end, points + outcome.points);
            // A contradicted probe, or a cap that was learnt, opens gaps again.
            self.doubt_empty(run.caller.present())?;
            planned = self.planned(run.caller.present())?;
        }
        Ok(FetchOutcome { end, calls: run.calls, points })
    }

    pub(super) fn planned(&self, now: Timestamp) -> Result<Planned, Error> {
        Planned::new(self.request, self.resolved, self.archive, now)
    }

    /// Takes in what earlier probes saw, and where that is wanted asks: the first batches, and the others where that pays. What
    /// is found empty is covered from then on. Returns what is left, and how the calls ended.
    fn probe<C: Caller>(
        &self,
        run: &mut ExportRun<'_, C>,
        planned: Planned,
    ) -> Result<(Planned, End), C::Error> {
        let (now, calls_before) = (run.caller.present(), run.calls);
        if planned.plan.calls() == 0 {
            return Ok((planned, End::Done));
        }
        let probes = ProbeResults::of(self.archive, &planned)?;
        let before = self.conclude(planned, &probes, now)?;
        if self.request.probing != Probing::First {
            return Ok((before, End::Done));
        }
        // A window that may still gain points is proven empty by no probe.
        let settled = earlier(now, self.request.look_back.longest());
        let plan = ProbePlan::new(self.archive, &before, &probes, self.limits(now)?, settled)?;
        let Some(plan) = plan else { return Ok((before, End::Done)) };
        let (mut after, mut end) = (before.clone(), End::Done);
        let mut found = ProbeYield::default();
        for part in &plan.parts {
            let most = part.calls() as u64 * 2 + CALLS_SPARE;
            end = run.make(plan.job(part), None, Some(most))?.end;
            let now = run.caller.present();
            after = self.planned(now)?;
            let probes = ProbeResults::of(self.archive, &after)?;
            after = self.conclude(after, &probes, now)?;
            found = plan.found(part, &before, &after);
            if end != End::Done || !found.encourages() {
                break;
            }
        }
        let (planned, left) = (before.plan.calls(), after.plan.calls());
        let calls = run.calls - calls_before;
        run.events.happened(ExportEvent::Probed(Probed { calls, found, planned, left }));
        Ok((after, end))
    }

    /// Covers what the probes prove empty, and plans anew.
    fn conclude(
        &self,
        planned: Planned,
        probes: &ProbeResults,
        now: Timestamp,
    ) -> Result<Planned, Error> {
        if probes.is_none() {
            return Ok(planned);
        }
        probes.conclude(self.archive, &planned)?;
        self.planned(now)
    }

    fn limits(&self, now: Timestamp) -> Result<Limits, Error> {
        self.request.limits(Some(self.archive), &self.resolved.list.queries, now)
    }

    /// Returns what opens again what was held: the limits of what the server serves, and whether an answer contradicted
    /// a probe.
    fn doubts(&self, now: Timestamp) -> Result<(Limits, bool), Error> {
        // Lengths of lists and the edge of what is kept open no gap.
        let limits = Limits { oldest_s: i64::MIN, queries: 0, url: 0, ..self.limits(now)? };
        Ok((limits, self.archive.ledger().probes_discarded()?.is_some()))
    }

    /// Opens again what came back empty while a cap was learnt: it may have been kept after it.
    pub(super) fn doubt_empty(&self, now: Timestamp) -> Result<(), Error> {
        let points = self.limits(now)?.points;
        if points < self.request.assumed.points {
            self.archive.ledger().doubt_empty(points)?;
        }
        Ok(())
    }

    /// Gives up, before they are asked, the queries whose metric's type could not be had.
    pub(super) fn give_up_denied(&self, now: Timestamp) -> Result<(), Error> {
        let ids = self.archive.travelling()?;
        for query in &self.resolved.list.queries {
            let Some((metric, why)) = self.resolved.types.denied(query) else { continue };
            let Some(&(id, _)) = ids.get(&(query.text.sent.clone(), query.text.interval)) else {
                continue;
            };
            self.archive.ledger().give_up(&GivenUp {
                query: id,
                window: self.resolved.range,
                scope: GiveUpScope::Query,
                reason: GiveUpReason::TypeUnknown { why: format!("{metric}: {why}") },
                at: now,
            })?;
        }
        Ok(())
    }

    /// Gives up what is older than the server is known to keep, also of queries that are new to the list.
    fn refuse_too_old(&self, planned: &Planned, now: Timestamp) -> Result<(), Error> {
        let learnt = self.archive.ledger().learnt()?;
        let is_edge = |learnt: &&Learnt| matches!(learnt.limit, LearntLimit::OldestKept(_));
        let Some(edge) = learnt.iter().find(is_edge) else { return Ok(()) };
        let oldest_s = self.limits(now)?.oldest_s;
        for (known, asked) in planned.queries.iter().zip(&planned.plan.asked) {
            let gaps = asked.map_or_else(Vec::new, |asked| subtract(asked, &known.covered));
            let old = gaps
                .iter()
                .filter_map(|gap| Window::from_secs(gap.start_s(), gap.end_s().min(oldest_s)));
            let Some(old) = hull(old) else { continue };
            let too_old = known.registered.as_ref().and_then(|query| query.too_old.as_ref());
            if too_old.is_none_or(|(until, _)| *until < old.end()) {
                self.archive.ledger().give_up(&GivenUp {
                    query: known.id,
                    window: old,
                    scope: GiveUpScope::Window,
                    reason: GiveUpReason::Refused(edge.why.clone()),
                    at: now,
                })?;
            }
        }
        Ok(())
    }
}
