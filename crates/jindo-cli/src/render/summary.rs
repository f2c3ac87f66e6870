//! Closing summary of an export: what is there, what is missing, where it is, what to do next.

use crate::args::ConnectionArgs;
use crate::environment::is_needed_again;
use crate::render::plan::script_calls;
use crate::render::progress::ForecastResult;
use crate::render::shell;
use crate::render::units::{count, counted, seconds};
use crate::request::RangeEnd;
use crate::terminal::Lines;
use crate::time;
use jiff::Timestamp;
use jindo::archive::QueryStatus;
use jindo::extract::Summary;
use jindo::fetch::End;
use jindo::job::{DirectoryStatus, ExportReport, ExportRequest};
use jindo::plan::{CLOSED_AFTER, Plan};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Shorter runs are summarised without their duration: it depends on this machine, not on the rate limit.
const DURATION_SHOWN_S: u64 = 60;

/// Empty queries that are shown by name.
const EMPTY_SHOWN_MAX: usize = 3;

/// Edits between the metric of an empty query and that of another one, at most, for the other to be offered: two slips of the hand.
const EDITS_MAX: usize = 2;

/// Shorter metrics are taken for another one too easily.
const SIMILAR_CHARS_MIN: usize = 8;

/// Facts of a finished export.
#[derive(Debug)]
pub(crate) struct ExportSummary {
    pub(crate) report: ExportReport,
    /// Forecast after the first answer beside the result; `None` when no call was made.
    pub(crate) forecast: Option<ForecastResult>,
    pub(crate) dir: PathBuf,
    /// Words about queries for which the server has nothing.
    pub(crate) empty: Vec<String>,
}

/// Returns a line about the listed queries for which the server has nothing, and one for each of the first; empty without any.
pub(crate) fn empty_in_words(status: &DirectoryStatus) -> Vec<String> {
    let of = |wanted: QueryStatus| {
        let listed = status.listed.iter().filter(move |listed| listed.standing.status == wanted);
        listed.map(|listed| &*listed.query.text.written)
    };
    let empty: Vec<&str> = of(QueryStatus::Empty).collect();
    if empty.is_empty() {
        return Vec::new();
    }
    let queries = counted(empty.len() as u64, "query", "queries");
    let is_right = if empty.len() == 1 { "is the name right?" } else { "are the names right?" };
    let mut lines = vec![format!("{queries}: asked, the server has nothing; {is_right}")];
    let known: BTreeSet<&str> = of(QueryStatus::Complete).filter_map(metric).collect();
    lines.extend(empty.iter().take(EMPTY_SHOWN_MAX).map(|query| {
        let similar = metric(query).and_then(|metric| similar(metric, &known));
        let similar = similar.map(|metric| format!(" (another query has {metric})"));
        format!("{query}{}", similar.unwrap_or_default())
    }));
    if let more @ 1.. = empty.len().saturating_sub(EMPTY_SHOWN_MAX) {
        lines.push(format!("and {} more, see queries.csv", count(more as u64)));
    }
    lines
}

/// Returns the first metric of a query, as it is written.
fn metric(query: &str) -> Option<&str> {
    let before = query.split_once('{')?.0;
    let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
    Some(&before[start.map_or(0, |at| at + 1)..]).filter(|metric| !metric.is_empty())
}

/// Returns the metric that is nearest to one, if it is another and near enough to be meant.
fn similar<'a>(metric: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    let is_long = |name: &&&str| name.len().min(metric.len()) >= SIMILAR_CHARS_MIN;
    let edits = known.iter().filter(is_long).map(|name| (strsim::levenshtein(metric, name), *name));
    edits.filter(|(edits, _)| (1..=EDITS_MAX).contains(edits)).min().map(|(_, name)| name)
}

/// Returns the summary for stdout.
pub(crate) fn of_export(summary: &ExportSummary) -> Lines {
    let ExportReport { plan, outcome, files, took } = &summary.report;
    let took = seconds(took.as_secs().unsigned_abs());
    if let Some(files) = files {
        return finished(summary, files, &took);
    }
    let is_short = outcome.end == End::OutOfCalls;
    let end = if is_short { "stopped at --max-calls" } else { "interrupted" };
    let made = made(outcome.calls, plan.calls() as u64);
    Lines::from(format!(
        "{end} after {took}: {made}; everything that was fetched is kept, the same command continues"
    ))
}

/// Returns the number of calls beside the plan, which holds no retries, samples or probes and may be exceeded.
fn made(calls: u64, planned: u64) -> String {
    let planned_in_words = counted(planned, "call", "calls");
    if calls <= planned {
        format!("{} of {planned_in_words} made", count(calls))
    } else {
        format!("{} made, {} planned", counted(calls, "call", "calls"), count(planned))
    }
}

fn finished(summary: &ExportSummary, files: &Summary, took: &str) -> Lines {
    let ExportReport { plan, outcome, .. } = &summary.report;
    let gaps = files.partial + files.given_up;
    let head = match (gaps, &outcome.end) {
        (0, _) if files.refused > 0 => "complete, except for lines that were left out".to_owned(),
        (0, _) if files.empty > 0 && files.empty == files.queries => {
            "finished: the server has nothing for any query".to_owned()
        }
        (0, _) => "complete".to_owned(),
        (_, End::OutOfCalls) => "stopped at --max-calls".to_owned(),
        _ => "finished, with gaps".to_owned(),
    };
    let untagged = match files.untagged {
        0 => "0".to_owned(),
        some => {
            format!("in {}: a group of sources without that tag", counted(some, "query", "queries"))
        }
    };
    let mut lines = Lines::from(format!("{head} in {took}"));
    let mut line = |name: &str, words: String| lines.push(format!("  {name:<13}{words}"));
    line("calls", calls(plan, outcome.calls));
    if let Some(result) = &summary.forecast {
        line("forecast", forecast(result));
    }
    line(
        "series",
        format!("{} of {}", count(files.series), counted(files.queries, "query", "queries")),
    );
    line("points", count(files.points));
    line("not fetched", queries_or_none(files.partial, "see queries.csv and gaps.csv"));
    line("coarser", "0 (never accepted)".into());
    let mut empty = summary.empty.iter();
    let first = empty.next().cloned();
    line("empty", first.unwrap_or_else(|| queries_or_none(files.empty, "see queries.csv")));
    empty.for_each(|query| line("", query.clone()));
    line("given up", queries_or_none(files.given_up, "see queries.csv and gaps.csv"));
    if files.expired > 0 {
        let what = "no data is usually kept beyond 15 months, see queries.csv";
        line("too old", queries_or_none(files.expired, what));
    }
    line("untagged", untagged);
    if files.refused > 0 {
        line("left out", counted(files.refused, "line of the list", "lines of the list"));
    }
    let dir = summary.dir.display();
    if files.set_aside > 0 {
        let number = counted(files.set_aside, "file that was", "files that were");
        line("set aside", format!("{number} not written by jindo, in {dir}/set-aside/"));
    }
    line(
        "files",
        format!(
            "{dir}/csv/, {dir}/series.csv (what each file is), {dir}/queries.csv, {dir}/gaps.csv"
        ),
    );
    lines
}

/// Returns the forecast after the first answer beside the result.
fn forecast(result: &ForecastResult) -> String {
    let (forecast, made) = (count(result.forecast_calls), count(result.made_calls));
    let calls = if result.forecast_calls == 1 { "call" } else { "calls" };
    let shown = result.forecast_s.filter(|secs| result.took_s.max(*secs) >= DURATION_SHOWN_S);
    let Some(secs) = shown else {
        return format!("{forecast} {calls} after the first answer; it took {made}");
    };
    let (secs, took) = (seconds(secs), seconds(result.took_s));
    let after = match result.answered {
        0 | 1 => "the first answer".to_owned(),
        answers => format!("{} answers", count(answers)),
    };
    format!("{forecast} {calls} in {secs} after {after}; it took {made} in {took}")
}

fn calls(plan: &Plan, made: u64) -> String {
    if made == 0 && plan.calls() == 0 {
        return "0: nothing was left to fetch".into();
    }
    format!(
        "{} (a script that asks 4 hours at a time makes {} for the whole range)",
        count(made),
        count(script_calls(plan.queries.len(), plan.range))
    )
}

fn queries_or_none(number: u64, more: &str) -> String {
    match number {
        0 => "0".into(),
        _ => format!("{}, {more}", counted(number, "query", "queries")),
    }
}

/// Next step after an export, as far as the request decides it.
#[derive(Debug)]
pub(crate) struct NextStep<'a> {
    pub(crate) request: &'a ExportRequest,
    pub(crate) end: RangeEnd,
    /// As typed. Of it the directory keeps the address alone.
    pub(crate) connection: &'a ConnectionArgs,
    pub(crate) now: Timestamp,
}

impl NextStep<'_> {
    /// Returns the next step in words; `None` after an interruption, whose summary says it.
    pub(crate) fn in_words(&self, summary: &ExportSummary) -> Option<String> {
        let dir = shell::path(&summary.dir);
        let files = summary.report.files.as_ref()?;
        if files.partial + files.given_up > 0 {
            return Some(format!(
                "The same command again fetches only what is missing; {dir}/gaps.csv lists it."
            ));
        }
        let hidden = match self.connection.key_command {
            Some(_) => " Give --key-command again: it is left out here, since it may hold keys.",
            None => "",
        };
        let export = format!("jindo export --out {dir}{}", needed_again(self.connection));
        let again = self.again(&export);
        Some(format!("Next: jindo verify {dir} checks every file; {again}.{hidden}"))
    }

    /// Returns what the command does from now on, with the flags that it needs for it.
    fn again(&self, export: &str) -> String {
        let end = self.request.to;
        if matches!(self.end, RangeEnd::Now) || end > self.now {
            return format!("{export} again brings it up to date");
        }
        let closed_at = end.saturating_add(CLOSED_AFTER).unwrap_or(Timestamp::MAX);
        if closed_at <= self.now {
            return format!("to add newer points: {export} --to now");
        }
        let until = time::in_words(closed_at, &self.request.zone);
        format!(
            "{export} again asks for points that come late, until {until}; --to now adds newer points"
        )
    }
}

/// Returns the flags that the same command needs again, each with a leading space. A directory remembers its address, but keys follow
/// it to Datadog's sites and this machine alone, and `DD_SITE` must not contradict it. `--key-command` may hold keys, and is left out.
fn needed_again(connection: &ConnectionArgs) -> String {
    let address = [("--api-url", &connection.api_url), ("--site", &connection.site)];
    let is_needed = is_needed_again(connection);
    let address = address.into_iter().filter(|_| is_needed).filter_map(|(flag, given)| {
        given.as_ref().map(|given| format!(" {flag} {}", shell::word(given)))
    });
    let file = |flag: &str, path: &Option<PathBuf>| {
        path.as_ref().map(|path| format!(" {flag} {}", shell::path(path)))
    };
    let insecure = connection.insecure_http.then(|| " --insecure-http".to_owned());
    let ca_file = file("--ca-file", &connection.ca_file);
    let key_file = file("--key-file", &connection.key_file);
    address.chain([insecure, ca_file, key_file].into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_stands_beside_the_result() {
        let mut result = ForecastResult {
            forecast_calls: 12,
            forecast_s: Some(1),
            answered: 1,
            made_calls: 14,
            took_s: 7,
        };
        assert_eq!(forecast(&result), "12 calls after the first answer; it took 14");
        (result.forecast_s, result.took_s) = (Some(1_620), 1_690);
        assert_eq!(
            forecast(&result),
            "12 calls in 27 min after the first answer; it took 14 in 28 min"
        );
        result.answered = 32;
        assert_eq!(forecast(&result), "12 calls in 27 min after 32 answers; it took 14 in 28 min");
        result.forecast_s = None;
        assert_eq!(forecast(&result), "12 calls after the first answer; it took 14");
    }
}
