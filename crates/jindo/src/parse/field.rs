//! The small shapes within a body: words, tags, units. Each function reads one JSON value; none knows where it stands.

use super::Error;
use super::json::Reader;
use super::metadata::{ServedUnit, TEXT_BYTES_MAX};
use crate::secret::Secrets;
use serde_json::Number;

/// Tags of one series, at most. `by` names a handful of keys and a key may have several values; a thousand is no group.
const SERIES_TAGS_MAX: usize = 1_000;

/// Bytes of a server's words that are kept while there is more to read: more than are ever shown (1,000 characters).
const WORDS_BYTES_MAX: usize = 4_096;

/// Reads the words of an error in any of the API's forms: a text, null, an object with a title, a detail or a message (JSON:API), or
/// a list of these; joined by `; `, with single spaces and without secrets. Bytes beyond `WORDS_BYTES_MAX` are read over, and no list is kept: it
/// may hold millions.
pub(super) fn words(json: &mut Reader<'_>) -> Result<String, Error> {
    let mut words = String::new();
    if json.peek() == Some(b'[') {
        json.list("a list of errors", |json| one_error(&mut words, json))?;
    } else {
        one_error(&mut words, json)?;
    }
    Ok(words)
}

fn one_error(words: &mut String, json: &mut Reader<'_>) -> Result<(), Error> {
    if json.peek() == Some(b'{') {
        return json.object("an error", |json, field| match field {
            "title" | "detail" | "message" => text(words, json),
            _ => json.skip(),
        });
    }
    text(words, json)
}

fn text(words: &mut String, json: &mut Reader<'_>) -> Result<(), Error> {
    let text = json.words(WORDS_BYTES_MAX)?;
    if !text.is_empty() && words.len() < WORDS_BYTES_MAX {
        if !words.is_empty() {
            words.push_str("; ");
        }
        words.push_str(&text);
        words.truncate(words.floor_char_boundary(WORDS_BYTES_MAX));
    }
    Ok(())
}

/// Adds the texts of a text, of an object with a title, a detail or a message, or of a list of these. Whatever else stands there is
/// skipped.
pub(super) fn remarks(words: &mut String, json: &mut Reader<'_>) -> Result<(), Error> {
    if json.peek() == Some(b'[') {
        json.list("a list of remarks", |json| remark(words, json))?;
        return Ok(());
    }
    remark(words, json)
}

fn remark(words: &mut String, json: &mut Reader<'_>) -> Result<(), Error> {
    match json.peek() {
        Some(b'"') => text(words, json),
        Some(b'{') => json.object("a remark", |json, field| match (field, json.peek()) {
            ("title" | "detail" | "message", Some(b'"')) => text(words, json),
            _ => json.skip(),
        }),
        _ => json.skip(),
    }
}

/// Returns the texts of `errors` and `error` in a body of any status, joined by `; `. `None`: it is no JSON object, or has others
/// than texts there.
pub(crate) fn server_words(body: &[u8], secrets: &Secrets) -> Option<String> {
    let mut json = Reader::new(body, secrets).ok()?;
    let (mut errors, mut error) = (String::new(), String::new());
    let read = json.object("an object", |json, field| match field {
        "errors" => words(json).map(|said| errors = said),
        "error" => words(json).map(|said| error = said),
        _ => json.skip(),
    });
    read.and_then(|()| json.end()).ok()?;
    Some(joined(&[errors, error]))
}

/// Returns what was said in several fields as one text, joined by `; `.
pub(super) fn joined(said: &[String]) -> String {
    let said: Vec<&str> = said.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    said.join("; ")
}

/// Reads one known field, refusing it the second time.
pub(super) fn once<'a, T>(
    json: &mut Reader<'a>,
    slot: &mut Option<T>,
    name: &str,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<(), Error> {
    if slot.is_some() {
        return Err(json.inconsistent(&format!("`{name}` is there twice")));
    }
    *slot = Some(read(json)?);
    Ok(())
}

/// Reads `tag_set` as a set: sorted, each tag once.
pub(super) fn tags(json: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    let mut room = 0..SERIES_TAGS_MAX;
    let mut tags = json.list("a list of tags", |json| {
        let too_many = || format!("a series with more than {SERIES_TAGS_MAX} tags");
        room.next().ok_or_else(|| json.inconsistent(&too_many()))?;
        json.name()
    })?;
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

/// Reads a text that is kept beside a series; `None` for anything else, and for what is too long.
pub(super) fn short_text(json: &mut Reader<'_>) -> Result<Option<String>, Error> {
    if json.peek() != Some(b'"') {
        return json.skip().map(|()| None);
    }
    Ok(Some(json.name()?).filter(|text| text.len() <= TEXT_BYTES_MAX))
}

/// Reads `[{"name": "byte", …}, {"name": "second", …}]`, a unit and what it is per; either may be null.
pub(super) fn unit(json: &mut Reader<'_>) -> Result<Vec<Option<ServedUnit>>, Error> {
    let mut units = Vec::new();
    json.list("a unit and what it is per", |json| {
        if units.len() == 2 {
            return json.skip();
        }
        units.push(json.optional(one_unit)?);
        Ok(())
    })?;
    Ok(units)
}

fn one_unit(json: &mut Reader<'_>) -> Result<ServedUnit, Error> {
    let (mut name, mut family, mut plural, mut short_name) = (None, None, None, None);
    let (mut id, mut scale_factor) = (None, None);
    json.object("a unit", |json, field| match field {
        "name" => once(json, &mut name, field, |json| json.optional(Reader::name)),
        "family" => once(json, &mut family, field, short_text),
        "plural" => once(json, &mut plural, field, short_text),
        "short_name" => once(json, &mut short_name, field, short_text),
        "id" => once(json, &mut id, field, number),
        "scale_factor" => once(json, &mut scale_factor, field, number),
        _ => json.skip(),
    })?;
    Ok(ServedUnit {
        id: id.flatten(),
        family: family.flatten(),
        name: name.flatten(),
        plural: plural.flatten(),
        short_name: short_name.flatten(),
        scale_factor: scale_factor.flatten(),
    })
}

/// Reads a number; `None` for anything else.
fn number(json: &mut Reader<'_>) -> Result<Option<Number>, Error> {
    match json.number()? {
        Some(text) => Ok(text.parse().ok()),
        None => json.skip().map(|()| None),
    }
}

/// Returns the name of a unit and what it is per: `byte/second`.
pub(super) fn unit_name(served: &[Option<ServedUnit>]) -> Option<String> {
    let mut names = served.iter().map(|unit| unit.as_ref()?.name.as_deref());
    let (unit, per) = (names.next().flatten(), names.next().flatten());
    match per {
        None => unit.map(str::to_owned),
        Some(per) => Some(format!("{}/{per}", unit.unwrap_or_default())),
    }
}

/// Counts the elements of a list.
pub(super) fn count(json: &mut Reader<'_>) -> Result<usize, Error> {
    json.list("a list", Reader::skip).map(|elements| elements.len())
}
