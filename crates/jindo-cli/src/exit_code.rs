//! Exit codes: the only place where one is chosen.

use crate::render::errors::Usage;
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

/// Ended by SIGINT or SIGTERM, as shells count it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Returns the code of a command that ended with an error.
pub(crate) fn of_error(error: &anyhow::Error) -> u8 {
    use jindo::archive::Error as Archive;
    let is_usage = error.chain().any(|cause| {
        cause.is::<Usage>()
            || matches!(cause.downcast_ref(), Some(jindo::extract::Error::Occupied { .. }))
            || matches!(
                cause.downcast_ref::<Archive>(),
                Some(
                    Archive::OtherOrganisation { .. }
                        | Archive::Busy { .. }
                        | Archive::Absent { .. }
                        | Archive::NoLocks { .. }
                        | Archive::NotLocal { .. }
                )
            )
    });
    if is_usage { USAGE } else { FAILED }
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

/// Findings of `jindo verify` that decide the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Something is damaged, changed or gone, and was not repaired.
    pub(crate) is_wrong: bool,
    /// Something is still to be fetched or written.
    pub(crate) is_unfinished: bool,
    /// The comparison with the server, if one was made.
    pub(crate) refetch: Option<Refetched>,
}

/// Findings of `jindo verify --refetch` that decide the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refetched {
    Same,
    /// Points came late, were repaired by a mark, or nothing was old enough to be compared.
    Unfinished,
    /// Points changed or are gone from the server, or the comparison did not come to its end.
    Wrong,
    Interrupted,
}

/// Returns the code of a verification; the most serious finding decides.
pub(crate) fn of_verify(verified: Verified) -> u8 {
    let Verified { is_wrong, is_unfinished, refetch } = verified;
    match refetch.unwrap_or(Refetched::Same) {
        Refetched::Interrupted => INTERRUPTED,
        Refetched::Wrong => FAILED,
        Refetched::Same | Refetched::Unfinished if is_wrong => FAILED,
        Refetched::Unfinished => GAPS,
        Refetched::Same if is_unfinished => GAPS,
        Refetched::Same => COMPLETE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_serious_finding_decides() {
        let code = |is_wrong, is_unfinished, refetch| {
            of_verify(Verified { is_wrong, is_unfinished, refetch })
        };
        assert_eq!(code(false, false, None), COMPLETE);
        assert_eq!(code(false, true, Some(Refetched::Same)), GAPS);
        assert_eq!(code(true, true, Some(Refetched::Unfinished)), FAILED);
        assert_eq!(code(false, false, Some(Refetched::Unfinished)), GAPS);
        assert_eq!(code(false, true, Some(Refetched::Wrong)), FAILED);
        assert_eq!(code(true, false, Some(Refetched::Interrupted)), INTERRUPTED);
    }

    #[test]
    fn an_export_without_files_was_interrupted_or_ran_out_of_calls() {
        assert_eq!(of_export(&End::Interrupted, None, true), INTERRUPTED);
        assert_eq!(of_export(&End::Done, None, true), INTERRUPTED);
        assert_eq!(of_export(&End::OutOfCalls, None, false), GAPS);
        assert_eq!(of_export(&End::OutOfCalls, None, true), COMPLETE);
    }
}
