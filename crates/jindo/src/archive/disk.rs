//! The door to the file system, for what is no object: the archive's folders, its lock, and ledger files set aside.
//!
//! Only this file of the archive names `std::fs`. Never touches a whole object; halves that a crash left have names of their own.
//! Never follows a link: a [`ArchiveFolder`] is one whose fixed places were looked at.

use super::objects::{is_object_name, place};
use super::request_file::REQUEST;
use super::{Error, Holder};
use crate::path_guard::{
    LockHolder, Opening, PathKind, PathState, holder, is_at, is_locked, look, look_at, open,
    open_at,
};
use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes read of a lock file: its holder in JSON is far shorter.
const HOLDER_BYTES_MAX: u64 = 4096;
/// Entries of names that no object has, at most, of which each is told: somebody else's, and there may be millions.
const ODD_NAMES_MAX: usize = 1_000;
/// Names tried for a ledger that is set aside: as many were set aside before.
const ASIDE_TRIES_MAX: u32 = 1000;
/// A ledger is up to three files in SQLite. Each must go where the ledger goes: a journal that stays behind is rolled back
/// into whatever lies there next.
const LEDGER_SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
const LEDGERS: [&str; 2] = ["ledger.db", "ledger.new.db"];
/// The other files and folders that have their place below the root; `extract` and `run` have some of them.
const FILES: [&str; 3] = ["lock", "files.lock", REQUEST];
const FOLDERS: [&str; 4] = ["data", "probes", "damaged", "staging"];
/// Folders that hold objects: those of data and those of probes and samples.
pub(super) const FOLDERS_OF_OBJECTS: [&str; 2] = ["data", "probes"];
/// End of a rollback journal that names a further file, which SQLite would read and remove (`aJournalMagic` in its
/// `pager.c`). Ours name none, as one ledger is all that a transaction writes to.
const NAMES_ANOTHER_FILE: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// Bytes of a ledger's header up to the version that a program must know to write to it, how a header begins, and the latest version
/// that SQLite knows (<https://sqlite.org/fileformat2.html>).
const HEADER_BYTES: usize = 19;
const HEADER_MARK: &[u8] = b"SQLite format 3\0";
const WRITE_VERSION_MAX: u8 = 2;
/// File systems of other machines, as Linux names them (`mountinfo`). They have no memory in common for the index of the
/// ledger's write-ahead log, or one per machine: two of them would read each other's halves.
#[cfg(target_os = "linux")]
const OF_OTHER_MACHINES: &str = "afs beegfs ceph cifs coda fuse.ceph fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs \
    fuse.vmhgfs-fuse gfs2 gpfs lustre ncpfs nfs nfs4 ocfs2 panfs pvfs2 smb3 smbfs vboxsf vmhgfs";

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
    file: File,
    path: PathBuf,
    dir: PathBuf,
}

impl Lock {
    /// Fails where the lock's file is not the one at its place any more: the directory was removed, moved or replaced, and what is
    /// written goes nowhere, or among the files of others.
    pub(super) fn check_in_place(&self) -> Result<(), Error> {
        if is_at(&self.file, &self.path).map_err(failed("looking at", &self.path))? {
            return Ok(());
        }
        Err(Error::Removed { dir: self.dir.clone() })
    }
}

impl ArchiveFolder {
    /// An archive that must be there already, with its ledger.
    pub(super) fn there(dir: &Path) -> Result<Self, Error> {
        let place = Self::existing(dir)?;
        if !place.ledger().exists() {
            return Err(Error::LedgerLost { dir: dir.to_owned() });
        }
        place.check_ledger_files()?;
        Ok(place)
    }

    /// An archive that must be there already; its ledger may be lost.
    pub(super) fn existing(dir: &Path) -> Result<Self, Error> {
        let place = Self::at(dir)?;
        if place.root.join("data").is_dir() || place.ledger().exists() {
            return Ok(place);
        }
        Err(Error::Absent { dir: dir.to_owned() })
    }

    /// Refused where something else than plain files and folders lies at one of the fixed places, and on a file system of other
    /// machines.
    pub(super) fn at(dir: &Path) -> Result<Self, Error> {
        let place = Self { dir: dir.to_owned(), root: dir.join("archive") };
        look_at(&dir.join("runs"), PathKind::Folder)?;
        if look_at(&place.root, PathKind::Folder)? == PathState::Absent {
            return Ok(place);
        }
        for name in FOLDERS {
            look_at(&place.root.join(name), PathKind::Folder)?;
        }
        for name in FILES {
            look_at(&place.root.join(name), PathKind::File)?;
        }
        for ledger in LEDGERS.map(|name| place.root.join(name)) {
            for suffix in LEDGER_SUFFIXES {
                // SQLite writes to its companions even where it only reads.
                let kind = if suffix.is_empty() { PathKind::File } else { PathKind::OwnFile };
                look_at(&super::ledger::beside(&ledger, suffix), kind)?;
            }
        }
        place.check_local()?;
        Ok(place)
    }

    /// Refuses a ledger with a second name, through which what is written would change the file of that name.
    pub(super) fn check_own_ledger(&self) -> Result<(), Error> {
        for ledger in LEDGERS.map(|name| self.root.join(name)) {
            look_at(&ledger, PathKind::OwnFile)?;
        }
        Ok(())
    }

    pub(super) fn make(&self) -> Result<(), Error> {
        let data = self.root.join("data");
        fs::create_dir_all(&data).map_err(failed("creating", &data))?;
        self.check_local()
    }

    #[cfg(target_os = "linux")]
    fn check_local(&self) -> Result<(), Error> {
        let is = self.root.metadata().map_err(failed("looking at", &self.root))?;
        let device = std::os::linux::fs::MetadataExt::st_dev(&is);
        let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        // Where the system does not tell, SQLite does, with its first error.
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        match kind_of_other_machines(&mounts, &device) {
            Some(kind) => Err(Error::NotLocal { dir: self.dir.clone(), kind }),
            None => Ok(()),
        }
    }

    /// Other systems' names are their own: there SQLite says that the write-ahead log does not work.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "Linux asks")]
    fn check_local(&self) -> Result<(), Error> {
        Ok(())
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
        Ok(open_at(path, Opening::Append).map(drop)?)
    }

    /// Refuses a ledger whose journal would make SQLite remove a file anywhere, and one whose header lets no SQLite of today write to it:
    /// jindo writes none such.
    pub(super) fn check_ledger_files(&self) -> Result<(), Error> {
        let damaged = |why: &str| Err(Error::LedgerDamaged { why: why.into() });
        let end = -(NAMES_ANOTHER_FILE.len().cast_signed() as i64);
        let journal = super::ledger::beside(&self.ledger(), "-journal");
        if piece(&journal, PathKind::OwnFile, SeekFrom::End(end))? == Some(NAMES_ANOTHER_FILE) {
            return damaged("its journal names another file");
        }
        match piece::<HEADER_BYTES>(&self.ledger(), PathKind::File, SeekFrom::Start(0))? {
            Some([header @ .., version])
                if header.starts_with(HEADER_MARK) && version > WRITE_VERSION_MAX =>
            {
                damaged("its header says that only a later SQLite may write to it")
            }
            _ => Ok(()),
        }
    }

    /// Takes the lock for writing, or names its holder. No other process is waited for: an export may take hours.
    pub(super) fn lock(&self, writer: &Holder) -> Result<Lock, Error> {
        let path = self.root.join("lock");
        let mut file = open(&self.dir, "archive/lock", Opening::Edit)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.busy(file)),
            Err(TryLockError::Error(source)) => {
                return Err(Error::NoLocks { dir: self.dir.clone(), source });
            }
        }
        self.check_own_ledger()?;
        let text = serde_json::to_string(writer).expect("a holder is always JSON");
        let named = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        named.map_err(failed("writing", &path))?;
        Ok(Lock { file, path, dir: self.dir.clone() })
    }

    /// Returns the error that a second writer would get now; `None` where the lock is free.
    pub(super) fn writer(&self) -> Result<Option<Error>, Error> {
        if look(&self.root, "lock", PathKind::File)? == PathState::Absent {
            return Ok(None);
        }
        let file = open(&self.dir, "archive/lock", Opening::Read)?;
        Ok(is_locked(&file).then(|| self.busy(file)))
    }

    /// Returns the error of a lock that is held. Its file names the last jindo that wrote, which is not the holder where another
    /// program has the lock: reading the file is enough to take it.
    fn busy(&self, file: File) -> Error {
        let dir = self.dir.clone();
        if let Some(by) = holder(&file).filter(LockHolder::is_another_program) {
            return Error::LockedByOther { dir, by };
        }
        let mut text = String::new();
        let named = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).is_ok();
        let holder = if named { serde_json::from_str(&text).ok() } else { None };
        Error::Busy { dir, holder }
    }

    /// Removes what a publication of `name` (below the root) left half-done: `name#1`, `name#2`, …; their names.
    pub(super) fn remove_halves(&self, name: &str) -> Result<Vec<String>, Error> {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        if look(&self.root, folder, PathKind::Folder)? == PathState::Absent {
            return Ok(Vec::new());
        }
        let mut removed = Vec::new();
        for entry in list(&self.root.join(folder))? {
            let FolderEntry { name: half, kind, .. } = entry?;
            let half = if folder.is_empty() { half } else { format!("{folder}/{half}") };
            if kind.is_file()
                && is_half(&half)
                && half.rsplit_once('#').is_some_and(|(whole, _)| whole == name)
            {
                let path = self.root.join(&half);
                fs::remove_file(&path).map_err(failed("removing", &path))?;
                removed.push(half);
            }
        }
        Ok(removed)
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

    /// Moves the old ledger's files, as many as there are, to `damaged/`, and puts the rebuilt one in its place, durably.
    pub(super) fn install_new_ledger(&self) -> Result<(), Error> {
        for name in LEDGER_SUFFIXES.map(|suffix| format!("{}{suffix}", LEDGERS[0])) {
            if self.root.join(&name).exists() {
                self.set_aside(&name)?;
            }
        }
        let new = self.new_ledger();
        open_at(&new, Opening::Read)?.sync_all().map_err(failed("syncing", &new))?;
        rename(&new, &self.ledger())?;
        sync_folder(&self.root)
    }
}

/// Reads so many bytes of a file; nothing where it is not there, or too short for them.
fn piece<const N: usize>(
    path: &Path,
    kind: PathKind,
    from: SeekFrom,
) -> Result<Option<[u8; N]>, Error> {
    let mut piece = [0; N];
    if look_at(path, kind)? == PathState::Absent {
        return Ok(None);
    }
    let mut file = open_at(path, Opening::Read)?;
    let read = file.seek(from).and_then(|_| file.read_exact(&mut piece));
    Ok(read.is_ok().then_some(piece))
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

/// Files below the folders of objects, by the names of objects, sorted.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub files: Vec<String>,
    /// Left by a publication that a crash cut off.
    pub halves: Vec<String>,
    /// Anything else than a plain file with a name that an object could have, and its kind. Left alone.
    pub foreign: Vec<(String, &'static str)>,
    /// Number of entries with names that no object has, beyond [`ODD_NAMES_MAX`]. Left alone.
    pub beyond: u64,
    /// Names that no object has, among those above.
    odd: usize,
}

impl Listed {
    fn take_file(&mut self, name: String) {
        let whole = if is_half(&name) { name.rsplit_once('#') } else { None };
        let is_odd = !is_object_name(whole.map_or(&*name, |(whole, _)| whole));
        if is_odd && !self.has_room() {
            return;
        }
        if whole.is_some() { self.halves.push(name) } else { self.files.push(name) }
    }

    fn take_foreign(&mut self, name: String, what: &'static str) {
        if self.has_room() {
            self.foreign.push((name, what));
        }
    }

    /// Counts an odd name; returns false where it is one too many.
    fn has_room(&mut self) -> bool {
        let has_room = self.odd < ODD_NAMES_MAX;
        if has_room {
            self.odd += 1;
        } else {
            self.beyond += 1;
        }
        has_room
    }
}

/// Lists everything below the folders of objects in `root` that is no folder. Follows nothing.
pub(super) fn list_data(root: &Path) -> Result<Listed, Error> {
    let mut listed = Listed::default();
    let mut folders = Vec::new();
    for folder in FOLDERS_OF_OBJECTS {
        if look(root, folder, PathKind::Folder)? == PathState::There {
            folders.push(format!("{folder}/"));
        }
    }
    while let Some(folder) = folders.pop() {
        for entry in list(&root.join(&folder))? {
            let FolderEntry { name, is_text, kind } = entry?;
            let path = format!("{folder}{name}");
            let below = path.strip_prefix("data/").unwrap_or(&path).to_owned();
            match kind {
                _ if !is_text => listed.take_foreign(below, "a name that is no text"),
                // Objects lie in the folders of days, and nothing is looked for below these: there may be any number.
                kind if kind.is_dir()
                    && FOLDERS_OF_OBJECTS.contains(&folder.trim_end_matches('/')) =>
                {
                    folders.push(format!("{path}/"));
                }
                kind if kind.is_dir() => {
                    listed.take_foreign(below, "a folder where no object lies");
                }
                _ if place(&below) != path => {
                    listed.take_foreign(path, "a name that no file of the archive has");
                }
                kind if kind.is_symlink() => listed.take_foreign(below, "a symbolic link"),
                kind if !kind.is_file() => {
                    listed.take_foreign(below, "a pipe, a socket or a device");
                }
                _ => listed.take_file(below),
            }
        }
    }
    listed.files.sort_unstable();
    listed.halves.sort_unstable();
    listed.foreign.sort_unstable();
    Ok(listed)
}

/// Returns true for the name of a file that a publication left half-done: `…#1`.
fn is_half(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Returns the kind of a device's file system if it is one of other machines.
#[cfg(target_os = "linux")]
fn kind_of_other_machines(mounts: &str, device: &str) -> Option<String> {
    let mut on_device = mounts.lines().filter(|line| line.split(' ').nth(2) == Some(device));
    on_device.find_map(|line| {
        let (_, told) = line.split_once(" - ")?;
        let kind = told.split(' ').next()?;
        OF_OTHER_MACHINES.split(' ').any(|other| other == kind).then(|| kind.to_owned())
    })
}

struct FolderEntry {
    name: String,
    is_text: bool,
    /// Of itself, not of what it may lead to.
    kind: fs::FileType,
}

/// Lists a folder, one entry after the other; nothing where it is gone.
fn list(folder: &Path) -> Result<impl Iterator<Item = Result<FolderEntry, Error>>, Error> {
    let listed = match fs::read_dir(folder) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => None,
        listed => Some(listed.map_err(failed("listing", folder))?),
    };
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry?;
        let (is_text, kind) = (entry.file_name().to_str().is_some(), entry.file_type()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok(FolderEntry { name, is_text, kind })
    };
    let folder = folder.to_owned();
    let read = move |found| entry(found).map_err(failed("listing", &folder));
    Ok(listed.into_iter().flatten().map(read))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk { doing, path, source }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_file_systems_of_other_machines_are_named() {
        let mounts = "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
            31 22 0:44 / /n rw,relatime shared:5 master:2 - nfs4 host:/x rw,vers=4.2\n\
            32 22 0:45 / /s rw - fuse.sshfs me@host:/ rw\n33 22 0:46 / /f rw - fuse.mergerfs a:b rw\n";
        let kinds = ["8:1", "0:44", "0:45", "0:46", "0:47"];
        let told = kinds.map(|device| kind_of_other_machines(mounts, device));
        let told = told.each_ref().map(|kind| kind.as_deref());
        assert_eq!(told, [None, Some("nfs4"), Some("fuse.sshfs"), None, None]);
    }
}
