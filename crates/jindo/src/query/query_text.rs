//! The texts of one query and the form in which it is sent, in the one shape that all records of a query embed. Pure.

use super::ast::{Expr, SeriesExpr};
use super::metric_type::{Aggregation, aggregation};
use super::{Interval, MetricTypes, depends_on_type, grammar};
use std::cmp::Ordering;
use std::fmt::{self, Debug, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// The texts of one query and how it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueryText {
    /// One query of the list, trimmed, variables not yet filled in.
    pub written: String,
    /// Normalised, with its rollup and its fill. With `interval` the identity of its data.
    pub sent: SentText,
    /// `sent` without the fill that jindo added; sent, alone, when the server refuses that fill. `None`: none was added.
    pub unfilled: Option<String>,
    pub interval: Interval,
    /// True for a query that shares its calls with no other (`--fill keep`), because its values would differ among others.
    pub alone: bool,
}

impl QueryText {
    /// A query that shares its calls and has no form without a fill.
    pub fn new(written: impl Into<String>, sent: impl Into<SentText>, interval: Interval) -> Self {
        let (written, sent) = (written.into(), sent.into());
        Self { written, sent, unfilled: None, interval, alone: false }
    }

    /// The same with a form to fall back to.
    #[must_use]
    pub fn with_unfilled(self, unfilled: impl Into<String>) -> Self {
        Self { unfilled: Some(unfilled.into()), ..self }
    }
}

/// The text of a query as it is sent, with its expression: kept where the text was printed from one, else parsed once, on first
/// use. Cheap to clone; clones share the expression. Equal, ordered and hashed by its text.
#[derive(Clone)]
pub struct SentText(Arc<Sent>);

struct Sent {
    text: String,
    /// `None`: the text is no query of this grammar, such as one that a later jindo wrote into a ledger.
    expr: OnceLock<Option<Expr>>,
}

impl SentText {
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Returns the expression; `None` for a text that this grammar does not read.
    pub fn expr(&self) -> Option<&Expr> {
        self.0.expr.get_or_init(|| grammar::parse(&self.0.text).ok()).as_ref()
    }

    /// Returns the metrics whose type decides how they are aggregated: those with `.as_count()` or `.as_rate()`.
    pub fn typed_metrics(&self) -> Vec<&str> {
        let series = self.expr().into_iter().flat_map(Expr::series);
        let typed = series.filter(|series| depends_on_type(series));
        typed.map(|series| series.metric.as_str()).collect()
    }

    /// Returns true for a text that adds up samples of gauges. Earlier versions took every metric with `.as_count()` or `.as_rate()` for a
    /// count, and sent it without a fill, which only a series that is never interpolated goes without today.
    pub fn sums_gauges(&self, types: &MetricTypes) -> bool {
        let has_fill = |series: &SeriesExpr| series.modifiers.iter().any(|one| one.name == "fill");
        self.expr().into_iter().flat_map(Expr::series).any(|series| {
            depends_on_type(series)
                && aggregation(series, types) == Aggregation::Averaged
                && !has_fill(series)
        })
    }

    /// True if the answer may hold more than one series: any part of the query is grouped.
    pub fn is_grouped(&self) -> bool {
        self.expr().is_some_and(|expr| expr.series().any(|series| !series.by.is_empty()))
    }
}

impl From<Expr> for SentText {
    fn from(expr: Expr) -> Self {
        let text = expr.to_string();
        Self(Arc::new(Sent { text, expr: Some(expr).into() }))
    }
}

impl From<String> for SentText {
    fn from(text: String) -> Self {
        Self(Arc::new(Sent { text, expr: OnceLock::new() }))
    }
}

impl From<&str> for SentText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Deref for SentText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Display for SentText {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Debug for SentText {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for SentText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SentText {}

impl PartialEq<&str> for SentText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for SentText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SentText {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for SentText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_a_ledger_and_one_from_a_list_say_the_same() {
        let text = "abs(avg:m{*} by {host}.rollup(avg, 60)) + 1";
        let printed = SentText::from(grammar::parse(text).unwrap());
        let read = SentText::from(text);
        assert_eq!(printed, read);
        assert_eq!(printed.expr(), read.expr());
        assert!(std::ptr::eq(read.expr().unwrap(), read.clone().expr().unwrap()), "parsed once");
        assert!(SentText::from("avg:m{").expr().is_none());
    }

    #[test]
    fn any_grouped_part_groups_the_answer() {
        let cases = [
            ("avg:m{*} by {host}", true),
            ("avg:m{*}", false),
            ("avg:n{*} / abs(avg:m{*} by {host})", true),
            ("avg:m{by:a} + 1", false),
        ];
        for (text, grouped) in cases {
            assert_eq!(SentText::from(text).is_grouped(), grouped, "{text}");
        }
    }
}
