//! Effects stay behind their doors, and a stage knows only the stages before it.

use super::source::{files, is_test, relative, workspace};
use std::fs;
use std::path::{Path, PathBuf};

/// A part of the world, and the only files in which it may be named.
const DOORS: &[(&str, &[&str])] = &[
    ("reqwest", &["request/client.rs"]),
    ("tokio", &["request/client.rs", "request/room.rs", "archive/objects/store.rs"]),
    ("rusqlite", &["archive/ledger/sqlite/"]),
    ("object_store", &["archive/objects/store.rs"]),
    ("parquet::", &["archive/objects/decode.rs", "archive/objects/encode.rs"]),
    (
        "fs::",
        &[
            "path_guard/",
            "archive/disk.rs",
            "extract/disk.rs",
            "query/lines/load.rs",
            "fetch/run_log.rs",
        ],
    ),
    ("now()", &["clock.rs", "fetch/drive.rs", "fetch/lookup/driver.rs"]),
    ("RandomState", &["clock.rs"]),
    ("env::", &[]),
    ("println!", &[]),
    // Words of a server are folded and cut behind `Secrets::words`, which hides secrets before; those of a list behind `without_keys`.
    ("one_line", &["text.rs", "secret/", "archive/", "path_guard/lock.rs", "query/lines/"]),
];

/// The same of the command line.
const DOORS_CLI: &[(&str, &[&str])] = &[
    ("fs::", &["keys/", "environment.rs", "disk_space.rs"]),
    ("env::", &["environment.rs", "main.rs"]),
    ("Command::new", &["keys/command.rs"]),
    ("stdout()", &["terminal/mod.rs"]),
    ("stderr()", &["terminal/mod.rs"]),
    ("println!", &[]),
];

/// A folder, and the folders whose types it may name. The journey goes one way.
const KNOWS: &[(&str, &[&str])] = &[
    ("query", &["secret"]),
    ("plan", &["query"]),
    ("parse", &["query", "plan", "secret"]),
    ("request", &["query", "plan", "parse", "clock", "secret"]),
    ("archive", &["query", "plan", "parse"]),
    ("extract", &["query", "plan", "archive"]),
    ("fetch", &["query", "plan", "request", "parse", "archive", "clock", "secret"]),
    (
        "job",
        &["query", "plan", "request", "parse", "archive", "extract", "fetch", "clock", "secret"],
    ),
];

#[test]
fn effects_stay_behind_their_doors() {
    stay_behind(DOORS, "jindo");
    stay_behind(DOORS_CLI, "jindo-cli");
}

fn stay_behind(all: &[(&str, &[&str])], of: &str) {
    let root = source(of);
    for path in files(&root) {
        let name = relative(&path, &root);
        for (word, doors) in all {
            let is_door = doors
                .iter()
                .any(|door| name == *door || (door.ends_with('/') && name.starts_with(door)));
            if is_door || is_test(&name) {
                continue;
            }
            for (number, line) in code(&path) {
                assert!(
                    !names(&line, word),
                    "{of}: {name}:{number}: `{word}` belongs in {doors:?}"
                );
            }
        }
    }
}

#[test]
fn a_stage_knows_only_what_lies_before_it() {
    let root = source("jindo");
    for path in files(&root) {
        let name = relative(&path, &root);
        let Some((_, known)) =
            KNOWS.iter().find(|(stage, _)| name.starts_with(&format!("{stage}/")))
        else {
            continue;
        };
        let own = name.split('/').next().unwrap();
        for (number, line) in code(&path) {
            for (module, _) in KNOWS.iter().chain(&[("clock", &[][..]), ("secret", &[][..])]) {
                let fine = *module == own || known.contains(module) || is_test(&name);
                assert!(
                    fine || !line.contains(&format!("crate::{module}")),
                    "{name}:{number}: {own} knows nothing of {module}"
                );
            }
        }
    }
}

#[test]
fn the_simulator_shares_no_code_with_what_it_tests() {
    let manifest = fs::read_to_string(workspace().join("crates/jindo-sim/Cargo.toml")).unwrap();
    assert!(!manifest.contains("jindo.workspace") && !manifest.contains("path ="));
}

/// Whether `line` names `word` as a word of its own, not as the tail of another.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

/// Lines that are code, with their numbers: neither comments nor what follows `mod tests`.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().take_while(|line| *line != "mod tests {").enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

fn source(name: &str) -> PathBuf {
    workspace().join("crates").join(name).join("src")
}
