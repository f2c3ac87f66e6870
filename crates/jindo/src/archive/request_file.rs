//! `archive/request.json`: what of the ledger no footer can tell, so that a lost one is rebuilt to the byte. Pure.

use super::objects::QUERY_BYTES_MAX;
use super::{ArchiveId, Remembered, Request, RequestLine, Role};
use crate::plan::{Range, Window};
use crate::query::{Interval, Query, QueryText, SentText};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Its name beside the ledger.
pub(super) const REQUEST: &str = "request.json";
const VERSION: u32 = 1;
/// Bytes of the longest file that is read: 60,000 queries of 100 characters. A longer one costs the last request where the ledger
/// is lost as well, and nothing that was fetched.
pub(super) const REQUEST_BYTES_MAX: u64 = 64 << 20;
/// Lines, queries and ranges of the longest file that is read: what they are read into takes a few hundred bytes each.
const ENTRIES_MAX: usize = 400_000;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    /// `None` in files of earlier versions.
    #[serde(default)]
    archive: Option<ArchiveId>,
    asked: FileRange,
    settled: Timestamp,
    timezone: String,
    arguments: String,
    lines: Vec<FileLine>,
    /// Every query the ledger knew, by number, those of earlier lists too.
    queries: Vec<FileQuery>,
}

#[derive(Serialize, Deserialize)]
struct FileRange {
    start: Timestamp,
    end: Timestamp,
}

impl From<Window> for FileRange {
    fn from(window: Window) -> Self {
        Self { start: window.start(), end: window.end() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum FileLine {
    Refused {
        written: String,
        reason: String,
    },
    Query {
        written: String,
        sent: String,
        unfilled: Option<String>,
        #[serde(rename = "interval_s")]
        interval: Interval,
        alone: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct FileQuery {
    sent: String,
    #[serde(rename = "interval_s")]
    interval: Interval,
    written: String,
    unfilled: Option<String>,
    alone: bool,
    asked: Option<FileRange>,
    substitute: Option<String>,
    role: Role,
}

/// The file's bytes.
pub(super) fn written(
    request: &Request,
    known: impl Iterator<Item = Remembered>,
    archive: Option<ArchiveId>,
) -> Vec<u8> {
    let file = File {
        version: VERSION,
        archive,
        asked: request.asked.window.into(),
        settled: request.asked.settled,
        timezone: request.timezone.clone(),
        arguments: request.arguments.clone(),
        lines: request.lines.iter().cloned().map(file_line).collect(),
        queries: known.map(file_query).collect(),
    };
    serde_json::to_vec_pretty(&file).expect("texts and numbers in structs are always JSON")
}

fn file_line(line: RequestLine) -> FileLine {
    match line {
        RequestLine::Refused { written, reason } => FileLine::Refused { written, reason },
        RequestLine::Query(query) => {
            let QueryText { written, sent, unfilled, interval, alone } = query.text;
            FileLine::Query { written, sent: sent.to_string(), unfilled, interval, alone }
        }
    }
}

fn file_query(query: Remembered) -> FileQuery {
    let Remembered { text, asked, substitute, role } = query;
    let QueryText { written, sent, unfilled, interval, alone } = text;
    let (sent, asked) = (sent.to_string(), asked.map(FileRange::from));
    let substitute = substitute.map(|sent| sent.to_string());
    FileQuery { sent, interval, written, unfilled, alone, asked, substitute, role }
}

/// Contents of the file.
pub(super) struct RequestFile {
    pub request: Request,
    pub known: Vec<Remembered>,
    /// Id of the archive; `None` in files of earlier versions.
    pub archive: Option<ArchiveId>,
}

/// Counts the objects of JSON; the braces of queries stand in its texts.
fn entries(json: &[u8]) -> usize {
    let (mut entries, mut is_text, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' if !is_text => entries += 1,
            _ => {}
        }
    }
    entries
}

/// Reads the file; the text says what is wrong with it.
pub(super) fn parsed(bytes: &[u8]) -> Result<RequestFile, String> {
    let entries = entries(bytes);
    if entries > ENTRIES_MAX {
        return Err(format!("it has {entries} entries, more than are read ({ENTRIES_MAX})"));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|wrong| wrong.to_string())?;
    if file.version != VERSION {
        return Err(format!("it has version {}; this jindo reads {VERSION}", file.version));
    }
    let known = file.queries.into_iter().map(remembered).collect::<Result<_, _>>()?;
    let lines = file.lines.into_iter().map(line).collect::<Result<_, _>>()?;
    let (timezone, arguments) = (file.timezone, file.arguments);
    let asked = Range { window: window(&file.asked)?, settled: file.settled };
    let request = Request { lines, asked, timezone, arguments };
    Ok(RequestFile { request, known, archive: file.archive })
}

fn remembered(query: FileQuery) -> Result<Remembered, String> {
    let FileQuery { sent, interval, written, unfilled, alone, asked, substitute, role } = query;
    bounded([Some(&sent), Some(&written), unfilled.as_ref(), substitute.as_ref()])?;
    let text = QueryText { written, sent: sent.into(), unfilled, interval, alone };
    let asked = asked.as_ref().map(window).transpose()?;
    Ok(Remembered { text, asked, substitute: substitute.map(SentText::from), role })
}

fn line(line: FileLine) -> Result<RequestLine, String> {
    Ok(match line {
        FileLine::Refused { written, reason } => RequestLine::Refused { written, reason },
        FileLine::Query { written, sent, unfilled, interval, alone } => {
            bounded([Some(&sent), Some(&written), unfilled.as_ref(), None])?;
            let sent = sent.into();
            RequestLine::Query(Query::new(QueryText { written, sent, unfilled, interval, alone }))
        }
    })
}

/// Refuses texts that the ledger would refuse to read.
fn bounded(texts: [Option<&String>; 4]) -> Result<(), String> {
    match texts.into_iter().flatten().find(|text| text.len() > QUERY_BYTES_MAX) {
        Some(text) => Err(format!(
            "it has a query of {} bytes, more than a query has ({QUERY_BYTES_MAX})",
            text.len()
        )),
        None => Ok(()),
    }
}

fn window(span: &FileRange) -> Result<Window, String> {
    Window::new(span.start, span.end).ok_or_else(|| "it asks for an empty range".to_owned())
}
