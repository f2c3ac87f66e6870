//! Locks on jindo's own files: their holder, as the system tells, and a wait with a bound. Everybody with the right to read a file
//! can lock it, so that a lock alone says nothing about its holder.

use crate::text::one_line;
use std::fmt;
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Characters shown of a program's name; Linux keeps 15.
const NAME_CHARS_MAX: usize = 32;

/// Reads of `/proc/locks` in search of one lock. Linux tells it a page at a time, by position: when others let go of their locks
/// between two pages, a lock that is held moves up and is passed over. Each read misses independently, and costs microseconds.
#[cfg(target_os = "linux")]
const READS_MAX: usize = 32;

/// Process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    pub pid: u32,
    /// Name of its program, as it calls itself.
    pub program: String,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.program)
    }
}

impl LockHolder {
    /// Returns true for a process that calls itself otherwise than this one.
    pub(crate) fn is_another_program(&self) -> bool {
        program_of("self").is_some_and(|own| own != self.program)
    }
}

/// A lock of jindo's that another process held for as long as it was waited for.
#[derive(Debug, thiserror::Error)]
#[error(
    "{by} held the lock {name} for the {} s that were waited for it; nothing is lost: wait for that process or end it, and run the same \
     again",
    .within.as_secs()
)]
pub struct LockHeld {
    by: String,
    name: String,
    within: Duration,
}

/// Takes the lock of a file, which ends with the file, and waits for it at most as long as `within`.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::TimedOut`] with a [`LockHeld`] that names the holder where the system tells.
pub(crate) fn lock(file: File, name: &str, within: Duration) -> io::Result<File> {
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let by = holder(&file);
    let (locked_tx, locked_rx) = channel();
    // The receiver is gone if it took too long: the lock is let go of with the file then.
    std::thread::spawn(move || {
        locked_tx.send(file.lock().map(|()| file)).unwrap_or_default();
    });
    locked_rx.recv_timeout(within).unwrap_or_else(|_| {
        let by = by.map_or_else(|| "another process".to_owned(), |by| by.to_string());
        let held = LockHeld { by, name: name.to_owned(), within };
        Err(io::Error::new(io::ErrorKind::TimedOut, held))
    })
}

/// Returns whether a process has a lock on the file. Linux tells it; elsewhere a shared lock is tried and let go at once.
pub(crate) fn is_locked(file: &File) -> bool {
    if cfg!(target_os = "linux") {
        return holder(file).is_some();
    }
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Returns whether an open file still lies at `path`, and not another or nothing.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok(is_same(&there, &file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Other systems do not remove a file that is open.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// Returns the process that holds a lock on the file; `None` where the system does not tell, or for a process that is not seen
/// from here.
#[cfg(target_os = "linux")]
pub(crate) fn holder(file: &File) -> Option<LockHolder> {
    use std::os::linux::fs::MetadataExt as _;
    let is = file.metadata().ok()?;
    let (major, minor) = (rustix::fs::major(is.st_dev()), rustix::fs::minor(is.st_dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", is.st_ino());
    let pid = (0..READS_MAX)
        .find_map(|_| pid_in(&std::fs::read_to_string("/proc/locks").ok()?, &place))?;
    Some(LockHolder { pid, program: program_of(&pid.to_string())? })
}

/// Other systems have other ways to tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn holder(_: &File) -> Option<LockHolder> {
    None
}

/// Returns the name of the program of a process, `self` for this one; a program chooses it as it likes.
fn program_of(process: &str) -> Option<String> {
    let name = std::fs::read(format!("/proc/{process}/comm")).ok()?;
    Some(one_line(&String::from_utf8_lossy(&name), NAME_CHARS_MAX))
}

/// Returns the first holder of a lock on `file`, as `/proc/locks` names both: `1: FLOCK  ADVISORY  WRITE 4242 fe:00:1001 0 EOF`.
/// Lines of processes that wait have an arrow.
#[cfg(target_os = "linux")]
fn pid_in(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, pid, place, ..] if place == file => pid.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_read_as_the_kernel_writes_it() {
        let locks = "1: FLOCK  ADVISORY  WRITE 24810 fe:00:100 0 EOF\n\
            1: -> FLOCK  ADVISORY  WRITE 7 fe:00:200 0 EOF\n\
            2: POSIX  ADVISORY  READ 8 fe:00:200 128 128\n\
            3: FLOCK  ADVISORY  READ 32178 fe:00:200 0 EOF\n";
        assert_eq!(pid_in(locks, "fe:00:100"), Some(24810));
        assert_eq!(pid_in(locks, "fe:00:200"), Some(32178));
        assert_eq!(pid_in(locks, "fe:00:2000"), None);
    }

    #[test]
    fn a_lock_is_waited_for_within_a_bound_and_its_holder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let opened = || {
            let mut options = File::options();
            options.create(true).append(true).open(dir.path().join("lock")).unwrap()
        };
        let held = opened();
        held.lock_shared().unwrap();
        let refused = lock(opened(), "archive/files.lock", Duration::ZERO).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        let (pid, program) = (std::process::id(), program_of("self").unwrap());
        assert_eq!(
            refused.to_string(),
            format!(
                "process {pid} ({program}) held the lock archive/files.lock for the 0 s that were waited for it; nothing is lost: \
                 wait for that process or end it, and run the same again"
            )
        );
        drop(held);
        lock(opened(), "archive/files.lock", Duration::from_mins(1)).unwrap();
    }

    #[test]
    fn the_holder_is_found_while_others_lock_and_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let created = |name: String| File::create(dir.path().join(name)).unwrap();
        let held = created("held".to_owned());
        held.lock_shared().unwrap();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let files: Vec<_> =
                    (0..100).map(|file| created(format!("{thread}-{file}"))).collect();
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        for file in &files {
                            file.lock().unwrap();
                        }
                        for file in &files {
                            file.unlock().unwrap();
                        }
                    }
                });
            }
            let found = (0..100).filter(|_| holder(&held).is_some()).count();
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(found, 100);
        });
    }
}
