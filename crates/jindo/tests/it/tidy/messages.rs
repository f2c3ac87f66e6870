//! All messages of the program in one list, so that they can be read in one go, and hold no word that needs the source to be understood.
//!
//! `cargo test -p jindo --test it messages -- --nocapture` prints it.

use super::source::{Source, sources};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeMap;
use syn::visit::{self, Visit};

/// The crates that speak to users.
const SPEAKING: [&str; 2] = ["crates/jindo", "crates/jindo-cli"];

/// Words of the source, with those of its readers.
const WORDS_REFUSED: [(&str, &str); 7] = [
    ("deserial", "say that it cannot be read"),
    ("payload", "say answer, or file"),
    ("chunk", "say part"),
    ("n/a group", "say a group of sources without that tag"),
    ("object store", "say the archive"),
    ("promise", "say what is expected, or what holds"),
    ("stretch is", "say part"),
];

/// Macros and methods whose words are for those who change jindo.
const FOR_DEVELOPERS: [&str; 8] = [
    "panic",
    "unreachable",
    "assert",
    "assert_eq",
    "debug_assert",
    "expect",
    "expect_err",
    "debug_assert_eq",
];

#[test]
#[expect(clippy::print_stdout, reason = "the list is printed to be read")]
fn messages_hold_no_word_of_the_source() {
    let mut refused = Vec::new();
    for (place, text) in all() {
        println!("{place}: {text}");
        let lower = text.to_lowercase();
        for (word, better) in WORDS_REFUSED {
            if lower.contains(word) {
                refused.push(format!("{place}: {text}\n  `{word}`: {better}"));
            }
        }
    }
    assert!(refused.is_empty(), "say it in its reader's words:\n{}", refused.join("\n"));
}

/// The list is of use only if it is whole: a sentence of each place where sentences are made stands in it.
#[test]
fn messages_of_every_kind_are_listed() {
    let all = all();
    let texts: Vec<_> = all.values().map(String::as_str).collect();
    for known in [
        "holds no archive",
        "--keep-going",
        "the same command continues",
        "Directory of the export",
    ] {
        assert!(texts.iter().any(|text| text.contains(known)), "`{known}` is not listed");
    }
}

/// Returns the messages by their place; those of one line of source are one.
fn all() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for of in SPEAKING {
        for source in sources(of) {
            let mut listed = Messages { source: &source, of, all: &mut all };
            listed.visit_file(&source.syntax);
        }
    }
    all
}

struct Messages<'a> {
    source: &'a Source,
    of: &'a str,
    all: &'a mut BTreeMap<String, String>,
}

impl Messages<'_> {
    fn add(&mut self, literal: &syn::LitStr) {
        let text = literal.value().split_whitespace().collect::<Vec<_>>().join(" ");
        // One word alone is a name, a key or a number's unit.
        if !text.contains(' ') || !text.contains(|c: char| c.is_alphabetic()) || is_sql(&text) {
            return;
        }
        let Self { source, of, all } = self;
        let line = literal.span().start().line;
        let place = format!("{of}/src/{}:{line:04}", source.name);
        all.entry(place).and_modify(|known| *known = format!("{known} | {text}")).or_insert(text);
    }

    fn add_help(&mut self, attributes: &[syn::Attribute]) {
        for attribute in attributes.iter().filter(|_| self.source.name.starts_with("args")) {
            if let syn::Meta::NameValue(doc) = &attribute.meta {
                self.visit_expr(&doc.value);
            }
        }
    }

    fn add_tokens(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            match token {
                TokenTree::Group(group) => self.add_tokens(&group.stream()),
                TokenTree::Literal(literal) => {
                    if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                        self.add(&text);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

/// Returns true for a statement to the ledger.
fn is_sql(text: &str) -> bool {
    let first = text.split(' ').next().unwrap();
    first.len() > 3
        && first.chars().all(|c| c.is_ascii_uppercase())
        && text.contains(['=', '(', '_', '*'])
}

impl<'a> Visit<'a> for Messages<'_> {
    fn visit_lit_str(&mut self, literal: &'a syn::LitStr) {
        self.add(literal);
    }

    fn visit_macro(&mut self, called: &'a syn::Macro) {
        let name = called.path.segments.last().unwrap().ident.to_string();
        if !FOR_DEVELOPERS.contains(&name.as_str()) {
            self.add_tokens(&called.tokens);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        if !FOR_DEVELOPERS.contains(&call.method.to_string().as_str()) {
            return visit::visit_expr_method_call(self, call);
        }
        self.visit_expr(&call.receiver);
    }

    /// The help of a flag is its documentation.
    fn visit_field(&mut self, field: &'a syn::Field) {
        self.add_help(&field.attrs);
        visit::visit_field(self, field);
    }

    /// The help of a command is its documentation.
    fn visit_variant(&mut self, variant: &'a syn::Variant) {
        self.add_help(&variant.attrs);
        visit::visit_variant(self, variant);
    }

    /// The words of errors stand in attributes.
    fn visit_attribute(&mut self, attribute: &'a syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && ["error", "arg", "command"].iter().any(|name| list.path.is_ident(name))
        {
            self.add_tokens(&list.tokens);
        }
    }
}
