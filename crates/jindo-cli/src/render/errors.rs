//! Errors in words: the only place that writes `error:` and `hint:`.

use crate::render::shell;
use crate::terminal::Lines;
use jindo::fetch::Breakage;
use jindo::path_guard::LockHeld;
use jindo::text::{messages, with_causes};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::path::Path;

/// Hint of a failure after which the user has nothing to correct.
pub(crate) const CONTINUES: &str = "what was fetched is kept; the same command continues";

/// SQLite's words for a lock that it waited for in vain.
const LEDGER_BUSY: &str = "database is locked";

/// Error of the user's input, with a hint: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Usage {
    text: String,
    /// Lines below the text.
    more: Vec<String>,
    hint: Option<String>,
    /// Command line below the hint.
    example: Option<String>,
}

impl Usage {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), more: Vec::new(), hint: None, example: None }
    }

    /// Returns the error of a list that is not there, is empty, or is none, with the way to one.
    pub(crate) fn without_list(text: impl Into<String>) -> Self {
        let hint = "a list has one metric query a line, as Datadog writes it; this writes one with a single query:";
        Self::new(text).hint(hint).example("echo 'avg:system.cpu.user{*} by {host}' >> queries.txt")
    }

    /// Returns an error of several lines.
    pub(crate) fn of_lines(mut lines: Vec<String>) -> Self {
        let more = lines.split_off(lines.len().min(1));
        Self { text: lines.concat(), more, hint: None, example: None }
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds a command line that the hint ends with.
    #[must_use]
    pub(crate) fn example(self, command: impl Into<String>) -> Self {
        Self { example: Some(command.into()), ..self }
    }
}

/// Failure with a hint: exit code 1, or 4 where another process was in the way.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failed {
    text: String,
    hint: String,
    is_in_use: bool,
}

impl Failed {
    pub(crate) fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into(), is_in_use: false }
    }
}

/// Returns true for an error of a directory to which another process writes, or of which it holds a lock.
pub(crate) fn is_in_use(cause: &(dyn std::error::Error + 'static)) -> bool {
    use jindo::archive::Error::{Busy, LockedByOther, Overtaken};
    if let Some(failed) = cause.downcast_ref::<Failed>() {
        return failed.is_in_use;
    }
    if let Some(error) = cause.downcast_ref::<std::io::Error>() {
        return error.get_ref().and_then(|inner| inner.downcast_ref::<LockHeld>()).is_some();
    }
    is_ledger_busy(cause)
        || matches!(
            cause.downcast_ref(),
            Some(Busy { .. } | LockedByOther { .. } | Overtaken { .. })
        )
}

fn is_ledger_busy(cause: &(dyn std::error::Error + 'static)) -> bool {
    use jindo::archive::Error::Ledger;
    matches!(cause.downcast_ref(), Some(Ledger { source, .. }) if source.to_string() == LEDGER_BUSY)
}

/// This process was told to end before its first call.
#[derive(Debug, thiserror::Error)]
#[error("interrupted while the keys were read; nothing was fetched, the same command starts over")]
pub(crate) struct Interrupted;

/// Returns the text for stderr: `error:`, `caused by:`, a blank line, `hint:`.
pub(crate) fn render(error: &anyhow::Error) -> Lines {
    let leads = std::iter::once("error").chain(std::iter::repeat("  caused by"));
    let told = messages(&**error);
    let mut lines: Lines =
        told.iter().zip(leads).map(|(message, lead)| format!("{lead}: {message}")).collect();
    if let Some(usage) = error.downcast_ref::<Usage>() {
        lines.extend(&usage.more);
    }
    if let Some(hint) = hint(error.chain()) {
        lines.extend([String::new(), format!("hint: {hint}")]);
    }
    if let Some(example) = error.downcast_ref::<Usage>().and_then(|usage| usage.example.as_ref()) {
        lines.push_command(example);
    }
    lines
}

/// Returns the text for a panic, which is a bug of jindo's own; with `RUST_BACKTRACE` also where it came from.
pub(crate) fn of_panic(panic: &PanicHookInfo<'_>) -> Lines {
    let what = panic.payload_as_str().unwrap_or("no words");
    let place = panic.location().map_or_else(String::new, |place| format!(" ({place})"));
    let mut lines = Lines::from(format!("error: jindo met a bug of its own: {what}{place}"));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        lines.extend(trace.to_string().lines());
    }
    lines.extend([
        "",
        "hint: what was fetched is kept; please report it, with the command and `jindo --version`",
    ]);
    lines
}

/// Returns a failure of this machine (a disk, the archive) that ended a run, with its hint.
pub(crate) fn broken_off(cause: &Breakage) -> Failed {
    let chain = || anyhow::Chain::new(cause.error().cause());
    let hint = hint(chain()).unwrap_or_else(|| CONTINUES.to_owned());
    let failed = Failed::new(with_causes(cause.error().cause()), hint);
    Failed { is_in_use: chain().any(is_in_use), ..failed }
}

fn hint(mut causes: anyhow::Chain<'_>) -> Option<String> {
    causes.find_map(|cause| {
        use jindo::archive::Error::{
            Absent, Busy, LedgerLost, NoLocks, NoRoom, NotOpened, Removed,
        };
        if let Some(usage) = cause.downcast_ref::<Usage>() {
            return usage.hint.clone();
        }
        if let Some(failed) = cause.downcast_ref::<Failed>() {
            return Some(failed.hint.clone());
        }
        if let Some(error) = cause.downcast_ref() {
            return disk_hint(error);
        }
        if let Some(jindo::extract::Error::Occupied { .. }) = cause.downcast_ref() {
            return Some("move it away, or name another directory by --out".into());
        }
        match cause.downcast_ref() {
            Some(NoRoom { .. }) => disk_hint(&std::io::ErrorKind::StorageFull.into()),
            Some(NotOpened { .. }) => Some(
                "allow more open files (ulimit -n), or make the directory writable; the same command continues".into(),
            ),
            _ if is_ledger_busy(cause) => Some(
                "another process holds archive/ledger.db or a file beside it, as whoever can read them may: end it; \
                 what was fetched is kept, and the same command continues".into(),
            ),
            Some(Absent { dir }) => Some(no_archive(dir)),
            Some(Busy { .. }) => Some(
                "wait until it is done, or end that process: what it fetched is kept; status, verify and extract work meanwhile".into(),
            ),
            Some(LedgerLost { dir }) => Some(format!(
                "jindo verify {} --repair rebuilds it from that data",
                shell::path(dir)
            )),
            Some(Removed { .. }) => Some(
                "nothing more was fetched or written; put it back, and the same command continues, \
                 or else begins anew"
                    .into(),
            ),
            Some(NoLocks { .. }) => {
                Some("choose a directory on a file system that has locks, by --out".into())
            }
            _ => None,
        }
    })
}

/// Returns the hint for a directory without an archive: the export that is near, or the command that makes one.
fn no_archive(dir: &Path) -> String {
    let is_export = |dir: &Path| dir.join("archive/ledger.db").exists();
    let below = dir.join(crate::defaults::OUT.trim_start_matches("./"));
    // A relative path has no ancestors above where it begins.
    let whole = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let near = [below].into_iter().chain(whole.ancestors().skip(1).map(Path::to_owned));
    match near.into_iter().find(|dir| is_export(dir)) {
        Some(near) => format!("there is an export in {}", shell::path(&near)),
        None => format!(
            "name the directory of an export, or make one: jindo export queries.txt --from -90d --out {}",
            shell::path(dir)
        ),
    }
}

/// Returns the hint for an I/O error, which may come from any layer.
fn disk_hint(error: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind::{
        FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let kind = error.kind();
    let remedy = if matches!(kind, StorageFull | QuotaExceeded) {
        "make room on the disk"
    } else if kind == FileTooLarge {
        "allow larger files (ulimit -f, or the file system's own bound)"
    } else if matches!(kind, PermissionDenied | ReadOnlyFilesystem) {
        "make the directory writable, or choose another by --out"
    } else if is_short_of_descriptors(error) {
        "allow more open files (ulimit -n)"
    } else {
        return None;
    };
    Some(format!("{remedy}; what was fetched is kept, and the same command continues"))
}

#[cfg(unix)]
fn is_short_of_descriptors(error: &std::io::Error) -> bool {
    let codes = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.is_some_and(is_short_of_descriptors)
        || error
            .raw_os_error()
            .is_some_and(|code| codes.iter().any(|known| known.raw_os_error() == code))
}

/// Returns false: other systems have no such limit.
#[cfg(not(unix))]
fn is_short_of_descriptors(_: &std::io::Error) -> bool {
    false
}
