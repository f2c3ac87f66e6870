//! The archive as the source of files: what [`Source`] asks, in the archive's own words.

use super::source::{Chunk, Extracted, Failure, Grant, RefusedLine, Source};
use crate::archive::{self, Archive, ObjectId, QueryId, Registered};
use std::ops::ControlFlow;

impl Source for Archive {
    fn queries(&self) -> Result<Vec<Registered>, Failure> {
        Ok(Self::queries(self)?)
    }

    fn query(&self, id: QueryId) -> Result<Option<Registered>, Failure> {
        Ok(Self::query(self, id)?)
    }

    fn refused(&self) -> Result<Vec<RefusedLine>, Failure> {
        Ok(self.refused_lines()?)
    }

    fn grants(&self, id: QueryId) -> Result<Vec<Grant>, Failure> {
        let grant = |archive::Granted { held, name, sha256, fetched_at }| {
            let archive::Coverage { window, object, origin, .. } = held;
            Grant { window, object, origin, identity: format!("{name} {sha256}"), fetched_at }
        };
        Ok(Self::grants(self, id)?.into_iter().map(grant).collect())
    }

    fn rows(
        &self,
        object: ObjectId,
        query: QueryId,
        sink: &mut dyn FnMut(Chunk<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let mut push = |chunk: Chunk<'_>| match sink(chunk) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Enough),
        };
        match Self::rows(self, object, query, &mut push) {
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Failed(error)) => Err(error.into()),
        }
    }

    fn extracted(&self, id: QueryId) -> Result<Option<Extracted>, Failure> {
        Ok(Self::extracted(self, id)?)
    }

    fn owner(&self, path: &str) -> Result<Option<QueryId>, Failure> {
        Ok(Self::owner(self, path)?)
    }

    fn mark_extracted(&self, marks: &[(QueryId, Extracted)]) -> Result<(), Failure> {
        Ok(Self::mark_extracted(self, marks)?)
    }
}

/// Why no more rows are pushed.
enum Stop {
    /// The sink has what it wants.
    Enough,
    Failed(archive::Error),
}

impl From<archive::Error> for Stop {
    fn from(error: archive::Error) -> Self {
        Self::Failed(error)
    }
}
