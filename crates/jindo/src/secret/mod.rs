//! A value that must not be shown: an API key, an application key. And the door through which the words of others pass, who may
//! know it: decoded, without secrets, on one line, cut, in this order.

mod escapes;
mod traces;

pub(crate) use escapes::unescaped;

use crate::digest::sha256;
use crate::text::one_line;
use std::fmt;
use std::sync::Arc;
use traces::{TextKind, Traces};

/// Text shown in place of a secret.
const SHOWN: &str = "[secret]";

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

/// Texts that no answer may bring into words, names and tables: keys of 16 characters or more, all ASCII. Shorter ones are none
/// of Datadog's (32 and 40 digits), and may well stand in any text; what is not ASCII can be no header, and was never sent.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Traces>);

impl Secrets {
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let secrets: Vec<Secret> = secrets.into_iter().collect();
        Self(Arc::new(Traces::of(secrets.iter().map(Secret::expose))))
    }

    /// Returns a decoded name (a tag, a metric, a unit) with `[secret]` wherever a secret stands in it, or 16 characters of one, or
    /// nine at its end, where it may be cut off: in letters of any case (ASCII), in JSON's escapes, and where unseen characters
    /// stand in between. Fewer are no accident in a sentence but may be one among a million identifiers, which are data.
    pub fn hide(&self, name: String) -> String {
        self.0.hidden(&name, TextKind::Names).unwrap_or(name)
    }

    /// Returns decoded words of others as they may be shown and kept: without nine characters in a row of any secret, on one line
    /// (a space for each run of white space and of characters that steer), and with `…` after `chars_max` characters.
    pub fn words(&self, said: &str, chars_max: usize) -> String {
        match self.0.hidden(said, TextKind::Words) {
            Some(hidden) => one_line(&hidden, chars_max),
            None => one_line(said, chars_max),
        }
    }

    /// Returns true for a text of which [`Secrets::words`] would hide a part.
    pub fn stand_in(&self, text: &str) -> bool {
        self.0.hidden(text, TextKind::Words).is_some()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let keys = ["0123456789abcdef", " fedcba9876543210+/ ", "short", "ungültige-schlüssel"];
        Secrets::new(keys.map(Secret::new))
    }

    #[test]
    fn keys_are_hidden_wherever_they_stand_in_a_text() {
        let escaped = r"\u0030\u0031\u0032\u0033\u0034\u0035\u0036\u0037\u0038\u0039abcdef";
        for (text, expected) in [
            ("", ""),
            ("key 0123456789abcdef and again0123456789abcdef!", "key [secret] and again[secret]!"),
            ("0123456789ABCdef", "[secret]"),
            ("01230123456789abcdef", "0123[secret]"),
            ("é0123456789abcdefé", "é[secret]é"),
            ("0123\u{1b}45\u{202e}67\u{0}89abcdef", "[secret]"),
            ("0 1 2\n3\t4\r\n5\u{85}6\u{2028}7\u{200b}8\u{fffd}9\u{ad}abcdef", "[secret]"),
            ("fedcba9876543210+/0123456789abcdef", "[secret][secret]"),
            ("short, ungültige-schlüssel", "short, ungültige-schlüssel"),
            (escaped, "[secret]"),
            (&escaped.replace('\\', r"\\\\"), "[secret]"),
            (r"fedcba9876543210+\/", "[secret]"),
            (r"01234567\n89abcdef", "[secret]"),
            (r"01234567\ud83d89abcdef", "[secret]"),
            (r"0123\udb40\udc0145\u200b6789abcdef", "[secret]"),
        ] {
            assert_eq!(secrets().hide(text.to_owned()), expected, "{text:?}");
            assert_eq!(secrets().words(text, 1_000), expected, "{text:?}");
        }
    }

    #[test]
    fn of_a_part_of_a_key_words_show_eight_characters_at_most() {
        for (part, words, name) in [
            ("01234567", "01234567", "01234567"),
            ("89abcdef x", "89abcdef x", "89abcdef x"),
            ("012345678 x", "[secret] x", "012345678 x"),
            ("key 012345678", "key [secret]", "key [secret]"),
            ("3456789abcd…", "[secret]…", "34[secret]…"),
            ("0123456789abcde0", "[secret]0", "0123456789abcde0"),
            ("01234567 01234567", "01234567 01234567", "01234567 01234567"),
        ] {
            assert_eq!(secrets().words(part, 1_000), words, "{part:?}");
            assert_eq!(secrets().hide(part.to_owned()), name, "{part:?}");
        }
    }

    /// The letters of an escape are letters too.
    #[test]
    fn a_key_is_found_in_what_stands_there_and_in_what_it_stands_for() {
        let secrets = Secrets::new([Secret::new("xu0030wvtsrqponm")]);
        assert_eq!(secrets.words(r"\u0030wvts\u0030w", 100), r"\[secret]\u0030w");
        assert_eq!(secrets.words(r"\u0078u\u00300\u00330wvt", 100), r"[secret]");
    }

    #[test]
    fn words_are_without_secrets_before_they_are_folded_and_cut() {
        let said = "a\r\n0123456789\u{202e}abcdef\tb";
        assert_eq!(secrets().words(said, 100), "a [secret] b");
        assert_eq!(secrets().words(said, 7), "a [secr…");
        assert_eq!(Secrets::default().words(" a\r\n\u{202e}b\tc ", 5), "a b c");
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        assert_eq!(format!("{:?} {:?}", Secret::new("key"), secrets()), "[secret] [secret]");
    }
}
