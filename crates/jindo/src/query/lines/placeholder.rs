//! Placeholders of other tools, by their tool: `<%= x %>`, `${var.x}`, `{{ x }}`. Datadog's own variable is `$x`. Only texts that
//! no tag and no metric can be are placeholders. Pure.

use crate::query::Span;
use crate::query::ast::{Expr, ScopePart, SeriesExpr, Tag};
use crate::text::one_line;
use std::fmt::{self, Display, Formatter};

/// Characters shown of a placeholder, at most.
const SHOWN_CHARS_MAX: usize = 40;

/// A placeholder as written, shortened, and the tools that fill it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    written: String,
    notation: Notation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notation {
    /// Filled in by a tool; the words go behind "is a placeholder".
    Of(&'static str),
    /// To be filled in by hand.
    ByHand,
    /// `{{env:prod}}`: braces of a query within a template, which stand twice there.
    Doubled,
}

impl Display for Placeholder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let written = &self.written;
        match self.notation {
            Notation::Of(tools) => {
                write!(f, "`{written}` is a placeholder of {tools}; write its value in its place")
            }
            Notation::ByHand => {
                write!(f, "`{written}` is a placeholder; write its value in its place")
            }
            Notation::Doubled => {
                write!(f, "each brace of `{written}` stands twice, as in a template; write it once")
            }
        }
    }
}

/// Returns the first placeholder of a line that is no query, and its place.
pub(super) fn in_line(text: &str) -> Option<(Span, Placeholder)> {
    // A comment behind the query is not read.
    let text = text.split(" # ").next().unwrap_or_default();
    let mut is_within_braces = false;
    for (at, c) in text.char_indices() {
        // A scope around a template.
        let is_scope = text[at..].starts_with("{{{");
        let found = (!is_scope).then(|| placeholder_at(text, at, is_within_braces)).flatten();
        if found.is_some() {
            return found;
        }
        is_within_braces = (is_within_braces || c == '{') && c != '}';
    }
    None
}

/// Returns the first tag of queries that is, or holds, a placeholder.
pub(super) fn in_tags(exprs: &[Expr], text: &str) -> Option<(Span, Placeholder)> {
    let mut tags = exprs.iter().flat_map(Expr::series).flat_map(tags);
    tags.find_map(|tag| {
        let Span { start, end } = tag.span;
        let within = &text[..end];
        let mut places = within[start..].char_indices();
        places.find_map(|(at, _)| placeholder_at(within, start + at, true))
    })
}

fn tags(series: &SeriesExpr) -> impl Iterator<Item = &Tag> {
    let scope = series.scope.iter().filter_map(|part| match part {
        ScopePart::Tag(tag) | ScopePart::Member(tag) => Some(tag),
        ScopePart::Operator(_) => None,
    });
    scope.chain(&series.by)
}

/// Returns true for a text that is one placeholder.
pub(super) fn is_whole(text: &str) -> bool {
    placeholder_at(text, 0, false).is_some_and(|(span, _)| span.end == text.len())
}

fn placeholder_at(text: &str, at: usize, is_within_braces: bool) -> Option<(Span, Placeholder)> {
    let rest = &text[at..];
    let (bytes, notation) = match rest.chars().next()? {
        '<' => angle(rest)?,
        '{' if rest.starts_with("{{") || rest.starts_with("{%") => template(rest)?,
        '{' if is_within_braces => format_field(&text[..at], rest)?,
        '$' => dollar(rest)?,
        '#' => (between(rest, "#{", "}")?, Notation::Of("Ruby or Octopus")),
        '[' => {
            let bytes = between(rest, "[[", "]]")?;
            is_name(&rest[2..bytes - 2]).then_some((bytes, Notation::Of("Grafana")))?
        }
        '@' | '%' if text[..at].ends_with(char::is_alphanumeric) => return None,
        '@' => (enclosed(rest, "@")?, Notation::Of("Ant, Maven or CMake")),
        '%' => percent(rest)?,
        _ => return None,
    };
    let span = Span { start: at, end: at + bytes };
    let written = one_line(&rest[..bytes], SHOWN_CHARS_MAX);
    Some((span, Placeholder { written, notation }))
}

fn angle(rest: &str) -> Option<(usize, Notation)> {
    if let Some(bytes) = between(rest, "<%", "%>") {
        return Some((bytes, Notation::Of("ERB")));
    }
    let bytes = between(rest, "<", ">")?;
    is_name(&rest[1..bytes - 1]).then_some((bytes, Notation::ByHand))
}

fn template(rest: &str) -> Option<(usize, Notation)> {
    if let Some(bytes) = between(rest, "{%", "%}") {
        return Some((bytes, Notation::Of("a template (Jinja, Liquid)")));
    }
    let bytes = between(rest, "{{", "}}")?;
    let inner = &rest[2..bytes - 2];
    let is_scope = inner == "*" || inner.contains(':') && !inner.contains([' ', '"', '\'']);
    let tools = Notation::Of("a template (Jinja, Helm, Go)");
    Some((bytes, if is_scope { Notation::Doubled } else { tools }))
}

fn dollar(rest: &str) -> Option<(usize, Notation)> {
    if let Some(bytes) = between(rest, "${", "}") {
        let inner = rest[2..bytes - 1].trim_start();
        let is_terraform = ["var.", "local.", "module.", "data.", "each.", "path.", "terraform."]
            .iter()
            .any(|start| inner.starts_with(start));
        let tools = match inner {
            _ if is_terraform => "Terraform",
            _ if inner.contains("::") => "CloudFormation",
            _ => "a shell, Grafana or Terraform",
        };
        return Some((bytes, Notation::Of(tools)));
    }
    Some((between(rest, "$(", ")")?, Notation::Of("a shell, Make or a pipeline")))
}

fn percent(rest: &str) -> Option<(usize, Notation)> {
    if let Some(bytes) = between(rest, "%(", ")s") {
        return Some((bytes, Notation::Of("Python")));
    }
    if let Some(bytes) = between(rest, "%{", "}") {
        return Some((bytes, Notation::Of("Ruby or Logstash")));
    }
    if let Some(bytes) = enclosed(rest, "%") {
        return Some((bytes, Notation::Of("a Windows shell")));
    }
    let is_verb = rest[1..].starts_with(['s', 'd', 'v', 'q'])
        && !rest[2..].starts_with(|c: char| c.is_alphanumeric());
    is_verb.then_some((2, Notation::Of("C, Go or Python")))
}

/// `{name}` or `{0}` within the braces of a scope. Behind `by` it is the scope that is not closed.
fn format_field(before: &str, rest: &str) -> Option<(usize, Notation)> {
    let bytes = between(rest, "{", "}")?;
    let is_attached =
        before.ends_with([':', '{', '-', '_', '.', '/']) || before.trim_end().ends_with(',');
    let inner = &rest[1..bytes - 1];
    let is_field = inner.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    (is_attached && is_field).then_some((bytes, Notation::Of("Python, C# or Rust")))
}

/// Bytes from `open` to the first `close` behind it, if the text begins so.
fn between(text: &str, open: &str, close: &str) -> Option<usize> {
    let inner = text.strip_prefix(open)?;
    Some(open.len() + inner.find(close)? + close.len())
}

/// Bytes of a word between two equal marks.
fn enclosed(text: &str, mark: &str) -> Option<usize> {
    let bytes = between(text, mark, mark)?;
    let word = &text[1..bytes - 1];
    let is_word =
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    is_word.then_some(bytes)
}

/// Returns true for words that name a value, and for no comparison of numbers.
fn is_name(text: &str) -> bool {
    text.trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || " _-.:|".contains(c))
}
