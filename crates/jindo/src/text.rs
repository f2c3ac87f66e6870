//! Text of others (a server's words, tag values, lines of lists, errors of libraries) made safe to show and to write into
//! tables: nothing in it may steer a terminal. Pure; values and file names have rules of their own.

use std::borrow::Cow;
use std::error::Error;

/// True for characters that a terminal does more with than show: control characters, line breaks and tabs among them, the
/// separators of lines and paragraphs, the byte order mark, and the marks that turn the direction of what follows.
pub fn steers(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') || c.is_control()
}

/// True for characters between which a text reads as one: white space, what steers, what is shown as nothing
/// (Unicode's `Default_Ignorable_Code_Point`, and the blank of Braille), what stands for a broken byte, and the mark of a cut.
pub fn is_unseen(c: char) -> bool {
    let is_nothing = matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    is_nothing || matches!(c, '…' | '\u{fffd}') || c.is_whitespace() || steers(c)
}

/// Returns `text` with U+FFFD in place of each character that steers and is not among `kept`.
pub fn plain<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let is_taken = |c: char| steers(c) && !kept.contains(&c);
    if text.contains(is_taken) {
        Cow::Owned(text.replace(is_taken, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns `text` on one line: a space for each run of white space and of characters that steer, and `…` after `chars_max`
/// characters. The words of a server go through [`crate::secret::Secrets::words`], which hides secrets before it folds and cuts.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let (mut line, mut chars) = (String::new(), 0);
    let mut is_parted = false;
    for c in text.chars() {
        if c.is_whitespace() || steers(c) {
            is_parted = !line.is_empty();
            continue;
        }
        for c in is_parted.then_some(' ').into_iter().chain([c]) {
            if chars == chars_max {
                line.push('…');
                return line;
            }
            line.push(c);
            chars += 1;
        }
        is_parted = false;
    }
    line
}

/// Returns the messages of an error and of its causes, outermost first, without those that only repeat the one before.
pub fn messages(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut told = Vec::new();
    let mut before = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let message = error.to_string();
        // SQLite's second cause is its first with a number before it.
        let repeats = before.contains(&message) || message.ends_with(&before);
        if told.is_empty() || !repeats {
            told.push(message.clone());
        }
        before = message;
        next = error.source();
    }
    told
}

/// Returns an error and its causes as one text, joined by `: `.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    messages(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::{self, Display, Formatter};

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Self>>);

    impl Display for Layer {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn chain(messages: &[&'static str]) -> Option<Box<Layer>> {
        let (first, rest) = messages.split_first()?;
        Some(Box::new(Layer(first, chain(rest))))
    }

    #[test]
    fn causes_that_repeat_are_told_once() {
        for (layers, expected) in [
            (&["cannot write", "disk full"][..], "cannot write: disk full"),
            (
                &["cannot write: disk full", "disk full", "no space"],
                "cannot write: disk full: no space",
            ),
            (&["database", "locked", "5: locked", "locked"], "database: locked"),
        ] {
            assert_eq!(with_causes(&*chain(layers).unwrap()), expected);
        }
    }

    #[test]
    fn a_line_has_no_breaks_and_an_end() {
        assert_eq!(one_line(" a\r\n\u{202e}b\tc ", 5), "a b c");
        assert_eq!(one_line("wörter", 5), "wörte…");
        assert_eq!(one_line("wörte \n", 5), "wörte");
        assert_eq!(one_line("a b", 1), "a…");
    }

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
