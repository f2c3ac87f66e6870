//! The error of making files.

use crate::archive::{self, QueryId};

/// Failure of making files, by what the caller would do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive's own error; see there.
    #[error("the archive failed while its files were made")]
    Archive(#[from] archive::Error),
    /// A full disk, missing rights, a planted link. Mend it and run again: nothing is lost.
    #[error("could not {act} {path}")]
    Disk {
        act: &'static str,
        /// Relative to DIR.
        path: String,
        #[source]
        source: std::io::Error,
    },
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
    /// The tables were asked for while the files of a query are out of date: [`super::update`] first.
    #[error("the files of {query} are not up to date")]
    Unfinished { query: String },
    /// Without a ledger only an empty place is written into: nothing tells jindo's files from others'.
    #[error("{path} is there already, and jindo did not write it; nothing was fetched or written")]
    Occupied { path: String },
}

impl Error {
    /// Of two files that cannot both be: path of each, and the query or series that it is to hold.
    pub(super) fn one_file(own: [String; 2], other: [String; 2]) -> Self {
        let ([path, query], [twin, other]) = (own, other);
        if path == twin {
            Self::Collision { path, query, other }
        } else {
            Self::Twins { path, query, twin, other }
        }
    }

    pub(super) fn disk(act: &'static str, path: &str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Disk { act, path: path.to_owned(), source }
    }
}
