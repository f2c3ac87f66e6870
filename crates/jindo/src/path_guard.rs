//! Guard of jindo's own places below DIR: there is a plain folder or a plain file, or nothing yet. Anything else (a link, a pipe, a
//! device) was put there by somebody else and is refused before it is opened, locked, written or removed: what is done
//! through it would be done elsewhere, or never end. Only looks, and follows nothing. DIR itself was named by the user, and
//! may be what it likes.

use std::io;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Component, Path, PathBuf};

/// A place that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something else than jindo's own lies there, or on the way.
    #[error("{}", foreign(.path, .what))]
    Foreign { path: PathBuf, what: &'static str },
    #[error("looking at {}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
}

/// Words the refusal of a place.
pub(crate) fn foreign(path: &Path, what: &str) -> String {
    let path = path.display();
    format!(
        "{path} is {what}, where jindo keeps plain files and folders alone; nothing is done through it: move it away"
    )
}

/// Expected kind of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    Folder,
    File,
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
        Err(source) => {
            return Err(Error::Unreadable { path: place.to_owned(), source });
        }
    };
    let is_own = match kind {
        PathKind::Folder => is.is_dir(),
        PathKind::File => is.is_file(),
    };
    if is_own {
        return Ok(PathState::There);
    }
    let what = if is.is_symlink() {
        "a symbolic link"
    } else if is.is_dir() {
        "a folder"
    } else if is.is_file() {
        "a file"
    } else {
        "a pipe, a socket or a device"
    };
    Err(Error::Foreign { path: place.to_owned(), what })
}

/// For doors whose errors are the system's.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unreadable { source, .. } => source,
            foreign @ Error::Foreign { .. } => Self::new(NotADirectory, foreign),
        }
    }
}
