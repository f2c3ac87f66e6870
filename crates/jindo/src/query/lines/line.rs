//! A line of a list without what editors, spreadsheets and people put around a query: indentation, bullets, quotes. Knows which
//! lines are comments. Pure.

use crate::query::error::{Complaint, column, excerpt};
use crate::query::{QueryError, Reason, Span};
use std::borrow::Cow;

/// Beginnings of lines that are comments: of shells, SQL, programs and INI files. No query begins so.
const COMMENT_MARKS: [&str; 4] = ["#", "--", "//", ";"];

/// Dashes that stand for a bullet or for a minus.
const DASHES: [char; 6] = ['-', '\u{2010}', '\u{2012}', '–', '—', '−'];

/// Other characters that people begin an item of a list with.
const BULLETS: [char; 16] =
    ['*', '+', '•', '◦', '▪', '▫', '●', '○', '■', '□', '‣', '⁃', '∙', '·', '➤', '→'];

/// Boxes that are ticked, behind a bullet or in its place.
const BOXES: [&str; 10] = ["[ ]", "[]", "[x]", "[X]", "☐", "☑", "☒", "✓", "✔", "✅"];

/// Digits of an item's number, at most: no list of queries has more items.
const NUMBER_CHARS_MAX: usize = 6;

/// Quotes around a whole line: of CSV files, YAML and Markdown. Within, a doubled one stands for one.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// A line that holds queries, without indentation, bullets and quotes.
#[derive(Debug, Default)]
pub(super) struct ListLine<'a> {
    /// From 1.
    pub(super) number: usize,
    pub(super) source: &'a str,
    pub(super) text: String,
    /// The bullet in front of the text, as written.
    pub(super) bullet: Option<&'a str>,
    /// Start of the text in the source, in bytes.
    start: usize,
    /// Bytes of the text before which the source has a doubled quote.
    doubled: Vec<usize>,
}

impl<'a> ListLine<'a> {
    /// `None` for blank lines and comments.
    pub(super) fn new(number: usize, source: &'a str) -> Option<Self> {
        let trimmed = source.trim();
        if trimmed.is_empty() || is_comment(trimmed) {
            return None;
        }
        let indent = source.len() - source.trim_start().len();
        let (outer, rest) = trimmed.split_at(bullet_bytes(trimmed));
        let start = indent + outer.len();
        let Some(inner) = quoted(rest) else {
            let bullet = Some(outer.trim()).filter(|bullet| !bullet.is_empty());
            let line = Self { number, source, bullet, start, ..Self::default() };
            return (!is_comment(rest)).then(|| Self { text: rest.to_owned(), ..line });
        };
        // A spreadsheet quotes a cell with its bullet.
        let padding = inner.len() - inner.trim_start().len();
        let (inner_bullet, rest) = inner.split_at(padding + bullet_bytes(inner.trim_start()));
        if is_comment(rest.trim_start()) {
            return None;
        }
        let bullets = [outer.trim(), inner_bullet.trim()];
        let bullet = bullets.into_iter().find(|bullet| !bullet.is_empty());
        let quote = &source[start..=start];
        let start = start + 1 + inner_bullet.len();
        let parts: Vec<_> = rest.split(&quote.repeat(2)).collect();
        let behind_quote = |end: &mut usize, part: &&str| {
            *end += part.len() + 1;
            Some(*end)
        };
        let doubled = parts.iter().scan(0, behind_quote).collect();
        Some(Self { number, source, text: parts.join(quote), bullet, start, doubled })
    }

    /// The place of what concerns the list as a whole.
    pub(super) fn first() -> Self {
        Self { number: 1, ..Self::default() }
    }

    /// The same with a text of which some parts are blanked.
    pub(super) fn with_text(self, text: String) -> Self {
        Self { text, ..self }
    }

    pub(super) fn complaint(&self, file: &str, written: &str, refusal: QueryError) -> Complaint {
        let QueryError { span, reason } = refusal;
        let place =
            |at: usize| self.start + at + self.doubled.partition_point(|quote| *quote <= at);
        let span = Span { start: place(span.start), end: place(span.end) };
        let column = column(self.source, span.start);
        let (file, written) = (file.to_owned(), written.to_owned());
        let excerpt = excerpt(self.source, span);
        Complaint { file, line: self.number, column, written, reason, excerpt }
    }

    /// A remark on the line from its beginning on.
    pub(super) fn remark(&self, file: &str, reason: Reason) -> Complaint {
        let indent = self.source.len() - self.source.trim_start().len();
        let (file, written) = (file.to_owned(), self.text.clone());
        let (line, column) = (self.number, column(self.source, indent));
        Complaint { file, line, column, written, reason, excerpt: String::new() }
    }
}

/// Returns true for a line, without indentation, that is a comment.
pub(super) fn is_comment(line: &str) -> bool {
    COMMENT_MARKS.iter().any(|mark| line.starts_with(mark))
}

/// Returns the line without the marks of a comment.
pub(super) fn uncommented(line: &str) -> &str {
    let line = line.trim_start();
    if is_comment(line) { line.trim_start_matches(['#', '-', '/', ';', ' ']) } else { line }
}

/// Returns true for a bullet that is a minus as well.
pub(super) fn is_dash(bullet: &str) -> bool {
    bullet.starts_with(DASHES)
}

/// Returns the dash without white space behind it that a text begins with, unless it is the sign of a number.
pub(super) fn leading_sign(text: &str) -> Option<char> {
    let sign = text.chars().next().filter(|c| DASHES.contains(c))?;
    let rest = &text[sign.len_utf8()..];
    let is_number = sign == '-' && rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    (!rest.trim().is_empty() && !is_number).then_some(sign)
}

/// Bytes of the bullets at the start of a text, with the white space behind them.
fn bullet_bytes(text: &str) -> usize {
    let bytes = [mark_bytes, box_bytes].iter().fold(0, |at, mark| {
        let bytes = mark(&text[at..]);
        let space = text[at + bytes..].len() - text[at + bytes..].trim_start().len();
        if bytes == 0 || space == 0 { at } else { at + bytes + space }
    });
    if bytes < text.len() { bytes } else { 0 }
}

fn mark_bytes(text: &str) -> usize {
    match text.chars().next() {
        Some(c) if DASHES.contains(&c) || BULLETS.contains(&c) => c.len_utf8(),
        Some(_) => number_bytes(text),
        None => 0,
    }
}

/// Bytes of `1.`, `1)`, `(1)` or `a)`, where no operator makes a number of it.
fn number_bytes(text: &str) -> usize {
    let inner = text.strip_prefix('(').unwrap_or(text);
    let digits = inner.len() - inner.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let letter = usize::from(digits == 0 && inner.starts_with(|c: char| c.is_ascii_alphabetic()));
    let behind = &inner[digits + letter..];
    let closes = behind.starts_with(')') || behind.starts_with('.') && inner.len() == text.len();
    let is_operand = behind
        .get(1..)
        .is_some_and(|rest| rest.trim_start().starts_with(['+', '-', '*', '/', ',']));
    if digits + letter == 0 || digits > NUMBER_CHARS_MAX || !closes || is_operand {
        return 0;
    }
    text.len() - behind.len() + 1
}

fn box_bytes(text: &str) -> usize {
    BOXES.iter().find(|mark| text.starts_with(**mark)).map_or(0, |mark| mark.len())
}

/// The text between quotes around the whole of a line.
fn quoted(line: &str) -> Option<&str> {
    QUOTES.iter().find_map(|quote| line.strip_prefix(*quote)?.strip_suffix(*quote))
}

/// Returns a text of the same length with spaces in place of some stretches, so that all that is left keeps its place.
pub(super) fn blanked(text: &str, stretches: &[Span]) -> String {
    let mut kept = Cow::Borrowed(text);
    for stretch in stretches {
        let blank = " ".repeat(stretch.end - stretch.start);
        kept.to_mut().replace_range(stretch.start..stretch.end, &blank);
    }
    kept.into_owned()
}
