//! stdout and stderr. A reader that has had enough (`jindo status | head`) is no failure.

use std::io::{self, Write};

/// Writes what was asked for to stdout.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes everything else to stderr. Where even that is closed there is nobody to tell.
pub(crate) fn remark(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}
