//! Result of `verify --refetch` in words and as JSON.

use crate::exit_code::Verdict;
use crate::render::shell;
use crate::render::units::{count, counted, seconds};
use jindo::archive::Origin;
use jindo::fetch::{End, FetchOutcome};
use jindo::job::{
    AuditOutcome, AuditReport, AuditRequest, Difference, DifferenceKind, RefusedAudit, SampleSize,
};
use jindo::plan::Window;
use serde::{Serialize, Serializer};
use serde_json::json;
use std::path::Path;

/// Differences that are listed as lines: a screenful. `--json` lists more.
const LINES_MAX: usize = 20;

/// Result of a comparison with the server. A window is what one call compares.
#[derive(Debug)]
pub(crate) struct RefetchReport {
    audit: AuditReport,
    seed: u64,
    calls: u64,
    /// Stretches that `--repair` marked: the next export fetches them again.
    marked: u64,
    interrupted: bool,
    /// Command that repeats the comparison and marks what differs.
    remedy: String,
}

fn kind(difference: &Difference) -> &'static str {
    match difference.kind {
        DifferenceKind::Late => "late",
        DifferenceKind::Changed => "changed",
        DifferenceKind::Gone => "gone",
    }
}

/// Returns a line: `late: avg:m{*} by {host} host:x 2026-06-01T00:02:00Z: nothing is held, 3.0 is served, and was not there
/// 2 h 3 min after its time`.
fn line(difference: &Difference) -> String {
    let Difference { query, tags, at, held, served, fetched_at, origin, .. } = difference;
    let value = |value: Option<f64>| value.map_or("nothing".to_owned(), |v| format!("{v:?}"));
    let tags = if tags.is_empty() { String::new() } else { format!(" {}", tags.join(",")) };
    let late = if *origin == Origin::Probed {
        ", where a probe had found no data".to_owned()
    } else if difference.kind == DifferenceKind::Late {
        let after = fetched_at.duration_since(*at);
        format!(", and was not there {} after its time", span(after.as_secs()))
    } else {
        String::new()
    };
    let (kind, held, served) = (kind(difference), value(*held), value(*served));
    format!("{kind}: {query}{tags} {at}: {held} is held, {served} is served{late}")
}

impl Serialize for RefetchReport {
    /// Writes the JSON object, with more of the differences than the text lists. `markable` counts the stretches that fetching
    /// again would correct; `kept` those where it would lose points that only the archive has; `probed` is true where a probe had
    /// found no data, so that nothing was fetched.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let audit = &self.audit;
        let refused = |refused: &RefusedAudit| {
            let RefusedAudit { query, window, reason } = refused;
            let (start, end) = (window.map(Window::start), window.map(Window::end));
            json!({ "query": query, "start": start, "end": end, "reason": reason })
        };
        let difference = |difference: &Difference| {
            json!({
                "kind": kind(difference),
                "query": difference.query,
                "tags": difference.tags,
                "at": difference.at,
                "held": difference.held,
                "served": difference.served,
                "fetched_at": difference.fetched_at,
                "probed": difference.origin == Origin::Probed,
            })
        };
        let queries = audit.queries.iter().map(|(query, counts)| {
            let mut object = json!(counts);
            object["query"] = json!(query);
            object
        });
        json!({
            "seed": self.seed,
            "windows": audit.windows,
            "windows_too_old": audit.too_old,
            "sampled": audit.sampled,
            "compared": audit.compared,
            "replaced": audit.replaced,
            "not_compared": audit.unfinished,
            "calls": self.calls,
            "points": audit.points,
            "late": audit.counts.late,
            "changed": audit.counts.changed,
            "gone": audit.counts.gone,
            "late_by_seconds_max": audit.late_by_max.map(|by| by.as_secs()),
            "markable": audit.to_ask.len(),
            "marked": self.marked,
            "kept": audit.to_keep,
            "interrupted": self.interrupted,
            "refused": audit.refused.iter().map(refused).collect::<Vec<_>>(),
            "queries": queries.collect::<Vec<_>>(),
            "differences": audit.differences.iter().map(difference).collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

impl RefetchReport {
    /// Returns the report of a comparison, which compared nothing where nothing was old enough to be fetched again, and the
    /// failure that ended it early.
    pub(crate) fn new(
        dir: &Path,
        request: AuditRequest,
        outcome: AuditOutcome<anyhow::Error>,
    ) -> (Self, Option<anyhow::Error>) {
        let AuditOutcome { report: audit, marked, calls } = outcome;
        let size = match request.size {
            SampleSize::Percent(percent) => format!("{percent}%"),
            SampleSize::Calls(calls) => calls.to_string(),
        };
        let (dir, seed) = (shell::path(dir), request.seed);
        let made = calls.as_ref().and_then(|calls| calls.as_ref().ok());
        let report = Self {
            audit,
            seed,
            calls: made.map_or(0, |made| made.calls),
            marked: marked.as_ref().map_or(0, |marked| *marked),
            interrupted: matches!(made, Some(FetchOutcome { end: End::Interrupted, .. })),
            remedy: format!("jindo verify {dir} --refetch {size} --seed {seed} --repair"),
        };
        let failed = calls.and_then(Result::err);
        (report, marked.err().map(anyhow::Error::from).or(failed))
    }

    /// Returns what decides the exit code.
    pub(crate) fn verdict(&self) -> Verdict {
        let AuditReport { unfinished, counts, sampled, .. } = self.audit;
        let is_marked = self.marked > 0;
        if self.interrupted {
            Verdict::Interrupted
        } else if unfinished > 0 || counts.gone > 0 || (counts.changed > 0 && !is_marked) {
            Verdict::Wrong
        } else if counts.all() > 0 || sampled == 0 {
            Verdict::Unfinished
        } else {
            Verdict::Sound
        }
    }

    /// Returns the lines for a terminal.
    pub(crate) fn words(&self) -> Vec<String> {
        if self.audit.sampled == 0 {
            let why = if self.audit.too_old > 0 {
                "the archive holds only data older than the 15 months that Datadog usually keeps"
            } else {
                "everything was fetched too soon after its time to be final; the next export fetches it again"
            };
            return vec![format!("nothing was compared: {why}")];
        }
        let mut lines: Vec<String> =
            self.audit.differences.iter().take(LINES_MAX).map(line).collect();
        let unlisted = self.audit.counts.all().saturating_sub(LINES_MAX as u64);
        if unlisted > 0 {
            let more = counted(unlisted, "more point differs", "more points differ");
            lines.push(format!("{more}; --json lists the first 1,000"));
        }
        lines.push(self.comparison());
        lines.extend(self.left_out());
        lines.extend(self.meaning());
        lines.extend(self.what_to_do());
        lines
    }

    fn comparison(&self) -> String {
        let verdict = match (self.audit.counts.all(), self.audit.compared) {
            (0, 0) => "nothing was compared to the end".to_owned(),
            (0, _) => "all the same".to_owned(),
            (differing, _) => counted(differing, "differs", "differ"),
        };
        format!(
            "{} of {} compared in {} (--seed {} draws the same): {}, {verdict}",
            count(self.audit.compared as u64),
            windows(self.audit.windows),
            counted(self.calls, "call", "calls"),
            self.seed,
            counted(self.audit.points, "point", "points"),
        )
    }

    /// Returns the windows that were not compared, with reasons.
    fn left_out(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.audit.too_old > 0 {
            lines.push(format!(
                "{} start before the 15 months that Datadog usually keeps: only the archive has them",
                windows(self.audit.too_old)
            ));
        }
        if self.audit.replaced > 0 {
            let replaced = windows(self.audit.replaced);
            lines.push(format!("{replaced} left out: an export replaced them meanwhile"));
        }
        if self.audit.unfinished > 0 {
            let (left, all) = (count(self.audit.unfinished as u64), windows(self.audit.sampled));
            lines.push(format!("{left} of the {all} drawn could not be compared to the end"));
        }
        lines.extend(self.audit.refused.iter().take(LINES_MAX).map(|refused| {
            let RefusedAudit { query, window, reason } = refused;
            let window = window.map(|window| format!(" {} … {}", window.start(), window.end()));
            format!("refused: {query}{}: {reason}", window.unwrap_or_default())
        }));
        lines
    }

    fn meaning(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let AuditReport { counts, late_by_max, .. } = &self.audit;
        if let Some(by) = late_by_max.filter(|_| counts.late > 0) {
            let (late, by) = (count(counts.late), span(by.as_secs()));
            lines.push(format!(
                "late     {late}: reported after they were fetched, the latest more than {by} after its time"
            ));
        }
        if counts.changed > 0 {
            let changed = count(counts.changed);
            lines.push(format!("changed  {changed}: the server has another value now"));
        }
        if counts.gone > 0 {
            let gone = count(counts.gone);
            lines.push(format!(
                "gone     {gone}: only the archive still has them; fetching again would lose them"
            ));
        }
        lines
    }

    fn what_to_do(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.marked > 0 {
            let marked = counted(self.marked, "part is", "parts are");
            lines.push(format!("{marked} marked; the next export fetches them again, whole"));
        } else if !self.audit.to_ask.is_empty() {
            let remedy = &self.remedy;
            lines.push(format!("{remedy} marks what differs; the next export fetches it again"));
        }
        if self.audit.to_keep > 0 {
            let kept = counted(self.audit.to_keep as u64, "part", "parts");
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
