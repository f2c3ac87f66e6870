//! What holds of any body of a server and of any list: nothing that is shown or kept of it holds nine characters of a key in a row. The
//! bounded tests beside it and a fuzz target share it.

use jindo::parse::{self, Answer, Expected};
use jindo::plan::Window;
use jindo::query::{self, Fill, Interval, MetricTypes, RangeFunctions, RewriteOptions};
use jindo::request::{Failure, classify};
use jindo::secret::{Secret, Secrets};
use std::collections::BTreeMap;

/// Keys of the two usual lengths; the second with a character that JSON may escape. No number is a part of them.
pub(crate) const KEYS: [&str; 2] =
    ["a1b2c3d4e5f6f7e8d9c0bacadafaebec", "zq/wvk7hj+xqy8gr/pumk9nsz=lxhw+vjqt6kgzr"];

/// So many characters of a key in a row are shown nowhere.
pub(crate) const SHOWN_CHARS_MAX: usize = 8;

/// Begins the spelling of a key in an input: three bytes say which.
const MARK: u8 = 1;

/// Characters of a key that an input may hold by itself: more, and it spells parts that no rule hides in names.
const OWN_CHARS_MAX: usize = 4;

/// A way to write a key that SECURITY.md names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spelling {
    pub(crate) key: &'static str,
    pub(crate) case: Case,
    pub(crate) escape: Escape,
    /// Stands between the pieces, as it is written in a body.
    pub(crate) separator: &'static str,
    /// Characters of a piece.
    pub(crate) every: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    AsIs,
    Capitals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    Plain,
    /// `\u0061` for every character.
    Code,
    /// `\\u0061`: of a text that was quoted twice.
    Doubled,
    /// `\\\\u0061`.
    Redoubled,
    /// `\u0061` for every other character.
    Mixed,
    /// `\/` where there is a slash.
    Slash,
}

pub(crate) const CASES: [Case; 2] = [Case::AsIs, Case::Capitals];

pub(crate) const ESCAPES: [Escape; 6] =
    [Escape::Plain, Escape::Code, Escape::Doubled, Escape::Redoubled, Escape::Mixed, Escape::Slash];

/// What is folded to a space, dropped, or shown as nothing: as itself, and in JSON's escapes, once and twice.
pub(crate) const SEPARATORS: [&str; 34] = [
    "",
    " ",
    "   ",
    r"\n",
    r"\t",
    r"\r\n",
    r"\b",
    r"\f",
    r"\\n",
    r"\\r\\n",
    r"\u0000",
    r"\u0007",
    r"\u001b",
    r"\u007f",
    r"\u0085",
    r"\u00a0",
    r"\u00ad",
    r"\u200b",
    r"\u200d",
    r"\u2028",
    r"\u2029",
    r"\u202e",
    r"\ufeff",
    r"\ufffd",
    r"\\u2028",
    r"\udb40\udc41",
    "\u{85}",
    "\u{ad}",
    "\u{200b}",
    "\u{2028}",
    "\u{202e}",
    "\u{2800}",
    "\u{fe0f}",
    "…",
];

impl Spelling {
    /// As it is written in a body.
    pub(crate) fn written(&self) -> String {
        let key = match self.case {
            Case::AsIs => self.key.to_owned(),
            Case::Capitals => self.key.to_ascii_uppercase(),
        };
        let letter = |(index, c): (usize, char)| {
            let code = u32::from(c);
            match self.escape {
                Escape::Code => format!("\\u{code:04x}"),
                Escape::Doubled => format!("\\\\u{code:04x}"),
                Escape::Redoubled => format!("\\\\\\\\u{code:04X}"),
                Escape::Mixed if index % 2 == 0 => format!("\\u{code:04X}"),
                Escape::Slash if c == '/' => "\\/".to_owned(),
                Escape::Plain | Escape::Mixed | Escape::Slash => c.to_string(),
            }
        };
        let letters: Vec<String> = key.chars().enumerate().map(letter).collect();
        let pieces: Vec<String> = letters.chunks(self.every).map(<[String]>::concat).collect();
        pieces.join(self.separator)
    }

    fn of(how: u8, between: u8, every: u8) -> Self {
        let pick = usize::from(how);
        Self {
            key: KEYS[pick % 2],
            case: CASES[pick / 2 % 2],
            escape: ESCAPES[pick / 4 % ESCAPES.len()],
            separator: SEPARATORS[usize::from(between) % SEPARATORS.len()],
            every: 1 + usize::from(every) % 40,
        }
    }
}

/// Any body with keys in it: three bytes behind each mark spell one.
pub(crate) fn marked(input: &[u8]) {
    let (mut body, mut own) = (Vec::new(), Vec::new());
    let mut rest = input;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match after.split_first_chunk() {
            Some((&[how, between, every], after)) if byte == MARK => {
                body.extend(Spelling::of(how, between, every).written().bytes());
                own.push(b' ');
                rest = after;
            }
            _ => {
                body.push(byte);
                own.push(byte);
            }
        }
    }
    let own = unescaped(&String::from_utf8_lossy(&own));
    let spells_nothing = KEYS.iter().all(|key| !holds(&own, key, OWN_CHARS_MAX + 1));
    let shown = Shown::of(&body);
    assert_hidden(&shown.words, &body);
    if spells_nothing {
        assert_hidden(&shown.names, &body);
    }
}

/// Everything that is shown or kept of one body, and of a list of the same bytes.
pub(crate) struct Shown {
    pub(crate) words: Vec<String>,
    pub(crate) names: Vec<String>,
}

impl Shown {
    pub(crate) fn of(body: &[u8]) -> Self {
        let secrets = &Secrets::new(KEYS.map(Secret::new));
        let mut shown = Self { words: Vec::new(), names: Vec::new() };
        for status in [302, 400, 401, 404, 500] {
            shown.words.extend(classify(status, body, None, secrets).words());
        }
        let place = String::from_utf8_lossy(body);
        shown.words.extend(Failure::redirected(302, &place, secrets).words());
        let window = Window::from_secs(0, 600).expect("ten minutes");
        let interval = Interval::from_secs(60).expect("a minute");
        for queries in [1, 2] {
            let expected = Expected { queries, window, interval };
            match parse::read(body, &expected, secrets) {
                Ok(read) => {
                    shown.words.extend(read.remark);
                    shown.names.extend(names(&read.answer));
                }
                Err(error) => {
                    shown.words.push(error.to_string());
                    shown.words.extend(Failure::of_answer(error, secrets).words());
                }
            }
        }
        shown.list(body, secrets);
        shown
    }

    fn list(&mut self, bytes: &[u8], secrets: &Secrets) {
        let options = RewriteOptions {
            resolution: Interval::from_secs(60).expect("a minute"),
            variables: BTreeMap::new(),
            fill: Fill::Null,
            range_functions: RangeFunctions::Allow,
            types: MetricTypes::new(),
        };
        let kept = query::without_keys(&query::decode(bytes), secrets);
        let list = query::list("list", &kept, &options);
        for query in list.queries {
            self.words.extend([query.text.written, query.text.sent.to_string()]);
        }
        for complaint in
            list.refused.into_iter().chain(list.notes.into_iter().map(|note| note.remark))
        {
            self.words.extend([complaint.to_string(), complaint.written]);
        }
        self.words.push(kept);
    }
}

fn names(answer: &Answer) -> Vec<String> {
    let mut names = Vec::new();
    for series in &answer.series {
        let metadata = &series.metadata;
        names.extend([series.metric.clone()].into_iter().chain(series.tags.clone()));
        names.extend(
            [&series.unit, &metadata.aggr, &metadata.display_name].into_iter().flatten().cloned(),
        );
        let templates = [&metadata.scope, &metadata.expression].into_iter().flatten();
        names.extend(templates.filter_map(|template| template.in_full(&series.tags)));
        for unit in metadata.unit.iter().flatten() {
            let texts = [&unit.family, &unit.name, &unit.plural, &unit.short_name];
            names.extend(texts.into_iter().flatten().cloned());
        }
    }
    names
}

/// Nine characters of a key in a row, in letters of any case.
pub(crate) fn assert_hidden(shown: &[String], body: &[u8]) {
    for text in shown {
        for key in KEYS {
            assert!(
                !holds(text, key, SHOWN_CHARS_MAX + 1),
                "{text:?} of {:?}",
                String::from_utf8_lossy(body)
            );
        }
    }
}

fn holds(text: &str, key: &str, chars: usize) -> bool {
    let text = text.to_ascii_lowercase();
    (0..=key.len() - chars).any(|at| text.contains(&key[at..at + chars]))
}

/// The characters that stand in a text, or that an escape in it may stand for.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    for piece in text.split("\\u00") {
        let code = piece.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        plain.extend(code.map(char::from));
        plain.push_str(if code.is_some() { &piece[2..] } else { piece });
    }
    plain.retain(|c| c.is_ascii_graphic() && c != '\\');
    plain
}
