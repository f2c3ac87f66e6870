//! Names of directories that SQLite reads as addresses, or as a database without a file.

use super::{QUERIES, Sound};
use std::fs;

/// Each is the name of a directory, and of nothing else.
const NAMES: [&str; 16] = [
    "file:other",
    "file:other?mode=memory",
    "file:other?vfs=unix-none",
    "file:other?nolock=1",
    "file:other#fragment",
    "file::memory:",
    "file:.",
    "FILE:other",
    ":memory:",
    "a?mode=memory",
    "a#b",
    "a%2fb",
    "%00",
    "100%",
    "a b\u{e9}",
    " ",
];

#[test]
fn attempts_of_directories_to_be_addresses() {
    let sound = Sound::new();
    fs::rename(sound.world.path("sound"), sound.world.path("other")).unwrap();
    let ledger = sound.world.path("other/archive/ledger.db");
    let before = fs::read(&ledger).unwrap();
    let entries = || {
        let entries = fs::read_dir(sound.world.dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let mut expected = entries();
    for name in NAMES {
        let mut args = sound.export_args();
        let out = args.iter().position(|arg| arg == "out").unwrap();
        name.clone_into(&mut args[out]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        for args in [
            &args[..],
            &["status", name],
            &["verify", name],
            &["extract", name],
            &["plan", "--out", name],
        ] {
            let output = sound.attempt(name, args);
            assert_eq!(output.status.code(), Some(0), "{name}: {args:?}: {output:?}");
        }
        assert!(sound.world.path(name).join("archive/ledger.db").is_file(), "{name}");
        expected.push(name.to_owned());
        expected.sort();
        assert_eq!(entries(), expected, "{name}");
        assert!(fs::read(&ledger).unwrap() == before, "{name} is another directory than `other`");
        let table = fs::read_to_string(sound.world.path(name).join("queries.csv")).unwrap();
        assert_eq!(table.lines().count(), 1 + QUERIES.len(), "{name}");
    }
    jindo_testing::all_held("names of directories that SQLite takes for addresses", NAMES.len());
}
