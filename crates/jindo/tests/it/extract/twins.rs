//! Files that are two on one file system and one on another: refused before anything is moved, and both named.

use super::*;

const A_POINT: &[(i64, f64)] = &[(0, 1.0)];

/// Names as they come, so that twins need no search.
fn bare() -> CsvTree {
    let series = |tags: &[String]| tags.join(",").replace(':', "=");
    let plain = csv("UTC");
    CsvTree { names: Names { series, ..plain.names }, ..plain }
}

#[track_caller]
fn check(failed: Result<impl std::fmt::Debug, Error>, [one, other]: [&str; 2]) {
    let words = failed.unwrap_err().to_string();
    assert!(words.contains(one) && words.contains(other), "{words}");
}

#[test]
fn two_series_of_one_query_never_become_one_file() {
    for [one, other] in [["host:A", "host:a"], ["host:\u{e9}", "host:e\u{301}"], ["h:ß", "h:ẞ"]]
    {
        let mut shelf = Shelf::new();
        let id = shelf.ask("avg:m{*} by {host}");
        shelf.cover(id, [0, 60], &[(one, A_POINT), (other, A_POINT)]);
        let disk = Memory::new(&shelf.fuse);
        let failed = update(&shelf.archive, &disk, &bare(), &[id], Which::Outdated);
        check(failed, [one, other].map(|tag| format!("[{tag:?}]")).each_ref().map(String::as_str));
        assert!(disk.files().is_empty());
    }
}

/// Values that differ by case alone and whose hashes begin alike: found by a search of some thousand.
#[test]
fn twins_whose_hashes_begin_alike_are_refused() {
    let values = ["XXxxXXXXXxXxXXxXXxXXXxXX", "xxXXxxXXxxxxxXxXXxxxxXXX"];
    let tags = values.map(|value| format!("host:{value}"));
    let own = CsvTree::new(&csv("UTC").display);
    let names = tags.each_ref().map(|tag| (own.names.series)(std::slice::from_ref(tag)));
    assert!(names[0] != names[1] && names[0].to_lowercase() == names[1].to_lowercase());
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*} by {host}");
    shelf.cover(id, [0, 60], &[(&tags[0], A_POINT), (&tags[1], A_POINT)]);
    let disk = Memory::new(&shelf.fuse);
    check(update(&shelf.archive, &disk, &own, &[id], Which::Outdated), values);
    assert!(disk.files().is_empty());
}

#[test]
fn files_of_two_queries_never_become_one_within_a_group_nor_across() {
    let mut shelf = Shelf::new();
    let (one, two) = (shelf.ask("avg:Requests{*}"), shelf.ask("avg:requests{*}"));
    let third = shelf.ask("avg:REQUESTS{*}");
    for id in [one, two, third] {
        shelf.cover(id, [0, 60], &[("", A_POINT)]);
    }
    let disk = Memory::new(&shelf.fuse);
    let both = ["csv/Requests/values.csv of avg:Req", "csv/requests/values.csv of avg:req"];
    check(update(&shelf.archive, &disk, &csv("UTC"), &[one, two], Which::Outdated), both);
    assert!(disk.files().is_empty());
    let copy =
        copy(&shelf.archive, &Memory::new(&shelf.fuse), &csv("UTC"), &Selection::LastRequest);
    check(copy, ["csv/REQUESTS/values.csv of avg:REQ", both[0]]);
    update(&shelf.archive, &disk, &csv("UTC"), &[two], Which::Outdated).unwrap();
    let before = disk.files();
    check(update(&shelf.archive, &disk, &csv("UTC"), &[one], Which::Outdated), both);
    assert_eq!(disk.files(), before);
}
