//! Answers to Parquet files, with the `parquet` crate's column API. Pure: an answer in, bytes out. Values are kept to the bit:
//! the dictionary compares bytes, so that 0.0 and -0.0 stay two.

use super::footer::{Footer, FooterGroup, KEY, WrittenSeries};
use super::pages::TEXT_BYTES_MAX;
use super::weight;
use super::whole::Whole;
use super::{GROUP_ROWS_MAX, SCHEMA};
use crate::digest::{hex, sha256};
use crate::packed_tags::PackedTags;
use crate::parse::{Answer, Series, SeriesMetadata};
use bytes::Bytes;
use jiff::Timestamp;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of distinct metric and tag text in one row group, so that it stays in dictionaries.
const GROUP_TEXT_BYTES_MAX: usize = 8 << 20;
/// Smaller by a tenth than level 1, as quick to read.
const ZSTD_LEVEL: i32 = 3;

/// A part of a series within one row group.
struct SeriesPart<'a> {
    series: &'a Series,
    points: Range<usize>,
}

/// Writes the object of an answer and its bytes, its footer completed from what is written, but for the series, of which the answer has
/// more. `draft` has the queries of the call without their
/// counts. The bytes are hashed once.
pub(in crate::archive) fn encode(
    name: &str,
    mut draft: Footer,
    answer: &Answer,
) -> Result<(Whole, Bytes), ParquetError> {
    let series = &answer.series;
    assert!(series.is_sorted_by_key(|series| (series.query, &series.tags)), "an answer is sorted");
    assert!(
        series.iter().all(|series| series.ts_ms.len() == series.values.len()),
        "every point of an answer has its value"
    );
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties()?))?;
    let interval_s = i32::try_from(draft.interval_s)
        .map_err(|_| ParquetError::General("an interval of 68 years".into()))?;
    file.flush()?;
    let mut data_bytes = file.inner().len();
    let mut rest = series.as_slice();
    for (index, query) in draft.queries.iter_mut().enumerate() {
        let (own, others) =
            rest.split_at(rest.partition_point(|series| series.query.number() <= index));
        rest = others;
        let groups = row_groups(own);
        query.row_groups = groups.len();
        query.rows = own.iter().map(|series| series.ts_ms.len() as u64).sum();
        for group in groups {
            let mut writer = file.next_row_group()?;
            write_group(&mut writer, &query.sent, &group, interval_s)?;
            writer.close()?;
            let from = data_bytes;
            file.flush()?;
            data_bytes = file.inner().len();
            let group = &file.inner()[from..];
            draft.groups.push(FooterGroup { bytes: group.len(), sha256: sha256(group) });
        }
    }
    assert!(rest.is_empty(), "every series of an answer is of a query of the call");
    let mut hash = Sha256::new_with_prefix(file.inner());
    draft.data_bytes = data_bytes;
    draft.data_sha256 = hex(&hash.clone().finalize());
    let written = written_series(&mut draft, series);
    let draft = draft.with_series(written);
    let text = serde_json::to_string(&draft)
        .map_err(|wrong| ParquetError::General(format!("the footer is no JSON: {wrong}")))?;
    weight::check(&text).map_err(ParquetError::General)?;
    let draft = draft.with_series(Vec::new());
    file.append_key_value_metadata(KeyValue::new(KEY.to_owned(), text));
    let bytes = Bytes::from(file.into_inner()?);
    hash.update(&bytes[data_bytes..]);
    let sha256 = hex(&hash.finalize());
    Ok((Whole { name: name.to_owned(), footer: draft, bytes: bytes.len() as u64, sha256 }, bytes))
}

/// Returns the facts about the series, and completes a footer by their metadata.
fn written_series<'a>(draft: &mut Footer, series: &'a [Series]) -> Vec<WrittenSeries<'a>> {
    let moment = |ms: &i64| Timestamp::from_millisecond(*ms).expect("points lie within a window");
    let unnamed = SeriesMetadata::default();
    let mut numbers: HashMap<&SeriesMetadata, usize> = HashMap::new();
    let written = series.iter().map(|one| {
        let metadata = (*one.metadata != unnamed).then(|| {
            *numbers.entry(&one.metadata).or_insert_with(|| {
                draft.metadata.push(Arc::clone(&one.metadata));
                draft.metadata.len() - 1
            })
        });
        WrittenSeries {
            query: one.query.number(),
            metric: &one.metric,
            tags: &one.tags,
            unit: one.unit.as_deref(),
            points: one.ts_ms.len() as u64,
            first: one.ts_ms.first().map(moment),
            last: one.ts_ms.last().map(moment),
            metadata,
        }
    });
    written.collect()
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("jindo version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled(column("ts"), false)
        .set_column_encoding(column("ts"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(column("value"), Encoding::PLAIN);
    for indexed in ["query", "metric", "ts"] {
        properties =
            properties.set_column_statistics_enabled(column(indexed), EnabledStatistics::Chunk);
    }
    for text in ["query", "metric", "tags"] {
        properties = properties
            // Never plain text: a reader takes none.
            .set_column_dictionary_page_size_limit(column(text), TEXT_BYTES_MAX);
    }
    Ok(properties.build())
}

/// Cuts the series of one query into groups of few enough rows and little enough text; a long series is cut anywhere.
fn row_groups(series: &[Series]) -> Vec<Vec<SeriesPart<'_>>> {
    let mut groups: Vec<Vec<SeriesPart<'_>>> = Vec::new();
    let (mut rows, mut text) = (GROUP_ROWS_MAX, 0);
    for series in series {
        let mut from = 0;
        while from < series.ts_ms.len() {
            if rows == GROUP_ROWS_MAX || text > GROUP_TEXT_BYTES_MAX {
                groups.push(Vec::new());
                (rows, text) = (0, 0);
            }
            let until = series.ts_ms.len().min(from + GROUP_ROWS_MAX - rows);
            rows += until - from;
            text += series.metric.len() + series.tags.iter().map(String::len).sum::<usize>();
            if let Some(group) = groups.last_mut() {
                group.push(SeriesPart { series, points: from..until });
            }
            from = until;
        }
    }
    groups
}

fn write_group(
    writer: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    query: &str,
    parts: &[SeriesPart<'_>],
    interval_s: i32,
) -> Result<(), ParquetError> {
    let rows = parts.iter().map(|part| part.points.len()).sum();
    let repeated = |text: &dyn Fn(&Series) -> String| {
        let mut column = Vec::with_capacity(rows);
        for part in parts {
            let text = ByteArray::from(text(part.series).into_bytes());
            column.resize(column.len() + part.points.len(), text);
        }
        column
    };
    write::<ByteArrayType>(writer, &vec![ByteArray::from(query.as_bytes().to_vec()); rows])?;
    write::<ByteArrayType>(writer, &repeated(&|series| series.metric.clone()))?;
    write::<ByteArrayType>(
        writer,
        &repeated(&|series| PackedTags::from(&*series.tags).as_json().to_owned()),
    )?;
    let ts: Vec<i64> =
        parts.iter().flat_map(|part| &part.series.ts_ms[part.points.clone()]).copied().collect();
    write::<Int64Type>(writer, &ts)?;
    let values: Vec<f64> =
        parts.iter().flat_map(|part| &part.series.values[part.points.clone()]).copied().collect();
    write::<DoubleType>(writer, &values)?;
    write::<Int32Type>(writer, &vec![interval_s; rows])
}

fn write<T: DataType>(
    writer: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let mut column = writer.next_column()?.expect("the schema has as many columns as are written");
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}
