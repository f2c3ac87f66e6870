//! Ledgers from elsewhere: no path that they name is looked at unless a file of the output can lie there.

use super::*;
use jiff::Timestamp;
use jindo::archive::SeriesFile;
use std::fs;

const STRAYS: [&str; 13] = [
    "../victim",
    "/etc/passwd",
    "queries.csv",
    "archive/ledger.db",
    "",
    "csv/../x/y.csv",
    "csv/a/..",
    "csv/a/b/c.csv",
    "csv/a/b",
    "csv//b.csv",
    "csv/a\\..\\b/c.csv",
    "csv/a/C:b.csv",
    "csv/a/b\0.csv",
];

fn forged(path: &str, digest: &str) -> Extracted {
    let file = SeriesFile {
        path: path.to_owned(),
        metric: "a".to_owned(),
        tags: Vec::new().into(),
        unit: None,
        first: Timestamp::UNIX_EPOCH,
        last: Timestamp::UNIX_EPOCH,
        points: 1,
        bytes: 1,
        sha256: String::new(),
    };
    Extracted { digest: digest.to_owned(), files: vec![file] }
}

/// The file would be read by verify, and replaced or removed with the next change of its query.
#[test]
fn a_ledger_names_no_files_but_those_of_series() {
    for path in STRAYS {
        let mut shelf = Shelf::new();
        let id = shelf.ask("avg:a{*}");
        shelf.cover(id, [0, 60], &[("", &[(0, 1.0)])]);
        let root = tempfile::tempdir().unwrap();
        let victim = root.path().join("victim");
        let _: usize = io::Write::write(&mut fs::File::create(&victim).unwrap(), b"x").unwrap();
        let (disk, utc) = (Directory::of_archive(&root.path().join("dir")), csv("UTC"));
        for digest in ["d", "unfinished"] {
            let mark = [(id, forged(path, digest))];
            shelf.archive.ledger().mark_extracted(CsvTree::NAME, &mark).unwrap();
            let stray = FileFinding::StrayMark { query: id, path: path.to_owned() };
            assert_eq!(verify(&shelf.archive, &disk, &utc).unwrap()[0], stray, "{path:?}");
            let refused = tables(&shelf.archive, &disk, &utc);
            assert!(matches!(refused, Err(Error::Unfinished { .. })), "{path:?}: {refused:?}");
            export(&shelf.archive, &disk, &utc).unwrap();
            assert_eq!(verify(&shelf.archive, &disk, &utc).unwrap(), [], "{path:?}");
            assert_eq!(fs::read(&victim).unwrap(), b"x", "{path:?}");
        }
    }
}
