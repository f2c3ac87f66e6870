//! What a crash leaves in a directory is removed where it was noted, and nothing else is.

use super::*;

#[test]
fn only_halves_of_noted_names_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let unknown = format!("2021-12-12/{}.parquet", "b".repeat(32));
    let half = |name: &str| dir.path().join(format!("archive/data/{name}#1"));
    let archive = opened(dir.path());
    archive.register(&request(&["avg:a{*}"])).unwrap();
    let ours = archive.ledger().reserve(&ids(&archive), window(0, DAY_S)).unwrap().name;
    let (ours, unknown) = (ours.as_str(), unknown.as_str());
    drop(archive);
    std::fs::create_dir_all(half(ours).parent().unwrap()).unwrap();
    for name in [ours, unknown] {
        std::fs::File::create(half(name)).unwrap();
    }
    let archive = opened(dir.path());
    assert_eq!(archive.recovery().removed, [format!("data/{ours}#1")]);
    assert!(!half(ours).exists() && half(unknown).exists());
    assert_eq!(archive.ledger().noted().unwrap(), []);
}

#[test]
fn a_crash_before_the_ledger_was_made_leaves_nothing_to_mend() {
    for blank in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("archive/data")).unwrap();
        if blank {
            std::fs::File::create(dir.path().join("archive/ledger.db")).unwrap();
        }
        assert!(matches!(Archive::read(dir.path()), Err(Error::Absent { .. })));
        opened(dir.path()).register(&request(&["avg:a{*}"])).unwrap();
        assert_eq!(ids(&Archive::read(dir.path()).unwrap()).len(), 1);
    }
}
