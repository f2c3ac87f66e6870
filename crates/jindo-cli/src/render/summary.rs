//! Closing summary of an export: what is there, what is missing, where it is, what to do next.

use crate::render::plan::script_calls;
use crate::render::progress::ForecastResult;
use crate::render::units::{count, counted, seconds};
use jiff::SignedDuration;
use jindo::extract::Summary;
use jindo::fetch::{End, FetchOutcome};
use jindo::plan::Plan;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Shorter runs are summarised without their duration: it depends on this machine, not on the rate limit.
const DURATION_SHOWN_S: u64 = 60;

/// Facts of a finished export.
#[derive(Debug)]
pub(crate) struct ExportSummary {
    /// Plan at the time of the first call.
    pub(crate) plan: Plan,
    pub(crate) outcome: FetchOutcome,
    /// Forecast after the first answer beside the result; `None` when no call was made.
    pub(crate) forecast: Option<ForecastResult>,
    /// Counts of the files; `None` after an interruption, or if the run ended before the resolutions were known.
    pub(crate) files: Option<Summary>,
    pub(crate) dir: PathBuf,
    /// Address flags as typed, which the directory does not keep.
    pub(crate) connection: String,
    pub(crate) took: SignedDuration,
}

/// Returns the summary for stdout.
pub(crate) fn of_export(summary: &ExportSummary) -> String {
    match &summary.files {
        Some(files) => finished(summary, files),
        None => format!(
            "{} after {}: {}; everything that was fetched is kept, the same command continues\n",
            if summary.outcome.end == End::OutOfCalls {
                "stopped at --max-calls"
            } else {
                "interrupted"
            },
            seconds(summary.took.as_secs().unsigned_abs()),
            made(summary.outcome.calls, summary.plan.calls() as u64),
        ),
    }
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

fn finished(summary: &ExportSummary, files: &Summary) -> String {
    let mut text = String::new();
    let gaps = files.partial + files.given_up;
    let head = match (gaps, &summary.outcome.end) {
        (0, _) if files.refused > 0 => "complete, except for lines that were left out".to_owned(),
        (0, _) => "complete".to_owned(),
        (_, End::OutOfCalls) => "stopped at --max-calls".to_owned(),
        _ => "finished, with gaps".to_owned(),
    };
    let mut line = |name: &str, words: String| {
        writeln!(text, "  {name:<13}{words}").expect("a String takes everything");
    };
    line("calls", calls(summary));
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
    line("empty", queries_or_none(files.empty, "see queries.csv"));
    line("given up", queries_or_none(files.given_up, "see queries.csv and gaps.csv"));
    if files.expired > 0 {
        let what = "no data is kept beyond 15 months, see queries.csv";
        line("too old", queries_or_none(files.expired, what));
    }
    line("N/A groups", untagged(files.untagged));
    if files.refused > 0 {
        line("left out", counted(files.refused, "line of the list", "lines of the list"));
    }
    let dir = summary.dir.display();
    line(
        "files",
        format!(
            "{dir}/csv/, {dir}/series.csv (what each file is), {dir}/queries.csv, {dir}/gaps.csv"
        ),
    );
    format!("{head} in {}\n{text}", seconds(summary.took.as_secs().unsigned_abs()))
}

/// Returns the forecast after the first answer beside the result.
fn forecast(result: &ForecastResult) -> String {
    let (forecast, made) = (count(result.forecast_calls), count(result.made_calls));
    let calls = if result.forecast_calls == 1 { "call" } else { "calls" };
    if result.forecast_s.max(result.took_s) < DURATION_SHOWN_S {
        return format!("{forecast} {calls} after the first answer; it took {made}");
    }
    let (secs, took) = (seconds(result.forecast_s), seconds(result.took_s));
    format!("{forecast} {calls} in {secs} after the first answer; it took {made} in {took}")
}

fn calls(summary: &ExportSummary) -> String {
    let script = script_calls(summary.plan.queries.len(), summary.plan.range);
    let made = summary.outcome.calls;
    if made == 0 && summary.plan.calls() == 0 {
        return "0: nothing was left to fetch".into();
    }
    format!(
        "{} (a script that asks 4 hours at a time makes {} for the same job)",
        count(made),
        count(script)
    )
}

fn queries_or_none(number: u64, more: &str) -> String {
    if number == 0 {
        "0".into()
    } else {
        format!("{}, {more}", counted(number, "query", "queries"))
    }
}

fn untagged(number: u64) -> String {
    match number {
        0 => "0".into(),
        _ => format!("in {}: sources without that tag", counted(number, "query", "queries")),
    }
}

/// Returns the next step after an export; empty after an interruption, whose summary says it.
pub(crate) fn next(summary: &ExportSummary) -> String {
    let (dir, connection) = (summary.dir.display(), &summary.connection);
    match &summary.files {
        None => String::new(),
        Some(files) if files.partial + files.given_up > 0 => format!(
            "The same command again fetches only what is missing; {dir}/gaps.csv lists it.\n"
        ),
        Some(_) => format!(
            "Next: jindo verify {dir} checks every file; jindo export --out {dir}{connection} again brings it up to date.\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_stands_beside_the_result() {
        let mut result =
            ForecastResult { forecast_calls: 12, forecast_s: 1, made_calls: 14, took_s: 7 };
        assert_eq!(forecast(&result), "12 calls after the first answer; it took 14");
        (result.forecast_s, result.took_s) = (1_620, 1_690);
        assert_eq!(
            forecast(&result),
            "12 calls in 27 min after the first answer; it took 14 in 28 min"
        );
    }
}
