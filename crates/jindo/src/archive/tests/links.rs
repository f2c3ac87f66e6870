//! Links, pipes and folders where jindo keeps plain files and folders: refused before anything is opened, locked, written or
//! removed, whatever is asked of the directory. What they lead to stays as it was.

use super::*;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const NAME: &str = "precious";

/// An archive of one object, and a folder of somebody else.
struct World {
    dir: tempfile::TempDir,
    victim: tempfile::TempDir,
    before: Vec<(PathBuf, Vec<u8>)>,
}

impl World {
    fn new() -> Self {
        let (dir, victim) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let archive = opened(dir.path());
        archive.register(&request(&["avg:a{*}"])).unwrap();
        store(&archive, &ids(&archive), window(0, DAY_S), 1).unwrap();
        drop(archive);
        for name in [NAME, "precious#1", "f.parquet"] {
            write(&victim.path().join(name), b"not jindo's");
        }
        let before = content(victim.path());
        Self { dir, victim, before }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Moves what lies there to the victim, and links to it instead.
    fn swap(&mut self, below: &str) {
        let moved = self.victim.path().join("moved");
        fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
        if let Err(error) = rename(&self.path(below), &moved) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            let is_folder = matches!(below, "runs" | "archive/staging" | "archive/damaged");
            if is_folder { fs::create_dir(&moved).unwrap() } else { write(&moved, b"moved") }
        }
        symlink(&moved, self.path(below)).unwrap();
        self.before = content(self.victim.path());
    }

    /// Every way into the directory.
    fn uses(&self) -> Vec<(&'static str, Result<(), Error>)> {
        let dir = self.dir.path();
        let repair = || Archive::repair(dir, &writer()).map(drop);
        vec![
            ("read", Archive::read(dir).map(drop)),
            ("open", Archive::open(dir, &writer()).map(drop)),
            ("beside", Archive::beside(dir).map(drop)),
            ("verify", Archive::verify(dir).map(drop)),
            ("repair", repair()),
        ]
    }

    fn is_refused(&self, what: &str) {
        for (way, used) in self.uses() {
            assert!(matches!(used, Err(Error::Foreign { .. })), "{what}: {way}: {used:?}");
            assert_eq!(content(self.victim.path()), self.before, "{what}: {way}");
        }
    }

    fn is_untouched(&self) {
        assert_eq!(content(self.victim.path()), self.before);
    }

    fn object(&self) -> PathBuf {
        let day = fs::read_dir(self.path("archive/data")).unwrap().next().unwrap().unwrap().path();
        fs::read_dir(day).unwrap().next().unwrap().unwrap().path()
    }

    fn execute(&self, sql: &str) {
        let ledger = rusqlite::Connection::open(self.path("archive/ledger.db")).unwrap();
        ledger.execute_batch(sql).unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "this makes the trap")]
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(from, to)
}

fn write(path: &Path, bytes: &[u8]) {
    fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

/// Every file below a folder.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push((path.clone(), Vec::new()));
            found.extend(content(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

fn pipe(path: &Path) {
    drop(fs::remove_file(path));
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

const FILES: [&str; 8] = [
    "archive/ledger.db",
    "archive/ledger.db-wal",
    "archive/ledger.db-shm",
    "archive/ledger.db-journal",
    "archive/ledger.new.db",
    "archive/lock",
    "archive/files.lock",
    "archive/request.json",
];

#[test]
fn a_link_at_a_fixed_place_is_refused_before_anything_is_done() {
    let folders = ["archive", "archive/data", "archive/damaged", "archive/staging", "runs"];
    for place in FILES.into_iter().chain(folders) {
        let mut world = World::new();
        world.swap(place);
        world.is_refused(place);
        // One that leads to nothing would be made there.
        let world = World::new();
        drop(fs::remove_file(world.path(place)));
        drop(fs::remove_dir_all(world.path(place)));
        symlink(world.victim.path().join("new"), world.path(place)).unwrap();
        world.is_refused(place);
    }
}

/// They would be waited for, for ever.
#[test]
fn a_pipe_or_a_folder_in_place_of_a_file_is_refused_at_once() {
    for place in FILES {
        let world = World::new();
        pipe(&world.path(place));
        world.is_refused(place);
        fs::remove_file(world.path(place)).unwrap();
        fs::create_dir(world.path(place)).unwrap();
        world.is_refused(place);
    }
}

#[test]
fn the_directory_itself_may_be_a_link() {
    let world = World::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(world.dir.path(), &link).unwrap();
    assert_eq!(Archive::verify(&link).unwrap().findings, []);
    let archive = opened(&link);
    store(&archive, &ids(&archive), window(DAY_S, 2 * DAY_S), 1).unwrap();
}

/// A journal that names another file lies beside the file that the link leads to, not beside the link.
#[test]
fn a_linked_ledger_hides_no_journal() {
    let world = World::new();
    rename(&world.path("archive/ledger.db"), &world.path("archive/real.db")).unwrap();
    symlink("real.db", world.path("archive/ledger.db")).unwrap();
    world.is_refused("within the archive");
}

#[test]
fn a_noted_name_below_a_link_removes_nothing() {
    let world = World::new();
    let digits = "0".repeat(32);
    let name = format!("2021-12-13/{digits}.parquet");
    symlink(world.victim.path(), world.path("archive/data/2021-12-13")).unwrap();
    for file in [format!("{digits}.parquet"), format!("{digits}.parquet#1")] {
        write(&world.victim.path().join(file), b"somebody's");
    }
    let before = content(world.victim.path());
    for purpose in ["publish", "remove"] {
        world.execute(&format!("INSERT OR REPLACE INTO noted VALUES ('{name}', '{purpose}')"));
        for used in [
            Archive::open(world.dir.path(), &writer()).map(drop),
            Archive::repair(world.dir.path(), &writer()).map(drop),
        ] {
            assert!(matches!(used, Err(Error::Foreign { .. })), "{purpose}: {used:?}");
        }
        assert_eq!(content(world.victim.path()), before, "{purpose}");
    }
}

#[test]
fn names_that_no_object_has_are_not_looked_at() {
    for name in [
        "x/precious",
        "../../../victim/precious",
        "/etc/passwd",
        "start=2021-12-12/../../x",
        "start=/00000000000000000000000000000000.parquet",
        "",
    ] {
        for purpose in ["publish", "remove"] {
            let world = World::new();
            rename(&world.victim.path().join(NAME), &world.path(NAME)).unwrap();
            rename(&world.victim.path().join("precious#1"), &world.path("precious#1")).unwrap();
            symlink(world.dir.path(), world.path("archive/data/x")).unwrap();
            let name = name.replace("../victim/", "");
            world.execute(&format!("INSERT INTO noted VALUES ('{name}', '{purpose}')"));
            let used = Archive::open(world.dir.path(), &writer()).map(drop);
            assert!(matches!(used, Err(Error::LedgerDamaged { .. })), "{name}: {used:?}");
            let found = Archive::verify(world.dir.path()).unwrap().findings;
            assert_eq!(found[0].fault, Fault::LedgerDamaged, "{name}");
            Archive::repair(world.dir.path(), &writer()).unwrap();
            opened(world.dir.path());
            assert!(world.path(NAME).exists() && world.path("precious#1").exists(), "{name}");
        }
    }
    let world = World::new();
    world.execute("UPDATE objects SET name = '../../precious'");
    let archive = Archive::read(world.dir.path()).unwrap();
    let refused = archive.ledger().objects();
    assert!(matches!(refused, Err(Error::LedgerDamaged { .. })), "{refused:?}");
}

/// What is listed through a link would be moved out of where it lies.
#[test]
fn links_and_pipes_among_objects_are_reported_and_left_alone() {
    let world = World::new();
    symlink(world.victim.path(), world.path("archive/data/evil")).unwrap();
    symlink(world.victim.path().join(NAME), world.path("archive/data/link.parquet")).unwrap();
    symlink(world.victim.path().join(NAME), world.path("archive/data/half.parquet#1")).unwrap();
    pipe(&world.path("archive/data/pipe.parquet"));
    let names = ["data/evil", "data/half.parquet#1", "data/link.parquet", "data/pipe.parquet"];
    for _ in 0..2 {
        for verified in [
            Archive::verify(world.dir.path()).unwrap(),
            Archive::repair(world.dir.path(), &writer()).unwrap(),
        ] {
            let found: Vec<_> = verified.findings.iter().map(|f| (f.fault, &*f.name)).collect();
            assert_eq!(found, names.map(|name| (Fault::Stranger, name)));
            assert!(verified.findings.iter().all(|found| found.mended.is_none()));
        }
    }
    world.is_untouched();
}

#[test]
fn a_link_or_a_pipe_in_place_of_an_object_is_never_read() {
    for is_pipe in [false, true] {
        let world = World::new();
        let object = world.object();
        if is_pipe {
            pipe(&object);
        } else {
            fs::remove_file(&object).unwrap();
            symlink(world.victim.path().join(NAME), &object).unwrap();
        }
        let archive = Archive::read(world.dir.path()).unwrap();
        let query = ids(&archive)[0];
        let held = archive.ledger().coverage(query).unwrap()[0].object;
        let read = archive.rows::<Error>(held, query, &mut |_| Ok(()));
        assert!(matches!(read, Err(Error::Foreign { .. })), "{read:?}");
        drop(archive);
        let faults = |verified: Verified| -> Vec<Fault> {
            verified.findings.iter().map(|found| found.fault).collect()
        };
        let both = [Fault::Missing, Fault::Stranger];
        assert_eq!(faults(Archive::verify(world.dir.path()).unwrap()), both);
        assert_eq!(faults(Archive::repair(world.dir.path(), &writer()).unwrap()), both);
        let archive = opened(world.dir.path());
        store(&archive, &[query], window(0, DAY_S), 2).unwrap();
        world.is_untouched();
    }
}

#[test]
fn nothing_is_stored_or_set_aside_through_a_link() {
    let world = World::new();
    symlink(world.victim.path(), world.path("archive/data/2021-12-13")).unwrap();
    let archive = opened(world.dir.path());
    let stored = store(&archive, &ids(&archive), window(DAY_S, 2 * DAY_S), 1);
    assert!(matches!(stored, Err(Error::Foreign { .. })), "{stored:?}");
    drop(archive);
    world.is_untouched();

    let world = World::new();
    fs::create_dir(world.path("archive/damaged")).unwrap();
    symlink(world.victim.path(), world.path("archive/damaged/2021-12-12")).unwrap();
    let object = world.object();
    write(&object, b"damaged");
    write(&object.with_extension("parquet#1"), b"half");
    let repaired = Archive::repair(world.dir.path(), &writer());
    assert!(matches!(repaired, Err(Error::Foreign { .. })), "{repaired:?}");
    world.is_untouched();
}
