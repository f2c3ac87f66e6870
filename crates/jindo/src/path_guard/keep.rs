//! A small file of jindo's own that is made once and never written over.

use super::{Error, Opening, PathKind, PathState, look, open};
use std::fs::{create_dir_all, remove_file};
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Content of the file that is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The wanted one: made now, or there before.
    Same,
    /// Somebody else's, left as it was.
    Other,
}

/// Makes the file `name` in `dir`, and `dir` where there is none, unless something has that name; what is there is read up to the
/// length of `bytes` and compared.
///
/// # Errors
/// [`Error::Foreign`] for what is no plain file; [`Error::Failed`], after which no half of the file is left.
pub fn keep(dir: &Path, name: &str, bytes: &[u8]) -> Result<Kept, Error> {
    if look(dir, name, PathKind::File)? == PathState::There {
        let mut found = Vec::new();
        open(dir, name, Opening::Read)?
            .take(bytes.len() as u64 + 1)
            .read_to_end(&mut found)
            .map_err(Error::failed("reading", &dir.join(name)))?;
        return Ok(if found == bytes { Kept::Same } else { Kept::Other });
    }
    create_dir_all(dir).map_err(Error::failed("creating", dir))?;
    let (mut file, path) = (open(dir, name, Opening::New)?, dir.join(name));
    if let Err(source) = file.write_all(bytes).and_then(|()| file.sync_all()) {
        // It was made just now, and by nobody else.
        remove_file(&path).unwrap_or_default();
        return Err(Error::failed("writing", &path)(source));
    }
    Ok(Kept::Same)
}
