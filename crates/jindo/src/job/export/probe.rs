//! The presence probe: queries fetched at a coarse interval, to find the windows that hold no data.
//!
//! A probe is a query like any other, at a longer interval: its calls are the machine's, its answers lie in the archive, a crash
//! loses none. Windows that it proves empty are covered by its own object, as [`Origin::Probed`]. Every answer fetched later is
//! compared with its probe; after a contradiction all probe results of the directory are discarded.

use super::planned::{Planned, PlannedQuery};
use crate::archive::{
    self, Archive, Aside, Coverage, GiveUpScope, Granted, Origin, ProbesDiscarded, QueryId, Role,
};
use crate::fetch::FetchJob;
use crate::job::error::Error;
use crate::job::request::closed;
use crate::plan::{Limits, PerQuery, Plan, PlanIndex, PresenceMap, ProbeGrid, Window};
use crate::query::{Interval, Query, coarse};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A query that is to be fetched in fewer windows is not probed: a call for it could save few.
const WINDOWS_MIN: usize = 10;

/// So many batches are probed before it is decided whether the others are.
const TRIAL_BATCHES: usize = 2;

/// Least share of empty windows in the trial for which the rest is probed: 35 queries share a call, and it is made as soon as one
/// of them is active.
const EMPTY_PERCENT_MIN: usize = 10;

/// Decoded bytes of a point in an answer, about.
const POINT_BYTES: u64 = 32;

/// A query of so many bytes a bucket takes more than its share of a call of 35 queries over a day of minutes.
const HEAVY_BYTES_PER_BUCKET: u64 = 1_000;

/// The probes that are worth their calls.
#[derive(Debug)]
pub(super) struct ProbePlan {
    /// The first batches, whose emptiness decides about the others, and the others where there are any.
    pub(super) parts: Vec<Plan>,
    /// As the ledger numbers the probes, in the order of the parts' queries.
    ids: PerQuery<QueryId>,
    /// Of each probe, the queries that it tells about.
    of: PerQuery<Vec<QueryId>>,
}

impl ProbePlan {
    /// Probes of those queries that are worth a call, of which absence tells something, and of which `results` tell nothing
    /// yet. What is younger than `settled` is not probed.
    pub(super) fn new(
        archive: &Archive,
        Planned { plan, queries: registered }: &Planned,
        results: &ProbeResults,
        limits: Limits,
        settled: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let discarded = archive.ledger().probes_discarded()?.is_some();
        let Some(grid) = ProbeGrid::before(plan, limits, settled).filter(|_| !discarded) else {
            return Ok(None);
        };
        let mut probes: Vec<Query> = Vec::new();
        let mut of: Vec<Vec<QueryId>> = Vec::new();
        let mut known = HashMap::new();
        for (index, windows) in plan.stretches().indexed() {
            let (id, is_given_up) = (registered[index].id, registered[index].is_given_up());
            if windows.len() < WINDOWS_MIN || is_given_up || results.covers(id, windows) {
                continue;
            }
            let Some(probe) = coarse(&plan.queries[index], grid.interval) else { continue };
            // Two queries may differ in their interval alone, and share their probe.
            let at = *known.entry(probe.text.sent.clone()).or_insert(probes.len());
            if at == probes.len() {
                probes.push(probe);
                of.push(Vec::new());
            }
            of[at].push(id);
        }
        let ids = archive.remember_aside(&probes, Role::Probe)?;
        let given_up = archive.ledger().given_up()?.into_iter();
        let refused = given_up.filter(|lost| lost.scope == GiveUpScope::Query);
        let refused: HashSet<_> = refused.map(|lost| lost.query).collect();
        let mut covered = Vec::new();
        for id in &ids {
            let is_refused = refused.contains(id);
            let held = if is_refused {
                vec![grid.window]
            } else {
                closed(&archive.ledger().coverage(*id)?)
            };
            covered.push(held);
        }
        let all = Plan::new(grid.window, probes, &covered, limits, settled);
        let parts = split(&all);
        Ok((!parts.is_empty()).then(|| Self { parts, ids: ids.into(), of: of.into() }))
    }

    /// Returns the calls of a part as a job.
    pub(super) fn job<'a>(&self, part: &'a Plan) -> FetchJob<'a> {
        FetchJob::aside(part, self.ids.clone(), Role::Probe)
    }

    /// Returns the yield of the parts up to `last`, from the plans before and after them.
    pub(super) fn found(&self, last: &Plan, before: &Planned, after: &Planned) -> ProbeYield {
        let number = self.parts.iter().position(|part| part == last).unwrap_or(0);
        let tasks = self.parts[..=number].iter().flat_map(|part| &part.tasks);
        let probes = tasks.flat_map(|task| &task.queries);
        let asked: HashSet<&QueryId> = probes.flat_map(|&probe| &self.of[probe]).collect();
        let count = |planned: &Planned| -> usize {
            let all = planned.queries.iter().zip(planned.plan.stretches());
            all.filter(|(query, _)| asked.contains(&query.id)).map(|(_, own)| own.len()).sum()
        };
        let windows = count(before);
        ProbeYield { windows, empty: windows.saturating_sub(count(after)) }
    }
}

/// Returns the first batches of a plan, and the others; without those that have no calls.
fn split(all: &Plan) -> Vec<Plan> {
    let mut batches: Vec<&[PlanIndex]> = all.tasks.iter().map(|task| &task.queries[..]).collect();
    let mut seen = HashSet::new();
    batches.retain(|batch| seen.insert(*batch));
    batches.truncate(TRIAL_BATCHES);
    let (trial, rest): (Vec<_>, Vec<_>) =
        all.tasks.iter().cloned().partition(|task| batches.contains(&&task.queries[..]));
    let parts = [trial, rest].into_iter().filter(|tasks| !tasks.is_empty());
    parts.map(|tasks| Plan { tasks, ..all.clone() }).collect()
}

/// Yield of probes, in windows of single queries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProbeYield {
    /// That were to be fetched, of the queries that were probed.
    pub windows: usize,
    /// Of these, that need not be.
    pub empty: usize,
}

impl ProbeYield {
    /// Returns true if other queries are worth probing too.
    pub(super) fn encourages(self) -> bool {
        self.windows > 0 && self.empty * 100 >= self.windows * EMPTY_PERCENT_MIN
    }
}

/// Results of the archive's probes, by the query that they tell about.
#[derive(Debug)]
pub(super) struct ProbeResults(BTreeMap<QueryId, Vec<ProbeResult>>);

/// Result of one probe of a query.
#[derive(Debug)]
struct ProbeResult {
    presence: PresenceMap,
    series: usize,
    /// Stretches that the archive holds of the probe, except open ones: in these, points may still come.
    held: Vec<Coverage>,
    /// Time of its newest answer.
    probed_at: Timestamp,
}

impl ProbeResults {
    /// Reads what probes saw of the planned queries, in this run or an earlier one.
    pub(super) fn of(
        archive: &Archive,
        Planned { plan, queries: registered }: &Planned,
    ) -> Result<Self, Error> {
        let mut probes = archive.identities()?;
        probes.retain(|_, (_, role)| *role == Role::Probe);
        let intervals: BTreeSet<_> = probes.keys().map(|(_, interval)| *interval).collect();
        let mut results = BTreeMap::new();
        for (query, PlannedQuery { id, .. }) in plan.queries.iter().zip(registered) {
            let mut all = Vec::new();
            for probe in intervals.iter().filter_map(|&interval| coarse(query, interval)) {
                let Some((id, _)) = probes.get(&(probe.text.sent.clone(), probe.text.interval))
                else {
                    continue;
                };
                all.extend(ProbeResult::by(archive, *id, probe.text.interval)?);
            }
            if !all.is_empty() {
                results.insert(*id, all);
            }
        }
        Ok(Self(results))
    }

    /// Covers what of the plan it proves empty, and keeps how heavy queries of many series are that have no weight yet.
    pub(super) fn conclude(
        &self,
        archive: &Archive,
        Planned { plan, queries: registered }: &Planned,
    ) -> Result<(), Error> {
        let (mut proven, mut weights) = (Vec::new(), BTreeMap::new());
        for (planned, query) in plan.stretches().iter().zip(registered) {
            let PlannedQuery { id, registered, .. } = query;
            let Some(all) = self.0.get(id) else { continue };
            let is_weighed = registered.as_ref().is_some_and(|query| query.weight.is_some());
            if !is_weighed
                && let Some((bytes, at)) = all.iter().filter_map(ProbeResult::weight).max()
            {
                weights.entry(at).or_insert_with(Vec::new).push((*id, Some(bytes)));
            }
            let own = archive.ledger().grants(*id)?;
            let mut empty = BTreeMap::new();
            for seen in all {
                // Stretches fetched after the probe were compared with it and agreed.
                let is_judged = |granted: &&Granted| {
                    granted.held.origin == Origin::Fetched && granted.fetched_at >= seen.probed_at
                };
                let judged = own.iter().filter(is_judged).map(|granted| granted.held.window);
                for window in seen.presence.empty(planned, &judged.collect::<Vec<_>>()) {
                    // The object whose answer speaks of the window's beginning.
                    let begins = |held: &&Coverage| held.window.contains(window.start());
                    let object = seen.held.iter().find(begins).map(|held| held.object);
                    empty.extend(object.map(|object| (window, object)));
                }
            }
            proven.extend(empty.into_iter().map(|(window, object)| (*id, object, window)));
        }
        for (at, weights) in weights {
            archive.ledger().weigh(&weights, at)?;
        }
        if !proven.is_empty() {
            archive.ledger().cover_empty(&proven)?;
        }
        Ok(())
    }

    /// Returns true without any result.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if one probe covers all of the windows.
    fn covers(&self, query: QueryId, windows: &[Window]) -> bool {
        let covers =
            |seen: &ProbeResult| windows.iter().all(|&window| seen.presence.covers(window));
        self.0.get(&query).is_some_and(|all| all.iter().any(covers))
    }

    /// Compares the points (Unix milliseconds) of an answer for `window` with the probes. Returns the start (Unix seconds) of a
    /// bucket in which only one of both has points.
    pub(super) fn contradiction(
        &self,
        query: QueryId,
        window: Window,
        points_ms: &dyn Fn() -> Vec<i64>,
    ) -> Option<i64> {
        let all = self.0.get(&query)?;
        let points_ms = points_ms();
        all.iter().find_map(|seen| seen.presence.contradiction(window, points_ms.iter().copied()))
    }
}

impl ProbeResult {
    /// `None` when the archive holds nothing of the probe.
    fn by(archive: &Archive, probe: QueryId, interval: Interval) -> Result<Option<Self>, Error> {
        let mut granted = archive.ledger().grants(probe)?;
        granted.retain(|granted| !granted.held.open);
        let newest = granted.iter().map(|granted| granted.fetched_at).max();
        let Some(probed_at) = newest else { return Ok(None) };
        let held: Vec<_> = granted.into_iter().map(|granted| granted.held).collect();
        let asked: Vec<_> = held.iter().map(|held| held.window).collect();
        let mut presence = PresenceMap::new(interval, &asked);
        let mut series = HashSet::new();
        for Coverage { window, object, .. } in &held {
            let (from, to) = (window.start().as_millisecond(), window.end().as_millisecond());
            archive.rows(*object, probe, &mut |chunk| {
                series.insert(chunk.tags.to_vec());
                presence.report(chunk.ts_ms.iter().copied().filter(|&at| from <= at && at < to));
                Ok::<_, archive::Error>(())
            })?;
        }
        Ok(Some(Self { presence, series: series.len(), held, probed_at }))
    }

    /// Returns the weight of a query of so many series, if it shapes calls, and since when it is known.
    fn weight(&self) -> Option<(u64, Timestamp)> {
        let bytes_per_bucket = self.series as u64 * POINT_BYTES;
        (bytes_per_bucket >= HEAVY_BYTES_PER_BUCKET).then_some((bytes_per_bucket, self.probed_at))
    }
}

/// An answer contradicts a probe: points came late, or the server's coarse answers cannot be believed. What probes found empty is
/// a gap again, and this directory is not probed any more.
pub(super) fn discard_probes(
    archive: &Archive,
    query: QueryId,
    at_s: i64,
    now: Timestamp,
) -> Result<(), archive::Error> {
    let unknown = archive::Error::UnknownQuery { query };
    let query = archive.ledger().query(query)?.ok_or(unknown)?;
    let at = Timestamp::from_second(at_s).unwrap_or(now);
    let why =
        format!("from {at} a probe of {} said something else than its points", query.text.written);
    archive.ledger().discard_probes(&ProbesDiscarded { why, at: now })?;
    archive.forget_answers(Aside::Probes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ArchiveId, Fetched, Objects, Request, RequestLine, Sqlite};
    use crate::job::export::list_types::ListTypes;
    use crate::job::request::{ExportRequest, ListText};
    use crate::parse::Answer;
    use crate::query::QueryText;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    const HOUR_S: i64 = 3_600;
    const START_S: i64 = 1_780_272_000; // 2026-06-01T00:00:00Z

    fn window(hours: i64) -> Window {
        Window::from_secs(START_S, START_S + hours * HOUR_S).unwrap()
    }

    /// Calls that are left to a query that is wanted for two days, after a probe without any point.
    fn left(open: bool) -> usize {
        let ledger = Box::new(Sqlite::memory().unwrap());
        let objects = Objects::over(Arc::new(InMemory::new())).unwrap();
        let archive = Archive::assemble(ledger, objects, ArchiveId::new(1)).unwrap();
        let query = Query::new(QueryText::new(
            "avg:m{*}",
            "avg:m{*}.rollup(avg, 60).fill(null)",
            Interval::from_secs(60).unwrap(),
        ));
        let interval = Interval::from_secs(3_600).unwrap();
        let probe = coarse(&query, interval).unwrap();
        let (range, now) = (window(48), window(1_000).end());
        let (timezone, arguments) = ("UTC".into(), "{}".into());
        let lines = vec![RequestLine::Query(query)];
        archive.register(&Request { lines, asked: range.into(), timezone, arguments }).unwrap();
        let queries = archive.remember_aside(&[probe], Role::Probe).unwrap();
        let (fetched_at, answer) = (now, &Answer { series: Vec::new() });
        let queries = &queries[..];
        let fetched = Fetched { queries, interval, window: range, fetched_at, open, answer };
        archive.store(&fetched).unwrap();
        let archive = &archive;
        let text = ListText { name: "list".into(), text: "avg:m{*}".into() };
        let request = ExportRequest::new(text, range.start(), range.end());
        let resolved = request.resolve(Vec::new(), ListTypes::default(), now).unwrap();
        let planned = || Planned::new(&request, &resolved, archive, now).unwrap();
        ProbeResults::of(archive, &planned()).unwrap().conclude(archive, &planned()).unwrap();
        planned().plan.calls()
    }

    /// Points that a young probe had not seen yet were covered for good.
    #[test]
    fn a_probe_that_is_still_open_proves_nothing() {
        assert_eq!([left(false), left(true)], [0, 2]);
    }

    /// All other probes were asked although every probe of the trial was refused.
    #[test]
    fn a_trial_that_proves_nothing_encourages_nobody() {
        let found = |windows, empty| ProbeYield { windows, empty }.encourages();
        assert_eq!([found(0, 0), found(100, 9), found(100, 10)], [false, false, true]);
    }
}
