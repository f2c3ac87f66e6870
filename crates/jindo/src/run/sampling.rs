//! How far apart the points of queries lie: what samples of them show, and which are to be asked next.
//!
//! A sample is a query like any other, the same one at another interval: its calls are the machine's, its answers lie in the
//! archive, and a crash costs it nothing. What lies there is all that is known; a later run, or one whose ledger was lost, comes to
//! the same conclusions without a call. Asks nothing by itself, decides nothing about data.

use super::driver::Mission;
use crate::archive::{
    Archive, Coverage, Error, GivenUp, Identities, Origin, QueryId, Role, Spaced,
};
use crate::plan::{Basis, Limits, Look, Plan, Sampled, Search, Spacing, Window, hull, subtract};
use crate::query::{Interval, Query, Spacings, sample};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The first batch is asked with so many calls at most, before the others are: a server that does not offer points every second
/// refuses query by query.
const TRIAL_CALLS_MAX: u64 = 8;

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
    is_tried: bool,
}

#[derive(Debug)]
struct Known {
    samples: Vec<Sampled>,
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
    pub fn mission(&self) -> Mission<'_> {
        Mission {
            plan: &self.plan,
            ids: self.ids.clone(),
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
        if !known.iter().any(|known| has(known, first)) {
            // Nobody gets what the first were refused.
            let named = known.iter().map(|known| known.finest).filter(|&named| Some(named) > first);
            if let Some(nearest) = named.min() {
                for known in &mut known {
                    known.finest = known.finest.max(nearest);
                }
            }
        }
        let is_tried = known.iter().any(|known| has(known, Some(known.finest)));
        Ok(Self { queries, search, known, is_tried })
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
        for (index, known) in self.known.iter().enumerate() {
            match self.next(known) {
                Look::Nowhere => {}
                Look::In(interval, window) => {
                    wishes.entry(interval).or_default().exact.push((index, window));
                }
                Look::Around(interval, stretches) => {
                    wishes.entry(interval).or_default().around.push((index, stretches));
                }
            }
        }
        let mut rounds = Vec::new();
        for (interval, wishes) in wishes {
            let looks = wishes.granted(&self.search, interval);
            rounds.extend(self.round(archive, (interval, looks), limits, (look_back, now))?);
        }
        if !self.is_tried {
            rounds.truncate(1);
        }
        Ok(rounds)
    }

    fn next(&self, known: &Known) -> Look {
        match known.refused {
            Some(_) => Look::Nowhere,
            None => self.search.next(&known.samples, known.finest),
        }
    }

    fn round(
        &self,
        archive: &Archive,
        (interval, looks): (Interval, Vec<(usize, Window)>),
        limits: Limits,
        (look_back, now): (SignedDuration, Timestamp),
    ) -> Result<Option<Round>, Error> {
        let (mut samples, mut windows) = (Vec::new(), Vec::new());
        for (index, window) in looks {
            if let Some(sample) = sample(&self.queries[index], interval) {
                samples.push(sample);
                windows.push(window);
            }
        }
        let Some(hull) = hull(windows.iter().copied()) else { return Ok(None) };
        let ids = archive.remember_aside(&samples, Role::Sample)?;
        let mut covered = Vec::new();
        for (id, window) in ids.iter().zip(windows) {
            let mut own = subtract(hull, &[window]);
            own.extend(archive.coverage(*id)?.into_iter().map(|held| held.window));
            covered.push(own);
        }
        let mut plan = Plan::new(hull, samples, &covered, limits, now);
        if !self.is_tried {
            let first = plan.tasks.first().map(|task| task.queries.clone());
            plan.tasks.retain(|task| Some(&task.queries) == first.as_ref());
        }
        let calls_max = (!self.is_tried).then_some(TRIAL_CALLS_MAX);
        Ok((plan.calls() > 0).then_some(Round { plan, ids, look_back, calls_max }))
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
            let (interval, basis, why) = match Spacing::of(&known.samples, known.finest) {
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

impl Known {
    fn seen(&self) -> String {
        let seen: Vec<_> = self.samples.iter().map(Sampled::to_string).collect();
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
    given_up: HashMap<QueryId, String>,
    intervals: BTreeSet<Interval>,
    /// What may be sampled: what lies elsewhere leads to looks that cannot be made.
    range: Window,
}

impl Books<'_> {
    fn known(&self, query: &Query) -> Result<Known, Error> {
        let mut finest = Interval::all_offered().next().unwrap_or(query.interval);
        let mut known = Known { samples: Vec::new(), finest, refused: None };
        for &interval in &self.intervals {
            let Some(sample) = sample(query, interval) else { continue };
            let Some(&(id, role)) = self.identities.get(&(sample.sent, interval)) else { continue };
            if let Some(words) = self.given_up.get(&id) {
                match nearest_offered(words).and_then(known_offered) {
                    Some(nearest) if nearest > interval => finest = finest.max(nearest),
                    _ => known.refused = Some(words.clone()),
                }
            }
            known.samples.extend(self.sampled(id, role, interval)?);
        }
        known.finest = finest;
        Ok(known)
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
        let asked: Vec<_> = held.iter().map(|held| held.window).collect();
        let mut sampled = Sampled::new(interval, &asked);
        // What a probe proved empty has no rows.
        for Coverage { window, object, .. } in
            held.iter().filter(|held| held.origin == Origin::Fetched)
        {
            let (from, to) = (window.start().as_millisecond(), window.end().as_millisecond());
            self.archive.rows(*object, id, &mut |chunk| {
                let series = format!("{}\0{}", chunk.metric, chunk.tags.join("\0"));
                let within = |at: &i64| from <= *at && *at < to;
                sampled.take(&series, chunk.ts_ms.iter().copied().filter(within));
                Ok::<_, Error>(())
            })?;
        }
        Ok(sampled)
    }
}

const NEAREST: &str = "the nearest it offers is ";

/// Why a query is given up that came back at another interval even where its points were few.
pub(super) fn not_offered(asked: Interval, got: Interval) -> String {
    format!("the server does not offer points every {asked} for it; {NEAREST}{got}")
}

/// What such words name.
fn nearest_offered(words: &str) -> Option<Interval> {
    let (_, named) = words.split_once(NEAREST)?;
    let (secs, _) = named.split_once(' ')?;
    Interval::from_secs(secs.parse().ok()?)
}

/// The same, or the next longer one that jindo may ask for.
fn known_offered(named: Interval) -> Option<Interval> {
    Interval::all_offered().find(|&offered| offered >= named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_that_a_refusal_names_is_read_back() {
        let secs = |secs| Interval::from_secs(secs).unwrap();
        assert_eq!(nearest_offered(&not_offered(secs(1), secs(10))), Some(secs(10)));
        assert_eq!(nearest_offered("Query timed out"), None);
    }
}
