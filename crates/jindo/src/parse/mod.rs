//! Response bytes → columns, in one pass, checked against what was asked and clipped to the window. Pure.
//!
//! Nothing of an answer is taken on trust: a 200 may say `status: "error"`, be HTML or half a body, or be coarser than
//! asked. Either everything in it is what was asked for, or the whole answer is an [`Error`] that says what to do next.
//! This stage never guesses, never repairs a value, and knows nothing of HTTP.

mod answer_check;
mod body;
mod field;
mod held;
mod json;
mod metadata;
mod outline;
#[cfg(test)]
mod tests;

pub(crate) use field::server_words;
pub use held::HELD_BYTES_MAX;
pub use metadata::{SeriesMetadata, ServedUnit, TagTemplate};
pub use outline::{Outline, PARTS};

use crate::plan::Window;
use crate::query::Interval;
use crate::secret::Secrets;
use std::fmt;
use std::sync::Arc;

/// A call's request, against which everything in its answer is checked.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Number of queries in the call; `query_index` of every series is below it.
    pub queries: usize,
    pub window: Window,
    pub interval: Interval,
}

/// Position of a query in one call's comma list, from 0: the server's `query_index`. Not to be taken for the query's index
/// in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallPosition(usize);

impl CallPosition {
    pub const fn new(number: usize) -> Self {
        Self(number)
    }

    pub const fn number(self) -> usize {
        self.0
    }

    /// Returns the positions of all queries of a call of so many.
    pub fn all(queries: usize) -> impl Iterator<Item = Self> {
        (0..queries).map(Self)
    }

    /// Returns what stands at this position in a list that has one entry per query of the call.
    pub fn of<T>(self, list: &[T]) -> &T {
        &list[self.0]
    }
}

/// Shows the number alone.
impl fmt::Debug for CallPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CallPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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
    pub query: CallPosition,
    /// As the server names it; for arithmetic an expression.
    pub metric: String,
    /// `key:value` of its group, sorted; empty for an ungrouped query.
    pub tags: Vec<String>,
    /// `percent`, `byte/second`; `None` where the server names none.
    pub unit: Option<String>,
    /// Everything else that the server said of it.
    pub metadata: Arc<SeriesMetadata>,
    /// Start of each bucket, Unix milliseconds.
    pub ts_ms: Vec<i64>,
    /// Bit for bit as the server wrote them; as long as `ts_ms`.
    pub values: Vec<f64>,
}

/// A body that is no answer, by what the caller does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A page of HTML: something else than the API answers. Ask again, or look at the address.
    #[error("HTML instead of JSON")]
    Page,
    /// Half a body, nothing at all, no JSON: something between us and the server broke. Ask again.
    #[error("the answer is not whole: {what} (byte {at})")]
    Garbled {
        what: &'static str,
        /// Bytes from the start of the body to where reading stopped.
        at: usize,
    },
    /// The server understood and declined, in its own words, on one line. Halve the batch or give up, by these words.
    #[error("refused: {message}")]
    Refused { message: String },
    /// The points are further apart than asked, or closer: the server's cap on points is smaller than assumed, or it does
    /// not offer the interval. Split the window, or give the query up.
    #[error("{}", others_came(others, *asked))]
    Interval {
        asked: Interval,
        /// All queries with a series at another interval, in the order of the call; never none.
        others: Vec<Other>,
        /// Some series of the same answer came back as asked: a cap would have hit them all.
        others_fine: bool,
    },
    /// More memory than one answer may take: ask for less.
    #[error("the answer takes more than {} MiB of memory", HELD_BYTES_MAX >> 20)]
    TooLarge,
    /// JSON, but not what the API promises: ask again, then give up. Holding it for data would be a guess.
    #[error("the answer contradicts what was asked: {what}")]
    Inconsistent { what: String },
}

/// A query of a call that came back at another interval than asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// Its position in the call.
    pub query: CallPosition,
    /// The coarsest of its series.
    pub got: Interval,
}

fn others_came(others: &[Other], asked: Interval) -> String {
    let came: Vec<_> =
        others.iter().map(|Other { query, got }| format!("query {query} every {got}")).collect();
    format!("{} instead of every {asked}", came.join(", "))
}

/// Reads the body of a 200. The decisions that the API's documents leave open:
///
/// - `status` must be there and be `ok`, `error` and `errors` must say nothing; else it is [`Error::Refused`].
/// - A series without `query_index` is the lone query's, and a contradiction in a call of several.
/// - The group is `tag_set`, never `scope` (whose values may hold commas and colons). An answer without `tag_set`, as in
///   2020, is good only for a query known to be ungrouped: `group_by: []` in a call of one, or `scope: "*"`.
/// - `null` is no data. Points outside the window are left out, even the bucket at its end; a point off the grid is a
///   contradiction wherever it lies.
/// - The same point or series twice counts once; twice with different content is a contradiction. A null beside a value
///   at the same time does not contradict it.
/// - Unknown fields are skipped, in any order; a known field twice is a contradiction, whichever would win.
///
/// Memory is bounded by [`HELD_BYTES_MAX`] and a few times the longest series; nesting deepens a counter, not the stack. No text of an
/// answer or an error holds one of `secrets`.
///
/// # Errors
/// See [`Error`]; where several series break the contract, [`Error::Interval`] is returned: it explains the others.
pub fn answer(body: &[u8], expected: &Expected, secrets: &Secrets) -> Result<Answer, Error> {
    read(body, expected, secrets).map(|read| read.answer)
}

/// An answer, and what came with it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadBody {
    pub answer: Answer,
    /// Texts of `message` and `warnings`, on one line without secrets. Neither spoils an answer, whatever it holds. `None`: nothing.
    pub remark: Option<String>,
    /// Bytes of memory that the answer takes until it is stored, at most [`HELD_BYTES_MAX`].
    pub held_bytes: usize,
}

/// Reads the body of a 200 as [`answer`] does, and besides what `message` and `warnings` say.
///
/// # Errors
/// As [`answer`].
pub fn read(body: &[u8], expected: &Expected, secrets: &Secrets) -> Result<ReadBody, Error> {
    let read = || {
        let body::UncheckedBody { series, remark, held_bytes } =
            body::read(body, expected, secrets)?;
        let remark = secrets.words(&remark, REMARK_CHARS_MAX);
        let remark = Some(remark).filter(|remark| !remark.is_empty());
        Ok(ReadBody { answer: answer_check::answer(series, expected)?, remark, held_bytes })
    };
    read().map_err(|error: Error| error.in_words(secrets))
}

/// Characters of a remark that are kept: about two lines of a screen.
const REMARK_CHARS_MAX: usize = 200;

/// Characters of the server's words that are kept: enough for its longest known message, little enough for a line of
/// `queries.csv`.
const MESSAGE_CHARS_MAX: usize = 1_000;

impl Error {
    fn inconsistent(what: &str) -> Self {
        Self::Inconsistent { what: what.to_owned() }
    }

    /// The only way out of this room: what is quoted of a body is as [`Secrets::words`] leaves it.
    fn in_words(self, secrets: &Secrets) -> Self {
        let words = |text: String| secrets.words(&text, MESSAGE_CHARS_MAX);
        match self {
            Self::Refused { message } => Self::Refused { message: words(message) },
            Self::Inconsistent { what } => Self::Inconsistent { what: words(what) },
            Self::Garbled { .. } | Self::Page | Self::TooLarge | Self::Interval { .. } => self,
        }
    }
}
