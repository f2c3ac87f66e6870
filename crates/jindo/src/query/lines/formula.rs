//! Lines that hold the name of a query in its place: formulas of dashboards (`query1 / query2 * 100`), and headings. Pure.

use crate::query::ast::{Aggregator, Expr};
use crate::query::{QueryError, Reason, Span};

/// Names that dashboards give to queries, before their number.
const QUERY_NAMES: [&str; 4] = ["query", "q", "formula", "cloud_cost_query"];

/// Headings of a column of queries or metrics, in small letters.
pub(super) const COLUMNS: [&str; 6] =
    ["query", "queries", "metric", "metrics", "metric_name", "metric name"];

/// Headings that stand over a list alone: in a table they say nothing of queries.
const HEADINGS: [&str; 2] = ["name", "list"];

/// Returns the reason for which a line is the heading of what follows.
pub(super) fn heading(text: &str) -> Option<QueryError> {
    let trimmed = text.trim();
    let words = trimmed.strip_suffix(':');
    let is_words = |words: &str| {
        !words.is_empty()
            && Aggregator::from_name(words).is_none()
            && words.chars().all(|c| c.is_alphanumeric() || " _-/()&".contains(c))
    };
    let small = trimmed.to_lowercase();
    let is_heading =
        words.is_some_and(is_words) || COLUMNS.iter().chain(&HEADINGS).any(|name| *name == small);
    let span = Span { start: text.len() - text.trim_start().len(), end: text.trim_end().len() };
    is_heading.then(|| QueryError::new(span, Reason::Heading))
}

/// Returns the reason for which a text that the grammar refused is the formula of a dashboard.
pub(super) fn refused_formula(text: &str, refusal: &QueryError) -> Option<QueryError> {
    let span = refusal.span;
    let written = text.get(span.start..span.end)?;
    let is_hyphen = matches!(refusal.reason, Reason::Hyphen { .. });
    if !is_hyphen && !matches!(refusal.reason, Reason::BareMetric { .. }) {
        return None;
    }
    // The minus of `query1-query2`, and not a hyphen.
    let mut operands = written.split('-');
    if is_hyphen && !operands.clone().all(is_query_name) {
        return None;
    }
    let name = operands.next()?;
    let calculates = !text.contains('{') && text.contains(['+', '-', '*', '/', '(']);
    let is_name = is_query_name(name) || calculates && !name.contains(['.', ':']);
    let span = Span { start: span.start, end: span.start + name.len() };
    is_name.then(|| QueryError::new(span, Reason::QueryName { name: name.to_owned() }))
}

/// Returns the reason for which queries that ask for nothing are a formula: names as arguments of functions are words.
pub(super) fn empty_formula(text: &str, found: &[Expr]) -> Option<QueryError> {
    let empty = found.iter().find(|expr| expr.series().next().is_none())?;
    let Span { start, end } = empty.span;
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let mut at = start;
    while let Some(from) = text[at..end].find(is_inner).map(|found| at + found) {
        let to = text[from..end].find(|c| !is_inner(c)).map_or(end, |length| from + length);
        let name = &text[from..to];
        let is_called = text[to..end].trim_start().starts_with('(');
        let is_quoted = text[..from].ends_with(['\'', '"']);
        if !is_called && !is_quoted && is_query_name(name) {
            let reason = Reason::QueryName { name: name.to_owned() };
            return Some(QueryError::new(Span { start: from, end: to }, reason));
        }
        at = to;
    }
    None
}

/// `query1`, `query`, `a`.
fn is_query_name(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    QUERY_NAMES.contains(&stem)
        || stem.len() == 1 && stem == name && stem.chars().all(char::is_alphabetic)
}
