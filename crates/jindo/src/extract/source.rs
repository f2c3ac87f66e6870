//! What making files needs of an archive: its queries, what it covers, its rows, and marks of what was made from them.

use crate::archive::{ObjectId, QueryId, Registered};
use crate::plan::Window;
use jiff::Timestamp;
use std::ops::ControlFlow;

/// An archive's own error, whatever it is.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A stretch of one query and the object whose rows count in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub window: Window,
    pub object: ObjectId,
    /// The object's name and sha256: changes with its content, and survives a rebuilt ledger, unlike its number.
    pub identity: String,
}

/// Rows of one series within one object, ascending by time.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    pub metric: &'a str,
    /// `key:value`, sorted.
    pub tags: &'a [String],
    pub unit: Option<&'a str>,
    /// Start of each bucket, Unix milliseconds.
    pub ts_ms: &'a [i64],
    /// As many as `ts_ms`.
    pub values: &'a [f64],
}

/// A line of the list that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its place in the list, counted together with the queries'.
    pub position: usize,
    pub written: String,
    pub reason: String,
}

/// What a query's files were made from, and the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// Of everything that decides about the files' bytes; of an unfinished query it equals no other.
    pub digest: String,
    /// Ascending by path.
    pub files: Vec<SeriesFile>,
}

/// One series' file, and the facts about it that the tables show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesFile {
    /// Relative to DIR, with `/` on every system.
    pub path: String,
    pub metric: String,
    pub tags: Vec<String>,
    pub unit: Option<String>,
    /// Start of the first and of the last bucket with a value.
    pub first: Timestamp,
    pub last: Timestamp,
    /// At least 1: a series without points has no file.
    pub points: u64,
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// An archive, as far as making files needs it.
pub trait Source {
    /// Every query: those of the last request in its order, then those of earlier ones.
    fn queries(&self) -> Result<Vec<Registered>, Failure>;

    fn query(&self, id: QueryId) -> Result<Option<Registered>, Failure>;

    /// The refused lines of the last request.
    fn refused(&self) -> Result<Vec<RefusedLine>, Failure>;

    /// What is covered of a query: disjoint, oldest first.
    fn grants(&self, id: QueryId) -> Result<Vec<Grant>, Failure>;

    /// Pushes the rows that an object holds of a query, series after series, the rows of a series by time and perhaps in
    /// several chunks; all of them, also those outside what is granted. Stops without an error when `sink` breaks.
    fn rows(
        &self,
        object: ObjectId,
        query: QueryId,
        sink: &mut dyn FnMut(Chunk<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure>;

    fn extracted(&self, id: QueryId) -> Result<Option<Extracted>, Failure>;

    /// Which query's mark names this file; by an index, since it is asked for every file written.
    fn owner(&self, path: &str) -> Result<Option<QueryId>, Failure>;

    /// Replaces the marks of these queries, all or none, durable on return. A query without files keeps its mark.
    fn mark_extracted(&self, marks: &[(QueryId, Extracted)]) -> Result<(), Failure>;
}
