//! stdout and stderr, in lines. A reader that closes early (`jindo status | head`) is not a failure.
//!
//! What is written holds paths, a server's words, tag values, lines of lists, and what a ledger from elsewhere says: whatever
//! stands in a line stays within it, and steers no terminal. [`Lines`] is the only way out. On a terminal lines are folded at its width,
//! and a bar that is drawn there makes way for them; where the locale has ASCII alone, nothing else is written.

mod bar;
mod charset;
mod fold;

pub(crate) use charset::Charset;
pub(crate) use fold::COMMAND_INDENT;

use bar::Bar;
use jindo::text::{plain, steers};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Characters of this process; set once, before the first word.
static CHARSET: OnceLock<Charset> = OnceLock::new();

/// Bar that is drawn on stderr.
static BAR: Mutex<Bar> = Mutex::new(Bar::Absent);

/// Error of writing to stdout. Holds the cause as text, so that no hint about the archive's disk is attached.
#[derive(Debug, thiserror::Error)]
#[error("the output could not be written to stdout: {0}")]
pub(crate) struct StdoutError(String);

/// Output in lines. Each is made plain when it is added, so that no text within it begins another line.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    text: String,
    form: Form,
}

/// Treatment of lines when they are written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Folded, in the terminal's characters.
    #[default]
    Words,
    /// Each in one piece, in the terminal's characters: the log.
    Log,
    /// In one piece, in escapes where the terminal lacks a character.
    Json,
    /// As they are: a list of queries.
    Data,
}

impl Lines {
    pub(crate) fn push(&mut self, line: impl AsRef<str>) {
        self.text.push_str(&one(line.as_ref()));
        self.text.push('\n');
    }

    /// Adds a command line for the user to copy.
    pub(crate) fn push_command(&mut self, command: impl AsRef<str>) {
        self.push(format!("{COMMAND_INDENT}{}", command.as_ref()));
    }

    /// Returns lines that are written as they are, for another program to read.
    pub(crate) fn data<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Self {
        Self { form: Form::Data, ..lines.into_iter().collect() }
    }

    /// Returns JSON as `serde_json` writes it. What it leaves unescaped and steers a terminal is escaped, so that the values
    /// remain what they are.
    pub(crate) fn json(text: &str) -> Self {
        let mut lines = Self { text: String::with_capacity(text.len()), form: Form::Json };
        for c in text.chars() {
            if c == '\n' || !steers(c) {
                lines.text.push(c);
            } else {
                charset::escape(c, &mut lines.text);
            }
        }
        lines.text.push('\n');
        lines
    }

    /// Returns what is written to a terminal of so many columns, or to something else.
    fn written(&self, columns: Option<usize>) -> String {
        match self.form {
            Form::Data => self.text.clone(),
            Form::Json => charset().shown_json(&self.text),
            Form::Words | Form::Log => {
                let shown = charset().shown(&self.text);
                let Some(columns) = columns.filter(|_| self.form == Form::Words) else {
                    return shown;
                };
                let rows = shown.lines().flat_map(|line| fold::rows(line, columns));
                rows.flat_map(|row| [row, "\n".to_owned()]).collect()
            }
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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

/// Sets the characters of this process.
pub(crate) fn speak_in(charset: Charset) {
    CHARSET.get_or_init(|| charset);
}

/// Returns the characters in which words are written.
pub(crate) fn charset() -> Charset {
    CHARSET.get().copied().unwrap_or(Charset::Unicode)
}

/// Columns of a terminal that does not tell.
const COLUMNS_USUAL: usize = 80;

/// Returns the columns of a terminal; `None` for a file or a pipe.
#[cfg(unix)]
fn columns(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    stream.is_terminal().then(|| {
        let told = rustix::termios::tcgetwinsize(stream).ok();
        told.map(|size| usize::from(size.ws_col))
            .filter(|&columns| columns > 0)
            .unwrap_or(COLUMNS_USUAL)
    })
}

/// Other systems do not tell without unsafe code.
#[cfg(not(unix))]
fn columns(stream: &impl IsTerminal) -> Option<usize> {
    stream.is_terminal().then_some(COLUMNS_USUAL)
}

/// Writes a command's output to stdout.
pub(crate) fn answer(lines: impl Into<Lines>) -> Result<(), StdoutError> {
    let mut out = io::stdout().lock();
    let text = lines.into().written(columns(&out));
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes the help of the argument parser to stdout, in colours where that is a terminal. It holds nothing of the command line.
pub(crate) fn help(said: &clap::Error) -> Result<(), StdoutError> {
    unless_closed(said.print().and_then(|()| io::stdout().flush()))
}

/// A job in the last rows of the terminal.
#[derive(Debug)]
pub(crate) struct BarState {
    pub(crate) done: u64,
    pub(crate) all: u64,
    /// Text behind the bar.
    pub(crate) beside: String,
    /// Rows below it.
    pub(crate) below: Vec<String>,
}

/// Columns of the bar itself: what stands behind it fits on a terminal of 80.
const BAR_COLUMNS: usize = 24;

/// Returns true if stderr is a terminal, on which a bar can be drawn.
pub(crate) fn takes_a_bar() -> bool {
    io::stderr().is_terminal()
}

/// Shows a bar on stderr, below what is written there, until [`end_bar`]. Rows are cut where the terminal ends.
pub(crate) fn show_bar(BarState { done, all, beside, below }: &BarState) {
    let columns = columns(&io::stderr()).unwrap_or(COLUMNS_USUAL).saturating_sub(bar::FREE_COLUMNS);
    let row = |text: &str, columns: usize| {
        fold::cut(&charset().shown(&one(text)), columns, &charset().shown("…"))
    };
    let bar = bar::drawn(*done, *all, BAR_COLUMNS, charset().bar());
    let first = format!("{bar} {}", row(beside, columns.saturating_sub(BAR_COLUMNS + 1)));
    let below = below.iter().map(|text| row(text, columns));
    let mut shown = drawn();
    write(&shown.show(std::iter::once(first).chain(below).collect()));
}

/// Takes the bar off the terminal.
pub(crate) fn end_bar() {
    let mut shown = drawn();
    write(&shown.end(Bar::Absent));
}

/// Takes the bar off the terminal for good.
pub(crate) fn end_all_bars() {
    let mut shown = drawn();
    write(&shown.end(Bar::Over));
}

fn drawn() -> MutexGuard<'static, Bar> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to stderr. Errors are ignored: there is nowhere left to report them.
fn write(text: &str) {
    if !text.is_empty() {
        io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
    }
}

fn unless_closed(written: io::Result<()>) -> Result<(), StdoutError> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| StdoutError(error.to_string())),
    }
}

/// Writes remarks to stderr, above a bar.
pub(crate) fn remark(lines: impl Into<Lines>) {
    let text = lines.into().written(columns(&io::stderr()));
    let shown = drawn();
    write(&shown.around(&text));
}

/// Writer of the log of `-v` to stderr, which gets one event at a time, with the line break at its end.
pub(crate) struct LogLine;

impl Write for LogLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = Lines::from(text.strip_suffix('\n').unwrap_or(&text));
        remark(Lines { form: Form::Log, ..line });
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
        assert_eq!(lines.text, "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}d\u{fffd}[31m\te\n\nf\n");
        assert_eq!(Lines::from(Vec::new()).text, "");
    }

    #[test]
    fn json_keeps_its_values_and_steers_nothing() {
        let odd = "\u{1b}[2J\n\u{7f}\u{9b}\u{2028}\u{202e}\u{feff}é한";
        let text = serde_json::to_string_pretty(&serde_json::json!({ "odd": odd })).unwrap();
        let lines = Lines::json(&text).text;
        assert!(
            !lines.contains(|c| c != '\n' && steers(c)) && lines.lines().count() == 3,
            "{lines:?}"
        );
        let read: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(read["odd"], odd);
    }
}
