//! Characters that look like those of a query and are none: word processors, chats and other keyboards put them in place of plain
//! ones. Datadog keeps `_` in place of each, so no tag holds one. Letters and digits of every script are not among them.

/// Lowest and highest of the full-width twins of printable ASCII.
const FULL_WIDTH: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ff5e}';

/// Distance of a full-width character from its twin.
const FULL_WIDTH_DISTANCE: u32 = 0xfee0;

/// Returns the name of a character that no query holds, with its article, and the plain text that is meant.
pub(in crate::query) fn lookalike(c: char) -> Option<(&'static str, String)> {
    let (name, plain) = match c {
        '“' | '”' | '„' | '‟' => ("a curly quote", "\""),
        '‘' | '’' | '‚' | '‛' => ("a curly quote", "'"),
        '«' | '»' => ("an angle quote", "\""),
        '‹' | '›' => ("an angle quote", "'"),
        '″' => ("a double prime", "\""),
        '′' => ("a prime", "'"),
        '、' | '､' => ("an ideographic comma", ","),
        '،' => ("an Arabic comma", ","),
        '﹐' => ("a small comma", ","),
        '﹕' => ("a small colon", ":"),
        '∶' => ("a ratio sign", ":"),
        '\u{2010}' => ("a typographic hyphen", "-"),
        '\u{2011}' => ("a non-breaking hyphen", "-"),
        '\u{2012}' => ("a figure dash", "-"),
        '–' => ("an en dash", "-"),
        '—' => ("an em dash", "-"),
        '\u{2015}' => ("a horizontal bar", "-"),
        '\u{2212}' => ("a typographic minus", "-"),
        '\u{fe58}' | '\u{fe63}' => ("a small dash", "-"),
        '×' | '∗' => ("a multiplication sign", "*"),
        '÷' | '∕' | '⁄' => ("a division sign", "/"),
        '≥' => ("a mathematical sign", ">="),
        '≤' => ("a mathematical sign", "<="),
        '≠' => ("a mathematical sign", "!="),
        c if FULL_WIDTH.contains(&c) && !c.is_alphanumeric() => {
            let twin = char::from_u32(u32::from(c) - FULL_WIDTH_DISTANCE)?;
            return Some(("a full-width character", twin.to_string()));
        }
        _ => return None,
    };
    Some((name, plain.to_owned()))
}

/// Returns the name of a character that is shown as nothing, or is broken.
pub(in crate::query) fn unseen_name(c: char) -> &'static str {
    match c {
        '\u{fffd}' => "a broken character",
        '\u{ad}' => "a soft hyphen",
        '\u{200b}' => "a zero-width space",
        '\u{200c}' | '\u{200d}' => "a zero-width joiner",
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a mark of the writing direction"
        }
        '\u{2060}' => "a word joiner",
        '\u{feff}' => "a byte order mark",
        c if c.is_control() => "a control character",
        _ => "an invisible character",
    }
}

/// Returns the name of a white space that no keyboard's space bar gives; `None` for the plain ones.
pub(in crate::query) fn other_space(c: char) -> Option<&'static str> {
    match c {
        '\u{a0}' | '\u{202f}' => Some("a non-breaking space"),
        '\u{3000}' => Some("a full-width space"),
        c if c.is_whitespace() && !c.is_ascii() => Some("a typographic space"),
        _ => None,
    }
}
