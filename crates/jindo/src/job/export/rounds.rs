//! The rounds of an export: probe where that is wanted, fetch, and fetch again what is a gap after all, as long as something is
//! learnt that opens gaps.

use super::planned::Planned;
use super::ports::{Caller, ExportEvent, Probed};
use super::probe::{ProbePlan, ProbeResults};
use super::resolve::ResolvedRequest;
use super::run::ExportRun;
use crate::archive::{Archive, GiveUpReason, GiveUpScope, GivenUp, Learnt};
use crate::fetch::{End, FetchJob, FetchOutcome};
use crate::job::error::Error;
use crate::job::request::{ExportRequest, Probing};
use crate::plan::{LearntLimit, Limits, Window, hull, subtract};
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

/// A plan, and what probes told of its queries.
struct Prepared {
    planned: Planned,
    probes: ProbeResults,
}

impl Rounds<'_> {
    /// Fetches until nothing is left that can be had. Returns how that ended, with the points of all rounds.
    pub(super) fn run<C: Caller>(
        &self,
        run: &mut ExportRun<'_, C>,
        planned: Planned,
    ) -> Result<FetchOutcome, C::Error> {
        let mut sum = FetchOutcome { end: End::Done, calls: 0, points: 0 };
        self.refuse_too_old(&planned, run.present())?;
        if planned.plan.calls() == 0 {
            return Ok(sum);
        }
        let probes = ProbeResults::of(self.archive, &planned).map_err(Error::from)?;
        let Prepared { mut planned, probes } =
            self.probe(run, Prepared { planned, probes }, &mut sum)?;
        let mut known = Some(probes);
        let mut before = None;
        while sum.end == End::Done && planned.plan.calls() > 0 {
            let doubts = Some(self.doubts()?);
            if before == doubts {
                break;
            }
            before = doubts;
            let probes = match known.take() {
                Some(probes) => probes,
                None => ProbeResults::of(self.archive, &planned).map_err(Error::from)?,
            };
            let FetchOutcome { end, calls, points } =
                run.make(planned.job(self.request.look_back), &probes, None)?;
            sum = FetchOutcome { end, calls: sum.calls + calls, points: sum.points + points };
            // A contradicted probe, or a cap that was learnt, opens gaps again.
            self.doubt_empty()?;
            planned = self.planned(run.present())?;
        }
        Ok(sum)
    }

    pub(super) fn planned(&self, now: Timestamp) -> Result<Planned, Error> {
        Planned::new(self.request, self.resolved, self.archive, now)
    }

    /// Takes in what earlier probes saw, and where that is wanted asks: the first batches, and the others where that pays. What
    /// is found empty is covered from then on.
    fn probe<C: Caller>(
        &self,
        run: &mut ExportRun<'_, C>,
        prepared: Prepared,
        sum: &mut FetchOutcome,
    ) -> Result<Prepared, C::Error> {
        let is_wanted = self.request.probing == Probing::First;
        if prepared.probes.is_none() && !is_wanted {
            return Ok(prepared);
        }
        let Prepared { planned, probes } = prepared;
        probes.conclude(self.archive, &planned).map_err(Error::from)?;
        let before = self.planned(run.present())?;
        if !is_wanted {
            return Ok(Prepared { planned: before, probes });
        }
        let settled = run.present() - self.request.look_back;
        let limits = self.limits()?;
        let plan = ProbePlan::new(self.archive, &before, &probes, limits, settled);
        let Some(plan) = plan.map_err(Error::from)? else {
            return Ok(Prepared { planned: before, probes });
        };
        ask(run, plan.trial(), sum)?;
        let mut after = self.conclude(run.present())?;
        let mut found = plan.found_by_trial(&before, &after.planned);
        if let Some(rest) = plan.rest()
            && sum.end == End::Done
            && found.encourages()
        {
            ask(run, rest, sum)?;
            after = self.conclude(run.present())?;
            found = plan.found(&before, &after.planned);
        }
        let (planned, left) = (before.plan.calls(), after.planned.plan.calls());
        run.tell(ExportEvent::Probed(Probed { calls: sum.calls, found, planned, left }));
        Ok(after)
    }

    /// Covers what the probes that lie there prove empty, and plans anew.
    fn conclude(&self, now: Timestamp) -> Result<Prepared, Error> {
        let planned = self.planned(now)?;
        let probes = ProbeResults::of(self.archive, &planned)?;
        probes.conclude(self.archive, &planned)?;
        Ok(Prepared { planned: self.planned(now)?, probes })
    }

    fn limits(&self) -> Result<Limits, Error> {
        self.request.limits(Some(self.archive))
    }

    /// Returns what opens again what was held: the points per series that the server serves, and whether an answer contradicted
    /// a probe.
    fn doubts(&self) -> Result<(u32, bool), Error> {
        Ok((self.limits()?.points, self.archive.probes_discarded()?.is_some()))
    }

    /// Opens again what came back empty while a cap was learnt: it may have been kept after it.
    pub(super) fn doubt_empty(&self) -> Result<(), Error> {
        let points = self.limits()?.points;
        if points < self.request.assumed.points {
            self.archive.doubt_empty(points)?;
        }
        Ok(())
    }

    /// Gives up what is older than the server is known to keep, also of queries that are new to the list.
    fn refuse_too_old(&self, planned: &Planned, now: Timestamp) -> Result<(), Error> {
        let learnt = self.archive.learnt()?;
        let is_edge = |learnt: &&Learnt| matches!(learnt.limit, LearntLimit::OldestKept(_));
        let Some(edge) = learnt.iter().find(is_edge) else { return Ok(()) };
        let oldest_s = self.limits()?.oldest_s;
        let asked = planned.plan.asked.iter().zip(&planned.covered);
        for (known, (asked, covered)) in planned.queries.iter().zip(asked) {
            let gaps = asked.map_or_else(Vec::new, |asked| subtract(asked, covered));
            let old = gaps
                .iter()
                .filter_map(|gap| Window::from_secs(gap.start_s(), gap.end_s().min(oldest_s)));
            let Some(old) = hull(old) else { continue };
            if known.too_old_until.is_none_or(|until| until < old.end()) {
                self.archive.give_up(&GivenUp {
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

/// Makes the calls of a probe, and adds them up.
fn ask<C: Caller>(
    run: &mut ExportRun<'_, C>,
    job: FetchJob<'_>,
    sum: &mut FetchOutcome,
) -> Result<(), C::Error> {
    let most = job.plan.calls() as u64 * 2 + CALLS_SPARE;
    let FetchOutcome { end, calls, .. } = run.make_ahead(job, Some(most))?;
    sum.calls += calls;
    sum.end = end;
    Ok(())
}
