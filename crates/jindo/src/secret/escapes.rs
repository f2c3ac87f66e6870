//! Escapes of JSON, wherever they stand in words: whole, doubled, and cut off.

/// Digits of `\u0030`.
const CODE_DIGITS: usize = 4;

/// An escape of JSON, its backslash doubled as often as you like: what is quoted twice is escaped twice.
pub(super) struct Escape {
    /// `None`: it stands for nothing that is seen, such as a line break, half a surrogate pair, or an escape that is cut off.
    pub(super) stands_for: Option<char>,
    pub(super) bytes: usize,
    /// It is cut off by the end of the text.
    is_half: bool,
}

/// Reads the escape at the start of a text; `None` where none begins there.
pub(super) fn escape(text: &str) -> Option<Escape> {
    let slashes = slashes(text)?;
    let whole = |stands_for, bytes| Some(Escape { stands_for, bytes, is_half: false });
    match text[slashes..].chars().next() {
        None => Some(Escape { stands_for: None, bytes: slashes, is_half: true }),
        Some(c @ ('/' | '"' | '\'')) => whole(Some(c), slashes + 1),
        Some('n' | 'r' | 't' | 'b' | 'f') => whole(None, slashes + 1),
        Some('u') => match unit(text)? {
            Unit::Half => Some(Escape { stands_for: None, bytes: text.len(), is_half: true }),
            Unit::Whole { code: code @ 0xd800..0xdc00, bytes } => match unit(&text[bytes..]) {
                Some(Unit::Whole { code: low @ 0xdc00..0xe000, bytes: more }) => {
                    let code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    whole(char::from_u32(code), bytes + more)
                }
                Some(Unit::Half) => {
                    Some(Escape { stands_for: None, bytes: text.len(), is_half: true })
                }
                _ => Some(Escape { stands_for: None, bytes, is_half: bytes == text.len() }),
            },
            Unit::Whole { code, bytes } => whole(char::from_u32(code), bytes),
        },
        Some(_) => None,
    }
}

/// One `\u0030`.
enum Unit {
    Whole {
        code: u32,
        bytes: usize,
    },
    /// The text ends within it.
    Half,
}

fn unit(text: &str) -> Option<Unit> {
    let slashes = slashes(text)?;
    let after = &text[slashes..];
    let Some(digits) = after.strip_prefix('u') else {
        return after.is_empty().then_some(Unit::Half);
    };
    let known = digits.bytes().take(CODE_DIGITS).take_while(u8::is_ascii_hexdigit).count();
    if known == CODE_DIGITS {
        let code = u32::from_str_radix(&digits[..CODE_DIGITS], 16).ok()?;
        return Some(Unit::Whole { code, bytes: slashes + 1 + CODE_DIGITS });
    }
    (known == digits.len()).then_some(Unit::Half)
}

/// Returns the backslashes at the start of a text; `None` without any.
fn slashes(text: &str) -> Option<usize> {
    let slashes = text.len() - text.trim_start_matches('\\').len();
    (slashes > 0).then_some(slashes)
}

/// Returns a text with the characters that `\/` and `\u0041` stand for, without half an escape at its end, and with every other escape
/// as it is.
pub(crate) fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let bytes = match escape(rest) {
            Some(Escape { is_half: true, bytes, .. }) => bytes,
            Some(Escape { stands_for: Some(c), bytes, .. }) if !matches!(c, '"' | '\'') => {
                plain.push(c);
                bytes
            }
            Some(Escape { bytes, .. }) => {
                plain.push_str(&rest[..bytes]);
                bytes
            }
            None => {
                let slashes = slashes(rest).unwrap_or_default();
                plain.push_str(&rest[..slashes]);
                slashes
            }
        };
        rest = &rest[bytes..];
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_half_ones_dropped() {
        for (text, expected) in [
            (r"a\/b\u0063\\u0064", "a/bcd"),
            (r"\ud83d\ude00", "😀"),
            (r#"a\n\"b\x\\y"#, r#"a\n\"b\x\\y"#),
            (r"\user \u12", r"\user "),
            (r"\u00zz", r"\u00zz"),
            (r"a\", "a"),
            (r"a\u", "a"),
            (r"a\u003", "a"),
            (r"a\ud83d", "a"),
            (r"a\ud83d\", "a"),
            (r"a\ud83d\ude0", "a"),
            (r"\ud83dx", r"\ud83dx"),
        ] {
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }
}
