//! What making files needs of an archive: its queries, what it covers, its rows, and marks of what was made from them.

pub use crate::archive::{Chunk, Extracted, RefusedLine, SeriesFile};
use crate::archive::{ObjectId, Origin, QueryId, Registered};
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
    /// What a probe found empty has no rows to give.
    pub origin: Origin,
    /// The object's name and sha256: changes with its content, and survives a rebuilt ledger, unlike its number.
    pub identity: String,
    /// When the object was fetched.
    pub fetched_at: Timestamp,
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
