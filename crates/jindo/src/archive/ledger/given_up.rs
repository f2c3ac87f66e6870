//! Record of what is not asked any more, with its reason as data. [`GiveUpReason`]'s `Display` is the only place that words it.

use super::ids::QueryId;
use crate::plan::Window;
use crate::query::Interval;
use jiff::Timestamp;
use std::fmt;

/// Extent of a decision to ask no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUpScope {
    /// The query itself: in the next run one call decides whether it is asked again. An answer that is stored takes it back.
    Query,
    /// Only this stretch, which the server refuses for its place in time; the query is fine.
    Window,
}

/// Reason for asking no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GiveUpReason {
    /// The server refuses it, in these words.
    Refused(String),
    /// The server answers at another interval, however few points are asked.
    NotOffered { asked: Interval, nearest: Interval },
    /// The query alone makes a URL that the server does not take.
    UrlTooLong,
    /// One point in time of all its series is a larger answer than is read.
    PointTooLarge { mebibytes_max: u64 },
}

impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(words) => f.write_str(words),
            Self::NotOffered { asked, nearest } => write!(
                f,
                "the server does not offer points every {asked} for it; the nearest it offers is {nearest}"
            ),
            Self::UrlTooLong => f.write_str("its URL is too long for the server"),
            Self::PointTooLarge { mebibytes_max } => {
                write!(f, "a single point of all its series is larger than {mebibytes_max} MiB")
            }
        }
    }
}

/// Stretch of a query that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    pub query: QueryId,
    pub window: Window,
    pub scope: GiveUpScope,
    pub reason: GiveUpReason,
    pub at: Timestamp,
}
