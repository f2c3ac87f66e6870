//! The real disk: renames, folders, links.

use super::*;
use std::fs;
use std::path::Path;

fn put(disk: &Directory, path: &str, text: &str) -> io::Result<()> {
    disk.begin()?;
    disk.append(Staged(0), text.as_bytes())?;
    disk.publish(Staged(0), path)
}

fn text(dir: &Path, path: &str) -> String {
    fs::read_to_string(dir.join(path)).unwrap()
}

#[test]
fn the_same_export_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::new();
    let id = shelf.ask("avg:m{*}");
    shelf.cover(id, [0, 60], &[("", &[(0, 1.0)])]);
    let (disk, memory) = (Directory::of_archive(dir.path()), Memory::new(&shelf.fuse));
    export(&shelf.archive, &memory, &csv("UTC")).unwrap();
    update(&shelf.archive, &disk, &csv("UTC"), &[id], Which::All).unwrap();
    tables(&shelf.archive, &disk, &csv("UTC")).unwrap();
    for (path, expected) in memory.files() {
        assert_eq!(text(dir.path(), &path), expected);
    }
    assert_eq!(verify(&shelf.archive, &disk, &csv("UTC")).unwrap(), []);
    assert!(!dir.path().join("archive/staging").exists());

    shelf.uncover(id);
    export(&shelf.archive, &disk, &csv("UTC")).unwrap();
    assert!(!dir.path().join("csv/m").exists());
}

#[test]
fn what_was_staged_before_a_crash_is_swept_out() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Directory::of_archive(dir.path());
    disk.append(Staged(0), b"half of a").unwrap();
    put(&disk, "csv/m/values.csv", "whole").unwrap();
    assert_eq!(text(dir.path(), "csv/m/values.csv"), "whole");
    disk.sync().unwrap();
}

#[test]
fn a_folder_goes_with_its_last_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Directory::of_archive(dir.path());
    put(&disk, "csv/m/a.csv", "a").unwrap();
    put(&disk, "csv/m/b.csv", "b").unwrap();
    disk.remove("csv/m/a.csv").unwrap();
    assert_eq!(text(dir.path(), "csv/m/b.csv"), "b");
    disk.remove("csv/m/b.csv").unwrap();
    disk.remove("csv/m/b.csv").unwrap();
    disk.remove("csv/other/b.csv").unwrap();
    assert!(!dir.path().join("csv/m").exists());
}

#[cfg(unix)]
#[test]
fn planted_links_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = Directory::of_archive(dir.path());
    io::Write::write_all(&mut fs::File::create(outside.path().join("secret")).unwrap(), b"secret")
        .unwrap();
    fs::create_dir_all(dir.path().join("csv/m")).unwrap();
    symlink(outside.path(), dir.path().join("csv/linked")).unwrap();
    symlink(outside.path().join("secret"), dir.path().join("csv/m/values.csv")).unwrap();

    for path in ["csv/linked/values.csv", "csv/linked/deeper/values.csv"] {
        let error = put(&disk, path, "x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        assert_eq!(disk.remove(path).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(disk.size(path).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }
    assert_eq!(disk.sha256("csv/m/values.csv").unwrap(), None);
    put(&disk, "csv/m/values.csv", "ours").unwrap();
    assert_eq!(text(dir.path(), "csv/m/values.csv"), "ours");
    assert_eq!(text(outside.path(), "secret"), "secret");
    let mut found = disk.walk("csv").unwrap();
    found.sort();
    assert_eq!(found, ["csv/linked", "csv/m/values.csv"]);
}

/// Its name as text leads nowhere, and is enough to name it.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_with_a_broken_name_is_found_and_left_closed() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let disk = Directory::of_archive(dir.path());
    let broken = dir.path().join("csv").join(std::ffi::OsStr::from_bytes(b"m\xff"));
    fs::create_dir_all(broken.join("deeper")).unwrap();
    assert_eq!(disk.walk("csv").unwrap(), ["csv/m\u{fffd}"]);
}

/// Opening a pipe would wait for ever; a link would have its lock made in another place.
#[cfg(unix)]
#[test]
fn the_lock_of_files_is_a_plain_file() {
    use std::os::unix::fs::symlink;
    for place in ["archive", "archive/files.lock"] {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = outside.path().join("new");
        if place != "archive" {
            fs::create_dir(dir.path().join("archive")).unwrap();
        }
        symlink(&target, dir.path().join(place)).unwrap();
        let refused = Directory::of_archive(dir.path()).lock().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotADirectory);
        assert!(refused.to_string().contains("is a symbolic link"), "{refused}");
        assert!(!target.exists());
    }
}

/// Whoever can read the directory can hold its lock.
#[test]
fn a_lock_that_somebody_holds_is_waited_for_within_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Directory::of_archive(dir.path()).locked_within(std::time::Duration::ZERO);
    drop(disk.lock().unwrap());
    for is_shared in [true, false] {
        let held = fs::File::open(dir.path().join("archive/files.lock")).unwrap();
        let locked = if is_shared { held.lock_shared() } else { held.lock() };
        locked.unwrap();
        let refused = disk.lock().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        let sentence = " held the lock archive/files.lock for the 0 s that were waited for it; ";
        assert!(refused.to_string().contains(sentence), "{refused}");
        let holder = format!("process {} (", std::process::id());
        assert!(
            !cfg!(target_os = "linux") || refused.to_string().starts_with(&holder),
            "{refused}"
        );
    }
    drop(disk.lock().unwrap());
}

#[test]
fn only_staged_files_are_swept_out() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Directory::of_copy(dir.path());
    disk.append(Staged(0), b"half").unwrap();
    for mine in ["notes.txt", "0.part.txt", "x.part", ".part"] {
        fs::File::create(dir.path().join(".jindo-staging").join(mine)).unwrap();
    }
    disk.begin().unwrap();
    assert_eq!(fs::read_dir(dir.path().join(".jindo-staging")).unwrap().count(), 4);
    disk.end().unwrap();
}

/// A second name would keep what is appended.
#[cfg(unix)]
#[test]
fn nothing_is_staged_into_a_file_with_a_second_name() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Directory::of_copy(dir.path());
    fs::create_dir(dir.path().join(".jindo-staging")).unwrap();
    drop(fs::File::create(dir.path().join("mine")).unwrap());
    fs::hard_link(dir.path().join("mine"), dir.path().join(".jindo-staging/0.part")).unwrap();
    let refused = disk.append(Staged(0), b"half").unwrap_err();
    assert!(refused.to_string().contains("a second name (a hard link)"), "{refused}");
    assert_eq!(text(dir.path(), "mine"), "");
}

#[test]
#[should_panic(expected = "does not lie below the directory")]
fn a_path_that_climbs_out_is_our_bug() {
    let dir = tempfile::tempdir().unwrap();
    drop(put(&Directory::of_archive(dir.path()), "csv/../../values.csv", "x"));
}
