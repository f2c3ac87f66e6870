//! Text → [`Query`]: tokenizer, grammar, list files, rewriting. Pure, but for the door [`load`].
//!
//! The way of a line: [`list()`] cuts the file into lines and takes off what people put around a query, [`grammar`] turns a line
//! into expressions ([`ast`]), template variables are filled in, and the rewriting states rollup and fill. It never asks
//! the network what a metric is, and never changes what a query means beyond those two statements.

mod derive;
mod error;
pub mod functions;
mod interval;
mod lines;
mod metric_type;
mod query_text;
mod rewrite;
mod syntax;
mod variables;

#[cfg(test)]
mod tests;

pub use derive::{Spacings, coarse, count_samples, sample};
pub use error::{Complaint, QueryError, Reason, Span};
pub use interval::{Interval, NotOffered};
pub use lines::{
    FileKind, List, Note, OtherFile, OtherQuery, Placeholder, QUERIES_MAX, decode, list,
    list_spaced, load, other_file, without_keys,
};
pub use metric_type::{MetricType, MetricTypes, SubmissionInterval, depends_on_type};
pub use query_text::{QueryText, SentText};
pub use rewrite::default_method;
pub use syntax::{ast, grammar};

use std::collections::BTreeMap;

/// One metric query, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    pub text: QueryText,
    /// Decoded bytes a bucket of its answers, where they turned out so heavy that they shape calls. `None`: nothing known.
    pub weight: Option<u64>,
}

impl Query {
    /// A query of unknown weight.
    pub fn new(text: QueryText) -> Self {
        Self { text, weight: None }
    }
}

/// Options of turning text into queries. No defaults here: an export request has them.
#[derive(Debug, Clone)]
pub struct RewriteOptions {
    /// For series without an interval of their own.
    pub resolution: Interval,
    /// Template variables by name, without `$`. A value `key:value` also names the tag key; else the key is the name.
    pub variables: BTreeMap<String, String>,
    pub fill: Fill,
    pub range_functions: RangeFunctions,
    /// Types of the metrics that carry `.as_count()` or `.as_rate()`, as far as they are known.
    pub types: MetricTypes,
}

/// Treatment of gaps between the points of several sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// `.fill(null)` is added: a value does not depend on how queries were batched.
    Null,
    /// Nothing is added: the graph's numbers, each query alone in its calls.
    Keep,
}

/// Treatment of functions whose value depends on the range asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeFunctions {
    Refuse,
    Allow,
}
