//! Parquet files to rows, with the `parquet` crate's column API. Pure: bytes in, rows out. What comes back is untrusted until
//! [`Encoded::parse`] has compared it with its footer and looked at the size of every page.

use super::footer::{Footer, FooterSeries, KEY};
use super::guard::{ColumnKind, check_file, check_pages};
use super::{GROUP_ROWS_MAX, SCHEMA, tags_text};
use crate::digest::{hex, sha256};
use bytes::Bytes;
use jiff::Timestamp;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Says that a file is another than the ledger recorded.
pub(in crate::archive) const NOT_AS_WRITTEN: &str = "its bytes are not those that were written";

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

/// Points of one series that follow each other; a long series comes in several.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    pub metric: &'a str,
    /// `key:value`, sorted.
    pub tags: &'a [String],
    pub unit: Option<&'a str>,
    /// Strictly ascending Unix milliseconds.
    pub ts_ms: &'a [i64],
    /// As long as `ts_ms`, bit for bit as fetched.
    pub values: &'a [f64],
}

/// A file whose footer is ours and whose row groups are as the footer says. Its pages are not decoded yet.
pub(in crate::archive) struct Encoded {
    pub footer: Footer,
    file: SerializedFileReader<Bytes>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Of the file, hex.
    pub sha256: String,
    /// The first row group of each query, and behind the last.
    groups: Vec<usize>,
    /// Decoded bytes of the dictionaries of each row group's texts; none in a file that was checked before.
    texts: Vec<[u64; TEXTS]>,
}

impl Encoded {
    /// Reads a file of unknown origin; the text says what is wrong with it. Hashes it once.
    pub(in crate::archive) fn parse(bytes: &Bytes) -> Result<Self, String> {
        check_file(bytes)?;
        let mut encoded = Self::opened(bytes)?;
        let (data, rest) = bytes
            .split_at_checked(encoded.footer.data_bytes)
            .ok_or("its rows are not those that were written")?;
        let mut hash = Sha256::new_with_prefix(data);
        if hex(&hash.clone().finalize()) != encoded.footer.data_sha256 {
            return Err("its rows are not those that were written".into());
        }
        hash.update(rest);
        encoded.sha256 = hex(&hash.finalize());
        let expected = parse_message_type(SCHEMA).map_err(|wrong| wrong.to_string())?;
        if columns(encoded.file.metadata().file_metadata().schema()) != columns(&expected) {
            return Err("its columns are not ours".into());
        }
        encoded.groups = encoded.check_groups()?;
        encoded.texts = encoded.check_chunks(data)?;
        Ok(encoded)
    }

    /// Reads a file that [`Self::parse`] found sound before, which its hash proves.
    pub(in crate::archive) fn parse_checked(bytes: &Bytes, known: &str) -> Result<Self, String> {
        let sha256 = sha256(bytes);
        if sha256 != known {
            return Err(NOT_AS_WRITTEN.into());
        }
        let mut encoded = Self { sha256, ..Self::opened(bytes)? };
        encoded.groups = encoded.check_groups()?;
        Ok(encoded)
    }

    /// The file with its footer, of which nothing else is known yet.
    fn opened(bytes: &Bytes) -> Result<Self, String> {
        let file = SerializedFileReader::new(bytes.clone())
            .map_err(|wrong| format!("it is no whole Parquet file: {wrong}"))?;
        let about = file.metadata().file_metadata();
        let text = about
            .key_value_metadata()
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.as_deref())
            .ok_or("it has no jindo footer")?;
        let footer = Footer::parse(text)?;
        let (groups, texts, sha256) = (Vec::new(), Vec::new(), String::new());
        Ok(Self { footer, file, bytes: bytes.len() as u64, sha256, groups, texts })
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
                let kind = if index < TEXTS { ColumnKind::Text } else { ColumnKind::Number };
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
    pub(in crate::archive) fn rows<E>(
        &self,
        query: usize,
        damaged: &dyn Fn(String) -> E,
        sink: &mut dyn FnMut(Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut series = self.series_of(query).iter().filter(|series| series.points > 0);
        let mut reading: Option<SeriesCheck<'_>> = None;
        for group in self.groups_of(query) {
            let (ts_ms, values) = self.points(group).map_err(damaged)?;
            let mut at = 0;
            while at < ts_ms.len() {
                let mut part = match reading.take() {
                    Some(part) => part,
                    None => series
                        .next()
                        .map(SeriesCheck::of)
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
    pub(in crate::archive) fn check_rows(&self) -> Result<(), String> {
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

/// Expected texts of the rows that follow.
#[derive(Default)]
struct Spelled {
    left: u64,
    metric: Vec<u8>,
    tags: Vec<u8>,
}

/// A series that is being read, possibly over several row groups.
struct SeriesCheck<'a> {
    series: &'a FooterSeries,
    left: usize,
    last_ms: i64,
}

impl<'a> SeriesCheck<'a> {
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
