//! Files of a directory brought up to date, a few queries at a time, so that an interruption is heeded in time.

use crate::archive::{Archive, QueryId};
use crate::extract::{self, CsvTree, Disk, Summary, Which};
use crate::job::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

/// Queries whose files are made between two looks for an interruption: a second's work, and one sync.
const QUERIES_AT_A_TIME: usize = 16;

/// The files of one archive: where they lie and in which form.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds a trait object")]
pub struct Files<'a> {
    pub archive: &'a Archive,
    pub disk: &'a dyn Disk,
    pub csv: &'a CsvTree,
    /// Set from a signal handler.
    pub interrupted: &'a AtomicBool,
}

impl Files<'_> {
    /// Brings all files and tables up to date. `None`: interrupted before it was done; the next run does what is left.
    pub fn update_all(self) -> Result<Option<Summary>, Error> {
        let all: Vec<_> = self.archive.ledger().queries()?.iter().map(|query| query.id).collect();
        self.update(&all)?;
        if self.interrupted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(extract::tables(self.archive, self.disk, self.csv)?))
    }

    /// Brings the files of these queries up to date; stops within a second of an interruption.
    pub fn update(self, queries: &[QueryId]) -> Result<(), extract::Error> {
        for some in queries.chunks(QUERIES_AT_A_TIME) {
            if self.interrupted.load(Ordering::Relaxed) {
                break;
            }
            extract::update(self.archive, self.disk, self.csv, some, Which::Outdated)?;
        }
        Ok(())
    }
}
