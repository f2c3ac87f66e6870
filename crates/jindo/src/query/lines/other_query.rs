//! Queries of Datadog that ask no metric, by name: monitors of logs, events, checks and the like, composite monitors, monitors of
//! SLOs and of formulas. Written from the documented query types of monitors (docs.datadoghq.com, API reference, "Create a
//! monitor"). Pure.

use crate::query::Span;

/// A kind of query that jindo cannot export. Each text stands behind `FILE:LINE:COL: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtherQuery {
    /// Named by the thing that it watches: `a log monitor`.
    #[error("this is {0}, which asks for no metric; jindo exports metrics: delete the line")]
    Watches(&'static str),
    /// Of a kind that jindo does not know.
    #[error(
        "this is a monitor of `{0}`, which asks for no metric; jindo exports metrics: delete the line"
    )]
    WatchesOther(String),
    /// Of logs, RUM events, costs or metrics: the queries of its formula are not in this text.
    #[error(
        "this is the formula of a monitor (of logs, RUM, costs, …), whose queries stand elsewhere in it; write those that are metric \
         queries here"
    )]
    Formula,
    #[error(
        "this is a composite monitor: it combines other monitors by their numbers; write their queries here"
    )]
    Composite,
}

/// Functions over a quoted search, with the kind of their monitors.
const SEARCHES: [(&str, &str); 20] = [
    ("logs", "a log monitor"),
    ("events", "an event monitor"),
    ("processes", "a process monitor"),
    ("process", "a process monitor"),
    ("rum", "a RUM monitor"),
    ("trace-analytics", "a trace analytics monitor"),
    ("spans", "a trace analytics monitor"),
    ("audit", "an audit monitor"),
    ("ci-pipelines", "a CI monitor"),
    ("ci-tests", "a CI monitor"),
    ("error-tracking", "an error tracking monitor"),
    ("error-tracking-rum", "an error tracking monitor"),
    ("error-tracking-traces", "an error tracking monitor"),
    ("error-tracking-logs", "an error tracking monitor"),
    ("error_budget", "an SLO monitor"),
    ("burn_rate", "an SLO monitor"),
    ("slo", "an SLO monitor"),
    ("network", "a network monitor"),
    ("database-monitoring", "a database monitor"),
    ("cost", "a cost monitor"),
];

/// The text that stands in place of a query in a synthetics monitor.
const NO_QUERY: &str = "no_query";

/// Returns the kind of a text that is a query of Datadog without a metric in it; `None` for any other text.
pub(super) fn other_query(text: &str) -> Option<(Span, OtherQuery)> {
    let whole = Span { start: 0, end: text.trim_end().len() };
    if text.trim() == NO_QUERY {
        return Some((whole, OtherQuery::Watches("a synthetics monitor")));
    }
    if is_composite(text) {
        return Some((whole, OtherQuery::Composite));
    }
    // `"datadog.agent.up".over("*").last(2).count_by_status()`, its quotes perhaps escaped.
    let unescaped = text.trim_start().trim_start_matches('\\');
    let is_check = unescaped.starts_with(['"', '\'']) && text.contains(".over(");
    if is_check || text.contains(".count_by_status(") {
        return Some((whole, OtherQuery::Watches("a service check monitor")));
    }
    let (name, search) = text.split_once('(')?;
    let name = name.trim();
    if !search.trim_start().trim_start_matches('\\').starts_with(['"', '\'']) {
        return None;
    }
    let span = Span { start: 0, end: text.len() - search.len() - 1 };
    let known = SEARCHES.iter().find(|(search, _)| *search == name);
    let is_monitor = [").last(", ").over(", ").rollup("].iter().any(|part| search.contains(part));
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match known {
        Some((_, kind)) => Some((span, OtherQuery::Watches(kind))),
        None if name == "formula" => Some((span, OtherQuery::Formula)),
        None if is_monitor && is_word && !name.is_empty() => {
            Some((span, OtherQuery::WatchesOther(name.to_owned())))
        }
        None => None,
    }
}

/// `12345 && !67890`
fn is_composite(text: &str) -> bool {
    (text.contains("&&") || text.contains("||"))
        && text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "&|!()".contains(c))
}
