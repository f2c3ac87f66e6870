//! stdout and stderr. A reader that has had enough (`jindo status | head`) is no failure.
//!
//! What is shown may hold a server's words, tag values and lines of lists: nothing in it may steer the terminal.

use std::borrow::Cow;
use std::io::{self, Write};

/// The answer reached nobody. Holds the cause as words: what helps against a full disk helps an archive, not stdout.
#[derive(Debug, thiserror::Error)]
#[error("the answer could not be written to stdout: {0}")]
pub(crate) struct Unheard(String);

/// Writes what was asked for to stdout.
pub(crate) fn answer(text: &str) -> Result<(), Unheard> {
    let mut out = io::stdout().lock();
    heard(out.write_all(plain(text).as_bytes()).and_then(|()| out.flush()))
}

/// Writes what the parser of arguments has to say, to where it wants it.
pub(crate) fn parsed(said: &clap::Error) -> Result<(), Unheard> {
    heard(said.print().and_then(|()| io::stdout().flush()))
}

fn heard(written: io::Result<()>) -> Result<(), Unheard> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Unheard(error.to_string())),
    }
}

/// Writes everything else to stderr. Where even that is closed there is nobody to tell.
pub(crate) fn remark(text: &str) {
    io::stderr().lock().write_all(plain(text).as_bytes()).unwrap_or_default();
}

/// The text without what would steer the terminal; it may have lines and columns.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    jindo::text::plain(text, &['\n', '\t'])
}
