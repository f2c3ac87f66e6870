//! A look at every page of a column chunk before anything is decoded: a page's own header says how much memory decoding it
//! takes, and a hostile one may say 2 GiB. The crate takes a field for what its number says, whatever its own type: so whatever is
//! not in headers of ours is refused. Pure.

use super::thrift::{WRONG, field, number};

/// Bytes of the largest dictionary of texts: an answer of at most 64 MiB cannot make a larger one.
pub(super) const TEXT_BYTES_MAX: usize = 96 << 20;
/// Bytes of a decoded page for every value in it: 8, packed differences a little more.
const VALUE_BYTES_MAX: u64 = 16;
/// Bytes of a decoded page besides: packed differences fill up a block of values, of which there may be one.
const PAGE_BYTES: u64 = 4096;

const TOO_LARGE: &str = "a page is larger than any of ours";

const DATA_PAGE: u64 = 0;
const DICTIONARY_PAGE: u64 = 2;

const PLAIN: u64 = 0;
const PLAIN_DICTIONARY: u64 = 2;
const DELTA_BINARY_PACKED: u64 = 5;
const RLE_DICTIONARY: u64 = 8;

/// Content of a column, which decides how its pages may be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// Always by a dictionary: texts are few and repeated, so that what is decoded is no more than the distinct ones.
    Text,
    Number,
}

/// Checks the pages that fill `chunk`: known kinds, reasonable sizes, a dictionary before its use, `rows` values in all.
/// Bytes of the decoded dictionary, 0 without one.
pub(super) fn check_pages(
    mut chunk: &[u8],
    rows: u64,
    kind: ColumnKind,
) -> Result<u64, &'static str> {
    let mut values = 0_u64;
    let mut dictionary = None;
    while !chunk.is_empty() {
        let page = Page::read(&mut chunk)?;
        let encoded = usize::try_from(page.encoded_bytes).unwrap_or(usize::MAX);
        chunk = chunk.get(encoded..).ok_or("a page ends beyond its column")?;
        match page.kind {
            DICTIONARY_PAGE if dictionary.is_some() || values > 0 => {
                return Err("a dictionary is out of place");
            }
            DICTIONARY_PAGE => {
                let held = page.dictionary.ok_or(WRONG)?;
                if held.values > rows {
                    return Err("a dictionary is larger than its column");
                }
                let most = match kind {
                    ColumnKind::Text => TEXT_BYTES_MAX as u64,
                    ColumnKind::Number => held.bytes_max(),
                };
                if page.decoded_bytes > most {
                    return Err(TOO_LARGE);
                }
                dictionary = Some(page.decoded_bytes);
            }
            DATA_PAGE => {
                let held = page.data.ok_or(WRONG)?;
                match (held.encoding, kind) {
                    (PLAIN_DICTIONARY | RLE_DICTIONARY, _) if dictionary.is_none() => {
                        return Err("a page misses its dictionary");
                    }
                    (PLAIN_DICTIONARY | RLE_DICTIONARY, _)
                    | (PLAIN | DELTA_BINARY_PACKED, ColumnKind::Number) => {}
                    _ => return Err("a page is encoded as none of ours"),
                }
                if page.decoded_bytes > held.bytes_max() {
                    return Err(TOO_LARGE);
                }
                values = values.saturating_add(held.values);
            }
            _ => return Err("a page is of a kind that is not ours"),
        }
    }
    if values == rows { Ok(dictionary.unwrap_or(0)) } else { Err("its pages do not hold its rows") }
}

#[derive(Debug, Default)]
struct Page {
    kind: u64,
    decoded_bytes: u64,
    encoded_bytes: u64,
    /// As the header of a data page says, if there is one; the kind says which of the two counts.
    data: Option<Held>,
    dictionary: Option<Held>,
}

/// Number of a page's values, and their encoding.
#[derive(Debug, Default)]
struct Held {
    values: u64,
    encoding: u64,
}

impl Page {
    fn read(bytes: &mut &[u8]) -> Result<Self, &'static str> {
        let mut page = Self::default();
        let mut seen = 0_u8;
        let mut id = 0_i64;
        while let Some(kind) = field(bytes, &mut id)? {
            match (id, kind) {
                (1, 5) => page.kind = number(bytes)?,
                (2, 5) => page.decoded_bytes = number(bytes)?,
                (3, 5) => page.encoded_bytes = number(bytes)?,
                (5, 12) => page.data = Some(Held::read(bytes)?),
                (7, 12) => page.dictionary = Some(Held::read(bytes)?),
                _ => return Err(WRONG),
            }
            if matches!(id, 1..=3) {
                seen |= 1 << id;
            }
        }
        if seen == 0b1110 { Ok(page) } else { Err(WRONG) }
    }
}

impl Held {
    /// Bytes of a decoded page of so many numbers, or of so many references to a dictionary, at most.
    fn bytes_max(&self) -> u64 {
        self.values.saturating_mul(VALUE_BYTES_MAX).saturating_add(PAGE_BYTES)
    }

    /// A data page's or dictionary page's own header: beside these, how levels are encoded, of which we have none.
    fn read(bytes: &mut &[u8]) -> Result<Self, &'static str> {
        let mut held = Self::default();
        let mut id = 0_i64;
        while let Some(kind) = field(bytes, &mut id)? {
            match (id, kind) {
                (1, 5) => held.values = number(bytes)?,
                (2, 5) => held.encoding = number(bytes)?,
                (3 | 4, 5) => {
                    number(bytes)?;
                }
                // Whether a dictionary is sorted; the type is the value.
                (3, 1 | 2) => {}
                _ => return Err(WRONG),
            }
        }
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use super::super::thrift::NEGATIVE;
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(chunk: &[u8], rows: u64, expected: &Expect) {
        expected.assert_debug_eq(&check_pages(chunk, rows, ColumnKind::Number));
    }

    /// kind, decoded and encoded size, then a data page header with `values` plain values.
    fn page(kind: u8, decoded: &[u8], values: u8, encoding: u8) -> Vec<u8> {
        let mut bytes = vec![0x15, kind * 2, 0x15];
        bytes.extend(decoded);
        bytes.extend([0x15, 2 * 2, 0x2c, 0x15, values * 2, 0x15, encoding * 2, 0, 0, 0xaa, 0xbb]);
        bytes
    }

    #[test]
    fn pages_are_counted_before_they_are_decoded() {
        check(
            &page(0, &[16], 3, 0),
            3,
            &expect![[r#"
                Ok(
                    0,
                )
            "#]],
        );
        check(
            &page(0, &[16], 3, 0),
            4,
            &expect![[r#"
            Err(
                "its pages do not hold its rows",
            )
        "#]],
        );
        check(
            &page(0, &[16], 3, 8),
            3,
            &expect![[r#"
            Err(
                "a page misses its dictionary",
            )
        "#]],
        );
    }

    #[test]
    fn what_a_hostile_header_says_is_not_believed() {
        let two_gib = [0xfe, 0xff, 0xff, 0xff, 0x0f];
        check(
            &page(0, &two_gib, 3, 0),
            3,
            &expect![[r#"
            Err(
                "a page is larger than any of ours",
            )
        "#]],
        );
        check(
            &page(0, &[16], 3, 0)[..9],
            3,
            &expect![[r#"
                Err(
                    "a Parquet structure is cut off",
                )
            "#]],
        );
        check(
            &[0x1c; 64],
            3,
            &expect![[r#"
                Err(
                    "a Parquet structure is not as ours are",
                )
            "#]],
        );
        check(
            &[0xff; 64],
            3,
            &expect![[r#"
                Err(
                    "a Parquet structure is not as ours are",
                )
            "#]],
        );
    }
    /// The crate would take it for what its number says.
    #[test]
    fn a_field_is_of_its_own_type_and_comes_once() {
        let header = |header: &[u8]| check_pages(header, 0, ColumnKind::Number);
        assert_eq!(header(&[0x1c, 0, 0]), Err(WRONG), "a struct for a number");
        assert_eq!(header(&[0x15, 0, 0x05, 2, 2, 0]), Err(WRONG), "the first, again");
        let beyond = [0x05, 0x82, 0x80, 0x08, 2, 0];
        assert_eq!(header(&beyond), Err(WRONG), "65,537, which is 1 in 16 bits");
        assert_eq!(header(&[0x15, 0, 0x15, 1, 0]), Err(NEGATIVE), "below zero");
        assert_eq!(header(&[0x8c; 10_000]), Err(WRONG), "a deep nest");
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_ne!(check_pages(&bytes, 3, ColumnKind::Text), Err(""));
        }
    }
}
