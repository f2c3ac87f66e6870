//! Intervals of queries, in words.

use crate::render::units::{count, counted};
use jindo::archive::Spaced;
use jindo::job::{ExportRequest, ResolvedRequest};
use jindo::plan::Confidence;
use jindo::query::{Interval, Spacings};
use std::collections::{BTreeMap, HashMap};

/// Returns the number of queries by interval, in seconds.
pub(crate) fn resolutions(intervals: impl Iterator<Item = Interval>) -> BTreeMap<i64, u64> {
    let mut counts = BTreeMap::new();
    for interval in intervals {
        *counts.entry(interval.secs()).or_default() += 1;
    }
    counts
}

/// Returns `12 queries at 10 s, 500 at 60 s`.
pub(crate) fn counted_resolutions(resolutions: &BTreeMap<i64, u64>) -> String {
    let words = resolutions.iter().enumerate().map(|(index, (secs, &queries))| match index {
        0 => format!("{} at {secs} s", counted(queries, "query", "queries")),
        _ => format!("{} at {secs} s", count(queries)),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Returns the line about resolutions if each query has its own: `resolution: 12 queries at 10 s, 500 at 60 s (1 had no points of late: 60 s)`.
pub(crate) fn in_words(request: &ExportRequest, asked: &ResolvedRequest) -> Option<String> {
    if !request.resolution.is_auto() {
        return None;
    }
    let mut doubts: BTreeMap<(Confidence, Interval), u64> = BTreeMap::new();
    let bases: HashMap<_, _> =
        asked.spaced.iter().map(|spaced| (spaced.query.as_str(), spaced)).collect();
    for query in &asked.list.queries {
        let known = Spacings::name(query).and_then(|name| bases.get(name.as_str()).copied());
        if let Some(Spaced { basis, interval, .. }) = known
            && *interval == query.text.interval
            && *basis != Confidence::Sampled
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
    let resolutions = resolutions(asked.list.queries.iter().map(|query| query.text.interval));
    Some(format!("  resolution: {}{remarks}", counted_resolutions(&resolutions)))
}

fn doubt(basis: Confidence) -> &'static str {
    match basis {
        Confidence::Sampled => "sampled",
        Confidence::Empty => "had no points of late",
        Confidence::Sparse => "had too few points to detect it",
        Confidence::Irregular => "had points far apart, but not surely all through the range",
        Confidence::Refused => "could not be sampled",
    }
}

/// Returns a detected interval as JSON.
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
