//! A line of a list → its queries, or the reason for which there are none: the grammar is asked first, so that nothing that it
//! reads is taken for anything else. Pure.

use super::line::leading_sign;
use super::monitor::{Monitor, monitor};
use super::other_query::other_query;
use super::{formula, placeholder};
use crate::query::ast::Expr;
use crate::query::{QueryError, Reason, Span, grammar};
use crate::text::one_line;

/// Characters shown of a line within a sentence, at most; the line itself stands below it.
const SHOWN_CHARS_MAX: usize = 60;

/// The queries of a line.
#[derive(Debug)]
pub(super) struct ReadLine {
    /// The text of the line, with spaces in place of what is left out.
    pub(super) text: String,
    /// With their places in the text.
    pub(super) queries: Vec<Expr>,
    /// Of a monitor, the parts that are left out.
    pub(super) left_out: Vec<String>,
}

/// Reads a line without indentation, bullet and quotes.
///
/// # Errors
/// The reason for which the line holds no queries, with its place in `text`.
pub(super) fn read(text: &str) -> Result<ReadLine, QueryError> {
    if let Some(sign) = leading_sign(text) {
        let fix = one_line(&format!("0 - {}", text[sign.len_utf8()..].trim()), SHOWN_CHARS_MAX);
        let span = Span { start: 0, end: sign.len_utf8() };
        return Err(QueryError::new(span, Reason::LeadingSign { sign, fix }));
    }
    let refusal = match queries(text) {
        Ok(queries) => {
            return Ok(ReadLine { text: text.to_owned(), queries, left_out: Vec::new() });
        }
        Err(refusal) => refusal,
    };
    let Some(Monitor { query, left_out }) = monitor(text) else {
        return Err(explained(text, refusal));
    };
    let queries = queries(&query).map_err(|refusal| explained(&query, refusal))?;
    Ok(ReadLine { text: query, queries, left_out })
}

fn queries(text: &str) -> Result<Vec<Expr>, QueryError> {
    let found = grammar::parse_list(text)?;
    if let Some((span, placeholder)) = placeholder::in_tags(&found, text) {
        return Err(QueryError::new(span, Reason::OtherTool(placeholder)));
    }
    if found.iter().all(|expr| expr.series().next().is_some()) {
        return Ok(found);
    }
    let other = other_query(text).map(|(span, other)| QueryError::new(span, other.into()));
    other.or_else(|| formula::empty_formula(text, &found)).map_or(Ok(found), Err)
}

/// Returns a better reason than that of the grammar, where the text is known for what it is.
fn explained(text: &str, refusal: QueryError) -> QueryError {
    if matches!(refusal.reason, Reason::TooLong { .. }) {
        return refusal;
    }
    if let Some((span, other)) = other_query(text) {
        return QueryError::new(span, other.into());
    }
    if let Some((span, placeholder)) = placeholder::in_line(text) {
        return QueryError::new(span, Reason::OtherTool(placeholder));
    }
    let better = formula::heading(text).or_else(|| formula::refused_formula(text, &refusal));
    better.or_else(|| comparison(text, &refusal)).unwrap_or(refusal)
}

/// A comparison behind a query that is no monitor.
fn comparison(text: &str, refusal: &QueryError) -> Option<QueryError> {
    let start = refusal.span.start;
    let rest = text.get(start..)?;
    let compares = rest.starts_with(['<', '>', '=']) || rest.starts_with("!=");
    let is_behind = matches!(refusal.reason, Reason::Expected { .. }) && start > 0;
    let left_out = one_line(rest, SHOWN_CHARS_MAX);
    let span = Span { start, end: text.trim_end().len() };
    (compares && is_behind).then(|| QueryError::new(span, Reason::Comparison { left_out }))
}
