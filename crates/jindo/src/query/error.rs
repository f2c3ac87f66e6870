//! Reasons for which a text is no query that can be sent, with their places, and rendered with the source line. Prints nothing
//! itself, and lets no control character of an untrusted file through to a terminal.

use super::syntax::lookalikes::{other_space, unseen_name};
use super::{NotOffered, OtherQuery, Placeholder};
use crate::text::plain;
use unicode_normalization::char::is_combining_mark;

/// Text in place of a line that looks like a key.
pub(super) const KEY_LINE: &str = "[a line that looks like a key]";

/// A stretch of a text in bytes, half-open.
///
/// Takes no part in equality: two expressions are equal when they say the same, wherever they stand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// From the start of this one to the end of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end.max(self.start) }
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// A reason and its place in the text that was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct QueryError {
    pub span: Span,
    pub reason: Reason,
}

impl QueryError {
    pub(super) fn new(span: Span, reason: Reason) -> Self {
        Self { span, reason }
    }
}

/// A fault of a query with its remedy. Each text stands behind `FILE:LINE:COL: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("expected {wanted}, found {found}")]
    Expected { wanted: &'static str, found: String },
    #[error("`{0}` cannot stand here")]
    Stray(char),
    #[error("{} (U+{:04X}) stands here; {}", unseen_name(*.0), u32::from(*.0), unseen_remedy(*.0))]
    Invisible(char),
    /// A character in place of a plain one.
    #[error("{name} `{found}` (U+{:04X}) cannot stand in a query; write `{plain}`", u32::from(*.found))]
    Lookalike { found: char, name: &'static str, plain: String },
    /// A white space that is no space, where none can stand.
    #[error("{} (U+{:04X}) cannot stand here; delete it", other_space(*.0).unwrap_or("a space"), u32::from(*.0))]
    OtherSpace(char),
    #[error("`{0}` cannot stand in a tag; Datadog keeps `_` in its place")]
    NotInTag(char),
    #[error("a variable can stand within braces only; write its value here")]
    VariableOutside,
    #[error("`{{` within braces looks like another tool's placeholder; fill it in first")]
    Placeholder,
    #[error("{0}")]
    OtherTool(Placeholder),
    #[error("`{0}` is never closed")]
    Unclosed(char),
    #[error("`{{` is not closed before `{next}`; write `}}` there")]
    UnclosedBefore { next: String },
    #[error("`{open}` is closed by `{close}`, not by `{found}`")]
    Mismatched { open: char, close: char, found: char },
    #[error("tag keys stand in braces; write `{fix}`")]
    KeysWithoutBraces { fix: String },
    #[error("this is no query yet; did you mean `{fix}`?")]
    BareMetric { fix: String },
    #[error(
        "Datadog reads the `-` in `{name}` as minus; metric names hold letters, digits, `_` and `.` only"
    )]
    Hyphen { name: String },
    #[error(
        "this is a monitor; its query is what follows the first `:`, without the comparison at the end"
    )]
    Monitor,
    #[error("a comparison belongs to a monitor and to no query; leave `{left_out}` out")]
    Comparison { left_out: String },
    #[error(transparent)]
    OtherQuery(#[from] OtherQuery),
    #[error(
        "`{name}` is the name of another query, as in the formula of a dashboard; write that query itself in its place"
    )]
    QueryName { name: String },
    #[error("this looks like a heading; begin the line with `#`, or delete it")]
    Heading,
    #[error("`{sign}` may be a bullet or a minus here; leave it out, or write `{fix}`")]
    LeadingSign { sign: char, fix: String },
    #[error(
        "`{found}` is no aggregator; there are avg, sum, min, max, count, stddev, percentiles such as p95 or p99.9, and `count(v: v>=1)`"
    )]
    Aggregator { found: String },
    #[error("an empty scope selects nothing known; write `{{*}}` for everything")]
    EmptyScope,
    #[error("give {} for {}", flags(.names), dollars(.names))]
    MissingVariable { names: Vec<String> },
    #[error(
        "the value `{value}` of --var {name} cannot stand in a scope; a value is that of a tag, `KEY:VALUE` or `*`, without spaces, braces, \
         quotes or `$`; several have a comma between them"
    )]
    VariableValue { name: String, value: String },
    #[error(
        "the values of {} make more than {max} queries of this one; give fewer, or `*` for all", dollars(.names)
    )]
    TooManyCombinations { names: Vec<String>, max: usize },
    #[error(
        "`{name}` {why}, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions"
    )]
    RangeFunction { name: String, why: &'static str },
    #[error(
        "jindo does not know the function `{name}`, nor whether its value depends on the range; export what is within it, or give --allow-range-functions"
    )]
    UnknownFunction { name: String },
    #[error(
        "jindo does not know the modifier `.{name}()`; it knows .rollup, .fill, .as_count, .as_rate and .weighted"
    )]
    UnknownModifier { name: String },
    #[error("`.{name}()` takes nothing")]
    NoArguments { name: String },
    #[error(
        "write .fill(null), .fill(zero), .fill(last) or .fill(linear), with a limit in seconds if you like"
    )]
    FillArguments,
    #[error(
        "write .rollup(METHOD), .rollup(METHOD, SECONDS) or .rollup(SECONDS), with avg, sum, min, max or count"
    )]
    RollupArguments,
    #[error(
        "`{unit}` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of \
         seconds, counted in UTC: `{fix}`{}", calendar_words(.unit)
    )]
    CalendarRollup { unit: &'static str, fix: String },
    #[error(
        "`{name}` compares queries, point by point; give two: `{name}(avg:a{{*}}, avg:b{{*}})`"
    )]
    OneArgument { name: String },
    #[error("`{name}` stands behind the series that it changes: `avg:metric{{*}}.{name}(…)`")]
    ModifierInFront { name: String },
    /// Of a query that is taken: the server decides.
    #[error(
        "this scope mixes AND, OR, NOT or IN with `,` or `!`, which the server refuses; write AND for `,` and NOT for `!` (asked as it is)"
    )]
    MixedOperators,
    #[error("a second rollup changes what the first one means; keep one of them")]
    NestedRollup,
    #[error("a rollup belongs to a series, straight behind its braces; move it there")]
    RollupOutside,
    #[error(
        "{here_s} s here, but {first_s} s earlier in the same expression; one expression has one interval"
    )]
    DifferentIntervals { here_s: u64, first_s: u64 },
    #[error(transparent)]
    Interval(#[from] NotOffered),
    #[error(
        "`histogram:` answers heat maps, not series; export percentiles instead, such as `p95:`"
    )]
    Histogram,
    #[error("nothing is asked here: there is no metric in it")]
    NoSeries,
    #[error("nested more than {max} deep; split it into several queries")]
    TooDeep { max: usize },
    #[error("the line is longer than {max} bytes; write one query a line")]
    TooLong { max: usize },
    #[error("`{written}` is the same query as in line {first_line}; it is exported once")]
    Repeated { written: String, first_line: usize },
    #[error("the bullet `{bullet}` is left out; the negative of a query is written `0 - avg:…`")]
    DashBullet { bullet: String },
    #[error("the bullet `{bullet}` is left out")]
    Bullet { bullet: String },
    #[error("the query of this monitor is exported, without {parts}")]
    MonitorTaken { parts: String },
    #[error("the list holds more than {max} queries; split it into several lists")]
    TooMany { max: usize },
    #[error(
        "there is no query in this list; write one a line, such as `avg:system.cpu.user{{*}} by {{host}}`"
    )]
    EmptyList,
    #[error(
        "this line looks like a key and is not shown; keys come from the environment, --key-file or --key-command, and a list holds one \
         query a line"
    )]
    KeyLine,
}

fn unseen_remedy(c: char) -> &'static str {
    if c == char::REPLACEMENT_CHARACTER { "save the file as UTF-8" } else { "delete it" }
}

fn calendar_words(unit: &str) -> &'static str {
    match unit {
        "daily" => "",
        "weekly" => ", in which weeks begin on Thursday",
        _ => ", which gives days",
    }
}

fn flags(names: &[String]) -> String {
    let flags: Vec<_> = names.iter().map(|name| format!("--var {name}=VALUE")).collect();
    flags.join(" ")
}

fn dollars(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`${name}`")).collect();
    names.join(", ")
}

/// A remark on one query of a list: it is refused, or left out. Its `Display` is `FILE:LINE:COL: what, and what to do`; of a refused
/// one also the source line and an underline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {reason}{excerpt}", plain(.file, &[]))]
pub struct Complaint {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The query as written; the whole line where the query cannot be cut out.
    pub written: String,
    pub reason: Reason,
    /// The source line and an underline, each behind a line break; empty where nothing is to be shown.
    pub(super) excerpt: String,
}

impl Complaint {
    /// The complaint about a line that looks like a key: its place is all that is told of it.
    pub(super) fn of_key(file: &str, line: usize) -> Self {
        let (file, written) = (file.to_owned(), KEY_LINE.to_owned());
        Self { file, line, column: 1, written, reason: Reason::KeyLine, excerpt: String::new() }
    }

    /// Returns the remark line by line: what and where, and of a refused query the source line and an underline.
    pub fn lines(&self) -> Vec<String> {
        let head = Self { excerpt: String::new(), ..self.clone() }.to_string();
        let excerpt = self.excerpt.lines().filter(|line| !line.is_empty()).map(str::to_owned);
        std::iter::once(head).chain(excerpt).collect()
    }
}

/// Characters shown of a line before and after the place, at most.
const SHOWN_BEFORE: usize = 60;
const SHOWN_AFTER: usize = 100;

/// The column, from 1 and in characters, of a byte of a line.
pub(super) fn column(line: &str, at: usize) -> usize {
    line.char_indices().take_while(|(index, _)| *index < at).count() + 1
}

/// Shows the part of a line around a stretch, in bytes, and underlines it: a long line is not kept for each of its errors.
pub(super) fn excerpt(line: &str, span: Span) -> String {
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
    match (shown.trim_end(), underline.trim_end()) {
        ("", _) => String::new(),
        (shown, underline) => format!("\n  {shown}\n  {underline}"),
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
