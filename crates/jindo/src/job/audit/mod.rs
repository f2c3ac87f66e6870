//! Asking again: a random sample of what the archive holds, compared with what the server says now. Data that came late is told
//! from data that changed, and from data that only the archive still has.
//!
//! Its calls are the machine's and the driver's; only what becomes of the answers differs: they are compared, never kept, and
//! nothing that is learnt on the way is written. Never decides what is to be done about a difference.

mod compare;
mod sample;
mod tally;

#[cfg(test)]
mod tests;

pub use compare::{Kind, Point};
pub use sample::SampleSize;
pub use tally::{AuditReport, Counts, Difference, Refused};

use super::known::learnt_limits;
use crate::archive::{Archive, Coverage, Error, ObjectId, Origin, QueryId, Registered, Role};
use crate::fetch::FetchJob;
use crate::fetch::{Action, Ask};
use crate::parse::{Answer, CallPosition, Series};
use crate::plan::{Limits, PerQuery, Plan, PlanIndex, Task, Window, hull};
use crate::query::{Query, QueryText};
use compare::{Points, compare};
use jiff::{SignedDuration, Timestamp};
use sample::{Unit, Units, sample, units};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use tally::{Left, Tally};

/// A sample on its way: what is asked, and what came of it so far.
#[derive(Debug)]
pub struct Audit<'a> {
    archive: &'a Archive,
    plan: Plan,
    /// The plan's queries as the ledger numbers them.
    ids: PerQuery<QueryId>,
    /// Disjoint per query, oldest first.
    sampled: HashMap<QueryId, Vec<Stretch>>,
    too_old: usize,
    windows: usize,
    tally: Mutex<Tally>,
}

/// What the archive held of a query in one stretch when the sample was drawn.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// Counts the stretches of the sample.
    number: usize,
    window: Window,
    object: ObjectId,
    origin: Origin,
    fetched_at: Timestamp,
}

/// The points that an object holds of one query, by tags: times and values.
type Held = BTreeMap<Vec<String>, (Vec<i64>, Vec<f64>)>;

impl<'a> Audit<'a> {
    /// Draws a sample. `None`: the archive holds nothing that could be asked again.
    pub fn draw(
        archive: &'a Archive,
        portion: SampleSize,
        seed: u64,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        // Coverage before objects: what it names and they do not have was replaced in between.
        let coverage = archive.coverage_all()?;
        let registered = PerQuery::from(archive.queries()?);
        let queries: PerQuery<_> = registered.iter().map(as_fetched).collect();
        let limits = learnt_limits(archive, Limits::ASSUMED)?;
        let Units { askable, too_old } =
            units(&coverage, archive.objects_all()?, (&registered, &queries), limits, now);
        let windows = askable.len();
        let units = sample(askable, portion, seed);
        let ids: PerQuery<_> = registered.iter().map(|query| query.id).collect();
        let Some(plan) = plan(&units, &ids, queries) else { return Ok(None) };
        let (sampled, left) = stretches(&units);
        let tally = Mutex::new(Tally::new(units.len(), left));
        Ok(Some(Self { archive, plan, ids, sampled, too_old, windows, tally }))
    }

    /// One task a window.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// For [`super::drive`].
    pub fn mission(&self) -> FetchJob<'_> {
        FetchJob {
            plan: &self.plan,
            ids: self.ids.clone(),
            given_up: Vec::new(),
            look_back: SignedDuration::ZERO,
            role: Role::Wanted,
        }
    }

    /// What came of it, once the run has ended.
    pub fn ended(self) -> AuditReport {
        let written: PerQuery<_> =
            self.plan.queries.into_iter().map(|query| query.text.written).collect();
        let tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.ended(&written, self.windows, self.too_old)
    }

    /// Compares an answer with what the archive holds, as far as it still does.
    pub(crate) fn compare(&self, ask: &Ask, answer: &Answer) -> Result<(), Error> {
        for (position, &query) in CallPosition::all(ask.queries.len()).zip(&ask.queries) {
            let Some(all) = self.sampled.get(&self.ids[query]) else { continue };
            let from = all.partition_point(|stretch| stretch.window.end() <= ask.window.start());
            let until = all.partition_point(|stretch| stretch.window.start() < ask.window.end());
            let series = &answer.series;
            let served = series.partition_point(|series| series.query < position)
                ..series.partition_point(|series| series.query <= position);
            for of_one in all[from..until].chunk_by(|a, b| a.object == b.object) {
                self.compare_object(query, of_one, (&series[served.clone()], ask.window))?;
            }
        }
        Ok(())
    }

    /// Of one query, the stretches that one object held.
    fn compare_object(
        &self,
        query: PlanIndex,
        stretches: &[Stretch],
        (served, asked): (&[Series], Window),
    ) -> Result<(), Error> {
        let id = self.ids[query];
        let coverage = self.archive.coverage(id)?;
        let held = match self.held(id, &stretches[0]) {
            Err(Error::ObjectGone { .. }) => None,
            held => Some(held?),
        };
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        for stretch in stretches {
            match &held {
                Some(held) if is_granted(&coverage, stretch) => {
                    for part in tally.take(stretch.number, asked) {
                        compare_stretch(&mut tally, (query, id), stretch, (part, held, served));
                    }
                }
                _ => tally.replaced(stretch.number, asked),
            }
        }
        Ok(())
    }

    fn held(&self, id: QueryId, stretch: &Stretch) -> Result<Held, Error> {
        let mut held = Held::new();
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

    /// What the machine decided: what cannot be asked is counted, what was learnt is not kept.
    pub(crate) fn note(&self, action: &Action) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        match action {
            Action::GiveUp { query, reason } => tally.refused(*query, None, &reason.to_string()),
            Action::RefuseWindow { query, window, reason } => {
                tally.refused(*query, Some(*window), reason);
            }
            Action::SendUnfilled { .. } => unreachable!("no query of the plan has such a form"),
            Action::Learn { .. }
            | Action::Weigh { .. }
            | Action::Remember { .. }
            | Action::Ask { .. }
            | Action::Store { .. }
            | Action::Discard { .. }
            | Action::Complete { .. }
            | Action::Wake { .. }
            | Action::Finish { .. } => {}
        }
    }
}

/// As it was asked for what the archive holds: in the same form, and with the same company, whatever became of it since.
fn as_fetched(known: &Registered) -> Query {
    Query {
        text: QueryText { unfilled: None, ..known.text.clone() },
        weight: known.weight.map(|weight| weight.bytes_per_bucket),
    }
}

/// One task a unit; `None` without any.
fn plan(units: &[Unit], ids: &PerQuery<QueryId>, queries: PerQuery<Query>) -> Option<Plan> {
    let index: HashMap<QueryId, PlanIndex> =
        ids.indexed().map(|(index, id)| (*id, index)).collect();
    let mut asked = PerQuery::filled(None, queries.len());
    let mut tasks = Vec::with_capacity(units.len());
    for Unit { window, interval, queries, .. } in units {
        let queries: Vec<_> = queries.iter().map(|query| index[query]).collect();
        for &query in &queries {
            asked[query] = hull(asked[query].into_iter().chain([*window]));
        }
        tasks.push(Task { queries, interval: *interval, window: *window });
    }
    let range = hull(units.iter().map(|unit| unit.window))?;
    Some(Plan { range, queries, asked, tasks })
}

/// All stretches by query, oldest first; and of each in its order the unit, and what is left to be compared.
fn stretches(units: &[Unit]) -> (HashMap<QueryId, Vec<Stretch>>, Vec<Left>) {
    let mut sampled: HashMap<QueryId, Vec<Stretch>> = HashMap::new();
    let mut left = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let &Unit { object, origin, fetched_at, .. } = unit;
        for (query, granted) in unit.queries.iter().zip(&unit.granted) {
            for &window in granted {
                let number = left.len();
                left.push(Left { unit: index, windows: vec![window] });
                let stretch = Stretch { number, window, object, origin, fetched_at };
                sampled.entry(*query).or_default().push(stretch);
            }
        }
    }
    for stretches in sampled.values_mut() {
        stretches.sort_unstable_by_key(|stretch| stretch.window);
    }
    (sampled, left)
}

/// Whether the archive still shows what the stretch's object holds there.
fn is_granted(coverage: &[Coverage], stretch: &Stretch) -> bool {
    coverage.iter().any(|held| {
        held.object == stretch.object
            && held.origin == stretch.origin
            && held.window.covers(stretch.window)
    })
}

fn compare_stretch(
    tally: &mut Tally,
    (query, id): (PlanIndex, QueryId),
    stretch: &Stretch,
    (window, held, served): (Window, &Held, &[Series]),
) {
    let mut sides: BTreeMap<&[String], (Points<'_>, Points<'_>)> = BTreeMap::new();
    for (tags, (ts_ms, values)) in held {
        sides.entry(tags).or_default().0 = Points { ts_ms, values }.within(window);
    }
    for series in served {
        let Series { tags, ts_ms, values, .. } = series;
        sides.entry(tags).or_default().1 = Points { ts_ms, values }.within(window);
    }
    for (tags, (held, served)) in sides {
        let place = tally::Place { query, id, stretch, tags };
        let times = compare(held, served, &mut |point| tally.differs(&place, point));
        tally.points += times;
    }
}
