//! Text of others (a server's words, tag values, lines of lists) made safe to show and to write into tables: nothing in it
//! may steer a terminal. Pure; values and file names have rules of their own.

use std::borrow::Cow;

/// Whether a terminal takes `c` for more than a character to show: control characters, line breaks and tabs among them, the
/// separators of lines and paragraphs, the byte order mark, and the marks that turn the direction of what follows.
pub fn steers(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') || c.is_control()
}

/// `text` with U+FFFD in place of each character that steers and is not among `kept`.
pub fn plain<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let is_taken = |c: char| steers(c) && !kept.contains(&c);
    if text.contains(is_taken) {
        Cow::Owned(text.replace(is_taken, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{plain, steers};

    #[test]
    fn nothing_shown_steers_the_terminal() {
        let hostile = "a\u{1b}]0;owned\u{7}b\r\u{9b}31m\u{202e}c\n\td\u{7f}";
        let expected = "a\u{fffd}]0;owned\u{fffd}b\u{fffd}\u{fffd}31m\u{fffd}c\n\td\u{fffd}";
        assert_eq!(plain(hostile, &['\n', '\t']), expected);
        assert_eq!(plain("요청 17 × 8 …", &[]), "요청 17 × 8 …");
    }

    /// The direction marks are those of Unicode (`Bidi_Control`), whole.
    #[test]
    fn every_mark_that_turns_a_line_or_ends_it_steers() {
        let turns = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let ends = "\u{2028}\u{2029}\u{85}\n\u{b}\u{c}\r";
        for c in turns.chars().chain(ends.chars()).chain(['\u{feff}', '\u{1b}', '\u{9b}', '\0']) {
            assert!(steers(c), "{c:?}");
        }
        // Arabic letters, and the joiners that other scripts need.
        assert!(!"\u{627}\u{200c}\u{200d}é한 🏴".contains(steers));
    }
}
