//! Parquet files to rows, with the `parquet` crate's column API. Pure: bytes in, rows out. What comes back is untrusted until
//! [`Encoded::parse`] has compared it with its footer and looked at the size of every page.

use super::demands::{Grid, SeriesRows, check_footer};
use super::footer::{Footer, FooterQuery, FooterSeries, KEY};
use super::pages::{ColumnKind, check_pages};
use super::thrift::check_file;
use super::weight;
use super::{GROUP_ROWS_MAX, SCHEMA};
use crate::digest::{hex, sha256};
use crate::panics;
use crate::parse::SeriesMetadata;
use bytes::Bytes;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetStatisticsPolicy, RowGroupMetaData};
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::sync::Arc;

/// Says that a file is another than the ledger recorded.
pub(in crate::archive) const NOT_AS_WRITTEN: &str = "its bytes are not those that were written";
const NOT_THE_ROWS: &str = "its rows are not those that were written";
/// Places of a damage that are named.
const PLACES_MAX: usize = 3;

/// The first columns are texts: the query, the metric, the tags.
const TEXTS: usize = 3;
const METRIC: usize = 1;
const TAGS: usize = 2;
const TS: usize = 3;
const VALUE: usize = 4;
const INTERVAL: usize = 5;
/// Bytes before each text in a dictionary.
const TEXT_LENGTH_BYTES: usize = 4;

/// Points of one series that follow each other; a long series comes in several.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    pub metric: &'a str,
    /// `key:value`, sorted.
    pub tags: &'a [String],
    pub unit: Option<&'a str>,
    /// `None` in objects of earlier versions, which did not keep it.
    pub metadata: Option<&'a Arc<SeriesMetadata>>,
    /// Strictly ascending Unix milliseconds.
    pub ts_ms: &'a [i64],
    /// As long as `ts_ms`, bit for bit as fetched.
    pub values: &'a [f64],
}

/// A file whose footer is ours and whose row groups are as the footer says. Its pages are not decoded yet.
pub(in crate::archive) struct Encoded {
    pub footer: Footer,
    file: SerializedFileReader<Bytes>,
    content: Bytes,
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
        let mut encoded = Self::opened(bytes)?;
        let (data, rest) = bytes.split_at_checked(encoded.footer.data_bytes).ok_or(NOT_THE_ROWS)?;
        let mut hash = Sha256::new_with_prefix(data);
        if hex(&hash.clone().finalize()) != encoded.footer.data_sha256 {
            return Err(rows_damaged(&encoded.footer.damage(data)));
        }
        hash.update(rest);
        encoded.sha256 = hex(&hash.finalize());
        encoded.texts = encoded.check_chunks(data)?;
        Ok(encoded)
    }

    /// Reads a file that [`Self::parse`] found sound before, which its hash proves.
    pub(in crate::archive) fn parse_checked(bytes: &Bytes, known: &str) -> Result<Self, String> {
        let sha256 = sha256(bytes);
        if sha256 != known {
            return Err(NOT_AS_WRITTEN.into());
        }
        Ok(Self { sha256, ..Self::opened(bytes)? })
    }

    /// The file with its footer, walked before it is read, and its row groups, of which nothing else is known yet. The crate passes
    /// over the schema that it holds and reads it by ours.
    fn opened(bytes: &Bytes) -> Result<Self, String> {
        check_file(bytes)?;
        let file = contained(|| {
            let schema = SchemaDescriptor::new(Arc::new(parse_message_type(SCHEMA)?));
            let options = ReadOptionsBuilder::new()
                .with_parquet_schema(Arc::new(schema))
                .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .build();
            SerializedFileReader::new_with_options(bytes.clone(), options)
        });
        let file = file.map_err(|wrong| format!("it is no whole Parquet file: {wrong}"))?;
        let about = file.metadata().file_metadata();
        let text = about
            .key_value_metadata()
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.as_deref())
            .ok_or("it has no jindo footer")?;
        weight::check(text)?;
        let footer = Footer::parse(text)?;
        check_footer(&footer)?;
        let groups = groups(file.metadata().row_groups(), &footer.queries)?;
        let (content, bytes) = (bytes.clone(), bytes.len() as u64);
        let (sha256, texts) = (String::new(), Vec::new());
        Ok(Self { footer, file, content, bytes, sha256, groups, texts })
    }

    fn check_chunks(&self, bytes: &[u8]) -> Result<Vec<[u64; TEXTS]>, String> {
        let mut all = Vec::with_capacity(self.file.metadata().num_row_groups());
        for group in self.file.metadata().row_groups() {
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

    /// Cuts one query's rows where a row group or a series ends. Footer and row groups count the same rows.
    fn parts(&self, query: usize) -> Vec<ReadPart<'_>> {
        let mut parts = Vec::new();
        let (mut group, mut at) = (self.groups[query], 0);
        for series in self.series_of(query) {
            let mut done = 0;
            while done < series.points {
                let rows = self.group_rows(group);
                if at == rows {
                    (group, at) = (group + 1, 0);
                    continue;
                }
                let left = usize::try_from(series.points - done).unwrap_or(usize::MAX);
                let until = rows.min(at.saturating_add(left));
                parts.push(ReadPart { group, rows: at..until, series, done });
                done += (until - at) as u64;
                at = until;
            }
        }
        parts
    }

    /// Pushes one query's series in their order, one decoded row group in memory at a time. Nothing is pushed that [`SeriesRows::check`]
    /// refuses.
    pub(in crate::archive) fn rows<E>(
        &self,
        query: usize,
        damaged: &dyn Fn(String) -> E,
        sink: &mut dyn FnMut(Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (grid, mut last_ms) = (Grid::of(&self.footer), i64::MIN);
        for parts in self.parts(query).chunk_by(|one, next| one.group == next.group) {
            let rows = self.group_rows(parts[0].group);
            let read = || {
                let group = self.file.get_row_group(parts[0].group)?;
                let ts_ms = column::<Int64Type>(&*group, TS, rows)?;
                Ok((ts_ms, column::<DoubleType>(&*group, VALUE, rows)?))
            };
            let (ts_ms, values) = contained(read)
                .map_err(|wrong| damaged(format!("its rows cannot be read: {wrong}")))?;
            for part in parts {
                let (ts_ms, values) = (&ts_ms[part.rows.clone()], &values[part.rows.clone()]);
                let ReadPart { series, done, .. } = *part;
                let rows = SeriesRows { series, done, last_ms, ts_ms, values };
                last_ms = rows.check(grid).map_err(|why| damaged(why.to_owned()))?;
                let FooterSeries { metric, tags, unit, metadata, .. } = series;
                let (unit, metadata) =
                    (unit.as_deref(), metadata.map(|at| &self.footer.metadata[at]));
                let tags = &tags.unpacked();
                sink(Chunk { metric, tags, unit, metadata, ts_ms, values })?;
            }
        }
        Ok(())
    }

    fn group_rows(&self, group: usize) -> usize {
        let rows = self.file.metadata().row_group(group).num_rows();
        usize::try_from(rows).expect("row groups were checked to be small")
    }

    /// Decodes everything and compares it with the footer: hashes, texts, times, counts.
    pub(in crate::archive) fn check_rows(&self) -> Result<(), String> {
        let damage = self.footer.damage(&self.content);
        if !damage.is_empty() {
            return Err(rows_damaged(&damage));
        }
        for (index, query) in self.footer.queries.iter().enumerate() {
            self.check_dictionaries(index)?;
            for parts in self.parts(index).chunk_by(|one, next| one.group == next.group) {
                self.check_texts(&query.sent, parts)?;
            }
            self.rows(index, &|wrong| wrong, &mut |_| Ok(()))?;
        }
        Ok(())
    }

    /// A dictionary holds nothing but texts that the footer names, each once: so what decoding takes is in proportion to the
    /// file, however small a page is.
    fn check_dictionaries(&self, query: usize) -> Result<(), String> {
        let bytes = |text: &str| (text.len() + TEXT_LENGTH_BYTES) as u64;
        let mut named = [bytes(&self.footer.queries[query].sent), 0, 0];
        for series in self.series_of(query) {
            named[METRIC] += bytes(&series.metric);
            named[TAGS] += bytes(series.tags.as_json());
        }
        let mut groups = self.texts[self.groups[query]..self.groups[query + 1]].iter();
        if groups.any(|texts| texts.iter().zip(named).any(|(decoded, named)| *decoded > named)) {
            return Err("a dictionary holds more than the texts of its footer".into());
        }
        Ok(())
    }

    /// Decodes the texts and intervals of a row group, of which these are the parts.
    fn check_texts(&self, sent: &str, parts: &[ReadPart<'_>]) -> Result<(), String> {
        let rows = self.group_rows(parts[0].group);
        let read = || {
            let group = self.file.get_row_group(parts[0].group)?;
            let texts = [
                column::<ByteArrayType>(&*group, 0, rows)?,
                column::<ByteArrayType>(&*group, METRIC, rows)?,
                column::<ByteArrayType>(&*group, TAGS, rows)?,
            ];
            Ok((texts, column::<Int32Type>(&*group, INTERVAL, rows)?))
        };
        let ([queries, metrics, tags], intervals) =
            contained(read).map_err(|wrong| format!("its texts cannot be read: {wrong}"))?;
        let is = |texts: &[ByteArray], text: &str| {
            texts.iter().all(|found| found.data() == text.as_bytes())
        };
        let asked_s = i64::from(self.footer.interval_s);
        for ReadPart { rows, series, .. } in parts {
            let same = is(&queries[rows.clone()], sent)
                && is(&metrics[rows.clone()], &series.metric)
                && is(&tags[rows.clone()], series.tags.as_json())
                && intervals[rows.clone()].iter().all(|found| i64::from(*found) == asked_s);
            if !same {
                return Err("its rows are not those of its footer".into());
            }
        }
        Ok(())
    }
}

/// Rows of a series within one row group.
struct ReadPart<'a> {
    group: usize,
    /// Within the group.
    rows: Range<usize>,
    series: &'a FooterSeries,
    /// Points of the series in earlier parts.
    done: u64,
}

/// Says that rows are not those that were written, and where, as far as that is known.
fn rows_damaged(places: &[String]) -> String {
    let Some(named) = places.get(..PLACES_MAX.min(places.len())).filter(|named| !named.is_empty())
    else {
        return NOT_THE_ROWS.to_owned();
    };
    let more = match places.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{NOT_THE_ROWS}: {}{more}", named.join("; "))
}

/// The decoders of `parquet` assert what a hostile page may break. A damaged page never gets here: its hash is wrong.
fn contained<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    panics::contained(decode)
        .unwrap_or_else(|| Err(ParquetError::General("a page breaks its own encoding".into())))
}

/// Returns the first row group of each query, and behind the last.
fn groups(found: &[RowGroupMetaData], queries: &[FooterQuery]) -> Result<Vec<usize>, String> {
    let mut firsts = vec![0];
    let mut rest = found;
    for query in queries {
        let (own, others) = rest
            .split_at_checked(query.row_groups)
            .ok_or("it has fewer row groups than its footer says")?;
        let sizes = own.iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(u64::MAX));
        if sizes.clone().any(|rows| rows > GROUP_ROWS_MAX as u64) {
            return Err("a row group is larger than any of ours".into());
        }
        let rows: u64 = sizes.sum();
        if rows != query.rows {
            return Err(format!("it has {rows} rows of {}, not {}", query.sent, query.rows));
        }
        firsts.push(found.len() - others.len());
        rest = others;
    }
    if rest.is_empty() {
        Ok(firsts)
    } else {
        Err("it has more row groups than its footer says".into())
    }
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
