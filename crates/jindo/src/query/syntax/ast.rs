//! A query as a tree with places, and its normal form: `to_string` prints text that reads back as the same tree.
//! Never looks at the text again, and never grows deeper than `grammar::DEPTH_MAX`: chains of operators are flat.

use crate::query::Span;
use std::fmt::{self, Display, Formatter};
use std::iter;

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
    /// Operators of one precedence (`+` and `-`, or `*` and `/`), read from the left; `rest` is never empty.
    Chain {
        first: Box<Expr>,
        rest: Vec<(char, Expr)>,
    },
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
        /// As written: `!`, or `NOT` and a space.
        operator: &'static str,
        inner: Box<ScopeExpr>,
    },
    Group(Box<ScopeExpr>),
    In {
        key: Tag,
        /// `IN` or `NOT IN`.
        operator: &'static str,
        values: Vec<Tag>,
    },
    /// These three hold at least two.
    And(Vec<ScopeExpr>),
    Or(Vec<ScopeExpr>),
    Commas(Vec<ScopeExpr>),
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
    /// Returns the expressions straight within this one, left to right.
    pub fn parts(&self) -> Vec<&Self> {
        match &self.node {
            Node::Number(_) | Node::Series(_) => Vec::new(),
            Node::Call { args, .. } => args.iter().filter_map(Arg::expr).collect(),
            Node::Group { inner, .. } | Node::Negate(inner) => vec![inner],
            Node::Chain { first, rest } => {
                iter::once(&**first).chain(rest.iter().map(|(_, part)| part)).collect()
            }
        }
    }

    /// Returns the same expressions, to be changed.
    pub fn parts_mut(&mut self) -> Vec<&mut Self> {
        match &mut self.node {
            Node::Number(_) | Node::Series(_) => Vec::new(),
            Node::Call { args, .. } => args.iter_mut().filter_map(Arg::expr_mut).collect(),
            Node::Group { inner, .. } | Node::Negate(inner) => vec![inner],
            Node::Chain { first, rest } => {
                iter::once(&mut **first).chain(rest.iter_mut().map(|(_, part)| part)).collect()
            }
        }
    }

    /// Returns every series, left to right.
    pub fn series(&self) -> Vec<&SeriesExpr> {
        if let Node::Series(series) = &self.node {
            return vec![series];
        }
        self.parts().into_iter().flat_map(Self::series).collect()
    }

    /// Visits every series, left to right.
    pub fn for_each_series(&mut self, visit: &mut dyn FnMut(&mut SeriesExpr)) {
        if let Node::Series(series) = &mut self.node {
            visit(series);
        }
        self.parts_mut().into_iter().for_each(|part| part.for_each_series(visit));
    }
}

impl Arg {
    fn expr(&self) -> Option<&Expr> {
        if let Self::Expr(expr) = self { Some(expr) } else { None }
    }

    fn expr_mut(&mut self) -> Option<&mut Expr> {
        if let Self::Expr(expr) = self { Some(expr) } else { None }
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
            Self::Not { operator, inner } => write!(f, "{operator}{inner}"),
            Self::Group(inner) => write!(f, "({inner})"),
            Self::In { key, operator, values } => {
                write!(f, "{key} {operator} (")?;
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
