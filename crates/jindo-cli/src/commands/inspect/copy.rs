//! `jindo verify` of what `jindo extract --out` wrote: a copy without an archive, whose files are checked against its own tables.

use crate::render::errors::Usage;
use crate::render::shell;
use crate::render::units::{count, counted};
use jiff::tz::TimeZone;
use jindo::extract::{
    CopyFault, CopyFinding, CopyReport, CsvTree, Directory, DisplayOptions, check_copy, is_copy,
};
use serde::Serialize;
use std::path::Path;

/// One thing that is wrong with a directory, in words.
#[derive(Debug, Serialize)]
pub(super) struct FindingLine {
    pub(super) what: String,
    pub(super) mended: bool,
}

/// Extent of a copy.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct CopyCounts {
    /// Files that are as the tables say.
    pub(super) files: u64,
}

/// Checks a copy; `None` where there is none. `flags` are those that were given and need an archive.
pub(super) fn check(dir: &Path, flags: &[&str]) -> anyhow::Result<Option<CopyReport>> {
    let disk = Directory::of_copy(dir);
    if !is_copy(&disk)? {
        return Ok(None);
    }
    if let [flag, ..] = flags {
        return Err(Usage::new(format!(
            "{} is a copy without an archive, and {flag} needs one",
            dir.display()
        ))
        .hint(format!(
            "jindo verify {} checks its files against its tables; jindo extract writes it anew from the export's own directory",
            shell::path(dir)
        ))
        .into());
    }
    // The zone of a copy stands in its tables: that of the output decides about no name.
    let display = DisplayOptions { zone: TimeZone::UTC, timezone: "UTC".to_owned() };
    Ok(Some(check_copy(&disk, &CsvTree::new(&display))?))
}

/// Returns a finding in words.
pub(super) fn finding(CopyFinding { path, fault }: &CopyFinding) -> FindingLine {
    let what = match fault {
        CopyFault::Missing => "missing".to_owned(),
        CopyFault::Rows { found, expected } => {
            let (rows, expected) = (counted(*found, "row", "rows"), count(*expected));
            format!("{rows}, and series.csv says {expected}")
        }
        CopyFault::Row { row } => {
            format!("row {} is no time and number, or not later than the one before", count(*row))
        }
        CopyFault::Bounds => "its first or last time is not the one in series.csv".to_owned(),
        CopyFault::Stranger => "named by no table, left alone".to_owned(),
        CopyFault::Table { row } => format!("row {} cannot be read", count(*row)),
        CopyFault::Contradicted { query } => {
            format!("series.csv has other series or points of {query}")
        }
    };
    FindingLine { what: format!("{path}: {what}"), mended: *fault == CopyFault::Stranger }
}

/// Returns the lines of a check: what was looked at, and the verdict.
pub(super) fn words(copy: CopyCounts, rows: u64, verdict: &str) -> Vec<String> {
    let files = counted(copy.files, "file", "files");
    vec![
        "no archive is here: this is a copy, as jindo extract --out writes it.".to_owned(),
        "Its files are checked against its tables, which hold no hashes: other numbers".to_owned(),
        "in as many rows are not seen. jindo verify of the export's directory sees them."
            .to_owned(),
        format!("{files}, {} rows: {verdict}", count(rows)),
    ]
}
