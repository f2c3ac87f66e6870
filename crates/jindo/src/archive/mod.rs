//! What was fetched, kept: the ledger says what is covered and by which object, the objects hold the rows.
//!
//! Opening an archive and recovering it are one path: [`Archive::open`] looks at the names that were noted before a crash
//! and at nothing else. Nothing that was fetched is ever deleted by guesswork.

use crate::parse::Answer;
use crate::plan::Window;
use crate::query::{Interval, Query};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A query's number in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub i64);

/// An object's number in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub i64);

/// The directory's last request: what was asked, in the list's order, and how it is to be shown. Kept in the ledger, and as
/// `archive/request.json` beside it, so that a lost ledger is rebuilt to the byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Every query of the list, once, in its order; `None` in `query` is a line that was refused.
    pub lines: Vec<Line>,
    /// The range asked, before it is aligned to each query's interval.
    pub asked: Window,
    /// IANA name of the zone in which `date` is written.
    pub timezone: String,
    /// The command line's own words (JSON), for `jindo export` without a list. Opaque here.
    pub arguments: String,
}

/// One line of the list as it was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    Query(Query),
    /// Left out by `--keep-going`: the text and the reason.
    Refused {
        written: String,
        reason: String,
    },
}

/// A query that the ledger knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub id: QueryId,
    pub written: String,
    pub sent: String,
    pub interval: Interval,
    /// What was last asked of it, aligned to its interval; `None` when it was never in a request (a rebuilt ledger without
    /// request.json).
    pub asked: Option<Window>,
    /// Its place in the last request's list; `None` when it is of an earlier list.
    pub position: Option<usize>,
    /// Why the last run gave it up, in the server's words.
    pub given_up: Option<String>,
}

/// A stretch that the archive holds of one query. Disjoint per query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub window: Window,
    pub object: ObjectId,
    /// Fetched so soon after its end that late points may be missing: the next run asks it again, whole.
    pub open: bool,
}

/// One answer on its way into the archive.
#[derive(Debug, Clone)]
pub struct Fetched<'a> {
    /// The queries of the call, in its order; `Series::query` counts into it.
    pub queries: &'a [QueryId],
    pub interval: Interval,
    pub window: Window,
    pub fetched_at: Timestamp,
    pub open: bool,
    pub answer: &'a Answer,
}

/// What a store left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub object: ObjectId,
    /// Path below `archive/data/`.
    pub name: String,
    pub rows: u64,
    pub bytes: u64,
}

/// A limit of the server, learnt once and kept: it is not learnt again per window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// `points`, `queries`, `url`, …: see `plan::Limits`.
    pub name: String,
    pub value: u64,
    pub learnt_at: Timestamp,
    /// What the server did that taught it.
    pub why: String,
}
