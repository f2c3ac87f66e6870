//! Files of jindo's own, opened in their place: nothing is followed, nothing waited for, and what was opened is looked at again.

use super::{Error, PathKind, foreign_kind, look, look_at};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// Use of a file that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// To be read; it must be there.
    Read,
    /// To be read and written, made where there is none.
    Edit,
    /// To be written at its end, made where there is none.
    Append,
    /// To be written; nothing may be there yet.
    New,
}

impl Opening {
    /// Only what is not written may have another name.
    fn kind(self) -> PathKind {
        if self == Self::Read { PathKind::File } else { PathKind::OwnFile }
    }

    fn options(self) -> OpenOptions {
        let mut options = File::options();
        match self {
            Self::Read => options.read(true),
            Self::Edit => options.read(true).write(true).create(true).truncate(false),
            Self::Append => options.append(true).create(true),
            Self::New => options.write(true).create_new(true),
        };
        follow_nothing(&mut options);
        options
    }
}

/// Opens the file `below` in `dir`, after a look at each folder on the way; a path of plain names, with `/`.
pub(crate) fn open(dir: &Path, below: &str, opening: Opening) -> Result<File, Error> {
    look(dir, below, opening.kind())?;
    open_at(&dir.join(below), opening)
}

/// Opens a file, the way to which was looked at.
pub(crate) fn open_at(place: &Path, opening: Opening) -> Result<File, Error> {
    look_at(place, opening.kind())?;
    let file = match opening.options().open(place) {
        Ok(file) => file,
        Err(source) => {
            // Something else may have come there since: its name says more than the system's error.
            look_at(place, opening.kind())?;
            return Err(Error::failed("opening", place)(source));
        }
    };
    let is = file.metadata().map_err(Error::failed("looking at", place))?;
    match foreign_kind(&is, opening.kind()) {
        None => Ok(file),
        Some(what) => Err(Error::Foreign { path: place.to_owned(), what }),
    }
}

/// No link is followed, and no pipe without another side waited for.
#[cfg(unix)]
fn follow_nothing(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
}

/// Other systems have no such flags: the look before is all.
#[cfg(not(unix))]
fn follow_nothing(_: &mut OpenOptions) {}
