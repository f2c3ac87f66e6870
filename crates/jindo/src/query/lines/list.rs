//! The text of a list file → queries, and every refusal of the list at once. Pure: `load` reads the file.

use super::key_line::without_keys;
use crate::query::ast::{Expr, SeriesExpr};
use crate::query::error::{Complaint, KEY_LINE, column, excerpt};
use crate::query::rewrite::{settle, states_interval};
use crate::query::variables::{FilledQuery, VariableValues};
use crate::query::{
    Interval, Query, QueryError, QueryText, Reason, RewriteOptions, SentText, Spacings, Span,
    grammar,
};
use crate::secret::Secrets;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Queries of one list, at most: ten times the metrics of a large organisation. More is a file that is no list.
pub const QUERIES_MAX: usize = 100_000;

/// Content of a list, in its order.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Each once.
    pub queries: Vec<Query>,
    /// All of them: the caller stops with these words, or leaves these queries out.
    pub refused: Vec<Complaint>,
    /// Of queries that are taken: those that are the same as an earlier one after normalising (each is exported once), and those
    /// that the server may refuse.
    pub notes: Vec<Complaint>,
    /// Of [`list_spaced`]: queries without an interval of their own whose spacing is not known, each once, as understood at
    /// [`RewriteOptions::resolution`].
    pub unspaced: Vec<Query>,
    /// Metrics whose type decides about a query and is not known; their queries are understood as those of counts.
    pub untyped: BTreeSet<String>,
}

/// Reads a list. `name` is the file's name as the user knows it, for messages only.
pub fn list(name: &str, text: &str, options: &RewriteOptions) -> List {
    read(name, text, options, None)
}

/// The same with an interval per query: each without a rollup of its own gets the one that `spacings` has for it, or, where that
/// is not known yet, `options.resolution`.
pub fn list_spaced(name: &str, text: &str, options: &RewriteOptions, spacings: &Spacings) -> List {
    read(name, text, options, Some(spacings))
}

fn read(name: &str, text: &str, options: &RewriteOptions, spacings: Option<&Spacings>) -> List {
    let (list, first_lines, unspaced) = (List::default(), HashMap::new(), HashSet::new());
    let values = VariableValues::new(&options.variables);
    ListReader { name, options, values, spacings, list, read: 0, first_lines, unspaced }.read(text)
}

struct ListReader<'a> {
    name: &'a str,
    options: &'a RewriteOptions,
    values: VariableValues<'a>,
    spacings: Option<&'a Spacings>,
    list: List,
    /// Queries that more than one value of a variable made, repeated ones included.
    read: usize,
    /// The line in which each identity stands first.
    first_lines: HashMap<(SentText, Interval), usize>,
    /// Names of the queries in the list's `unspaced`.
    unspaced: HashSet<String>,
}

impl ListReader<'_> {
    fn read(mut self, text: &str) -> List {
        // Of a list that was kept before keys were taken out, or was read by another door.
        let text = &without_keys(text, &Secrets::default());
        'lines: for (source, number) in text.split('\n').zip(1..) {
            let Some(line) = ListLine::new(number, source) else { continue };
            if source == KEY_LINE {
                self.list.refused.push(Complaint::of_key(self.name, number));
                continue;
            }
            let found = grammar::parse_list(&line.text).unwrap_or_else(|refusal| {
                self.refuse(&line, source.trim(), refusal);
                Vec::new()
            });
            for expr in found {
                let place = expr.span;
                if !self.queries(&line, &expr) {
                    let reason = Reason::TooMany { max: QUERIES_MAX };
                    self.refuse(&line, source.trim(), QueryError::new(place, reason));
                    break 'lines;
                }
            }
            if self.list.refused.len() >= QUERIES_MAX {
                break;
            }
        }
        if self.list.queries.is_empty() && self.list.refused.is_empty() {
            let line = ListLine { number: 1, ..ListLine::default() };
            self.refuse(&line, "", QueryError::new(Span::default(), Reason::EmptyList));
        }
        self.list
    }

    /// Takes or refuses the queries that a written one is: several where a variable has several values. False: one too many.
    fn queries(&mut self, line: &ListLine<'_>, expr: &Expr) -> bool {
        let (place, mixed) = (expr.span, expr.series().find_map(SeriesExpr::mixed_operators));
        let written = &line.text[place.start..place.end];
        let filled = match self.values.fill_in(expr, written) {
            Ok(filled) => filled,
            Err(refusal) => {
                let is_full = self.is_full();
                if !is_full {
                    self.refuse(line, written, refusal);
                }
                return !is_full;
            }
        };
        let refused = self.list.refused.len();
        self.read += filled.len() - 1;
        for FilledQuery { expr, written } in filled {
            if self.is_full() {
                return false;
            }
            let settled = settle(&expr, &written, self.options);
            match settled.and_then(|text| self.space(&expr, text)) {
                Ok(text) => self.keep(line, place, text),
                Err(refusal) => self.refuse(line, &written, refusal),
            }
        }
        if let Some(place) = mixed.filter(|_| self.list.refused.len() == refused) {
            self.note(line, written, QueryError::new(place, Reason::MixedOperators));
        }
        true
    }

    fn is_full(&self) -> bool {
        self.list.queries.len() + self.list.refused.len() >= QUERIES_MAX || self.read > QUERIES_MAX
    }

    /// Returns the query at its own spacing, where that is known; else notes it as unspaced.
    fn space(&mut self, expr: &Expr, text: QueryText) -> Result<QueryText, QueryError> {
        let Some(spacings) = self.spacings.filter(|_| !states_interval(expr)) else {
            return Ok(text);
        };
        let query = Query::new(text);
        if let Some(resolution) = spacings.get(&query) {
            let options = RewriteOptions { resolution, ..self.options.clone() };
            return settle(expr, &query.text.written, &options);
        }
        let name = Spacings::name(&query).unwrap_or_else(|| query.text.sent.to_string());
        if self.unspaced.insert(name) {
            self.list.unspaced.push(query.clone());
        }
        Ok(query.text)
    }

    fn keep(&mut self, line: &ListLine<'_>, place: Span, text: QueryText) {
        let (metrics, types) = (text.sent.typed_metrics(), &self.options.types);
        let untyped = metrics.into_iter().filter(|metric| !types.contains_key(*metric));
        self.list.untyped.extend(untyped.map(str::to_owned));
        match self.first_lines.entry((text.sent.clone(), text.interval)) {
            Entry::Occupied(first) => {
                let (written, first_line) = (text.written.clone(), *first.get());
                let note = QueryError::new(place, Reason::Repeated { written, first_line });
                self.note(line, &text.written, note);
            }
            Entry::Vacant(free) => {
                free.insert(line.number);
                self.list.queries.push(Query::new(text));
            }
        }
    }

    fn note(&mut self, line: &ListLine<'_>, written: &str, note: QueryError) {
        let note = line.complaint(self.name, written, note);
        self.list.notes.push(Complaint { excerpt: String::new(), ..note });
    }

    fn refuse(&mut self, line: &ListLine<'_>, written: &str, refusal: QueryError) {
        self.list.refused.push(line.complaint(self.name, written, refusal));
    }
}

/// A line that holds queries, without indentation and CSV quotes.
#[derive(Default)]
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
        let indent = source.len() - source.trim_start().len();
        let quoted = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let (start, parts) = match quoted {
            Some(inner) => (indent + 1, inner.split("\"\"").collect()),
            None => (indent, vec![trimmed]),
        };
        let behind_quote = |end: &mut usize, part: &&str| {
            *end += part.len() + 1;
            Some(*end)
        };
        let doubled = parts.iter().scan(0, behind_quote).collect();
        Some(Self { number, source, text: parts.join("\""), start, doubled })
    }

    fn complaint(&self, file: &str, written: &str, refusal: QueryError) -> Complaint {
        let QueryError { span, reason } = refusal;
        let place =
            |at: usize| self.start + at + self.doubled.partition_point(|quote| *quote <= at);
        let span = Span { start: place(span.start), end: place(span.end) };
        let column = column(self.source, span.start);
        let (file, written) = (file.to_owned(), written.to_owned());
        let excerpt = excerpt(self.source, span);
        Complaint { file, line: self.number, column, written, reason, excerpt }
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
