//! The errors of an export, apart from those of its caller.

use crate::plan::CALLS_MAX;
use crate::query::Complaint;
use crate::{archive, extract};
use jiff::Timestamp;

/// Causes that end an export, or keep it from beginning.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the archive failed")]
    Archive(#[from] archive::Error),
    #[error("files could not be made")]
    Extract(#[from] extract::Error),
    /// Lines of the list are not understood; nothing was asked and nothing was written.
    #[error("{} lines of the list are not understood", .0.len())]
    RefusedLines(Vec<Complaint>),
    #[error("{list} holds no query")]
    NoQuery { list: String },
    /// Nothing lies between begin and end; the end is cut by `settle`.
    #[error("the range is empty: it begins at {start} and ends at {end}")]
    EmptyRange { start: Timestamp, end: Timestamp },
    /// The calls of the range would take weeks, and its windows all memory.
    #[error("the range takes {calls} calls or more, and an export makes {CALLS_MAX} at most")]
    TooManyCalls { calls: u64 },
    /// Files name their zone, and another run could not find this one again.
    #[error("the time zone has no IANA name")]
    UnnamedZone,
}
