//! The sources of the workspace, parsed: every file of every crate without its tests.

use proc_macro2::Span;
use std::fs;
use std::path::{Path, PathBuf};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// The crates whose source is held to the rules; `xtask` lies beside `crates/`.
pub(super) const CRATES: [&str; 5] =
    ["crates/jindo", "crates/jindo-cli", "crates/jindo-sim", "crates/jindo-testing", "xtask"];

/// One file of a crate's `src`.
pub(super) struct Source {
    /// Relative to the crate's `src`, with `/` on every system.
    pub(super) name: String,
    /// `["plan", "window"]` for `plan/window.rs`, `["plan"]` for `plan/mod.rs`, empty for the root.
    pub(super) module: Vec<String>,
    pub(super) text: String,
    /// Without test modules and test functions.
    pub(super) syntax: syn::File,
}

impl Source {
    /// Returns whether the file only names and re-exports its children.
    pub(super) fn is_door_plate(&self) -> bool {
        let file = self.name.rsplit('/').next().unwrap();
        matches!(file, "mod.rs" | "lib.rs" | "main.rs")
    }

    /// The file's place in words, for a failed assertion.
    pub(super) fn at(&self, span: Span) -> String {
        format!("{}:{}", self.name, span.start().line)
    }
}

/// Reads and parses the sources of a crate, sorted by name. Files of tests are left out.
pub(super) fn sources(of: &str) -> Vec<Source> {
    let root = workspace().join(of).join("src");
    let mut all: Vec<_> = files(&root)
        .into_iter()
        .map(|path| (relative(&path, &root), path))
        .filter(|(name, _)| !is_test(name))
        .map(|(name, path)| source(name, &path))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!all.is_empty(), "{of} has sources");
    all
}

fn source(name: String, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let mut syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    syntax.items.retain(|item| !is_for_tests(item));
    let mut module: Vec<_> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    Source { name, module, text, syntax }
}

fn is_for_tests(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(module) => &module.attrs,
        syn::Item::Fn(function) => &function.attrs,
        syn::Item::Use(import) => &import.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => {
            list.path.is_ident("cfg") && list.tokens.to_string().contains("test")
        }
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::NameValue(_) => false,
    })
}

/// Returns whether a file below `src` holds tests only.
pub(super) fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("tests/")
}

/// A function of a file, free or of a type.
#[derive(Clone, Copy)]
pub(super) struct Function<'a> {
    pub(super) signature: &'a syn::Signature,
    /// Of the whole function.
    pub(super) lines: usize,
}

/// Returns all functions of a file, nested ones too.
pub(super) fn functions(source: &Source) -> Vec<Function<'_>> {
    let mut collected = Functions(Vec::new());
    collected.visit_file(&source.syntax);
    collected.0
}

struct Functions<'a>(Vec<Function<'a>>);

impl<'a> Functions<'a> {
    fn add(&mut self, signature: &'a syn::Signature, span: Span) {
        let lines = span.end().line - span.start().line + 1;
        self.0.push(Function { signature, lines });
    }
}

impl<'a> Visit<'a> for Functions<'a> {
    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.add(&function.sig, function.sig.span().join(function.block.span()).unwrap());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.add(&function.sig, function.sig.span().join(function.block.span()).unwrap());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'a syn::TraitItemFn) {
        self.add(&function.sig, function.span());
        visit::visit_trait_item_fn(self, function);
    }
}

pub(super) fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap().display().to_string().replace('\\', "/")
}

pub(super) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns all files of Rust below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
