//! One meaning per name: a type's name is defined once in a crate.

use super::source::{CRATES, sources};
use std::collections::BTreeMap;

/// Every stage has an error of its own, named by its module.
const SHARED: [&str; 1] = ["Error"];

#[test]
fn a_type_name_means_one_thing_in_a_crate() {
    let mut doubled = Vec::new();
    for of in CRATES {
        let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for source in sources(of) {
            for name in source.syntax.items.iter().filter_map(type_name) {
                places.entry(name.to_string()).or_default().push(source.at(name.span()));
            }
        }
        places.retain(|name, places| places.len() > 1 && !SHARED.contains(&name.as_str()));
        doubled.extend(places.into_iter().map(|(name, at)| format!("{of}: {name} in {at:?}")));
    }
    assert!(doubled.is_empty(), "one word, one meaning:\n{}", doubled.join("\n"));
}

fn type_name(item: &syn::Item) -> Option<&syn::Ident> {
    match item {
        syn::Item::Struct(item) => Some(&item.ident),
        syn::Item::Enum(item) => Some(&item.ident),
        syn::Item::Trait(item) => Some(&item.ident),
        syn::Item::Type(item) => Some(&item.ident),
        _ => None,
    }
}
