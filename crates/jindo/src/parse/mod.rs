//! Response bytes → columns, in one pass, checked against what was asked and clipped to the window. Pure.

use crate::plan::Window;
use crate::query::Interval;

/// What a call asked for; everything in its answer is checked against it.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// How many queries travelled in the call; `query_index` of every series is below it.
    pub queries: usize,
    pub window: Window,
    pub interval: Interval,
}

/// The series of one answer, ascending by (query, tags).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub series: Vec<Series>,
}

/// One series of one answer. `ts_ms` is strictly ascending, within the window and on the interval's grid; nulls are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Position of its query in the call.
    pub query: usize,
    /// As the server names it; for arithmetic an expression.
    pub metric: String,
    /// `key:value` of its group, sorted; empty for an ungrouped query.
    pub tags: Vec<String>,
    /// `percent`, `byte/second`; `None` where the server names none.
    pub unit: Option<String>,
    /// Start of each bucket, Unix milliseconds.
    pub ts_ms: Vec<i64>,
    /// Bit for bit as the server wrote them; as long as `ts_ms`.
    pub values: Vec<f64>,
}

/// Why an answer of status 200 is no data.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("the server refuses: {message}")]
    Refused { message: String },
    #[error("coarser than asked")]
    Coarser { query: usize, asked: Interval, got: Interval, others_fine: bool },
}
