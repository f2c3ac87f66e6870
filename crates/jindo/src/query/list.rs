//! The text of a list file → queries, and every refusal of the list at once. Pure: `load` reads the file.

use super::ast::Expr;
use super::complaint::{Complaint, LinePlace, column};
use super::{
    Interval, IntervalOrigin, Query, QueryError, QueryText, Reason, RewriteOptions, SentText,
    Settled, Spacings, Span, grammar, settle, variables,
};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::ops::ControlFlow;

/// Queries of one list, at most: ten times the metrics of a large organisation. More is a file that is no list.
pub const QUERIES_MAX: usize = 100_000;

/// Content of a list, in its order.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Each once.
    pub queries: Vec<Query>,
    /// All of them: the caller stops with these words, or leaves these queries out.
    pub refused: Vec<Complaint>,
    pub notes: Vec<ListNote>,
    /// Of [`list_spaced`]: queries without an interval of their own whose spacing is not known, each once, as understood at
    /// [`RewriteOptions::resolution`].
    pub unspaced: Vec<Query>,
}

/// A query that is the same as an earlier one after normalising, and is exported once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListNote {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub written: String,
    /// Line in which it stands first, from 1.
    pub first_line: usize,
}

impl Display for ListNote {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, written, first_line } = self;
        write!(
            f,
            "{file}:{line}:{column}: `{written}` is the same query as in line {first_line}; it is exported once"
        )
    }
}

/// Reads a list. `name` is the file's name as the user knows it, for messages only.
pub fn list(name: &str, text: &str, options: &RewriteOptions) -> List {
    ListReader::new(name, options, None).read(text)
}

/// The same with an interval per query: each without a rollup of its own gets the one that `spacings` has for it, or, where that
/// is not known yet, `options.resolution`.
pub fn list_spaced(name: &str, text: &str, options: &RewriteOptions, spacings: &Spacings) -> List {
    ListReader::new(name, options, Some(spacings)).read(text)
}

struct ListReader<'a> {
    name: &'a str,
    options: &'a RewriteOptions,
    spacings: Option<&'a Spacings>,
    list: List,
    /// The line in which each identity stands first.
    first_lines: HashMap<(SentText, Interval), usize>,
    /// Names of the queries in the list's `unspaced`.
    unspaced: HashSet<String>,
}

impl<'a> ListReader<'a> {
    fn new(name: &'a str, options: &'a RewriteOptions, spacings: Option<&'a Spacings>) -> Self {
        let (list, first_lines, unspaced) = (List::default(), HashMap::new(), HashSet::new());
        Self { name, options, spacings, list, first_lines, unspaced }
    }

    fn read(mut self, text: &str) -> List {
        let lines = text.split('\n').enumerate();
        for line in lines.filter_map(|(index, source)| ListLine::new(index + 1, source)) {
            if self.line(&line).is_break() {
                break;
            }
        }
        if self.list.queries.is_empty() && self.list.refused.is_empty() {
            let place = LinePlace { file: self.name, line: 1, source: "", span: Span::default() };
            self.list.refused.push(Complaint::new(place, "", Reason::EmptyList));
        }
        self.list
    }

    /// Breaks off when the list has too many queries to go on.
    fn line(&mut self, line: &ListLine<'_>) -> ControlFlow<()> {
        match grammar::parse_list(&line.text) {
            Err(refusal) => self.refuse(line, line.source.trim(), refusal),
            Ok(found) => {
                for expr in found {
                    if self.list.queries.len() + self.list.refused.len() == QUERIES_MAX {
                        let reason = Reason::TooMany { max: QUERIES_MAX };
                        self.refuse(line, line.source.trim(), QueryError::new(expr.span, reason));
                        return ControlFlow::Break(());
                    }
                    self.query(line, expr);
                }
            }
        }
        if self.list.refused.len() < QUERIES_MAX {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }

    fn query(&mut self, line: &ListLine<'_>, mut expr: Expr) {
        let place = expr.span;
        let written = &line.text[place.start..place.end];
        let settled = variables::fill_in(&mut expr, &self.options.variables)
            .and_then(|()| settle(&expr, written, self.options))
            .and_then(|settled| self.space(&expr, settled));
        match settled {
            Err(refusal) => self.refuse(line, written, refusal),
            Ok(settled) => self.keep(line, place, settled.text),
        }
    }

    /// Returns the query at its own spacing, where that is known; else notes it as unspaced.
    fn space(&mut self, expr: &Expr, settled: Settled) -> Result<Settled, QueryError> {
        let Some(spacings) = self.spacings.filter(|_| settled.origin == IntervalOrigin::Resolution)
        else {
            return Ok(settled);
        };
        let query = Query::new(settled.text.clone());
        if let Some(resolution) = spacings.get(&query) {
            let options = RewriteOptions { resolution, ..self.options.clone() };
            return settle(expr, &settled.text.written, &options);
        }
        let name = Spacings::name(&query).unwrap_or_else(|| query.text.sent.to_string());
        if self.unspaced.insert(name) {
            self.list.unspaced.push(query);
        }
        Ok(settled)
    }

    fn keep(&mut self, line: &ListLine<'_>, place: Span, text: QueryText) {
        match self.first_lines.entry((text.sent.clone(), text.interval)) {
            Entry::Occupied(first) => self.list.notes.push(ListNote {
                file: self.name.to_owned(),
                line: line.number,
                column: column(line.source, line.place(place).start),
                written: text.written,
                first_line: *first.get(),
            }),
            Entry::Vacant(free) => {
                free.insert(line.number);
                self.list.queries.push(Query::new(text));
            }
        }
    }

    fn refuse(&mut self, line: &ListLine<'_>, written: &str, refusal: QueryError) {
        let span = line.place(refusal.span);
        let place = LinePlace { file: self.name, line: line.number, source: line.source, span };
        self.list.refused.push(Complaint::new(place, written, refusal.reason));
    }
}

/// A line that holds queries, without indentation and CSV quotes.
struct ListLine<'a> {
    /// From 1.
    number: usize,
    source: &'a str,
    text: String,
    /// Start of the text in the source, in bytes.
    start: usize,
    /// Bytes of the text before which the source has a doubled quote.
    doubled: Vec<usize>,
}

impl<'a> ListLine<'a> {
    /// `None` for blank lines and comments.
    fn new(number: usize, source: &'a str) -> Option<Self> {
        let trimmed = source.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return None;
        }
        let start = source.len() - source.trim_start().len();
        let Some(inner) = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Some(Self {
                number,
                source,
                text: trimmed.to_owned(),
                start,
                doubled: Vec::new(),
            });
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
        Some(Self { number, source, text, start: start + 1, doubled })
    }

    /// Returns the place in the source of a place in the text.
    fn place(&self, span: Span) -> Span {
        let place =
            |at: usize| self.start + at + self.doubled.partition_point(|quote| *quote <= at);
        Span { start: place(span.start), end: place(span.end) }
    }
}

/// Decodes a list file: UTF-8, or UTF-16 as told by its byte order mark or by the zero bytes of ASCII. What is broken becomes U+FFFD, which no
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
