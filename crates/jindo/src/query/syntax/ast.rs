//! A query as a list of its parts with their places, and its normal form: `to_string` prints text that reads back as the same list.
//! Never looks at the text again. There is no tree: which operator binds tighter is the server's business.

use crate::query::Span;
use std::fmt::{self, Display, Formatter};
use std::mem::take;

/// An expression and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// In the order in which they are written.
    pub parts: Vec<Part>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Series(SeriesExpr),
    /// Name of a function; its opening parenthesis belongs to it.
    Function {
        name: String,
        span: Span,
    },
    /// A modifier of a function or of parentheses, behind the closing one.
    Modifier(Modifier),
    /// Numbers, operators, parentheses and other arguments in normal form; never two of these in a row.
    Text(String),
}

/// `avg:metric{scope} by {keys}.modifier()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesExpr {
    pub aggregator: Option<Aggregator>,
    pub metric: String,
    /// The selection between the braces, in the order in which it is written.
    pub scope: Vec<ScopePart>,
    /// Sorted, each once: a grouping is a set. Empty: not grouped.
    pub by: Vec<Tag>,
    pub modifiers: Vec<Modifier>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aggregator {
    Avg,
    Sum,
    Min,
    Max,
    Count,
    Stddev,
    Histogram,
    /// `p95`, `p99.9`: the digits without the `p`.
    Percentile(String),
    /// `count(v: v>=1)`: the comparison and its bound as written.
    CountIf {
        compare: String,
        bound: String,
    },
}

/// Part of a selection; what a mixture of operators means is the server's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopePart {
    /// A tag of its own.
    Tag(Tag),
    /// The key before IN, or one of the values behind it.
    Member(Tag),
    /// An operator, a comma or a parenthesis, with the spaces of the normal form.
    Operator(&'static str),
}

/// `key:value`, a bare value, `*`, a tag key or a `$variable`, with wildcards and quotes as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub text: String,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modifier {
    pub name: String,
    pub args: Vec<Arg>,
    pub span: Span,
}

/// Argument of a modifier, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// With its sign.
    Number(String),
    /// Quotes included.
    Text(String),
    Word(String),
    /// `name=value`.
    Named(String),
}

impl Expr {
    /// Returns every series, left to right.
    pub fn series(&self) -> impl Iterator<Item = &SeriesExpr> {
        self.parts.iter().filter_map(|part| match part {
            Part::Series(series) => Some(series),
            Part::Function { .. } | Part::Modifier(_) | Part::Text(_) => None,
        })
    }

    /// Returns every series, left to right, to be changed.
    pub fn series_mut(&mut self) -> impl Iterator<Item = &mut SeriesExpr> {
        self.parts.iter_mut().filter_map(|part| match part {
            Part::Series(series) => Some(series),
            Part::Function { .. } | Part::Modifier(_) | Part::Text(_) => None,
        })
    }
}

impl SeriesExpr {
    /// Returns the place of the first `,` or `!` in a scope that holds AND, OR, NOT or IN, too: the tag behind it.
    pub fn mixed_operators(&self) -> Option<Span> {
        let (mut has_word, mut is_listing, mut follows_symbol, mut place) =
            (false, false, false, None);
        for part in &self.scope {
            match part {
                ScopePart::Operator(" IN (" | " NOT IN (") => (has_word, is_listing) = (true, true),
                ScopePart::Operator(" AND " | " OR " | "NOT ") => has_word = true,
                ScopePart::Operator(")") => is_listing = false,
                // The commas of a list of values belong to IN.
                ScopePart::Operator("," | "!") if !is_listing => follows_symbol = true,
                ScopePart::Operator(_) => {}
                ScopePart::Tag(tag) | ScopePart::Member(tag) => {
                    if take(&mut follows_symbol) {
                        place.get_or_insert(tag.span);
                    }
                }
            }
        }
        place.filter(|_| has_word)
    }
}

impl Arg {
    /// Returns a word or a quoted text, without its quotes.
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Text(text) => Some(text.trim_matches(['\'', '"'])),
            Self::Number(_) | Self::Named(_) => None,
        }
    }

    /// Returns a number as written.
    pub fn number(&self) -> Option<&str> {
        if let Self::Number(text) = self { Some(text) } else { None }
    }
}

impl Aggregator {
    /// `None` for a name that is no aggregator. A percentile has at most two decimals.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "avg" => Self::Avg,
            "sum" => Self::Sum,
            "min" => Self::Min,
            "max" => Self::Max,
            "count" => Self::Count,
            "stddev" => Self::Stddev,
            "histogram" => Self::Histogram,
            _ => {
                let digits = name.strip_prefix('p')?;
                let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
                let numeric = |part: &str| {
                    (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
                };
                let percentile = numeric(whole) && numeric(decimals) || digits == "100";
                percentile.then(|| Self::Percentile(digits.to_owned()))?
            }
        })
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        joined(f, &self.parts, "")
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(series) => series.fmt(f),
            Self::Function { name, .. } => write!(f, "{name}("),
            Self::Modifier(modifier) => modifier.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Display for SeriesExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(aggregator) = &self.aggregator {
            write!(f, "{aggregator}:")?;
        }
        write!(f, "{}{{", self.metric)?;
        joined(f, &self.scope, "")?;
        f.write_str("}")?;
        if !self.by.is_empty() {
            f.write_str(" by {")?;
            joined(f, &self.by, ",")?;
            f.write_str("}")?;
        }
        joined(f, &self.modifiers, "")
    }
}

impl Display for Aggregator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Avg => f.write_str("avg"),
            Self::Sum => f.write_str("sum"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Count => f.write_str("count"),
            Self::Stddev => f.write_str("stddev"),
            Self::Histogram => f.write_str("histogram"),
            Self::Percentile(digits) => write!(f, "p{digits}"),
            Self::CountIf { compare, bound } => write!(f, "count(v: v{compare}{bound})"),
        }
    }
}

impl Display for ScopePart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) | Self::Member(tag) => tag.fmt(f),
            Self::Operator(text) => f.write_str(text),
        }
    }
}

impl Display for Tag {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Display for Modifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, ".{}(", self.name)?;
        joined(f, &self.args, ", ")?;
        f.write_str(")")
    }
}

impl Display for Arg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (Self::Number(text) | Self::Text(text) | Self::Word(text) | Self::Named(text)) = self;
        f.write_str(text)
    }
}

fn joined<T: Display>(f: &mut Formatter<'_>, parts: &[T], between: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        part.fmt(f)?;
    }
    Ok(())
}
