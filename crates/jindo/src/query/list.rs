//! The bytes of a list file → queries, and every refusal of the list at once. Pure: `load` reads the file.

use super::ast::Expr;
use super::complaint::{Complaint, Place, column};
use super::{
    Interval, IntervalOrigin, Query, QueryText, Reason, Refused, SentText, Settings, Settled,
    Spacings, Span, grammar, settle, variables,
};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};

/// Queries of one list, at most: ten times the metrics of a large organisation. More is a file that is no list.
pub const QUERIES_MAX: usize = 100_000;

/// What a list holds, in its order.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Each once.
    pub queries: Vec<Query>,
    /// All of them: the caller stops with these words, or leaves these queries out.
    pub refused: Vec<Complaint>,
    pub notes: Vec<Note>,
    /// Of [`list_spaced`]: queries without an interval of their own whose spacing is not known, each once, as understood at
    /// [`Settings::resolution`].
    pub unspaced: Vec<Query>,
}

/// A query that is the same as an earlier one after normalising, and is exported once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub written: String,
    /// Where it stands first.
    pub first_line: usize,
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, written, first_line } = self;
        write!(
            f,
            "{file}:{line}:{column}: `{written}` is the same query as in line {first_line}; it is exported once"
        )
    }
}

/// Reads a list. `name` is the file's name as the user knows it, for the words only.
pub fn list(name: &str, bytes: &[u8], settings: &Settings) -> List {
    read(name, bytes, settings, None)
}

/// The same with an interval per query: each without a rollup of its own gets the one that `spacings` has for it, or, where that
/// is not known yet, `settings.resolution`.
pub fn list_spaced(name: &str, bytes: &[u8], settings: &Settings, spacings: &Spacings) -> List {
    read(name, bytes, settings, Some(spacings))
}

fn read(name: &str, bytes: &[u8], settings: &Settings, spacings: Option<&Spacings>) -> List {
    let text = decode(bytes);
    let (list, seen, unspaced) = (List::default(), HashMap::new(), HashSet::new());
    let mut reading = Reading { name, settings, spacings, list, seen, unspaced };
    for (index, line) in text.split('\n').enumerate() {
        if !reading.line(index + 1, line) {
            break;
        }
    }
    if reading.list.queries.is_empty() && reading.list.refused.is_empty() {
        let place = Place { file: name, line: 1, source: "", span: Span::default() };
        reading.list.refused.push(Complaint::new(place, "", Reason::EmptyList));
    }
    reading.list
}

struct Reading<'a> {
    name: &'a str,
    settings: &'a Settings,
    spacings: Option<&'a Spacings>,
    list: List,
    /// The line in which each identity stands first.
    seen: HashMap<(SentText, Interval), usize>,
    /// What is in the list's `unspaced`.
    unspaced: HashSet<String>,
}

impl Reading<'_> {
    /// `false` when the list has too many queries to go on.
    fn line(&mut self, number: usize, source: &str) -> bool {
        let Some(line) = Line::new(source) else { return true };
        match grammar::parse_list(&line.text) {
            Err(Refused { span, reason }) => {
                self.refuse(number, &line, span, (source.trim(), reason));
            }
            Ok(found) => {
                for mut expr in found {
                    if self.list.queries.len() + self.list.refused.len() == QUERIES_MAX {
                        let reason = Reason::TooMany { max: QUERIES_MAX };
                        self.refuse(number, &line, expr.span, (source.trim(), reason));
                        return false;
                    }
                    let place = expr.span;
                    let written = line.text[place.start..place.end].to_owned();
                    let settled = variables::fill_in(&mut expr, &self.settings.variables)
                        .and_then(|()| settle(&expr, &written, self.settings))
                        .and_then(|settled| self.space(&expr, settled));
                    match settled {
                        Err(Refused { span, reason }) => {
                            self.refuse(number, &line, span, (&written, reason));
                        }
                        Ok(settled) => {
                            let column = column(source, line.place(place).start);
                            self.keep((number, column), settled.text);
                        }
                    }
                }
            }
        }
        self.list.refused.len() < QUERIES_MAX
    }

    /// The query at its own spacing, where that is known; else it is noted.
    fn space(&mut self, expr: &Expr, settled: Settled) -> Result<Settled, Refused> {
        let Some(spacings) = self.spacings.filter(|_| settled.origin == IntervalOrigin::Resolution)
        else {
            return Ok(settled);
        };
        let query = Query::new(settled.text.clone());
        if let Some(resolution) = spacings.get(&query) {
            let settings = Settings { resolution, ..self.settings.clone() };
            return settle(expr, &settled.text.written, &settings);
        }
        let name = Spacings::name(&query).unwrap_or_else(|| query.text.sent.to_string());
        if self.unspaced.insert(name) {
            self.list.unspaced.push(query);
        }
        Ok(settled)
    }

    fn keep(&mut self, (line, column): (usize, usize), text: QueryText) {
        match self.seen.entry((text.sent.clone(), text.interval)) {
            Entry::Occupied(first) => {
                let (file, first_line) = (self.name.to_owned(), *first.get());
                let written = text.written;
                self.list.notes.push(Note { file, line, column, written, first_line });
            }
            Entry::Vacant(free) => {
                free.insert(line);
                self.list.queries.push(Query::new(text));
            }
        }
    }

    fn refuse(&mut self, number: usize, line: &Line<'_>, span: Span, what: (&str, Reason)) {
        let span = line.place(span);
        let place = Place { file: self.name, line: number, source: line.source, span };
        self.list.refused.push(Complaint::new(place, what.0, what.1));
    }
}

/// A line that holds queries, without indentation and CSV quotes.
struct Line<'a> {
    source: &'a str,
    text: String,
    /// Where the text starts in the source, in bytes.
    start: usize,
    /// Bytes of the text before which the source has a doubled quote.
    doubled: Vec<usize>,
}

impl<'a> Line<'a> {
    /// `None` for blank lines and comments.
    fn new(source: &'a str) -> Option<Self> {
        let trimmed = source.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return None;
        }
        let start = source.len() - source.trim_start().len();
        let Some(inner) = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Some(Self { source, text: trimmed.to_owned(), start, doubled: Vec::new() });
        };
        let mut text = String::with_capacity(inner.len());
        let mut doubled = Vec::new();
        for (index, part) in inner.split("\"\"").enumerate() {
            if index > 0 {
                text.push('"');
                doubled.push(text.len());
            }
            text.push_str(part);
        }
        Some(Self { source, text, start: start + 1, doubled })
    }

    /// The place in the source of a place in the text.
    fn place(&self, span: Span) -> Span {
        let place =
            |at: usize| self.start + at + self.doubled.partition_point(|quote| *quote <= at);
        Span { start: place(span.start), end: place(span.end) }
    }
}

/// UTF-8, or UTF-16 as told by its byte order mark or by the zero bytes of ASCII. What is broken becomes U+FFFD, which no
/// query may hold. Line ends become `\n`.
pub fn decode(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [1..=u8::MAX, 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, 1..=u8::MAX, ..] => utf16(bytes, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    chars.chain((!odd.is_empty()).then_some(char::REPLACEMENT_CHARACTER)).collect()
}
