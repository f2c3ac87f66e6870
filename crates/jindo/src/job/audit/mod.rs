//! `verify --refetch`: compares a random sample of what the archive holds with what the server returns now, and tells late points from
//! changed ones and from those that only the archive still has.
//!
//! Its calls are made like those of an export. Answers are compared, never stored, and no limit that is learnt on the way is kept.

mod compare;
mod report;
mod run;
mod sample;

#[cfg(test)]
mod tests;

pub use compare::{DifferenceKind, PointDifference};
pub use report::{AuditReport, Difference, DifferenceCounts, RefusedAudit};
pub use run::{AuditOutcome, AuditRequest, Marking};
pub use sample::SampleSize;

use super::plan_input::learnt_limits;
use crate::archive::{Archive, Coverage, Error, ObjectId, Origin, QueryId, Registered, Role};
use crate::fetch::FetchJob;
use crate::fetch::{Action, AnswerSink, Ask, ReadAnswer, Recorded};
use crate::parse::{Answer, CallPosition, Series};
use crate::plan::{Limits, PerQuery, Plan, PlanIndex, Task, Window, hull};
use crate::query::{Query, QueryText};
use compare::{SeriesPoints, compare};
use jiff::{SignedDuration, Timestamp};
use report::{Findings, Uncompared};
use sample::{AuditUnit, AuditUnits, WantedQueries, sample, units};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// A sample with the calls that it takes, and the differences found so far.
#[derive(Debug)]
pub struct Audit<'a> {
    archive: &'a Archive,
    plan: Plan,
    /// The plan's queries as the ledger numbers them.
    ids: PerQuery<QueryId>,
    /// Disjoint per query, oldest first.
    sampled: HashMap<QueryId, Vec<SampledStretch>>,
    too_old: usize,
    windows: usize,
    findings: Mutex<Findings>,
}

/// A stretch of one query that the archive held when the sample was drawn.
#[derive(Debug, Clone, Copy)]
struct SampledStretch {
    /// Number of the stretch in the sample.
    number: usize,
    window: Window,
    object: ObjectId,
    origin: Origin,
    fetched_at: Timestamp,
}

/// Series of one query in an answer, and the window that the call asked for.
#[derive(Debug, Clone, Copy)]
struct ServedSeries<'a> {
    series: &'a [Series],
    asked: Window,
}

/// Points that an object holds of one query, by tags: times and values.
type HeldPoints = BTreeMap<Vec<String>, (Vec<i64>, Vec<f64>)>;

impl<'a> Audit<'a> {
    /// Draws a sample; `None` where the archive holds nothing that can be asked again. The same seed draws the same of the same archive.
    pub fn draw(
        archive: &'a Archive,
        size: SampleSize,
        seed: u64,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        // Coverage before objects: what it names and they do not have was replaced in between.
        let coverage = archive.coverage_all()?;
        let registered = PerQuery::from(archive.queries()?);
        let queries: PerQuery<_> = registered.iter().map(as_fetched).collect();
        let limits = learnt_limits(archive, Limits::ASSUMED)?;
        let AuditUnits { askable, too_old } = units(
            &coverage,
            archive.objects_all()?,
            WantedQueries { registered: &registered, queries: &queries },
            limits,
            now,
        );
        let windows = askable.len();
        let units = sample(askable, size, seed);
        let ids: PerQuery<_> = registered.iter().map(|query| query.id).collect();
        let Some(plan) = plan(&units, &ids, queries) else { return Ok(None) };
        let (sampled, left) = stretches(&units);
        let findings = Mutex::new(Findings::new(units.len(), left));
        Ok(Some(Self { archive, plan, ids, sampled, too_old, windows, findings }))
    }

    /// Returns the calls, one per window.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the job that makes the calls.
    pub fn mission(&self) -> FetchJob<'_> {
        FetchJob {
            plan: &self.plan,
            ids: self.ids.clone(),
            given_up: Vec::new(),
            look_back: SignedDuration::ZERO,
            role: Role::Wanted,
        }
    }

    /// Returns what was found, once the calls have ended.
    pub fn ended(self) -> AuditReport {
        let written: PerQuery<_> =
            self.plan.queries.into_iter().map(|query| query.text.written).collect();
        let findings = self.findings.into_inner().unwrap_or_else(PoisonError::into_inner);
        findings.ended(&written, self.windows, self.too_old)
    }

    /// Compares an answer with what the archive holds, as far as it still does.
    fn compare(&self, ask: &Ask, answer: &Answer) -> Result<(), Error> {
        for (position, &query) in CallPosition::all(ask.queries.len()).zip(&ask.queries) {
            let Some(all) = self.sampled.get(&self.ids[query]) else { continue };
            let from = all.partition_point(|stretch| stretch.window.end() <= ask.window.start());
            let until = all.partition_point(|stretch| stretch.window.start() < ask.window.end());
            let series = &answer.series;
            let served = series.partition_point(|series| series.query < position)
                ..series.partition_point(|series| series.query <= position);
            for of_one in all[from..until].chunk_by(|a, b| a.object == b.object) {
                let served = ServedSeries { series: &series[served.clone()], asked: ask.window };
                self.compare_object(query, of_one, served)?;
            }
        }
        Ok(())
    }

    /// Compares the stretches of one query that one object held.
    fn compare_object(
        &self,
        query: PlanIndex,
        stretches: &[SampledStretch],
        served: ServedSeries<'_>,
    ) -> Result<(), Error> {
        let id = self.ids[query];
        let coverage = self.archive.coverage(id)?;
        let held = match self.held(id, &stretches[0]) {
            Err(Error::ObjectGone { .. }) => None,
            held => Some(held?),
        };
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        for stretch in stretches {
            match &held {
                Some(held) if is_granted(&coverage, stretch) => {
                    for part in findings.take(stretch.number, served.asked) {
                        let sides = by_tags(held, served.series, part);
                        for (tags, (held, served)) in sides {
                            let owner = report::PointOwner { query, id, stretch, tags };
                            let times = compare(held, served, &mut |point| {
                                findings.differs(&owner, point);
                            });
                            findings.points += times;
                        }
                    }
                }
                _ => findings.replaced(stretch.number, served.asked),
            }
        }
        Ok(())
    }

    fn held(&self, id: QueryId, stretch: &SampledStretch) -> Result<HeldPoints, Error> {
        let mut held = HeldPoints::new();
        if stretch.origin == Origin::Probed {
            return Ok(held); // the object holds a probe's points; of the query itself there are none
        }
        self.archive.rows(stretch.object, id, &mut |chunk| {
            let (ts_ms, values) = match held.get_mut(chunk.tags) {
                Some(points) => points,
                None => held.entry(chunk.tags.to_vec()).or_default(),
            };
            ts_ms.extend_from_slice(chunk.ts_ms);
            values.extend_from_slice(chunk.values);
            Ok::<_, Error>(())
        })?;
        Ok(held)
    }

    /// Counts what the server refuses. Nothing that was learnt is kept.
    fn note(&self, action: &Action) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        match action {
            Action::GiveUp { query, reason } => findings.refused(*query, None, &reason.to_string()),
            Action::RefuseWindow { query, window, reason } => {
                findings.refused(*query, Some(*window), reason);
            }
            Action::SendUnfilled { .. } => unreachable!("no query of the plan has such a form"),
            Action::Learn { .. }
            | Action::Weigh { .. }
            | Action::Ask { .. }
            | Action::Store { .. }
            | Action::Discard { .. }
            | Action::Complete { .. }
            | Action::Wake { .. }
            | Action::Finish { .. } => {}
        }
    }
}

impl AnswerSink for Audit<'_> {
    /// Compares the answer; the archive stays as it is.
    fn accept(&self, read: &ReadAnswer, _now: Timestamp) -> Result<(), Error> {
        self.compare(&read.asked.ask, &read.answer)
    }

    fn record(
        &self,
        decision: &Action,
        _job: &mut FetchJob<'_>,
        _now: Timestamp,
    ) -> Result<Recorded, Error> {
        self.note(decision);
        Ok(Recorded::Ignored)
    }
}

/// Returns the query as it was when the archived object was fetched: the same text, the same batching.
fn as_fetched(known: &Registered) -> Query {
    Query {
        text: QueryText { unfilled: None, ..known.text.clone() },
        weight: known.weight.map(|weight| weight.bytes_per_bucket),
    }
}

/// Returns a plan with one task per unit; `None` without units.
fn plan(units: &[AuditUnit], ids: &PerQuery<QueryId>, queries: PerQuery<Query>) -> Option<Plan> {
    let index: HashMap<QueryId, PlanIndex> =
        ids.indexed().map(|(index, id)| (*id, index)).collect();
    let mut asked = PerQuery::filled(None, queries.len());
    let mut tasks = Vec::with_capacity(units.len());
    for AuditUnit { window, interval, queries, .. } in units {
        let queries: Vec<_> = queries.iter().map(|query| index[query]).collect();
        for &query in &queries {
            asked[query] = hull(asked[query].into_iter().chain([*window]));
        }
        tasks.push(Task { queries, interval: *interval, window: *window });
    }
    let range = hull(units.iter().map(|unit| unit.window))?;
    Some(Plan { range, queries, asked, tasks })
}

/// Returns all stretches by query, the oldest first, and for each its unit and what is left to be compared.
fn stretches(units: &[AuditUnit]) -> (HashMap<QueryId, Vec<SampledStretch>>, Vec<Uncompared>) {
    let mut sampled: HashMap<QueryId, Vec<SampledStretch>> = HashMap::new();
    let mut left = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let &AuditUnit { object, origin, fetched_at, .. } = unit;
        for (query, granted) in unit.queries.iter().zip(&unit.granted) {
            for &window in granted {
                let number = left.len();
                left.push(Uncompared { unit: index, windows: vec![window] });
                let stretch = SampledStretch { number, window, object, origin, fetched_at };
                sampled.entry(*query).or_default().push(stretch);
            }
        }
    }
    for stretches in sampled.values_mut() {
        stretches.sort_unstable_by_key(|stretch| stretch.window);
    }
    (sampled, left)
}

/// Returns true where the archive still shows what the stretch's object holds there.
fn is_granted(coverage: &[Coverage], stretch: &SampledStretch) -> bool {
    coverage.iter().any(|held| {
        held.object == stretch.object
            && held.origin == stretch.origin
            && held.window.covers(stretch.window)
    })
}

/// Returns the points of both sides within `window`, held and served, by tags.
fn by_tags<'p>(
    held: &'p HeldPoints,
    served: &'p [Series],
    window: Window,
) -> BTreeMap<&'p [String], (SeriesPoints<'p>, SeriesPoints<'p>)> {
    let mut sides: BTreeMap<&[String], (SeriesPoints<'_>, SeriesPoints<'_>)> = BTreeMap::new();
    for (tags, (ts_ms, values)) in held {
        sides.entry(tags).or_default().0 = SeriesPoints { ts_ms, values }.within(window);
    }
    for Series { tags, ts_ms, values, .. } in served {
        sides.entry(tags).or_default().1 = SeriesPoints { ts_ms, values }.within(window);
    }
    sides
}
