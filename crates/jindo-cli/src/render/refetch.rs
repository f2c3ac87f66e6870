//! Result of `verify --refetch` in words and as JSON.

use crate::exit_code::Refetched;
use crate::render::units::{count, counted, seconds};
use jiff::Timestamp;
use jindo::archive::Origin;
use jindo::fetch::{End, FetchOutcome};
use jindo::job::{
    AuditOutcome, AuditReport, AuditRequest, Difference, DifferenceCounts, DifferenceKind,
    RefusedAudit, SampleSize,
};
use serde::Serialize;
use std::path::Path;

/// Differences that are listed as lines: a screenful. `--json` lists more.
const LINES_MAX: usize = 20;

/// Result of a comparison with the server, as `--json` prints it. A window is what one call compares.
#[derive(Debug, Serialize)]
pub(crate) struct RefetchReport {
    seed: u64,
    /// Windows from which the sample was drawn.
    windows: usize,
    /// Windows left out because they are older than what Datadog keeps.
    windows_too_old: usize,
    sampled: usize,
    compared: usize,
    /// Windows left out because an export replaced them meanwhile.
    replaced: usize,
    /// Windows of the sample that were not compared to the end: the server refused, or failed.
    not_compared: usize,
    calls: u64,
    points: u64,
    late: u64,
    changed: u64,
    gone: u64,
    /// Seconds after which the latest of the late points was still missing.
    late_by_seconds_max: Option<i64>,
    /// Stretches that fetching again would correct.
    markable: usize,
    /// Stretches that `--repair` marked: the next export fetches them again.
    marked: u64,
    /// Differing stretches that are not marked, because fetching again would lose points that only the archive has.
    kept: usize,
    interrupted: bool,
    refused: Vec<RefusedWindow>,
    queries: Vec<QueryDifferences>,
    differences: Vec<PointDifference>,
    /// Command that repeats the comparison and marks what differs.
    #[serde(skip)]
    remedy: String,
}

#[derive(Debug, Serialize)]
struct RefusedWindow {
    query: String,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct QueryDifferences {
    query: String,
    late: u64,
    changed: u64,
    gone: u64,
}

#[derive(Debug, Serialize)]
struct PointDifference {
    kind: &'static str,
    query: String,
    tags: Vec<String>,
    at: Timestamp,
    held: Option<f64>,
    served: Option<f64>,
    fetched_at: Timestamp,
    /// True if a probe had found no data there, so that it was not fetched.
    probed: bool,
}

/// Returns the command that repeats the comparison and marks what differs.
fn remedy(dir: &Path, size: SampleSize, seed: u64) -> String {
    let size = match size {
        SampleSize::Percent(percent) => format!("{percent}%"),
        SampleSize::Calls(calls) => calls.to_string(),
    };
    format!("jindo verify {} --refetch {size} --seed {seed} --repair", dir.display())
}

fn refused(audit: &AuditReport) -> Vec<RefusedWindow> {
    let one = |refused: &RefusedAudit| RefusedWindow {
        query: refused.query.clone(),
        start: refused.window.map(jindo::plan::Window::start),
        end: refused.window.map(jindo::plan::Window::end),
        reason: refused.reason.clone(),
    };
    audit.refused.iter().map(one).collect()
}

fn queries(audit: &AuditReport) -> Vec<QueryDifferences> {
    let one = |(query, counts): &(String, DifferenceCounts)| QueryDifferences {
        query: query.clone(),
        late: counts.late,
        changed: counts.changed,
        gone: counts.gone,
    };
    audit.queries.iter().map(one).collect()
}

fn line(difference: &Difference) -> PointDifference {
    PointDifference {
        kind: match difference.point.kind {
            DifferenceKind::Late => "late",
            DifferenceKind::Changed => "changed",
            DifferenceKind::Gone => "gone",
        },
        query: difference.query.clone(),
        tags: difference.tags.clone(),
        at: difference.at(),
        held: difference.point.held,
        served: difference.point.served,
        fetched_at: difference.fetched_at,
        probed: difference.origin == Origin::Probed,
    }
}

impl PointDifference {
    /// Returns a line: `late: avg:m{*} by {host} host:x 2026-06-01T00:02:00Z: nothing is held, 3.0 is served, and was not there
    /// 2 h 3 min after its time`.
    fn words(&self) -> String {
        let value = |value: Option<f64>| value.map_or("nothing".to_owned(), |v| format!("{v:?}"));
        let tags =
            if self.tags.is_empty() { String::new() } else { format!(" {}", self.tags.join(",")) };
        let late = if self.probed {
            ", where a probe had found no data".to_owned()
        } else if self.kind == "late" {
            let after = self.fetched_at.duration_since(self.at);
            format!(", and was not there {} after its time", span(after.as_secs()))
        } else {
            String::new()
        };
        let (held, served) = (value(self.held), value(self.served));
        format!(
            "{}: {}{tags} {}: {held} is held, {served} is served{late}",
            self.kind, self.query, self.at
        )
    }
}

impl RefetchReport {
    /// Returns the report of a comparison; it compared nothing where nothing was old enough to be fetched again.
    pub(crate) fn new<E>(dir: &Path, request: AuditRequest, outcome: &AuditOutcome<E>) -> Self {
        let AuditOutcome { report, marked, calls } = outcome;
        let made = calls.as_ref().and_then(|calls| calls.as_ref().ok());
        Self {
            seed: request.seed,
            windows: report.windows,
            windows_too_old: report.too_old,
            sampled: report.sampled,
            compared: report.compared,
            replaced: report.replaced,
            not_compared: report.unfinished,
            calls: made.map_or(0, |made| made.calls),
            points: report.points,
            late: report.counts.late,
            changed: report.counts.changed,
            gone: report.counts.gone,
            late_by_seconds_max: report.late_by_max.map(|by| by.as_secs()),
            markable: report.to_ask.len(),
            marked: marked.as_ref().map_or(0, |marked| *marked),
            kept: report.to_keep,
            interrupted: matches!(made, Some(FetchOutcome { end: End::Interrupted, .. })),
            refused: refused(report),
            queries: queries(report),
            differences: report.differences.iter().map(line).collect(),
            remedy: remedy(dir, request.size, request.seed),
        }
    }

    /// Returns what decides the exit code.
    pub(crate) fn result(&self) -> Refetched {
        let is_marked = self.marked > 0;
        if self.interrupted {
            Refetched::Interrupted
        } else if self.not_compared > 0 || self.gone > 0 || (self.changed > 0 && !is_marked) {
            Refetched::Wrong
        } else if self.differing() > 0 || self.sampled == 0 {
            Refetched::Unfinished
        } else {
            Refetched::Same
        }
    }

    /// Returns the text for a terminal.
    pub(crate) fn words(&self) -> String {
        if self.sampled == 0 {
            let why = if self.windows_too_old > 0 {
                "the archive holds only data older than the 15 months that Datadog keeps"
            } else {
                "everything was fetched too soon after its time to be final; the next export fetches it again"
            };
            return format!("nothing was compared: {why}\n");
        }
        let mut lines: Vec<String> =
            self.differences.iter().take(LINES_MAX).map(PointDifference::words).collect();
        let unlisted = self.differing().saturating_sub(LINES_MAX as u64);
        if unlisted > 0 {
            let more = counted(unlisted, "more point differs", "more points differ");
            lines.push(format!("{more}; --json lists the first 1,000"));
        }
        lines.push(self.verdict());
        lines.extend(self.left_out());
        lines.extend(self.meaning());
        lines.extend(self.what_to_do());
        lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    fn differing(&self) -> u64 {
        self.late + self.changed + self.gone
    }

    fn verdict(&self) -> String {
        let verdict = match (self.differing(), self.compared) {
            (0, 0) => "nothing was compared to the end".to_owned(),
            (0, _) => "all the same".to_owned(),
            (differing, _) => counted(differing, "differs", "differ"),
        };
        format!(
            "{} of {} compared in {} (--seed {} draws the same): {}, {verdict}",
            count(self.compared as u64),
            windows(self.windows),
            counted(self.calls, "call", "calls"),
            self.seed,
            counted(self.points, "point", "points"),
        )
    }

    /// Returns the windows that were not compared, with reasons.
    fn left_out(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.windows_too_old > 0 {
            lines.push(format!(
                "{} start before the 15 months that Datadog keeps: only the archive has them",
                windows(self.windows_too_old)
            ));
        }
        if self.replaced > 0 {
            let replaced = windows(self.replaced);
            lines.push(format!("{replaced} left out: an export replaced them meanwhile"));
        }
        if self.not_compared > 0 {
            let (left, all) = (count(self.not_compared as u64), windows(self.sampled));
            lines.push(format!("{left} of the {all} drawn could not be compared to the end"));
        }
        lines.extend(self.refused.iter().take(LINES_MAX).map(|refused| {
            let RefusedWindow { query, start, end, reason } = refused;
            let window = start.zip(*end).map(|(start, end)| format!(" {start} … {end}"));
            format!("refused: {query}{}: {reason}", window.unwrap_or_default())
        }));
        lines
    }

    fn meaning(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(by) = self.late_by_seconds_max.filter(|_| self.late > 0) {
            let (late, by) = (count(self.late), span(by));
            lines.push(format!(
                "late     {late}: reported after they were fetched, the latest more than {by} after its time"
            ));
        }
        if self.changed > 0 {
            let changed = count(self.changed);
            lines.push(format!("changed  {changed}: the server has another value now"));
        }
        if self.gone > 0 {
            let gone = count(self.gone);
            lines.push(format!(
                "gone     {gone}: only the archive still has them; fetching again would lose them"
            ));
        }
        lines
    }

    fn what_to_do(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.marked > 0 {
            let marked = counted(self.marked, "stretch is", "stretches are");
            lines.push(format!("{marked} marked; the next export fetches them again, whole"));
        } else if self.markable > 0 {
            let remedy = &self.remedy;
            lines.push(format!("{remedy} marks what differs; the next export fetches it again"));
        }
        if self.kept > 0 {
            let kept = counted(self.kept as u64, "stretch", "stretches");
            lines.push(format!(
                "{kept} with points that the server no longer has: never marked, left as held"
            ));
        }
        lines
    }
}

fn windows(number: usize) -> String {
    counted(number as u64, "window", "windows")
}

fn span(secs: i64) -> String {
    seconds(u64::try_from(secs).unwrap_or(0))
}
