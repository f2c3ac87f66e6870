//! `jindo status`: prints the contents of a directory from its ledger alone. Works while an export runs.

use crate::args;
use crate::exit_code;
use crate::render::limits;
use crate::render::resolution::{self, counted_resolutions, resolutions};
use crate::render::units::{count, counted, size};
use crate::terminal;
use crate::time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::{Archive, ProbesDiscarded, QueryStatus, Registered, Weight};
use jindo::query::Interval;
use std::cmp::Reverse;
use std::fmt::Write as _;

/// Numbers of listed queries and lines, by standing.
#[derive(Debug, Default, serde::Serialize)]
struct Counts {
    complete: u64,
    partial: u64,
    given_up: u64,
    /// Lines of the list that were left out.
    refused: u64,
}

/// Prints the standing of a directory's queries, its size, and what earlier runs learnt.
pub(crate) fn run(command: &args::StatusArgs) -> anyhow::Result<u8> {
    let archive = Archive::read(&command.dir)?;
    let listed = Listed::read(&archive)?;
    let text = if command.json { json(&archive, &listed)? } else { words(&archive, &listed)? };
    terminal::answer(&text)?;
    Ok(exit_code::COMPLETE)
}

/// The last request's list.
struct Listed {
    counts: Counts,
    intervals: Vec<Interval>,
}

impl Listed {
    fn read(archive: &Archive) -> anyhow::Result<Self> {
        let refused = archive.refused_lines()?.len() as u64;
        let mut counts = Counts { refused, ..Counts::default() };
        let mut intervals = Vec::new();
        for (query, standing) in archive.standings()? {
            if query.position.is_none() {
                continue;
            }
            intervals.push(query.text.interval);
            match standing.status {
                QueryStatus::Complete | QueryStatus::Empty => counts.complete += 1,
                QueryStatus::Partial => counts.partial += 1,
                QueryStatus::GivenUp => counts.given_up += 1,
                QueryStatus::Refused => counts.refused += 1,
            }
        }
        Ok(Self { counts, intervals })
    }
}

/// Returns the queries with answers so large that they need smaller calls, the largest first.
fn heavy(archive: &Archive) -> anyhow::Result<Vec<(Registered, Weight)>> {
    let weighed = |query: Registered| query.weight.map(|weight| (query, weight));
    let mut heavy: Vec<_> = archive.queries()?.into_iter().filter_map(weighed).collect();
    heavy.sort_by_key(|(_, weight)| Reverse(weight.bytes_per_bucket));
    Ok(heavy)
}

fn json(archive: &Archive, listed: &Listed) -> anyhow::Result<String> {
    let heavy = heavy(archive)?;
    let request = archive.request()?;
    let object = serde_json::json!({
        "asked": request.as_ref().map(|request| serde_json::json!({
            "from": request.asked.window.start(),
            "to": request.asked.window.end(),
            "timezone": request.timezone,
        })),
        "queries": listed.counts,
        "resolutions": resolutions(listed.intervals.iter().copied()),
        "spacings": archive.spaced()?.iter().map(resolution::json).collect::<Vec<_>>(),
        "totals": archive.totals()?,
        "learnt": learnt_json(archive)?,
        "heavy": heavy.iter().map(|(query, weight)| serde_json::json!({
            "query": query.text.written,
            "bytes_per_bucket": weight.bytes_per_bucket,
            "weighed_at": weight.weighed_at,
        })).collect::<Vec<_>>(),
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&object)?))
}

/// Returns the learnt limits by name. The entry `probe` with the figure 0 says that probe results are discarded.
fn learnt_json(archive: &Archive) -> anyhow::Result<Vec<serde_json::Value>> {
    let limits = archive.learnt()?;
    let limits = limits.iter().map(|learnt| {
        let (name, value) = (limits::name(learnt.limit), limits::figure(learnt.limit));
        (name, value, learnt.learnt_at, learnt.why.clone())
    });
    let discarded = archive.probes_discarded()?;
    let discarded =
        discarded.into_iter().map(|discarded| ("probe", 0, discarded.at, discarded.why));
    let mut all: Vec<_> = limits.chain(discarded).collect();
    all.sort_unstable_by_key(|(name, ..)| *name);
    Ok(all
        .into_iter()
        .map(|(name, value, at, why)| {
            serde_json::json!({ "name": name, "value": value, "learnt_at": at, "why": why })
        })
        .collect())
}

fn words(archive: &Archive, listed: &Listed) -> anyhow::Result<String> {
    let (totals, counts) = (archive.totals()?, &listed.counts);
    let mut text = String::new();
    if let Some(request) = archive.request()? {
        let zone = time::zone(&request.timezone).unwrap_or(TimeZone::UTC);
        let (start, end) = (request.asked.window.start(), request.asked.window.end());
        let (start, end) = (time::in_words(start, &zone), time::in_words(end, &zone));
        writeln!(text, "range      {start} … {end} (excluded), {}", request.timezone)?;
    }
    writeln!(
        text,
        "queries    {} listed: {} complete, {} with gaps, {} given up{}",
        count(totals.listed),
        count(counts.complete),
        count(counts.partial),
        count(counts.given_up),
        match counts.refused {
            0 => String::new(),
            lines => format!("; {} left out", counted(lines, "line", "lines")),
        }
    )?;
    let resolutions = resolutions(listed.intervals.iter().copied());
    if resolutions.len() > 1 {
        writeln!(text, "resolution {}", counted_resolutions(&resolutions))?;
    }
    let stretches = counted(totals.open, "stretch is", "stretches are");
    writeln!(
        text,
        "archive    {}, {}, {} rows",
        counted(totals.objects, "object", "objects"),
        size(totals.bytes),
        count(totals.rows)
    )?;
    if totals.open > 0 {
        writeln!(
            text,
            "           {stretches} young or marked: the next export fetches them again"
        )?;
    }
    if totals.probed_s > 0 {
        let percent = totals.probed_s * 100 / totals.covered_s.max(1);
        writeln!(
            text,
            "           {percent} % of the covered time was found empty by probes and not fetched; jindo export --recheck-probed fetches it"
        )?;
    }
    writeln!(
        text,
        "csv        {}, {}, {} points, as written (jindo verify checks that they are there)",
        counted(totals.files, "file", "files"),
        size(totals.file_bytes),
        count(totals.file_points)
    )?;
    text += &learnt(archive)?;
    Ok(text)
}

/// Returns a line for each learnt limit, and one for queries with large answers.
fn learnt(archive: &Archive) -> anyhow::Result<String> {
    let mut text = String::new();
    for learnt in archive.learnt()? {
        let (why, on) = (learnt.why, learnt.learnt_at.strftime("%Y-%m-%d"));
        let said = if let Some((unit, most)) = limits::at_most(learnt.limit) {
            format!("{unit}: at most {} ({why}, on {on})", count(most))
        } else {
            let until = Timestamp::from_second(limits::figure(learnt.limit))?;
            format!("windows that end by {until} are not fetched: {why}")
        };
        writeln!(text, "learnt     {said}; jindo export --forget drops it")?;
    }
    if let Some(ProbesDiscarded { why, at }) = archive.probes_discarded()? {
        let on = at.strftime("%Y-%m-%d");
        writeln!(
            text,
            "learnt     probe results are discarded here ({why}, on {on}); jindo export --forget drops it"
        )?;
    }
    let heavy = heavy(archive)?;
    if let Some((query, Weight { bytes_per_bucket, weighed_at })) = heavy.first() {
        writeln!(
            text,
            "learnt     {} in smaller calls, because their answers are large: the heaviest, {}, brings {} a point in time \
             (on {}); jindo export --forget drops it",
            counted(heavy.len() as u64, "query", "queries"),
            query.text.written,
            size(*bytes_per_bucket),
            weighed_at.strftime("%Y-%m-%d")
        )?;
    }
    Ok(text)
}
