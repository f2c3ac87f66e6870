//! Files of one query on their way to the staging folder: numbered, buffered, hashed. Any text or bytes.

use super::{Disk, Error, Staged};
use crate::archive::SeriesFile;
use crate::digest::hex;
use crate::packed_tags::PackedTags;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Does work that stages files in an empty staging folder, alone; after an error no copies are left there.
pub(super) fn with_staging<T>(
    disk: &dyn Disk,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let _lock = disk.lock().map_err(Error::disk("lock", "the directory"))?;
    disk.begin().map_err(Error::disk("empty", "the staging folder"))?;
    work().inspect_err(|_| disk.clear())
}

/// Facts about a series that was streamed.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesFacts {
    pub metric: String,
    /// `key:value`, sorted.
    pub tags: PackedTags,
    pub unit: Option<String>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub points: u64,
}

/// A file that lies whole in the staging folder, and its record for the ledger.
#[derive(Debug)]
pub struct MadeFile {
    pub staged: Staged,
    pub file: SeriesFile,
}

/// Files of one query that grow in the staging folder.
#[expect(missing_debug_implementations, reason = "a disk is no value to be shown")]
pub struct Staging<'a> {
    disk: &'a dyn Disk,
    /// Number of the next file.
    number: &'a mut u64,
    files: Vec<GrowingFile>,
    pending_bytes: usize,
}

struct GrowingFile {
    staged: Staged,
    path: String,
    pending: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

impl<'a> Staging<'a> {
    pub(super) fn new(disk: &'a dyn Disk, number: &'a mut u64) -> Self {
        Self { disk, number, files: Vec::new(), pending_bytes: 0 }
    }

    /// Begins the file for a path relative to DIR; returns its index, counted from 0.
    pub fn create(&mut self, path: String) -> usize {
        let (staged, hash) = (Staged(*self.number), Sha256::new());
        *self.number += 1;
        self.files.push(GrowingFile { staged, path, pending: Vec::new(), hash, bytes: 0 });
        self.files.len() - 1
    }

    /// Lets `write` append to a file, in memory until enough is there.
    ///
    /// # Errors
    /// [`Error::Disk`] when the staging folder cannot be written.
    pub fn append(&mut self, file: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        let pending = &mut self.files[file].pending;
        let before = pending.len();
        write(pending);
        self.pending_bytes += pending.len() - before;
        if self.pending_bytes > self.disk.buffer_limits().pending_bytes_max {
            self.flush()
        } else {
            Ok(())
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        for file in &mut self.files {
            // Taken, not cleared: kept capacity would add up over the files of a query.
            let rows = std::mem::take(&mut file.pending);
            if rows.is_empty() {
                continue;
            }
            self.disk.append(file.staged, &rows).map_err(Error::disk("stage", &file.path))?;
            file.hash.update(&rows);
            file.bytes += rows.len() as u64;
        }
        self.pending_bytes = 0;
        Ok(())
    }

    /// Writes what is pending; returns the files with their records, ascending by path. `series` has facts for each of them, in the
    /// order in which they were begun.
    ///
    /// # Errors
    /// [`Error::Disk`] when the staging folder cannot be written.
    pub fn finish(mut self, series: Vec<SeriesFacts>) -> Result<Vec<MadeFile>, Error> {
        self.flush()?;
        let made = self.files.into_iter().zip(series).map(|(file, facts)| {
            let GrowingFile { staged, path, hash, bytes, .. } = file;
            let SeriesFacts { metric, tags, unit, first, last, points } = facts;
            let sha256 = hex(&hash.finalize());
            let file = SeriesFile { path, metric, tags, unit, first, last, points, bytes, sha256 };
            MadeFile { staged, file }
        });
        let mut made: Vec<_> = made.collect();
        made.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        Ok(made)
    }
}
