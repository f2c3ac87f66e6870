//! Query text to an expression, the simulator's own reading of Datadog's metric queries: comma lists, arithmetic,
//! functions, scopes in comma and word form, modifiers. Knows no metric and no time; expands no template variable
//! (the real server does not either).
//!
//! ```text
//! list   = expr ("," expr)*
//! expr   = term (("+"|"-"|"*"|"/") term)*            usual precedence
//! term   = number | "(" expr ")" | "-" term | name "(" arg ("," arg)* ")" | series
//! series = [agg ":"] metric "{" scope "}" ["by" "{" keys "}"] ("." modifier "(" args ")")*
//! ```
//! (USER)/(DOC): reconstructed from public queries and error texts; the server's own grammar is not public.

mod cursor;
mod parser;
mod scope;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

pub(crate) use parser::parse_list;
pub(crate) use scope::Filter;

/// Deepest nesting of parentheses, calls and negations; a bound on the stack that a query can use.
pub(crate) const DEPTH_MAX: usize = 64;

/// Longest name of a metric in characters. (DOC)
pub(crate) const METRIC_CHARS_MAX: usize = 200;

/// Default reach of interpolation and fills past a real value, in seconds. (DOC)
pub(crate) const FILL_LIMIT_S: i64 = 300;

/// A query that does not parse, in the words of the server's PEG library. (USER)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Error parsing query: \nunable to parse {text}: Rule '{rule}' didn't match at '{rest}' (line 1, column {column})."
)]
pub struct ParseError {
    /// The whole text that was sent.
    pub text: String,
    /// The grammar rule that failed.
    pub rule: &'static str,
    /// Up to 20 characters from the failure on.
    pub rest: String,
    /// Character position of the failure, from 1.
    pub column: usize,
}

/// One entry of a comma list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// The entry's own text, trimmed.
    pub(crate) text: String,
    pub(crate) expr: Expr,
}

/// An expression of the query language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// A constant, without sign.
    Number(f64),
    Series(Box<Selector>),
    Negate(Box<Expr>),
    Binary {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Call {
        function: String,
        args: Vec<Arg>,
    },
}

impl Expr {
    /// Returns every series expression in it, left to right.
    pub(crate) fn selectors(&self) -> Vec<&Selector> {
        match self {
            Expr::Number(_) => Vec::new(),
            Expr::Series(selector) => vec![selector],
            Expr::Negate(inner) => inner.selectors(),
            Expr::Binary { left, right, .. } => [left.selectors(), right.selectors()].concat(),
            Expr::Call { args, .. } => args.iter().flat_map(Arg::selectors).collect(),
        }
    }
}

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operator {
    /// Returns its spelling in a query.
    pub(crate) fn symbol(self) -> char {
        match self {
            Operator::Add => '+',
            Operator::Subtract => '-',
            Operator::Multiply => '*',
            Operator::Divide => '/',
        }
    }
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    Expr(Expr),
    /// A quoted text, without the quotes.
    Text(String),
}

impl Arg {
    fn selectors(&self) -> Vec<&Selector> {
        match self {
            Arg::Expr(inner) => inner.selectors(),
            Arg::Text(_) => Vec::new(),
        }
    }

    /// Returns a constant argument, with at most one sign.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Arg::Expr(Expr::Number(n)) => Some(*n),
            Arg::Expr(Expr::Negate(inner)) if let Expr::Number(n) = **inner => Some(-n),
            Arg::Expr(_) | Arg::Text(_) => None,
        }
    }

    /// Returns a whole constant of at most ten digits, enough for seconds within centuries.
    #[expect(clippy::cast_possible_truncation, reason = "bounded and whole, checked here")]
    pub(crate) fn whole(&self) -> Option<i64> {
        self.number().filter(|n| n.fract() == 0.0 && n.abs() < 1e10).map(|n| n as i64)
    }
}

/// A series expression: the choice and combination of one metric's sources.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selector {
    /// `None` when the query names none: the answer's `aggr` is null then, the values are averages. (REC)
    pub(crate) aggregator: Option<Aggregator>,
    /// The aggregator as written, without the colon.
    pub(crate) aggregator_text: String,
    pub(crate) metric: String,
    pub(crate) filter: Filter,
    /// The scope as written, without the braces.
    pub(crate) filter_text: String,
    /// Keys to group by, lower case, each once, in the order of the query.
    pub(crate) by: Vec<String>,
    pub(crate) rollup: Option<Rollup>,
    pub(crate) counting: Option<Counting>,
    pub(crate) fill: Option<Fill>,
    /// All modifiers as written, for the answer's `expression`.
    pub(crate) modifiers_text: String,
}

/// The space aggregation: the sources of one group to one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aggregator {
    Avg,
    Sum,
    Min,
    Max,
    Count,
    Stddev,
    /// In percent: 99.9 of `p99.9`.
    Percentile(f64),
    /// The number of raw values that stand in one of these orders to a bound: greater or equal in `count(v: v>=0)`.
    CountIf(&'static [Ordering], f64),
}

/// A `.rollup(method, interval)`, either of which may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rollup {
    pub(crate) method: Option<Method>,
    /// In seconds, at least 1.
    pub(crate) interval_s: Option<i64>,
}

/// The time aggregation: the samples of one source in one bucket to one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Avg,
    Sum,
    Min,
    Max,
    Count,
}

/// A `.as_count()` or `.as_rate()`; of several the last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    AsCount,
    AsRate,
}

/// A `.fill(…)`; limits are seconds past a real value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fill {
    Null,
    Zero,
    Last { limit_s: i64 },
    Linear { limit_s: i64 },
}
