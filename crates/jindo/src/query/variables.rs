//! Fills template variables in, as dashboards do: `$host` is the tag `host:web-1`, `key:$host` and `$host.value` are `web-1`,
//! `$host.key` is the key. A value can never break out of the scope it stands in.

use super::ast::{Expr, ScopePart, SeriesExpr, Tag};
use super::grammar::sort_keys;
use super::syntax::token::is_atom;
use super::{QueryError, Reason, Span};
use std::collections::BTreeMap;

/// Fills in all variables of a query, or says which `--var` to give: all that are missing at once.
pub(super) fn fill_in(expr: &mut Expr, known: &BTreeMap<String, String>) -> Result<(), QueryError> {
    let mut filling = Filling { known, missing: Vec::new(), at: None, bad: None };
    expr.series_mut().for_each(|series| filling.series(series));
    match (filling.bad, filling.at) {
        (Some(bad), _) => Err(bad),
        (None, Some(at)) => {
            Err(QueryError::new(at, Reason::MissingVariable { names: filling.missing }))
        }
        (None, None) => Ok(()),
    }
}

struct Filling<'a> {
    known: &'a BTreeMap<String, String>,
    missing: Vec<String>,
    at: Option<Span>,
    bad: Option<QueryError>,
}

impl Filling<'_> {
    fn series(&mut self, series: &mut SeriesExpr) {
        for part in &mut series.scope {
            match part {
                ScopePart::Tag(tag) => self.tag(tag),
                ScopePart::Member(tag) => self.part(tag),
                ScopePart::Operator(_) => {}
            }
        }
        for key in &mut series.by {
            self.part(key);
        }
        sort_keys(&mut series.by);
    }

    /// Fills in a tag, which a variable alone is as a whole.
    fn tag(&mut self, tag: &mut Tag) {
        let name = tag.text.strip_prefix('$');
        let alone = name.and_then(|name| self.known.get_key_value(name));
        self.part(tag);
        if let Some((name, given)) = alone.filter(|(_, given)| *given != "*") {
            tag.text = if given.contains(':') { given.clone() } else { format!("{name}:{given}") };
        }
    }

    /// Fills in a value, or a key by `.key`.
    fn part(&mut self, tag: &mut Tag) {
        let mut pieces = tag.text.split('$');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for after in pieces {
            let (value, rest) = self.variable(after, tag.span);
            filled.extend([&value, rest]);
        }
        tag.text = filled;
    }

    /// Returns the value of the variable at the start of `after`, and the text behind it.
    fn variable<'t>(&mut self, after: &'t str, span: Span) -> (String, &'t str) {
        let run = after.find(|c: char| !is_name(c)).unwrap_or(after.len());
        let Some((name, given)) = longest(&after[..run], self.known) else {
            let name = &after[..run];
            let name = name.strip_suffix(".value").or(name.strip_suffix(".key")).unwrap_or(name);
            if !self.missing.iter().any(|missing| missing == name) {
                self.missing.push(name.to_owned());
            }
            self.at.get_or_insert(span);
            return (String::new(), &after[run..]);
        };
        if !is_atom(given) {
            let reason = Reason::VariableValue { name: name.to_owned(), value: given.to_owned() };
            self.bad.get_or_insert(QueryError::new(span, reason));
        }
        let rest = &after[name.len()..];
        let (key, value) = given.split_once(':').unwrap_or((name, given));
        match suffix(rest, ".key") {
            Some(rest) => (key.to_owned(), rest),
            None => (value.to_owned(), suffix(rest, ".value").unwrap_or(rest)),
        }
    }
}

/// The known variable with the longest name at the start of `run`: names may hold dots and hyphens themselves.
fn longest<'t, 'k>(
    run: &'t str,
    known: &'k BTreeMap<String, String>,
) -> Option<(&'t str, &'k str)> {
    let ends = run.char_indices().map(|(at, _)| at).skip(1).chain([run.len()]);
    let whole = |end: &usize| !run[*end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let names = ends.filter(whole).map(|end| &run[..end]);
    names.filter_map(|name| Some((name, known.get(name)?.as_str()))).last()
}

fn suffix<'t>(rest: &'t str, word: &str) -> Option<&'t str> {
    let after = rest.strip_prefix(word)?;
    (!after.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(after)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
