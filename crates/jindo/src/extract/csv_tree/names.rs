//! Names of files that every file system and shell takes, and that never collide: not by case, Unicode form or length. Readable where that is harmless. Touches no disk.
//!
//! A name is built of encoded parts and then finished. `~` stands only before the hash that finishing adds, so a name
//! with a hash never equals one without.

use crate::case_fold::{fold, is_own_fold};
use crate::digest::sha256;
use std::fmt::Write as _;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters of a name without its extension, at most: readable in a listing, far from the 260 of Windows paths.
pub(super) const NAME_CHARS_MAX: usize = 120;

/// Bytes of a name without its extension, at most: file systems allow 255, and extensions and temporary names add to it.
pub(super) const NAME_BYTES_MAX: usize = 200;

/// Datadog's own value for series that lack the tag of a grouping; it stays bare, other spellings of it get a hash.
const NOT_AVAILABLE: &str = "N/A";

/// Returns the name of a series' file, without extension: `key=value,key=value` sorted, or `values` for a series without tags.
pub(super) fn series_file(tags: &[String]) -> String {
    let mut tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    tags.sort_unstable();
    let Some(first) = tags.first() else { return "values".to_owned() };

    let parts: Vec<_> = tags.iter().map(|tag| tag_name(tag)).collect();
    let name = parts.join(",");
    // A tag without key may be called as the file of a series without tags.
    let mistakable = tags.len() == 1 && (*first == "values" || first.is_empty());
    let twin = tags.iter().any(|tag| {
        let (key, value) = tag.split_once(':').unwrap_or((tag, ""));
        let spells_not_available = fold(value) == fold(NOT_AVAILABLE);
        let is_own = if spells_not_available { value == NOT_AVAILABLE } else { is_own_fold(value) };
        !is_own_fold(key) || !is_own
    });
    // Length-prefixed, since a tag may hold any separator.
    let exact: Vec<_> = tags.iter().map(|tag| format!("{}:{tag}", tag.len())).collect();
    let exact = exact.concat();
    if mistakable || twin { hashed(&name, exact.as_bytes()) } else { bounded(&name, &exact) }
}

/// `key=value`, each encoded; a tag without colon stands for itself.
pub(super) fn tag_name(tag: &str) -> String {
    match tag.split_once(':') {
        Some((key, value)) => format!("{}={}", encode(key), encode(value)),
        None => encode(tag),
    }
}

/// Percent-encodes everything in a key or a value but letters and digits of any script and `_ - . + @`. Injective.
pub(super) fn encode(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut after_readable = false;
    for c in text.chars() {
        // A mark behind an escape or at the start would melt into what is not its own.
        let readable = matches!(c, '_' | '-' | '.' | '+' | '@')
            || (c.is_alphanumeric() && !is_unseen(c))
            || (after_readable && is_combining_mark(c) && !is_unseen(c));
        if readable {
            name.push(c);
        } else {
            percent(&mut name, c);
        }
        after_readable = readable;
    }
    name
}

/// Makes a name of encoded parts safe as a whole. `exact` tells apart what the name alone may not: it is hashed where the
/// name differs from its own fold (case, Unicode form) or is too long.
pub(super) fn finish(name: &str, exact: &str) -> String {
    if is_own_fold(&without_escapes(name)) {
        bounded(name, exact)
    } else {
        hashed(name, exact.as_bytes())
    }
}

/// Does the same for names whose parts are known to be their own folds.
fn bounded(name: &str, exact: &str) -> String {
    let safe = harmless(name);
    let short = safe.len() <= NAME_BYTES_MAX && safe.chars().count() <= NAME_CHARS_MAX;
    if short && !name.is_empty() && name.nfc().eq(name.chars()) {
        safe
    } else {
        hashed(name, exact.as_bytes())
    }
}

/// `name~hash`, cut to the limits. What is cut may have thousands of neighbours that begin alike, and gets a longer hash.
pub(super) fn hashed(name: &str, exact: &[u8]) -> String {
    let name = harmless(if name.is_empty() { "empty" } else { name });
    let digits = sha256(exact);
    let short = format!("{name}~{}", &digits[..HASH_DIGITS]);
    if short.len() <= NAME_BYTES_MAX && short.chars().count() <= NAME_CHARS_MAX {
        return short;
    }
    let hash = &digits[..CUT_HASH_DIGITS];
    let (chars_max, bytes_max) = (NAME_CHARS_MAX - 1 - hash.len(), NAME_BYTES_MAX - 1 - hash.len());
    let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut end = ends.take(chars_max).take_while(|end| *end <= bytes_max).last().unwrap_or(0);
    if end < name.len() {
        // Half an escape says nothing.
        let tail = &name.as_bytes()[end.saturating_sub(2)..end];
        end -= tail.iter().position(|byte| *byte == b'%').map_or(0, |at| tail.len() - at);
    }
    format!("{}~{hash}", &name[..end])
}

/// Hexadecimal digits of the SHA-256 behind a name that stands whole before it.
const HASH_DIGITS: usize = 6;

/// Digits behind a name that was cut: among ten thousand that begin alike two must not collide.
const CUT_HASH_DIGITS: usize = 16;

/// Returns whether another name may fold to the same. Of the names of one fold, all but the fold itself carry a hash.
pub(in crate::extract) fn may_have_twins(name: &str) -> bool {
    !is_own_fold(&without_escapes(name))
}

/// Returns the name without its `%2F`s, whose capitals tell nothing apart.
fn without_escapes(name: &str) -> String {
    let mut pieces = name.split('%');
    let first = pieces.next().unwrap_or_default();
    let rest = pieces.map(|piece| piece.get(2..).unwrap_or_default());
    std::iter::once(first).chain(rest).collect()
}

/// Escapes what only a whole name can do wrong: leading `-` and `.`, a trailing `.`, names of Windows devices.
fn harmless(name: &str) -> String {
    let mut safe = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        let leads = at == 0 && (matches!(c, '-' | '.') || is_device(name));
        if leads || (c == '.' && at + 1 == name.len()) {
            percent(&mut safe, c);
        } else {
            safe.push(c);
        }
    }
    safe
}

fn is_device(name: &str) -> bool {
    let base = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let numbered = |rest: &str| {
        let mut digits = rest.chars();
        matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    };
    matches!(base.as_str(), "con" | "prn" | "aux" | "nul" | "conin" | "conout")
        || base.strip_prefix("com").or(base.strip_prefix("lpt")).is_some_and(numbered)
}

/// Letters and marks that show nothing, or are ignored by file systems.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

fn percent(name: &mut String, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        write!(name, "%{byte:02X}").expect("writing to a String cannot fail");
    }
}
