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

/// The text with a mark in place of whatever a terminal takes for more than a character to show.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(steers) {
        Cow::Owned(text.replace(steers, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters but for line breaks and tabs, and those that turn the direction of what follows.
fn steers(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_shown_steers_the_terminal() {
        let hostile = "a\u{1b}]0;owned\u{7}b\r\u{9b}31m\u{202e}c\n\td\u{7f}";
        assert_eq!(
            plain(hostile),
            "a\u{fffd}]0;owned\u{fffd}b\u{fffd}\u{fffd}31m\u{fffd}c\n\td\u{fffd}"
        );
        assert_eq!(plain("요청 17 × 8 …\n"), "요청 17 × 8 …\n");
    }
}
