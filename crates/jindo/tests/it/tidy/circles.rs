//! No import circle: files that need each other cannot be understood one after the other.

use super::source::{CRATES, Source, sources};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// The files of a crate by module, and the modules that each names.
type Graph = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    for of in CRATES {
        let circles = circles(&graph(&sources(of)));
        assert!(circles.is_empty(), "{of}: what both need belongs in a third file: {circles:#?}");
    }
}

/// Draws an arrow for every path that leads from one file to another. A path to a door plate leads on to the file that
/// the plate re-exports, so that no circle hides behind it.
fn graph(sources: &[Source]) -> Graph {
    let modules: BTreeSet<_> = sources.iter().map(|source| source.module.clone()).collect();
    let plates: BTreeMap<_, _> = sources
        .iter()
        .filter(|source| source.is_door_plate())
        .map(|source| (source.module.clone(), reexports(source, &modules)))
        .collect();
    let mut graph = Graph::new();
    for source in sources.iter().filter(|source| !source.is_door_plate()) {
        let mut paths =
            Paths { modules: &modules, plates: &plates, source, found: BTreeSet::new() };
        paths.visit_file(&source.syntax);
        paths.found.remove(&source.module);
        graph.insert(source.module.clone(), paths.found);
    }
    graph
}

/// The names that a door plate re-exports, each with the module that it leads to.
fn reexports(source: &Source, modules: &BTreeSet<Vec<String>>) -> BTreeMap<String, Vec<String>> {
    let mut names = BTreeMap::new();
    for item in &source.syntax.items {
        let syn::Item::Use(import) = item else { continue };
        if matches!(import.vis, syn::Visibility::Inherited) {
            continue;
        }
        for path in expand(&import.tree) {
            let name = path.last().cloned().unwrap_or_default();
            if let Some(module) = resolve(&path, source, modules) {
                names.insert(name, module.0);
            }
        }
    }
    names
}

struct Paths<'a> {
    modules: &'a BTreeSet<Vec<String>>,
    plates: &'a BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
    source: &'a Source,
    found: BTreeSet<Vec<String>>,
}

impl Paths<'_> {
    fn add(&mut self, path: &[String]) {
        let Some((mut module, mut rest)) = resolve(path, self.source, self.modules) else { return };
        while let Some(names) = self.plates.get(&module) {
            let Some(next) = rest.first().and_then(|name| names.get(name)) else { return };
            if *next == module {
                return;
            }
            module.clone_from(next);
            rest.remove(0);
        }
        self.found.insert(module);
    }
}

impl<'a> Visit<'a> for Paths<'_> {
    fn visit_item_use(&mut self, import: &'a syn::ItemUse) {
        for path in expand(&import.tree) {
            self.add(&path);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.add(&names);
        }
        visit::visit_path(self, path);
    }
}

/// Every path of a `use` tree.
fn expand(tree: &syn::UseTree) -> Vec<Vec<String>> {
    match tree {
        syn::UseTree::Path(path) => {
            let mut paths = expand(&path.tree);
            for below in &mut paths {
                below.insert(0, path.ident.to_string());
            }
            paths
        }
        syn::UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        syn::UseTree::Rename(rename) => vec![vec![rename.ident.to_string()]],
        syn::UseTree::Glob(_) => vec![vec!["*".to_owned()]],
        syn::UseTree::Group(group) => group.items.iter().flat_map(expand).collect(),
    }
}

/// The module of this crate that a path leads into, and the rest of the path. `None` for paths into other crates.
fn resolve(
    path: &[String],
    source: &Source,
    modules: &BTreeSet<Vec<String>>,
) -> Option<(Vec<String>, Vec<String>)> {
    let mut rest = path.to_vec();
    let mut module = match rest.first().map(String::as_str) {
        Some("crate") => {
            rest.remove(0);
            Vec::new()
        }
        Some("self") => {
            rest.remove(0);
            source.module.clone()
        }
        Some("super") => {
            let mut module = source.module.clone();
            while rest.first().is_some_and(|name| name == "super") {
                module.pop();
                rest.remove(0);
            }
            module
        }
        Some(name) if source.is_door_plate() => {
            let mut child = source.module.clone();
            child.push(name.to_owned());
            if !modules.contains(&child) {
                return None;
            }
            source.module.clone()
        }
        _ => return None,
    };
    while let Some(name) = rest.first() {
        let mut child = module.clone();
        child.push(name.clone());
        if !modules.contains(&child) {
            break;
        }
        module = child;
        rest.remove(0);
    }
    Some((module, rest))
}

/// The strongly connected components of more than one file.
fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reach: BTreeMap<_, _> = graph.keys().map(|from| (from, reachable(graph, from))).collect();
    let mut circles = BTreeSet::new();
    for (from, reached) in &reach {
        let back = |other: &&Vec<String>| reach.get(other).is_some_and(|all| all.contains(*from));
        let mut circle: Vec<_> =
            reached.iter().filter(back).map(|module| module.join("/")).collect();
        if !circle.is_empty() {
            circle.push(from.join("/"));
            circle.sort_unstable();
            circle.dedup();
            circles.insert(circle);
        }
    }
    circles.retain(|circle| circle.len() > 1);
    circles.into_iter().collect()
}

fn reachable(graph: &Graph, from: &Vec<String>) -> BTreeSet<Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = graph[from].iter().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module.clone()) {
            open.extend(graph.get(module).into_iter().flatten());
        }
    }
    reached
}
