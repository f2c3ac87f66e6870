//! Free space of the disk, compared with a plan or with files that are to be made. Opens no file.

use crate::render::errors::Failed;
use crate::render::units::size;
use jindo::job::ExportPlan;
use jindo::plan::SeriesSeen;
use std::ops::RangeInclusive;
use std::path::Path;

/// Returns a warning if the plan may not fit on the disk of `dir`; `None` if it fits, or if the free space is unknown.
pub(crate) fn in_words(planned: &ExportPlan, dir: &Path) -> Option<String> {
    let bytes = planned.estimate().bytes;
    let more = planned.rewriting_bytes;
    let needed = bytes.start().saturating_add(more)..=bytes.end().saturating_add(more);
    words(&needed, free_bytes(dir)?)
}

fn words(bytes: &RangeInclusive<u64>, free: u64) -> Option<String> {
    let verdict = if free < *bytes.start() {
        "is too little"
    } else if free < *bytes.end() {
        "may not be enough"
    } else {
        return None;
    };
    Some(format!("  {} are free there: that {verdict}", size(free)))
}

/// Refuses an export of which not even one series a query fits, which those seen before may be too sparse to exceed: a full disk harms more than this export. Sparse queries, which need
/// less, can be fetched in parts: with `--max-calls` only the bytes of those calls count. Objects that are rewritten afterwards
/// need room in any case.
pub(crate) fn check(
    planned: &ExportPlan,
    dir: &Path,
    calls_max: Option<u64>,
) -> Result<(), Failed> {
    let Some(free) = free_bytes(dir) else { return Ok(()) };
    let ExportPlan { plan, rewriting_bytes, .. } = planned;
    let fetched =
        part(*plan.estimate(&SeriesSeen::new()).bytes.start(), calls_max, plan.calls() as u64);
    let bytes = fetched.saturating_add(*rewriting_bytes);
    if free >= bytes {
        return Ok(());
    }
    let text = format!(
        "{} are free where {} lies, and at least {} are needed; nothing was fetched",
        size(free),
        dir.display(),
        size(bytes)
    );
    Err(Failed::new(
        text,
        "make room, choose another disk by --out, or fetch less: a shorter range, or N calls of it by \
         --max-calls N (20 or more)",
    ))
}

/// Refuses to make files of so many bytes where they do not fit.
pub(crate) fn check_files(bytes: u64, dir: &Path, hint: &str) -> Result<(), Failed> {
    let Some(free) = free_bytes(dir).filter(|free| *free < bytes) else { return Ok(()) };
    let text = format!(
        "{} are free where {} lies, and the files below {}/csv take at least {} more; none was written",
        size(free),
        dir.display(),
        dir.display(),
        size(bytes)
    );
    Err(Failed::new(text, hint))
}

/// Returns the share of `bytes` that belongs to the first `calls_max` of `calls`.
fn part(bytes: u64, calls_max: Option<u64>, calls: u64) -> u64 {
    match calls_max {
        Some(most) if most < calls => {
            let part = u128::from(bytes) * u128::from(most) / u128::from(calls);
            u64::try_from(part).expect("a part is less than the whole")
        }
        _ => bytes,
    }
}

/// Returns the bytes that this user may still write on the disk of `dir`, which need not exist yet.
#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let dir = if dir.is_absolute() { dir.to_owned() } else { Path::new(".").join(dir) };
    let there = dir.ancestors().find(|place| place.exists())?;
    let told = rustix::fs::statvfs(there).ok()?;
    // Network file systems that do not know report 0 of 0 blocks.
    (told.f_blocks > 0).then(|| told.f_bavail.saturating_mul(told.f_frsize))
}

/// Returns `None`: other systems are not supported.
#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_held_against_what_is_free() {
        let bytes = 23_000_000..=39_000_000;
        for (free, expected) in [
            (39_000_000, None),
            (38_999_999, Some("  39.0 MB are free there: that may not be enough")),
            (23_000_000, Some("  23.0 MB are free there: that may not be enough")),
            (1_200, Some("  1.2 kB are free there: that is too little")),
        ] {
            assert_eq!(words(&bytes, free).as_deref(), expected);
        }
        assert_eq!(words(&(0..=0), 0), None, "nothing to do fits everywhere");
    }

    #[test]
    fn only_the_calls_that_are_made_need_room() {
        assert_eq!(part(1_000, None, 10), 1_000);
        assert_eq!(part(1_000, Some(3), 10), 300);
        assert_eq!(part(1_000, Some(11), 10), 1_000);
        assert_eq!(part(1_000, Some(0), 0), 1_000);
        assert_eq!(part(u64::MAX, Some(u64::MAX - 1), u64::MAX), u64::MAX - 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_is_not_there_yet_lies_where_it_will() {
        let dir = tempfile::tempdir().unwrap();
        let known = |path: &Path| free_bytes(path).is_some();
        assert!(known(dir.path()) && known(&dir.path().join("a/b/c")) && known(Path::new("new")));
    }
}
