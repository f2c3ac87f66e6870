//! `--resolution auto`: samples queries, and detects the interval of each query's own points.
//!
//! A sample is a query like any other, the same one at another interval. Its answers lie in the archive, so a crash costs nothing:
//! a later run, or one whose ledger was rebuilt, reads them and comes to the same intervals without a call.

use crate::archive::{
    Archive, Chunk, Coverage, Error, GiveUpReason, Identities, Origin, QueryId, Role, Spaced,
};
use crate::fetch::FetchJob;
use crate::plan::{
    Confidence, Counting, IntervalSample, Limits, NextSample, Observed, Plan, PointCount,
    SampleKind, SampleRange, Window, subtract,
};
use crate::query::{Interval, Query, Spacings, count_samples, sample};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Calls of the first batch of a kind. A server that does not offer points every second refuses query by query.
const TRIAL_CALLS_MAX: u64 = 8;

/// Reason for the default where samples were lost.
const UNANSWERED: &str = "not all of its samples were answered";

/// Samples of some queries, as far as the archive holds them.
#[derive(Debug)]
pub(super) struct Sampling<'a> {
    archive: &'a Archive,
    queries: &'a [Query],
    range: SampleRange,
    /// Of each query.
    observed: Vec<Observed>,
}

/// Samples at one interval, fetched together.
#[derive(Debug)]
pub(super) struct SampleJob {
    plan: Plan,
    ids: Vec<QueryId>,
    /// Of a trial: after so many calls the archive is read again, whatever is left.
    pub(super) calls_max: Option<u64>,
}

impl SampleJob {
    pub(super) fn fetch_job(&self) -> FetchJob<'_> {
        FetchJob::aside(&self.plan, self.ids.clone().into(), Role::Sample)
    }
}

impl<'a> Sampling<'a> {
    /// Reads what the archive holds of `queries` at any interval, samples and wanted data alike.
    pub(super) fn read(
        archive: &'a Archive,
        queries: &'a [Query],
        range: SampleRange,
    ) -> Result<Self, Error> {
        let reader = SampleReader::new(archive, range)?;
        let read = |finest| -> Result<Vec<_>, Error> {
            queries.iter().map(|query| reader.observed(query, finest)).collect()
        };
        let first = Interval::all_offered().next().expect("intervals are offered");
        let mut observed = read(first)?;
        // As long as no query has points at the finest interval, all are asked at the finest that the refusals name. An empty answer
        // does not show that an interval is offered.
        let seen = |sample: &IntervalSample| sample.interval == first && sample.has_points();
        let is_seen = observed.iter().any(|observed| observed.samples.iter().any(seen));
        let named = observed.iter().map(|observed| observed.finest).filter(|&named| named > first);
        if let Some(nearest) = named.min().filter(|_| !is_seen) {
            observed = read(nearest)?;
        }
        let mut sampling = Self { archive, queries, range, observed };
        if sampling.is_trial(SampleKind::Count) {
            sampling.spread_refusal();
        }
        Ok(sampling)
    }

    /// Takes the refusal of one count for that of all. A server that refuses to count does so query by query.
    fn spread_refusal(&mut self) {
        let refusal = self.observed.iter().find_map(|observed| match &observed.counting {
            Counting::Refused(words) => Some(words.clone()),
            Counting::Unknown | Counting::Unsupported | Counting::Counted(_) => None,
        });
        let Some(words) = refusal else { return };
        for observed in &mut self.observed {
            let is_needed = self.range.count_of(observed).is_some();
            if is_needed && matches!(observed.counting, Counting::Unknown) {
                observed.counting = Counting::Refused(words.clone());
            }
        }
    }

    /// Returns the samples that tell more, points first; none when all is known. Of a kind that the server never answered only the
    /// first batch, as a trial; of counts one query's, since where the server refuses, a list would be taken apart first.
    pub(super) fn jobs(&self, limits: Limits, now: Timestamp) -> Result<Vec<SampleJob>, Error> {
        let mut asked: BTreeMap<NextSample, Vec<Query>> = BTreeMap::new();
        let is_count_trial = self.is_trial(SampleKind::Count);
        for (query, observed) in self.queries.iter().zip(&self.observed) {
            let Some(next) = self.range.next(observed) else { continue };
            let is_counted = asked.keys().any(|asked| asked.kind == SampleKind::Count);
            match next.kind {
                SampleKind::Points => {
                    asked.entry(next).or_default().extend(sample(query, next.interval));
                }
                SampleKind::Count if is_counted && is_count_trial => {}
                SampleKind::Count => {
                    let questions = count_samples(query, next.interval).into_iter().flatten();
                    asked.entry(next).or_default().extend(questions);
                }
            }
        }
        let mut jobs = Vec::new();
        for (next, queries) in asked {
            jobs.extend(self.job(next, queries, limits, now)?);
        }
        if self.is_trial(SampleKind::Points) {
            jobs.truncate(1);
        }
        Ok(jobs)
    }

    /// Returns true where the server answered no question of the kind yet.
    fn is_trial(&self, kind: SampleKind) -> bool {
        !self.observed.iter().any(|observed| match kind {
            SampleKind::Points => !observed.samples.is_empty(),
            SampleKind::Count => matches!(observed.counting, Counting::Counted(_)),
        })
    }

    /// Plans the calls of a question, as far as the archive does not hold the answers; `None` where it holds all.
    fn job(
        &self,
        next: NextSample,
        queries: Vec<Query>,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Option<SampleJob>, Error> {
        let ids = self.archive.remember_aside(&queries, Role::Sample)?;
        let held = |id: &QueryId| Ok(windows(&self.archive.ledger().coverage(*id)?));
        let covered = ids.iter().map(held).collect::<Result<Vec<_>, Error>>()?;
        let mut plan = Plan::new(next.window, queries, &covered, limits, now);
        let calls_max = self.is_trial(next.kind).then_some(TRIAL_CALLS_MAX);
        if calls_max.is_some() {
            let first = plan.tasks.first().map(|task| task.queries.clone());
            plan.tasks.retain(|task| Some(&task.queries) == first.as_ref());
        }
        Ok((plan.calls() > 0).then_some(SampleJob { plan, ids, calls_max }))
    }

    /// Returns the intervals of the queries that need no other sample; `default` where their points show none.
    pub(super) fn settled(&self, default: Interval, now: Timestamp) -> Vec<Spaced> {
        let all = self.all(default, now).into_iter();
        all.filter(|spaced| spaced.why != UNANSWERED).collect()
    }

    /// Returns the intervals of all queries; `default` where samples are missing or show none.
    pub(super) fn all(&self, default: Interval, found_at: Timestamp) -> Vec<Spaced> {
        let detected = |(query, observed): (&Query, &Observed)| {
            let (interval, basis, why) = match (self.range.next(observed), observed.conclude()) {
                (Some(_), _) => (default, Confidence::Refused, UNANSWERED.to_owned()),
                (None, Ok(every)) => (every, Confidence::Sampled, observed.seen()),
                (None, Err(confidence)) => (default, confidence, observed.seen()),
            };
            Some(Spaced { query: Spacings::name(query)?, interval, basis, why, found_at })
        };
        self.queries.iter().zip(&self.observed).filter_map(detected).collect()
    }
}

/// Reads samples from the archive; what serves all queries is read once.
struct SampleReader<'a> {
    archive: &'a Archive,
    identities: Identities,
    given_up: HashMap<QueryId, GiveUpReason>,
    intervals: BTreeSet<Interval>,
    range: SampleRange,
}

impl<'a> SampleReader<'a> {
    fn new(archive: &'a Archive, range: SampleRange) -> Result<Self, Error> {
        let identities = archive.identities()?;
        let intervals = identities.keys().map(|(_, interval)| *interval).collect();
        let given_up =
            archive.ledger().given_up()?.into_iter().map(|lost| (lost.query, lost.reason));
        Ok(Self { archive, identities, given_up: given_up.collect(), intervals, range })
    }

    /// Reads all that is known of a query, which is sampled no more finely than `finest`.
    fn observed(&self, query: &Query, finest: Interval) -> Result<Observed, Error> {
        let (samples, counting) = (Vec::new(), Counting::Unknown);
        let mut observed = Observed { finest, samples, counting, refused: None };
        for &interval in &self.intervals {
            let id = sample(query, interval).and_then(|sample| self.id(&sample));
            let Some(reason) = id.and_then(|id| self.given_up.get(&id)) else { continue };
            match nearest_offered(reason).filter(|&nearest| nearest > interval) {
                Some(nearest) => observed.finest = observed.finest.max(nearest),
                None => observed.refused = Some(reason.to_string()),
            }
        }
        while let Some(next) = self.range.next_points(&observed) {
            let Some(sample) = self.sample(query, next)? else { break };
            observed.samples.push(sample);
        }
        if let Some(next) = self.range.count_of(&observed) {
            observed.counting = self.count(query, next)?;
        }
        Ok(observed)
    }

    fn id(&self, query: &Query) -> Option<QueryId> {
        let identity = (query.text.sent.clone(), query.text.interval);
        self.identities.get(&identity).map(|(id, _)| *id)
    }

    /// Reads the answer to a question; `None` where the archive does not hold all of it.
    fn sample(&self, query: &Query, next: NextSample) -> Result<Option<IntervalSample>, Error> {
        let id = sample(query, next.interval).and_then(|sample| self.id(&sample));
        let mut series: BTreeMap<(String, Vec<String>), Vec<i64>> = BTreeMap::new();
        let is_whole = self.read(id, next.window, &mut |chunk, from, until| {
            let name = (chunk.metric.to_owned(), chunk.tags.to_vec());
            series.entry(name).or_default().extend(&chunk.ts_ms[from..until]);
        })?;
        Ok(is_whole.then(|| IntervalSample::new(next.interval, series.values())))
    }

    fn count(&self, query: &Query, next: NextSample) -> Result<Counting, Error> {
        let Some(questions) = count_samples(query, next.interval) else {
            return Ok(Counting::Unsupported);
        };
        let mut numbers = [Vec::new(), Vec::new()];
        for (question, numbers) in questions.iter().zip(&mut numbers) {
            let id = self.id(question);
            if let Some(reason) = id.and_then(|id| self.given_up.get(&id)) {
                return Ok(Counting::Refused(reason.to_string()));
            }
            let is_whole = self.read(id, next.window, &mut |chunk, from, until| {
                numbers.extend_from_slice(&chunk.values[from..until]);
            })?;
            if !is_whole {
                return Ok(Counting::Unknown);
            }
        }
        let [totals, leasts] = numbers;
        Ok(Counting::Counted(PointCount::new(next.interval, &totals, &leasts)))
    }

    /// Calls `each` with every chunk held of a query, and the part of it that lies in the window and that coverage grants. Returns false
    /// where the archive does not hold all of the window. What a probe proved empty has no chunks.
    fn read(
        &self,
        id: Option<QueryId>,
        window: Window,
        each: &mut dyn FnMut(&Chunk<'_>, usize, usize),
    ) -> Result<bool, Error> {
        let Some(id) = id else { return Ok(false) };
        let held = self.archive.ledger().coverage(id)?;
        if !subtract(window, &windows(&held)).is_empty() {
            return Ok(false);
        }
        for held in held.iter().filter(|held| held.origin == Origin::Fetched) {
            let Some(within) = held.window.intersect(window) else { continue };
            self.archive.rows(held.object, id, &mut |chunk| {
                let before =
                    |end: Timestamp| chunk.ts_ms.partition_point(|&at| at < end.as_millisecond());
                each(&chunk, before(within.start()), before(within.end()));
                Ok::<_, Error>(())
            })?;
        }
        Ok(true)
    }
}

fn windows(held: &[Coverage]) -> Vec<Window> {
    held.iter().map(|held| held.window).collect()
}

/// Returns the interval that the refusal names, or the next longer one that jindo may ask for; `None` where it names none.
fn nearest_offered(reason: &GiveUpReason) -> Option<Interval> {
    let GiveUpReason::NotOffered { nearest, .. } = reason else { return None };
    Interval::all_offered().find(|offered| offered >= nearest)
}
