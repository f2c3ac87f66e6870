//! An archive keeps its id, and takes no object of another for its own.

use super::objects::{Whole, place};
use super::*;
use object_store::memory::InMemory;
use std::fs;
use std::sync::Arc;

fn of(id: u128) -> ArchiveWriter {
    ArchiveWriter { fresh_id: ArchiveId::new(id), ..writer() }
}

#[test]
fn two_archives_below_one_bucket_keep_apart() {
    let bucket: Arc<InMemory> = Arc::default();
    let [one, two] = [1, 2].map(|id| {
        let objects = Objects::over(Arc::<InMemory>::clone(&bucket)).unwrap();
        let ledger = Box::new(Sqlite::memory().unwrap());
        let archive = Archive::assemble(ledger, objects, ArchiveId::new(id)).unwrap();
        archive.register(&request(&["avg:a{*}"])).unwrap();
        archive
    });
    let [first, second] = [(&one, 2), (&two, 4)]
        .map(|(archive, at)| store(archive, &ids(archive), window(0, 3600), at).unwrap().name);
    assert_ne!(first, second, "the same call of two organisations");
    assert!(shown(&one).contains("60 rows of Some(2.0)"), "{}", shown(&one));
    assert!(shown(&two).contains("60 rows of Some(4.0)"), "{}", shown(&two));
    let found = one.examine(&one.objects.list().unwrap(), None).unwrap().findings;
    let why = format!("it belongs to another archive ({})", ArchiveId::new(2));
    assert_eq!(found.iter().map(|finding| &finding.why).collect::<Vec<_>>(), [&why]);
}

#[test]
fn an_archive_keeps_the_id_that_it_got_first() {
    let dir = tempfile::tempdir().unwrap();
    drop(Archive::open(dir.path(), &of(7)).unwrap());
    let archive = Archive::open(dir.path(), &of(8)).unwrap();
    assert_eq!(archive.id().unwrap(), Some(ArchiveId::new(7)));
    archive.register(&request(&["avg:a{*}"])).unwrap();
    let name = store(&archive, &ids(&archive), window(0, 3600), 2).unwrap().name;
    let bytes = archive.objects.read(&name).unwrap().unwrap();
    assert_eq!(Whole::inspect(&name, &bytes).unwrap().footer.archive, Some(ArchiveId::new(7)));
}

/// A directory of archive 7 in which an object of archive 9 lies; returns the foreign name.
fn with_a_stranger(dir: &Path) -> String {
    let theirs = tempfile::tempdir().unwrap();
    let [own, other] = [(dir, 7), (theirs.path(), 9)].map(|(dir, id)| {
        let archive = Archive::open(dir, &of(id)).unwrap();
        archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
        archive
    });
    store(&own, &ids(&own), window(0, DAY_S), 2).unwrap();
    store(&own, &ids(&own), window(DAY_S, 2 * DAY_S), 2).unwrap();
    let foreign = store(&other, &ids(&other), window(0, 2 * DAY_S), 4).unwrap().name;
    let at = |dir: &Path| dir.join("archive").join(place(&foreign));
    fs::copy(at(theirs.path()), at(dir)).unwrap();
    foreign
}

#[test]
fn an_object_of_another_archive_is_set_aside_and_never_adopted() {
    for lost in [&[][..], &["ledger.db"], &["ledger.db", "request.json"]] {
        let dir = tempfile::tempdir().unwrap();
        let foreign = with_a_stranger(dir.path());
        let before = shown(&Archive::read(dir.path()).unwrap());
        for file in lost {
            fs::remove_file(dir.path().join("archive").join(file)).unwrap();
        }
        let repaired = Archive::repair(dir.path(), &of(8)).unwrap().findings;
        let found = repaired.iter().find(|found| found.name == place(&foreign)).unwrap();
        let why = format!("it belongs to another archive ({})", ArchiveId::new(9));
        assert_eq!((found.fault, &found.why), (Fault::Stranger, &why));
        assert!(found.mended.as_ref().unwrap().starts_with("moved to damaged/"), "{found:?}");
        let archive = opened(dir.path());
        assert_eq!(archive.id().unwrap(), Some(ArchiveId::new(7)), "{lost:?}");
        let rows = |shown: &str| shown.lines().filter(|line| line.contains("rows")).count();
        assert_eq!(rows(&shown(&archive)), rows(&before), "{lost:?}");
        assert!(!shown(&archive).contains("Some(4.0)"), "{lost:?}");
        drop(archive);
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    }
}
