//! The door to the file system, for what is no object: the archive's folders, its lock, and ledger files set aside.
//!
//! Only this file of the archive names `std::fs`. Never touches a whole object; halves that a crash left have names of their own.

use super::{Error, Holder, Journal};
use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes read of a lock file: its holder in JSON is far shorter.
const HOLDER_BYTES_MAX: u64 = 4096;
/// Names tried for a ledger that is set aside: as many were set aside before.
const ASIDE_TRIES_MAX: u32 = 1000;
/// A ledger is up to three files in SQLite. Each must go where the ledger goes: a journal that stays behind is rolled back
/// into whatever lies there next.
const LEDGER_SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// What ends a rollback journal that names a further file, which SQLite would read and remove (`aJournalMagic` in its
/// `pager.c`). Ours name none, as one ledger is all that a transaction writes to.
const NAMES_ANOTHER_FILE: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Where an archive lies.
#[derive(Debug, Clone)]
pub(super) struct Place {
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

impl Place {
    /// An archive that must be there already, with its ledger.
    pub(super) fn there(dir: &Path) -> Result<Self, Error> {
        let place = Self::at(dir);
        if !place.exists() {
            return Err(Error::Absent { dir: dir.to_owned() });
        }
        if !place.ledger().exists() {
            return Err(Error::LedgerLost { dir: dir.to_owned() });
        }
        Ok(place)
    }

    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), root: dir.join("archive") }
    }

    pub(super) fn make(&self) -> Result<(), Error> {
        let data = self.root.join("data");
        fs::create_dir_all(&data).map_err(failed("creating", &data))
    }

    pub(super) fn exists(&self) -> bool {
        self.root.join("data").is_dir() || self.ledger().exists()
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.root.join("ledger.db")
    }

    /// Where a ledger is rebuilt before it takes its place.
    pub(super) fn new_ledger(&self) -> PathBuf {
        self.root.join("ledger.new.db")
    }

    /// Makes a blank ledger file where there is none: SQLite would give it fewer rights than the umask leaves.
    pub(super) fn make_blank(path: &Path) -> Result<(), Error> {
        let made = File::options().append(true).create(true).open(path);
        made.map(drop).map_err(failed("creating", path))
    }

    /// Refuses a ledger whose journal would make SQLite remove a file anywhere: jindo writes none such.
    pub(super) fn check_journal(&self) -> Result<(), Error> {
        let path = super::sqlite::beside(&self.ledger(), "-journal");
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
        let mut removed = self.halves_in(name.rsplit_once('/').map_or("", |(folder, _)| folder))?;
        removed.retain(|half| half.rsplit_once('#').is_some_and(|(whole, _)| whole == name));
        for half in &removed {
            let path = self.root.join(half);
            fs::remove_file(&path).map_err(failed("removing", &path))?;
        }
        Ok(removed)
    }

    /// Every half-written object, by its name below the root.
    pub(super) fn halves(&self) -> Result<Vec<String>, Error> {
        let data = self.root.join("data");
        let mut halves = self.halves_in("data")?;
        for entry in entries(&data)? {
            halves.extend(self.halves_in(&format!("data/{entry}"))?);
        }
        halves.sort_unstable();
        Ok(halves)
    }

    fn halves_in(&self, folder: &str) -> Result<Vec<String>, Error> {
        let mut halves = entries(&self.root.join(folder))?;
        halves.retain(|name| {
            name.rsplit_once('#').is_some_and(|(_, digits)| {
                !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
            })
        });
        let below = |name| if folder.is_empty() { name } else { format!("{folder}/{name}") };
        Ok(halves.into_iter().map(below).collect())
    }

    /// Moves a file below the root to `damaged/`, an object by its name below `data/`; never over another. Its new name.
    pub(super) fn set_aside(&self, name: &str) -> Result<String, Error> {
        let from = self.root.join(name);
        for attempt in 0..ASIDE_TRIES_MAX {
            let suffix = if attempt == 0 { String::new() } else { format!(".{attempt}") };
            let below = name.strip_prefix("data/").unwrap_or(name);
            let aside = format!("damaged/{below}{suffix}");
            let to = self.root.join(&aside);
            if to.exists() {
                continue;
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
            let path = super::sqlite::beside(&self.new_ledger(), suffix);
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

/// Names in a folder, those that are text; none where it is missing or no folder.
fn entries(folder: &Path) -> Result<Vec<String>, Error> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(source) if matches!(source.kind(), NotFound | NotADirectory) => return Ok(Vec::new()),
        Err(source) => return Err(failed("listing", folder)(source)),
    };
    listed
        .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
        .collect::<Result<_, _>>()
        .map_err(failed("listing", folder))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk { doing, path, source }
}
