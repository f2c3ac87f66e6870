//! Archive → files. An [`Output`] says which files it makes of a query and writes them; everything else is the same for all.
//!
//! | Part | Does |
//! |---|---|
//! | `stream` | reads a query's series from the archive, in time order, one object open at a time |
//! | `writer` | the seam: an [`Output`] and its [`Writer`], which makes files of a stream of series |
//! | `csv_tree` | the output `csv/`: a file per series |
//! | `update` | which queries are out of date; staging, marks, renames |
//! | `tables` | series.csv, queries.csv and gaps.csv |
//! | `copy`, `verify` | everything into another place; comparison with the marks |
//!
//! Memory and file handles stay flat however long the range is. Only a query whose archive, zone or format changed is written
//! again. Makes no call, reads no clock, and removes no file that the ledger does not record as the output's.
//!
//! **Order of effects** for a group of queries, each step repeatable:
//! 1. stage every file whole, outside the output's folder;
//! 2. mark the queries unfinished in the ledger, with the old and the new files: from here on the old digest, which the
//!    files on disk no longer match, cannot be mistaken for theirs, and every file is recorded. Two files that would be one
//!    where names differ by neither case nor Unicode form end it here, before anything is moved;
//! 3. rename the files into place, remove the stale ones, sync once;
//! 4. mark the queries extracted.

mod copy;
mod csv_tree;
mod disk;
mod error;
mod marks;
mod staging;
mod stream;
mod tables;
mod update;
mod verify;
mod writer;

pub use copy::copy;
pub use csv_tree::{CsvTree, Names};
pub use disk::{BufferLimits, Directory, Disk, ExtractLock, Staged};
pub use error::Error;
pub use staging::{MadeFile, SeriesFacts, Staging};
pub use tables::{Summary, tables};
pub use update::{Change, Which, update};
pub use verify::{FileFinding, verify, verify_output};
pub use writer::{Output, QueryExtent, Writer};

use jiff::tz::TimeZone;

/// Presentation of times in files.
#[derive(Debug, Clone)]
pub struct DisplayOptions {
    /// Zone in which `date` is written.
    pub zone: TimeZone,
    /// Its IANA name, for the column `timezone`.
    pub timezone: String,
}
