//! Names and unit of a series as served. Texts that differ between the groups of a query by nothing but their tags are held
//! once. Pure.

use super::held::{SERIES_BYTES, TEXT_BYTES, text};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes of the longest text that is kept: twice the longest query that any server takes.
pub(super) const TEXT_BYTES_MAX: usize = 16 << 10;
/// Bytes of the longest text that a template spells out: more than any served one, whose tags came in it.
const IN_FULL_BYTES_MAX: usize = 1 << 20;

/// Names of a series as served; what the server left out is `None`. Equal for the groups of a query, as a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct SeriesMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<TagTemplate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<TagTemplate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The unit, then what it is per; empty where the server names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unit: Vec<Option<ServedUnit>>,
}

/// A unit as served.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ServedUnit {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plural: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_factor: Option<Number>,
}

/// A text with the places of a series' tags in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TagTemplate(Vec<TemplatePiece>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
enum TemplatePiece {
    /// Counts into the tags of the series.
    Tag(usize),
    Text(String),
}

impl TagTemplate {
    /// Takes a text apart, whole tags (sorted) between commas and braces alone.
    pub(super) fn of(text: &str, tags: &[String]) -> Self {
        let (mut pieces, mut literal) = (Vec::new(), String::new());
        for part in text.split_inclusive(['{', ',', '}']) {
            let name = part.trim_end_matches(['{', ',', '}']);
            let Ok(tag) = tags.binary_search_by(|tag| tag.as_str().cmp(name)) else {
                literal.push_str(part);
                continue;
            };
            if !literal.is_empty() {
                pieces.push(TemplatePiece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(TemplatePiece::Tag(tag));
            literal.push_str(&part[name.len()..]);
        }
        if !literal.is_empty() {
            pieces.push(TemplatePiece::Text(literal));
        }
        Self(pieces)
    }

    /// Returns the text as it was served to a series of these tags; `None` where it counts beyond them or is longer than 1 MiB, as
    /// no text of a server is.
    pub fn in_full(&self, tags: &[String]) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            text.push_str(match piece {
                TemplatePiece::Tag(tag) => tags.get(*tag)?,
                TemplatePiece::Text(text) => text,
            });
            if text.len() > IN_FULL_BYTES_MAX {
                return None;
            }
        }
        Some(text)
    }

    fn held_bytes(&self) -> usize {
        let piece = |piece: &TemplatePiece| match piece {
            TemplatePiece::Tag(_) => size_of::<TemplatePiece>(),
            TemplatePiece::Text(of) => size_of::<TemplatePiece>() + text(of),
        };
        self.0.iter().map(piece).sum()
    }

    /// Returns the number of tags that a series needs at least.
    fn tags_needed(&self) -> usize {
        let needed = |piece: &TemplatePiece| match piece {
            TemplatePiece::Tag(tag) => tag.saturating_add(1),
            TemplatePiece::Text(_) => 0,
        };
        self.0.iter().map(needed).max().unwrap_or(0)
    }
}

impl SeriesMetadata {
    /// Returns the bytes of memory that it takes until the answer is stored.
    fn held_bytes(&self) -> usize {
        let Self { scope, expression, aggr, display_name, unit } = self;
        let texts = [aggr, display_name].into_iter().flatten().map(|one| text(one));
        let templates = [scope, expression].into_iter().flatten().map(TagTemplate::held_bytes);
        let units = unit.iter().flatten().map(|unit| {
            let ServedUnit { id, family, name, plural, short_name, scale_factor } = unit;
            let texts = [family, name, plural, short_name].into_iter().flatten();
            let numbers = [id, scale_factor].into_iter().flatten().map(|_| TEXT_BYTES);
            size_of::<ServedUnit>() + texts.map(|one| text(one)).chain(numbers).sum::<usize>()
        });
        SERIES_BYTES + texts.chain(templates).chain(units).sum::<usize>()
    }

    /// Returns the number of tags that a series needs at least to be named so.
    pub(crate) fn tags_needed(&self) -> usize {
        let templates = [&self.scope, &self.expression];
        templates.into_iter().flatten().map(TagTemplate::tags_needed).max().unwrap_or(0)
    }
}

/// The distinct metadata of an answer: thousands of groups share a few.
#[derive(Debug, Default)]
pub(super) struct MetadataPool(HashSet<Arc<SeriesMetadata>>);

impl MetadataPool {
    /// Returns equal metadata that is shared, and the memory that it takes where it is new.
    pub(super) fn shared(&mut self, metadata: SeriesMetadata) -> (Arc<SeriesMetadata>, usize) {
        if let Some(known) = self.0.get(&metadata) {
            return (Arc::clone(known), 0);
        }
        let new = Arc::new(metadata);
        self.0.insert(Arc::clone(&new));
        let bytes = new.held_bytes();
        (new, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(text: &str, tags: &[&str]) -> String {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        serde_json::to_string(&TagTemplate::of(text, &tags)).unwrap()
    }

    #[test]
    fn groups_of_a_query_share_one_text() {
        let text = "avg:m{env:p,host:a}.rollup(avg, 60) / avg:n{host:a}";
        let shared = r#"["avg:m{env:p,",0,"}.rollup(avg, 60) / avg:n{",0,"}"]"#;
        assert_eq!(template(text, &["host:a"]), shared);
        assert_eq!(template("a:1,c:2", &["a:1", "c:2"]), r#"[0,",",1]"#);
        assert_eq!(template("host:ab", &["host:a"]), r#"["host:ab"]"#);
    }

    #[test]
    fn what_counts_beyond_the_tags_or_is_beyond_all_texts_is_none() {
        let read = |json: &str| serde_json::from_str::<TagTemplate>(json).unwrap();
        assert_eq!(read(r#"["a",1]"#).in_full(&["b".to_owned()]), None);
        assert_eq!(read("[1]").tags_needed(), 2);
        let long = "x".repeat(IN_FULL_BYTES_MAX / 2 + 1);
        assert_eq!(read("[0,0]").in_full(&[long]), None);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "[{},ab:]{0,12}", mut tags in prop::collection::vec("[ab:,]{0,3}", 0..4)) {
            tags.sort();
            prop_assert_eq!(TagTemplate::of(&text, &tags).in_full(&tags), Some(text));
        }
    }
}
