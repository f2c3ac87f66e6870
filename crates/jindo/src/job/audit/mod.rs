//! `verify --refetch`: compares a random sample of what the archive holds with what the server returns now, and tells late points from
//! changed ones and from those that only the archive still has.
//!
//! Its calls are made like those of an export. Answers are compared, never stored, and no limit that is learnt on the way is kept.

mod findings;
mod sample;

#[cfg(test)]
mod tests;

pub use findings::{AuditReport, Difference, DifferenceCounts, DifferenceKind, RefusedAudit};
pub use sample::SampleSize;

use super::request::learnt_limits;
use crate::archive::{Archive, Error, Origin, QueryId, Registered, Role};
use crate::fetch::{AnswerSink, Ask, Decision, FetchJob, FetchOutcome, ReadAnswer, Recorded};
use crate::parse::{Answer, CallPosition, Series};
use crate::plan::{Limits, PerQuery, Plan, PlanIndex, Task, Window, hull};
use crate::query::{Query, QueryText};
use findings::{Findings, PointPairs};
use jiff::Timestamp;
use sample::{AuditUnit, sample, units};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An audit as it is requested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AuditRequest {
    pub size: SampleSize,
    /// The same seed draws the same sample of the same archive.
    pub seed: u64,
    pub marking: Marking,
}

/// Treatment of stretches that differ and of which the server lacks no point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// They stay as they are; the archive may be open for reading only.
    Keep,
    /// They are marked, and the next export asks for them again, whole.
    Mark,
}

/// Result of an audit, as far as it came.
#[derive(Debug)]
pub struct AuditOutcome<E> {
    pub report: AuditReport,
    /// Number of stretches that were marked.
    pub marked: Result<u64, Error>,
    /// Outcome of the calls; `None` where the archive holds nothing that can be asked again.
    pub calls: Option<Result<FetchOutcome, E>>,
}

/// A sample with the calls that it takes, and the differences found so far.
#[derive(Debug)]
pub struct Audit<'a> {
    archive: &'a Archive,
    /// The calls: one task for each unit of the sample.
    pub plan: Plan,
    /// The plan's queries as the ledger numbers them.
    ids: PerQuery<QueryId>,
    findings: Mutex<Findings>,
}

impl AuditRequest {
    /// Draws the sample, has its calls made by `make`, and marks what differs where that is requested. Fails where the sample cannot be
    /// drawn; a later failure is part of the outcome, since the differences found so far were paid for.
    pub fn run<E>(
        &self,
        archive: &Archive,
        now: Timestamp,
        make: impl FnOnce(&Audit<'_>) -> Result<FetchOutcome, E>,
    ) -> Result<AuditOutcome<E>, Error> {
        let Some(audit) = Audit::draw(archive, self.size, self.seed, now)? else {
            return Ok(AuditOutcome { report: AuditReport::default(), marked: Ok(0), calls: None });
        };
        let calls = Some(make(&audit));
        let report = audit.ended();
        let is_marked = self.marking == Marking::Mark && !report.to_ask.is_empty();
        let marked = if is_marked { archive.ledger().reopen(&report.to_ask) } else { Ok(0) };
        Ok(AuditOutcome { report, marked, calls })
    }
}

impl<'a> Audit<'a> {
    /// Draws a sample; `None` where the archive holds nothing that can be asked again. The same seed draws the same of the same archive.
    pub fn draw(
        archive: &'a Archive,
        size: SampleSize,
        seed: u64,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        // Coverage before objects: what it names and they do not have was replaced in between.
        let coverage = archive.ledger().coverage_all()?;
        let registered = archive.ledger().queries()?;
        let ids: PerQuery<_> = registered.iter().map(|query| query.id).collect();
        // As they were when the archived objects were fetched: the same text, the same batching.
        let as_fetched = |known: Registered| Query {
            text: QueryText { unfilled: None, ..known.text },
            weight: known.weight.map(|weight| weight.bytes_per_bucket),
        };
        let queries = registered.into_iter().map(as_fetched).collect();
        let limits = learnt_limits(archive, Limits::ASSUMED, now)?;
        let all = units(&coverage, archive.ledger().objects()?, &ids, &queries, limits);
        let (askable, too_old): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|unit| unit.is_kept(now));
        let (windows, too_old) = (askable.len(), too_old.len());
        let units = sample(askable, size, seed);
        let Some(plan) = plan(&units, queries) else { return Ok(None) };
        let report = AuditReport { windows, too_old, ..AuditReport::default() };
        Ok(Some(Self { archive, plan, ids, findings: Mutex::new(Findings::of(units, report)) }))
    }

    /// Returns the job that makes the calls.
    pub fn mission(&self) -> FetchJob<'_> {
        FetchJob::aside(&self.plan, self.ids.clone(), Role::Wanted)
    }

    /// Returns what was found, once the calls have ended.
    pub fn ended(self) -> AuditReport {
        let findings = self.findings.into_inner().unwrap_or_else(PoisonError::into_inner);
        findings.ended(&self.plan, &self.ids)
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares an answer with what the archive holds, as far as it still does.
    fn compare(&self, ask: &Ask, answer: &Answer) -> Result<(), Error> {
        let mut findings = self.findings();
        for (position, &query) in CallPosition::all(ask.queries.len()).zip(&ask.queries) {
            let served: Vec<_> =
                answer.series.iter().filter(|series| series.query == position).collect();
            let coverage = self.archive.ledger().coverage(self.ids[query])?;
            for number in findings.touching(query, ask.window) {
                let stretch = &findings.stretches[number];
                let unit = &findings.units[stretch.unit];
                // The archive may show something else there by now.
                let is_granted = coverage.iter().any(|held| {
                    (held.object, held.origin) == (unit.object, unit.origin)
                        && held.window.covers(stretch.window)
                });
                let pairs = if is_granted { self.pairs(query, unit, &served)? } else { None };
                findings.compare(number, ask.window, pairs.as_ref());
            }
        }
        Ok(())
    }

    /// Returns the points of a query that the unit's object holds beside those that are served; `None` where the object is gone.
    fn pairs(
        &self,
        query: PlanIndex,
        unit: &AuditUnit,
        served: &[&Series],
    ) -> Result<Option<PointPairs>, Error> {
        let mut pairs = PointPairs::default();
        if unit.origin == Origin::Fetched {
            // A probe's object holds the probe's points; of the query itself there are none.
            let read = self.archive.rows(unit.object, self.ids[query], &mut |chunk| {
                let series = pairs.entry(chunk.tags.to_vec()).or_default();
                for (&at, &value) in chunk.ts_ms.iter().zip(chunk.values) {
                    series.entry(at).or_default().held = Some(value);
                }
                Ok::<_, Error>(())
            });
            match read {
                Err(Error::ObjectGone { .. }) => return Ok(None),
                read => read?,
            }
        }
        for Series { tags, ts_ms, values, .. } in served {
            let series = pairs.entry(tags.clone()).or_default();
            for (&at, &value) in ts_ms.iter().zip(values) {
                series.entry(at).or_default().served = Some(value);
            }
        }
        Ok(Some(pairs))
    }
}

impl AnswerSink for Audit<'_> {
    /// Compares the answer; the archive stays as it is.
    fn accept(&self, read: &ReadAnswer, _now: Timestamp) -> Result<(), Error> {
        self.compare(&read.asked.ask, &read.answer)
    }

    /// Counts what the server refuses. Nothing that was learnt is kept.
    fn record(
        &self,
        decision: &Decision,
        _job: &mut FetchJob<'_>,
        _now: Timestamp,
    ) -> Result<Recorded, Error> {
        let (query, window, reason) = match decision {
            Decision::GiveUp { query, reason } => (*query, None, reason.to_string()),
            Decision::RefuseWindow { query, window, reason } => {
                (*query, Some(*window), reason.clone())
            }
            Decision::SendUnfilled { .. } => unreachable!("no query of the plan has such a form"),
            Decision::Learn { .. }
            | Decision::Confirm { .. }
            | Decision::Unlearn { .. }
            | Decision::Weigh { .. }
            | Decision::Reopen { .. }
            | Decision::Trust { .. } => return Ok(Recorded::Ignored),
        };
        self.findings().refused.entry((query, window)).or_insert(reason);
        Ok(Recorded::Ignored)
    }
}

/// Returns a plan with one task per unit; `None` without units.
fn plan(units: &[AuditUnit], queries: PerQuery<Query>) -> Option<Plan> {
    let range = hull(units.iter().map(|unit| unit.window))?;
    let mut asked: PerQuery<Option<Window>> = PerQuery::filled(None, queries.len());
    let mut tasks = Vec::with_capacity(units.len());
    for &AuditUnit { window, interval, ref queries, .. } in units {
        for &query in queries {
            asked[query] = hull(asked[query].into_iter().chain([window]));
        }
        tasks.push(Task { queries: queries.clone(), interval, window });
    }
    Some(Plan { range, queries, asked, tasks })
}
