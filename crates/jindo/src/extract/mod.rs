//! Archive → files. Layout names them, the writers are pure, publish is the door to the disk.
//!
//! Every file is made from what the archive covers, query by query, a query's objects in time order and one open at a
//! time: memory and file handles stay flat however long the range and however many the series. Only a query whose
//! archive, zone or format changed is written again. Nothing here asks the network, reads a clock, or removes a file that
//! the ledger does not call ours.
//!
//! **Order of effects** for a lot of queries, each step repeatable:
//! 1. stage every file whole, outside csv/;
//! 2. mark the queries unfinished in the ledger, with the old and the new files: from here on the old digest, which the
//!    files on disk no longer match, cannot be mistaken for theirs, and every file is known to be ours;
//! 3. rename the files into place, remove the stale ones, sync once;
//! 4. mark the queries extracted.

mod csv;
mod elsewhere;
mod layout;
mod names;
mod of_archive;
mod publish;
mod series;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod update;
mod verify;

pub use elsewhere::elsewhere;
pub use layout::query_directory;
pub use names::series_file;
pub use publish::{Directory, Disk, Staged, Turn};
pub use source::{Chunk, Extracted, Failure, Grant, RefusedLine, SeriesFile, Source};
pub use tables::{Summary, tables};
pub use update::{Change, Which, update};
pub use verify::{Finding, verify};

use crate::archive::{ObjectId, QueryId};
use crate::query::Interval;
use jiff::tz::TimeZone;

/// How the data is to be shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The zone in which `date` is written.
    pub zone: TimeZone,
    /// Its IANA name, for the column `timezone`.
    pub timezone: String,
    pub names: Names,
}

/// How directories and files are named; pure functions, without extension, never empty, safe as one part of a path.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Of a query as sent. Queries that share one must differ in every name of their series.
    pub directory: fn(&str, Interval) -> String,
    /// Of a series' tags.
    pub series: fn(&[String]) -> String,
}

impl Names {
    /// jindo's own.
    pub const LAYOUT: Self = Self { directory: query_directory, series: series_file };

    /// Where a series' file lies, relative to DIR, with `/` on every system.
    fn path(self, directory: &str, tags: &[String]) -> String {
        format!("csv/{directory}/{}.csv", (self.series)(tags))
    }
}

/// Why files could not be made, by what the caller would do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive's own error; see there.
    #[error("the archive failed while its files were made")]
    Archive(#[source] Failure),
    /// A full disk, missing rights, a planted link. Mend it and run again: nothing is lost.
    #[error("could not {act} {path}")]
    Disk {
        act: &'static str,
        /// Relative to DIR.
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// An object holds what jindo never writes: `verify --repair`, then export again.
    #[error("object {} is damaged: {what} in {query}", .object.0)]
    Damaged { object: ObjectId, query: String, what: String },
    /// Two series have the same file. Neither is written over; a bug of the naming.
    #[error("{path} would hold two series, of {query} and of {other}")]
    Collision { path: String, query: String, other: String },
    /// Two series have files that are one on a file system that ignores case or Unicode form. Neither is written: a copy of
    /// the directory would lose one.
    #[error(
        "{path} of {query} and {twin} of {other} would be one file where names differ by neither case nor Unicode form"
    )]
    Twins { path: String, query: String, twin: String, other: String },
    /// The caller named a query that the archive does not know.
    #[error("the archive knows no query {}", .0.0)]
    Unknown(QueryId),
    /// The tables were asked for while the files of a query are out of date: [`update`] first.
    #[error("the files of {query} are not up to date")]
    Unfinished { query: String },
    /// [`elsewhere`] writes into an empty place only: it has no ledger there to tell its files from others'.
    #[error("{path} is there already")]
    Occupied { path: String },
}

impl Error {
    /// Of two series, each with its path, that cannot have both.
    fn one_file((path, query): (&str, String), (twin, other): (&str, String)) -> Self {
        let (path, twin) = (path.to_owned(), twin.to_owned());
        if path == twin {
            Self::Collision { path, query, other }
        } else {
            Self::Twins { path, query, twin, other }
        }
    }

    fn disk(act: &'static str, path: &str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Disk { act, path: path.to_owned(), source }
    }
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
