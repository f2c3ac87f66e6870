//! `--resolution auto`: samples queries, and detects the interval of each query's own points.
//!
//! A sample is a query like any other, the same one at another interval. Its answers lie in the archive, so a crash costs nothing:
//! a later run, or one whose ledger was rebuilt, reads them and comes to the same intervals without a call.

use crate::archive::{
    Archive, Chunk, Coverage, Error, GiveUpReason, GivenUp, Identities, Origin, QueryId, Role,
    Spaced,
};
use crate::fetch::FetchJob;
use crate::plan::{
    Confidence, CountPart, Counting, IntervalSample, Limits, NativeInterval, NextSample, Observed,
    Plan, PointCount, SampleRange, Window, hull, subtract,
};
use crate::query::{Interval, Query, Spacings, count_samples, sample};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// Calls of the first batch of a kind. A server that does not offer points every second refuses query by query.
const TRIAL_CALLS_MAX: u64 = 8;

/// Reason for the default where samples were lost.
const UNANSWERED: &str = "not all of its samples were answered";

/// Samples of some queries, as far as the archive holds them.
#[derive(Debug)]
pub struct Sampling<'a> {
    archive: &'a Archive,
    queries: &'a [Query],
    range: SampleRange,
    /// Of each query.
    known: Vec<Known>,
    points: Support,
    counts: Support,
}

/// Experience with samples of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Support {
    /// The server answered one.
    Shown,
    /// None was answered yet.
    Unknown,
}

#[derive(Debug)]
struct Known {
    observed: Observed,
    /// The server's reason for refusing a sample; no other is asked for then.
    refused: Option<String>,
}

/// With which limits samples are asked for, and when.
#[derive(Debug, Clone, Copy)]
pub struct SampleTerms {
    pub limits: Limits,
    /// Answers fetched sooner after their window's end stay open: they may become wanted data.
    pub look_back: SignedDuration,
    pub now: Timestamp,
}

/// Samples at one interval, fetched together.
#[derive(Debug)]
pub struct SampleJob {
    plan: Plan,
    ids: Vec<QueryId>,
    look_back: SignedDuration,
    /// Of a trial: after so many calls the archive is read again, whatever is left.
    pub calls_max: Option<u64>,
}

impl SampleJob {
    pub fn fetch_job(&self) -> FetchJob<'_> {
        FetchJob {
            plan: &self.plan,
            ids: self.ids.clone().into(),
            given_up: Vec::new(),
            look_back: self.look_back,
            role: Role::Sample,
        }
    }
}

/// A question, and where it is asked.
#[derive(Debug)]
struct Question {
    query: Query,
    window: Window,
}

impl<'a> Sampling<'a> {
    /// Reads what the archive holds of `queries` at any interval, samples and wanted data alike.
    pub fn read(
        archive: &'a Archive,
        queries: &'a [Query],
        range: SampleRange,
    ) -> Result<Self, Error> {
        let reader = SampleReader::new(archive, range.sampled())?;
        let known = queries.iter().map(|query| reader.known(query)).collect::<Result<_, _>>()?;
        let (points, counts) = (Support::Unknown, Support::Unknown);
        let mut sampling = Self { archive, queries, range, known, points, counts };
        sampling.learn_points();
        sampling.learn_counts();
        Ok(sampling)
    }

    /// As long as no query has points at the finest interval, all are asked at the finest that the refusals name. An empty answer does
    /// not show that an interval is offered.
    fn learn_points(&mut self) {
        let first = Interval::all_offered().next();
        let seen =
            |sample: &IntervalSample| Some(sample.interval()) == first && sample.has_points();
        if !self.known.iter().any(|known| known.observed.samples.iter().any(seen)) {
            let finest = self.known.iter().map(|known| known.observed.finest);
            if let Some(nearest) = finest.filter(|&finest| Some(finest) > first).min() {
                for Known { observed, .. } in &mut self.known {
                    observed.finest = observed.finest.max(nearest);
                }
            }
        }
        let is_answered = |Known { observed, .. }: &Known| {
            observed.samples.iter().any(|sample| sample.interval() == observed.finest)
        };
        if self.known.iter().any(is_answered) {
            self.points = Support::Shown;
        }
    }

    /// A server that refuses to count does so query by query: where it counted nothing yet, one refusal stands for all queries.
    fn learn_counts(&mut self) {
        let mut refused = None;
        for Known { observed, .. } in &self.known {
            match &observed.counting {
                Counting::Counted(counts) if !counts.is_empty() => self.counts = Support::Shown,
                Counting::Refused(words) => refused = refused.or_else(|| Some(words.clone())),
                Counting::Counted(_) | Counting::Unsupported => {}
            }
        }
        let Some(words) = refused.filter(|_| self.counts == Support::Unknown) else { return };
        for Known { observed, .. } in &mut self.known {
            if matches!(observed.counting, Counting::Counted(_)) {
                observed.counting = Counting::Refused(words.clone());
            }
        }
    }

    /// Returns the samples that tell more, those at the finest interval first; none when all is known. Of a kind that the server never
    /// answered only the first batch, as a trial.
    pub fn jobs(&self, terms: SampleTerms) -> Result<Vec<SampleJob>, Error> {
        let mut points: BTreeMap<Interval, Vec<Question>> = BTreeMap::new();
        let mut counts: BTreeMap<Interval, Vec<Question>> = BTreeMap::new();
        for (query, known) in self.queries.iter().zip(&self.known) {
            match self.next(known) {
                None => {}
                Some(NextSample::Points(interval, window)) => {
                    let question = sample(query, interval).map(|query| Question { query, window });
                    points.entry(interval).or_default().extend(question);
                }
                // One query's: where the server refuses, a list would be taken apart first.
                Some(NextSample::Count(..))
                    if self.counts == Support::Unknown && !counts.is_empty() => {}
                Some(NextSample::Count(interval, window)) => {
                    let both = count_samples(query, interval).into_iter().flatten();
                    let both = both.map(|query| Question { query, window });
                    counts.entry(interval).or_default().extend(both);
                }
            }
        }
        let mut jobs = Vec::new();
        for questions in points.into_values() {
            jobs.extend(self.job(questions, self.points, terms)?);
        }
        for questions in counts.into_values() {
            jobs.extend(self.job(questions, self.counts, terms)?);
        }
        if self.points == Support::Unknown {
            jobs.truncate(1);
        }
        Ok(jobs)
    }

    fn next(&self, known: &Known) -> Option<NextSample> {
        if known.refused.is_some() { None } else { self.range.next(&known.observed) }
    }

    /// Plans the calls for questions at one interval, as far as the archive does not hold the answers; `None` where it holds all.
    fn job(
        &self,
        questions: Vec<Question>,
        support: Support,
        SampleTerms { limits, look_back, now }: SampleTerms,
    ) -> Result<Option<SampleJob>, Error> {
        let (queries, windows): (Vec<_>, Vec<_>) =
            questions.into_iter().map(|Question { query, window }| (query, window)).unzip();
        let Some(hull) = hull(windows.iter().copied()) else { return Ok(None) };
        let ids = self.archive.remember_aside(&queries, Role::Sample)?;
        let mut covered = Vec::new();
        for (id, window) in ids.iter().zip(windows) {
            let mut not_asked = subtract(hull, &[window]);
            not_asked.extend(self.archive.coverage(*id)?.into_iter().map(|held| held.window));
            covered.push(not_asked);
        }
        let mut plan = Plan::new(hull, queries, &covered, limits, now);
        if support == Support::Unknown {
            let first = plan.tasks.first().map(|task| task.queries.clone());
            plan.tasks.retain(|task| Some(&task.queries) == first.as_ref());
        }
        let calls_max = (support == Support::Unknown).then_some(TRIAL_CALLS_MAX);
        Ok((plan.calls() > 0).then_some(SampleJob { plan, ids, look_back, calls_max }))
    }

    /// Returns the intervals of the queries that need no other sample; `default` where their points show none.
    pub fn settled(&self, default: Interval, now: Timestamp) -> Vec<Spaced> {
        let known = self.queries.iter().zip(&self.known);
        let settled = known.filter(|(_, known)| self.next(known).is_none());
        settled.filter_map(|(query, known)| self.detected(query, known, default, now)).collect()
    }

    /// Returns the intervals of all queries; `default` where samples are missing or show none.
    pub fn all(&self, default: Interval, now: Timestamp) -> Vec<Spaced> {
        let known = self.queries.iter().zip(&self.known);
        known.filter_map(|(query, known)| self.detected(query, known, default, now)).collect()
    }

    fn detected(
        &self,
        query: &Query,
        known: &Known,
        default: Interval,
        found_at: Timestamp,
    ) -> Option<Spaced> {
        let (interval, basis, why) = match self.range.conclude(&known.observed) {
            NativeInterval::Every(interval) => (interval, Confidence::Sampled, known.seen()),
            NativeInterval::Unknown(confidence) => match &known.refused {
                Some(words) => (default, Confidence::Refused, words.clone()),
                None if self.next(known).is_none() => (default, confidence, known.seen()),
                None => (default, Confidence::Refused, UNANSWERED.to_owned()),
            },
        };
        Some(Spaced { query: Spacings::name(query)?, interval, basis, why, found_at })
    }
}

impl Known {
    /// Describes what the interval rests on.
    fn seen(&self) -> String {
        let mut seen: Vec<_> =
            self.observed.samples.iter().map(IntervalSample::to_string).collect();
        match &self.observed.counting {
            Counting::Counted(counts) => seen.extend(counts.iter().map(PointCount::to_string)),
            Counting::Refused(words) => seen.push(format!("not counted: {words}")),
            Counting::Unsupported => {}
        }
        seen.join("; ")
    }
}

/// Reads samples from the archive; what serves all queries is read once.
struct SampleReader<'a> {
    archive: &'a Archive,
    identities: Identities,
    given_up: HashMap<QueryId, GiveUpReason>,
    intervals: BTreeSet<Interval>,
    range: Window,
}

impl<'a> SampleReader<'a> {
    fn new(archive: &'a Archive, range: Window) -> Result<Self, Error> {
        let identities = archive.identities()?;
        let intervals = identities.keys().map(|(_, interval)| *interval).collect();
        let given_up = archive.given_up()?;
        let given_up =
            given_up.into_iter().map(|GivenUp { query, reason, .. }| (query, reason)).collect();
        Ok(Self { archive, identities, given_up, intervals, range })
    }

    fn known(&self, query: &Query) -> Result<Known, Error> {
        let finest = Interval::all_offered().next().unwrap_or(query.text.interval);
        let counting = self.counting(query)?;
        let mut observed = Observed { samples: Vec::new(), counting, finest };
        let mut refused = None;
        for &interval in &self.intervals {
            let Some(sample) = sample(query, interval) else { continue };
            let Some(&(id, role)) = self.identities.get(&(sample.text.sent, interval)) else {
                continue;
            };
            if let Some(reason) = self.given_up.get(&id) {
                match nearest_offered(reason) {
                    Some(nearest) if nearest > interval => {
                        observed.finest = observed.finest.max(nearest);
                    }
                    Some(_) | None => refused = Some(reason.to_string()),
                }
            }
            observed.samples.extend(self.sample(id, role, interval)?);
        }
        Ok(Known { observed, refused })
    }

    fn counting(&self, query: &Query) -> Result<Counting, Error> {
        if count_samples(query, query.text.interval).is_none() {
            return Ok(Counting::Unsupported);
        }
        let mut counts = Vec::new();
        for &interval in &self.intervals {
            let Some(questions) = count_samples(query, interval) else { continue };
            let known =
                questions.map(|question| self.identities.get(&(question.text.sent, interval)));
            let [Some(&(total, _)), Some(&(least, _))] = known else { continue };
            if let Some(reason) = [total, least].iter().find_map(|id| self.given_up.get(id)) {
                return Ok(Counting::Refused(reason.to_string()));
            }
            counts.extend(self.count(interval, total, least)?);
        }
        Ok(Counting::Counted(counts))
    }

    fn count(
        &self,
        interval: Interval,
        total: QueryId,
        least: QueryId,
    ) -> Result<Option<PointCount>, Error> {
        let (totals, leasts) = (self.archive.coverage(total)?, self.archive.coverage(least)?);
        if totals.is_empty() || leasts.is_empty() {
            return Ok(None);
        }
        let mut count = PointCount::new(interval, &windows(&totals), &windows(&leasts));
        for (part, id, held) in
            [(CountPart::Total, total, &totals), (CountPart::Least, least, &leasts)]
        {
            self.points(id, held, &mut |chunk, within| {
                let numbers = chunk.ts_ms.iter().copied().zip(chunk.values.iter().copied());
                count.add(part, numbers.filter(|(at, _)| within.contains(at)));
            })?;
        }
        Ok(Some(count))
    }

    /// Reads a sample; `None` where the archive holds nothing of it in the range. Wanted data may be long: only its newest is read, as
    /// much as a sample would hold, and more until it shows an interval.
    fn sample(
        &self,
        id: QueryId,
        role: Role,
        interval: Interval,
    ) -> Result<Option<IntervalSample>, Error> {
        let mut held = self.archive.coverage(id)?;
        held.retain_mut(|held| match held.window.intersect(self.range) {
            Some(within) => {
                held.window = within;
                true
            }
            None => false,
        });
        if role == Role::Wanted {
            let newest_s = self.range.end_s() - SampleRange::newest_s(interval);
            let (mut from, mut enough) = (held.len(), false);
            while from > 0 && !(enough && held[from].window.start_s() <= newest_s) {
                from -= 1;
                enough = enough || self.read(id, interval, &held[from..=from])?.is_enough();
            }
            held.drain(..from);
        }
        if held.is_empty() { Ok(None) } else { self.read(id, interval, &held).map(Some) }
    }

    fn read(
        &self,
        id: QueryId,
        interval: Interval,
        held: &[Coverage],
    ) -> Result<IntervalSample, Error> {
        let mut sample = IntervalSample::new(interval, &windows(held));
        self.points(id, held, &mut |chunk, within| {
            let series = format!("{}\0{}", chunk.metric, chunk.tags.join("\0"));
            let ts_ms = chunk.ts_ms.iter().copied();
            sample.add(&series, ts_ms.filter(|at| within.contains(at)));
        })?;
        Ok(sample)
    }

    /// Calls `each` with every chunk fetched, and the times (Unix milliseconds) that coverage grants it. What a probe proved empty has
    /// no chunks.
    fn points(
        &self,
        id: QueryId,
        held: &[Coverage],
        each: &mut dyn FnMut(&Chunk<'_>, &Range<i64>),
    ) -> Result<(), Error> {
        let fetched = held.iter().filter(|held| held.origin == Origin::Fetched);
        for Coverage { window, object, .. } in fetched {
            let within = window.start().as_millisecond()..window.end().as_millisecond();
            self.archive.rows(*object, id, &mut |chunk| {
                each(&chunk, &within);
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }
}

fn windows(held: &[Coverage]) -> Vec<Window> {
    held.iter().map(|held| held.window).collect()
}

/// Returns the interval that the refusal names, or the next longer one that jindo may ask for; `None` where it names none.
fn nearest_offered(reason: &GiveUpReason) -> Option<Interval> {
    match reason {
        GiveUpReason::NotOffered { nearest, .. } => {
            Interval::all_offered().find(|offered| offered >= nearest)
        }
        GiveUpReason::Refused(_)
        | GiveUpReason::UrlTooLong
        | GiveUpReason::PointTooLarge { .. } => None,
    }
}
