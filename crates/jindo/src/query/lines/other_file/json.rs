//! JSON instead of a list: known by its keys, its queries counted while it is read. Keeps no document in memory.

use super::{FileKind, OtherFile, is_query, lines_with_queries};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::{BTreeSet, HashSet};
use std::fmt::{self, Formatter};

/// Depth down to which keys tell what a document is: `data`, a list, `attributes`, `cells`.
const KEYS_DEPTH_MAX: usize = 4;

/// Bytes of a text that may be a query, at most; the same as of a line of a list.
const QUERY_BYTES_MAX: usize = crate::query::grammar::LINE_BYTES_MAX;

/// Keys that tell what a document is, in the order in which they count, each with its name. Of several keys all are there.
const KINDS: [(&[&str], &str); 15] = [
    (&["widgets"], "a dashboard as JSON"),
    (&["dashboards"], "a list of dashboards as JSON"),
    (&["panels"], "a dashboard of Grafana as JSON"),
    (&["nbformat"], "a Jupyter notebook"),
    (&["cells"], "a notebook as JSON"),
    (&["terraform_version"], "Terraform as JSON"),
    (&["resource"], "Terraform as JSON"),
    (&["monitors"], "a list of monitors as JSON"),
    (&["query", "options"], "a monitor as JSON"),
    (&["query", "message"], "a monitor as JSON"),
    (&["query", "overall_state"], "a monitor as JSON"),
    (&["numerator"], "an SLO as JSON"),
    (&["errors"], "an error of an API, saved as a file"),
    (&["series"], "an answer of Datadog's API"),
    (&["metrics"], "an answer of Datadog's API"),
];

/// Returns the kind of a text that is JSON, or would be.
pub(super) fn json(text: &str) -> Option<OtherFile> {
    let start = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))?;
    if !start.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut seen = JsonContent::default();
    let mut documents = 0;
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut ended = reader.end();
    while ended.is_err() {
        if (Value { depth: 0, seen: &mut seen }).deserialize(&mut reader).is_err() {
            let broken = FileKind::Json("JSON that cannot be read");
            return is_nearly_json(start.trim_start())
                .then(|| OtherFile::new(broken, lines_with_queries(text)));
        }
        documents += 1;
        ended = reader.end();
    }
    Some(OtherFile::new(seen.kind(documents), seen.queries.len()))
}

/// Tells JSON with a mistake from a checkbox or a placeholder at the start of a line.
fn is_nearly_json(start: &str) -> bool {
    let is_list = start.starts_with('[');
    let rest = start[1..].trim_start();
    rest.is_empty() || rest.starts_with('"') || is_list && rest.starts_with('{')
}

/// Keys and texts of a document.
#[derive(Debug, Default)]
struct JsonContent {
    keys: BTreeSet<String>,
    queries: HashSet<String>,
    /// Texts that are items of the outermost list.
    texts: usize,
    /// Other items of the outermost list, and keys of the outermost object.
    others: usize,
}

impl JsonContent {
    fn kind(&self, documents: usize) -> FileKind {
        let holds = |keys: &&[&str]| keys.iter().all(|key| self.keys.contains(*key));
        let known = KINDS.iter().find(|(keys, _)| holds(keys)).map(|(_, name)| *name);
        match known {
            _ if documents > 1 => FileKind::Json("JSON, one object a line"),
            None if self.texts > 0 && self.others == 0 => FileKind::JsonTexts,
            name => FileKind::Json(name.unwrap_or("JSON")),
        }
    }
}

/// A value at its depth.
struct Value<'a> {
    depth: usize,
    seen: &'a mut JsonContent,
}

impl Value<'_> {
    fn count(&mut self, is_text: bool) {
        if self.depth == 1 {
            self.seen.texts += usize::from(is_text);
            self.seen.others += usize::from(!is_text);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.count(true);
        if text.len() <= QUERY_BYTES_MAX && is_query(text) {
            self.seen.queries.insert(text.to_owned());
        }
        Ok(())
    }

    fn visit_bool<E>(mut self, _: bool) -> Result<(), E> {
        self.count(false);
        Ok(())
    }

    fn visit_i64<E>(mut self, _: i64) -> Result<(), E> {
        self.count(false);
        Ok(())
    }

    fn visit_u64<E>(mut self, _: u64) -> Result<(), E> {
        self.count(false);
        Ok(())
    }

    fn visit_f64<E>(mut self, _: f64) -> Result<(), E> {
        self.count(false);
        Ok(())
    }

    fn visit_unit<E>(mut self) -> Result<(), E> {
        self.count(false);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.count(false);
        let Self { depth, seen } = self;
        while items.next_element_seed(Value { depth: depth + 1, seen })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.count(false);
        let Self { depth, seen } = self;
        while let Some(key) = entries.next_key::<String>()? {
            let tells = KINDS.iter().any(|(keys, _)| keys.contains(&key.as_str()));
            if depth < KEYS_DEPTH_MAX && tells {
                seen.keys.insert(key);
            }
            seen.others += usize::from(depth == 0);
            entries.next_value_seed(Value { depth: depth + 1, seen })?;
        }
        Ok(())
    }
}
