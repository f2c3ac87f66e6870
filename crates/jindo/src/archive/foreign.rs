//! What lies at jindo's own places below DIR: a plain folder or a plain file, or nothing yet. Anything else (a link, a pipe, a
//! device) was put there by somebody else and is refused before it is opened, locked, written or removed: what is done
//! through it would be done elsewhere, or never end. Only looks, and follows nothing. DIR itself was named by the user, and
//! may be what it likes.

use super::Error;
use std::io;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Component, Path};

/// What belongs at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
}

/// Whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    There,
    Absent,
}

/// Looks at the place of `below` in `dir`, and at each folder on the way: a path of plain names, with `/`.
pub(crate) fn look(dir: &Path, below: &str, kind: Kind) -> Result<Seen, Error> {
    let mut place = dir.to_owned();
    let mut names = Path::new(below).components().peekable();
    while let Some(name) = names.next() {
        if !matches!(name, Component::Normal(_)) {
            let what = "a path that leads elsewhere";
            return Err(Error::Foreign { path: dir.join(below), what });
        }
        place.push(name);
        let kind = if names.peek().is_some() { Kind::Folder } else { kind };
        if look_at(&place, kind)? == Seen::Absent {
            return Ok(Seen::Absent);
        }
    }
    Ok(Seen::There)
}

/// Looks at one place, the way to which was looked at.
pub(crate) fn look_at(place: &Path, kind: Kind) -> Result<Seen, Error> {
    let is = match place.symlink_metadata() {
        Ok(is) => is,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(Seen::Absent),
        Err(source) => {
            return Err(Error::Disk { doing: "looking at", path: place.to_owned(), source });
        }
    };
    let is_own = match kind {
        Kind::Folder => is.is_dir(),
        Kind::File => is.is_file(),
    };
    if is_own {
        return Ok(Seen::There);
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
pub(crate) fn as_io(error: Error) -> io::Error {
    if let Error::Disk { source, .. } = error {
        return source;
    }
    io::Error::new(NotADirectory, error)
}
