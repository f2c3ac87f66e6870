//! Files that are no lists: dashboards and monitors as JSON, Terraform, YAML, tables, workbooks. Each is known for what it is, and
//! its queries are counted, so that one sentence takes the place of thousands. Nothing is taken out of it. Pure.

mod json;
mod notations;

use super::key_line::without_keys;
use super::line::ListLine;
use super::reading::read;
use crate::query::ast::Aggregator;
use crate::secret::Secrets;
use std::fmt::{self, Display, Formatter};

/// A file that is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherFile {
    pub kind: FileKind,
    /// Queries that were seen in it, each text once in JSON; in other notations, lines with queries.
    pub queries: usize,
    /// A file without queries has a line that looks like a key.
    pub holds_key: bool,
}

impl OtherFile {
    fn new(kind: FileKind, queries: usize) -> Self {
        Self { kind, queries, holds_key: false }
    }
}

/// Kinds of files that are no lists. Its `Display` stands behind "it is".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Not a text; named by its format.
    Binary(&'static str),
    /// JSON, named by what it says.
    Json(&'static str),
    /// A JSON list of texts.
    JsonTexts,
    /// Another text, named by its format.
    Text(&'static str),
}

impl Display for FileKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary(name) | Self::Json(name) | Self::Text(name) => name,
            Self::JsonTexts => "a JSON list of texts",
        })
    }
}

/// First bytes of files that are not texts.
const MAGIC: [(&[u8], &str); 14] = [
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"{\\rtf", "a document of a word processor (RTF)"),
];

/// First bytes of a zip archive, which workbooks and documents are.
const ZIP: &[u8] = b"PK\x03\x04";

/// Returns the kind of a file that is no list; `None` for lists, good and bad ones.
pub fn other_file(bytes: &[u8], text: &str) -> Option<OtherFile> {
    if let Some(name) = binary(bytes) {
        return Some(OtherFile::new(FileKind::Binary(name), 0));
    }
    let found = json::json(text).or_else(|| notations::notation(text))?;
    let holds_key = found.queries == 0 && without_keys(text, &Secrets::default()) != text;
    Some(OtherFile { holds_key, ..found })
}

fn binary(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(ZIP) {
        let holds = |name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
        return Some(match () {
            () if holds(b"xl/workbook") => "an Excel workbook",
            () if holds(b"word/document") => "a Word document",
            () => "a zip archive",
        });
    }
    MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
}

/// Returns true for a text that a list could hold as a line with a query.
fn is_query(text: &str) -> bool {
    // A bare name is none.
    text.contains('{') && reads(text)
}

/// Returns true for a line that a list could hold.
fn reads(line: &str) -> bool {
    ListLine::new(1, line).is_some_and(|line| read(&line.text).is_ok())
}

/// Number of lines that hold a series with its aggregator.
fn lines_with_queries(text: &str) -> usize {
    let holds_query = |line: &&str| line.match_indices('{').any(|(at, _)| is_series(&line[..at]));
    text.lines().filter(holds_query).count()
}

/// Returns true for a text that ends like `avg:system.cpu.user`.
fn is_series(before: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let metric = before.trim_end_matches(is_name);
    let Some(head) = metric.strip_suffix(':') else { return false };
    let aggregator = &head[head.trim_end_matches(is_name).len()..];
    metric.len() < before.len() && Aggregator::from_name(aggregator).is_some()
}
