//! Fills template variables in, as dashboards do: `$host` is the tag `host:web-1`, `key:$host` and `$host.value` are `web-1`,
//! `$host.key` is the key. A value can never break out of the scope it stands in.

use super::ast::{Expr, ScopePart, SeriesExpr, Tag};
use super::grammar::sort_keys;
use super::syntax::token::is_atom;
use super::{QueryError, Reason, Span};
use std::collections::BTreeMap;

/// Fills in all variables of a query, or says which `--var` to give: all that are missing at once.
pub(super) fn fill_in(expr: &mut Expr, known: &BTreeMap<String, String>) -> Result<(), QueryError> {
    let mut filling = Filling { known, missing: Vec::new(), at: None };
    expr.series_mut().try_for_each(|series| filling.series(series))?;
    match filling.at {
        Some(at) => Err(QueryError::new(at, Reason::MissingVariable { names: filling.missing })),
        None => Ok(()),
    }
}

struct Filling<'a> {
    known: &'a BTreeMap<String, String>,
    missing: Vec<String>,
    /// Place of the first one.
    at: Option<Span>,
}

impl Filling<'_> {
    fn series(&mut self, series: &mut SeriesExpr) -> Result<(), QueryError> {
        for part in &mut series.scope {
            match part {
                ScopePart::Tag(tag) => self.tag(tag)?,
                ScopePart::Member(tag) => self.part(tag)?,
                ScopePart::Operator(_) => {}
            }
        }
        series.by.iter_mut().try_for_each(|key| self.part(key))?;
        sort_keys(&mut series.by);
        Ok(())
    }

    /// Fills in a tag, which a variable alone is as a whole.
    fn tag(&mut self, tag: &mut Tag) -> Result<(), QueryError> {
        let name = tag.text.strip_prefix('$');
        let alone = name.and_then(|name| self.known.get_key_value(name));
        self.part(tag)?;
        if let Some((name, given)) = alone.filter(|(_, given)| *given != "*") {
            tag.text = if given.contains(':') { given.clone() } else { format!("{name}:{given}") };
        }
        Ok(())
    }

    /// Fills in a value, or a key by `.key`.
    fn part(&mut self, tag: &mut Tag) -> Result<(), QueryError> {
        let mut pieces = tag.text.split('$');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for after in pieces {
            filled += &self.variable(after, tag.span)?;
        }
        tag.text = filled;
        Ok(())
    }

    /// Returns the text behind a `$` with the value of the variable at its start.
    fn variable(&mut self, after: &str, span: Span) -> Result<String, QueryError> {
        let ends_name = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let run = after.find(ends_name).unwrap_or(after.len());
        let Some((name, given)) = longest(&after[..run], self.known) else {
            let name = &after[..run];
            let name = name.strip_suffix(".value").or(name.strip_suffix(".key")).unwrap_or(name);
            if !self.missing.iter().any(|missing| missing == name) {
                self.missing.push(name.to_owned());
            }
            self.at.get_or_insert(span);
            return Ok(after[run..].to_owned());
        };
        if !is_atom(given) {
            let reason = Reason::VariableValue { name: name.to_owned(), value: given.to_owned() };
            return Err(QueryError::new(span, reason));
        }
        let rest = &after[name.len()..];
        let (key, value) = given.split_once(':').unwrap_or((name, given));
        Ok(match suffix(rest, ".key") {
            Some(rest) => format!("{key}{rest}"),
            None => format!("{value}{}", suffix(rest, ".value").unwrap_or(rest)),
        })
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
