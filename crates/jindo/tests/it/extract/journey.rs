//! Contents of the files, and that they stay right as the archive grows.

use super::*;
use expect_test::expect;
use futures::executor::block_on;
use jindo::archive::{GiveUpReason, GiveUpScope, GivenUp};
use object_store::ObjectStoreExt as _;
use object_store::path::Path as Location;
use proptest::prelude::*;

/// One query of every fate.
fn every_fate() -> Shelf {
    let mut shelf = Shelf::new();
    let complete = shelf.ask("avg:cpu{*}");
    shelf.cover(complete, [0, DAY_S], &[("", &[(0, 0.0), (60, -0.0), (120, 1e300)])]);
    shelf.cover(complete, [DAY_S, 2 * DAY_S], &[("", &[(DAY_S, 5e-324)])]);
    shelf.refuse("cpu, \"quoted\"", "no braces");
    let grouped = shelf.ask("avg:disk{*} by {host,path}");
    let of = [("host:N/A path:/", &[(0, 1.5)][..]), ("host:b path:/", &[(60, 17.0)])];
    shelf.cover(grouped, [0, 2 * DAY_S], &of);
    let empty = shelf.ask("avg:nothing{*}");
    shelf.cover(empty, [0, 2 * DAY_S], &[]);
    let partial = shelf.ask("avg:half{*}");
    shelf.cover(partial, [DAY_S, DAY_S + 3_600], &[("", &[(DAY_S, 2.0)])]);
    let given_up = shelf.ask("avg:bad{*}");
    let asked = Window::from_secs(DAY, DAY + 2 * DAY_S).unwrap();
    let (scope, at) = (GiveUpScope::Query, asked.end());
    let reason = GiveUpReason::Refused("Query timed out".to_owned());
    shelf
        .archive
        .ledger()
        .give_up(&GivenUp { query: given_up, window: asked, scope, reason, at })
        .unwrap();
    let earlier = shelf.ask("avg:old{*}");
    shelf.cover(earlier, [0, 2 * DAY_S], &[("", &[(0, 3.0)])]);
    shelf.unlist("avg:old{*}");
    shelf
}

#[test]
fn a_file_per_series_and_a_row_per_fate() {
    let (shelf, disk) = (every_fate(), Memory::new(&Fuse::endless()));
    let summary = export(&shelf.archive, &disk, &csv("Asia/Seoul")).unwrap();
    expect![[r#"
        == csv/cpu/values.csv
        date,values
        2021-11-07 13:00:00,0.0
        2021-11-07 13:01:00,-0.0
        2021-11-07 13:02:00,1e300
        2021-11-08 13:00:00,5e-324
        == csv/disk/host=N%2FA,path=%2F.csv
        date,values
        2021-11-07 13:00:00,1.5
        == csv/disk/host=b,path=%2F.csv
        date,values
        2021-11-07 13:01:00,17.0
        == csv/half/values.csv
        date,values
        2021-11-08 13:00:00,2.0
        == gaps.csv
        query,interval_seconds,start,end,reason
        avg:half{*},60,2021-11-07T04:00:00Z,2021-11-08T04:00:00Z,not fetched yet
        avg:half{*},60,2021-11-08T05:00:00Z,2021-11-09T04:00:00Z,not fetched yet
        avg:bad{*},60,2021-11-07T04:00:00Z,2021-11-09T04:00:00Z,Query timed out
        == queries.csv
        query,interval_seconds,status,series,points,from,to,first,last,reason
        avg:cpu{*},60,complete,1,4,2021-11-07T04:00:00Z,2021-11-09T04:00:00Z,2021-11-07T04:00:00Z,2021-11-08T04:00:00Z,not closed yet: points may still be reported late
        "cpu, ""quoted""",,refused,0,0,,,,,no braces
        "avg:disk{*} by {host,path}",60,complete,2,2,2021-11-07T04:00:00Z,2021-11-09T04:00:00Z,2021-11-07T04:00:00Z,2021-11-07T04:01:00Z,not closed yet: points may still be reported late
        avg:nothing{*},60,empty,0,0,2021-11-07T04:00:00Z,2021-11-09T04:00:00Z,,,not closed yet: points may still be reported late
        avg:half{*},60,partial,1,1,2021-11-07T04:00:00Z,2021-11-09T04:00:00Z,2021-11-08T04:00:00Z,2021-11-08T04:00:00Z,not fetched yet
        avg:bad{*},60,given-up,0,0,2021-11-07T04:00:00Z,2021-11-09T04:00:00Z,,,Query timed out
        == series.csv
        file,query,metric,tags,unit,interval_seconds,first,last,points,timezone
        csv/cpu/values.csv,avg:cpu{*},m,[],byte,60,2021-11-07T04:00:00Z,2021-11-08T04:00:00Z,4,Asia/Seoul
        "csv/disk/host=N%2FA,path=%2F.csv","avg:disk{*} by {host,path}",m,"[""host:N/A"",""path:/""]",byte,60,2021-11-07T04:00:00Z,2021-11-07T04:00:00Z,1,Asia/Seoul
        "csv/disk/host=b,path=%2F.csv","avg:disk{*} by {host,path}",m,"[""host:b"",""path:/""]",byte,60,2021-11-07T04:01:00Z,2021-11-07T04:01:00Z,1,Asia/Seoul
        csv/half/values.csv,avg:half{*},m,[],byte,60,2021-11-08T04:00:00Z,2021-11-08T04:00:00Z,1,Asia/Seoul
    "#]].assert_eq(&told(&disk.files()));
    expect![[r#"
        Summary {
            queries: 6,
            series: 4,
            points: 7,
            complete: 2,
            empty: 1,
            partial: 1,
            given_up: 1,
            expired: 0,
            refused: 1,
            untagged: 1,
            set_aside: 0,
        }
    "#]]
    .assert_debug_eq(&summary);
}

/// The known script appended the same rows a second time.
#[test]
fn regression_a_second_run_writes_nothing() {
    let shelf = every_fate();
    let disk = Memory::new(&shelf.fuse);
    export(&shelf.archive, &disk, &csv("UTC")).unwrap();
    let before = shelf.fuse.burnt();
    let change = update(&shelf.archive, &disk, &csv("UTC"), &shelf.ids(), Which::Outdated).unwrap();
    tables(&shelf.archive, &disk, &csv("UTC")).unwrap();
    assert_eq!((change, shelf.fuse.burnt()), (Change::default(), before));
}

#[test]
fn only_what_changed_is_written_again() {
    let shelf = every_fate();
    let disk = Memory::new(&shelf.fuse);
    export(&shelf.archive, &disk, &csv("UTC")).unwrap();
    shelf.cover(shelf.id("avg:half{*}"), [0, 60], &[("", &[(0, 1.0)])]);
    let change = update(&shelf.archive, &disk, &csv("UTC"), &shelf.ids(), Which::Outdated).unwrap();
    expect![[r#"
        Change {
            queries: 1,
            files: 1,
            bytes: 60,
            removed: 0,
        }
    "#]]
    .assert_debug_eq(&change);
}

/// The known script merged by column: host c's values landed among host b's once c had appeared.
#[test]
fn regression_series_that_come_and_go_stay_apart() {
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*} by {host}");
    let (a, b, c) = ("host:a", "host:b", "host:c");
    shelf.cover(id, [0, 60], &[(a, &[(0, 1.0)]), (b, &[(0, 2.0)])]);
    shelf.cover(id, [60, 120], &[(c, &[(60, 3.0)]), (a, &[(60, 1.1)]), (b, &[(60, 2.1)])]);
    shelf.cover(id, [120, 180], &[]);
    shelf.cover(id, [180, 240], &[(a, &[(180, 1.3)])]);
    let disk = Memory::new(&shelf.fuse);
    update(&shelf.archive, &disk, &csv("UTC"), &[id], Which::Outdated).unwrap();
    expect![[r#"
        == csv/m/host=a.csv
        date,values
        2021-11-07 04:00:00,1.0
        2021-11-07 04:01:00,1.1
        2021-11-07 04:03:00,1.3
        == csv/m/host=b.csv
        date,values
        2021-11-07 04:00:00,2.0
        2021-11-07 04:01:00,2.1
        == csv/m/host=c.csv
        date,values
        2021-11-07 04:01:00,3.0
    "#]]
    .assert_eq(&told(&disk.files()));
}

/// Another exporter: rows were keyed without the scope, so that groups overwrote each other.
#[test]
fn regression_the_whole_tag_set_makes_a_series() {
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*} by {a,b}");
    let of = [("a:1 b:1", &[(0, 1.0)][..]), ("a:1 b:2", &[(0, 2.0)]), ("a:2 b:1", &[(0, 3.0)])];
    shelf.cover(id, [0, 60], &of);
    let disk = Memory::new(&shelf.fuse);
    let change = update(&shelf.archive, &disk, &csv("UTC"), &[id], Which::Outdated).unwrap();
    assert_eq!(change.files, 3);
}

/// A window that was asked again has rows in two objects; coverage says whose count.
#[test]
fn rows_count_only_where_coverage_grants_them() {
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*}");
    let all = [(0, 1.0), (60, 1.0), (120, 1.0), (180, 1.0), (240, 1.0)];
    shelf.cover(id, [0, 300], &[("", &all)]);
    shelf.cover(id, [60, 180], &[("", &[(60, 2.0)])]);
    let disk = Memory::new(&shelf.fuse);
    update(&shelf.archive, &disk, &csv("UTC"), &[id], Which::Outdated).unwrap();
    expect![[r#"
        == csv/m/values.csv
        date,values
        2021-11-07 04:00:00,1.0
        2021-11-07 04:01:00,2.0
        2021-11-07 04:03:00,1.0
        2021-11-07 04:04:00,1.0
    "#]]
    .assert_eq(&told(&disk.files()));
}

/// The range asked decides about the offset, and not the part of it that was fetched so far.
#[test]
fn a_zone_that_changes_in_the_range_asked_shows_its_offset_from_the_first_row() {
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*}");
    shelf.cover(id, [0, 60], &[("", &[(0, 1.0)])]);
    let disk = Memory::new(&shelf.fuse);
    let zone = csv("America/New_York");
    update(&shelf.archive, &disk, &zone, &[id], Which::Outdated).unwrap();
    shelf.cover(id, [6 * 3_600, 6 * 3_600 + 60], &[("", &[(6 * 3_600, 2.0)])]);
    let first = disk.files()["csv/m/values.csv"].clone();
    update(&shelf.archive, &disk, &zone, &[id], Which::Outdated).unwrap();
    let second = disk.files()["csv/m/values.csv"].clone();
    assert!(second.starts_with(&first), "{first}{second}");
    expect![[r#"
        date,values
        2021-11-07 00:00:00-04:00,1.0
        2021-11-07 05:00:00-05:00,2.0
    "#]]
    .assert_eq(&second);
}

#[test]
fn files_without_coverage_are_removed_and_strangers_are_not() {
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*}");
    shelf.cover(id, [0, 60], &[("", &[(0, 1.0)]), ("host:a", &[(0, 1.0)])]);
    let disk = Memory::new(&shelf.fuse);
    export(&shelf.archive, &disk, &csv("UTC")).unwrap();
    disk.state.lock().unwrap().files.insert("csv/m/mine.csv".to_owned(), b"mine".to_vec());
    shelf.uncover(id);
    let change = update(&shelf.archive, &disk, &csv("UTC"), &[id], Which::Outdated).unwrap();
    assert_eq!(change.removed, 2);
    let names: Vec<String> = disk.files().into_keys().collect();
    assert_eq!(names, ["csv/m/mine.csv", "gaps.csv", "queries.csv", "series.csv"]);
}

/// Another exporter: the output was removed before the first call had succeeded.
#[test]
fn regression_a_failing_archive_leaves_the_old_files() {
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*}");
    shelf.cover(id, [0, 60], &[("", &[(0, 1.0)])]);
    let disk = Memory::new(&shelf.fuse);
    update(&shelf.archive, &disk, &csv("UTC"), &[id], Which::Outdated).unwrap();
    let before = disk.files();
    shelf.cover(id, [60, 120], &[("", &[(60, 1.0)])]);
    let objects = shelf.archive.ledger().objects().unwrap();
    let newest = Location::from(format!("data/{}", objects.last().unwrap().record.name));
    block_on(shelf.store.delete(&newest)).unwrap();
    let failed = update(&shelf.archive, &disk, &csv("UTC"), &[id], Which::Outdated);
    assert!(matches!(failed, Err(Error::Archive(_))), "{failed:?}");
    assert_eq!(disk.files(), before);
}

#[test]
fn two_series_with_one_file_are_refused_before_anything_is_moved() {
    let mut shelf = Shelf::new();
    let (one, two) = (shelf.ask("avg:m{*}"), shelf.ask("avg:m{*} by {host}"));
    shelf.cover(one, [0, 60], &[("", &[(0, 1.0)])]);
    shelf.cover(two, [0, 60], &[("", &[(0, 2.0)])]);
    let disk = Memory::new(&shelf.fuse);
    for queries in [&[one, two][..], &[two]] {
        let failed = update(&shelf.archive, &disk, &csv("UTC"), queries, Which::Outdated);
        assert!(matches!(failed, Err(Error::Collision { .. })), "{failed:?}");
        assert!(disk.files().is_empty());
        update(&shelf.archive, &disk, &csv("UTC"), &[one], Which::Outdated).unwrap();
        disk.state.lock().unwrap().files.clear();
    }
    shelf.cover(one, [0, 60], &[("a/b", &[(0, 1.0)]), ("a%2Fb", &[(0, 1.0)])]);
    let failed = update(&shelf.archive, &disk, &csv("UTC"), &[one], Which::All);
    assert!(matches!(failed, Err(Error::Collision { .. })), "{failed:?}");
}

#[test]
fn verify_finds_what_others_did_and_update_mends_it() {
    let (shelf, utc) = (every_fate(), csv("UTC"));
    let disk = Memory::new(&shelf.fuse);
    export(&shelf.archive, &disk, &utc).unwrap();
    let whole = disk.files();
    assert_eq!(verify(&shelf.archive, &disk, &utc).unwrap(), []);
    {
        let files = &mut disk.state.lock().unwrap().files;
        files.get_mut("csv/cpu/values.csv").unwrap()[30] ^= 1;
        files.remove("csv/half/values.csv");
        files.insert("csv/cpu/notes.txt".to_owned(), Vec::new());
        files.get_mut("gaps.csv").unwrap().push(b'\n');
    }
    expect![[r#"
        [
            Changed {
                query: QueryId(
                    1,
                ),
                path: "csv/cpu/values.csv",
            },
            Missing {
                query: QueryId(
                    10,
                ),
                path: "csv/half/values.csv",
            },
            Stranger {
                path: "csv/cpu/notes.txt",
            },
            Table {
                path: "gaps.csv",
            },
        ]
    "#]]
    .assert_debug_eq(&verify(&shelf.archive, &disk, &utc).unwrap());
    update(&shelf.archive, &disk, &utc, &shelf.ids(), Which::Outdated).unwrap();
    update(&shelf.archive, &disk, &utc, &[QueryId(1)], Which::All).unwrap();
    tables(&shelf.archive, &disk, &utc).unwrap();
    disk.state.lock().unwrap().files.remove("csv/cpu/notes.txt");
    assert_eq!(disk.files(), whole);
    shelf.cover(shelf.id("avg:half{*}"), [0, 60], &[]);
    expect![[r#"
        [
            Outdated {
                query: QueryId(
                    10,
                ),
                written: "avg:half{*}",
            },
        ]
    "#]]
    .assert_debug_eq(&verify(&shelf.archive, &disk, &utc).unwrap());
}

#[test]
fn a_copy_has_the_same_files_and_marks_nothing() {
    let (shelf, utc) = (every_fate(), csv("UTC"));
    let place = Memory::new(&shelf.fuse);
    let summary = copy(&shelf.archive, &place, &utc, &Selection::LastRequest).unwrap();
    for id in shelf.ids() {
        assert_eq!(shelf.archive.ledger().extracted(CsvTree::NAME, id).unwrap(), None);
    }
    let disk = Memory::new(&shelf.fuse);
    assert_eq!(export(&shelf.archive, &disk, &utc).unwrap(), summary);
    assert_eq!(told(&place.files()), told(&disk.files()));
    let again = copy(&shelf.archive, &place, &utc, &Selection::LastRequest);
    assert!(matches!(again, Err(Error::Occupied { .. })));
}

#[test]
fn tables_of_files_that_are_out_of_date_are_refused() {
    let shelf = every_fate();
    let disk = Memory::new(&shelf.fuse);
    export(&shelf.archive, &disk, &csv("UTC")).unwrap();
    let unfinished = Extracted { digest: "unfinished".to_owned(), files: Vec::new() };
    shelf.archive.ledger().mark_extracted(CsvTree::NAME, &[(QueryId(1), unfinished)]).unwrap();
    let failed = tables(&shelf.archive, &disk, &csv("UTC"));
    assert!(matches!(failed, Err(Error::Unfinished { .. })), "{failed:?}");
}

proptest! {
    /// From the archive's rows through the file and a CSV reader back to the same bits at the same times.
    #[test]
    fn rows_come_back_to_the_bit(
        bits in prop::collection::vec(any::<u64>(), 1..48),
        cuts in prop::collection::btree_set(1_i64..2_880, 0..5),
        zone in prop::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    ) {
        let values: Vec<f64> = bits.into_iter().map(f64::from_bits).filter(|v| v.is_finite()).collect();
        let points: Vec<(i64, f64)> = (0..).map(|n| n * 3_600).zip(values).collect();
        let mut shelf = Shelf::new();
        let id = shelf.ask("avg:m{*}");
        let mut start = 0;
        for end in cuts.iter().map(|cut| cut * 60).chain([2 * DAY_S]) {
            let within: Vec<_> = points.iter().copied().filter(|(at, _)| (start..end).contains(at)).collect();
            shelf.cover(id, [start, end], &[("", &within)]);
            start = end;
        }
        let (disk, csv) = (Memory::new(&shelf.fuse), csv(zone));
        update(&shelf.archive, &disk, &csv, &[id], Which::Outdated).unwrap();
        let files = disk.files();
        let text = files.get("csv/m/values.csv").map_or("", String::as_str);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let mut read = Vec::new();
        for row in reader.deserialize() {
            let (date, value): (String, f64) = row.unwrap();
            let offset = if date.len() > 19 { "%:z" } else { "" };
            let format = format!("%Y-%m-%d %H:%M:%S{offset}");
            let at = match jiff::Timestamp::strptime(&format, &date) {
                Ok(at) => at,
                Err(_) => jiff::civil::DateTime::strptime(&format, &date).unwrap().to_zoned(csv.display.zone.clone()).unwrap().timestamp(),
            };
            read.push((at.as_second() - DAY, value.to_bits()));
        }
        let asked = points.iter().filter(|(at, _)| *at < 2 * DAY_S);
        let expected: Vec<_> = asked.map(|(at, value)| (*at, value.to_bits())).collect();
        prop_assert_eq!(read, expected);
    }
}
