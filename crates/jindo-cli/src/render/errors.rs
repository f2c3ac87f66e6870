//! Errors in words: the only place that writes `error:` and `hint:`.

use crate::render::shell;
use crate::terminal::Lines;
use jindo::fetch::Breakage;
use jindo::text::{messages, with_causes};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

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
}

impl Usage {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), more: Vec::new(), hint: None }
    }

    /// Returns an error of several lines.
    pub(crate) fn of_lines(mut lines: Vec<String>) -> Self {
        let more = lines.split_off(lines.len().min(1));
        Self { text: lines.concat(), more, hint: None }
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Failure with a hint: exit code 1.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failed {
    text: String,
    hint: String,
}

impl Failed {
    pub(crate) fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into() }
    }
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
    let hint =
        hint(anyhow::Chain::new(cause.error().cause())).unwrap_or_else(|| CONTINUES.to_owned());
    Failed::new(with_causes(cause.error().cause()), hint)
}

fn hint(mut causes: anyhow::Chain<'_>) -> Option<String> {
    causes.find_map(|cause| {
        use jindo::archive::Error::{Ledger, LedgerLost, NoLocks, NoRoom, NotOpened};
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
            Some(Ledger { source, .. }) if source.to_string() == LEDGER_BUSY => Some(
                "another process holds archive/ledger.db or a file beside it, as whoever can read them may: end it; \
                 what was fetched is kept, and the same command continues".into(),
            ),
            Some(LedgerLost { dir }) => Some(format!(
                "jindo verify {} --repair rebuilds it from them",
                shell::path(dir)
            )),
            Some(NoLocks { .. }) => {
                Some("choose a directory on a file system that has locks, by --out".into())
            }
            _ => None,
        }
    })
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
