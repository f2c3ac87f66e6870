//! The door to the disk and to standard input for list files. Reads bytes up to a limit; never looks into them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Display, Path, PathBuf};

/// Bytes of a list file, at most: a hundred thousand queries of 160 bytes. More is another kind of file.
pub const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A list that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not there, is a folder, or may not be read.
    #[error("cannot read the list of queries {}", shown(path))]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// This is no list of queries.
    #[error("{} is larger than {} MiB, so it is no list of queries", shown(path), LIST_BYTES_MAX >> 20)]
    TooLarge { path: PathBuf },
}

/// The path under which standard input is read.
pub const STANDARD_INPUT: &str = "-";

fn shown(path: &Path) -> Display<'_> {
    let is_input = path == Path::new(STANDARD_INPUT);
    if is_input { Path::new("standard input") } else { path }.display()
}

/// The bytes of a list file; `-` is standard input.
pub fn load(path: &Path) -> Result<Vec<u8>, LoadError> {
    let read = if path == Path::new(STANDARD_INPUT) {
        read_up_to(io::stdin().lock(), LIST_BYTES_MAX)
    } else {
        File::open(path).and_then(|file| read_up_to(file, LIST_BYTES_MAX))
    };
    match read {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(LoadError::TooLarge { path: path.to_owned() }),
        Err(source) => Err(LoadError::Unreadable { path: path.to_owned(), source }),
    }
}

/// All bytes of `reader`, or `None` when there are more than `limit`.
fn read_up_to(reader: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = reader.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((read as u64 <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_up_to_its_limit() {
        assert_eq!(read_up_to(&b"abc"[..], 3).unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(read_up_to(&b"abcd"[..], 3).unwrap(), None);
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&folder.path().join("queries.txt")).unwrap_err();
        assert!(error.to_string().ends_with("queries.txt"), "{error}");
        assert!(matches!(load(folder.path()), Err(LoadError::Unreadable { .. })));
    }
}
