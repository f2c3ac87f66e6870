//! How far apart the points of queries lie: what samples of them show, and which are to be asked next.
//!
//! A sample is a query like any other, the same one at another interval: its calls are the machine's, its answers lie in the
//! archive, and a crash costs it nothing. What lies there is all that is known; a later run, or one whose ledger was lost, comes to
//! the same conclusions without a call. Asks nothing by itself, decides nothing about data.

use crate::archive::{
    Archive, Chunk, Coverage, Error, GiveUpReason, GivenUp, Identities, Origin, QueryId, Role,
    Spaced,
};
use crate::fetch::FetchJob;
use crate::plan::{
    Basis, Counts, Limits, Look, Plan, Sampled, Search, Side, Spacing, Tally, Untold, Window, hull,
    subtract,
};
use crate::query::{Interval, Query, Spacings, sample, tally};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// The first batch is asked with so many calls at most, before the others are: a server that does not offer points every second
/// refuses query by query.
const TRIAL_CALLS_MAX: u64 = 8;

/// That a tally of one query takes.
const QUESTIONS: usize = 2;

/// Why the default is taken where looks remain to be made.
const UNANSWERED: &str = "not all of its samples were answered";

/// What is known of some queries.
#[derive(Debug)]
pub struct Sampling<'a> {
    queries: &'a [Query],
    search: Search,
    /// Of each query.
    known: Vec<Known>,
    /// Whether any query was ever answered as finely as it is asked first.
    looks: Trust,
    /// Whether the samples of any query were ever counted.
    counts: Trust,
}

/// Whether the server is known to answer questions of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Tried,
    Untried,
}

#[derive(Debug)]
struct Known {
    samples: Vec<Sampled>,
    counts: Counts,
    /// The finest interval that the server offers for it, as far as known.
    finest: Interval,
    /// Why it is not asked any more.
    refused: Option<String>,
}

/// Looks at one interval, to be made together.
#[derive(Debug)]
pub struct Round {
    plan: Plan,
    ids: Vec<QueryId>,
    look_back: SignedDuration,
    /// A trial: after so many calls what is known is to be read anew, whatever is left.
    pub calls_max: Option<u64>,
}

impl Round {
    pub fn mission(&self) -> FetchJob<'_> {
        FetchJob {
            plan: &self.plan,
            ids: self.ids.clone().into(),
            given_up: Vec::new(),
            look_back: self.look_back,
            role: Role::Sample,
        }
    }
}

/// Of which queries a spacing is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Those of which nothing more is to be asked.
    Settled,
    /// All, as far as they are known.
    All,
}

impl<'a> Sampling<'a> {
    /// Reads what the archive holds about `queries`, whatever it was asked for.
    pub fn read(archive: &Archive, queries: &'a [Query], search: Search) -> Result<Self, Error> {
        let identities = archive.identities()?;
        let given_up: HashMap<_, _> = archive
            .given_up()?
            .into_iter()
            .map(|GivenUp { query, reason, .. }| (query, reason))
            .collect();
        let intervals: BTreeSet<_> = identities.keys().map(|(_, interval)| *interval).collect();
        let range = search.range();
        let books = Books { archive, identities, given_up, intervals, range };
        let mut known =
            queries.iter().map(|query| books.known(query)).collect::<Result<Vec<_>, _>>()?;
        let first = Interval::all_offered().next();
        let has = |known: &Known, interval| {
            known.samples.iter().any(|sample| Some(sample.interval()) == interval)
        };
        let seen = |sample: &Sampled| sample.has_points() && Some(sample.interval()) == first;
        if !known.iter().any(|known| known.samples.iter().any(seen)) {
            // Nobody gets what the first were refused; an empty answer proves no interval.
            let named = known.iter().map(|known| known.finest).filter(|&named| Some(named) > first);
            if let Some(nearest) = named.min() {
                for known in &mut known {
                    known.finest = known.finest.max(nearest);
                }
            }
        }
        let trust = |is_tried| if is_tried { Trust::Tried } else { Trust::Untried };
        let looks = trust(known.iter().any(|known| has(known, Some(known.finest))));
        let counted =
            |known: &Known| matches!(&known.counts, Counts::Told(told) if !told.is_empty());
        let counts = trust(known.iter().any(counted));
        if counts == Trust::Untried {
            nobody_is_counted_where_the_first_are_refused(&mut known);
        }
        Ok(Self { queries, search, known, looks, counts })
    }

    /// The looks that tell more, one round per interval, finest first; none when all is known that can be. The first time only the
    /// first batch, as a trial.
    ///
    /// Answers fetched sooner than `look_back` after their window's end stay open: they may become data that is wanted.
    pub fn rounds(
        &self,
        archive: &Archive,
        limits: Limits,
        (look_back, now): (SignedDuration, Timestamp),
    ) -> Result<Vec<Round>, Error> {
        let mut wishes: BTreeMap<Interval, Wishes> = BTreeMap::new();
        let mut tallies: BTreeMap<Interval, Asked> = BTreeMap::new();
        for (index, known) in self.known.iter().enumerate() {
            match self.next(known) {
                Look::Nowhere => {}
                Look::In(interval, window) => {
                    wishes.entry(interval).or_default().exact.push((index, window));
                }
                Look::Around(interval, stretches) => {
                    wishes.entry(interval).or_default().around.push((index, stretches));
                }
                Look::Count(interval, window) => {
                    let questions = tally(&self.queries[index], interval).into_iter().flatten();
                    let asked = tallies.entry(interval).or_default();
                    asked.extend(questions.map(|question| (question, window)));
                }
            }
        }
        let context = (limits, look_back, now);
        let mut rounds = Vec::new();
        for (interval, wishes) in wishes {
            let looks = wishes.granted(&self.search, interval).into_iter();
            let asked = looks.filter_map(|(index, window)| {
                Some((sample(&self.queries[index], interval)?, window))
            });
            rounds.extend(round(archive, asked.collect(), self.looks, context)?);
        }
        if self.counts == Trust::Untried {
            // One query's: where the server declines, a list would be taken apart first.
            let first = tallies.pop_first().map(|(_, mut asked)| {
                asked.truncate(QUESTIONS);
                asked
            });
            tallies.clear();
            rounds.extend(round(archive, first.unwrap_or_default(), self.counts, context)?);
        }
        for asked in tallies.into_values() {
            rounds.extend(round(archive, asked, self.counts, context)?);
        }
        if self.looks == Trust::Untried {
            rounds.truncate(1);
        }
        Ok(rounds)
    }

    fn next(&self, known: &Known) -> Look {
        match known.refused {
            Some(_) => Look::Nowhere,
            None => self.search.next(&known.samples, &known.counts, known.finest),
        }
    }

    /// What follows from what is known; `default` where nothing does.
    pub fn spaced(&self, told: Told, default: Interval, now: Timestamp) -> Vec<Spaced> {
        let mut all = Vec::new();
        for (query, known) in self.queries.iter().zip(&self.known) {
            let Some(name) = Spacings::name(query) else { continue };
            let is_settled = self.next(known) == Look::Nowhere;
            if told == Told::Settled && !is_settled {
                continue;
            }
            let spacing = self.search.spacing(&known.samples, &known.counts, known.finest);
            let (interval, basis, why) = match spacing {
                Spacing::Every(interval) => (interval, Basis::Sampled, known.seen()),
                Spacing::Unknown(basis) => match &known.refused {
                    Some(words) => (default, Basis::Refused, words.clone()),
                    None if is_settled => (default, basis, known.seen()),
                    None => (default, Basis::Refused, UNANSWERED.to_owned()),
                },
            };
            all.push(Spaced { query: name, interval, basis, why, found_at: now });
        }
        all
    }
}

/// The calls for questions of one interval, as far as they are not held. Of what was never tried only the first batch, as a trial.
fn round(
    archive: &Archive,
    asked: Asked,
    trust: Trust,
    (limits, look_back, now): (Limits, SignedDuration, Timestamp),
) -> Result<Option<Round>, Error> {
    let (questions, windows): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let Some(hull) = hull(windows.iter().copied()) else { return Ok(None) };
    let ids = archive.remember_aside(&questions, Role::Sample)?;
    let mut covered = Vec::new();
    for (id, window) in ids.iter().zip(windows) {
        let mut own = subtract(hull, &[window]);
        own.extend(archive.coverage(*id)?.into_iter().map(|held| held.window));
        covered.push(own);
    }
    let mut plan = Plan::new(hull, questions, &covered, limits, now);
    if trust == Trust::Untried {
        let first = plan.tasks.first().map(|task| task.queries.clone());
        plan.tasks.retain(|task| Some(&task.queries) == first.as_ref());
    }
    let calls_max = (trust == Trust::Untried).then_some(TRIAL_CALLS_MAX);
    Ok((plan.calls() > 0).then_some(Round { plan, ids, look_back, calls_max }))
}

/// A server that declines such questions refuses them query by query, each at the price of a diagnosis.
fn nobody_is_counted_where_the_first_are_refused(known: &mut [Known]) {
    let refused = known.iter().find_map(|known| match &known.counts {
        Counts::Untold(Untold::Refused(words)) => Some(words.clone()),
        Counts::Untold(Untold::Unsound) | Counts::Told(_) => None,
    });
    let Some(words) = refused else { return };
    for known in known.iter_mut().filter(|known| matches!(known.counts, Counts::Told(_))) {
        known.counts = Counts::Untold(Untold::Refused(words.clone()));
    }
}

/// Questions, and where each is asked.
type Asked = Vec<(Query, Window)>;

impl Known {
    /// On what its interval rests.
    fn seen(&self) -> String {
        let mut seen: Vec<_> = self.samples.iter().map(Sampled::to_string).collect();
        match &self.counts {
            Counts::Told(tallies) => seen.extend(tallies.iter().map(Tally::to_string)),
            Counts::Untold(Untold::Refused(words)) => seen.push(format!("not counted: {words}")),
            Counts::Untold(Untold::Unsound) => {}
        }
        seen.join("; ")
    }
}

#[derive(Debug, Default)]
struct Wishes {
    exact: Vec<(usize, Window)>,
    around: Vec<(usize, Vec<Window>)>,
}

impl Wishes {
    fn granted(self, search: &Search, interval: Interval) -> Vec<(usize, Window)> {
        let mut looks = self.exact;
        looks.extend(search.share(interval, &self.around));
        looks.sort_unstable_by_key(|(index, _)| *index);
        looks
    }
}

/// What the archive can be asked, read once for all queries.
struct Books<'a> {
    archive: &'a Archive,
    identities: Identities,
    given_up: HashMap<QueryId, GiveUpReason>,
    intervals: BTreeSet<Interval>,
    /// What may be sampled: what lies elsewhere leads to looks that cannot be made.
    range: Window,
}

impl Books<'_> {
    fn known(&self, query: &Query) -> Result<Known, Error> {
        let mut finest = Interval::all_offered().next().unwrap_or(query.text.interval);
        let counts = self.counts(query)?;
        let mut known = Known { samples: Vec::new(), counts, finest, refused: None };
        for &interval in &self.intervals {
            let Some(sample) = sample(query, interval) else { continue };
            let Some(&(id, role)) = self.identities.get(&(sample.text.sent, interval)) else {
                continue;
            };
            if let Some(reason) = self.given_up.get(&id) {
                let nearest = match reason {
                    GiveUpReason::NotOffered { nearest, .. } => known_offered(*nearest),
                    GiveUpReason::Refused(_)
                    | GiveUpReason::UrlTooLong
                    | GiveUpReason::PointTooLarge { .. } => None,
                };
                match nearest {
                    Some(nearest) if nearest > interval => finest = finest.max(nearest),
                    _ => known.refused = Some(reason.to_string()),
                }
            }
            known.samples.extend(self.sampled(id, role, interval)?);
        }
        known.finest = finest;
        Ok(known)
    }

    fn counts(&self, query: &Query) -> Result<Counts, Error> {
        let is_counted = tally(query, query.text.interval).is_some();
        let mut told = Vec::new();
        for &interval in self.intervals.iter().filter(|_| is_counted) {
            let Some(questions) = tally(query, interval) else { continue };
            let known =
                questions.map(|question| self.identities.get(&(question.text.sent, interval)));
            let [Some(&(total, _)), Some(&(least, _))] = known else { continue };
            if let Some(words) = [total, least].iter().find_map(|id| self.given_up.get(id)) {
                return Ok(Counts::Untold(Untold::Refused(words.to_string())));
            }
            told.extend(self.tallied(interval, (total, least))?);
        }
        Ok(if is_counted { Counts::Told(told) } else { Counts::Untold(Untold::Unsound) })
    }

    fn tallied(
        &self,
        interval: Interval,
        (total, least): (QueryId, QueryId),
    ) -> Result<Option<Tally>, Error> {
        let held = [self.archive.coverage(total)?, self.archive.coverage(least)?];
        if held.iter().any(Vec::is_empty) {
            return Ok(None);
        }
        let [totals, leasts] = held.each_ref().map(|held| windows(held));
        let mut tally = Tally::new(interval, &totals, &leasts);
        for (side, id, held) in [(Side::Total, total, &held[0]), (Side::Least, least, &held[1])] {
            self.points(id, held, &mut |chunk, within| {
                let numbers = chunk.ts_ms.iter().copied().zip(chunk.values.iter().copied());
                tally.take(side, numbers.filter(|(at, _)| within.contains(at)));
            })?;
        }
        Ok(Some(tally))
    }

    /// What the archive holds of a sample. Of what is wanted itself, and may be long, only the newest: as much as would be asked, and
    /// as shows a spacing.
    fn sampled(
        &self,
        id: QueryId,
        role: Role,
        interval: Interval,
    ) -> Result<Option<Sampled>, Error> {
        let mut held = self.archive.coverage(id)?;
        held.retain_mut(|held| match held.window.intersect(self.range) {
            Some(within) => {
                held.window = within;
                true
            }
            None => false,
        });
        if role == Role::Wanted {
            let asked_s = self.range.end_s() - Search::newest_s(interval);
            let (mut from, mut enough) = (held.len(), false);
            while from > 0 && !(enough && held[from].window.start_s() <= asked_s) {
                from -= 1;
                enough = enough || self.read(id, interval, &held[from..=from])?.is_enough();
            }
            held.drain(..from);
        }
        Ok(if held.is_empty() { None } else { Some(self.read(id, interval, &held)?) })
    }

    fn read(&self, id: QueryId, interval: Interval, held: &[Coverage]) -> Result<Sampled, Error> {
        let mut sampled = Sampled::new(interval, &windows(held));
        self.points(id, held, &mut |chunk, within| {
            let series = format!("{}\0{}", chunk.metric, chunk.tags.join("\0"));
            let ts_ms = chunk.ts_ms.iter().copied();
            sampled.take(&series, ts_ms.filter(|at| within.contains(at)));
        })?;
        Ok(sampled)
    }

    /// Tells what was fetched, and which of its times (Unix milliseconds) coverage grants. What a probe proved empty has no rows.
    fn points(
        &self,
        id: QueryId,
        held: &[Coverage],
        tell: &mut dyn FnMut(&Chunk<'_>, &Range<i64>),
    ) -> Result<(), Error> {
        let fetched = held.iter().filter(|held| held.origin == Origin::Fetched);
        for Coverage { window, object, .. } in fetched {
            let within = window.start().as_millisecond()..window.end().as_millisecond();
            self.archive.rows(*object, id, &mut |chunk| {
                tell(&chunk, &within);
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }
}

fn windows(held: &[Coverage]) -> Vec<Window> {
    held.iter().map(|held| held.window).collect()
}

/// The same, or the next longer one that jindo may ask for.
fn known_offered(named: Interval) -> Option<Interval> {
    Interval::all_offered().find(|&offered| offered >= named)
}
