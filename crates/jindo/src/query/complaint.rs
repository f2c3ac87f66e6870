//! A refusal with the line it stands in, rendered with an underline. Prints nothing itself, and lets no control character
//! of an untrusted file through to a terminal.

use super::{Reason, Span};
use std::fmt::{self, Display, Formatter};
use unicode_normalization::char::is_combining_mark;

/// A remark on one query of a list: it is refused, or left out. Its `Display` is `FILE:LINE:COL: what, and what to do`; of a refused
/// one also the source line and an underline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The query as written; the whole line where the query cannot be cut out.
    pub written: String,
    pub reason: Reason,
    pub(super) excerpt: Excerpt,
}

/// The part of a line around a place, and what underlines it: a long line is not kept for each of its errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    shown: String,
    underline: String,
}

/// Characters shown of a line before and after the place, at most.
const SHOWN_BEFORE: usize = 60;
const SHOWN_AFTER: usize = 100;

impl Display for Complaint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)?;
        let Excerpt { shown, underline } = &self.excerpt;
        if shown.is_empty() { Ok(()) } else { write!(f, "\n  {shown}\n  {underline}") }
    }
}

/// The column, from 1 and in characters, of a byte of a line.
pub(super) fn column(line: &str, at: usize) -> usize {
    line.char_indices().take_while(|(index, _)| *index < at).count() + 1
}

impl Excerpt {
    /// Shows a stretch of a line, given in bytes.
    pub(super) fn of(line: &str, span: Span) -> Self {
        let first = (column(line, span.start) - 1).saturating_sub(SHOWN_BEFORE);
        let window = SHOWN_BEFORE + SHOWN_AFTER;
        let (mut shown, mut underline) = (String::new(), String::new());
        if first > 0 {
            shown.push('…');
            underline.push(' ');
        }
        for (at, c) in line.char_indices().skip(first).take(window) {
            let inside = (span.start..span.end.max(span.start + 1)).contains(&at);
            let c = if printable(c) { c } else { ' ' };
            shown.push(c);
            underline.extend(std::iter::repeat_n(if inside { '^' } else { ' ' }, cells(c)));
        }
        if line.chars().count() > first + window {
            shown.push('…');
        }
        // The end of the line is a place too.
        if !underline.contains('^') {
            underline.push('^');
        }
        Self { shown: shown.trim_end().to_owned(), underline: underline.trim_end().to_owned() }
    }
}

fn printable(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
}

/// Cells that a terminal gives a character: two for East Asian wide ones and emoji, none for combining marks.
fn cells(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        c if is_combining_mark(c) => 0,
        _ => 1,
    }
}
