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
use jindo::archive::{Archive, ProbesDiscarded, Registered, Weight};
use jindo::job::{AuditRecord, DirectoryStatus};
use jindo::query::Interval;
use std::fmt::Write as _;

/// Prints the standing of a directory's queries, its size, and what earlier runs learnt.
pub(crate) fn run(command: &args::StatusArgs) -> anyhow::Result<u8> {
    let archive = Archive::read(&command.dir)?;
    let status = DirectoryStatus::read(&archive)?;
    let text = if command.json { json(&archive, &status)? } else { words(&archive, &status)? };
    terminal::answer(&text)?;
    Ok(exit_code::COMPLETE)
}

fn intervals(status: &DirectoryStatus) -> impl Iterator<Item = Interval> {
    status.listed.iter().map(|listed| listed.query.text.interval)
}

fn json(archive: &Archive, status: &DirectoryStatus) -> anyhow::Result<String> {
    let request = archive.ledger().request()?;
    let object = serde_json::json!({
        "asked": request.as_ref().map(|request| serde_json::json!({
            "from": request.asked.window.start(),
            "to": request.asked.window.end(),
            "timezone": request.timezone,
        })),
        "queries": status.counts(),
        "resolutions": resolutions(intervals(status)),
        "spacings": archive.ledger().spaced()?.iter().map(resolution::json).collect::<Vec<_>>(),
        "totals": archive.ledger().totals()?,
        "learnt": learnt_json(archive)?,
        "heavy": status.heavy.iter().map(|query| serde_json::json!({
            "query": query.text.written,
            "bytes_per_bucket": query.weight.map(|weight| weight.bytes_per_bucket),
            "weighed_at": query.weight.map(|weight| weight.weighed_at),
        })).collect::<Vec<_>>(),
        "audit": status.audit,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&object)?))
}

/// Returns the learnt limits by name. The entry `probe` with the figure 0 says that probe results are discarded.
fn learnt_json(archive: &Archive) -> anyhow::Result<Vec<serde_json::Value>> {
    let limits = archive.ledger().learnt()?;
    let limits = limits.iter().map(|learnt| {
        let (name, value) = (limits::name(learnt.limit), limits::figure(learnt.limit));
        (name, value, learnt.learnt_at, learnt.why.clone())
    });
    let discarded = archive.ledger().probes_discarded()?;
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

fn words(archive: &Archive, status: &DirectoryStatus) -> anyhow::Result<String> {
    let (totals, counts) = (archive.ledger().totals()?, status.counts());
    let mut text = String::new();
    if let Some(request) = archive.ledger().request()? {
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
    let resolutions = resolutions(intervals(status));
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
    if let Some(AuditRecord { at, windows, compared, points, late, changed, gone, .. }) =
        status.audit
    {
        writeln!(
            text,
            "audit      {} of {} compared with the server on {}: {}, {late} late, {changed} changed, {gone} gone",
            count(compared as u64),
            counted(windows as u64, "window", "windows"),
            at.strftime("%Y-%m-%d"),
            counted(points, "point", "points"),
        )?;
    }
    text += &learnt(archive, &status.heavy)?;
    Ok(text)
}

/// Returns a line for each learnt limit, and one for queries with large answers.
fn learnt(archive: &Archive, heavy: &[Registered]) -> anyhow::Result<String> {
    let mut text = String::new();
    for learnt in archive.ledger().learnt()? {
        let (why, on) = (learnt.why, learnt.learnt_at.strftime("%Y-%m-%d"));
        let said = if let Some((unit, most)) = limits::at_most(learnt.limit) {
            format!("{unit}: at most {} ({why}, on {on})", count(most))
        } else {
            let until = Timestamp::from_second(limits::figure(learnt.limit))?;
            format!("windows that end by {until} are not fetched: {why}")
        };
        writeln!(text, "learnt     {said}; jindo export --forget drops it")?;
    }
    if let Some(ProbesDiscarded { why, at }) = archive.ledger().probes_discarded()? {
        let on = at.strftime("%Y-%m-%d");
        writeln!(
            text,
            "learnt     probe results are discarded here ({why}, on {on}); jindo export --forget drops it"
        )?;
    }
    if let Some(query) = heavy.first()
        && let Some(Weight { bytes_per_bucket, weighed_at }) = query.weight
    {
        writeln!(
            text,
            "learnt     {} in smaller calls, because their answers are large: the heaviest, {}, brings {} a point in time \
             (on {}); jindo export --forget drops it",
            counted(heavy.len() as u64, "query", "queries"),
            query.text.written,
            size(bytes_per_bucket),
            weighed_at.strftime("%Y-%m-%d")
        )?;
    }
    Ok(text)
}
