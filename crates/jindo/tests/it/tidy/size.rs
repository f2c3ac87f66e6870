//! Limits of size, each for a reader's sake. They are met by smaller responsibilities, not by packing: hence the rule that
//! no parameter is a tuple.

use super::source::{CRATES, Source, functions, sources};
use std::collections::BTreeMap;
use syn::visit::{self, Visit};

/// Lines of a file, its tests included.
const FILE_LINES_MAX: usize = 500;

/// Lines of a function: a screen.
const FUNCTION_LINES_MAX: usize = 70;

/// Source files of a folder, besides its door plate: what a reader keeps apart.
const FOLDER_FILES_MAX: usize = 12;

#[test]
fn files_open_with_their_purpose_and_fit_a_mind() {
    for source in CRATES.iter().flat_map(|name| sources(name)) {
        let Source { name, text, .. } = &source;
        assert!(text.starts_with("//! "), "{name} opens with //!, saying what it is for");
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{name} has {lines} lines, more than {FILE_LINES_MAX}");
        let allow = format!("#[{}(", "allow");
        assert!(
            !text.contains(&allow),
            "{name}: #[expect(…, reason = \"…\")] instead of {allow}…)]"
        );
    }
}

#[test]
fn functions_fit_a_screen() {
    for source in CRATES.iter().flat_map(|name| sources(name)) {
        for function in functions(&source) {
            let (at, lines) = (source.at(function.signature.ident.span()), function.lines);
            let name = &function.signature.ident;
            assert!(lines <= FUNCTION_LINES_MAX, "{at}: {name} has {lines} lines");
        }
    }
}

#[test]
fn folders_hold_a_dozen_files_at_most() {
    for of in CRATES {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for source in sources(of).iter().filter(|source| !source.is_door_plate()) {
            let folder = source.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            *counts.entry(folder.to_owned()).or_default() += 1;
        }
        for (folder, count) in counts {
            assert!(count <= FOLDER_FILES_MAX, "{of}/src/{folder} holds {count} files");
        }
    }
}

#[test]
fn no_parameter_is_a_tuple() {
    let mut packed = Vec::new();
    for source in CRATES.iter().flat_map(|name| sources(name)) {
        for function in functions(&source) {
            for input in &function.signature.inputs {
                let syn::FnArg::Typed(parameter) = input else { continue };
                if is_packed(&parameter.ty) {
                    let at = source.at(function.signature.ident.span());
                    packed.push(format!("{at}: {}", function.signature.ident));
                }
            }
        }
    }
    assert!(
        packed.is_empty(),
        "a parameter struct or a smaller responsibility:\n{}",
        packed.join("\n")
    );
}

/// Returns whether a parameter's type is a tuple of several, or a reference to one.
fn is_packed(of: &syn::Type) -> bool {
    match of {
        syn::Type::Tuple(tuple) => tuple.elems.len() > 1,
        syn::Type::Reference(reference) => is_packed(&reference.elem),
        syn::Type::Paren(inner) => is_packed(&inner.elem),
        _ => false,
    }
}

#[test]
fn no_state_is_open_to_a_whole_folder() {
    for source in CRATES.iter().flat_map(|name| sources(name)) {
        let mut open = OpenFields::default();
        open.visit_file(&source.syntax);
        for (name, fields) in open.structs {
            assert!(
                fields <= OPEN_FIELDS_MAX,
                "{}: {fields} fields of {name} are pub(super): its invariants are kept by every file of the folder",
                source.name
            );
        }
    }
}

/// Fields that a struct may open to its folder: data that is handed on, not state that several files change.
const OPEN_FIELDS_MAX: usize = 12;

#[derive(Default)]
struct OpenFields {
    structs: Vec<(String, usize)>,
}

impl<'a> Visit<'a> for OpenFields {
    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        let is_open = |field: &&syn::Field| match &field.vis {
            syn::Visibility::Restricted(to) => to.path.is_ident("super"),
            _ => false,
        };
        let open = item.fields.iter().filter(is_open).count();
        self.structs.push((item.ident.to_string(), open));
        visit::visit_item_struct(self, item);
    }
}
