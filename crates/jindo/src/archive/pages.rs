//! A look at every page of a column chunk before anything is decoded: a page's own header says how much memory decoding it
//! takes, and a hostile one may say 2 GiB. Reads Thrift's compact protocol, only as far as page headers use it. Pure.

/// Bytes of the largest decoded page: an answer of at most 64 MiB cannot make a larger one.
const PAGE_BYTES_MAX: u64 = 96 << 20;
/// Nesting of a page header's structs: 3 in practice, so that hostile ones cannot exhaust the stack.
const DEPTH_MAX: u8 = 8;

const DATA_PAGE: u64 = 0;
const DICTIONARY_PAGE: u64 = 2;
const RLE_DICTIONARY: u64 = 8;
const PLAIN_DICTIONARY: u64 = 2;

/// Checks the pages that fill `chunk`: known kinds, reasonable sizes, a dictionary before its use, `rows` values in all.
pub(super) fn check_pages(mut chunk: &[u8], rows: u64) -> Result<(), &'static str> {
    let mut values = 0_u64;
    let mut dictionary = false;
    while !chunk.is_empty() {
        let page = Page::read(&mut chunk)?;
        if page.decoded_bytes > PAGE_BYTES_MAX {
            return Err("a page is larger than any of ours");
        }
        let encoded = usize::try_from(page.encoded_bytes).unwrap_or(usize::MAX);
        chunk = chunk.get(encoded..).ok_or("a page ends beyond its column")?;
        match page.kind {
            DICTIONARY_PAGE if dictionary || values > 0 => {
                return Err("a dictionary is out of place");
            }
            DICTIONARY_PAGE if page.values > rows => {
                return Err("a dictionary is larger than its column");
            }
            DICTIONARY_PAGE => dictionary = true,
            DATA_PAGE => {
                if !dictionary && matches!(page.encoding, RLE_DICTIONARY | PLAIN_DICTIONARY) {
                    return Err("a page misses its dictionary");
                }
                values = values.saturating_add(page.values);
            }
            _ => return Err("a page is of a kind that is not ours"),
        }
    }
    if values == rows { Ok(()) } else { Err("its pages do not hold its rows") }
}

#[derive(Debug, Default)]
struct Page {
    kind: u64,
    decoded_bytes: u64,
    encoded_bytes: u64,
    values: u64,
    encoding: u64,
}

const CUT: &str = "a page header is cut off";
const WRONG: &str = "a page header is no page header";

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
                (5 | 7, 12) => page.read_values(bytes)?,
                _ => skip(bytes, kind, DEPTH_MAX)?,
            }
            if matches!(id, 1..=3) {
                seen |= 1 << id;
            }
        }
        if seen == 0b1110 { Ok(page) } else { Err(WRONG) }
    }

    /// The start of a data page's or dictionary page's own header: how many values, how encoded.
    fn read_values(&mut self, bytes: &mut &[u8]) -> Result<(), &'static str> {
        let mut id = 0_i64;
        while let Some(kind) = field(bytes, &mut id)? {
            match (id, kind) {
                (1, 5) => self.values = number(bytes)?,
                (2, 5) => self.encoding = number(bytes)?,
                _ => skip(bytes, kind, DEPTH_MAX)?,
            }
        }
        Ok(())
    }
}

/// The type of the next field, whose id becomes `id`; `None` at the struct's end.
fn field(bytes: &mut &[u8], id: &mut i64) -> Result<Option<u8>, &'static str> {
    let head = byte(bytes)?;
    if head == 0 {
        return Ok(None);
    }
    let step = i64::from(head >> 4);
    *id = if step == 0 {
        let zigzag = varint(bytes)?;
        let half = i64::try_from(zigzag >> 1).map_err(|_| WRONG)?;
        if zigzag & 1 == 1 { -half - 1 } else { half }
    } else {
        id.checked_add(step).ok_or(WRONG)?
    };
    Ok(Some(head & 0x0f))
}

/// A number that is not negative (zigzag).
fn number(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let zigzag = varint(bytes)?;
    if zigzag & 1 == 1 { Err("a page header counts below zero") } else { Ok(zigzag >> 1) }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes)?;
        value |= u64::from(next & 0x7f).checked_shl(shift).ok_or(WRONG)?;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(WRONG)
}

fn byte(bytes: &mut &[u8]) -> Result<u8, &'static str> {
    let (first, rest) = bytes.split_first().ok_or(CUT)?;
    *bytes = rest;
    Ok(*first)
}

fn pass(bytes: &mut &[u8], length: u64) -> Result<(), &'static str> {
    let length = usize::try_from(length).map_err(|_| CUT)?;
    *bytes = bytes.get(length..).ok_or(CUT)?;
    Ok(())
}

/// Passes over a value of a field that does not matter here.
fn skip(bytes: &mut &[u8], kind: u8, depth: u8) -> Result<(), &'static str> {
    let depth = depth.checked_sub(1).ok_or(WRONG)?;
    match kind {
        1 | 2 => Ok(()),
        3 => pass(bytes, 1),
        4..=6 => varint(bytes).map(|_| ()),
        7 => pass(bytes, 8),
        8 => {
            let length = varint(bytes)?;
            pass(bytes, length)
        }
        12 => {
            let mut id = 0_i64;
            while let Some(kind) = field(bytes, &mut id)? {
                skip(bytes, kind, depth)?;
            }
            Ok(())
        }
        // Page headers hold no lists and no maps.
        _ => Err(WRONG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(chunk: &[u8], rows: u64, expected: &Expect) {
        expected.assert_debug_eq(&check_pages(chunk, rows));
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
                (),
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
                "a page header is cut off",
            )
        "#]],
        );
        check(
            &[0x1c; 64],
            3,
            &expect![[r#"
            Err(
                "a page header is no page header",
            )
        "#]],
        );
        check(
            &[0xff; 64],
            3,
            &expect![[r#"
            Err(
                "a page header is no page header",
            )
        "#]],
        );
    }
}
