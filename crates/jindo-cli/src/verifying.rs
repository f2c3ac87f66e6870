//! `jindo verify`: objects against ledger, coverage against what was asked, files against both. `--repair` mends what can
//! be mended without a call.

use crate::args;
use crate::export::{holder, open};
use crate::extracting::shown;
use crate::screen;
use crate::words::{count, counted};
use jindo::archive::{self, Archive};
use jindo::clock::Clock;
use jindo::extract::{self, Directory, Which};
use jindo::plan::{Window, subtract};
use serde::Serialize;
use std::fmt::Write as _;

/// Everything that verify has to say.
#[derive(Debug, Default, Serialize)]
struct Report {
    objects: u64,
    rows: u64,
    /// What is or was wrong, with what was done about it.
    findings: Vec<Line>,
    /// Listed queries with stretches that are not covered.
    queries_with_gaps: u64,
    missing_seconds: u64,
}

#[derive(Debug, Serialize)]
struct Line {
    what: String,
    mended: bool,
}

pub(crate) fn run(command: &args::Verify, clock: &dyn Clock) -> anyhow::Result<u8> {
    let report = if command.repair { repair(command, clock)? } else { look(command)? };
    let text = if command.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else {
        words(&report, command)?
    };
    screen::answer(&text)?;
    let wrong = report.findings.iter().any(|finding| !finding.mended);
    Ok(if wrong {
        1
    } else if report.queries_with_gaps > 0 {
        3
    } else {
        0
    })
}

fn look(command: &args::Verify) -> anyhow::Result<Report> {
    let verified = Archive::verify(&command.dir)?;
    let mut report = Report::of(&verified);
    if report.findings.is_empty() {
        let archive = Archive::read(&command.dir)?;
        report.files(&archive, command)?;
        report.gaps(&archive)?;
    }
    Ok(report)
}

/// The archive first, since the files are made from it.
fn repair(command: &args::Verify, clock: &dyn Clock) -> anyhow::Result<Report> {
    let verified = Archive::repair(&command.dir, &holder(clock))?;
    let mut report = Report::of(&verified);
    let archive = open(&command.dir, clock)?;
    report.files(&archive, command)?;
    let shown = shown(&archive, None)?;
    let disk = Directory::of_archive(&command.dir);
    let (changed, outdated) = to_make(&extract::verify(&archive, &disk, &shown)?);
    extract::update(&archive, &disk, &changed, &shown, Which::All)?;
    extract::update(&archive, &disk, &outdated, &shown, Which::Outdated)?;
    extract::tables(&archive, &disk, &shown)?;
    report.gaps(&archive)?;
    Ok(report)
}

/// The queries of which a file was changed, and those that are merely behind.
fn to_make(findings: &[extract::Finding]) -> (Vec<archive::QueryId>, Vec<archive::QueryId>) {
    let (mut changed, mut outdated) = (Vec::new(), Vec::new());
    for finding in findings {
        match finding {
            extract::Finding::Missing { query, .. } | extract::Finding::Changed { query, .. } => {
                changed.push(*query);
            }
            extract::Finding::Outdated { query, .. } => outdated.push(*query),
            extract::Finding::Stranger { .. } | extract::Finding::Table { .. } => {}
        }
    }
    (changed, outdated)
}

impl Report {
    fn of(verified: &archive::Verified) -> Self {
        let findings = verified
            .findings
            .iter()
            .map(|finding| {
                let done =
                    finding.mended.as_ref().map_or_else(String::new, |how| format!(" — {how}"));
                let what = format!("archive/{}: {}{done}", finding.name, finding.why);
                Line { what, mended: finding.mended.is_some() }
            })
            .collect();
        Self { objects: verified.objects, rows: verified.rows, findings, ..Self::default() }
    }

    fn files(&mut self, archive: &Archive, command: &args::Verify) -> anyhow::Result<()> {
        let shown = shown(archive, None)?;
        let disk = Directory::of_archive(&command.dir);
        for finding in extract::verify(archive, &disk, &shown)? {
            let (what, ours) = match finding {
                extract::Finding::Missing { path, .. } => (format!("{path}: gone"), true),
                extract::Finding::Changed { path, .. } => {
                    (format!("{path}: changed since it was written"), true)
                }
                extract::Finding::Outdated { written, .. } => {
                    (format!("files of {written}: not up to date"), true)
                }
                extract::Finding::Stranger { path } => {
                    (format!("{path}: not jindo's, left alone"), false)
                }
                extract::Finding::Table { path } => {
                    (format!("{path}: not what the ledger says"), true)
                }
            };
            let what =
                if ours && command.repair { format!("{what} — written again") } else { what };
            self.findings.push(Line { what, mended: command.repair || !ours });
        }
        Ok(())
    }

    /// What was asked against what is covered.
    fn gaps(&mut self, archive: &Archive) -> anyhow::Result<()> {
        let coverage = archive.coverage_all()?;
        for query in archive.queries()?.iter().filter(|query| query.position.is_some()) {
            let covered: Vec<Window> = coverage
                .get(&query.id)
                .into_iter()
                .flatten()
                .map(|covered| covered.window)
                .collect();
            let gaps = query.asked.map_or_else(Vec::new, |asked| subtract(asked, &covered));
            self.queries_with_gaps += u64::from(!gaps.is_empty());
            self.missing_seconds += gaps.iter().map(|gap| gap.secs().unsigned_abs()).sum::<u64>();
        }
        Ok(())
    }
}

fn words(report: &Report, command: &args::Verify) -> anyhow::Result<String> {
    let mut text = String::new();
    for finding in &report.findings {
        writeln!(text, "{}", finding.what)?;
    }
    let wrong = report.findings.iter().filter(|finding| !finding.mended).count() as u64;
    writeln!(
        text,
        "{}, {} rows: {}",
        counted(report.objects, "object", "objects"),
        count(report.rows),
        if wrong == 0 {
            "all as written".to_owned()
        } else {
            counted(wrong, "thing is wrong", "things are wrong")
        },
    )?;
    if report.queries_with_gaps > 0 {
        writeln!(
            text,
            "{} with gaps, see gaps.csv; the next export asks for them",
            counted(report.queries_with_gaps, "query", "queries"),
        )?;
    } else if wrong == 0 {
        writeln!(text, "everything that was asked is there")?;
    }
    if wrong > 0 && !command.repair {
        writeln!(text, "jindo verify {} --repair mends it without a call", command.dir.display())?;
    }
    Ok(text)
}
