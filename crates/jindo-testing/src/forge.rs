//! Objects as somebody else might write them: one that is read, changed anywhere in its rows or its footer, and written again with
//! hashes that are right. Knows the format by its documentation alone.

use jindo::digest::sha256;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};
use std::sync::Arc;

const COLUMNS: [&str; 6] = [
    "binary query (STRING)",
    "binary metric (STRING)",
    "binary tags (STRING)",
    "int64 ts (TIMESTAMP(MILLIS,true))",
    "double value",
    "int32 interval_s",
];
/// Bytes of Parquet's mark at the beginning of a file.
const MARK_BYTES: usize = 4;
/// Bytes of the largest dictionary of texts: as large as any, so that all texts stay in it.
const DICTIONARY_BYTES_MAX: usize = 1 << 30;
const ZSTD_LEVEL: i32 = 3;

/// A row of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct ForgedRow {
    pub query: ByteArray,
    pub metric: ByteArray,
    /// A JSON array.
    pub tags: ByteArray,
    /// Unix milliseconds.
    pub ts_ms: i64,
    pub value: f64,
    pub interval_s: i32,
}

/// An object that is not written yet.
#[derive(Debug, Clone)]
pub struct ForgedObject {
    /// JSON. The hashes and sizes of the data in it are made right when it is written.
    pub footer: Value,
    /// Row groups.
    pub groups: Vec<Vec<ForgedRow>>,
    /// Columns that are written as ones that may hold nulls, and hold none in the last row of each group.
    pub nulls: Vec<usize>,
    compression: Compression,
}

impl ForgedObject {
    /// Reads an object that jindo wrote.
    ///
    /// # Errors
    /// Those of the Parquet reader.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let file = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes))?;
        let pairs = file.metadata().file_metadata().key_value_metadata();
        let text = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == "jindo"));
        let text = text.and_then(|pair| pair.value.as_deref()).unwrap_or("null");
        let footer = serde_json::from_str(text).unwrap_or_default();
        let groups = (0..file.num_row_groups()).map(|group| rows(&*file.get_row_group(group)?));
        let groups = groups.collect::<Result<_>>()?;
        let compression = Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?);
        Ok(Self { footer, groups, nulls: Vec::new(), compression })
    }

    /// Returns the same object, to be written without compression, which is quicker.
    #[must_use]
    pub fn uncompressed(self) -> Self {
        Self { compression: Compression::UNCOMPRESSED, ..self }
    }

    /// Returns the rows of all groups, to be changed in their place.
    pub fn rows_mut(&mut self) -> Vec<&mut ForgedRow> {
        self.groups.iter_mut().flatten().collect()
    }

    /// Makes the footer count the rows as they are.
    pub fn recount(&mut self) {
        let queries = self.footer["queries"].as_array().cloned().unwrap_or_default();
        let number = |row: &ForgedRow| {
            let is_of =
                |query: &Value| query["sent"].as_str().map(str::as_bytes) == Some(row.query.data());
            queries.iter().position(is_of).unwrap_or_default()
        };
        let rows: Vec<&ForgedRow> = self.groups.iter().flatten().collect();
        let is_same = |one: &&ForgedRow, next: &&ForgedRow| {
            (&one.query, &one.metric, &one.tags) == (&next.query, &next.metric, &next.tags)
        };
        let series = rows.chunk_by(is_same).map(|rows| series(number(rows[0]), rows));
        self.footer["series"] = series.collect();
        let firsts: Vec<_> = self.groups.iter().filter_map(|group| group.first()).collect();
        for (index, query) in queries.iter().enumerate() {
            let count =
                |rows: &[&ForgedRow]| rows.iter().filter(|row| number(row) == index).count();
            let mut query = query.clone();
            query["rows"] = json!(count(&rows));
            query["row_groups"] = json!(count(&firsts));
            self.footer["queries"][index] = query;
        }
    }

    /// Writes the object.
    ///
    /// # Errors
    /// Those of the Parquet writer.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        self.write_with(None)
    }

    /// Writes the rows, and in place of the footer that text.
    ///
    /// # Errors
    /// Those of the Parquet writer.
    pub fn bytes_with_footer(&self, text: String) -> Result<Vec<u8>> {
        self.write_with(Some(text))
    }

    fn write_with(&self, text: Option<String>) -> Result<Vec<u8>> {
        let columns = COLUMNS.iter().enumerate().map(|(index, column)| {
            let kind = if self.nulls.contains(&index) { "optional" } else { "required" };
            format!("{kind} {column};")
        });
        let schema = format!("message jindo {{ {} }}", columns.collect::<String>());
        let schema = Arc::new(parse_message_type(&schema)?);
        let mut file =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties(self.compression)))?;
        file.flush()?;
        let mut groups = Vec::new();
        for rows in &self.groups {
            let from = file.inner().len();
            let mut writer = file.next_row_group()?;
            self.write_group(&mut writer, rows)?;
            writer.close()?;
            file.flush()?;
            let group = &file.inner()[from..];
            groups.push(json!({"bytes": group.len(), "sha256": sha256(group)}));
        }
        let mut footer = self.footer.clone();
        if footer.is_object() {
            let (data, from) = (file.inner(), MARK_BYTES);
            footer["data_bytes"] = json!(data.len().max(from));
            footer["data_sha256"] = json!(sha256(data));
            footer["groups"] = json!(groups);
        }
        let text = text.unwrap_or_else(|| footer.to_string());
        file.append_key_value_metadata(KeyValue::new("jindo".to_owned(), text));
        file.into_inner()
    }

    fn write_group(
        &self,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
        rows: &[ForgedRow],
    ) -> Result<()> {
        self.write::<ByteArrayType>(group, 0, rows.iter().map(|row| row.query.clone()).collect())?;
        self.write::<ByteArrayType>(group, 1, rows.iter().map(|row| row.metric.clone()).collect())?;
        self.write::<ByteArrayType>(group, 2, rows.iter().map(|row| row.tags.clone()).collect())?;
        self.write::<Int64Type>(group, 3, rows.iter().map(|row| row.ts_ms).collect())?;
        self.write::<DoubleType>(group, 4, rows.iter().map(|row| row.value).collect())?;
        self.write::<Int32Type>(group, 5, rows.iter().map(|row| row.interval_s).collect())
    }

    fn write<T: DataType>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
        index: usize,
        mut values: Vec<T::T>,
    ) -> Result<()> {
        let Some(mut column) = group.next_column()? else { return Ok(()) };
        let levels = self.nulls.contains(&index).then(|| {
            let mut levels = vec![1_i16; values.len()];
            levels.last_mut().into_iter().for_each(|last| *last = 0);
            values.pop();
            levels
        });
        column.typed::<T>().write_batch(&values, levels.as_deref(), None)?;
        column.close()
    }
}

/// Returns what a footer says of a series, of which these are the rows.
fn series(query: usize, rows: &[&ForgedRow]) -> Value {
    let moment = |row: Option<&&ForgedRow>| {
        let at = row.and_then(|row| jiff::Timestamp::from_millisecond(row.ts_ms).ok());
        at.map_or(Value::Null, |at| json!(at.to_string()))
    };
    let tags: Value = serde_json::from_slice(rows[0].tags.data()).unwrap_or_default();
    let metric = String::from_utf8_lossy(rows[0].metric.data()).into_owned();
    let (first, last) = (moment(rows.first()), moment(rows.last()));
    json!({
        "query": query, "metric": metric, "tags": tags, "unit": null, "points": rows.len(), "first": first, "last": last,
    })
}

fn properties(compression: Compression) -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled(column("ts"), false)
        .set_column_encoding(column("ts"), Encoding::DELTA_BINARY_PACKED)
        .build()
}

fn rows(group: &dyn RowGroupReader) -> Result<Vec<ForgedRow>> {
    let texts = [0, 1, 2].map(|index| column::<ByteArrayType>(group, index));
    let [queries, metrics, tags] = texts;
    let (queries, metrics, tags) = (queries?, metrics?, tags?);
    let ts_ms = column::<Int64Type>(group, 3)?;
    let values = column::<DoubleType>(group, 4)?;
    let intervals = column::<Int32Type>(group, 5)?;
    let row = |at: usize| ForgedRow {
        query: queries[at].clone(),
        metric: metrics[at].clone(),
        tags: tags[at].clone(),
        ts_ms: ts_ms[at],
        value: values[at],
        interval_s: intervals[at],
    };
    Ok((0..ts_ms.len()).map(row).collect())
}

fn column<T: DataType>(group: &dyn RowGroupReader, index: usize) -> Result<Vec<T::T>> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
    let mut values = Vec::with_capacity(rows);
    get_typed_column_reader::<T>(group.get_column_reader(index)?).read_records(
        rows,
        None,
        None,
        &mut values,
    )?;
    Ok(values)
}
