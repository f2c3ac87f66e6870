//! Small files that ask for much: each is refused before it gets what it asks for.

use super::hostile::{draft, wrong};
use super::*;
use crate::archive::objects::{Encoded, Footer, FooterGroup, FooterQuery, FooterSeries, KEY};
use crate::digest::sha256;
use bytes::Bytes;
use expect_test::{Expect, expect};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

const SCHEMA: &str = "message jindo {
    required binary query (STRING);
    required binary metric (STRING);
    required binary tags (STRING);
    required int64 ts (TIMESTAMP(MILLIS,true));
    required double value;
    required int32 interval_s;
}";

fn properties() -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(3).unwrap();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_page_size_limit(512 << 20)
}

fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: &[T::T]) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
}

/// A file of one row group whose metric is `text` in every row, and whose footer says `m`.
fn file(properties: WriterPropertiesBuilder, text: &[u8], rows: usize) -> Bytes {
    let window = window(0, 3600);
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(properties.build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = file.next_row_group().unwrap();
    let texts = |text: &[u8]| vec![ByteArray::from(text.to_vec()); rows];
    column::<ByteArrayType>(&mut group, &texts(b"avg:m{*}"));
    column::<ByteArrayType>(&mut group, &texts(text));
    column::<ByteArrayType>(&mut group, &texts(b"[]"));
    let ts: Vec<i64> =
        (window.start_s()..).step_by(60).map(|ts_s| ts_s * 1000).take(rows).collect();
    column::<Int64Type>(&mut group, &ts);
    column::<DoubleType>(&mut group, &vec![1.0; rows]);
    column::<Int32Type>(&mut group, &vec![60; rows]);
    group.close().unwrap();
    file.flush().unwrap();
    let mut footer = draft(window);
    (footer.data_bytes, footer.data_sha256) = (file.inner().len(), sha256(file.inner()));
    (footer.queries[0].row_groups, footer.queries[0].rows) = (1, rows as u64);
    let group = &file.inner()[4..];
    footer.groups = vec![FooterGroup { bytes: group.len(), sha256: sha256(group) }];
    let moment = |ms: &i64| Timestamp::from_millisecond(*ms).unwrap();
    footer.series = vec![FooterSeries {
        query: 0,
        metric: "m".into(),
        tags: Vec::new().into(),
        unit: None,
        points: rows as u64,
        first: ts.first().map(moment),
        last: ts.last().map(moment),
        metadata: None,
    }];
    with_footer(file, &footer)
}

fn with_footer(mut file: SerializedFileWriter<Vec<u8>>, footer: &Footer) -> Bytes {
    let text = serde_json::to_string(footer).unwrap();
    file.append_key_value_metadata(KeyValue::new(KEY.to_owned(), text));
    Bytes::from(file.into_inner().unwrap())
}

fn check(bytes: &Bytes, expected: &Expect) {
    expected.assert_eq(&wrong(bytes).unwrap_or_default());
}

#[test]
fn texts_are_decoded_by_dictionaries_alone_and_no_larger_than_their_footer() {
    let bomb = vec![b'X'; 8 << 20];
    let metric = || ColumnPath::from("metric");
    check(&file(properties(), b"m", 60), &expect![""]);
    let larger = &expect!["a dictionary holds more than the texts of its footer"];
    check(&file(properties(), b"mm", 60), larger);
    let small = file(properties(), &bomb, 60);
    assert!(small.len() < 10_000, "{} bytes", small.len());
    check(&small, larger);
    let of_none = &expect!["a page is encoded as none of ours"];
    let plain = properties().set_column_dictionary_enabled(metric(), false);
    check(&file(plain.clone(), b"m", 60), of_none);
    for encoding in [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        let packed = plain.clone().set_column_encoding(metric(), encoding);
        check(&file(packed, &bomb, 60), of_none);
    }
    let fallen_back = properties().set_dictionary_page_size_limit(1);
    check(&file(fallen_back, b"m", 60), of_none);
}

/// An element of Parquet's schema, with one more below it.
const NEST: [u8; 6] = [0x48, 1, b'm', 0x15, 2, 0];

/// A file of nothing but a footer of version 1 with that list for a schema, no rows and no groups.
fn of_schema(length: &[u8], elements: &[u8]) -> Bytes {
    let footer = [&[0x15, 2, 0x19][..], length, elements, &[0x16, 0, 0x19, 0x0c, 0]].concat();
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    Bytes::from([b"PAR1", &footer[..], &length, b"PAR1"].concat())
}

/// The crate goes down into it once for each, until there is no stack.
#[test]
fn a_schema_that_nests_deep_is_refused() {
    let deep = of_schema(&[0xfc, 0xa0, 0x9c, 1], &NEST.repeat(20_000));
    check(&deep, &expect!["a Parquet structure lists more than it can hold"]);
}

/// The crate makes room for so many at once.
#[test]
fn a_schema_with_more_children_than_elements_is_refused() {
    let most = of_schema(&[0x1c], &[0x48, 1, b'm', 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0]);
    check(&most, &expect!["a Parquet structure is not as ours are"]);
    let groups = [0x15, 2, 0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
    let length = u32::try_from(groups.len()).unwrap().to_le_bytes();
    let groups = Bytes::from([b"PAR1", &groups[..], &length, b"PAR1"].concat());
    check(&groups, &expect!["a Parquet structure is not as ours are"]);
    let groups = [0x15, 2, 0x39, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
    let length = u32::try_from(groups.len()).unwrap().to_le_bytes();
    let groups = Bytes::from([b"PAR1", &groups[..], &length, b"PAR1"].concat());
    check(&groups, &expect!["a Parquet structure lists more than it can hold"]);
}

/// In the square of their number this would take minutes.
#[test]
fn many_queries_and_many_series_are_checked_one_after_the_other() {
    const MANY: usize = 40_000;
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(properties().build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    file.flush().unwrap();
    let mut footer = draft(window(0, 3600));
    (footer.data_bytes, footer.data_sha256) = (file.inner().len(), sha256(file.inner()));
    let query =
        |number: usize| FooterQuery { sent: number.to_string(), ..footer.queries[0].clone() };
    footer.queries = (0..MANY).map(query).collect();
    let series = |number: usize| FooterSeries {
        query: MANY - 1,
        metric: String::new(),
        tags: vec![format!("{number:06}")].into(),
        unit: None,
        points: 0,
        first: None,
        last: None,
        metadata: None,
    };
    footer.series = (0..MANY).map(series).collect();
    check(&with_footer(file, &footer), &expect![""]);
}

/// Bytes that a page cannot have, in turn: the reader of the pages asserts some of what they break.
const ODD_BYTES: [u8; 8] = [0x00, 0x01, 0x03, 0x20, 0x7f, 0x80, 0xc0, 0xff];

thread_local! {
    static CONTAINED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// A file with another byte in its data, and the hashes of that.
fn with_byte(bytes: &Bytes, data_bytes: usize, at: usize, byte: u8) -> Bytes {
    let mut file = bytes.to_vec();
    file[at] = byte;
    for from in [0, 4] {
        let (before, after) = (sha256(&bytes[from..data_bytes]), sha256(&file[from..data_bytes]));
        let place = file.windows(before.len()).position(|window| window == before.as_bytes());
        let place = place.expect("the footer has it");
        file[place..place + after.len()].copy_from_slice(after.as_bytes());
    }
    Bytes::from(file)
}

#[test]
fn attempts_to_make_the_reader_of_pages_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if crate::panics::are_contained() {
            CONTAINED.set(CONTAINED.get() + 1);
        } else {
            before(panic);
        }
    }));
    let mut count = 0;
    for properties in [
        properties().set_compression(Compression::UNCOMPRESSED),
        properties()
            .set_compression(Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(ColumnPath::from("ts"), false)
            .set_column_encoding(ColumnPath::from("ts"), Encoding::DELTA_BINARY_PACKED),
    ] {
        let bytes = file(properties, b"m", 60);
        assert_eq!(wrong(&bytes), None);
        let data_bytes = Encoded::parse(&bytes).unwrap().footer.data_bytes;
        for at in 4..data_bytes {
            for byte in ODD_BYTES {
                count += 1;
                let contained = CONTAINED.get();
                let told = wrong(&with_byte(&bytes, data_bytes, at, byte));
                let is_told =
                    told.is_some_and(|told| told.contains("a page breaks its own encoding"));
                assert_eq!(is_told, CONTAINED.get() > contained, "byte {at}");
            }
        }
    }
    assert!(CONTAINED.get() > 0, "nothing panicked: this tries nothing");
    jindo_testing::all_held("bytes of pages that the Parquet reader does not expect", count);
}
