//! Files in an output's folder that no mark names. None is ever written over or removed.
//!
//! Beside a ledger that knows the output's files they are the user's, and the run stops before its first call. A rebuilt ledger
//! knows no file: what lies in the way then, and what is left over when all is made, goes to `set-aside/`.

use super::selection::View;
use super::update::{Mark, UNFINISHED};
use super::{Disk, Error, Output};
use crate::archive::Archive;

/// Returns the paths in the output's folder that no mark names, sorted: also those that none of its files can have.
///
/// # Errors
/// Those of archive and disk, when they cannot be read.
pub(super) fn unnamed(
    archive: &Archive,
    disk: &dyn Disk,
    output: &dyn Output,
) -> Result<Vec<String>, Error> {
    let mut paths = disk.walk(output.folder()).map_err(Error::disk("list", output.folder()))?;
    paths.sort_unstable();
    let mut unnamed = Vec::new();
    for path in paths {
        if archive.ledger().owner(&path)?.is_none() {
            unnamed.push(path);
        }
    }
    Ok(unnamed)
}

/// Returns the files that no mark names and that have names of the output's own. After a rebuild of the ledger they are those that were
/// made before it.
///
/// # Errors
/// Those of archive and disk.
pub fn unmarked(
    archive: &Archive,
    disk: &dyn Disk,
    output: &dyn Output,
) -> Result<Vec<String>, Error> {
    let mut paths = unnamed(archive, disk, output)?;
    paths.retain(|path| output.is_file(path));
    Ok(paths)
}

/// Returns the files that no mark names and that may be the output's own, made before the ledger was rebuilt. There are none
/// beside a ledger that knows all files: a file with a name that the output's next file may have is somebody else's then.
///
/// # Errors
/// [`Error::Occupied`] for the first such file; those of archive and disk.
pub fn unclaimed(
    archive: &Archive,
    disk: &dyn Disk,
    output: &dyn Output,
) -> Result<Vec<String>, Error> {
    let paths = unmarked(archive, disk, output)?;
    match paths.first() {
        Some(path) if !is_behind(archive, output)? => Err(Error::Occupied { path: path.clone() }),
        _ => Ok(paths),
    }
}

/// Moves those of the files to `set-aside/` that the output has not claimed by now.
///
/// # Errors
/// Those of archive and disk; what was moved stays moved.
pub fn set_aside(archive: &Archive, disk: &dyn Disk, unclaimed: &[String]) -> Result<(), Error> {
    for path in unclaimed {
        let is_there = disk.size(path).map_err(Error::disk("look at", path))?.is_some();
        if is_there && archive.ledger().owner(path)?.is_none() {
            disk.set_aside(path).map_err(Error::disk("set aside", path))?;
        }
    }
    Ok(())
}

/// Returns whether a query has data, and no mark of files that are whole.
fn is_behind(archive: &Archive, output: &dyn Output) -> Result<bool, Error> {
    let view = View::of_directory(archive)?;
    for query in archive.ledger().queries()? {
        let is_marked = match Mark::read(archive, output, query.id)? {
            Mark::Made(made) => made.digest != UNFINISHED,
            Mark::Absent | Mark::Stray(_) => false,
        };
        let shown = view.of_query(archive, query)?;
        if !is_marked && shown.is_some_and(|shown| !shown.grants.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}
