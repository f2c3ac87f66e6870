//! `--resolution auto`: how far apart each query's points lie, from short samples, and how that is told.

use crate::args::ProgressStyle;
use crate::asked::Asked;
use crate::export::Run;
use crate::screen;
use crate::words::{count, counted};
use jiff::{SignedDuration, Timestamp};
use jindo::archive::{Archive, Spaced};
use jindo::plan::{Basis, Search};
use jindo::query::{Interval, Spacings};
use jindo::request::Client;
use jindo::run::{End, Sampling, Told, learnt_limits};
use std::collections::{BTreeMap, HashMap};

/// Looks from the newest points outward, at most: five for a query that was active long ago, as many again where the server does not
/// offer what was asked first, and some for calls that were lost.
const TURNS_MAX: usize = 12;

/// Trials that may be lost to a server that fails.
const TRIALS_MAX: usize = 3;

/// What sampling came to.
#[derive(Debug, Default)]
pub(crate) struct Sampled {
    pub(crate) calls: u64,
    pub(crate) spaced: Vec<Spaced>,
    /// Why the run is over, when it is.
    pub(crate) end: Option<End>,
}

/// What the archive's samples show without a call: of a run that was killed, or whose ledger was lost.
pub(crate) fn by_samples(
    asked: &Asked,
    archive: Option<&Archive>,
    look_back: SignedDuration,
    now: Timestamp,
) -> anyhow::Result<Vec<Spaced>> {
    let Some(archive) = archive.filter(|_| !asked.list.unspaced.is_empty()) else {
        return Ok(Vec::new());
    };
    let search = Search::through(asked.range, now - look_back, now);
    let sampling = Sampling::read(archive, &asked.list.unspaced, search)?;
    Ok(sampling.spaced(Told::Settled, asked.words.resolution()?, now))
}

impl Run<'_> {
    /// Samples the queries whose spacing is not known, and keeps what is found. Nothing where all are known.
    pub(crate) fn sample(&self, client: Option<&Client>) -> anyhow::Result<Sampled> {
        let mut sampled = Sampled::default();
        let queries = &self.asked.list.unspaced;
        let Some(client) = client.filter(|_| !queries.is_empty()) else { return Ok(sampled) };
        if !matches!(self.command.progress, ProgressStyle::None | ProgressStyle::Json) {
            let queries = counted(queries.len() as u64, "query", "queries");
            screen::remark(&format!("sampling {queries}: how far apart do their points lie?\n"));
        }
        let now = self.clock.now();
        let look_back = self.command.pace.look_back;
        let search = Search::through(self.asked.range, now - look_back, now);
        for turn in 0..TURNS_MAX {
            let known = Sampling::read(self.archive, queries, search)?;
            let limits = learnt_limits(self.archive)?;
            let rounds = known.rounds(self.archive, limits, (look_back, now))?;
            if rounds.is_empty() {
                break;
            }
            for round in &rounds {
                let trial = round.calls_max.filter(|_| turn < TRIALS_MAX);
                let before = sampled.calls;
                let (calls, end) = self.ask_ahead(client, round.mission(), trial, before)?;
                sampled.calls += calls;
                if end.is_some() {
                    return Ok(Sampled { end, ..sampled });
                }
            }
        }
        let known = Sampling::read(self.archive, queries, search)?;
        let default = self.asked.words.resolution()?;
        sampled.spaced = known.spaced(Told::All, default, self.clock.now());
        self.archive.space(&sampled.spaced)?;
        Ok(sampled)
    }
}

/// How many queries have which interval, in seconds.
pub(crate) fn resolutions(intervals: impl Iterator<Item = Interval>) -> BTreeMap<i64, u64> {
    let mut counts = BTreeMap::new();
    for interval in intervals {
        *counts.entry(interval.secs()).or_default() += 1;
    }
    counts
}

/// `12 queries at 10 s, 500 at 60 s`.
pub(crate) fn counted_resolutions(resolutions: &BTreeMap<i64, u64>) -> String {
    let mut words: Vec<_> = Vec::new();
    for (secs, &queries) in resolutions {
        let queries = match words.len() {
            0 => counted(queries, "query", "queries"),
            _ => count(queries),
        };
        words.push(format!("{queries} at {secs} s"));
    }
    words.join(", ")
}

/// The line about resolutions, where each query has its own: `resolution: 12 queries at 10 s, 500 at 60 s (1 had no points: 60 s)`.
pub(crate) fn in_words(asked: &Asked) -> String {
    if !asked.words.is_auto() {
        return String::new();
    }
    let mut doubts: BTreeMap<(Basis, Interval), u64> = BTreeMap::new();
    let bases: HashMap<_, _> =
        asked.spaced.iter().map(|spaced| (spaced.query.as_str(), spaced)).collect();
    for query in &asked.list.queries {
        let known = Spacings::name(query).and_then(|name| bases.get(name.as_str()).copied());
        if let Some(Spaced { basis, interval, .. }) = known
            && *interval == query.interval
            && *basis != Basis::Sampled
        {
            *doubts.entry((*basis, *interval)).or_default() += 1;
        }
    }
    let mut remarks: Vec<_> = doubts
        .into_iter()
        .map(|((basis, interval), queries)| {
            format!("{} {}: {interval}", count(queries), doubt(basis))
        })
        .collect();
    if !asked.list.unspaced.is_empty() {
        let unsampled = count(asked.list.unspaced.len() as u64);
        remarks.push(format!("{unsampled} not sampled yet: reckoned at 60 s"));
    }
    let remarks =
        if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) };
    let resolutions = resolutions(asked.list.queries.iter().map(|query| query.interval));
    format!("  resolution: {}{remarks}\n", counted_resolutions(&resolutions))
}

fn doubt(basis: Basis) -> &'static str {
    match basis {
        Basis::Sampled => "sampled",
        Basis::Empty => "had no points",
        Basis::Sparse => "had too few points to tell",
        Basis::Irregular => "had points at irregular distances",
        Basis::Refused => "could not be sampled",
    }
}

/// What the ledger keeps of a spacing, for programs.
pub(crate) fn json(spaced: &Spaced) -> serde_json::Value {
    let Spaced { query, interval, basis, why, found_at } = spaced;
    serde_json::json!({
        "query": query,
        "interval_seconds": interval.secs(),
        "basis": basis,
        "why": why,
        "found_at": found_at,
    })
}
