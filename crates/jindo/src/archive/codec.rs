//! Answers to Parquet files and back, with the `parquet` crate's column API. Pure: bytes in, bytes out.
//!
//! Values are kept to the bit: the dictionary compares bytes, so that 0.0 and -0.0 stay two. What comes back is untrusted until
//! [`Encoded::parse`] has compared it with its footer and looked at the size of every page.

use super::footer::{Footer, FooterSeries, KEY};
use super::pages::{Kind, TEXT_BYTES_MAX, check_pages};
use super::rows::Chunk;
use super::thrift::check_file;
use crate::digest::sha256;
use crate::parse::{Answer, Series};
use bytes::Bytes;
use jiff::Timestamp;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, Type};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows of the largest row group: one decoded is 2 MiB of times and values.
pub(super) const GROUP_ROWS_MAX: usize = 128 << 10;
/// Bytes of distinct metric and tag text in one row group, so that it stays in dictionaries.
const GROUP_TEXT_BYTES_MAX: usize = 8 << 20;
/// Smaller by a tenth than level 1, as quick to read.
const ZSTD_LEVEL: i32 = 3;

const SCHEMA: &str = "message jindo {
    required binary query (STRING);
    required binary metric (STRING);
    required binary tags (STRING);
    required int64 ts (TIMESTAMP(MILLIS,true));
    required double value;
    required int32 interval_s;
}";
/// The first columns are texts: the query, the metric, the tags.
const TEXTS: usize = 3;
const METRIC: usize = 1;
const TAGS: usize = 2;
const TS: usize = 3;
const VALUE: usize = 4;
const INTERVAL: usize = 5;
const COLUMNS: usize = 6;
/// Bytes before each text in a dictionary.
const TEXT_LENGTH_BYTES: usize = 4;

/// A part of a series within one row group.
struct Part<'a> {
    series: &'a Series,
    points: Range<usize>,
}

/// The file of an answer, its footer completed from what is written. `draft` has the queries of the call without their counts.
pub(super) fn encode(mut draft: Footer, answer: &Answer) -> Result<(Footer, Bytes), ParquetError> {
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
        }
    }
    assert!(rest.is_empty(), "every series of an answer is of a query of the call");
    file.flush()?;
    draft.data_bytes = file.inner().len();
    draft.data_sha256 = sha256(file.inner());
    draft.series = series.iter().map(footer_series).collect();
    let text = serde_json::to_string(&draft)
        .map_err(|wrong| ParquetError::General(format!("the footer is no JSON: {wrong}")))?;
    file.append_key_value_metadata(KeyValue::new(KEY.to_owned(), text));
    Ok((draft, Bytes::from(file.into_inner()?)))
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
fn row_groups(series: &[Series]) -> Vec<Vec<Part<'_>>> {
    let mut groups: Vec<Vec<Part<'_>>> = Vec::new();
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
                group.push(Part { series, points: from..until });
            }
            from = until;
        }
    }
    groups
}

fn write_group(
    writer: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    query: &str,
    parts: &[Part<'_>],
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
    write::<ByteArrayType>(writer, &repeated(&|series| tags_text(&series.tags)))?;
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

/// Tags as they stand in the column: a JSON array.
fn tags_text(tags: &[String]) -> String {
    serde_json::to_string(tags).expect("texts are always JSON")
}

fn footer_series(series: &Series) -> FooterSeries {
    let moment = |ms: Option<&i64>| {
        ms.map(|ms| Timestamp::from_millisecond(*ms).expect("points lie within a window"))
    };
    FooterSeries {
        query: series.query.number(),
        metric: series.metric.clone(),
        tags: series.tags.clone(),
        unit: series.unit.clone(),
        points: series.ts_ms.len() as u64,
        first: moment(series.ts_ms.first()),
        last: moment(series.ts_ms.last()),
    }
}

/// A file whose footer is ours and whose row groups are as the footer says. Its pages are not decoded yet.
pub(super) struct Encoded {
    pub footer: Footer,
    file: SerializedFileReader<Bytes>,
    /// Bytes of the file.
    pub bytes: u64,
    /// The first row group of each query, and behind the last.
    groups: Vec<usize>,
    /// Decoded bytes of the dictionaries of each row group's texts.
    texts: Vec<[u64; TEXTS]>,
}

impl Encoded {
    /// The text says what is wrong with the file.
    pub(super) fn parse(bytes: &Bytes) -> Result<Self, String> {
        let length = bytes.len() as u64;
        check_file(bytes)?;
        let file = SerializedFileReader::new(bytes.clone())
            .map_err(|wrong| format!("it is no whole Parquet file: {wrong}"))?;
        let about = file.metadata().file_metadata();
        let text = about
            .key_value_metadata()
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.as_deref())
            .ok_or("it has no jindo footer")?;
        let footer = Footer::parse(text)?;
        if bytes.get(..footer.data_bytes).map(sha256).as_ref() != Some(&footer.data_sha256) {
            return Err("its rows are not those that were written".into());
        }
        let expected = parse_message_type(SCHEMA).map_err(|wrong| wrong.to_string())?;
        if columns(about.schema()) != columns(&expected) {
            return Err("its columns are not ours".into());
        }
        let (groups, texts) = (Vec::new(), Vec::new());
        let mut encoded = Self { footer, file, bytes: length, groups, texts };
        encoded.groups = encoded.check_groups()?;
        encoded.texts = encoded.check_chunks(&bytes[..encoded.footer.data_bytes])?;
        Ok(encoded)
    }

    fn check_groups(&self) -> Result<Vec<usize>, String> {
        let mut firsts = vec![0];
        let mut groups = self.file.metadata().row_groups().iter();
        for query in &self.footer.queries {
            let mut rows = 0_u64;
            for _ in 0..query.row_groups {
                let group = groups.next().ok_or("it has fewer row groups than its footer says")?;
                let own = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
                if own > GROUP_ROWS_MAX as u64 {
                    return Err("a row group is larger than any of ours".into());
                }
                rows += own;
            }
            if rows != query.rows {
                return Err(format!("it has {rows} rows of {}, not {}", query.sent, query.rows));
            }
            firsts.push(firsts[firsts.len() - 1] + query.row_groups);
        }
        match groups.next() {
            Some(_) => Err("it has more row groups than its footer says".into()),
            None => Ok(firsts),
        }
    }

    fn check_chunks(&self, bytes: &[u8]) -> Result<Vec<[u64; TEXTS]>, String> {
        let mut all = Vec::with_capacity(self.file.metadata().num_row_groups());
        for group in self.file.metadata().row_groups() {
            if group.num_columns() != COLUMNS {
                return Err("a row group has other columns than ours".into());
            }
            let rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
            let mut texts = [0; TEXTS];
            for (index, chunk) in group.columns().iter().enumerate() {
                let from =
                    chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
                let range =
                    usize::try_from(from).ok().zip(usize::try_from(chunk.compressed_size()).ok());
                let pages = range
                    .and_then(|(from, length)| bytes.get(from..from.checked_add(length)?))
                    .ok_or("a column lies beyond the file's end")?;
                if u64::try_from(chunk.num_values()) != Ok(rows) {
                    return Err("a column has more or fewer values than rows".into());
                }
                let kind = if index < TEXTS { Kind::Text } else { Kind::Number };
                let dictionary = check_pages(pages, rows, kind)?;
                if let Some(text) = texts.get_mut(index) {
                    *text = dictionary;
                }
            }
            all.push(texts);
        }
        Ok(all)
    }

    fn series_of(&self, query: usize) -> &[FooterSeries] {
        let series = &self.footer.series;
        let from = series.partition_point(|series| series.query < query);
        &series[from..series.partition_point(|series| series.query <= query)]
    }

    fn groups_of(&self, query: usize) -> Range<usize> {
        self.groups[query]..self.groups[query + 1]
    }

    /// Pushes one query's series in their order, one decoded row group in memory at a time.
    pub(super) fn rows<E>(
        &self,
        query: usize,
        damaged: &dyn Fn(String) -> E,
        sink: &mut dyn FnMut(Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut series = self.series_of(query).iter().filter(|series| series.points > 0);
        let mut reading: Option<Reading<'_>> = None;
        for group in self.groups_of(query) {
            let (ts_ms, values) = self.points(group).map_err(damaged)?;
            let mut at = 0;
            while at < ts_ms.len() {
                let mut part = match reading.take() {
                    Some(part) => part,
                    None => series
                        .next()
                        .map(Reading::of)
                        .ok_or_else(|| damaged("it has rows of no series".into()))?,
                };
                let range = at..ts_ms.len().min(at.saturating_add(part.left));
                at = range.end;
                part.advance(&ts_ms[range.clone()]).map_err(damaged)?;
                let FooterSeries { metric, tags, unit, .. } = part.series;
                let (ts_ms, values) = (&ts_ms[range.clone()], &values[range]);
                sink(Chunk { metric, tags, unit: unit.as_deref(), ts_ms, values })?;
                reading = (part.left > 0).then_some(part);
            }
        }
        if reading.is_some() || series.next().is_some() {
            return Err(damaged("it misses rows of a series".into()));
        }
        Ok(())
    }

    fn points(&self, group: usize) -> Result<(Vec<i64>, Vec<f64>), String> {
        let rows = self.group_rows(group);
        let read = || {
            let group = self.file.get_row_group(group)?;
            Ok((
                column::<Int64Type>(&*group, TS, rows)?,
                column::<DoubleType>(&*group, VALUE, rows)?,
            ))
        };
        contained(read).map_err(|wrong| format!("its rows cannot be read: {wrong}"))
    }

    fn group_rows(&self, group: usize) -> usize {
        let rows = self.file.metadata().row_group(group).num_rows();
        usize::try_from(rows).expect("row groups were checked to be small")
    }

    /// Decodes everything and compares it with the footer: texts, times, counts.
    pub(super) fn check_rows(&self) -> Result<(), String> {
        for (index, query) in self.footer.queries.iter().enumerate() {
            self.check_dictionaries(index)?;
            let mut series = self.series_of(index).iter();
            let mut spelled = Spelled::default();
            for group in self.groups_of(index) {
                self.check_texts(group, &query.sent, &mut series, &mut spelled)?;
            }
            self.rows(index, &|wrong| wrong, &mut |_| Ok(()))?;
        }
        Ok(())
    }

    /// A dictionary holds nothing but texts that the footer names, each once: so what decoding takes is in proportion to the
    /// file, however small a page is.
    fn check_dictionaries(&self, query: usize) -> Result<(), String> {
        let groups = self.groups_of(query);
        if groups.is_empty() {
            return Ok(());
        }
        let bytes = |text: &str| (text.len() + TEXT_LENGTH_BYTES) as u64;
        let mut named = [bytes(&self.footer.queries[query].sent), 0, 0];
        for series in self.series_of(query) {
            named[METRIC] += bytes(&series.metric);
            named[TAGS] += bytes(&tags_text(&series.tags));
        }
        let decoded = self.texts[groups].iter().flat_map(|texts| texts.iter().zip(&named));
        for (decoded, named) in decoded {
            if decoded > named {
                return Err("a dictionary holds more than the texts of its footer".into());
            }
        }
        Ok(())
    }

    fn check_texts(
        &self,
        group: usize,
        sent: &str,
        series: &mut dyn Iterator<Item = &'_ FooterSeries>,
        spelled: &mut Spelled,
    ) -> Result<(), String> {
        let rows = self.group_rows(group);
        let read = || {
            let group = self.file.get_row_group(group)?;
            let texts = [
                column::<ByteArrayType>(&*group, 0, rows)?,
                column::<ByteArrayType>(&*group, METRIC, rows)?,
                column::<ByteArrayType>(&*group, TAGS, rows)?,
            ];
            Ok((texts, column::<Int32Type>(&*group, INTERVAL, rows)?))
        };
        let ([queries, metrics, tags], intervals) =
            contained(read).map_err(|wrong| format!("its texts cannot be read: {wrong}"))?;
        for row in 0..rows {
            while spelled.left == 0 {
                let series = series.next().ok_or("it has rows of no series")?;
                *spelled = Spelled {
                    left: series.points,
                    metric: series.metric.clone().into_bytes(),
                    tags: tags_text(&series.tags).into_bytes(),
                };
            }
            spelled.left -= 1;
            let same = queries[row].data() == sent.as_bytes()
                && metrics[row].data() == spelled.metric
                && tags[row].data() == spelled.tags
                && i64::from(intervals[row]) == i64::from(self.footer.interval_s);
            if !same {
                return Err("its rows are not those of its footer".into());
            }
        }
        Ok(())
    }
}

/// What the text columns must say for so many rows more.
#[derive(Default)]
struct Spelled {
    left: u64,
    metric: Vec<u8>,
    tags: Vec<u8>,
}

/// A series that is being read, possibly over several row groups.
struct Reading<'a> {
    series: &'a FooterSeries,
    left: usize,
    last_ms: i64,
}

impl<'a> Reading<'a> {
    fn of(series: &'a FooterSeries) -> Self {
        Self {
            series,
            left: usize::try_from(series.points).unwrap_or(usize::MAX),
            last_ms: i64::MIN,
        }
    }

    fn advance(&mut self, ts_ms: &[i64]) -> Result<(), String> {
        let moment = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let begins = self.last_ms == i64::MIN;
        if begins && ts_ms.first().copied() != moment(self.series.first) {
            return Err("a series starts elsewhere than its footer says".into());
        }
        for ts_ms in ts_ms {
            if *ts_ms <= self.last_ms {
                return Err("a series is not in the order of time".into());
            }
            self.last_ms = *ts_ms;
        }
        self.left -= ts_ms.len();
        if self.left == 0 && Some(self.last_ms) != moment(self.series.last) {
            return Err("a series ends elsewhere than its footer says".into());
        }
        Ok(())
    }
}

/// The decoders of `parquet` assert what a hostile page may break. A damaged page never gets here: its hash is wrong.
fn contained<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ParquetError::General("a page breaks its own encoding".into())))
}

fn columns(schema: &Type) -> &[Arc<Type>] {
    if schema.is_group() { schema.get_fields() } else { &[] }
}

fn column<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Result<Vec<T::T>, ParquetError> {
    let mut values = Vec::with_capacity(rows);
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(index)?);
    let (read, ..) = reader.read_records(rows, None, None, &mut values)?;
    if read == rows && values.len() == rows {
        return Ok(values);
    }
    Err(ParquetError::General(format!("{read} of {rows} rows")))
}
