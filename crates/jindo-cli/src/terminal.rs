//! stdout and stderr, in lines. A reader that closes early (`jindo status | head`) is not a failure.
//!
//! What is written holds paths, a server's words, tag values, lines of lists, and what a ledger from elsewhere says: whatever
//! stands in a line stays within it, and steers no terminal. [`Lines`] is the only way out.

use jindo::text::{plain, steers};
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Error of writing to stdout. Holds the cause as text, so that no hint about the archive's disk is attached.
#[derive(Debug, thiserror::Error)]
#[error("the output could not be written to stdout: {0}")]
pub(crate) struct StdoutError(String);

/// Output in lines. Each is made plain when it is added, so that no text within it begins another line.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    pub(crate) fn push(&mut self, line: impl AsRef<str>) {
        self.0.push_str(&one(line.as_ref()));
        self.0.push('\n');
    }

    /// Returns JSON as `serde_json` writes it. What it leaves unescaped and steers a terminal is escaped, so that the values
    /// remain what they are.
    pub(crate) fn json(text: &str) -> Self {
        let mut lines = Self::default();
        for c in text.chars() {
            if c == '\n' || !steers(c) {
                lines.0.push(c);
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(lines.0, "\\u{unit:04x}").expect("a String takes everything");
            }
        }
        lines.0.push('\n');
        lines
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: AsRef<str>> Extend<T> for Lines {
    fn extend<I: IntoIterator<Item = T>>(&mut self, lines: I) {
        lines.into_iter().for_each(|line| self.push(line));
    }
}

impl<T: AsRef<str>> FromIterator<T> for Lines {
    fn from_iter<I: IntoIterator<Item = T>>(lines: I) -> Self {
        let mut all = Self::default();
        all.extend(lines);
        all
    }
}

/// A single line.
impl From<&str> for Lines {
    fn from(line: &str) -> Self {
        Self::from_iter([line])
    }
}

/// A single line.
impl From<String> for Lines {
    fn from(line: String) -> Self {
        Self::from(line.as_str())
    }
}

impl From<Vec<String>> for Lines {
    fn from(lines: Vec<String>) -> Self {
        lines.into_iter().collect()
    }
}

/// Returns a text as one line that steers nothing; U+FFFD stands for each character that would.
pub(crate) fn one(line: &str) -> String {
    plain(line, &['\t']).into_owned()
}

/// Writes a command's output to stdout.
pub(crate) fn answer(lines: impl Into<Lines>) -> Result<(), StdoutError> {
    let mut out = io::stdout().lock();
    unless_closed(out.write_all(lines.into().0.as_bytes()).and_then(|()| out.flush()))
}

/// Writes the help of the argument parser to stdout, in colours where that is a terminal. It holds nothing of the command line.
pub(crate) fn help(said: &clap::Error) -> Result<(), StdoutError> {
    unless_closed(said.print().and_then(|()| io::stdout().flush()))
}

fn unless_closed(written: io::Result<()>) -> Result<(), StdoutError> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| StdoutError(error.to_string())),
    }
}

/// Writes remarks to stderr. Errors are ignored: there is nowhere left to report them.
pub(crate) fn remark(lines: impl Into<Lines>) {
    io::stderr().lock().write_all(lines.into().0.as_bytes()).unwrap_or_default();
}

/// Writer of the log of `-v` to stderr, which gets one event at a time, with the line break at its end.
pub(crate) struct LogLine;

impl Write for LogLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        remark(text.strip_suffix('\n').unwrap_or(&text));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_line_begins_no_other() {
        let mut lines = Lines::from("a\nb\r\u{85}c\u{2028}d\u{1b}[31m\te");
        lines.extend(["", "f"]);
        assert_eq!(lines.0, "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}d\u{fffd}[31m\te\n\nf\n");
        assert_eq!(Lines::from(Vec::new()).0, "");
    }

    #[test]
    fn json_keeps_its_values_and_steers_nothing() {
        let odd = "\u{1b}[2J\n\u{7f}\u{9b}\u{2028}\u{202e}\u{feff}é한";
        let text = serde_json::to_string_pretty(&serde_json::json!({ "odd": odd })).unwrap();
        let lines = Lines::json(&text).0;
        assert!(
            !lines.contains(|c| c != '\n' && steers(c)) && lines.lines().count() == 3,
            "{lines:?}"
        );
        let read: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(read["odd"], odd);
    }
}
