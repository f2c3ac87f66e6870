//! A query as a tree with places, and its normal form: `to_string` prints text that reads back as the same tree.
//! Never looks at the text again, and never grows deeper than `grammar::DEPTH_MAX`: chains of operators are flat.

use crate::query::Span;
use std::fmt::{self, Display, Formatter};

/// An expression and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    pub node: Node,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// As written: digits, dot, exponent; never a sign.
    Number(String),
    Series(SeriesExpr),
    Call {
        name: String,
        args: Vec<Arg>,
        modifiers: Vec<Modifier>,
    },
    Group {
        inner: Box<Expr>,
        modifiers: Vec<Modifier>,
    },
    Negate(Box<Expr>),
    /// Operators of one precedence, read from the left; `rest` is never empty.
    Chain {
        first: Box<Expr>,
        rest: Vec<(Operator, Expr)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// `avg:metric{scope} by {keys}.modifier()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesExpr {
    pub aggregator: Option<Aggregator>,
    pub metric: String,
    pub scope: ScopeExpr,
    /// Sorted, each once: a grouping is a set. Empty: not grouped.
    pub by: Vec<Tag>,
    pub modifiers: Vec<Modifier>,
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

/// Selection between the braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeExpr {
    Tag(Tag),
    Not {
        notation: Negation,
        inner: Box<ScopeExpr>,
    },
    Group(Box<ScopeExpr>),
    In {
        key: Tag,
        negated: Membership,
        values: Vec<Tag>,
    },
    /// These three hold at least two.
    And(Vec<ScopeExpr>),
    Or(Vec<ScopeExpr>),
    Commas(Vec<ScopeExpr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negation {
    /// `!`
    Mark,
    /// `NOT`
    Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    In,
    NotIn,
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
    /// Never an expression.
    pub args: Vec<Arg>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    Value(Value),
    Named(String, Value),
    /// Never a lone number with or without sign: that is a value.
    Expr(Expr),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// As written, with its sign.
    Number(String),
    /// As written, quotes included.
    Text(String),
    Word(String),
}

impl Expr {
    /// Returns every series, left to right.
    pub fn series(&self) -> impl Iterator<Item = &SeriesExpr> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            while let Some(expr) = left.pop() {
                match &expr.node {
                    Node::Number(_) => {}
                    Node::Series(series) => return Some(series),
                    Node::Call { args, .. } => left.extend(args.iter().rev().filter_map(Arg::expr)),
                    Node::Group { inner, .. } | Node::Negate(inner) => left.push(inner),
                    Node::Chain { first, rest } => {
                        left.extend(rest.iter().rev().map(|(_, expr)| expr));
                        left.push(first);
                    }
                }
            }
            None
        })
    }

    /// Visits every series, left to right.
    pub fn for_each_series(&mut self, visit: &mut dyn FnMut(&mut SeriesExpr)) {
        match &mut self.node {
            Node::Number(_) => {}
            Node::Series(series) => visit(series),
            Node::Call { args, .. } => {
                for arg in args {
                    if let Arg::Expr(expr) = arg {
                        expr.for_each_series(visit);
                    }
                }
            }
            Node::Group { inner, .. } | Node::Negate(inner) => inner.for_each_series(visit),
            Node::Chain { first, rest } => {
                first.for_each_series(visit);
                for (_, expr) in rest {
                    expr.for_each_series(visit);
                }
            }
        }
    }
}

impl Arg {
    fn expr(&self) -> Option<&Expr> {
        match self {
            Self::Expr(expr) => Some(expr),
            Self::Value(_) | Self::Named(..) => None,
        }
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
        match &self.node {
            Node::Number(text) => f.write_str(text),
            Node::Series(series) => series.fmt(f),
            Node::Call { name, args, modifiers } => {
                write!(f, "{name}(")?;
                joined(f, args, ", ")?;
                f.write_str(")")?;
                joined(f, modifiers, "")
            }
            Node::Group { inner, modifiers } => {
                write!(f, "({inner})")?;
                joined(f, modifiers, "")
            }
            Node::Negate(inner) => write!(f, "-{inner}"),
            Node::Chain { first, rest } => {
                first.fmt(f)?;
                rest.iter().try_for_each(|(operator, expr)| write!(f, " {operator} {expr}"))
            }
        }
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        })
    }
}

impl Display for SeriesExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(aggregator) = &self.aggregator {
            write!(f, "{aggregator}:")?;
        }
        write!(f, "{}{{{}}}", self.metric, self.scope)?;
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

impl Display for ScopeExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Not { notation: Negation::Mark, inner } => write!(f, "!{inner}"),
            Self::Not { notation: Negation::Word, inner } => write!(f, "NOT {inner}"),
            Self::Group(inner) => write!(f, "({inner})"),
            Self::In { key, negated, values } => {
                let word = if *negated == Membership::NotIn { "NOT IN" } else { "IN" };
                write!(f, "{key} {word} (")?;
                joined(f, values, ",")?;
                f.write_str(")")
            }
            Self::And(parts) => joined(f, parts, " AND "),
            Self::Or(parts) => joined(f, parts, " OR "),
            Self::Commas(parts) => joined(f, parts, ","),
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
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Named(name, value) => write!(f, "{name}={value}"),
            Self::Expr(expr) => expr.fmt(f),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (Self::Number(text) | Self::Text(text) | Self::Word(text)) = self;
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
