//! The text of a list file → queries, and every refusal of the list at once. Pure: `load` reads the file.

use super::key_line::without_keys;
use super::line::{ListLine, is_dash};
use super::note::Note;
use super::reading::{ReadLine, read};
use crate::query::ast::{Expr, SeriesExpr};
use crate::query::error::{Complaint, KEY_LINE};
use crate::query::rewrite::{settle, states_interval};
use crate::query::variables::{FilledQuery, VariableValues};
use crate::query::{
    Interval, Query, QueryError, QueryText, Reason, RewriteOptions, SentText, Spacings, Span,
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
    /// Of lines that are taken: those that lose a bullet or the rest of a monitor, queries that are the same as an earlier one after
    /// normalising (each is exported once), and those that the server may refuse.
    pub notes: Vec<Note>,
    /// Of [`list_spaced`]: queries without an interval of their own whose spacing is not known, each once, as understood at
    /// [`RewriteOptions::resolution`].
    pub unspaced: Vec<Query>,
    /// Metrics whose type decides about a query and is not known; their queries are understood as those of counts.
    pub untyped: BTreeSet<String>,
}

/// Reads a list. `name` is the file's name as the user knows it, for messages only.
pub fn list(name: &str, text: &str, options: &RewriteOptions) -> List {
    read_list(name, text, options, None)
}

/// The same with an interval per query: each without a rollup of its own gets the one that `spacings` has for it, or, where that
/// is not known yet, `options.resolution`.
pub fn list_spaced(name: &str, text: &str, options: &RewriteOptions, spacings: &Spacings) -> List {
    read_list(name, text, options, Some(spacings))
}

fn read_list(
    name: &str,
    text: &str,
    options: &RewriteOptions,
    spacings: Option<&Spacings>,
) -> List {
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
        for (source, number) in text.split('\n').zip(1..) {
            let Some(line) = ListLine::new(number, source) else { continue };
            let is_room = if source == KEY_LINE {
                self.list.refused.push(Complaint::of_key(self.name, number));
                true
            } else {
                self.line(line)
            };
            if !is_room || self.list.refused.len() >= QUERIES_MAX {
                break;
            }
        }
        if self.list.queries.is_empty() && self.list.refused.is_empty() {
            let line = ListLine::first();
            self.refuse(&line, "", QueryError::new(Span::default(), Reason::EmptyList));
        }
        self.list
    }

    /// Takes or refuses the queries of a line. False: one too many.
    fn line(&mut self, line: ListLine<'_>) -> bool {
        let ReadLine { text, queries, left_out } = match read(&line.text) {
            Ok(reading) => reading,
            Err(refusal) => {
                self.refuse(&line, line.source.trim(), refusal);
                return true;
            }
        };
        let (line, refused) = (line.with_text(text), self.list.refused.len());
        for expr in queries {
            let place = expr.span;
            if !self.queries(&line, &expr) {
                let reason = Reason::TooMany { max: QUERIES_MAX };
                self.refuse(&line, line.source.trim(), QueryError::new(place, reason));
                return false;
            }
        }
        // What is refused is told once.
        if self.list.refused.len() == refused {
            self.note_what_is_left_out(&line, &left_out);
        }
        true
    }

    fn note_what_is_left_out(&mut self, line: &ListLine<'_>, left_out: &[String]) {
        let bullet = line.bullet.map(|bullet| {
            let (is_minus, bullet) = (is_dash(bullet), bullet.to_owned());
            if is_minus { Reason::DashBullet { bullet } } else { Reason::Bullet { bullet } }
        });
        let quoted: Vec<_> = left_out.iter().map(|part| format!("`{part}`")).collect();
        let monitor = quoted.split_last().map(|(last, before)| Reason::MonitorTaken {
            parts: match before {
                [] => last.clone(),
                before => format!("{} and {last}", before.join(", ")),
            },
        });
        for reason in bullet.into_iter().chain(monitor) {
            Note::add(&mut self.list.notes, line.remark(self.name, reason));
        }
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
        Note::add(&mut self.list.notes, line.complaint(self.name, written, note));
    }

    fn refuse(&mut self, line: &ListLine<'_>, written: &str, refusal: QueryError) {
        self.list.refused.push(line.complaint(self.name, written, refusal));
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
