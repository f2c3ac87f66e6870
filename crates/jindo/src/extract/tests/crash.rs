//! A crash at every operation, then again: the files are those of a run without a crash.

use super::*;

/// A day of two queries in one lot, with a series that the next step has no more.
fn before() -> Shelf {
    let mut shelf = Shelf::new();
    let one = shelf.ask("avg:one{*} by {host}");
    shelf.cover(one, [0, 60], &[("host:a", &[(0, 1.0)]), ("host:b", &[(0, 2.0)])]);
    let two = shelf.ask("avg:two{*}");
    shelf.cover(two, [0, 60], &[("", &[(0, 3.0)])]);
    shelf
}

/// Another minute; the first object was replaced by one without host b.
fn grow(shelf: &mut Shelf) {
    let [one, two] = [QueryId(1), QueryId(2)];
    shelf.grants.remove(&one);
    shelf.cover(one, [0, 60], &[("host:a", &[(0, 1.5)]), ("host:c", &[(0, 9.0)])]);
    shelf.cover(two, [60, 120], &[("", &[(60, 4.0)])]);
}

fn faultless(shelf: &Shelf, shown: &Shown) -> String {
    let disk = Memory::new(&shelf.fuel);
    export(shelf, &disk, shown).unwrap();
    told(&disk.files())
}

/// Runs `next` on what `before` left, crashing after every number of operations there is; then `then` without a crash.
fn crash_everywhere(
    next: impl Fn(&mut Shelf, &Memory) -> Shown,
    then: impl Fn(&mut Shelf) -> Shown,
    expected: &str,
) {
    for operations in 0.. {
        for chance in 0..6 {
            let mut shelf = before();
            let disk = Memory::new(&shelf.fuel);
            export(&shelf, &disk, &shown("UTC")).unwrap();
            let interrupted = next(&mut shelf, &disk);
            shelf.fuel.fill(operations);
            let finished = export(&shelf, &disk, &interrupted).is_ok();
            disk.crash(chance);
            shelf.fuel.fill(u64::MAX);
            let last = then(&mut shelf);
            export(&shelf, &disk, &last).unwrap();
            assert_eq!(told(&disk.files()), expected, "after {operations} operations, {chance}");
            assert_eq!(verify(&shelf, &disk, &last).unwrap(), []);
            if finished {
                assert!(operations > 10, "it is a test of many crashes");
                return;
            }
        }
    }
}

#[test]
fn a_crash_of_the_first_run() {
    let expected = faultless(&before(), &shown("UTC"));
    let forget = |shelf: &mut Shelf, disk: &Memory| {
        shelf.marks.lock().unwrap().clear();
        *disk.state.lock().unwrap() = State::default();
        shown("UTC")
    };
    crash_everywhere(forget, |_| shown("UTC"), &expected);
}

#[test]
fn a_crash_while_the_archive_grew() {
    let mut grown = before();
    grow(&mut grown);
    let expected = faultless(&grown, &shown("UTC"));
    let next = |shelf: &mut Shelf, _: &Memory| {
        grow(shelf);
        shown("UTC")
    };
    crash_everywhere(next, |_| shown("UTC"), &expected);
}

/// The digest of before is that of the last run again; the files between were not.
#[test]
fn a_crash_in_another_zone_and_back() {
    let expected = faultless(&before(), &shown("UTC"));
    crash_everywhere(|_, _| shown("Asia/Seoul"), |_| shown("UTC"), &expected);
}

/// There is no ledger to say so: where a table is, every series' file is whole.
#[test]
fn a_crash_elsewhere_leaves_no_table_beside_half_a_tree() {
    let whole = faultless(&before(), &shown("UTC"));
    let series = whole.split("== gaps.csv").next().unwrap();
    for (operations, chance) in (0..).flat_map(|operations| (0..6).map(move |of| (operations, of)))
    {
        let shelf = before();
        shelf.fuel.fill(operations);
        let disk = Memory::new(&shelf.fuel);
        let finished = elsewhere(&shelf, &disk, &shown("UTC")).is_ok();
        disk.crash(chance);
        let mut files = disk.files();
        let tables = files.extract_if(.., |path, _| !path.starts_with("csv/")).count();
        assert!(tables == 0 || told(&files) == series, "after {operations} operations, {chance}");
        if finished {
            return;
        }
    }
}
