//! The small shapes within a body: texts, tags, units. Each reads one JSON value; none knows where it stands.

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;

/// Tags of one series, at most. `by` names a handful of keys and a key may have several values; a thousand is no group.
const SERIES_TAGS_MAX: usize = 1_000;

/// Bytes of a server's words that are read: more than are ever shown (1,000 characters), whatever there is.
const WORDS_BYTES_MAX: usize = 4_096;

/// A text, several, or null as one text, joined by `; `, with single spaces. Bytes beyond `WORDS_BYTES_MAX` are read over.
#[derive(Default)]
pub(crate) struct Words(pub(crate) String);

impl Words {
    fn add(&mut self, text: &str) {
        for (index, word) in text.split_whitespace().enumerate() {
            let before = match (index, self.0.is_empty()) {
                (_, true) => "",
                (0, false) => "; ",
                (_, false) => " ",
            };
            let room = WORDS_BYTES_MAX.saturating_sub(self.0.len() + before.len());
            if room == 0 {
                return;
            }
            self.0.push_str(before);
            self.0.push_str(&word[..word.floor_char_boundary(room)]);
        }
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Said;
        impl<'de> Visitor<'de> for Said {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Words, E> {
                Ok(Words::default())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
                let mut words = Words::default();
                words.add(text);
                Ok(words)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut words = Words::default();
                while list.next_element_seed(More(&mut words))?.is_some() {}
                Ok(words)
            }
        }
        from.deserialize_any(Said)
    }
}

/// One more text of a list, which is never a `String` of its own: there may be millions.
struct More<'a>(&'a mut Words);

impl<'de> DeserializeSeed<'de> for More<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for More<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.0.add(text);
        Ok(())
    }
}

/// Number of elements of a list, which are skipped themselves.
pub(super) struct ElementCount(pub(super) usize);

impl<'de> Deserialize<'de> for ElementCount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = ElementCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ElementCount, A::Error> {
                let mut elements = 0;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    elements += 1;
                }
                Ok(ElementCount(elements))
            }
        }
        from.deserialize_seq(Elements)
    }
}

/// `tag_set`, as a set: sorted, each tag once.
pub(super) struct Tags(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tags")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tags, A::Error> {
                let mut tags = Vec::new();
                while let Some(tag) = list.next_element::<String>()? {
                    if tags.len() == SERIES_TAGS_MAX {
                        return Err(de::Error::custom(format_args!(
                            "a series with more than {SERIES_TAGS_MAX} tags"
                        )));
                    }
                    tags.push(tag);
                }
                tags.sort_unstable();
                tags.dedup();
                Ok(Tags(tags))
            }
        }
        from.deserialize_seq(List)
    }
}

/// `[{"name": "byte", …}, {"name": "second", …}]` → `byte/second`; either may be null.
pub(super) struct UnitText(pub(super) Option<String>);

#[derive(Deserialize)]
struct UnitName {
    name: Option<String>,
}

impl<'de> Deserialize<'de> for UnitText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = UnitText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a unit and what it is per")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<UnitText, A::Error> {
                let mut name = || {
                    let unit = pair.next_element::<Option<UnitName>>()?;
                    Ok(unit.flatten().and_then(|unit| unit.name))
                };
                let (unit, per) = (name()?, name()?);
                while pair.next_element::<IgnoredAny>()?.is_some() {}
                Ok(UnitText(match (unit, per) {
                    (unit, None) => unit,
                    (unit, Some(per)) => Some(format!("{}/{per}", unit.unwrap_or_default())),
                }))
            }
        }
        from.deserialize_seq(Pair)
    }
}
