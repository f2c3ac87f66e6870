//! The scope between the braces: which sources a query means. Comma form with `!`, words AND, OR, NOT, IN in any case,
//! parentheses, wildcards anywhere. Tags are compared in lower case, as they are stored. (DOC)

use super::DEPTH_MAX;
use super::parser::{Cursor, Failure};

/// Which sources are meant, by their tags (`key:value`).
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
    pub(crate) fn admits(&self, tags: &[String]) -> bool {
        match self {
            Filter::All => true,
            Filter::Tag(pattern) => {
                tags.iter().any(|tag| matches(pattern.as_bytes(), tag.as_bytes()))
            }
            Filter::Not(inner) => !inner.admits(tags),
            Filter::And(parts) => parts.iter().all(|part| part.admits(tags)),
            Filter::Or(parts) => parts.iter().any(|part| part.admits(tags)),
        }
    }
}

/// Matching with `*`, in linear time for one star and without recursion for any number of them.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = back {
            p = after_star;
            t = from + 1;
            back = Some((after_star, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// Reads the scope up to, not including, the closing brace.
pub(super) fn parse(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Failure> {
    any_of(cursor, depth)
}

fn any_of(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Failure> {
    if depth > DEPTH_MAX {
        return Err(cursor.failure("scope_expr"));
    }
    let mut parts = vec![all_of(cursor, depth)?];
    while cursor.take_word("or") {
        parts.push(all_of(cursor, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
}

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

fn one(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, Failure> {
    if depth > DEPTH_MAX {
        return Err(cursor.failure("scope_expr"));
    }
    cursor.skip_space();
    if cursor.take('!') || cursor.take_word("not") {
        return Ok(Filter::Not(Box::new(one(cursor, depth + 1)?)));
    }
    if cursor.take('(') {
        let inner = any_of(cursor, depth + 1)?;
        cursor.skip_space();
        return if cursor.take(')') { Ok(inner) } else { Err(cursor.failure("scope_expr")) };
    }
    let tag = item(cursor)?;
    if tag == "*" {
        return Ok(Filter::All);
    }
    if cursor.take_words("not", "in") {
        return Ok(Filter::Not(Box::new(Filter::Or(values(cursor, &tag)?))));
    }
    if cursor.take_word("in") {
        return Ok(Filter::Or(values(cursor, &tag)?));
    }
    Ok(Filter::Tag(tag))
}

fn values(cursor: &mut Cursor<'_>, key: &str) -> Result<Vec<Filter>, Failure> {
    cursor.skip_space();
    if !cursor.take('(') {
        return Err(cursor.failure("scope_expr"));
    }
    let mut tags = Vec::new();
    loop {
        cursor.skip_space();
        tags.push(Filter::Tag(format!("{key}:{}", item(cursor)?)));
        cursor.skip_space();
        if cursor.take(')') {
            return Ok(tags);
        }
        if !cursor.take(',') {
            return Err(cursor.failure("scope_expr"));
        }
    }
}

/// A tag, a bare value or a wildcard; `$variables` are the client's to expand, so they fail here.
fn item(cursor: &mut Cursor<'_>) -> Result<String, Failure> {
    let start = cursor.position();
    let text = cursor.take_while(|c| !c.is_whitespace() && !"(){},!$\"'|^".contains(c));
    if text.is_empty() {
        cursor.back_to(start);
        return Err(cursor.failure("scope_expr"));
    }
    Ok(text.to_lowercase())
}
