//! JSON written by hand, so that answers can be spelled as the real server spells them, not as a library would.
//! [`Spelling`] varies the same things as the real one.

use std::fmt::Write as _;

use serde::Serialize;

/// The spelling of numbers in one answer. Each was seen in recordings or in other servers; all read back bit-exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spelling {
    /// End of a time in milliseconds: nothing (REC 2022), or the `.0` of `1618221135000.0` (REC 2020, 2021).
    pub(crate) time_end: &'static str,
    pub(crate) value: Number,
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
        let time_end = if hash & 1 == 0 { "" } else { ".0" };
        let value =
            [Number::Python, Number::Bare, Number::Upper][crate::noise::below(hash >> 1, 3)];
        Self { time_end, value }
    }
}

/// Returns `value` as JSON, members in the order of its fields.
pub(crate) fn text(value: impl Serialize) -> String {
    serde_json::to_string(&value).expect("only plain data is written")
}

/// Appends a list; `write` appends each item.
pub(crate) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// Appends a value; NaN and infinities as `null`.
pub(crate) fn value(out: &mut String, value: f64, spelling: Number) {
    let written = if !value.is_finite() {
        write!(out, "null")
    } else if let Some(whole) = small_whole(value) {
        let fraction = if spelling == Number::Bare { "" } else { ".0" };
        write!(out, "{whole}{fraction}")
    } else {
        // `{:?}` is the shortest text that reads back to the same double, with an exponent far from 1.
        let shortest = format!("{value:?}");
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, ""));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |d| ('-', d));
        match spelling {
            _ if exponent.is_empty() => write!(out, "{mantissa}"),
            Number::Bare => write!(out, "{mantissa}e{exponent}"),
            Number::Python => write!(out, "{mantissa}e{sign}{digits:0>2}"),
            Number::Upper => write!(out, "{mantissa}E{sign}{digits}"),
        }
    };
    written.expect("a String grows");
}

/// Returns the value as an integer if every JSON reader gets it back bit-exactly: whole, below 10^15, not -0.0.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked here")]
fn small_whole(value: f64) -> Option<i64> {
    let whole = value as i64;
    let same = (whole as f64).to_bits() == value.to_bits();
    (same && whole.unsigned_abs() < 1_000_000_000_000_000).then_some(whole)
}

/// Returns an object with these members, in this order; the values are JSON already.
pub(crate) fn object(members: &[(&str, String)]) -> String {
    let members = members.iter().map(|(key, value)| format!("\"{key}\":{value}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
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
                let mut text = String::new();
                value(&mut text, odd, number);
                assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(odd.to_bits()), "{text}");
                let read: f64 = serde_json::from_str(&text).unwrap();
                assert_eq!(read.to_bits(), odd.to_bits(), "{text}");
            }
        }
    }

    #[test]
    fn spellings_differ_as_servers_do() {
        let spell = |number| {
            let mut out = String::new();
            list(&mut out, [5e-5, 1e300, -0.0, 7.0], |out, v| value(out, v, number));
            out
        };
        assert_eq!(spell(Number::Python), "[5e-05,1e+300,-0.0,7.0]");
        assert_eq!(spell(Number::Bare), "[5e-5,1e300,-0.0,7]");
        assert_eq!(spell(Number::Upper), "[5E-5,1E+300,-0.0,7.0]");
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(text("a\"b\\c\n\u{1}한"), "\"a\\\"b\\\\c\\n\\u0001한\"");
    }
}
