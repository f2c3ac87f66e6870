//! Exit codes: the only place where one is chosen.

use crate::render::errors::{Interrupted, Usage, is_in_use};
use jindo::extract::Summary;
use jindo::fetch::End;

/// Everything that was requested is there.
pub(crate) const COMPLETE: u8 = 0;

/// The same command can be run again and continues.
pub(crate) const FAILED: u8 = 1;

/// The user has to correct something first: arguments, keys, the query list, the directory.
pub(crate) const USAGE: u8 = 2;

/// Finished, and something is still to be fetched, written or compared.
pub(crate) const GAPS: u8 = 3;

/// Another process writes to the directory, or holds a lock of it: the same command has to wait.
pub(crate) const IN_USE: u8 = 4;

/// Ended by SIGINT or SIGTERM, as shells count it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Returns the code of a command that ended with an error.
pub(crate) fn of_error(error: &anyhow::Error) -> u8 {
    use jindo::archive::Error as Archive;
    if error.is::<Interrupted>() {
        return INTERRUPTED;
    }
    if error.chain().any(is_in_use) {
        return IN_USE;
    }
    let is_usage = error.chain().any(|cause| {
        cause.is::<Usage>()
            || is_foreign(cause)
            || matches!(cause.downcast_ref(), Some(jindo::extract::Error::Occupied { .. }))
            || matches!(
                cause.downcast_ref::<Archive>(),
                Some(
                    Archive::OtherOrganisation { .. }
                        | Archive::Foreign { .. }
                        | Archive::Absent { .. }
                        | Archive::NoLocks { .. }
                        | Archive::NotLocal { .. }
                )
            )
    });
    if is_usage { USAGE } else { FAILED }
}

/// Returns true for a file of somebody else in jindo's place, also where a door tells it as the system's error.
fn is_foreign(cause: &(dyn std::error::Error + 'static)) -> bool {
    let of_system = cause.downcast_ref::<std::io::Error>();
    let inner = of_system.and_then(std::io::Error::get_ref).and_then(|inner| inner.downcast_ref());
    matches!(inner.or_else(|| cause.downcast_ref()), Some(jindo::path_guard::Error::Foreign { .. }))
}

/// Returns the code of an export that ended as `end`. `files` is `None` if the files were not brought up to date, and
/// `accepts_partial` stands for `--accept-partial`.
pub(crate) fn of_export(end: &End, files: Option<&Summary>, accepts_partial: bool) -> u8 {
    let has_gaps = files.is_none_or(|files| files.partial + files.given_up > 0);
    match (end, files) {
        (End::Interrupted, _) => INTERRUPTED,
        (End::OutOfCalls, None) | (_, Some(_)) if !has_gaps || accepts_partial => COMPLETE,
        (End::OutOfCalls, None) | (_, Some(_)) => GAPS,
        (_, None) => INTERRUPTED,
    }
}

/// Result of a check by `jindo verify`, of the directory or of the comparison with the server. The later is the more serious,
/// and the most serious one decides the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Sound,
    /// Something is still to be fetched or written; points came late or were marked; nothing was old enough to be compared.
    Unfinished,
    /// Something is damaged, changed or gone, and was not repaired, or the comparison did not come to its end.
    Wrong,
    Interrupted,
}

impl Verdict {
    /// Returns the code of a verification with this result.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Sound => COMPLETE,
            Self::Unfinished => GAPS,
            Self::Wrong => FAILED,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_serious_finding_decides() {
        use Verdict::{Interrupted, Sound, Unfinished, Wrong};
        let code = |directory: Verdict, refetch: Option<Verdict>| {
            refetch.map_or(directory, |refetch| directory.max(refetch)).code()
        };
        assert_eq!(code(Sound, None), COMPLETE);
        assert_eq!(code(Unfinished, Some(Sound)), GAPS);
        assert_eq!(code(Wrong, Some(Unfinished)), FAILED);
        assert_eq!(code(Sound, Some(Unfinished)), GAPS);
        assert_eq!(code(Unfinished, Some(Wrong)), FAILED);
        assert_eq!(code(Wrong, Some(Interrupted)), INTERRUPTED);
    }

    #[test]
    fn a_directory_in_use_has_a_code_of_its_own() {
        use jindo::archive::Error::{Absent, Busy, Ledger, Overtaken};
        let code = |error: jindo::archive::Error| of_error(&anyhow::Error::new(error).context("…"));
        let ledger = |words: &str| Ledger { doing: "reading", source: words.into() };
        assert_eq!(code(Busy { dir: "out".into(), holder: None }), IN_USE);
        assert_eq!(code(Overtaken { attempts: 3 }), IN_USE);
        assert_eq!(code(ledger("database is locked")), IN_USE);
        assert_eq!(code(ledger("disk I/O error")), FAILED);
        assert_eq!(code(Absent { dir: "out".into() }), USAGE);
    }

    #[test]
    fn an_export_without_files_was_interrupted_or_ran_out_of_calls() {
        assert_eq!(of_export(&End::Interrupted, None, true), INTERRUPTED);
        assert_eq!(of_export(&End::Done, None, true), INTERRUPTED);
        assert_eq!(of_export(&End::OutOfCalls, None, false), GAPS);
        assert_eq!(of_export(&End::OutOfCalls, None, true), COMPLETE);
    }
}
