//! Files below data/ hold what coverage grants, each row once, and a ledger rebuilt from them shows the same.

use super::objects::{Whole, place};
use super::*;
use std::fs;
use std::sync::atomic::AtomicBool;

/// Returns the query, time and value of every row below data/, sorted.
fn rows_of_data(archive: &Archive) -> Vec<(String, i64, u64)> {
    let mut rows = Vec::new();
    for name in archive.objects.list().unwrap().files {
        if !place(&name).starts_with("data/") {
            continue;
        }
        let bytes = archive.objects.read(&name).unwrap().unwrap();
        let encoded = super::objects::Encoded::parse(&bytes).unwrap();
        for (position, query) in encoded.footer.queries.iter().enumerate() {
            let take = &mut |chunk: Chunk<'_>| {
                let points = chunk.ts_ms.iter().zip(chunk.values);
                rows.extend(points.map(|(at, value)| (query.sent.clone(), *at, value.to_bits())));
                Ok(())
            };
            encoded.rows(position, &|why| why, take).unwrap();
        }
    }
    rows.sort();
    rows
}

fn rest(archive: &Archive) {
    archive.bring_to_rest(&AtomicBool::new(false)).unwrap();
    assert_eq!(archive.ledger().unrested().unwrap(), []);
}

#[test]
fn what_newer_objects_left_of_older_ones_is_copied_and_nothing_lies_there_twice() {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened(dir.path());
    archive.register(&request(&["avg:a{*}", "avg:b{*}", "avg:c{*}"])).unwrap();
    let queries = ids(&archive);
    store(&archive, &queries, window(0, 2 * DAY_S), 2).unwrap();
    store(&archive, &queries[..1], window(3600, 7200), 5).unwrap();
    store(&archive, &queries[1..], window(DAY_S, 2 * DAY_S), 7).unwrap();
    let before = shown(&archive);
    let answers = |archive: &Archive| {
        let grants = |query: &QueryId| archive.ledger().grants(*query).unwrap();
        let all: Vec<Granted> = queries.iter().flat_map(grants).collect();
        all.into_iter().map(|granted| (granted.held.window, granted.answer)).collect::<Vec<_>>()
    };
    let of_answers = answers(&archive);
    assert_eq!(rows_of_data(&archive).len(), 3 * 2880 + 60 + 2 * 1440);
    rest(&archive);
    assert_eq!(rows_of_data(&archive).len(), 3 * 2880, "each row once");
    assert_eq!(archive.ledger().totals().unwrap().rows, 3 * 2880);
    assert_eq!(shown(&archive), before);
    assert_eq!(answers(&archive), of_answers, "files that were made stay up to date");
    // A copy of a copy.
    store(&archive, &queries, window(600, 1200), 9).unwrap();
    let before = shown(&archive);
    rest(&archive);
    let at_rest = rows_of_data(&archive);
    assert_eq!((at_rest.len(), shown(&archive)), (3 * 2880, before.clone()));
    drop(archive);
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    fs::remove_file(dir.path().join("archive/ledger.db")).unwrap();
    Archive::repair(dir.path(), &writer()).unwrap();
    let archive = opened(dir.path());
    assert_eq!((shown(&archive), rows_of_data(&archive)), (before, at_rest));
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
}

#[test]
fn what_an_earlier_version_stored_and_answers_to_probes_go_to_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened(dir.path());
    archive.register(&request(&["avg:a{*}"])).unwrap();
    let stored = store(&archive, &ids(&archive), window(0, DAY_S), 2).unwrap();
    let probes = archive.remember_aside(&[query("avg:p{*}")], Role::Probe).unwrap();
    let probe = store(&archive, &probes, window(0, DAY_S), 2).unwrap();
    assert!(probe.name.starts_with("probes/"), "{}", probe.name);
    let before = shown(&archive);
    drop(archive);
    // As they lay before.
    let ledger = rusqlite::Connection::open(dir.path().join("archive/ledger.db")).unwrap();
    for name in [&stored.name, &probe.name] {
        let earlier = format!("start={}", name.trim_start_matches("probes/"));
        let to = dir.path().join("archive/data").join(&earlier);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(dir.path().join("archive").join(place(name)), to).unwrap();
        fs::remove_file(dir.path().join("archive").join(place(name))).unwrap();
        ledger.execute("UPDATE objects SET name = ?2 WHERE name = ?1", [name, &earlier]).unwrap();
    }
    drop(ledger);
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
    let archive = opened(dir.path());
    assert_eq!(shown(&archive), before);
    rest(&archive);
    let mut names = [stored.name, probe.name];
    names.sort();
    assert_eq!(archive.objects.list().unwrap().files, names);
    let bytes = archive.objects.read(&names[0]).unwrap().unwrap();
    assert!(Whole::inspect(&names[0], &bytes).is_ok());
    assert_eq!((shown(&archive), rows_of_data(&archive).len()), (before, 1440));
    drop(archive);
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
}

#[test]
fn an_object_that_is_gone_or_damaged_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let archive = opened(dir.path());
    archive.register(&request(&["avg:a{*}"])).unwrap();
    let queries = ids(&archive);
    let days = [0, 1, 2].map(|day| window(day * DAY_S, (day + 1) * DAY_S));
    let [gone, damaged, sound] = days.map(|day| store(&archive, &queries, day, 2).unwrap().name);
    for day in [0, 1, 2] {
        store(&archive, &queries, window(day * DAY_S, day * DAY_S + 3600), 4).unwrap();
    }
    let path = |name: &str| dir.path().join("archive").join(place(name));
    let largest = fs::metadata(path(&sound)).unwrap().len();
    assert_eq!(archive.bytes_to_rest().unwrap(), largest, "one after the other");
    fs::remove_file(path(&gone)).unwrap();
    fs::File::options().write(true).open(path(&damaged)).unwrap().set_len(100).unwrap();
    archive.bring_to_rest(&AtomicBool::new(false)).unwrap();
    let left: Vec<_> = archive.ledger().unrested().unwrap();
    assert_eq!(left.len(), 2, "both stay");
    assert!(!path(&sound).exists(), "the third was copied");
    drop(archive);
    let faults = |findings: Vec<ArchiveFinding>| {
        findings.into_iter().map(|finding| finding.fault).collect::<Vec<_>>()
    };
    let both = [Fault::Missing, Fault::Damaged];
    assert_eq!(faults(Archive::verify(dir.path()).unwrap().findings), both);
    assert_eq!(faults(Archive::repair(dir.path(), &writer()).unwrap().findings), both);
    assert_eq!(Archive::verify(dir.path()).unwrap().findings, []);
}
