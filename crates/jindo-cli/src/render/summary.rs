//! The closing words of an export: what there is, what there is not, where it is, what to try next.

use crate::render::plan::script_calls;
use crate::render::progress::Kept;
use crate::render::units::{count, counted, seconds};
use jiff::SignedDuration;
use jindo::extract::Summary;
use jindo::fetch::{End, FetchOutcome};
use jindo::plan::Plan;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Times of a run are worth telling from here on: below, they are this machine's and not the limit's.
const TIME_TOLD_S: u64 = 60;

/// Everything that is told of an export.
#[derive(Debug)]
pub(crate) struct Told {
    /// As it was when the first call was made.
    pub(crate) plan: Plan,
    pub(crate) outcome: FetchOutcome,
    /// What was promised after the first answer, and what it took; none when nothing was asked.
    pub(crate) promise: Option<Kept>,
    /// What the files show; none after an interruption, and where it ended before the queries' resolutions were known.
    pub(crate) files: Option<Summary>,
    pub(crate) dir: PathBuf,
    /// Options that say whom to ask, as they were given: the directory does not keep them.
    pub(crate) whom: String,
    pub(crate) took: SignedDuration,
}

/// The words for stdout.
pub(crate) fn of_export(told: &Told) -> String {
    match &told.files {
        Some(files) => finished(told, files),
        None => format!(
            "{} after {}: {}; everything that came in is kept, the same command continues\n",
            if told.outcome.end == End::OutOfCalls {
                "stopped at --max-calls"
            } else {
                "interrupted"
            },
            seconds(told.took.as_secs().unsigned_abs()),
            made(told.outcome.calls, told.plan.calls() as u64),
        ),
    }
}

/// Retries, samples and probes were not planned: with them it may be more.
fn made(calls: u64, planned: u64) -> String {
    let planned_in_words = counted(planned, "call", "calls");
    if calls <= planned {
        format!("{} of {planned_in_words} made", count(calls))
    } else {
        format!("{} made, {} planned", counted(calls, "call", "calls"), count(planned))
    }
}

fn finished(told: &Told, files: &Summary) -> String {
    let mut text = String::new();
    let gaps = files.partial + files.given_up;
    let head = match (gaps, &told.outcome.end) {
        (0, _) if files.refused > 0 => "complete but for what was left out".to_owned(),
        (0, _) => "complete".to_owned(),
        (_, End::OutOfCalls) => "stopped at --max-calls".to_owned(),
        _ => "finished, with gaps".to_owned(),
    };
    let mut line = |name: &str, words: String| {
        writeln!(text, "  {name:<13}{words}").expect("a String takes everything");
    };
    line("calls", calls(told));
    if let Some(kept) = &told.promise {
        line("promised", promise(kept));
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
        let what = "nothing came from beyond 15 months, see queries.csv";
        line("too old", queries_or_none(files.expired, what));
    }
    line("N/A groups", untagged(files.untagged));
    if files.refused > 0 {
        line("left out", counted(files.refused, "line of the list", "lines of the list"));
    }
    let dir = told.dir.display();
    line(
        "files",
        format!(
            "{dir}/csv/, {dir}/series.csv (what each file is), {dir}/queries.csv, {dir}/gaps.csv"
        ),
    );
    format!("{head} in {}\n{text}", seconds(told.took.as_secs().unsigned_abs()))
}

/// What was promised after the first answer against what it took.
fn promise(kept: &Kept) -> String {
    let (promised, made) = (count(kept.promised_calls), count(kept.made_calls));
    let calls = if kept.promised_calls == 1 { "call" } else { "calls" };
    if kept.promised_s.max(kept.took_s) < TIME_TOLD_S {
        return format!("{promised} {calls} after the first answer; it took {made}");
    }
    let (secs, took) = (seconds(kept.promised_s), seconds(kept.took_s));
    format!("{promised} {calls} in {secs} after the first answer; it took {made} in {took}")
}

fn calls(told: &Told) -> String {
    let script = script_calls(told.plan.queries.len(), told.plan.range);
    let made = told.outcome.calls;
    if made == 0 && told.plan.calls() == 0 {
        return "0: nothing was left to ask".into();
    }
    format!("{} (the known script makes {} for the same job)", count(made), count(script))
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

/// What to do next, after an export of the user's own; nothing after an interruption, which says it itself.
pub(crate) fn next(told: &Told) -> String {
    let (dir, whom) = (told.dir.display(), &told.whom);
    match &told.files {
        None => String::new(),
        Some(files) if files.partial + files.given_up > 0 => format!(
            "The same command again asks only for what is missing; {dir}/gaps.csv lists it.\n"
        ),
        Some(_) => format!(
            "Next: jindo verify {dir} checks every file; jindo export --out {dir}{whom} again brings it up to date.\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_stands_beside_what_came_of_it() {
        let mut kept = Kept { promised_calls: 12, promised_s: 1, made_calls: 14, took_s: 7 };
        assert_eq!(promise(&kept), "12 calls after the first answer; it took 14");
        (kept.promised_s, kept.took_s) = (1_620, 1_690);
        assert_eq!(
            promise(&kept),
            "12 calls in 27 min after the first answer; it took 14 in 28 min"
        );
    }
}
