//! Errors, numbers and sizes in words. The only place that says `error:` and `hint:`.

use jindo::fetch::Breakage;
use jindo::text::messages;
use std::fmt::Write as _;

/// Where nothing is to be mended first.
pub(crate) const CONTINUES: &str = "what was fetched is kept; the same command continues";

/// The user's input is wrong: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Usage {
    text: String,
    hint: Option<String>,
}

impl Usage {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// A failure with what to do about it: exit code 1.
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

/// `error:`, `caused by:`, a blank line, `hint:`.
pub(crate) fn render(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let leads = std::iter::once("error").chain(std::iter::repeat("  caused by"));
    for (message, lead) in messages(&**error).iter().zip(leads) {
        writeln!(text, "{lead}: {message}").expect("a String takes everything");
    }
    if let Some(hint) = hint(error.chain()) {
        writeln!(text, "\nhint: {hint}").expect("a String takes everything");
    }
    text
}

/// What broke on this machine while a run went on, with what to do about it.
pub(crate) fn broken_off(cause: &Breakage) -> Failed {
    let hint = hint(anyhow::Chain::new(cause.error())).unwrap_or_else(|| CONTINUES.to_owned());
    Failed::new(cause.to_string(), hint)
}

fn hint(mut causes: anyhow::Chain<'_>) -> Option<String> {
    causes.find_map(|cause| {
        let usage = cause.downcast_ref::<Usage>().and_then(|usage| usage.hint.clone());
        let failed = || cause.downcast_ref::<Failed>().map(|failed| failed.hint.clone());
        let own = usage.or_else(failed).or_else(|| archive_hint(cause));
        own.or_else(|| disk_hint(cause)).or_else(|| occupied_hint(cause))
    })
}

/// A disk that cannot take more says so in a dozen places; what to do is the same in all.
fn disk_hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    use std::io::ErrorKind::{
        FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let error = cause.downcast_ref::<std::io::Error>()?;
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
    error.raw_os_error().is_some_and(|code| codes.iter().any(|known| known.raw_os_error() == code))
}

/// Elsewhere there is no such limit.
#[cfg(not(unix))]
fn is_short_of_descriptors(_: &std::io::Error) -> bool {
    false
}

fn archive_hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    use jindo::archive::Error::{NoLocks, NoRoom};
    match cause.downcast_ref() {
        Some(NoRoom { .. }) => disk_hint(&std::io::Error::from(std::io::ErrorKind::StorageFull)),
        Some(NoLocks { .. }) => {
            Some("choose a directory on a file system that has locks, by --out".to_owned())
        }
        _ => None,
    }
}

fn occupied_hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    use jindo::extract::Error::Occupied;
    let occupied = matches!(cause.downcast_ref(), Some(Occupied { .. }));
    occupied.then(|| "name a place without files of an earlier extract, or remove them".to_owned())
}

/// 2 when the user can mend it before anything happens, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
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
                )
            )
    });
    if is_usage { 2 } else { 1 }
}

/// `1,632`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 query`, `2 queries`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `2.1 GB`.
#[expect(clippy::cast_precision_loss, reason = "rounded for people")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.5 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// `48 s`, `27 min`, `1 h 2 min`, `93 h`.
pub(crate) fn seconds(secs: u64) -> String {
    match secs {
        0..=119 => format!("{secs} s"),
        120..=7_199 => format!("{} min", (secs + 30) / 60),
        7_200..=35_999 => format!("{} h {} min", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{} h", count((secs + 1_800) / 3_600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [count(0), count(999), count(1_632), count(333_504)],
            ["0", "999", "1,632", "333,504"]
        );
        assert_eq!([size(999), size(1_000), size(2_100_000_000)], ["999 B", "1.0 kB", "2.1 GB"]);
        assert_eq!([seconds(48), seconds(1_632), seconds(333_504)], ["48 s", "27 min", "93 h"]);
    }
}
