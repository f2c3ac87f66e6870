//! A crash at every operation, then again: the files are those of a run without a crash.

use super::*;

/// A day of two queries in one group, with a series that the next step has no more.
fn before() -> Shelf {
    let mut shelf = Shelf::new();
    let one = shelf.ask("avg:one{*} by {host}");
    shelf.cover(one, [0, 60], &[("host:a", &[(0, 1.0)]), ("host:b", &[(0, 2.0)])]);
    let two = shelf.ask("avg:two{*}");
    shelf.cover(two, [0, 60], &[("", &[(0, 3.0)])]);
    shelf
}

/// Another minute; the first object was replaced by one without host b.
fn grow(shelf: &Shelf) {
    let [one, two] = ["avg:one{*} by {host}", "avg:two{*}"].map(|written| shelf.id(written));
    shelf.cover(one, [0, 60], &[("host:a", &[(0, 1.5)]), ("host:c", &[(0, 9.0)])]);
    shelf.cover(two, [60, 120], &[("", &[(60, 4.0)])]);
}

fn faultless(shelf: &Shelf, output: &CsvTree) -> String {
    let disk = Memory::new(&shelf.fuse);
    export(&shelf.archive, &disk, output).unwrap();
    told(&disk.files())
}

/// State of the disk when a run begins that is going to crash.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Files,
}

/// Runs `next` on what was before, crashing after every number of operations there is; then `last` without a crash.
fn crash_everywhere(on: Before, next: impl Fn(&Shelf) -> CsvTree, last: &CsvTree, expected: &str) {
    for operations in 0.. {
        let mut finished = false;
        for chance in 0..6 {
            let (shelf, disk) = (before(), Memory::new(&Fuse::endless()));
            if on == Before::Files {
                export(&shelf.archive, &disk, &csv("UTC")).unwrap();
            }
            let interrupted = next(&shelf);
            let fuse = Fuse::of(operations, Doom::Dies);
            let crashing = disk.reopened(&fuse);
            finished = export(&shelf.reopened(&fuse), &crashing, &interrupted).is_ok();
            crashing.crash(chance);
            let disk = crashing.reopened(&Fuse::endless());
            let archive = shelf.reopened(&Fuse::endless());
            export(&archive, &disk, last).unwrap();
            assert_eq!(told(&disk.files()), expected, "after {operations} operations, {chance}");
            assert_eq!(verify(&archive, &disk, last).unwrap(), []);
        }
        if finished {
            assert!(operations > 10, "it is a test of many crashes");
            return;
        }
    }
}

#[test]
fn a_crash_of_the_first_run() {
    let utc = csv("UTC");
    let expected = faultless(&before(), &utc);
    crash_everywhere(Before::Nothing, |_| csv("UTC"), &utc, &expected);
}

#[test]
fn a_crash_while_the_archive_grew() {
    let (grown, utc) = (before(), csv("UTC"));
    grow(&grown);
    let expected = faultless(&grown, &utc);
    let next = |shelf: &Shelf| {
        grow(shelf);
        csv("UTC")
    };
    crash_everywhere(Before::Files, next, &utc, &expected);
}

/// The digest of before is that of the last run again; the files between were not.
#[test]
fn a_crash_in_another_zone_and_back() {
    let utc = csv("UTC");
    let expected = faultless(&before(), &utc);
    crash_everywhere(Before::Files, |_| csv("Asia/Seoul"), &utc, &expected);
}

/// A query leaves the list, and then its last rows leave the range: files go away.
#[test]
fn a_crash_while_less_is_asked() {
    for range in [[0, 60], [60, 120]] {
        let (less, utc) = (before(), csv("UTC"));
        less.ask_only("avg:one{*} by {host}", range);
        let expected = faultless(&less, &utc);
        assert_eq!(expected.contains("host=a.csv"), range == [0, 60], "{expected}");
        assert!(!expected.contains("avg:two"), "{expected}");
        let next = |shelf: &Shelf| {
            shelf.ask_only("avg:one{*} by {host}", range);
            csv("UTC")
        };
        crash_everywhere(Before::Files, next, &utc, &expected);
    }
}

/// There is no ledger to say so: where a table is, every series' file is whole.
#[test]
fn a_crash_of_a_copy_leaves_no_table_beside_half_a_tree() {
    let whole = faultless(&before(), &csv("UTC"));
    let series = whole.split("== gaps.csv").next().unwrap();
    let shelf = before();
    for operations in 0.. {
        for chance in 0..6 {
            let fuse = Fuse::of(operations, Doom::Dies);
            let disk = Memory::new(&fuse);
            let finished =
                copy(&shelf.reopened(&fuse), &disk, &csv("UTC"), &Selection::LastRequest).is_ok();
            disk.crash(chance);
            let mut files = disk.files();
            let tables = files.extract_if(.., |path, _| !path.starts_with("csv/")).count();
            assert!(tables == 0 || told(&files) == series, "{operations} operations, {chance}");
            if finished {
                return;
            }
        }
    }
}
