//! `jindo status`: what a directory holds, from the ledger alone. Works while an export runs.

use crate::args;
use crate::screen;
use crate::words::{count, counted, size};
use jindo::archive::{Archive, Coverage, Registered};
use jindo::plan::{Window, subtract};
use std::fmt::Write as _;

/// How the listed queries stand.
#[derive(Debug, Default, serde::Serialize)]
struct Standing {
    complete: u64,
    partial: u64,
    given_up: u64,
}

pub(crate) fn run(command: &args::Status) -> anyhow::Result<u8> {
    let archive = Archive::read(&command.dir)?;
    let standing = standing(&archive)?;
    let text = if command.json { json(&archive, &standing)? } else { words(&archive, &standing)? };
    screen::answer(&text)?;
    Ok(0)
}

fn standing(archive: &Archive) -> anyhow::Result<Standing> {
    let coverage = archive.coverage_all()?;
    let mut standing = Standing::default();
    for query in archive.queries()?.iter().filter(|query| query.position.is_some()) {
        let covered = coverage.get(&query.id).map_or(&[][..], Vec::as_slice);
        match (gaps(query, covered).is_empty(), &query.given_up) {
            (_, Some(_)) => standing.given_up += 1,
            (true, None) => standing.complete += 1,
            (false, None) => standing.partial += 1,
        }
    }
    Ok(standing)
}

fn gaps(query: &Registered, covered: &[Coverage]) -> Vec<Window> {
    let windows: Vec<_> = covered.iter().map(|covered| covered.window).collect();
    query.asked.map_or_else(Vec::new, |asked| subtract(asked, &windows))
}

/// What a learnt limit is about, in words.
pub(crate) fn learnt_of(name: &str) -> &str {
    match name {
        "points" => "points per series and call",
        "queries" => "queries per call",
        "url" => "escaped characters per call",
        other => other,
    }
}

fn json(archive: &Archive, standing: &Standing) -> anyhow::Result<String> {
    let request = archive.request()?;
    let object = serde_json::json!({
        "asked": request.as_ref().map(|request| serde_json::json!({
            "from": request.asked.start(),
            "to": request.asked.end(),
            "timezone": request.timezone,
        })),
        "queries": standing,
        "totals": archive.totals()?,
        "learnt": archive.learnt()?,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&object)?))
}

fn words(archive: &Archive, standing: &Standing) -> anyhow::Result<String> {
    let totals = archive.totals()?;
    let mut text = String::new();
    if let Some(request) = archive.request()? {
        writeln!(
            text,
            "asked      {} … {} (excluded), {}",
            request.asked.start(),
            request.asked.end(),
            request.timezone
        )?;
    }
    writeln!(
        text,
        "queries    {} listed: {} complete, {} with gaps, {} given up",
        count(totals.listed),
        count(standing.complete),
        count(standing.partial),
        count(standing.given_up),
    )?;
    let stretches = counted(totals.open, "stretch is", "stretches are");
    writeln!(
        text,
        "archive    {}, {}, {} rows",
        counted(totals.objects, "object", "objects"),
        size(totals.bytes),
        count(totals.rows)
    )?;
    if totals.open > 0 {
        writeln!(text, "           {stretches} young: the next export asks them again")?;
    }
    writeln!(
        text,
        "csv        {}, {}, {} points",
        counted(totals.files, "file", "files"),
        size(totals.file_bytes),
        count(totals.file_points)
    )?;
    for learnt in archive.learnt()? {
        writeln!(
            text,
            "learnt     {}: at most {} ({}, on {}); jindo export --forget drops it",
            learnt_of(&learnt.name),
            count(learnt.value),
            learnt.why,
            learnt.learnt_at.strftime("%Y-%m-%d")
        )?;
    }
    Ok(text)
}
