//! Archive → files. An [`Output`] says which files it makes of a query and writes them; everything else is the same for all.
//!
//! | Part | Does |
//! |---|---|
//! | `stream` | reads a query's series from the archive, in time order, one object open at a time |
//! | [`Output`] | the seam: with its [`Writer`] it makes files of a stream of series; a new one is files of its own, all else stays |
//! | `csv_tree` | the output `csv/`: a file per series |
//! | `selection` | which part of the archive files show |
//! | `update` | which queries are out of date; staging, marks, renames |
//! | `tables` | series.csv, queries.csv and gaps.csv |
//! | `room` | how many bytes that will take, before anything is written |
//! | `strangers` | files in the output's folder that are not jindo's |
//! | `copy`, `verify` | any part into another place; comparison with the marks |
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
mod room;
mod selection;
mod staging;
mod strangers;
mod stream;
mod tables;
mod update;
mod verify;

pub use copy::{CopyFault, CopyFinding, CopyReport, check_copy, copy, is_copy, refuse_occupied};
pub use csv_tree::{CsvTree, Names};
pub use disk::{BufferLimits, Directory, Disk, ExtractLock, Place, Staged};
pub use error::Error;
pub use room::{bytes_to_copy, bytes_to_make};
pub use selection::{ArchivePart, QueryGlob, Selection, with_files};
pub use staging::{MadeFile, SeriesFacts, Staging};
pub use strangers::{set_aside, unclaimed, unmarked};
pub use tables::{Summary, tables};
pub use update::{Change, Which, update};
pub use verify::{FileFinding, verify, verify_output};

use crate::archive::{OutputName, Registered};
use crate::plan::Window;
use jiff::tz::TimeZone;

/// Presentation of times in files.
#[derive(Debug, Clone)]
pub struct DisplayOptions {
    /// Zone in which `date` is written.
    pub zone: TimeZone,
    /// Its IANA name, for the column `timezone`.
    pub timezone: String,
}

/// A form of output: the files that it makes of a query.
pub trait Output: Sync {
    /// Name of its marks in the ledger. Never changes.
    fn name(&self) -> OutputName;

    /// Folder below DIR that holds its files, and those of no other output.
    fn folder(&self) -> &'static str;

    /// Returns whether a path can be one of its files. A ledger may come from elsewhere: no other path that it names is read,
    /// replaced or removed.
    fn is_file(&self, path: &str) -> bool;

    /// Returns everything but query, coverage and points that decides about the bytes of a query's files: format, zone, names.
    /// The query is written again when it changes.
    fn ingredients(&self, query: &QueryExtent<'_>) -> Vec<String>;

    /// Returns the bytes of the shortest row that it writes for a point; 0 where it writes none.
    fn row_bytes_min(&self) -> u64;

    /// Begins the files of a query.
    fn begin<'a>(&'a self, query: &QueryExtent<'a>, staging: Staging<'a>) -> Box<dyn Writer + 'a>;
}

/// The files of one query while its series stream in.
///
/// Calls come in this order: [`Writer::series`] once for each series, before its first points; [`Writer::points`] in time order
/// for each series, while the series themselves alternate; [`Writer::finish`] once.
pub trait Writer {
    /// Begins the next series, counted from 0.
    fn series(&mut self, tags: &[String]) -> Result<(), Error>;

    /// Appends points of a series: whole seconds in ascending Unix milliseconds, as many finite values.
    fn points(&mut self, series: usize, ts_ms: &[i64], values: &[f64]) -> Result<(), Error>;

    /// Ends all files; `series` has the facts of each. Returns the files ascending by path.
    fn finish(self: Box<Self>, series: Vec<SeriesFacts>) -> Result<Vec<MadeFile>, Error>;
}

/// A query and the range of its rows in the files.
#[derive(Debug, Clone, Copy)]
pub struct QueryExtent<'a> {
    pub query: &'a Registered,
    /// Range shown, and so the same for two runs of one request, whatever was fetched between.
    pub range: Window,
}
