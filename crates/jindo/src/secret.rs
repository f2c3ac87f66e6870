//! A value that must not be shown: an API key, an application key. And what keeps it from being shown where others repeat it.

use crate::digest::sha256;
use crate::text::steers;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Text shown in place of a secret.
const SHOWN: &str = "[secret]";

/// A shorter text is no key of Datadog's (32 and 40 digits), and may well stand in any text or tag.
const KEY_CHARS_MIN: usize = 16;

/// A text that was cut may end within a key. So much of its beginning, at the end of a text, is no accident.
const PART_CHARS_MIN: usize = 8;

/// Text that prints as `[secret]`. Only the network door and [`Secrets`] call [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, to be sent, never to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns a hash to be kept in its place, to tell it from others; worth nothing without the salt.
    pub fn salted_hash(&self, salt: &str) -> String {
        sha256(format!("{salt}\0{}", self.0.trim()).as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

/// Texts that no answer may bring into words, names and tables.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<[Secret]>);

impl Secrets {
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// A decoded text with `[secret]` wherever a secret stands in it: in letters of any case (ASCII), also where characters that
    /// steer stand in between, which are left out later on, and also where its end is cut off.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut shown = Cow::Borrowed(text);
        for secret in &*self.0 {
            let key = secret.expose().trim();
            // What is not ASCII can be no header, and was never sent.
            if key.len() >= KEY_CHARS_MIN
                && key.is_ascii()
                && let Some(redacted) = without(&shown, key)
            {
                shown = Cow::Owned(redacted);
            }
        }
        shown
    }

    /// Redacts an owned text, which is returned as it is where it holds no secret.
    pub fn hide(&self, text: String) -> String {
        if let Cow::Owned(redacted) = self.redact(&text) {
            return redacted;
        }
        text
    }
}

/// `None` where the key does not stand in the text.
fn without(text: &str, key: &str) -> Option<String> {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(Range { start, end }) = find(rest, key) {
        shown.extend([&rest[..start], SHOWN]);
        rest = &rest[end..];
    }
    (!shown.is_empty()).then(|| shown + rest)
}

fn find(text: &str, key: &str) -> Option<Range<usize>> {
    let first = key.as_bytes()[0];
    let starts = text.bytes().enumerate().filter(|(_, byte)| byte.eq_ignore_ascii_case(&first));
    let mut starts = starts.map(|(at, _)| at);
    starts.find_map(|at| length(&text[at..], key.as_bytes()).map(|length| at..at + length))
}

/// Bytes of the key that `text` begins with, or of its beginning where the text ends within it.
fn length(text: &str, key: &[u8]) -> Option<usize> {
    let mut left = key.iter();
    for (at, c) in text.char_indices() {
        // An ellipsis is where a text was cut.
        if steers(c) || c == '…' {
            continue;
        }
        if !left.next().is_some_and(|byte| c.eq_ignore_ascii_case(&char::from(*byte))) {
            return None;
        }
        if left.len() == 0 {
            return Some(at + c.len_utf8());
        }
    }
    (key.len() - left.len() >= PART_CHARS_MIN).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        let keys = ["0123456789abcdef", " fedcba9876543210+/ ", "short", "ungültige-schlüssel"];
        Secrets::new(keys.map(Secret::new)).redact(text).into_owned()
    }

    #[test]
    fn keys_are_hidden_wherever_they_stand_in_a_text() {
        for (text, expected) in [
            ("", ""),
            ("nothing here: 0123456789abcde0", "nothing here: 0123456789abcde0"),
            ("key 0123456789abcdef and again0123456789abcdef!", "key [secret] and again[secret]!"),
            ("0123456789ABCdef", "[secret]"),
            ("01230123456789abcdef", "0123[secret]"),
            ("é0123456789abcdefé", "é[secret]é"),
            ("0123\u{1b}45\u{202e}67\u{0}89abcdef", "[secret]"),
            ("fedcba9876543210+/0123456789abcdef", "[secret][secret]"),
            ("short, ungültige-schlüssel", "short, ungültige-schlüssel"),
        ] {
            assert_eq!(redacted(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_key_at_the_end_of_a_cut_text_is_hidden() {
        assert_eq!(redacted("key 01234567"), "key [secret]");
        assert_eq!(redacted("key 0123456789abcde…"), "key [secret]");
        assert_eq!(redacted("key 0123456"), "key 0123456");
        assert_eq!(redacted("01234567 x"), "01234567 x", "it is not the end");
    }

    #[test]
    fn a_text_without_keys_is_not_copied() {
        let secrets = Secrets::new([Secret::new("0123456789abcdef")]);
        assert!(matches!(secrets.redact("0123 host:a"), Cow::Borrowed(_)));
    }
}
