//! stdout and stderr. A reader that has had enough (`jindo status | head`) is no failure.
//!
//! What is shown may hold a server's words, tag values and lines of lists: nothing in it may steer the terminal.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes what was asked for to stdout.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(plain(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes everything else to stderr. Where even that is closed there is nobody to tell.
pub(crate) fn remark(text: &str) {
    io::stderr().lock().write_all(plain(text).as_bytes()).unwrap_or_default();
}

/// The text without what would steer the terminal; it may have lines and columns.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    jindo::plain::plain(text, &['\n', '\t'])
}
