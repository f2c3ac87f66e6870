//! The scope between the braces: a filter on the tags of sources. Comma form with `!`, words AND, OR, NOT, IN in any
//! case, parentheses, wildcards anywhere. Tags are compared in lower case, as they are stored. (DOC)

use super::DEPTH_MAX;
use super::cursor::{Cursor, Failure};

/// The rule that fails for every error in a scope.
const RULE: &str = "scope_expr";

/// A condition on the tags (`key:value`) of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    All,
    /// Some tag matches this pattern; `*` stands for any text.
    Tag(String),
    Not(Box<Filter>),
    And(Vec<Filter>),
    Or(Vec<Filter>),
}

impl Filter {
    /// Returns true for a source with these tags that the scope includes.
    pub(crate) fn matches(&self, tags: &[String]) -> bool {
        match self {
            Filter::All => true,
            Filter::Tag(pattern) => tags.iter().any(|tag| matches_wildcard(pattern, tag)),
            Filter::Not(inner) => !inner.matches(tags),
            Filter::And(parts) => parts.iter().all(|part| part.matches(tags)),
            Filter::Or(parts) => parts.iter().any(|part| part.matches(tags)),
        }
    }
}

/// Matches with `*`: the ends first, then each part between two stars at its first place. No recursion.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = text.strip_prefix(first).and_then(|text| text.strip_suffix(last));
    let mut parts = between.split('*');
    inner
        .and_then(|inner| parts.try_fold(inner, |left, part| Some(left.split_once(part)?.1)))
        .is_some()
}

/// Parses alternatives joined by OR, up to the closing brace or parenthesis, which is left in place.
pub(super) fn parse(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Failure> {
    let mut parts = vec![all_of(cursor, depth)?];
    while cursor.take_word("or") {
        parts.push(all_of(cursor, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
}

/// Parses conditions joined by commas or AND.
fn all_of(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Failure> {
    let mut parts = vec![one(cursor, depth)?];
    loop {
        cursor.skip_space();
        if !(cursor.take(',') || cursor.take_word("and")) {
            break;
        }
        parts.push(one(cursor, depth)?);
    }
    parts.retain(|part| *part != Filter::All);
    Ok(match parts.len() {
        0 => Filter::All,
        1 => parts.remove(0),
        _ => Filter::And(parts),
    })
}

/// Parses one condition, with the NOT before it.
fn one(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Failure> {
    if depth > DEPTH_MAX {
        return Err(cursor.failure(RULE));
    }
    cursor.skip_space();
    if cursor.take('!') || cursor.take_word("not") {
        return Ok(Filter::Not(Box::new(one(cursor, depth + 1)?)));
    }
    if cursor.take('(') {
        let inner = parse(cursor, depth + 1)?;
        cursor.skip_space();
        cursor.expect(')', RULE)?;
        return Ok(inner);
    }
    let tag = item(cursor)?;
    if tag == "*" {
        return Ok(Filter::All);
    }
    let start = cursor.position;
    if cursor.take_word("not") && cursor.take_word("in") {
        return Ok(Filter::Not(Box::new(values(cursor, &tag)?)));
    }
    cursor.position = start;
    if cursor.take_word("in") {
        return values(cursor, &tag);
    }
    Ok(Filter::Tag(tag))
}

/// Parses the list after IN.
fn values(cursor: &mut Cursor<'_>, key: &str) -> Result<Filter, Failure> {
    cursor.skip_space();
    cursor.expect('(', RULE)?;
    let tag = |cursor: &mut Cursor<'_>| Ok(Filter::Tag(format!("{key}:{}", item(cursor)?)));
    cursor.take_list(')', RULE, tag).map(Filter::Or)
}

/// Parses a tag, a bare value or a wildcard. `$variables` are the client's to expand, so they fail here.
fn item(cursor: &mut Cursor<'_>) -> Result<String, Failure> {
    let text = cursor.take_while(|c| !c.is_whitespace() && !"(){},!$\"'|^".contains(c));
    if text.is_empty() {
        return Err(cursor.failure(RULE));
    }
    Ok(text.to_lowercase())
}
