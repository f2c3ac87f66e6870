//! The door to the disk: files are staged whole in one folder, renamed into place, and made durable in groups.
//!
//! Nothing outside DIR is touched: a path is a list of plain names below it, a folder that is a symbolic link is refused,
//! and a link in a file's place is replaced, not followed.

use crate::digest::hex;
use crate::path_guard::{Opening, PathKind, PathState, lock, look, open};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Longest wait for another process that makes files in the same directory: longer than all files of a large one take.
const LOCK_WITHIN: Duration = Duration::from_mins(10);

/// Bytes read at once while a file is hashed.
const READ_BYTES: usize = 64 * 1024;

/// End of the name of a staged file, behind its number.
const STAGED_SUFFIX: &str = ".part";

/// Folder of what was set aside, below DIR.
pub(super) const SET_ASIDE: &str = "set-aside";

/// Folders within each other below an output's, at most: the system takes a path of some thousand bytes.
const FOLDERS_DEEP_MAX: usize = 4;

/// Names tried for a file that is set aside: as many of its path were set aside before.
const ASIDE_TRIES_MAX: u32 = 1_000;

/// The number of a staged file; the caller counts, from 0 after [`Disk::begin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Staged(pub u64);

/// Amounts up to which work is held back before the disk is touched.
#[derive(Debug, Clone, Copy)]
pub struct BufferLimits {
    /// Bytes over all files of a query before they are appended, so that a file of many windows is opened now and then
    /// and not once per window.
    pub pending_bytes_max: usize,
    /// Files of a group: at most this many, or the query that goes beyond, are staged, published and synced together. One
    /// sync costs as much as hundreds of renames.
    pub group_files_max: usize,
}

impl Default for BufferLimits {
    fn default() -> Self {
        Self { pending_bytes_max: 16 * 1024 * 1024, group_files_max: 4_096 }
    }
}

/// A place where files are made. Paths are relative to DIR, with `/`. One caller at a time between `begin` and `end`.
pub trait Disk: Send + Sync {
    /// Waits until no other process makes files here, up to a bound: `jindo extract` may run beside an export.
    fn lock(&self) -> io::Result<ExtractLock> {
        Ok(ExtractLock::default())
    }

    /// Returns how much is held back before this disk is touched. Files have the same content whatever it is.
    fn buffer_limits(&self) -> BufferLimits {
        BufferLimits::default()
    }

    /// Removes staged files of earlier, which are nothing but copies. Without any, nothing is done.
    fn begin(&self) -> io::Result<()>;
    /// Appends to a staged file, created by the first call.
    fn append(&self, staged: Staged, bytes: &[u8]) -> io::Result<()>;
    /// Moves a staged file to `path`, making its folders, replacing what is there; durable after [`Disk::sync`].
    fn publish(&self, staged: Staged, path: &str) -> io::Result<()>;
    /// Removes a file, and its folder with the last one; one that is not there is removed already.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Moves a file to `set-aside/`, below its path, never over another; durable after [`Disk::sync`].
    fn set_aside(&self, path: &str) -> io::Result<()>;
    /// On return everything published and removed so far survives a power failure.
    fn sync(&self) -> io::Result<()>;
    /// Removes the staging folder if nothing is in it.
    fn end(&self) -> io::Result<()>;
    /// Empties and removes the staging folder after an error, so that copies do not keep a full disk full. The next
    /// [`Disk::begin`] removes the rest.
    fn clear(&self) {
        self.begin().and_then(|()| self.end()).unwrap_or_default();
    }
    /// Returns the bytes of a file; `None` for anything else, also for a link.
    fn size(&self, path: &str) -> io::Result<Option<u64>>;
    /// Returns true for anything that lies in the place of a file, also a link or a folder; of a folder's place for anything else than
    /// one.
    fn is_taken(&self, path: &str, by: Place) -> io::Result<bool> {
        Ok(by == Place::OfFile && self.size(path)?.is_some())
    }
    /// Returns true for a file that begins with this text; false for anything else, also for a link.
    fn begins_with(&self, path: &str, text: &[u8]) -> io::Result<bool>;
    /// Returns the SHA-256 of a file's content, in hexadecimal; `None` for anything else, also for a link.
    fn sha256(&self, path: &str) -> io::Result<Option<String>>;
    /// Returns the path of everything below `folder` that is no folder, in no order; links are not followed. A folder deeper than
    /// those of any output, or with a name that is no UTF-8, is returned as well, and what is in it is not.
    fn walk(&self, folder: &str) -> io::Result<Vec<String>>;
}

/// Use of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    OfFile,
    OfFolder,
}

/// The right of one process to make files in a directory; ends when it is dropped, or with the process.
#[derive(Debug, Default)]
pub struct ExtractLock(#[expect(dead_code, reason = "held for its lock")] Option<fs::File>);

/// A folder of the local file system.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// Relative to `root`, so that a rename never crosses file systems.
    staging: &'static str,
    /// Longest wait for the lock.
    lock_within: Duration,
    /// Files and folders that the next sync has to make durable, where one call cannot do it for all.
    #[cfg(not(target_os = "linux"))]
    touched: std::sync::Mutex<std::collections::BTreeSet<PathBuf>>,
}

impl Directory {
    /// The export's own directory, which holds the archive.
    pub fn of_archive(root: &Path) -> Self {
        Self::new(root, "archive/staging")
    }

    /// Any other place, for [`super::copy()`]; made when the first file is.
    pub fn of_copy(root: &Path) -> Self {
        Self::new(root, ".jindo-staging")
    }

    /// Opens a file for reading; `None` for anything else, also for a link.
    pub(super) fn open(&self, path: &str) -> io::Result<Option<File>> {
        if self.file(path)?.is_none() {
            return Ok(None);
        }
        Ok(Some(open(&self.root, path, Opening::Read)?))
    }

    fn new(root: &Path, staging: &'static str) -> Self {
        Self {
            root: root.to_owned(),
            staging,
            lock_within: LOCK_WITHIN,
            #[cfg(not(target_os = "linux"))]
            touched: std::sync::Mutex::default(),
        }
    }

    /// Waits for the lock as long as this at most.
    #[must_use]
    pub fn locked_within(self, lock_within: Duration) -> Self {
        Self { lock_within, ..self }
    }

    /// Returns the place of `path`, which consists of plain names.
    ///
    /// # Panics
    /// For any other path: names are encoded, and paths of a ledger are checked first.
    fn place(&self, path: &str) -> PathBuf {
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        let safe = !path.is_empty() && Path::new(path).components().all(plain);
        assert!(safe, "{path} does not lie below the directory");
        self.root.join(path)
    }

    /// Returns the path of a staged file.
    fn staged(&self, staged: Staged) -> String {
        format!("{}/{}{STAGED_SUFFIX}", self.staging, staged.0)
    }

    /// Looks at the folders on the way to `path` (not at `path` itself), below DIR.
    fn look_at_folder_of(&self, path: &str) -> io::Result<PathState> {
        let (folder, _) = path.rsplit_once('/').unwrap_or_default();
        Ok(look(&self.root, folder, PathKind::Folder)?)
    }

    /// Makes the folders on the way to `path`.
    fn make_folder_of(&self, path: &str) -> io::Result<()> {
        match (self.look_at_folder_of(path)?, self.place(path).parent()) {
            (PathState::Absent, Some(folder)) => fs::create_dir_all(folder),
            _ => Ok(()),
        }
    }

    /// Returns the metadata of the file at `path`, if a file is there and no link on the way.
    fn file(&self, path: &str) -> io::Result<Option<fs::Metadata>> {
        let place = self.place(path);
        if self.look_at_folder_of(path)? == PathState::Absent {
            return Ok(None);
        }
        Ok(there(fs::symlink_metadata(place))?.filter(fs::Metadata::is_file))
    }

    #[cfg(not(target_os = "linux"))]
    fn touch(&self, place: &Path) {
        let mut touched = self.touched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        touched.insert(place.to_owned());
        touched.extend(
            place
                .ancestors()
                .skip(1)
                .take_while(|up| up.starts_with(&self.root))
                .map(Path::to_owned),
        );
    }
}

/// Returns true for the name of a staged file: others in the staging folder are not jindo's.
fn is_staged(name: &OsStr) -> bool {
    let number = name.to_str().and_then(|name| name.strip_suffix(STAGED_SUFFIX));
    number.is_some_and(|number| number.parse::<u64>().is_ok())
}

/// `None` for what does not exist.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a folder unless something is in it.
fn remove_empty(folder: &Path) -> io::Result<()> {
    match there(fs::remove_dir(folder)) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed.map(drop),
    }
}

impl Disk for Directory {
    fn lock(&self) -> io::Result<ExtractLock> {
        // Only in an archive's own directory several processes make files.
        let Some((archive, _)) = self.staging.split_once('/') else {
            return Ok(ExtractLock::default());
        };
        let name = format!("{archive}/files.lock");
        look(&self.root, archive, PathKind::Folder)?;
        fs::create_dir_all(self.place(archive))?;
        let file = open(&self.root, &name, Opening::Edit)?;
        Ok(ExtractLock(Some(lock(file, &name, self.lock_within)?)))
    }

    fn begin(&self) -> io::Result<()> {
        if look(&self.root, self.staging, PathKind::Folder)? == PathState::Absent {
            return Ok(());
        }
        for entry in fs::read_dir(self.place(self.staging))? {
            let entry = entry?;
            if is_staged(&entry.file_name()) && !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn append(&self, staged: Staged, bytes: &[u8]) -> io::Result<()> {
        let path = self.staged(staged);
        let opened = || Ok(open(&self.root, &path, Opening::Append)?);
        let file = match opened() {
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => {
                self.make_folder_of(&path)?;
                opened()
            }
            opened => opened,
        };
        file?.write_all(bytes)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn publish(&self, staged: Staged, path: &str) -> io::Result<()> {
        let place = self.place(path);
        self.make_folder_of(path)?;
        fs::rename(self.place(&self.staged(staged)), &place)?;
        #[cfg(not(target_os = "linux"))]
        self.touch(&place);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let place = self.place(path);
        if self.look_at_folder_of(path)? == PathState::Absent {
            return Ok(());
        }
        there(fs::remove_file(&place))?;
        let folder = place.parent().expect("a place below the directory has a folder");
        remove_empty(folder)?;
        #[cfg(not(target_os = "linux"))]
        self.touch(folder);
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn set_aside(&self, path: &str) -> io::Result<()> {
        let from = self.place(path);
        self.look_at_folder_of(path)?;
        let names = (0..ASIDE_TRIES_MAX).map(|attempt| match attempt {
            0 => format!("{SET_ASIDE}/{path}"),
            attempt => format!("{SET_ASIDE}/{path}.{attempt}"),
        });
        for to in names {
            self.make_folder_of(&to)?;
            if there(fs::symlink_metadata(self.place(&to)))?.is_none() {
                fs::rename(&from, self.place(&to))?;
                #[cfg(not(target_os = "linux"))]
                self.touch(&self.place(&to));
                return Ok(());
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    #[cfg(target_os = "linux")]
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.root)?)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync(&self) -> io::Result<()> {
        let mut touched = self.touched.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for place in touched.iter() {
            // Windows opens no folder as a file, and makes renames durable by itself.
            let Some(is) = there(fs::symlink_metadata(place))? else { continue };
            if is.is_file() {
                File::options().write(true).open(place)?.sync_all()?;
            } else if cfg!(unix) {
                File::open(place)?.sync_all()?;
            }
        }
        touched.clear();
        Ok(())
    }

    fn end(&self) -> io::Result<()> {
        remove_empty(&self.place(self.staging))
    }

    fn size(&self, path: &str) -> io::Result<Option<u64>> {
        Ok(self.file(path)?.map(|file| file.len()))
    }

    fn is_taken(&self, path: &str, by: Place) -> io::Result<bool> {
        let is = there(fs::symlink_metadata(self.place(path)))?;
        Ok(is.is_some_and(|is| by == Place::OfFile || !is.is_dir()))
    }

    fn begins_with(&self, path: &str, text: &[u8]) -> io::Result<bool> {
        if self.file(path)?.is_none() {
            return Ok(false);
        }
        let mut begin = Vec::new();
        open(&self.root, path, Opening::Read)?.take(text.len() as u64).read_to_end(&mut begin)?;
        Ok(begin == text)
    }

    fn sha256(&self, path: &str) -> io::Result<Option<String>> {
        if self.file(path)?.is_none() {
            return Ok(None);
        }
        let mut file = open(&self.root, path, Opening::Read)?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; READ_BYTES]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Some(hex(&hash.finalize()))),
                read => hash.update(&buffer[..read]),
            }
        }
    }

    fn walk(&self, folder: &str) -> io::Result<Vec<String>> {
        let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
        let depth = |path: &str| path.matches('/').count();
        let deepest = depth(folder) + FOLDERS_DEEP_MAX;
        if there(fs::symlink_metadata(self.place(folder)))?.is_none_or(|is| !is.is_dir()) {
            return Ok(found);
        }
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(self.root.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name();
                let path = format!("{folder}/{}", name.to_string_lossy());
                let is_ours = name.to_str().is_some() && depth(&path) <= deepest;
                if is_ours && entry.file_type()?.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }
}
