//! Documentation in plain words: a function's opens with a verb or with what it returns, a type's with a noun.

use super::source::{CRATES, Source, sources};

/// Words with which no block of documentation or comment opens: the sentence avoids its noun.
const OPENINGS_REFUSED: &[&str] = &[
    "what", "whether", "how", "where", "why", "who", "whom", "whose", "whoever", "nobody", "when",
];

/// Riddles that stand nowhere in documentation.
const PHRASES_REFUSED: &[&str] = &["of these days", "whoever", "nobody"];

#[test]
fn documentation_names_its_subject() {
    let mut refused = Vec::new();
    for source in CRATES.iter().flat_map(|name| sources(name)) {
        for (number, text) in openings(&source) {
            let first: String = text.chars().skip_while(|c| !c.is_alphanumeric()).collect();
            let word = first.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            if OPENINGS_REFUSED.contains(&word.to_lowercase().as_str()) {
                refused.push(format!("{}:{number}: {text}", source.name));
            }
        }
        for (index, line) in source.text.lines().enumerate() {
            let Some(text) = documentation(line) else { continue };
            let lower = text.to_lowercase();
            if PHRASES_REFUSED.iter().any(|phrase| lower.contains(phrase)) {
                refused.push(format!("{}:{}: {text}", source.name, index + 1));
            }
        }
    }
    assert!(refused.is_empty(), "say it with the noun first:\n{}", refused.join("\n"));
}

/// The first line of every block of documentation, with its number.
fn openings(source: &Source) -> Vec<(usize, &str)> {
    let mut openings = Vec::new();
    let mut within = false;
    for (index, line) in source.text.lines().enumerate() {
        let text = documentation(line);
        if let Some(text) = text.filter(|_| !within) {
            openings.push((index + 1, text));
        }
        within = text.is_some();
    }
    openings
}

fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim_start)
}
