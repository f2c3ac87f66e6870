//! The small shapes within a body: words, tags, units. Each function reads one JSON value; none knows where it stands.

use super::Error;
use super::json::Reader;
use crate::secret::Secrets;
use serde::Deserialize;

/// Tags of one series, at most. `by` names a handful of keys and a key may have several values; a thousand is no group.
const SERIES_TAGS_MAX: usize = 1_000;

/// Bytes of a server's words that are read: more than are ever shown (1,000 characters), whatever there is.
const WORDS_BYTES_MAX: usize = 4_096;

/// Reads the words of an error in any of the API's forms: a text, null, an object with a title, a detail or a message (JSON:API), or
/// a list of these; joined by `; `, with single spaces. Bytes beyond `WORDS_BYTES_MAX` are read over, and no list is kept: it
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
    if let Some(text) = json.value::<Option<String>>()? {
        add(words, &text);
    }
    Ok(())
}

fn add(words: &mut String, text: &str) {
    for (index, word) in text.split_whitespace().enumerate() {
        let before = match (index, words.is_empty()) {
            (_, true) => "",
            (0, false) => "; ",
            (_, false) => " ",
        };
        let room = WORDS_BYTES_MAX.saturating_sub(words.len() + before.len());
        if room == 0 {
            return;
        }
        words.push_str(before);
        words.push_str(&word[..word.floor_char_boundary(room)]);
    }
}

/// Returns the texts of `errors` and `error` in a body of any status, joined by `; `. `None`: it is no JSON object, or has others
/// than texts there.
pub(crate) fn server_words(body: &[u8]) -> Option<String> {
    let mut json = Reader::new(body).ok()?;
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

/// Reads `tag_set` as a set: without secrets, sorted, each tag once.
pub(super) fn tags(json: &mut Reader<'_>, secrets: &Secrets) -> Result<Vec<String>, Error> {
    let mut room = 0..SERIES_TAGS_MAX;
    let mut tags = json.list("a list of tags", |json| {
        let too_many = || format!("a series with more than {SERIES_TAGS_MAX} tags");
        room.next().ok_or_else(|| json.inconsistent(&too_many()))?;
        Ok(secrets.hide(json.value()?))
    })?;
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

#[derive(Deserialize)]
struct UnitName {
    name: Option<String>,
}

/// Reads `[{"name": "byte", …}, {"name": "second", …}]` as `byte/second`; either may be null.
pub(super) fn unit(json: &mut Reader<'_>) -> Result<Option<String>, Error> {
    let mut names = Vec::new();
    json.list("a unit and what it is per", |json| {
        if names.len() == 2 {
            return json.skip();
        }
        names.push(json.value::<Option<UnitName>>()?.and_then(|unit| unit.name));
        Ok(())
    })?;
    let mut names = names.into_iter();
    let (unit, per) = (names.next().flatten(), names.next().flatten());
    Ok(match per {
        None => unit,
        Some(per) => Some(format!("{}/{per}", unit.unwrap_or_default())),
    })
}

/// Counts the elements of a list.
pub(super) fn count(json: &mut Reader<'_>) -> Result<usize, Error> {
    json.list("a list", Reader::skip).map(|elements| elements.len())
}
