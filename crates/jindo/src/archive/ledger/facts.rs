//! Facts about the server and about outputs, as the ledger keeps them.

use super::queries::{GivenUp, QueryId};
use crate::archive::Error;
use crate::packed_tags::PackedTags;
use crate::plan::{Confidence, LearntLimit};
use crate::query::{Interval, MetricType};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::fmt;

/// Name of an output, under which the ledger keeps its marks: `csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputName(pub &'static str);

/// A limit of the server, learnt once and kept for a while: it is not learnt again per window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnt {
    pub limit: LearntLimit,
    pub learnt_at: Timestamp,
    /// Last answer that confirmed it.
    pub seen_at: Timestamp,
    /// Behaviour of the server that taught it.
    pub why: String,
    /// Answers that taught or confirmed it. [`FactLedger::learn`] adds them to those before.
    pub refusals: u32,
    /// Size of the largest answer seen, in the limit's unit. 0: not known.
    pub largest: u64,
    /// A query of the calls that were refused, as it is written. Empty: not known.
    pub taught_by: String,
    /// Number of the queries of these calls. 0: not known.
    pub teachers: u32,
}

impl Learnt {
    /// A week: daily runs learn a limit once, and one that the server has lifted since, or never had, slows down a week of runs at most.
    pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 7);

    /// Returns whether it holds for a list of these queries, as they are written. A cap on points that one query alone taught may be its
    /// own, and holds for that query alone.
    pub fn holds_for<'q>(&self, list: impl IntoIterator<Item = &'q str>) -> bool {
        let is_own = matches!(self.limit, LearntLimit::Points(_)) && self.teachers == 1;
        !is_own || list.into_iter().all(|written| written == self.taught_by)
    }

    /// Returns whether it counts at this moment. One that was seen in the far future was not seen: it would count for ever. Nor is the
    /// future older than what is kept.
    pub fn counts_at(&self, now: Timestamp) -> bool {
        let seen_by = now.saturating_add(Self::KEPT_FOR).unwrap_or(Timestamp::MAX);
        let is_past = !matches!(self.limit, LearntLimit::OldestKept(oldest) if oldest > now);
        now < self.expires_at() && self.seen_at <= seen_by && is_past
    }

    /// Returns the moment from which it counts no more, unless it is seen again.
    pub fn expires_at(&self) -> Timestamp {
        self.seen_at.saturating_add(Self::KEPT_FOR).unwrap_or(Timestamp::MAX)
    }
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
    /// Evidence: the samples' intervals, or the server's words.
    pub why: String,
    pub found_at: Timestamp,
}

/// The type of a metric as its metadata named it, by which queries were rewritten: another would be other data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownType {
    pub metric: String,
    pub of: MetricType,
    pub found_at: Timestamp,
}

/// Answers of a query that looked cut and were found to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trusted {
    /// Points of its longest series, which is shorter than its window.
    pub points: u32,
    /// Intervals from point to point, as they come; 0: not found to be regular.
    pub stride: u32,
    /// Points of all queries of a call.
    pub call_points: u64,
    /// An answer was whole without the last bucket of its window.
    pub newest: bool,
}

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
    pub tags: PackedTags,
    pub unit: Option<String>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub points: u64,
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
}

/// Extent of a query's files in one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesExtent {
    pub query: QueryId,
    pub files: u64,
    /// First and last moment of any row.
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Sums that `status` shows without reading an object.
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

/// Bookkeeping of facts. Every change is one durable transaction.
pub trait FactLedger: Send + Sync + fmt::Debug {
    fn give_up(&self, given_up: &GivenUp) -> Result<(), Error>;
    fn given_up(&self) -> Result<Vec<GivenUp>, Error>;
    fn learn(&self, learnt: &Learnt) -> Result<(), Error>;
    /// Forgets the limit of this kind, whatever its figure.
    fn unlearn(&self, limit: LearntLimit) -> Result<(), Error>;
    fn learnt(&self) -> Result<Vec<Learnt>, Error>;
    fn discard_probes(&self, discarded: &ProbesDiscarded) -> Result<(), Error>;
    fn probes_discarded(&self) -> Result<Option<ProbesDiscarded>, Error>;
    /// Keeps how many decoded bytes a bucket the answers to these queries have, as learnt at that time; `None` forgets it.
    fn weigh(&self, weights: &[(QueryId, Option<u64>)], at: Timestamp) -> Result<(), Error>;
    /// Forgets every limit that was learnt, that probes are discarded, what was refused for its place in time, all weights, every spacing,
    /// every type of a metric and every verdict.
    fn forget(&self) -> Result<(), Error>;
    /// Remembers the intervals of these queries, in place of earlier ones.
    fn space(&self, spaced: &[Spaced]) -> Result<(), Error>;
    /// By name of the query.
    fn spaced(&self) -> Result<Vec<Spaced>, Error>;
    /// Remembers the type of a metric, in place of an earlier one.
    fn keep_type(&self, known: &KnownType) -> Result<(), Error>;
    /// By name of the metric.
    fn metric_types(&self) -> Result<Vec<KnownType>, Error>;
    /// Remembers these verdicts, in place of earlier ones.
    fn trust(&self, verdicts: &[(QueryId, Trusted)]) -> Result<(), Error>;
    /// By query.
    fn trusted(&self) -> Result<Vec<(QueryId, Trusted)>, Error>;
    /// A small text under a key, last writer wins: the organisation, the salt.
    fn keep(&self, key: &str, text: &str) -> Result<(), Error>;
    fn kept(&self, key: &str) -> Result<Option<String>, Error>;

    fn extracted(&self, output: OutputName, query: QueryId) -> Result<Option<Extracted>, Error>;
    /// Returns the queries that have files in an output, by number.
    fn extents(&self, output: OutputName) -> Result<Vec<FilesExtent>, Error>;
    /// The query whose mark names this file, in any output.
    fn owner(&self, path: &str) -> Result<Option<QueryId>, Error>;
    /// Replaces the marks of these queries in an output. [`Error::PathTaken`] when two files of the directory, of any output,
    /// would be one where names differ by neither case nor Unicode form.
    fn mark_extracted(
        &self,
        output: OutputName,
        extracted: &[(QueryId, Extracted)],
    ) -> Result<(), Error>;
    fn totals(&self) -> Result<Totals, Error>;
}
