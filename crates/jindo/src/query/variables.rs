//! Fills template variables in, as dashboards do: `$host` is the tag `host:web-1`, `key:$host` and `$host.value` are `web-1`,
//! `$host.key` is the key. A value can never break out of the scope it stands in. A variable with several values makes several
//! queries of each that it stands in, one a value.

use super::ast::{Expr, ScopePart, SeriesExpr, Tag};
use super::grammar::sort_keys;
use super::syntax::token::is_atom;
use super::{QueryError, Reason, Span};
use std::collections::BTreeMap;

/// Queries that one written query becomes, at most: more combinations of values than a team has hosts, and few enough to be looked at.
const COMBINATIONS_MAX: usize = 1_000;

/// A query whose variables are filled in.
#[derive(Debug)]
pub(super) struct FilledQuery {
    pub(super) expr: Expr,
    /// As written; where a variable has several values, with the variables filled in, since all would read alike.
    pub(super) written: String,
}

/// Values of template variables by name: one or more, each once, in the order in which they were given.
#[derive(Debug)]
pub(super) struct VariableValues<'k>(BTreeMap<&'k str, Vec<&'k str>>);

impl<'k> VariableValues<'k> {
    /// Reads values with commas between them.
    pub(super) fn new(given: &'k BTreeMap<String, String>) -> Self {
        let values = |text: &'k String| {
            let mut values: Vec<&str> = Vec::new();
            for value in text.split(',').map(str::trim) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values
        };
        Self(given.iter().map(|(name, text)| (name.as_str(), values(text))).collect())
    }

    /// Fills in all variables of a query, or says which `--var` to give: all that are missing at once. `written` is the query's own
    /// text. Returns the query for each combination of values, the last variable's changing first.
    pub(super) fn fill_in(
        &self,
        expr: &Expr,
        written: &str,
    ) -> Result<Vec<FilledQuery>, QueryError> {
        let mut filling = Filling::new(self, BTreeMap::new());
        let first = filling.query(expr)?;
        let several: Vec<(&str, usize)> = filling.several();
        if several.is_empty() {
            return Ok(vec![FilledQuery { expr: first, written: written.to_owned() }]);
        }
        let combinations =
            several.iter().try_fold(1_usize, |all, (_, values)| all.checked_mul(*values));
        let Some(combinations) = combinations.filter(|&all| all <= COMBINATIONS_MAX) else {
            let names = several.iter().map(|(name, _)| (*name).to_owned()).collect();
            let reason = Reason::TooManyCombinations { names, max: COMBINATIONS_MAX };
            return Err(QueryError::new(expr.span, reason));
        };
        let combination = |index: usize| {
            let mut rest = index;
            let chosen = several.iter().rev().map(|(name, values)| {
                let choice = rest % values;
                rest /= values;
                (*name, choice)
            });
            let mut filling = Filling::new(self, chosen.collect());
            let filled = filling.query(expr)?;
            let written = filling.written(written, expr.span);
            Ok(FilledQuery { expr: filled, written })
        };
        (0..combinations).map(combination).collect()
    }
}

/// One way of filling a query in.
struct Filling<'v, 'k> {
    values: &'v VariableValues<'k>,
    /// Which of its values each variable takes; the first where nothing is said.
    chosen: BTreeMap<&'k str, usize>,
    /// Variables that were filled in, by their first use.
    used: Vec<&'k str>,
    missing: Vec<String>,
    /// Place of the first one that is missing.
    at: Option<Span>,
    /// Texts that were filled in, with the places of those before.
    filled: Vec<(Span, String)>,
}

impl<'v, 'k> Filling<'v, 'k> {
    fn new(values: &'v VariableValues<'k>, chosen: BTreeMap<&'k str, usize>) -> Self {
        let (used, missing, filled) = (Vec::new(), Vec::new(), Vec::new());
        Self { values, chosen, used, missing, at: None, filled }
    }

    fn query(&mut self, expr: &Expr) -> Result<Expr, QueryError> {
        let mut expr = expr.clone();
        expr.series_mut().try_for_each(|series| self.series(series))?;
        match self.at {
            Some(at) => {
                let names = std::mem::take(&mut self.missing);
                Err(QueryError::new(at, Reason::MissingVariable { names }))
            }
            None => Ok(expr),
        }
    }

    /// Returns the variables with more than one value, and how many.
    fn several(&self) -> Vec<(&'k str, usize)> {
        let counted = self.used.iter().map(|name| (*name, self.values.0[name].len()));
        counted.filter(|(_, values)| *values > 1).collect()
    }

    /// Returns the text of the query at `place` with what was filled in.
    fn written(mut self, text: &str, place: Span) -> String {
        self.filled.sort_by_key(|(span, _)| span.start);
        let (mut written, mut end) = (String::new(), 0);
        for (span, filled) in self.filled {
            written.push_str(&text[end..span.start - place.start]);
            written.push_str(&filled);
            end = span.end - place.start;
        }
        written + &text[end..]
    }

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
        let alone = name.and_then(|name| self.values.0.get_key_value(name)).map(|(name, _)| *name);
        self.part(tag)?;
        let Some(name) = alone else { return Ok(()) };
        let given = self.value(name);
        if given != "*" {
            tag.text =
                if given.contains(':') { given.to_owned() } else { format!("{name}:{given}") };
            self.filled.pop();
            self.filled.push((tag.span, tag.text.clone()));
        }
        Ok(())
    }

    /// Fills in a value, or a key by `.key`.
    fn part(&mut self, tag: &mut Tag) -> Result<(), QueryError> {
        if !tag.text.contains('$') {
            return Ok(());
        }
        let mut pieces = tag.text.split('$');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for after in pieces {
            filled += &self.variable(after, tag.span)?;
        }
        tag.text = filled;
        self.filled.push((tag.span, tag.text.clone()));
        Ok(())
    }

    /// The value that a known variable has this time.
    fn value(&self, name: &str) -> &'k str {
        self.values.0[name][self.chosen.get(name).copied().unwrap_or(0)]
    }

    /// Returns the text behind a `$` with the value of the variable at its start.
    fn variable(&mut self, after: &str, span: Span) -> Result<String, QueryError> {
        let ends_name = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let run = after.find(ends_name).unwrap_or(after.len());
        let Some(name) = self.longest(&after[..run]) else {
            let name = missing_name(&after[..run]);
            if !self.missing.iter().any(|missing| missing == name) {
                self.missing.push(name.to_owned());
            }
            self.at.get_or_insert(span);
            return Ok(after[run..].to_owned());
        };
        if !self.used.contains(&name) {
            self.used.push(name);
        }
        let (given, rest) = (self.value(name), &after[name.len()..]);
        if !is_atom(given) {
            let (name, value) = (name.to_owned(), given.to_owned());
            return Err(QueryError::new(span, Reason::VariableValue { name, value }));
        }
        let (key, value) = given.split_once(':').unwrap_or((name, given));
        Ok(match suffix(rest, ".key") {
            Some(rest) => format!("{key}{rest}"),
            None => format!("{value}{}", suffix(rest, ".value").unwrap_or(rest)),
        })
    }

    /// The known variable with the longest name at the start of `run`: names may hold dots and hyphens themselves.
    fn longest(&self, run: &str) -> Option<&'k str> {
        let ends = run.char_indices().map(|(at, _)| at).skip(1).chain([run.len()]);
        let whole =
            |end: &usize| !run[*end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let names = ends.filter(whole).map(|end| &run[..end]);
        names.filter_map(|name| Some(*self.values.0.get_key_value(name)?.0)).last()
    }
}

/// Returns the name to ask for: what stands before `.value` or `.key`, without what goes on behind the variable (`$env-*`).
fn missing_name(run: &str) -> &str {
    let word = |word: &'static str| {
        let mut places = run.match_indices(word).map(|(at, _)| at).filter(|at| *at > 0);
        places.find(|at| suffix(&run[*at..], word).is_some())
    };
    let end = [word(".value"), word(".key")].into_iter().flatten().min().unwrap_or(run.len());
    run[..end].trim_end_matches(['-', '.'])
}

fn suffix<'t>(rest: &'t str, word: &str) -> Option<&'t str> {
    let after = rest.strip_prefix(word)?;
    (!after.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(after)
}
