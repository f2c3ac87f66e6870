//! Damage of every kind is found by verify and mended by repair; a lost ledger comes back as it was.

use super::*;
use expect_test::{Expect, expect};
use std::fs;
use std::path::PathBuf;

fn furnished(dir: &Path) -> Archive {
    let archive = opened(dir);
    archive.salt("salt").unwrap();
    let (site, key_hash) = ("datadoghq.eu".into(), Some("hash".into()));
    archive.bind(&Organisation { site, org_id: None, key_hash }).unwrap();
    archive.register(&request(&["avg:old{*}", "avg:a{*}"])).unwrap();
    store(&archive, &ids(&archive), window(0, DAY_S), 2).unwrap();
    let mut list = request(&["avg:b{*}", "avg:a{*}", "avg:c{*}"]);
    list.lines.push(RequestLine::Refused { written: "avg:(".into(), reason: "no name".into() });
    archive.register(&list).unwrap();
    let queries = archive.ledger().queries().unwrap();
    let refused = queries.iter().find(|query| query.text.written == "avg:c{*}").unwrap();
    let substitute =
        archive.ledger().substitute(refused.id, refused.text.unfilled.as_deref().unwrap()).unwrap();
    store(&archive, &[substitute], window(0, DAY_S), 4).unwrap();
    archive.register(&list).unwrap();
    let listed = &ids(&archive)[..2];
    store(&archive, listed, window(DAY_S, 2 * DAY_S), 3).unwrap();
    store(&archive, listed, window(DAY_S + 3600, DAY_S + 7200), 5).unwrap();
    store(&archive, listed, window(DAY_S, DAY_S + 5400), 6).unwrap();
    archive
}

fn objects(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir.join("archive/data"))
        .unwrap()
        .flat_map(|day| fs::read_dir(day.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    found.sort();
    found
}

fn overwrite(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    let mut file = fs::File::create(path).unwrap();
    std::io::Write::write_all(&mut file, bytes.as_ref()).unwrap();
}

fn lose_ledger(dir: &Path) {
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        drop(fs::remove_file(dir.join("archive").join(file)));
    }
}

fn told(archive: &Archive) -> (String, Option<Request>, Vec<RefusedLine>) {
    let mut queries = archive.ledger().queries().unwrap();
    // Numbers may differ, nothing else.
    let mut refused = Vec::new();
    for query in &mut queries {
        query.id = QueryId(0);
        refused.extend(query.instead_of.take());
    }
    let refused = archive.ledger().recall(&refused).unwrap();
    let shown = format!("{queries:#?}\n{refused:#?}\n{}", shown(archive));
    (shown, archive.ledger().request().unwrap(), archive.ledger().refused_lines().unwrap())
}

fn check(verified: &Verified, expected: &Expect) {
    use std::fmt::Write as _;
    let mut lines = String::new();
    for ArchiveFinding { fault, name, why, mended } in &verified.findings {
        let name = name.rsplit_once('/').map_or(&**name, |_| "OBJECT");
        let mended = mended.as_deref().map(|how| how.split("2021-").next().unwrap());
        writeln!(lines, "{fault:?} {name}: {} -> {mended:?}", why.split(':').next().unwrap())
            .unwrap();
    }
    expected.assert_eq(&lines);
}

#[test]
fn a_lost_ledger_is_refused_then_rebuilt_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let before = told(&furnished(dir.path()));
    lose_ledger(dir.path());
    assert!(matches!(Archive::open(dir.path(), &writer()), Err(Error::LedgerLost { .. })));
    assert!(matches!(Archive::read(dir.path()), Err(Error::LedgerLost { .. })));
    let lost = expect![[r#"
        LedgerLost ledger.db: there is no ledger -> None
    "#]];
    check(&Archive::verify(dir.path()).unwrap(), &lost);
    let mended = expect![[r#"
        LedgerLost ledger.db: there is no ledger -> Some("rebuilt from what was fetched")
    "#]];
    check(&Archive::repair(dir.path(), &writer()).unwrap(), &mended);
    let archive = opened(dir.path());
    assert_eq!(told(&archive), before);
    assert_eq!(archive.salt("other").unwrap(), "salt");
    let (site, key_hash) = ("datadoghq.eu".into(), Some("hash".into()));
    archive.bind(&Organisation { site, org_id: None, key_hash }).unwrap();
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
}

#[test]
fn footers_alone_give_queries_and_coverage() {
    let dir = tempfile::tempdir().unwrap();
    let before = furnished(dir.path());
    let held: usize = before.ledger().coverage_all().unwrap().values().map(Vec::len).sum();
    drop(before);
    lose_ledger(dir.path());
    fs::remove_file(dir.path().join("archive/request.json")).unwrap();
    Archive::repair(dir.path(), &writer()).unwrap();
    let archive = opened(dir.path());
    assert_eq!(archive.ledger().request().unwrap(), None);
    let mut texts: Vec<String> =
        archive.ledger().queries().unwrap().into_iter().map(|query| query.text.written).collect();
    texts.sort();
    assert_eq!(texts, ["avg:a{*}", "avg:b{*}", "avg:c{*}", "avg:old{*}"]);
    assert_eq!(
        archive.ledger().coverage_all().unwrap().values().map(Vec::len).sum::<usize>(),
        held
    );
}

#[test]
fn a_corrupt_ledger_is_set_aside_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let before = told(&furnished(dir.path()));
    lose_ledger(dir.path());
    overwrite(dir.path().join("archive/ledger.db"), vec![0x5a; 8192]);
    assert!(matches!(Archive::open(dir.path(), &writer()), Err(Error::LedgerDamaged { .. })));
    let mended = expect![[r#"
        LedgerDamaged ledger.db: file is not a database -> Some("rebuilt from what was fetched")
    "#]];
    check(&Archive::repair(dir.path(), &writer()).unwrap(), &mended);
    assert!(dir.path().join("archive/damaged/ledger.db").exists());
    assert_eq!(told(&opened(dir.path())), before);
}

#[test]
fn a_newer_ledger_is_refused_and_not_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    drop(furnished(dir.path()));
    let path = dir.path().join("archive/ledger.db");
    let mut bytes = fs::read(&path).unwrap();
    // SQLite's header keeps `user_version` at byte 60.
    bytes[63] = 99;
    overwrite(&path, bytes);
    for refused in [
        Archive::open(dir.path(), &writer()).map(drop),
        Archive::repair(dir.path(), &writer()).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::LedgerNewer { found: 99, known: 4 })));
    }
}

#[test]
fn damaged_objects_are_found_and_only_they_are_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let archive = furnished(dir.path());
    let covered = archive.ledger().totals().unwrap().covered_s;
    drop(archive);
    let files = objects(dir.path());
    let flipped = fs::read(&files[0]).unwrap();
    let mut bytes = flipped.clone();
    bytes[flipped.len() / 3] ^= 1;
    overwrite(&files[0], bytes);
    let whole = fs::read(&files[2]).unwrap();
    overwrite(&files[2], &whole[..whole.len() - 9]);
    fs::remove_file(&files[3]).unwrap();
    overwrite(files[0].with_extension("parquet#1"), "half");
    overwrite(files[0].with_file_name("notes.txt"), "mine");

    assert_eq!(Archive::verify(dir.path()).unwrap().findings.len(), 5);
    let mut found: Vec<Fault> =
        Archive::repair(dir.path(), &writer()).unwrap().findings.iter().map(|f| f.fault).collect();
    found.sort();
    let faults = [Fault::Missing, Fault::Damaged, Fault::Damaged, Fault::Stranger, Fault::Half];
    assert_eq!(found, faults);
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    let archive = opened(dir.path());
    assert!(archive.ledger().totals().unwrap().covered_s < covered);
    shown(&archive);
    let aside = dir.path().join("archive/damaged/data");
    assert!(!aside.exists(), "objects keep their names below damaged/");
    let moved = files[0].file_name().unwrap();
    let day = files[0].parent().unwrap().file_name().unwrap();
    assert!(dir.path().join("archive/damaged").join(day).join(moved).exists());
}

#[test]
fn a_stranger_with_our_footer_is_adopted() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = furnished(other.path());
    let before = shown(&archive);
    drop(archive);
    drop(opened(dir.path()));
    for file in objects(other.path()) {
        let below = file.strip_prefix(other.path()).unwrap();
        fs::create_dir_all(dir.path().join(below).parent().unwrap()).unwrap();
        fs::copy(&file, dir.path().join(below)).unwrap();
    }
    let found = Archive::verify(dir.path()).unwrap().findings;
    assert!(!found.is_empty() && found.iter().all(|finding| finding.fault == Fault::Stranger));
    Archive::repair(dir.path(), &writer()).unwrap();
    let archive = opened(dir.path());
    archive.register(&request(&["avg:b{*}", "avg:a{*}", "avg:c{*}"])).unwrap();
    let stretches = |shown: &str| shown.lines().filter(|line| line.starts_with("  ")).count();
    assert_eq!(stretches(&shown(&archive)), stretches(&before));
}

/// A flipped bit in the ledger, which SQLite does not notice: coverage of what its object does not hold is a gap that nobody sees.
#[test]
fn coverage_that_its_objects_do_not_hold_is_found_and_mended() {
    for forged in [
        "UPDATE coverage SET start_s = start_s - 86400 WHERE query = 1",
        "UPDATE coverage SET end_s = end_s + 86400 WHERE query = 1",
        "UPDATE coverage SET object = (SELECT max(id) FROM objects) WHERE query = 1",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let archive = opened(dir.path());
        archive.register(&request(&["avg:a{*}", "avg:b{*}"])).unwrap();
        let queries = ids(&archive);
        store(&archive, &queries[..1], window(0, DAY_S), 1).unwrap();
        store(&archive, &queries[1..], window(0, DAY_S), 2).unwrap();
        let before = archive.ledger().coverage_all().unwrap();
        drop(archive);
        let ledger = rusqlite::Connection::open(dir.path().join("archive/ledger.db")).unwrap();
        assert_eq!(ledger.execute(forged, []).unwrap(), 1);
        ledger.close().unwrap();
        let verified = Archive::verify(dir.path()).unwrap();
        assert!(!verified.findings.is_empty(), "{forged}");
        Archive::repair(dir.path(), &writer()).unwrap();
        assert_eq!(Archive::verify(dir.path()).unwrap().findings, [], "{forged}");
        let windows = |all: &std::collections::BTreeMap<QueryId, Vec<Coverage>>| {
            all.values().flatten().map(|held| held.window).collect::<Vec<_>>()
        };
        let after = Archive::read(dir.path()).unwrap().ledger().coverage_all().unwrap();
        assert_eq!(windows(&after), windows(&before), "{forged}");
    }
}
