//! JSON written by hand, so that answers can be spelled as the real server spells them, not as a library would.
//! [`Spelling`] varies the same things as the real one.

use std::io::Write as _;

/// The spelling of numbers in one answer. Each was seen in recordings or in other servers; all read back bit-exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spelling {
    pub(crate) time: Time,
    pub(crate) value: Number,
}

/// The spelling of times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// `1641344100000` (REC 2022)
    Integer,
    /// `1618221135000.0` (REC 2020, 2021)
    Float,
}

/// The spelling of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// `3.0`, `5e-05`, `1e+300`: as Python writes floats.
    Python,
    /// `3`, `0.00005`, `1e300`: whole numbers bare.
    Bare,
    /// `3.0`, `5E-5`, `1E+300`.
    Upper,
}

impl Spelling {
    /// Picks one of the spellings by a hash.
    pub(crate) fn by(hash: u64) -> Self {
        let time = if hash & 1 == 0 { Time::Integer } else { Time::Float };
        let value =
            [Number::Python, Number::Bare, Number::Upper][crate::noise::below(hash >> 1, 3)];
        Self { time, value }
    }
}

/// Appends `text` as a JSON string. Non-ASCII letters stay as they are.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\u{0}'..='\u{1f}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Appends a list of JSON strings.
pub(crate) fn strings<T: AsRef<str>>(out: &mut Vec<u8>, texts: &[T]) {
    list(out, texts, |out, text| string(out, text.as_ref()));
}

/// Appends a list; `write` appends each item.
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends a whole number.
pub(crate) fn integer(out: &mut Vec<u8>, n: i64) {
    write!(out, "{n}").expect("a Vec grows");
}

/// Appends epoch seconds as milliseconds.
pub(crate) fn time(out: &mut Vec<u8>, time_s: i64, spelling: Spelling) {
    integer(out, time_s * 1_000);
    if spelling.time == Time::Float {
        out.extend_from_slice(b".0");
    }
}

/// Appends a value; NaN and infinities as `null`.
pub(crate) fn value(out: &mut Vec<u8>, value: f64, spelling: Spelling) {
    if !value.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    if let Some(whole) = small_whole(value) {
        integer(out, whole);
        if spelling.value != Number::Bare {
            out.extend_from_slice(b".0");
        }
        return;
    }
    let start = out.len();
    // `{:?}` is the shortest text that reads back to the same double, with an exponent far from 1.
    write!(out, "{value:?}").expect("a Vec grows");
    if spelling.value != Number::Bare {
        respell_exponent(out, start, spelling.value);
    }
}

/// Returns the value as an integer if every JSON reader gets it back bit-exactly: whole, below 10^15, not -0.0.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked here")]
fn small_whole(value: f64) -> Option<i64> {
    let whole = value as i64;
    let same = (whole as f64).to_bits() == value.to_bits();
    (same && whole.unsigned_abs() < 1_000_000_000_000_000).then_some(whole)
}

/// Rewrites the exponent of the number that starts at `start`, if it has one.
fn respell_exponent(out: &mut Vec<u8>, start: usize, spelling: Number) {
    let Some(at) = out[start..].iter().position(|&b| b == b'e').map(|n| start + n) else { return };
    let exponent = out.split_off(at + 1);
    let (sign, digits) = match exponent.split_first() {
        Some((b'-', digits)) => (b'-', digits),
        _ => (b'+', exponent.as_slice()),
    };
    if spelling == Number::Upper {
        out[at] = b'E';
    }
    out.push(sign);
    if spelling == Number::Python && digits.len() == 1 {
        out.push(b'0');
    }
    out.extend_from_slice(digits);
}

/// Returns the text that `write` appends.
pub(crate) fn text(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// Returns `text` as a JSON string.
pub(crate) fn quoted(content: &str) -> Vec<u8> {
    text(|out| string(out, content))
}

/// Returns a whole number.
pub(crate) fn whole(n: i64) -> Vec<u8> {
    text(|out| integer(out, n))
}

/// Appends an object with these members, in this order; the values are JSON already.
pub(crate) fn members(out: &mut Vec<u8>, members: &[(&str, Vec<u8>)]) {
    out.push(b'{');
    for (i, (key, value)) in members.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(out, key);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: [f64; 14] = [
        0.0,
        -0.0,
        5e-324,
        1e300,
        -1e300,
        1e-12,
        5e-5,
        3.0,
        -17.0,
        0.1,
        1e15,
        52.266_434_812_304_276,
        f64::MAX,
        f64::MIN_POSITIVE,
    ];

    #[test]
    fn every_spelling_reads_back_to_the_same_bits() {
        for number in [Number::Python, Number::Bare, Number::Upper] {
            for odd in ODD {
                let mut out = Vec::new();
                value(&mut out, odd, Spelling { time: Time::Integer, value: number });
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(odd.to_bits()), "{text}");
                let read: f64 = serde_json::from_str(&text).unwrap();
                assert_eq!(read.to_bits(), odd.to_bits(), "{text}");
            }
        }
    }

    #[test]
    fn spellings_differ_as_servers_do() {
        let spell = |number| {
            let mut out = Vec::new();
            let spelling = Spelling { time: Time::Float, value: number };
            list(&mut out, [5e-5, 1e300, -0.0, 7.0], |out, v| value(out, v, spelling));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(spell(Number::Python), "[5e-05,1e+300,-0.0,7.0]");
        assert_eq!(spell(Number::Bare), "[5e-5,1e300,-0.0,7]");
        assert_eq!(spell(Number::Upper), "[5E-5,1E+300,-0.0,7.0]");
    }

    #[test]
    fn strings_are_escaped() {
        let mut out = Vec::new();
        string(&mut out, "a\"b\\c\n\u{1}한");
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"b\\\\c\\n\\u0001한\"");
    }
}
