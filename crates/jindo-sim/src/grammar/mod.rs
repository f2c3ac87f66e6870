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

mod parser;
mod scope;
#[cfg(test)]
mod tests;

pub(crate) use parser::parse_list;
pub(crate) use scope::Filter;

/// Nested parentheses, calls and negations beyond this are refused, so that no query can exhaust the stack.
pub(crate) const DEPTH_MAX: usize = 64;

/// A metric's name is at most this many characters long. (DOC)
pub(crate) const METRIC_CHARS_MAX: usize = 200;

/// Why a text is no query, in the words of the server's PEG library. (USER)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Error parsing query: \nunable to parse {text}: Rule '{rule}' didn't match at '{rest}' (line 1, column {column})."
)]
pub struct ParseError {
    /// The whole text that was sent.
    pub text: String,
    /// The grammar rule that failed.
    pub rule: &'static str,
    /// Up to 20 characters from where it failed.
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

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Number(f64),
    Series(Box<Selector>),
    Negate(Box<Expr>),
    Binary { operator: Operator, left: Box<Expr>, right: Box<Expr> },
    Call { function: String, args: Vec<Arg> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operator {
    pub(crate) fn symbol(self) -> char {
        match self {
            Operator::Add => '+',
            Operator::Subtract => '-',
            Operator::Multiply => '*',
            Operator::Divide => '/',
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    Expr(Expr),
    /// What stood in quotes.
    Text(String),
}

/// What chooses and combines the sources of one metric.
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
    pub(crate) by: Vec<String>,
    pub(crate) rollup: Option<Rollup>,
    pub(crate) counting: Option<Counting>,
    pub(crate) fill: Option<Fill>,
    /// All modifiers as written, for the answer's `expression`.
    pub(crate) modifiers_text: String,
}

/// How the sources of one group become one series.
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
    /// `count(v: v>=0)`: how many raw values compare so.
    CountIf(Comparison, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rollup {
    pub(crate) method: Option<Method>,
    pub(crate) interval_s: Option<i64>,
}

/// How the samples of one source within one bucket become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Avg,
    Sum,
    Min,
    Max,
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    AsCount,
    AsRate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fill {
    Null,
    Zero,
    Last { limit_s: i64 },
    Linear { limit_s: i64 },
}
