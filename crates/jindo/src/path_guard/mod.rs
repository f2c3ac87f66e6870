//! Guard of jindo's own places below DIR: there is a plain folder or a plain file, or nothing yet. Anything else (a link, a pipe, a
//! device) was put there by somebody else and is refused before it is opened, locked, written or removed: what is done
//! through it would be done elsewhere, or never end. Follows nothing. A file that is written in its place has one name only:
//! under another it may be somebody's. DIR itself was named by the user, and may be what it likes.

mod keep;
mod lock;
mod open;

pub use keep::{Kept, keep};
pub use lock::{LockHeld, LockHolder};
pub(crate) use lock::{holder, is_at, is_locked, lock};
pub(crate) use open::{Opening, open, open_at};

use std::fs::Metadata;
use std::io;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Component, Path, PathBuf};

/// A place that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something else than jindo's own lies there, or on the way.
    #[error("{}", foreign(.path, .what))]
    Foreign { path: PathBuf, what: &'static str },
    #[error("{doing} {} failed", .path.display())]
    Failed { doing: &'static str, path: PathBuf, source: io::Error },
}

impl Error {
    fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Failed { doing, path: path.to_owned(), source }
    }
}

/// Kind of a file that is somewhere else too.
const SECOND_NAME: &str = "a file with a second name (a hard link)";

/// Words the refusal of a place.
pub(crate) fn foreign(path: &Path, what: &str) -> String {
    let path = path.display();
    if what == SECOND_NAME {
        return format!(
            "{path} is {what}, and writing to it would change the file of that name too; nothing was written: \
             put a copy in its place (cp, then mv)"
        );
    }
    format!(
        "{path} is {what}, where jindo keeps plain files and folders alone; nothing is done through it: move it away"
    )
}

/// Expected kind of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    Folder,
    File,
    /// A file that is written in its place: it has no other name.
    OwnFile,
}

/// Presence of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathState {
    There,
    Absent,
}

/// Looks at the place of `below` in `dir`, and at each folder on the way: a path of plain names, with `/`.
pub(crate) fn look(dir: &Path, below: &str, kind: PathKind) -> Result<PathState, Error> {
    let mut place = dir.to_owned();
    let mut names = Path::new(below).components().peekable();
    while let Some(name) = names.next() {
        if !matches!(name, Component::Normal(_)) {
            let what = "a path that leads elsewhere";
            return Err(Error::Foreign { path: dir.join(below), what });
        }
        place.push(name);
        let kind = if names.peek().is_some() { PathKind::Folder } else { kind };
        if look_at(&place, kind)? == PathState::Absent {
            return Ok(PathState::Absent);
        }
    }
    Ok(PathState::There)
}

/// Looks at one place, the way to which was looked at.
pub(crate) fn look_at(place: &Path, kind: PathKind) -> Result<PathState, Error> {
    let is = match place.symlink_metadata() {
        Ok(is) => is,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
            return Ok(PathState::Absent);
        }
        Err(source) => return Err(Error::failed("looking at", place)(source)),
    };
    match foreign_kind(&is, kind) {
        None => Ok(PathState::There),
        Some(what) => Err(Error::Foreign { path: place.to_owned(), what }),
    }
}

/// Returns the kind of what is not of the expected one.
fn foreign_kind(is: &Metadata, expected: PathKind) -> Option<&'static str> {
    let is_expected = match expected {
        PathKind::Folder => is.is_dir(),
        PathKind::File | PathKind::OwnFile => is.is_file(),
    };
    Some(if is_expected {
        let has_one_name = expected != PathKind::OwnFile || names(is) == 1;
        return (!has_one_name).then_some(SECOND_NAME);
    } else if is.is_symlink() {
        "a symbolic link"
    } else if is.is_dir() {
        "a folder"
    } else if is.is_file() {
        "a file"
    } else {
        "a pipe, a socket or a device"
    })
}

#[cfg(unix)]
fn names(is: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(is)
}

/// Other systems do not tell.
#[cfg(not(unix))]
fn names(_: &Metadata) -> u64 {
    1
}

/// For doors whose errors are the system's.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Failed { source, .. } => source,
            foreign @ Error::Foreign { .. } => Self::new(NotADirectory, foreign),
        }
    }
}
