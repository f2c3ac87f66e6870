//! Errors of the archive; each variant is named by what the caller would do about it.
//! Never retries, never words a hint for the terminal beyond the command that mends it.

use super::{ArchiveId, ObjectId, QueryId};
use crate::path_guard::{self, LockHolder};
use crate::text::one_line;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The cause below a stage of ours: SQLite, the object store.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Process that writes to an archive; named to a second writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    pub since: Timestamp,
}

/// A process that opens an archive for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveWriter {
    pub holder: Holder,
    /// Random: becomes the id of an archive that has none yet.
    pub fresh_id: ArchiveId,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wait for the other writer, or end it.
    #[error("another jindo is writing to {}{}", .dir.display(), named(.holder.as_ref()))]
    Busy { dir: PathBuf, holder: Option<Holder> },

    /// End that process, which is no jindo, or ask its owner to.
    #[error(
        "{by} holds the lock of {} (archive/lock) and is no jindo; end that process, and run the same again",
        .dir.display()
    )]
    LockedByOther { dir: PathBuf, by: LockHolder },

    /// Put it back where it was, or begin anew: nothing can be kept where it was.
    #[error("{} was removed, moved or replaced while jindo wrote there", .dir.display())]
    Removed { dir: PathBuf },

    /// Name a directory on another file system.
    #[error("{} cannot be locked, and without a lock two exports could write to it at once", .dir.display())]
    NoLocks { dir: PathBuf, source: std::io::Error },

    /// Move the directory to a disk of this machine.
    #[error(
        "{} lies on {kind}, a file system of other machines, where the ledger's log cannot be shared safely; move the directory to a local disk",
        .dir.display()
    )]
    NotLocal { dir: PathBuf, kind: String },

    /// Name another directory.
    #[error("{} holds no archive", .dir.display())]
    Absent { dir: PathBuf },

    /// Look at what lies there, and move it away: it is not jindo's.
    #[error("{}", path_guard::foreign(.path, .what))]
    Foreign { path: PathBuf, what: &'static str },

    /// Objects without a ledger: starting from zero would pay for every call again.
    #[error("{} holds fetched data, and the ledger of it (archive/ledger.db) is not there", .dir.display())]
    LedgerLost { dir: PathBuf },

    /// Run `jindo verify DIR --repair`: it is moved aside and rebuilt.
    #[error(
        "the ledger is damaged ({why}); `jindo verify DIR --repair` rebuilds it from what was fetched"
    )]
    LedgerDamaged { why: String },

    /// Use a newer jindo.
    #[error("the ledger was written by a newer jindo (format {found}, this one knows {known})")]
    LedgerNewer { found: i64, known: i64 },

    /// Use the first organisation's keys, another directory, or `--rebind`.
    #[error("this directory belongs to {kept}, the keys to {given}; `--rebind` makes it theirs")]
    OtherOrganisation { kept: String, given: String },

    /// Run `jindo verify DIR --repair`; the next export fetches it again.
    #[error("{name} in the archive is damaged: {why}; `jindo verify DIR --repair` sets it aside")]
    ObjectDamaged { name: String, why: String },

    /// Run `jindo verify DIR --repair`: it is recorded anew, or set aside.
    #[error(
        "the ledger says something else of {name} than that file itself; `jindo verify DIR --repair` mends it"
    )]
    ObjectContradicted { name: String },

    /// Read the coverage again: a newer object has taken over since it was read.
    #[error("object {} is no longer in the archive", .object.0)]
    ObjectGone { object: ObjectId },

    /// A query number that this ledger never gave out.
    #[error("the ledger knows no query {}", .query.0)]
    UnknownQuery { query: QueryId },

    /// A bug of the naming: two files of outputs would be one where names differ by neither case nor Unicode form. Nothing was
    /// marked.
    #[error("{path} of query {} and {twin} of query {} would be one file", .query.0, .other.0)]
    PathTaken { path: String, query: QueryId, twin: String, other: QueryId },

    /// Other writers took every generation that was reserved for an answer: it is fetched again.
    #[error(
        "other writers were faster {attempts} times in a row; is another jindo writing to this archive?"
    )]
    Overtaken { attempts: u32 },

    /// Opened by [`super::Archive::read`]; only [`super::Archive::open`] may write.
    #[error("the archive was opened for reading only")]
    ReadOnly,

    /// Make room; what was committed before is safe.
    #[error("there is no room on the disk for the ledger (archive/ledger.db): {doing} failed")]
    NoRoom { doing: &'static str, source: Cause },

    /// Allow more open files, or make the directory writable: SQLite does not say which. What was committed before is safe.
    #[error("the ledger failed while {doing}")]
    NotOpened { doing: &'static str, source: Cause },

    #[error("the ledger failed while {doing}")]
    Ledger { doing: &'static str, source: Cause },

    #[error("the archive failed while {doing} {name}")]
    Objects { doing: &'static str, name: String, source: Cause },

    #[error("{doing} {} failed", .path.display())]
    Disk { doing: &'static str, path: PathBuf, source: std::io::Error },
}

/// Characters shown of a machine's name, which anybody may have written into the lock: Linux has 64 at most.
const HOST_CHARS_MAX: usize = 64;

fn named(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |Holder { pid, host, since }| {
        let host = one_line(host, HOST_CHARS_MAX);
        format!(": process {pid} on {host}, since {since}")
    })
}

impl From<path_guard::Error> for Error {
    fn from(error: path_guard::Error) -> Self {
        match error {
            path_guard::Error::Foreign { path, what } => Self::Foreign { path, what },
            path_guard::Error::Failed { doing, path, source } => Self::Disk { doing, path, source },
        }
    }
}
