//! Links, pipes, sockets and folders of somebody else at every name that jindo uses below a directory: what they lead to stays as
//! it was, no command waits for them, and one that cannot go on names the place.

use crate::support::{DAY_S, START_S, World, calm, copy, exits, walk};
use jindo_testing::all_held;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

/// A command that takes longer hangs.
const RUN_WITHIN: Duration = Duration::from_mins(2);

const QUERIES: [&str; 1] = ["avg:odd.values{*}"];

/// Text of somebody else's file.
const PRECIOUS: &str = "somebody's\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    LinkToFile,
    LinkToFolder,
    DanglingLink,
    HardLink,
    Pipe,
    Socket,
    Folder,
}

const KINDS: [Kind; 7] = [
    Kind::LinkToFile,
    Kind::LinkToFolder,
    Kind::DanglingLink,
    Kind::HardLink,
    Kind::Pipe,
    Kind::Socket,
    Kind::Folder,
];

impl Kind {
    /// Words of the refusal.
    fn in_words(self, place: Place) -> &'static str {
        match self {
            Self::LinkToFile | Self::LinkToFolder | Self::DanglingLink => "is a symbolic link",
            Self::HardLink if place == Place::Folder => "is a file, where",
            Self::HardLink => "is a file with a second name (a hard link)",
            Self::Pipe | Self::Socket => "is a pipe, a socket or a device",
            Self::Folder => "is a folder, where",
        }
    }
}

/// Use of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Folder,
    /// Written in its place by the commands that write.
    Written,
    /// Written by SQLite whoever opens the ledger.
    BesideLedger,
    /// Replaced whole: another name keeps its content.
    Replaced,
    /// Looked at by what needs it alone.
    Output,
}

/// Names below an export's directory. `DAY`, `OBJECT` and `LOG` stand for names of the export.
const PLACES: [(&str, Place); 21] = [
    ("archive", Place::Folder),
    ("archive/data", Place::Folder),
    ("archive/probes", Place::Folder),
    ("archive/damaged", Place::Folder),
    ("archive/staging", Place::Folder),
    ("runs", Place::Folder),
    ("archive/lock", Place::Written),
    ("archive/files.lock", Place::Written),
    ("archive/ledger.db", Place::Written),
    ("archive/ledger.db-wal", Place::BesideLedger),
    ("archive/ledger.db-shm", Place::BesideLedger),
    ("archive/ledger.db-journal", Place::BesideLedger),
    ("archive/ledger.new.db", Place::Replaced),
    ("archive/request.json", Place::Replaced),
    ("archive/staging/0.part", Place::Output),
    ("OBJECT", Place::Output),
    ("OBJECT#1", Place::Output),
    ("csv", Place::Output),
    ("csv/odd.values/values.csv", Place::Output),
    ("series.csv", Place::Output),
    ("set-aside", Place::Output),
];

/// Commands, and true for those that write.
const COMMANDS: [(&[&str], bool); 5] = [
    (&["status", "out"], false),
    (&["plan", "--out", "out"], false),
    (&["export", "--out", "out", "--progress", "none"], true),
    (&["extract", "out"], true),
    (&["verify", "out", "--repair"], true),
];

/// Returns true if the command must not go on.
fn is_refused(place: Place, kind: Kind, writes: bool) -> bool {
    match place {
        Place::Folder => kind != Kind::Folder,
        Place::Written => kind != Kind::HardLink || writes,
        Place::BesideLedger => true,
        Place::Replaced => kind != Kind::HardLink,
        Place::Output => false,
    }
}

/// A directory in which something of somebody else lies, and what it leads to.
struct Planted {
    dir: TempDir,
    outside: TempDir,
    place: PathBuf,
    kind: Kind,
    before: Vec<(PathBuf, String)>,
    /// Held open as long as it lies there.
    _socket: Option<UnixListener>,
}

impl Planted {
    /// Plants at `below` in a directory; what was there becomes what the link leads to.
    fn new(dir: TempDir, below: &str, kind: Kind) -> Self {
        let outside = TempDir::new().unwrap();
        let (file, folder) = (outside.path().join("file"), outside.path().join("folder"));
        fs::create_dir(&folder).unwrap();
        let place = dir.path().join(below);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        if place.is_dir() {
            fs::remove_dir(&folder).unwrap();
            fs::rename(&place, &folder).unwrap();
        } else if place.exists() {
            fs::rename(&place, &file).unwrap();
        }
        if !file.exists() {
            fs::write(&file, PRECIOUS).unwrap();
        }
        fs::write(folder.join("mine"), PRECIOUS).unwrap();
        let mut socket = None;
        match kind {
            Kind::LinkToFile => symlink(&file, &place).unwrap(),
            Kind::LinkToFolder => symlink(&folder, &place).unwrap(),
            Kind::DanglingLink => symlink(outside.path().join("nothing"), &place).unwrap(),
            Kind::HardLink => fs::hard_link(&file, &place).unwrap(),
            Kind::Pipe => pipe(&place),
            Kind::Socket => socket = Some(UnixListener::bind(&place).unwrap()),
            Kind::Folder => {
                fs::create_dir(&place).unwrap();
                fs::write(place.join("mine"), PRECIOUS).unwrap();
            }
        }
        let mut planted = Self { dir, outside, place, kind, before: Vec::new(), _socket: socket };
        planted.before = planted.content();
        planted
    }

    /// Everything outside, and what was in the folder that was planted: a repair sets strangers among the objects aside.
    fn content(&self) -> Vec<(PathBuf, String)> {
        let mut paths = walk(self.outside.path());
        if self.kind == Kind::Folder {
            paths.extend(walk(self.dir.path()).into_iter().filter(|path| is_mine(path)));
        }
        let digest = |path: PathBuf| {
            let bytes = fs::read(&path).unwrap();
            let name = if is_mine(&path) { "mine".into() } else { path };
            (name, jindo::digest::sha256(&bytes))
        };
        paths.into_iter().map(digest).collect()
    }

    /// Runs a command in the directory to its end, which must come by itself, and looks at what lies outside.
    fn run(&self, args: &[&str], case: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jindo"));
        command.args(args).current_dir(self.dir.path()).env_clear().env("LANG", "C.UTF-8");
        command.env("DD_API_KEY", jindo_sim::API_KEY).env("DD_APP_KEY", jindo_sim::APP_KEY);
        let output = ended(&mut command, case);
        assert_eq!(self.content(), self.before, "{case}: {output:?}");
        assert!(matches!(output.status.code(), Some(0..=3)), "{case}: {output:?}");
        output
    }

    /// Requires that the command was refused by a sentence that names the place.
    fn was_refused(&self, output: &Output, place: Place, case: &str) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let place_said = self.place.strip_prefix(self.dir.path()).unwrap().display();
        let sentence = format!("{place_said} {}", self.kind.in_words(place));
        assert!(said.contains(&sentence), "{case}: no `{sentence}` in: {said}");
        assert_eq!(output.status.code(), Some(2), "{case}: {said}");
    }
}

fn is_mine(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "mine")
}

fn pipe(place: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, place, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Runs a command; one that does not end is killed, and the test fails.
fn ended(command: &mut Command, case: &str) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let (output_tx, output_rx) = channel();
    std::thread::spawn(move || output_tx.send(child.wait_with_output()));
    output_rx.recv_timeout(RUN_WITHIN).map_or_else(
        |_| {
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            panic!("{case}: it hangs")
        },
        |output| output.unwrap(),
    )
}

/// Returns a copy of a world's directory.
fn copied(world: &World) -> TempDir {
    let dir = TempDir::new().unwrap();
    copy(world.dir.path(), dir.path());
    dir
}

/// Runs all cases on a few threads; returns how many there were.
fn all<T: Copy + Sync>(cases: &[T], attempt: impl Fn(T) + Sync) -> usize {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(threads)) {
            scope.spawn(|| part.iter().for_each(|&case| attempt(case)));
        }
    });
    cases.len()
}

#[test]
fn attempts_on_files_of_others_by_the_names_of_an_export() {
    let world = World::new(calm(), &QUERIES);
    exits(&world.run(world.export_args(START_S, START_S + DAY_S)), 0);
    let object = &walk(&world.out().join("archive/data"))[0];
    let object = object.strip_prefix(world.out()).unwrap().to_str().unwrap().to_owned();
    let mut cases = Vec::new();
    for (below, place) in PLACES {
        for kind in KINDS {
            // A folder where a folder belongs is none of somebody else.
            let is_folder = place == Place::Folder || matches!(below, "csv" | "set-aside");
            if kind == Kind::Folder && is_folder {
                continue;
            }
            cases.extend(COMMANDS.map(|(command, writes)| (below, place, kind, command, writes)));
        }
    }
    let count = all(&cases, |(below, place, kind, command, writes)| {
        let below = below.replace("OBJECT", &object);
        let case = format!("{command:?}, {kind:?} at {below}");
        let planted = Planted::new(copied(&world), &format!("out/{below}"), kind);
        let output = planted.run(command, &case);
        if is_refused(place, kind, writes) {
            planted.was_refused(&output, place, &case);
        } else if output.status.code() != Some(0) {
            let mut said = String::from_utf8(output.stderr.clone()).unwrap();
            said += &String::from_utf8_lossy(&output.stdout);
            let name = below.strip_prefix("archive/").unwrap_or(&below);
            assert!(said.contains(name), "{case}: no `{name}` in: {said}");
        }
    });
    all_held("files of others, by the names of an export", count);
}

#[test]
fn attempts_on_files_of_others_by_the_names_of_a_copy() {
    let world = World::new(calm(), &QUERIES);
    exits(&world.run(world.export_args(START_S, START_S + DAY_S)), 0);
    let mut cases = Vec::new();
    for below in [
        ".jindo-staging",
        ".jindo-staging/3.part",
        "csv",
        "csv/odd.values",
        "series.csv",
        "queries.csv",
        "gaps.csv",
    ] {
        for kind in KINDS {
            let is_folder = matches!(below, ".jindo-staging" | "csv" | "csv/odd.values");
            if !(kind == Kind::Folder && is_folder) {
                cases.push((below, kind));
            }
        }
    }
    let count = all(&cases, |(below, kind)| {
        let case = format!("{kind:?} at {below}");
        let planted = Planted::new(copied(&world), &format!("copy/{below}"), kind);
        let output = planted.run(&["extract", "out", "--out", "copy"], &case);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A staged file that an earlier copy left is removed, and the link with it.
        let is_left_over = below.contains("/3.") && kind != Kind::Folder;
        if is_left_over {
            exits(&output, 0);
        } else {
            assert!(said.contains(below), "{case}: {said}");
            assert!(!output.status.success(), "{case}: {said}");
        }
    });
    all_held("files of others, by the names of a copy", count);
}

/// A demo writes its list, then does what an export does.
#[test]
fn attempts_on_files_of_others_by_a_demo() {
    let mut cases = Vec::new();
    let places = [
        ("queries.txt", Place::Replaced),
        ("archive", Place::Folder),
        ("archive/lock", Place::Written),
        ("archive/ledger.db-wal", Place::BesideLedger),
        ("archive/ledger.db-shm", Place::BesideLedger),
        ("runs", Place::Folder),
    ];
    for (below, place) in places {
        let is_own = |kind: &Kind| *kind == Kind::Folder && place == Place::Folder;
        cases.extend(KINDS.iter().filter(|kind| !is_own(kind)).map(|&kind| (below, place, kind)));
    }
    let count = all(&cases, |(below, place, kind)| {
        let case = format!("{kind:?} at {below}");
        let planted = Planted::new(TempDir::new().unwrap(), &format!("demo/{below}"), kind);
        let output = planted.run(&["demo", "--out", "demo"], &case);
        if below == "queries.txt" && kind == Kind::HardLink {
            // The user's own list, by whatever names: it is read, and left as it was.
            exits(&output, 2);
            let sentence = "error: demo/queries.txt is there already, and is not the demo's list\n";
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.starts_with(sentence), "{said}");
            return;
        }
        planted.was_refused(&output, place, &case);
    });
    all_held("files of others, by a demo", count);
}

/// The demo's own list, through a link or under a second name, is never written again.
#[test]
fn the_list_of_a_demo_is_written_once() {
    for kind in [Kind::LinkToFile, Kind::HardLink] {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("demo")).unwrap();
        let own: String =
            jindo_sim::built_in_list().lines().take(119).flat_map(|line| [line, "\n"]).collect();
        fs::write(dir.path().join("demo/queries.txt"), own).unwrap();
        let planted = Planted::new(dir, "demo/queries.txt", kind);
        exits(&planted.run(&["demo", "--out", "demo"], &format!("{kind:?}")), 2);
    }
}

/// Root alone can make a device; what is written to this one would be lost, and to another would be an effect.
#[test]
fn a_device_is_no_file_of_jindo() {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    for below in ["queries.txt", "archive/lock", "archive/ledger.db-wal"] {
        let dir = TempDir::new().unwrap();
        let place = dir.path().join("demo").join(below);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        // The null device: 1, 3.
        let mode = Mode::RUSR | Mode::WUSR;
        if mknodat(CWD, &place, FileType::CharacterDevice, mode, makedev(1, 3)).is_err() {
            return;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_jindo"));
        command
            .args(["demo", "--out", "demo"])
            .current_dir(dir.path())
            .env_clear()
            .env("LANG", "C.UTF-8");
        let output = ended(&mut command, below);
        exits(&output, 2);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let sentence = format!("demo/{below} is a pipe, a socket or a device, where jindo keeps");
        assert!(said.contains(&sentence), "{said}");
        assert!(fs::symlink_metadata(&place).unwrap().file_type().is_char_device());
    }
}
