//! Characters that a terminal has: all, or those of ASCII where the locale names no UTF-8. Pure.

use std::fmt::Write as _;

/// Characters in which jindo may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Unicode,
    Ascii,
}

impl Charset {
    /// Returns the characters of a locale by the values of `LC_ALL`, `LC_CTYPE` and `LANG`, of which the first that is set decides, as POSIX
    /// has it; with none the locale is `C`.
    pub(crate) fn of_locale(values: impl IntoIterator<Item = String>) -> Self {
        let locale = values.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Ascii
        }
    }

    /// Returns the text in these characters. Of another script no letter has a counterpart: its number stands for it.
    pub(super) fn shown(self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                c if c.is_ascii() || self == Self::Unicode => shown.push(c),
                '…' => shown.push_str("..."),
                '–' | '—' => shown.push('-'),
                '→' => shown.push_str("->"),
                '×' => shown.push('x'),
                '·' => shown.push('|'),
                '\u{2018}' | '\u{2019}' => shown.push('\''),
                '\u{201c}' | '\u{201d}' => shown.push('"'),
                '\u{fffd}' => shown.push('?'),
                c => write!(shown, "\\u{{{:x}}}", u32::from(c)).expect("a String takes everything"),
            }
        }
        shown
    }

    /// Returns JSON in these characters; its values stay what they are.
    pub(super) fn shown_json(self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_ascii() || self == Self::Unicode {
                shown.push(c);
            } else {
                escape(c, &mut shown);
            }
        }
        shown
    }

    /// Returns the characters of a bar: done, and to do.
    pub(super) fn bar(self) -> [char; 2] {
        match self {
            Self::Unicode => ['█', '░'],
            Self::Ascii => ['=', '-'],
        }
    }
}

/// Adds a character as JSON escapes it.
pub(super) fn escape(c: char, text: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(text, "\\u{unit:04x}").expect("a String takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let check = |values: [&str; 3], expected: Charset| {
            assert_eq!(Charset::of_locale(values.map(str::to_owned)), expected, "{values:?}");
        };
        check(["", "", "en_US.UTF-8"], Charset::Unicode);
        check(["", "", "C.utf8"], Charset::Unicode);
        check(["C", "", "en_US.UTF-8"], Charset::Ascii);
        check(["", "POSIX", "en_US.UTF-8"], Charset::Ascii);
        check(["ko_KR.UTF-8", "C", "C"], Charset::Unicode);
        check(["", "", "de_DE.ISO-8859-1"], Charset::Ascii);
        check(["", "", ""], Charset::Ascii);
    }

    #[test]
    fn ascii_loses_no_character_that_matters() {
        let ascii = |text: &str| Charset::Ascii.shown(text);
        assert_eq!(
            ascii("1 Jun … 3 Jun × 2 · a → b — it’s"),
            "1 Jun ... 3 Jun x 2 | a -> b - it's"
        );
        assert_eq!(ascii("host:서울"), "host:\\u{c11c}\\u{c6b8}");
        let json = Charset::Ascii.shown_json("{\"tag\":\"서😀\"}");
        assert_eq!(json, "{\"tag\":\"\\uc11c\\ud83d\\ude00\"}");
    }
}
