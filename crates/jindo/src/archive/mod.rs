//! What was fetched, kept: the ledger says what is covered and by which object, the objects hold the rows.
//!
//! Opening an archive and recovering it are one path: [`Archive::open`] looks at the names that were noted before a crash
//! and at nothing else. Nothing that was fetched is ever deleted by guesswork. Never asks the network, never tells the time:
//! every moment is handed in. The order of effects that makes it safe is in [`Archive::store`].
//!
//! ```no_run
//! # use jindo::archive::{Archive, Error, Holder};
//! # fn main() -> Result<(), Error> {
//! let archive = Archive::read(std::path::Path::new("jindo-export"))?;
//! for (query, held) in archive.coverage_all()? {
//!     println!("{}: {} stretches", query.0, held.len());
//! }
//! # Ok(())
//! # }
//! ```

mod bind;
mod codec;
mod disk;
mod error;
mod footer;
mod foreign;
mod given_up;
mod held;
mod ledger;
mod medium;
mod objects;
mod open;
mod pages;
mod recover;
mod request_file;
mod rows;
mod sqlite;
mod standing;
mod store;
mod takeover;
mod thrift;
mod verify;

#[cfg(test)]
pub(crate) mod tests;

pub use bind::{Bound, Organisation};
pub use error::{Cause, Error};
pub(crate) use foreign::{Kind, Seen, as_io, look, look_at};
pub use given_up::{GiveUpReason, GivenUp, Scope};
pub use ledger::{Aside, Committed, Ledger, Note, Noted, Object, Record, Remembered};
pub use medium::Journal;
pub use objects::Objects;
pub use open::{Archive, Identities};
pub use recover::Recovery;
pub use rows::Chunk;
pub use sqlite::{IfBlank, Sqlite};
pub use standing::{Gap, GapReason, QueryStanding, QueryStatus, StandingFacts};
pub use verify::{Fault, Finding, Verified, inspect};

use crate::parse::Answer;
use crate::plan::{Confidence, LearntLimit, Range, Window, subtract};
use crate::query::{Interval, Query, QueryText};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A query's number in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub i64);

/// An object's number in the ledger. Never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub i64);

/// Who writes to an archive; a second writer is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    pub since: Timestamp,
}

/// The directory's last request: what was asked, in the list's order, and how it is to be shown. Kept in the ledger, and as
/// `archive/request.json` beside it, so that a lost ledger is rebuilt to the byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Every query of the list, once, in its order; `None` in `query` is a line that was refused.
    pub lines: Vec<Line>,
    /// The range asked, before it is aligned to each query's interval.
    pub asked: Range,
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

/// A line of the last request's list that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its place in the list, counted as [`Registered::position`].
    pub position: usize,
    pub written: String,
    pub reason: String,
}

/// A query that the ledger knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub id: QueryId,
    pub text: QueryText,
    /// What was last asked of it, aligned to its interval; `None` when it was never in a request (a rebuilt ledger without
    /// request.json).
    pub asked: Option<Window>,
    /// Its place in the last request's list (refused lines counted); `None` when it is of an earlier list.
    pub position: Option<usize>,
    /// Reason for which it was given up, unless it was answered since.
    pub given_up: Option<GiveUpReason>,
    /// Until when the server refuses it, since it is older than what is kept, and in which words.
    pub too_old: Option<(Timestamp, String)>,
    /// The form with jindo's fill that the server refused, and instead of which this one is sent.
    pub instead_of: Option<String>,
    /// Where its answers are so heavy that they shape calls.
    pub weight: Option<Weight>,
}

impl Registered {
    /// What was last asked of it and is in none of the stretches covered, oldest first.
    pub fn gaps(&self, covered: &[Window]) -> Vec<Window> {
        self.asked.map_or_else(Vec::new, |asked| subtract(asked, covered))
    }
}

/// What a heavy query's answers weigh, and since when that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// Decoded.
    pub bytes_per_bucket: u64,
    pub weighed_at: Timestamp,
}

/// What a query is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Its points are wanted: a list names it, or did.
    #[default]
    Wanted,
    /// Nobody wants its points: they tell where another query has any. No file is made of it, and no list shows it.
    Probe,
    /// Nobody wants its points either: they tell how far apart another query's points lie.
    Sample,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Wanted, Self::Probe, Self::Sample];

    /// As the ledger spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Probe => "probe",
            Self::Sample => "sample",
        }
    }
}

/// How it is known what a stretch holds. The later is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A probe's answer, the object, has no points there; the query itself was not asked.
    Probed,
    /// The query's own answer.
    Fetched,
}

/// A stretch that the archive holds of one query. Disjoint per query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub window: Window,
    pub object: ObjectId,
    pub origin: Origin,
    /// Fetched so soon after its end that late points may be missing: the next run asks it again, whole.
    pub open: bool,
}

/// A stretch, and what its object is: read in one moment, since another object may take over in the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub held: Coverage,
    /// The object's name and sha256, which survive a rebuilt ledger, unlike its number.
    pub name: String,
    pub sha256: String,
    pub fetched_at: Timestamp,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnt {
    pub limit: LearntLimit,
    pub learnt_at: Timestamp,
    /// What the server did that taught it.
    pub why: String,
}

/// Record that an answer contradicted a probe: in this directory no probe is made or used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbesDiscarded {
    /// Which probe of which query, and from when.
    pub why: String,
    pub at: Timestamp,
}

/// The interval at which a query without one of its own is asked, found once and kept: another would be other data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spaced {
    /// `query::Spacings::name` of the query.
    pub query: String,
    pub interval: Interval,
    pub basis: Confidence,
    /// What the samples showed, or the server's words.
    pub why: String,
    pub found_at: Timestamp,
}

/// Name of an output, under which the ledger keeps its marks: `csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputName(pub &'static str);

/// Mark of a query's files in one output: inputs and files.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// Names the inputs (coverage, zone, format): equal digests mean that nothing is to be done. Opaque here.
    pub digest: String,
    pub files: Vec<SeriesFile>,
}

/// An extracted file and facts about the series in it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesFile {
    /// Relative to the directory.
    pub path: String,
    pub metric: String,
    pub tags: Vec<String>,
    pub unit: Option<String>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub points: u64,
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
}

/// What `status` shows of an archive without reading an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Queries of the last request's list that were not refused.
    pub listed: u64,
    /// All wanted queries known, earlier lists' too.
    pub queries: u64,
    /// Query-seconds covered.
    pub covered_s: u64,
    /// Of these, what a probe found empty, so that it was not fetched.
    pub probed_s: u64,
    pub objects: u64,
    /// Of the objects.
    pub bytes: u64,
    /// Of the objects; a window that was asked again counts twice while both objects are needed.
    pub rows: u64,
    /// Stretches to be asked again.
    pub open: u64,
    /// Queries with a stretch given up.
    pub given_up: u64,
    /// Extracted files, their bytes and points.
    pub files: u64,
    pub file_bytes: u64,
    pub file_points: u64,
}
