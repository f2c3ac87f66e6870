//! Thrift's compact protocol, as far as a Parquet footer and page headers use it: a walk over bytes of unknown origin before
//! the `parquet` crate sees them. That crate takes a field for what its number says, whatever its own type, nests as deep as
//! a schema says, and makes room for as many as a count says. So everything here is held against a table of what files of
//! ours contain; whatever is not in it is refused. Pure; recursion ends where the tables do, memory is none.

use super::weight::FOOTER_BYTES_MAX;

/// Elements of the longest list but that of row groups: a schema has seven, a column three encodings.
const LIST_MAX: u64 = 16;
/// Children of a schema's element: the root has six columns.
const CHILDREN_MAX: u64 = 16;
/// Row groups of the largest object: 86 of 128k rows, 8 more for texts, and one for each query of a call, several times over.
const ROW_GROUPS_MAX: u64 = 1_024;
/// Bytes of the longest footer: ours in it, and of each row group less than so much.
const FILE_FOOTER_BYTES_MAX: usize = FOOTER_BYTES_MAX + (4 << 20);
/// Bytes of the shortest row group: six columns of nine required numbers each, and their names.
const ROW_GROUP_BYTES_MIN: usize = 100;
/// Numbers of fields end far below; the crate cuts them to 16 bits, and would read a large one as a small one.
const FIELD_MAX: i64 = 127;

const CUT: &str = "a Parquet structure is cut off";
pub(super) const WRONG: &str = "a Parquet structure is not as ours are";
pub(super) const NEGATIVE: &str = "a Parquet structure counts below zero";
const TOO_LONG: &str = "a Parquet structure lists more than it can hold";

/// Expected content of a field.
enum Shape {
    /// A number or a name of a list that is known, of any width.
    Number,
    /// Number of a schema's elements below this one.
    Children,
    Flag,
    Text,
    Struct(Fields),
    List(&'static Shape),
    /// Structs without a limit of their own: as many as the bytes that are left can hold.
    RowGroups(Fields),
}

/// Fields by number, ascending.
type Fields = &'static [(i64, Shape)];

const EMPTY: Fields = &[];
const UNIT: Fields = &[(1, Shape::Struct(EMPTY)), (2, Shape::Struct(EMPTY))];
const MOMENT: Fields = &[(1, Shape::Flag), (2, Shape::Struct(UNIT))];
const LOGICAL_TYPE: Fields = &[(1, Shape::Struct(EMPTY)), (8, Shape::Struct(MOMENT))];
const SCHEMA_ELEMENT: Fields = &[
    (1, Shape::Number),
    (2, Shape::Number),
    (3, Shape::Number),
    (4, Shape::Text),
    (5, Shape::Children),
    (6, Shape::Number),
    (7, Shape::Number),
    (8, Shape::Number),
    (9, Shape::Number),
    (10, Shape::Struct(LOGICAL_TYPE)),
];
const STATISTICS: Fields = &[
    (1, Shape::Text),
    (2, Shape::Text),
    (3, Shape::Number),
    (4, Shape::Number),
    (5, Shape::Text),
    (6, Shape::Text),
    (7, Shape::Flag),
    (8, Shape::Flag),
    (9, Shape::Number),
];
const PAGE_ENCODING: Fields = &[(1, Shape::Number), (2, Shape::Number), (3, Shape::Number)];
const SIZES: Fields =
    &[(1, Shape::Number), (2, Shape::List(&Shape::Number)), (3, Shape::List(&Shape::Number))];
const COLUMN: Fields = &[
    (1, Shape::Number),
    (2, Shape::List(&Shape::Number)),
    (3, Shape::List(&Shape::Text)),
    (4, Shape::Number),
    (5, Shape::Number),
    (6, Shape::Number),
    (7, Shape::Number),
    (9, Shape::Number),
    (10, Shape::Number),
    (11, Shape::Number),
    (12, Shape::Struct(STATISTICS)),
    (13, Shape::List(&Shape::Struct(PAGE_ENCODING))),
    (14, Shape::Number),
    (15, Shape::Number),
    (16, Shape::Struct(SIZES)),
];
const COLUMN_CHUNK: Fields = &[
    (2, Shape::Number),
    (3, Shape::Struct(COLUMN)),
    (4, Shape::Number),
    (5, Shape::Number),
    (6, Shape::Number),
    (7, Shape::Number),
];
const ROW_GROUP: Fields = &[
    (1, Shape::List(&Shape::Struct(COLUMN_CHUNK))),
    (2, Shape::Number),
    (3, Shape::Number),
    (5, Shape::Number),
    (6, Shape::Number),
    (7, Shape::Number),
];
const KEY_VALUE: Fields = &[(1, Shape::Text), (2, Shape::Text)];
const COLUMN_ORDER: Fields = &[(1, Shape::Struct(EMPTY)), (2, Shape::Struct(EMPTY))];
const FILE: Fields = &[
    (1, Shape::Number),
    (2, Shape::List(&Shape::Struct(SCHEMA_ELEMENT))),
    (3, Shape::Number),
    (4, Shape::RowGroups(ROW_GROUP)),
    (5, Shape::List(&Shape::Struct(KEY_VALUE))),
    (6, Shape::Text),
    (7, Shape::List(&Shape::Struct(COLUMN_ORDER))),
];

/// Last four bytes of a Parquet file, and the four before them: the length of its footer.
const MAGIC: &[u8; 4] = b"PAR1";

/// Walks over the footer of a Parquet file: every list and every nesting is such that reading it takes memory in proportion.
pub(super) fn check_file(bytes: &[u8]) -> Result<(), &'static str> {
    let rest = bytes.strip_suffix(MAGIC).ok_or("it does not end as a Parquet file does")?;
    let (rest, length) = rest.split_last_chunk::<4>().ok_or(CUT)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| CUT)?;
    let from = rest.len().checked_sub(length).ok_or(CUT)?;
    if length > FILE_FOOTER_BYTES_MAX {
        return Err("its footer is longer than any of ours");
    }
    let mut footer = &rest[from..];
    walk(&mut footer, FILE)
}

/// Passes over a struct of those fields.
fn walk(bytes: &mut &[u8], fields: Fields) -> Result<(), &'static str> {
    let mut id = 0;
    while let Some(kind) = field(bytes, &mut id)? {
        let (_, shape) = fields.iter().find(|(known, _)| *known == id).ok_or(WRONG)?;
        value(bytes, kind, shape)?;
    }
    Ok(())
}

fn value(bytes: &mut &[u8], kind: u8, shape: &Shape) -> Result<(), &'static str> {
    match (shape, kind) {
        (Shape::Flag, 1 | 2) => Ok(()),
        (Shape::Number, 4..=6) => varint(bytes).map(drop),
        (Shape::Children, 5) if number(bytes)? <= CHILDREN_MAX => Ok(()),
        (Shape::Text, 8) => {
            let length = varint(bytes)?;
            pass(bytes, length)
        }
        (Shape::Struct(fields), 12) => walk(bytes, fields),
        (Shape::List(element), 9) => list(bytes, element),
        (Shape::RowGroups(fields), 9) => row_groups(bytes, fields),
        _ => Err(WRONG),
    }
}

fn list(bytes: &mut &[u8], element: &Shape) -> Result<(), &'static str> {
    let (kind, length) = list_head(bytes)?;
    if length > LIST_MAX {
        return Err(TOO_LONG);
    }
    (0..length).try_for_each(|_| value(bytes, kind, element))
}

fn row_groups(bytes: &mut &[u8], fields: Fields) -> Result<(), &'static str> {
    let (kind, length) = list_head(bytes)?;
    if length > ROW_GROUPS_MAX || length > (bytes.len() / ROW_GROUP_BYTES_MIN) as u64 {
        return Err(TOO_LONG);
    }
    if length > 0 && kind != 12 {
        return Err(WRONG);
    }
    (0..length).try_for_each(|_| walk(bytes, fields))
}

/// The type of a list's elements, and how many there are.
fn list_head(bytes: &mut &[u8]) -> Result<(u8, u64), &'static str> {
    let head = byte(bytes)?;
    let length = match head >> 4 {
        15 => varint(bytes)?,
        short => u64::from(short),
    };
    Ok((head & 0x0f, length))
}

/// The type of the next field, whose number becomes `id`; `None` at the struct's end. Numbers ascend, so that no field comes
/// twice.
pub(super) fn field(bytes: &mut &[u8], id: &mut i64) -> Result<Option<u8>, &'static str> {
    let head = byte(bytes)?;
    let (step, kind) = (i64::from(head >> 4), head & 0x0f);
    if kind == 0 {
        return if step == 0 { Ok(None) } else { Err(WRONG) };
    }
    let next = if step == 0 {
        i64::try_from(number(bytes)?).map_err(|_| WRONG)?
    } else {
        id.checked_add(step).ok_or(WRONG)?
    };
    if next <= *id || next > FIELD_MAX {
        return Err(WRONG);
    }
    *id = next;
    Ok(Some(kind))
}

/// A number that is not negative (zigzag).
pub(super) fn number(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let zigzag = varint(bytes)?;
    if zigzag & 1 == 1 { Err(NEGATIVE) } else { Ok(zigzag >> 1) }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes)?;
        value |= u64::from(next & 0x7f) << shift;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A Parquet file of nothing but that footer.
    fn file(footer: &[u8]) -> Vec<u8> {
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        [&MAGIC[..], footer, &length, &MAGIC[..]].concat()
    }

    /// Version 1, then a schema of one element, whose number of children follows.
    fn schema(children: &[u8]) -> Vec<u8> {
        let head = [0x15, 2, 0x19, 0x1c, 0x48, 1, b'm', 0x15];
        [&head[..], children, &[0, 0x16, 0, 0x19, 0x0c, 0]].concat()
    }

    #[test]
    fn a_footer_says_no_more_than_it_holds() {
        assert_eq!(check_file(&file(&schema(&[12]))), Ok(()));
        let most = [0xfe, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(check_file(&file(&schema(&most))), Err(WRONG));
        assert_eq!(check_file(&file(&schema(&[1]))), Err(NEGATIVE));
        let many = [&[0x15, 2, 0x19, 0xfc, 0xc0, 0x84, 0x3d][..], &[0; 1000]].concat();
        assert_eq!(check_file(&file(&many)), Err(TOO_LONG));
        let groups = [&[0x15, 2, 0x29, 0xfc, 0xe8, 0x07][..], &[0; 1000]].concat();
        assert_eq!(check_file(&file(&groups)), Err(WRONG), "what comes in its place is none");
        let groups = [&[0x15, 2, 0x39, 0xfc, 0xe8, 0x07][..], &[0; 1000]].concat();
        assert_eq!(check_file(&file(&groups)), Err(TOO_LONG));
    }

    /// The crate would take it for what its number says.
    #[test]
    fn a_field_is_of_its_own_type_and_comes_once() {
        assert_eq!(check_file(&file(&[0x15, 2, 0x1c, 0, 0])), Err(WRONG), "a struct for a list");
        assert_eq!(check_file(&file(&[0x15, 2, 0x05, 2, 2, 0])), Err(WRONG), "the first, again");
        let beyond = [0x05, 0x82, 0x80, 0x08, 2, 0];
        assert_eq!(check_file(&file(&beyond)), Err(WRONG), "65,537, which is 1 in 16 bits");
        assert_eq!(check_file(&file(&[0x8c; 10_000])), Err(WRONG), "a deep nest");
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_ne!(check_file(&bytes), Err(""));
            prop_assert_ne!(check_file(&file(&bytes)), Err(""));
        }

        #[test]
        fn any_edit_of_a_schema_is_walked(at in 0..16_usize, byte: u8) {
            let mut footer = schema(&[12]);
            let at = at % footer.len();
            footer[at] = byte;
            prop_assert_ne!(check_file(&file(&footer)), Err(""));
        }
    }
}
