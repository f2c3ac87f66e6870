//! Memory that a footer takes once it is read, reckoned from its text before anything is made of it. jindo refuses to write what it
//! would refuse to read. Pure.

use super::footer::{Footer, FooterGroup, FooterQuery, FooterSeries};
use crate::parse::SeriesMetadata;

/// Bytes of the longest footer. An answer takes 96 MiB of memory at most, in which every text counts twice and a series more than
/// its entry: its footer has less than 48 MiB. 100,000 series of one query make 25 MB.
pub(super) const FOOTER_BYTES_MAX: usize = 64 << 20;
/// Bytes of memory that the facts of the largest footer take, reckoned from above: what an answer of 96 MiB makes is reckoned at less
/// than 150 MiB, and takes half of it.
const FOOTER_MEMORY_MAX: usize = 256 << 20;
/// A list grows by doubling: it has room for so many times what is in it.
const ROOM: usize = 2;
/// Bytes of a text beside its own: its place in a list, and what the allocator adds.
const TEXT_BYTES: usize = ROOM * size_of::<String>() + 32;
/// Bytes of another value in a list, such as a number in a template.
const VALUE_BYTES: usize = ROOM * size_of::<Option<String>>();
/// Objects and lists within each other, at most: `serde_json` goes no deeper.
const DEPTH_MAX: usize = 128;

/// Says why a footer's text is not read, if it is too large.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > FOOTER_BYTES_MAX {
        return Err(format!(
            "its footer has {} bytes, more than any of ours ({FOOTER_BYTES_MAX})",
            text.len()
        ));
    }
    if Weigher::default().weigh(text.as_bytes()).is_some_and(|bytes| bytes <= FOOTER_MEMORY_MAX) {
        return Ok(());
    }
    Err(format!("its footer lists more than any of ours (in memory {FOOTER_MEMORY_MAX} bytes)"))
}

/// Walks over JSON of any origin and adds up what reading it takes.
#[derive(Debug, Default)]
struct Weigher {
    /// Objects and lists that are open, the innermost last: true for a list.
    open: Vec<bool>,
    /// Bytes of what an object in the list of the footer's present field is read into.
    object_bytes: usize,
    /// The present field is that of the series, whose tags become one text each.
    is_of_series: bool,
    bytes: usize,
}

impl Weigher {
    /// `None`: it nests too deep, or what it takes is beyond counting.
    fn weigh(mut self, text: &[u8]) -> Option<usize> {
        self.object_bytes = size_of::<Footer>();
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let mut more = 0;
            match byte {
                b'"' => {
                    let end = end_of_text(text, at);
                    let is_key = self.open.last() == Some(&false) && is_before_colon(text, end);
                    if !is_key {
                        more = end - at + if self.is_in_tags() { 1 } else { TEXT_BYTES };
                    } else if self.open.len() == 1 {
                        let field = text.get(at + 1..end - 1)?;
                        self.object_bytes = object_bytes(field);
                        self.is_of_series = field == b"series";
                    }
                    at = end - 1;
                }
                b'{' | b'[' => {
                    self.open.push(*byte == b'[');
                    more = match byte {
                        b'{' => ROOM * self.object_bytes,
                        _ if self.is_in_tags() => TEXT_BYTES,
                        _ => VALUE_BYTES,
                    };
                    if self.open.len() > DEPTH_MAX {
                        return None;
                    }
                }
                b'}' | b']' => drop(self.open.pop()),
                b',' if self.open.last() == Some(&true) && !self.is_in_tags() => more = VALUE_BYTES,
                _ => {}
            }
            self.bytes = self.bytes.checked_add(more)?;
            at += 1;
        }
        Some(self.bytes)
    }

    /// Returns true within the list of a series' tags: footer, list of series, series, list.
    fn is_in_tags(&self) -> bool {
        self.is_of_series && self.open == [false, true, false, true]
    }
}

/// Returns what an object in the list of that field of a footer is read into, in bytes.
fn object_bytes(field: &[u8]) -> usize {
    match field {
        b"groups" => size_of::<FooterGroup>(),
        b"series" => size_of::<FooterSeries>(),
        b"queries" => size_of::<FooterQuery>(),
        // Shared ones, each with its counts.
        b"metadata" => size_of::<SeriesMetadata>() + 4 * size_of::<usize>(),
        _ => size_of::<Footer>(),
    }
}

/// Returns where the text ends that begins at the quotation mark at `from`: behind its last one, or with the bytes.
fn end_of_text(text: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len().max(from + 2)
}

fn is_before_colon(text: &[u8], from: usize) -> bool {
    let rest = text.get(from..).unwrap_or_default();
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weight(text: &str) -> Option<usize> {
        Weigher::default().weigh(text.as_bytes())
    }

    #[test]
    fn texts_and_objects_weigh_and_keys_do_not() {
        let footer = ROOM * size_of::<Footer>();
        assert_eq!(weight("{}"), Some(footer));
        assert_eq!(weight(r#"{"jindo": "0.1"}"#), Some(footer + TEXT_BYTES + 5));
        let series = ROOM * size_of::<FooterSeries>();
        let two = r#"{"series":[{"query":0},{"a\"":1}]}"#;
        assert_eq!(weight(two), Some(footer + 2 * series + 2 * VALUE_BYTES));
        let tags = r#"{"series":[{"tags":["a","bc"]}]}"#;
        let packed = TEXT_BYTES + r#""a","#.len() + r#""bc","#.len();
        assert_eq!(weight(tags), Some(footer + series + VALUE_BYTES + packed));
        assert_eq!(weight(&"[".repeat(DEPTH_MAX + 1)), None);
    }

    #[test]
    fn what_lists_too_much_or_is_too_long_is_refused() {
        let many = |what: &str| format!(r#"{{"metadata":[{}{{}}]}}"#, what.repeat(1_000_000));
        let more = "its footer lists more than any of ours (in memory 268435456 bytes)";
        for what in ["{},", r#"{"scope":[0,0,0]},"#, r#"{"scope":["","",""]},"#] {
            assert_eq!(check(&many(what)).unwrap_err(), more, "{what}");
        }
        let long = " ".repeat(FOOTER_BYTES_MAX + 1);
        let expected = "its footer has 67108865 bytes, more than any of ours (67108864)";
        assert_eq!(check(&long).unwrap_err(), expected);
        assert_eq!(check(&long[1..]), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_is_walked_without_a_panic(text in ".{0,60}", json in r#"[\[\]{}",:\\0a]{0,60}"#) {
            drop((check(&text), check(&json)));
        }
    }
}
