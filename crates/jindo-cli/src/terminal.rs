//! stdout and stderr. A reader that closes early (`jindo status | head`) is not a failure.
//!
//! Output may contain a server's text, tag values and lines of lists: control characters are removed.

use std::borrow::Cow;
use std::io::{self, Write};

/// Error of writing to stdout. Holds the cause as text, so that no hint about the archive's disk is attached.
#[derive(Debug, thiserror::Error)]
#[error("the output could not be written to stdout: {0}")]
pub(crate) struct StdoutError(String);

/// Writes a command's output to stdout.
pub(crate) fn answer(text: &str) -> Result<(), StdoutError> {
    let mut out = io::stdout().lock();
    unless_closed(out.write_all(plain(text).as_bytes()).and_then(|()| out.flush()))
}

/// Writes the help or the error of the argument parser to its stream.
pub(crate) fn parsed(said: &clap::Error) -> Result<(), StdoutError> {
    unless_closed(said.print().and_then(|()| io::stdout().flush()))
}

fn unless_closed(written: io::Result<()>) -> Result<(), StdoutError> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| StdoutError(error.to_string())),
    }
}

/// Writes a remark to stderr. Errors are ignored: there is nowhere left to report them.
pub(crate) fn remark(text: &str) {
    io::stderr().lock().write_all(plain(text).as_bytes()).unwrap_or_default();
}

/// Returns the text without control characters, except newlines and tabs.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    jindo::text::plain(text, &['\n', '\t'])
}
