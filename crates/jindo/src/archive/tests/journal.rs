//! Journals that an earlier jindo, a crash or a stranger left beside the ledger.

use super::*;
use rusqlite::Connection;
use std::fs;

fn ledger(dir: &Path) -> std::path::PathBuf {
    dir.join("archive/ledger.db")
}

fn journal(dir: &Path) -> std::path::PathBuf {
    dir.join("archive/ledger.db-journal")
}

/// Gives a ledger the rollback journal that an earlier jindo kept where the write-ahead log does not work.
fn rolled_back(dir: &Path) {
    let connection = Connection::open(ledger(dir)).unwrap();
    let mode: String =
        connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
}

/// Stores a day in the archive; returns what it shows then.
fn with_a_day(archive: &Archive) -> String {
    archive.register(&request(&["avg:a{*}"])).unwrap();
    store(archive, &ids(archive), window(0, DAY_S), 1).unwrap();
    shown(archive)
}

/// A directory as a crash leaves it in the middle of a commit: pages written, and the rollback journal that takes them back.
fn cut_off() -> (tempfile::TempDir, String) {
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let before = with_a_day(&opened(dir.path()));
    rolled_back(dir.path());
    let connection = Connection::open(ledger(dir.path())).unwrap();
    connection.execute_batch("PRAGMA cache_size = 1; BEGIN IMMEDIATE").unwrap();
    connection.execute_batch("UPDATE queries SET written = 'never committed'").unwrap();
    let fact = "INSERT INTO kept (key, text) VALUES (?1, ?2)";
    for number in 0..200 {
        connection.execute(fact, (format!("k{number}"), "x".repeat(500))).unwrap();
    }
    // What a process wrote is there for all when it ends, however it ends.
    copy_all(dir.path(), crashed.path());
    assert!(fs::read(journal(crashed.path())).unwrap().len() > 512, "pages are written already");
    (crashed, before)
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy_all(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_ledger_with_a_rollback_journal_gets_the_write_ahead_log_when_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let before = with_a_day(&opened(dir.path()));
    rolled_back(dir.path());
    assert_eq!(shown(&Archive::read(dir.path()).unwrap()), before);
    let writer = opened(dir.path());
    let reader = Archive::read(dir.path()).unwrap();
    for number in 2..5 {
        store(&writer, &ids(&reader), window(0, DAY_S), number).unwrap();
        assert_eq!(shown(&reader), shown(&writer));
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    }
    assert!(dir.path().join("archive/ledger.db-wal").exists());
    assert!(!journal(dir.path()).exists());
}

#[test]
fn a_directory_that_was_copied_with_its_log_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened(dir.path());
    let before = with_a_day(&archive);
    // Moved while its log was not folded in yet.
    let moved = tempfile::tempdir().unwrap();
    copy_all(dir.path(), moved.path());
    assert!(moved.path().join("archive/ledger.db-wal").exists());
    assert_eq!(shown(&opened(moved.path())), before);
}

#[test]
fn a_commit_that_was_cut_off_is_never_read() {
    let (dir, before) = cut_off();
    let read = Archive::read(dir.path());
    assert!(matches!(read, Err(Error::Ledger { .. })), "it is taken back by who writes: {read:?}");
    assert_eq!(shown(&opened(dir.path())), before);
    assert_eq!(shown(&Archive::read(dir.path()).unwrap()), before);
}

/// SQLite reads the file that a journal names, and removes it when it finds nothing of its own there.
#[test]
fn a_journal_that_names_another_file_is_refused() {
    let (dir, before) = cut_off();
    let victim = dir.path().join("victim");
    fs::File::create(&victim).unwrap();
    let name = victim.to_str().unwrap().as_bytes();
    let sum = name.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    let length = u32::try_from(name.len()).unwrap();
    let page = (0x4000_0000_u32 / 4096) + 1;
    let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let mut file = fs::File::options().append(true).open(journal(dir.path())).unwrap();
    for part in [&page.to_be_bytes()[..], name, &length.to_be_bytes(), &sum.to_be_bytes(), &magic] {
        std::io::Write::write_all(&mut file, part).unwrap();
    }
    for refused in [
        Archive::read(dir.path()).map(drop),
        Archive::open(dir.path(), &writer()).map(drop),
        Archive::beside(dir.path()).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::LedgerDamaged { .. })), "{refused:?}");
    }
    assert_eq!(Archive::verify(dir.path()).unwrap().findings.len(), 1);
    Archive::repair(dir.path(), &writer()).unwrap();
    assert_eq!(shown(&opened(dir.path())), before);
    assert!(dir.path().join("archive/damaged/ledger.db-journal").exists());
    assert!(victim.exists());
}

/// What cannot be read until somebody writes, or what nobody may write, was an error of SQLite to `--repair` as well.
#[test]
#[expect(clippy::disallowed_methods, reason = "files of somebody else's making")]
fn a_journal_of_noise_and_a_header_that_nobody_may_write_are_mended() {
    let (dir, before) = cut_off();
    drop(opened(dir.path()));
    rolled_back(dir.path());
    fs::write(journal(dir.path()), [0xaa; 4096]).unwrap();
    assert!(Archive::read(dir.path()).is_err(), "it is taken back by who writes");
    Archive::repair(dir.path(), &writer()).unwrap();
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    assert_eq!(shown(&opened(dir.path())), before);

    let (version_at, version) = (18, 3);
    rolled_back(dir.path());
    let mut bytes = fs::read(ledger(dir.path())).unwrap();
    bytes[version_at] = version;
    fs::write(ledger(dir.path()), bytes).unwrap();
    let found = Archive::verify(dir.path()).unwrap().findings;
    assert_eq!(found[0].fault, Fault::LedgerDamaged);
    assert_eq!(found[0].why, "its header says that only a later SQLite may write to it");
    Archive::repair(dir.path(), &writer()).unwrap();
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    assert_eq!(shown(&opened(dir.path())), before);
}
