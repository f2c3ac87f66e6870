//! Closing summary of an export: what is there, what is missing, where it is, what to do next.

use crate::render::plan::script_calls;
use crate::render::progress::ForecastResult;
use crate::render::units::{count, counted, seconds};
use jiff::SignedDuration;
use jindo::extract::Summary;
use jindo::fetch::{End, FetchOutcome};
use jindo::plan::Plan;
use jindo::query::Query;
use jindo::query::ast::Modifier;
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
    if let Some(warning) = sums_of_gauges(&summary.plan.queries) {
        line("check", warning);
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

/// Warns of `.as_count()` and `.as_rate()`, which Datadog ignores on a gauge, whereas the rollup that jindo adds for them sums.
fn sums_of_gauges(queries: &[Query]) -> Option<String> {
    let is_meant = |modifier: &Modifier| matches!(modifier.name.as_str(), "as_count" | "as_rate");
    let has_one = |query: &&Query| {
        let expr = query.text.sent.expr();
        expr.is_some_and(|expr| {
            expr.series().iter().any(|series| series.modifiers.iter().any(is_meant))
        })
    };
    let number = queries.iter().filter(has_one).count() as u64;
    (number > 0).then(|| {
        let queries = counted(number, "query has", "queries have");
        format!(
            "{queries} .as_count() or .as_rate(): where the metric is a gauge the values are sums of its samples; \
             check the metric's type"
        )
    })
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
    use jindo::query::{Interval, QueryText};

    #[test]
    fn counts_and_rates_are_a_reason_to_check_the_metrics_type() {
        let warning = |sent: &str| {
            let interval = Interval::from_secs(60).unwrap();
            sums_of_gauges(&[Query::new(QueryText::new(sent, sent, interval))])
        };
        for sent in [
            "sum:m{*}.as_count().rollup(sum, 60)",
            "avg:n{*} / abs(sum:m{*} by {host}.as_rate().rollup(sum, 60))",
        ] {
            let expected = "1 query has .as_count() or .as_rate(): where the metric is a gauge the values are sums of its \
                            samples; check the metric's type";
            assert_eq!(warning(sent).as_deref(), Some(expected), "{sent}");
        }
        assert_eq!(warning("sum:as_count{name:as_rate}.rollup(sum, 60)"), None);
    }

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
