//! The door to the file system, for what is no object: the archive's folders, its lock, and ledger files set aside.
//!
//! Only this file of the archive names `std::fs`. Never touches a whole object; halves that a crash left have names of their own.
//! Never follows a link: a [`ArchiveFolder`] is one whose fixed places were looked at.

use super::request_file::REQUEST;
use super::{Error, Holder, Journal};
use crate::path_guard::{PathKind, PathState, look, look_at};
use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Bytes read of a lock file: its holder in JSON is far shorter.
const HOLDER_BYTES_MAX: u64 = 4096;
/// Names tried for a ledger that is set aside: as many were set aside before.
const ASIDE_TRIES_MAX: u32 = 1000;
/// A ledger is up to three files in SQLite. Each must go where the ledger goes: a journal that stays behind is rolled back
/// into whatever lies there next.
const LEDGER_SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
const LEDGERS: [&str; 2] = ["ledger.db", "ledger.new.db"];
/// The other files and folders that have their place below the root; `extract` and `run` have some of them.
const FILES: [&str; 3] = ["lock", "files.lock", REQUEST];
const FOLDERS: [&str; 3] = ["data", "damaged", "staging"];
/// End of a rollback journal that names a further file, which SQLite would read and remove (`aJournalMagic` in its
/// `pager.c`). Ours name none, as one ledger is all that a transaction writes to.
const NAMES_ANOTHER_FILE: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Place of an archive, of which everything fixed was looked at and is plain.
#[derive(Debug, Clone)]
pub(super) struct ArchiveFolder {
    /// The directory that was named by the user.
    pub dir: PathBuf,
    /// `DIR/archive`.
    pub root: PathBuf,
}

/// Held as long as this lives; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl ArchiveFolder {
    /// An archive that must be there already, with its ledger.
    pub(super) fn there(dir: &Path) -> Result<Self, Error> {
        let place = Self::at(dir)?;
        if !place.exists() {
            return Err(Error::Absent { dir: dir.to_owned() });
        }
        if !place.ledger().exists() {
            return Err(Error::LedgerLost { dir: dir.to_owned() });
        }
        Ok(place)
    }

    /// Refused where something else than plain files and folders lies at one of the fixed places.
    pub(super) fn at(dir: &Path) -> Result<Self, Error> {
        let place = Self { dir: dir.to_owned(), root: dir.join("archive") };
        look_at(&dir.join("runs"), PathKind::Folder)?;
        if look_at(&place.root, PathKind::Folder)? == PathState::There {
            place.check_fixed()?;
        }
        Ok(place)
    }

    fn check_fixed(&self) -> Result<(), Error> {
        for name in FOLDERS {
            look_at(&self.root.join(name), PathKind::Folder)?;
        }
        for name in FILES {
            look_at(&self.root.join(name), PathKind::File)?;
        }
        for ledger in LEDGERS.map(|name| self.root.join(name)) {
            for suffix in LEDGER_SUFFIXES {
                look_at(&super::ledger::beside(&ledger, suffix), PathKind::File)?;
            }
        }
        Ok(())
    }

    pub(super) fn make(&self) -> Result<(), Error> {
        let data = self.root.join("data");
        fs::create_dir_all(&data).map_err(failed("creating", &data))
    }

    pub(super) fn exists(&self) -> bool {
        self.root.join("data").is_dir() || self.ledger().exists()
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.root.join(LEDGERS[0])
    }

    /// Returns the path where a ledger is rebuilt before it takes its place.
    pub(super) fn new_ledger(&self) -> PathBuf {
        self.root.join(LEDGERS[1])
    }

    /// Makes a blank ledger file where there is none: SQLite would give it fewer rights than the umask leaves.
    pub(super) fn make_blank(path: &Path) -> Result<(), Error> {
        let made = File::options().append(true).create(true).open(path);
        made.map(drop).map_err(failed("creating", path))
    }

    /// Refuses a ledger whose journal would make SQLite remove a file anywhere: jindo writes none such.
    pub(super) fn check_journal(&self) -> Result<(), Error> {
        let path = super::ledger::beside(&self.ledger(), "-journal");
        let mut file = match File::open(&path) {
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(failed("opening", &path))?,
        };
        let mut end = [0; NAMES_ANOTHER_FILE.len()];
        let back = -(end.len().cast_signed() as i64);
        // A file too short for it holds none.
        let told = file.seek(SeekFrom::End(back)).and_then(|_| file.read_exact(&mut end)).is_ok();
        if told && end == NAMES_ANOTHER_FILE {
            return Err(Error::LedgerDamaged { why: "its journal names another file".into() });
        }
        Ok(())
    }

    /// The journal that the ledger needs where the archive lies, which must exist.
    #[cfg(target_os = "linux")]
    pub(super) fn journal(&self) -> Result<Journal, Error> {
        let told = rustix::fs::statfs(&self.root);
        let told = told.map_err(|source| failed("looking at", &self.root)(source.into()))?;
        #[expect(clippy::cast_possible_truncation, reason = "the numbers have 32 bits")]
        #[expect(clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
        Ok(Journal::on(told.f_type as u32))
    }

    /// Other systems' numbers are their own: there SQLite says whether the write-ahead log works.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "Linux asks")]
    pub(super) fn journal(&self) -> Result<Journal, Error> {
        Ok(Journal::WriteAhead)
    }

    /// Takes the lock for writing, or names who has it.
    pub(super) fn lock(&self, holder: &Holder) -> Result<Lock, Error> {
        let path = self.root.join("lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let named = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).is_ok();
                let holder = if named { serde_json::from_str(&text).ok() } else { None };
                return Err(Error::Busy { dir: self.dir.clone(), holder });
            }
            Err(TryLockError::Error(source)) => {
                return Err(Error::NoLocks { dir: self.dir.clone(), source });
            }
        }
        let text = serde_json::to_string(holder).expect("a holder is always JSON");
        let named = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        named.map_err(failed("writing", &path))?;
        Ok(Lock { _file: file })
    }

    /// Removes what a publication of `name` (below the root) left half-done: `name#1`, `name#2`, …; their names.
    pub(super) fn remove_halves(&self, name: &str) -> Result<Vec<String>, Error> {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        if look(&self.root, folder, PathKind::Folder)? == PathState::Absent {
            return Ok(Vec::new());
        }
        let mut removed = Vec::new();
        for FolderEntry { name: half, .. } in list(&self.root.join(folder))? {
            let half = if folder.is_empty() { half } else { format!("{folder}/{half}") };
            if is_half(&half) && half.rsplit_once('#').is_some_and(|(whole, _)| whole == name) {
                let path = self.root.join(&half);
                fs::remove_file(&path).map_err(failed("removing", &path))?;
                removed.push(half);
            }
        }
        Ok(removed)
    }

    /// Every half-written object, by its name below the root.
    pub(super) fn halves(&self) -> Result<Vec<String>, Error> {
        let mut halves = Vec::new();
        walk(&self.root, "data", &mut |found| {
            if found.is_plain() && is_half(&found.name) {
                halves.push(found.name);
            }
            ControlFlow::Continue(())
        })?;
        halves.sort_unstable();
        Ok(halves)
    }

    /// Moves a file below the root to `damaged/`, an object by its name below `data/`; never over another. Its new name.
    pub(super) fn set_aside(&self, name: &str) -> Result<String, Error> {
        let from = self.root.join(name);
        look(&self.root, name, PathKind::File)?;
        for attempt in 0..ASIDE_TRIES_MAX {
            let suffix = if attempt == 0 { String::new() } else { format!(".{attempt}") };
            let below = name.strip_prefix("data/").unwrap_or(name);
            let aside = format!("damaged/{below}{suffix}");
            let to = self.root.join(&aside);
            match look(&self.root, &aside, PathKind::File).map_err(Error::from) {
                Ok(PathState::Absent) => {}
                // Whatever has that name keeps it.
                Ok(PathState::There) => continue,
                Err(Error::Foreign { path, .. }) if path == to => continue,
                Err(error) => return Err(error),
            }
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).map_err(failed("creating", folder))?;
            }
            rename(&from, &to)?;
            return Ok(aside);
        }
        let taken = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        Err(failed("setting aside", &from)(taken))
    }

    /// Moves the ledger's files, as many as there are, to `damaged/`.
    pub(super) fn set_ledger_aside(&self) -> Result<Vec<String>, Error> {
        LEDGER_SUFFIXES
            .iter()
            .map(|suffix| format!("ledger.db{suffix}"))
            .filter(|name| self.root.join(name).exists())
            .map(|name| self.set_aside(&name))
            .collect()
    }

    /// Removes a rebuilt ledger that never took its place.
    pub(super) fn remove_new_ledger(&self) -> Result<(), Error> {
        for suffix in LEDGER_SUFFIXES {
            let path = super::ledger::beside(&self.new_ledger(), suffix);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed("removing", &path)(source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Puts the rebuilt ledger in its place, durably.
    pub(super) fn install_new_ledger(&self) -> Result<(), Error> {
        let new = self.new_ledger();
        File::open(&new).and_then(|file| file.sync_all()).map_err(failed("syncing", &new))?;
        rename(&new, &self.ledger())?;
        sync_folder(&self.root)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door; what moves is whole already")]
fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(failed("moving", from))
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(failed("syncing", path))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), Error> {
    Ok(())
}

/// Something below a folder that is no folder itself.
#[derive(Debug)]
pub(super) struct WalkedFile {
    /// With `/`; a name that is no text as far as it can be read.
    pub name: String,
    /// Kind of what is no plain file with a name that is text; `None` for one that is.
    pub foreign: Option<&'static str>,
}

impl WalkedFile {
    pub(super) fn is_plain(&self) -> bool {
        self.foreign.is_none()
    }
}

/// Returns true for the name of a file that a publication left half-done: `…#1`.
pub(super) fn is_half(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Calls `found` with everything below `folder` in `root` that is no folder, in no order, until it has enough. Follows nothing.
pub(super) fn walk(
    root: &Path,
    folder: &str,
    found: &mut dyn FnMut(WalkedFile) -> ControlFlow<()>,
) -> Result<(), Error> {
    if look(root, folder, PathKind::Folder)? == PathState::Absent {
        return Ok(());
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for FolderEntry { name, is_text, kind } in list(&root.join(&folder))? {
            let name = format!("{folder}/{name}");
            let foreign = match kind {
                _ if !is_text => Some("a name that is no text"),
                kind if kind.is_dir() => {
                    folders.push(name);
                    continue;
                }
                kind if kind.is_file() => None,
                kind if kind.is_symlink() => Some("a symbolic link"),
                _ => Some("a pipe, a socket or a device"),
            };
            if found(WalkedFile { name, foreign }).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

struct FolderEntry {
    name: String,
    is_text: bool,
    /// Of itself, not of what it may lead to.
    kind: fs::FileType,
}

/// Lists a folder; nothing where it is gone.
fn list(folder: &Path) -> Result<Vec<FolderEntry>, Error> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed("listing", folder)(source)),
    };
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry?;
        let (is_text, kind) = (entry.file_name().to_str().is_some(), entry.file_type()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok(FolderEntry { name, is_text, kind })
    };
    listed.map(entry).collect::<Result<_, _>>().map_err(failed("listing", folder))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk { doing, path, source }
}
