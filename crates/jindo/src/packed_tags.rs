//! Tags of a series as one text, a JSON array: as ledger, objects and tables spell them, and a fraction of the memory of a list. A leaf.

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Tags, `key:value` each. Copies share the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PackedTags(Arc<str>);

impl PackedTags {
    /// Returns the JSON array.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Returns the list of tags.
    pub fn unpacked(&self) -> Vec<String> {
        serde_json::from_str(&self.0).expect("it was made of a list")
    }
}

impl From<&[String]> for PackedTags {
    fn from(tags: &[String]) -> Self {
        Self(serde_json::to_string(tags).expect("texts are always JSON").into())
    }
}

impl From<Vec<String>> for PackedTags {
    fn from(tags: Vec<String>) -> Self {
        Self::from(tags.as_slice())
    }
}

impl fmt::Debug for PackedTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unpacked().fmt(f)
    }
}

impl Serialize for PackedTags {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.unpacked().serialize(to)
    }
}

impl<'de> Deserialize<'de> for PackedTags {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Packing;

        impl<'de> Visitor<'de> for Packing {
            type Value = PackedTags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tags")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PackedTags, A::Error> {
                let mut text = "[".to_owned();
                while let Some(tag) = list.next_element::<String>()? {
                    if text.len() > 1 {
                        text.push(',');
                    }
                    text.push_str(&serde_json::to_string(&tag).expect("a text is always JSON"));
                }
                text.push(']');
                Ok(PackedTags(text.into()))
            }
        }

        from.deserialize_seq(Packing)
    }
}

#[cfg(test)]
mod tests {
    use super::PackedTags;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tags_come_back_and_are_spelled_alike_from_a_list_and_from_json(
            tags in prop::collection::vec(".{0,4}", 0..4),
        ) {
            let packed = PackedTags::from(tags.clone());
            let spaced = serde_json::to_string_pretty(&tags).unwrap();
            prop_assert_eq!(serde_json::from_str::<PackedTags>(&spaced).unwrap(), packed.clone());
            prop_assert_eq!(serde_json::to_string(&packed).unwrap(), packed.as_json());
            prop_assert_eq!(format!("{packed:?}"), format!("{tags:?}"));
            prop_assert_eq!(packed.unpacked(), tags);
        }
    }
}
