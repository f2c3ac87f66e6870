//! The one plan of an export: what is printed before it, what its rounds fetch, and what `jindo plan` tells.

use super::leaving::Leaving;
use super::list_types::ListTypes;
use super::resolve::ResolvedRequest;
use crate::archive::{Archive, Coverage, GiveUpReason, Origin, QueryId, Registered, Role, Spaced};
use crate::extract::CsvTree;
use crate::fetch::FetchJob;
use crate::job::error::Error;
use crate::job::pace::KnownPace;
use crate::job::request::{ExportRequest, LearntFacts, Probing, learnt_still};
use crate::job::resolution::Sampling;
use crate::plan::{
    CALLS_MAX, Estimate, Limits, PerQuery, Plan, PlanIndex, SeriesSeen, Window, calls_least,
};
use crate::query::{Query, QueryText};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The calls of an export, with the request that they follow from.
#[derive(Debug, Clone)]
pub struct ExportPlan {
    pub request: ResolvedRequest,
    pub plan: Plan,
    /// Contents that the directory's files will not show any more.
    pub leaving: Leaving,
    /// Bytes of disk that rewriting what the archive holds takes for a while, and files of it that are still to be made.
    pub rewriting_bytes: u64,
    /// Series that the directory's files show of its queries.
    pub series: SeriesSeen,
    /// The pace of earlier runs.
    pub pace: KnownPace,
    /// Intervals that samples of an earlier run show, and that the ledger does not keep yet.
    pub(super) found: Vec<Spaced>,
}

/// A query of a plan, as the ledger knows it.
#[derive(Debug, Clone)]
pub(super) struct PlannedQuery {
    pub(super) id: QueryId,
    /// Coverage that counts.
    pub(super) covered: Vec<Window>,
    /// `None`: it was only ever asked as a probe or a sample.
    pub(super) registered: Option<Registered>,
}

/// A plan of which every query is in the ledger.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// In the order of the plan's queries.
    pub(super) queries: PerQuery<PlannedQuery>,
}

impl ExportPlan {
    /// Returns what the plan is expected to bring.
    pub fn estimate(&self) -> Estimate {
        self.plan.estimate(&self.series)
    }

    /// Returns true if calls are needed: to fetch, or to find native intervals or types of metrics.
    pub fn needs_calls(&self) -> bool {
        self.plan.calls() > 0 || self.needs_samples() || self.metadata_calls() > 0
    }

    /// Returns true if intervals have to be found before the plan is final.
    pub fn needs_samples(&self) -> bool {
        !self.request.list.unspaced.is_empty()
    }

    /// Returns the metrics whose types are asked before the first query: those that are not known, and where calls are made anyway
    /// those in doubt.
    pub(super) fn types_to_ask(&self) -> Vec<String> {
        let list = &self.request.list;
        let mut metrics = list.untyped.clone();
        if self.plan.calls() > 0 {
            let typed = list.queries.iter().flat_map(|query| query.text.sent.typed_metrics());
            let doubtful = &self.request.types.doubtful;
            metrics.extend(typed.filter(|metric| doubtful.contains(*metric)).map(str::to_owned));
        }
        metrics.into_iter().collect()
    }

    /// Returns the calls that ask for types of metrics, which count against no limit of query calls.
    pub fn metadata_calls(&self) -> usize {
        self.types_to_ask().len()
    }
}

impl ExportRequest {
    /// Returns the plan for what `archive` does not cover. Reads only.
    ///
    /// # Errors
    /// As [`ExportRequest::resolve`], and those of the archive.
    pub fn plan(&self, archive: Option<&Archive>, now: Timestamp) -> Result<ExportPlan, Error> {
        let known = archive.filter(|_| self.learnt == LearntFacts::Keep);
        let spaced =
            known.map(|archive| archive.ledger().spaced()).transpose()?.unwrap_or_default();
        let types =
            known.map(|archive| ListTypes::read(archive, self.assumed_type, now)).transpose()?;
        let request = self.resolve(spaced, types.unwrap_or_default(), now)?;
        let mut found = Vec::new();
        // Samples of a run that was killed, or whose ledger was lost, show intervals without a call.
        if let Some(archive) = known.filter(|_| !request.list.unspaced.is_empty()) {
            let range = request.sample_range(self, now);
            let sampling = Sampling::read(archive, &request.list.unspaced, range)?;
            found = sampling.settled(self.resolution.fixed(), now);
        }
        let request = request.with_intervals(self, found.clone());
        let (plan, _) = self.arrange(&request, archive, now)?;
        let known = archive.filter(|_| request.list.unspaced.is_empty());
        let leaving = known.map(|archive| Leaving::of(archive, &request)).transpose()?;
        let rewriting_bytes = archive.map_or(Ok(0), Archive::bytes_to_rest)?;
        let leaving = leaving.unwrap_or_default();
        let series = archive.map_or_else(|| Ok(SeriesSeen::new()), series_seen)?;
        let pace = archive.map_or_else(|| Ok(KnownPace::default()), KnownPace::read)?;
        Ok(ExportPlan { request, plan, leaving, rewriting_bytes, series, pace, found })
    }

    /// Returns the limits as earlier runs learnt them for a list of these queries, and where they did not, as assumed.
    pub(super) fn limits<'q>(
        &self,
        archive: Option<&Archive>,
        list: impl IntoIterator<Item = &'q Query>,
        now: Timestamp,
    ) -> Result<Limits, Error> {
        let known = archive.filter(|_| self.learnt == LearntFacts::Keep);
        let Some(archive) = known else { return Ok(self.assumed) };
        let list: BTreeSet<&str> = list.into_iter().map(|query| &*query.text.written).collect();
        let learnt = learnt_still(archive, now)?;
        let of_list = learnt.filter(|learnt| learnt.holds_for(list.iter().copied()));
        Ok(of_list.map(|learnt| learnt.limit).fold(self.assumed, Limits::with))
    }

    /// Subtracts what the archive covers from what is wanted. Of each query of the plan also returns what the ledger knows, if anything.
    fn arrange(
        &self,
        resolved: &ResolvedRequest,
        archive: Option<&Archive>,
        now: Timestamp,
    ) -> Result<(Plan, Vec<Option<PlannedQuery>>), Error> {
        let list = &resolved.list.queries;
        let (queries, known): (Vec<_>, Vec<_>) = match archive {
            Some(archive) => self.recall(list, archive, now)?.into_iter().unzip(),
            None => list.iter().map(|query| (query.clone(), None)).unzip(),
        };
        let covered = |known: &Option<PlannedQuery>| {
            known.as_ref().map(|known| known.covered.clone()).unwrap_or_default()
        };
        let covered = |(query, known): (&Query, &Option<PlannedQuery>)| {
            // What is given up before it is asked is left to the next run.
            let is_denied = resolved.types.denied(query).is_some();
            if is_denied { vec![resolved.range] } else { covered(known) }
        };
        let covered: Vec<_> = queries.iter().zip(&known).map(covered).collect();
        let limits = self.limits(archive, list, now)?;
        let wanted = resolved.wanted();
        let calls = calls_least(wanted, &queries, &covered, limits);
        if calls > CALLS_MAX {
            return Err(Error::TooManyCalls { calls });
        }
        Ok((Plan::new(wanted, queries, &covered, limits, now), known))
    }

    /// Reads what the ledger knows of the list's queries, registered or not, each in the form in which it travels. One that travels as
    /// another of the list is planned once.
    fn recall(
        &self,
        list: &[Query],
        archive: &Archive,
        now: Timestamp,
    ) -> Result<Vec<(Query, Option<PlannedQuery>)>, Error> {
        let ids = archive.travelling()?;
        let mut registered: HashMap<_, _> =
            archive.ledger().queries()?.into_iter().map(|known| (known.id, known)).collect();
        let coverage = archive.ledger().coverage_all()?;
        let (mut recalled, mut seen) = (Vec::new(), HashSet::new());
        for query in list {
            let Some(&(id, _)) = ids.get(&(query.text.sent.clone(), query.text.interval)) else {
                recalled.push((query.clone(), None));
                continue;
            };
            if !seen.insert(id) {
                continue;
            }
            let covered = coverage.get(&id).map_or_else(Vec::new, |held| self.counted(held, now));
            let registered = registered.remove(&id);
            let query = match &registered {
                Some(registered) => self.travelling(query, registered),
                None => query.clone(),
            };
            recalled.push((query, Some(PlannedQuery { id, covered, registered })));
        }
        Ok(recalled)
    }

    /// Returns the stretches that need not be asked again: all except those that are marked or due for late points, and without those
    /// of probes where these do not count.
    fn counted(&self, held: &[Coverage], now: Timestamp) -> Vec<Window> {
        let counts = |held: &&Coverage| {
            let is_to_ask = held.open || self.look_back.is_due(held, now);
            !is_to_ask && (self.probing != Probing::Discard || held.origin == Origin::Fetched)
        };
        held.iter().filter(counts).map(|held| held.window).collect()
    }

    /// Returns a query in the form in which it travels: perhaps without its fill, alone while it is given up, with its weight.
    fn travelling(&self, query: &Query, registered: &Registered) -> Query {
        let weight = registered.weight.filter(|_| self.learnt == LearntFacts::Keep);
        let is_same = registered.text.sent == query.text.sent;
        let travels = if is_same { &query.text } else { &registered.text };
        let text = QueryText {
            written: query.text.written.clone(),
            alone: travels.alone || is_doubted(registered),
            ..travels.clone()
        };
        Query { text, weight: weight.map(|weight| weight.bytes_per_bucket) }
    }
}

/// Returns the number of series that the directory's files show, by query. Queries without any are left out: they may have some elsewhere.
fn series_seen(archive: &Archive) -> Result<SeriesSeen, Error> {
    let extents = archive.ledger().extents(CsvTree::NAME)?;
    let files: HashMap<QueryId, u64> =
        extents.into_iter().map(|extent| (extent.query, extent.files)).collect();
    let queries = archive.ledger().queries()?.into_iter();
    Ok(queries.filter_map(|query| Some((query.text.written, *files.get(&query.id)?))).collect())
}

impl PlannedQuery {
    pub(super) fn is_given_up(&self) -> bool {
        self.registered.as_ref().is_some_and(is_doubted)
    }
}

/// Returns true for a query that failed a call, and may fail those of others. One that was never asked, since a metric's type was not
/// to be had, has failed none.
fn is_doubted(query: &Registered) -> bool {
    !matches!(query.given_up, None | Some(GiveUpReason::TypeUnknown { .. }))
}

impl Planned {
    /// Plans a request that is registered.
    pub(super) fn new(
        request: &ExportRequest,
        resolved: &ResolvedRequest,
        archive: &Archive,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let (plan, known) = request.arrange(resolved, Some(archive), now)?;
        let registered = |known: Option<PlannedQuery>| known.expect("a registered query is known");
        Ok(Self { plan, queries: known.into_iter().map(registered).collect() })
    }

    /// Returns the calls of the plan as a job.
    pub(super) fn job(&self) -> FetchJob<'_> {
        let given_up = |&index: &PlanIndex| self.queries[index].is_given_up();
        FetchJob {
            plan: &self.plan,
            ids: self.queries.iter().map(|query| query.id).collect(),
            given_up: self.queries.indexes().filter(given_up).collect(),
            role: Role::Wanted,
            trusted: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ArchiveId, Fetched, GiveUpScope, GivenUp, Objects, Sqlite};
    use crate::job::request::ListText;
    use crate::parse::Answer;
    use crate::query::Interval;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    const START_S: i64 = 1_780_272_000; // 2026-06-01T00:00:00Z

    const DAY_S: i64 = 86_400;

    fn empty() -> Archive {
        let objects = Objects::over(Arc::new(InMemory::new())).unwrap();
        Archive::assemble(Box::new(Sqlite::memory().unwrap()), objects, ArchiveId::new(1)).unwrap()
    }

    fn days(from: i64, to: i64) -> Window {
        Window::from_secs(START_S + from * DAY_S, START_S + to * DAY_S).unwrap()
    }

    fn request(text: &str) -> ExportRequest {
        let list = ListText { name: "list".into(), text: text.into() };
        ExportRequest::new(list, days(0, 4).start(), days(0, 4).end())
    }

    fn register(archive: &Archive, request: &ExportRequest, now: Timestamp) -> ResolvedRequest {
        let resolved = request.resolve(Vec::new(), ListTypes::default(), now).unwrap();
        archive.register(&resolved.to_register(request).unwrap()).unwrap();
        resolved
    }

    fn hold(archive: &Archive, id: QueryId, window: Window, now: Timestamp) {
        let fetched = Fetched {
            queries: &[id],
            interval: Interval::from_secs(60).unwrap(),
            window,
            fetched_at: now,
            open: false,
            answer: &Answer { series: Vec::new() },
        };
        archive.store(&fetched).unwrap();
    }

    /// The plan that was printed before a request was registered left out that a query is sent without its fill, and what samples hold of
    /// another.
    #[test]
    fn the_plan_before_a_request_is_registered_is_the_one_that_runs() {
        let archive = empty();
        let now = days(0, 60).end();
        let wanted = request("avg:a{*}\navg:b{*}\navg:c{*}\navg:d{*}");
        let resolved = register(&archive, &request("avg:a{*}\navg:c{*}"), now);
        let known = archive.ledger().queries().unwrap();
        let unfilled = resolved.list.queries[0].text.unfilled.clone().unwrap();
        let without_fill = archive.ledger().substitute(known[0].id, unfilled.as_str()).unwrap();
        hold(&archive, without_fill, days(0, 1), now);
        archive
            .ledger()
            .give_up(&GivenUp {
                query: known[1].id,
                window: days(0, 4),
                scope: GiveUpScope::Query,
                reason: GiveUpReason::Refused("no".into()),
                at: now,
            })
            .unwrap();
        // A list without them: the ledger knows them, and places none of them.
        register(&archive, &request("avg:z{*}"), now);
        let sampled =
            wanted.resolve(Vec::new(), ListTypes::default(), now).unwrap().list.queries[1].clone();
        let sample = archive.remember_aside(&[sampled], Role::Sample).unwrap()[0];
        hold(&archive, sample, days(3, 4), now);

        let printed = wanted.plan(Some(&archive), now).unwrap();
        let resolved = register(&archive, &wanted, now);
        let runs = Planned::new(&wanted, &resolved, &archive, now).unwrap();
        assert_eq!(printed.plan, runs.plan);
        assert_eq!(
            printed.plan.queries.iter().next().unwrap().text.sent.as_str(),
            unfilled.as_str()
        );
        let covered: Vec<_> = runs.queries.iter().map(|query| query.covered.len()).collect();
        assert_eq!(covered, [1, 1, 0, 0]);
    }

    #[test]
    fn what_is_to_be_forgotten_shapes_no_plan() {
        let archive = empty();
        let now = days(0, 60).end();
        let wanted = request("avg:a{*}");
        register(&archive, &wanted, now);
        let id = archive.ledger().queries().unwrap()[0].id;
        archive.ledger().weigh(&[(id, Some(1_000_000))], now).unwrap();
        let weighed = wanted.plan(Some(&archive), now).unwrap().plan;
        let forgetful = ExportRequest { learnt: LearntFacts::Forget, ..wanted };
        let printed = forgetful.plan(Some(&archive), now).unwrap().plan;
        assert_ne!(printed, weighed);
        archive.ledger().forget().unwrap();
        assert_eq!(printed, forgetful.plan(Some(&archive), now).unwrap().plan);
    }
}
