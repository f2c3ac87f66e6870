//! Stretches of secrets in the texts of others, found in one pass: each run of so many characters of a key is known beforehand.

use super::SHOWN;
use super::escapes::escape;
use crate::text::is_unseen;
use std::collections::BTreeSet;
use std::ops::Range;

/// A shorter text is no key of Datadog's (32 and 40 digits), and may well stand in any text or tag. So many characters in a row are
/// no accident anywhere.
const KEY_CHARS_MIN: usize = 16;

/// So many characters of a key in a row, in a sentence or at the end of a text that may be cut, are no accident. Fewer are left, and
/// are of no use.
const PART_CHARS_MIN: usize = 9;

/// Characters of ASCII.
const ASCII: usize = 128;

/// Kinds of text, by what is no accident in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    /// Sentences: nothing is lost where they say less.
    Words,
    /// Identifiers, which are data.
    Names,
}

/// Characters in a row, as the bytes of a number.
type Row = u128;

/// Known stretches of all keys, in small letters.
#[derive(Default)]
pub(super) struct Traces {
    /// Rows of [`PART_CHARS_MIN`] characters.
    parts: BTreeSet<Row>,
    /// Rows of [`KEY_CHARS_MIN`] characters.
    wholes: BTreeSet<Row>,
    /// Characters that stand in any key: all others end a row.
    alphabet: Vec<bool>,
}

impl Traces {
    pub(super) fn of<'a>(keys: impl Iterator<Item = &'a str>) -> Self {
        let mut traces = Self { alphabet: vec![false; ASCII], ..Self::default() };
        for key in keys.filter(|key| key.is_ascii()) {
            let seen = key.chars().filter(|c| !is_unseen(*c)).map(|c| c.to_ascii_lowercase());
            let seen: Vec<u8> = seen.collect::<String>().into_bytes();
            if seen.len() < KEY_CHARS_MIN {
                continue;
            }
            let row = |chars: &[u8]| chars.iter().fold(0, |row, byte| row << 8 | Row::from(*byte));
            traces.parts.extend(seen.windows(PART_CHARS_MIN).map(row));
            traces.wholes.extend(seen.windows(KEY_CHARS_MIN).map(row));
            for byte in seen {
                traces.alphabet[usize::from(byte)] = true;
            }
        }
        traces
    }

    /// Returns the text with `[secret]` in place of each stretch; `None` where there is none.
    pub(super) fn hidden(&self, text: &str, kind: TextKind) -> Option<String> {
        if self.wholes.is_empty() {
            return None;
        }
        let mut found = self.stretches(literal(text), kind);
        // What an escape stands for may be shown by whoever reads the words, and its own letters may be those of a key.
        if text.contains('\\') {
            found.extend(self.stretches(decoded(text), kind));
            found.sort_unstable_by_key(|stretch| stretch.start);
        }
        let (mut shown, mut at) = (String::new(), 0);
        for stretch in apart(found) {
            shown.extend([&text[at..stretch.start], SHOWN]);
            at = stretch.end;
        }
        (at > 0).then(|| shown + &text[at..])
    }

    fn stretches(&self, chars: impl Iterator<Item = Char>, kind: TextKind) -> Vec<Range<usize>> {
        let (known, length) = match kind {
            TextKind::Words => (&self.parts, PART_CHARS_MIN),
            TextKind::Names => (&self.wholes, KEY_CHARS_MIN),
        };
        let (mut last, mut found) = (LastChars::default(), Vec::new());
        for Char { c, place } in chars {
            if let Some(byte) = self.letter(c) {
                last.push(byte, place);
                if last.count >= length && known.contains(&last.row(length)) {
                    found.push(last.place(length));
                }
            } else if !is_unseen(c) {
                last.count = 0;
            }
        }
        if last.count >= PART_CHARS_MIN && self.parts.contains(&last.row(PART_CHARS_MIN)) {
            found.push(last.place(PART_CHARS_MIN));
        }
        found
    }

    /// Returns a character of some key as a small letter.
    fn letter(&self, c: char) -> Option<u8> {
        let byte = u8::try_from(c).ok()?.to_ascii_lowercase();
        self.alphabet.get(usize::from(byte)).is_some_and(|known| *known).then_some(byte)
    }
}

/// A character and the bytes of the text that stand for it.
struct Char {
    c: char,
    place: Range<usize>,
}

fn literal(text: &str) -> impl Iterator<Item = Char> {
    text.char_indices().map(|(at, c)| Char { c, place: at..at + c.len_utf8() })
}

/// Characters with escapes decoded; half an escape stands for nothing, as an unseen character does.
fn decoded(text: &str) -> impl Iterator<Item = Char> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let plain = rest.chars().next()?;
        let (c, bytes) = match escape(rest) {
            Some(escape) => (escape.stands_for.unwrap_or('\0'), escape.bytes),
            None => (plain, plain.len_utf8()),
        };
        at += bytes;
        Some(Char { c, place: at - bytes..at })
    })
}

/// The last characters that a key may hold, without any other between them that is seen.
#[derive(Default)]
struct LastChars {
    row: Row,
    count: usize,
    /// Start of each, at its number modulo [`KEY_CHARS_MIN`].
    starts: [usize; KEY_CHARS_MIN],
    end: usize,
}

impl LastChars {
    fn push(&mut self, byte: u8, place: Range<usize>) {
        self.row = self.row << 8 | Row::from(byte);
        self.starts[self.count % KEY_CHARS_MIN] = place.start;
        self.end = place.end;
        self.count += 1;
    }

    /// The last `length` of them.
    fn row(&self, length: usize) -> Row {
        self.row & (Row::MAX >> (8 * (KEY_CHARS_MIN - length)))
    }

    fn place(&self, length: usize) -> Range<usize> {
        self.starts[(self.count - length) % KEY_CHARS_MIN]..self.end
    }
}

/// Joins ranges that overlap. They are in the order of their starts.
fn apart(found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut apart: Vec<Range<usize>> = Vec::new();
    for next in found {
        match apart.last_mut() {
            Some(last) if next.start < last.end => last.end = last.end.max(next.end),
            _ => apart.push(next),
        }
    }
    apart
}
