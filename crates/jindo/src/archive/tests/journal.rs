//! The ledger where the write-ahead log does not work, and journals that a crash or a stranger left beside it.

use super::*;
use crate::archive::disk::ArchiveFolder;
use rusqlite::Connection;
use std::fs;

const SHARED: Journal = Journal::Rollback("NFS");

fn opened_with(dir: &Path, journal: Journal) -> Result<Archive, Error> {
    let place = ArchiveFolder::at(dir).unwrap();
    place.make().unwrap();
    Archive::open_locked(&place, place.lock(&holder()).unwrap(), journal)
}

fn ledger(dir: &Path) -> std::path::PathBuf {
    dir.join("archive/ledger.db")
}

fn journal(dir: &Path) -> std::path::PathBuf {
    dir.join("archive/ledger.db-journal")
}

/// A directory as a crash leaves it in the middle of a commit: pages written, and the rollback journal that takes them back.
fn cut_off() -> (tempfile::TempDir, String) {
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = opened_with(dir.path(), SHARED).unwrap();
    archive.register(&request(&["avg:a{*}"])).unwrap();
    store(&archive, &ids(&archive), window(0, DAY_S), 1).unwrap();
    let before = shown(&archive);
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
fn readers_work_beside_a_writer_with_a_rollback_journal() {
    let dir = tempfile::tempdir().unwrap();
    let writer = opened_with(dir.path(), SHARED).unwrap();
    assert_eq!(writer.journal(), SHARED);
    writer.register(&request(&["avg:a{*}"])).unwrap();
    let reader = Archive::read(dir.path()).unwrap();
    for number in 0..3 {
        store(&writer, &ids(&reader), window(0, DAY_S), number).unwrap();
        assert_eq!(shown(&reader), shown(&writer));
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    }
    assert!(!dir.path().join("archive/ledger.db-wal").exists());
    assert!(!journal(dir.path()).exists(), "no commit is under way");
}

#[test]
fn a_directory_moves_between_file_systems_of_both_kinds() {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened_with(dir.path(), Journal::WriteAhead).unwrap();
    archive.register(&request(&["avg:a{*}"])).unwrap();
    store(&archive, &ids(&archive), window(0, DAY_S), 1).unwrap();
    let before = shown(&archive);
    // Moved while its log was not folded in yet.
    let moved = tempfile::tempdir().unwrap();
    copy_all(dir.path(), moved.path());
    assert!(moved.path().join("archive/ledger.db-wal").exists());
    for journal in [SHARED, Journal::WriteAhead, SHARED] {
        let archive = opened_with(moved.path(), journal).unwrap();
        assert_eq!((archive.journal(), shown(&archive)), (journal, before.clone()));
    }
}

/// The index that processes would share can be neither opened nor made. An archive would refuse what lies there, so the
/// ledger is opened by itself.
#[cfg(unix)]
#[test]
fn where_the_write_ahead_log_fails_the_rollback_journal_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("archive/data")).unwrap();
    let index = dir.path().join("archive/ledger.db-shm");
    std::os::unix::fs::symlink("nowhere/at/all", &index).unwrap();
    let ledger = Sqlite::open(&ledger(dir.path()), IfBlank::Create, Journal::WriteAhead).unwrap();
    assert_eq!(ledger.journal(), Journal::Rollback("a file system without shared memory"));
    let objects = Objects::local(&dir.path().join("archive")).unwrap();
    let archive = Archive::assemble(Box::new(ledger), objects).unwrap();
    archive.register(&request(&["avg:a{*}"])).unwrap();
    store(&archive, &ids(&archive), window(0, DAY_S), 1).unwrap();
    fs::remove_file(index).unwrap();
    assert_eq!(shown(&Archive::read(dir.path()).unwrap()), shown(&archive));
}

#[test]
fn a_commit_that_was_cut_off_is_never_read() {
    let (dir, before) = cut_off();
    assert_eq!(shown(&Archive::read(dir.path()).unwrap()), before);
    let (dir, before) = cut_off();
    assert_eq!(shown(&opened_with(dir.path(), SHARED).unwrap()), before);
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
        Archive::open(dir.path(), &holder()).map(drop),
        Archive::beside(dir.path()).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::LedgerDamaged { .. })), "{refused:?}");
    }
    assert_eq!(Archive::verify(dir.path()).unwrap().findings.len(), 1);
    Archive::repair(dir.path(), &holder()).unwrap();
    assert_eq!(shown(&opened(dir.path())), before);
    assert!(dir.path().join("archive/damaged/ledger.db-journal").exists());
    assert!(victim.exists());
}
