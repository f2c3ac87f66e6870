//! Directories from elsewhere that ask for more than they hold: memory, depth, handles, room on the disk. Each attempt is made under a
//! limit of memory, and ends with a sentence.
#![cfg(unix)]

use crate::support::{DAY_S, START_S, World, calm, copy, exits, printed, walk};
use jindo_testing::{ForgedObject, ForgedRow, all_held};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

/// Kilobytes of addresses that a process may have: more than twice the memory that any of these takes.
const ADDRESSES_KB: u64 = 600_000;
/// Bytes of the longest name of a file.
const NAME_BYTES: usize = 255;

/// What is put into a directory; what `verify` and then a repair say, and how they end.
struct Attempt {
    kind: &'static str,
    plant: fn(&Planted),
    verify: (i32, &'static str),
    repair: (i32, &'static str),
}

/// A small export in which something is planted.
struct Planted {
    dir: PathBuf,
    object: PathBuf,
}

impl Planted {
    fn forged(&self) -> ForgedObject {
        ForgedObject::read(&fs::read(&self.object).unwrap()).unwrap()
    }

    /// Replaces the object's footer by that text.
    fn footer(&self, text: String) {
        let bytes = self.forged().bytes_with_footer(text).unwrap();
        fs::write(&self.object, bytes).unwrap();
    }

    /// Makes a file of so many zeros, which take no room on the disk.
    fn sparse(&self, path: &str, bytes: u64) {
        let path = self.dir.join(path);
        fs::File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)
            .unwrap()
            .set_len(bytes)
            .unwrap();
    }

    fn lose_ledger(&self) {
        fs::remove_file(self.dir.join("archive/ledger.db")).unwrap();
    }

    /// Makes folders within each other, which no path names any more: each from within the one before.
    fn nest(&self, below: &str) {
        let script = "import os, sys\nos.chdir(sys.argv[1])\n\
            for _ in range(600):\n    os.mkdir(sys.argv[2])\n    os.chdir(sys.argv[2])\n";
        let mut python = std::process::Command::new("python3");
        let output = python
            .args(["-c", script])
            .arg(self.dir.join(below))
            .arg("n".repeat(NAME_BYTES))
            .output();
        exits(&output.unwrap(), 0);
    }

    fn crowd(&self, below: &str, count: usize, end: &str) {
        for number in 0..count {
            let name = format!("{number:0>width$}{end}", width = 200 - end.len());
            fs::File::create(self.dir.join(below).join(name)).unwrap();
        }
    }
}

fn long_footer(planted: &Planted) {
    planted.footer(format!(r#"{{"version":2,"jindo":"{}"}}"#, "x".repeat(99 << 20)));
}

const REPAIRED: i32 = 3;
const MOVED: &str = "moved to damaged/";
const TOO_MUCH: &str = "its footer lists more than any of ours (in memory 268435456 bytes)";

const ATTEMPTS: &[Attempt] = &[
    Attempt {
        kind: "a footer of 99 MB",
        plant: long_footer,
        verify: (1, "its footer is longer than any of ours"),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "a footer of 99 MB, and no ledger",
        plant: |planted| {
            long_footer(planted);
            planted.lose_ledger();
        },
        verify: (1, "its footer is longer than any of ours"),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "20 million entries of metadata in a footer",
        plant: |planted| {
            planted
                .footer(format!(r#"{{"version":2,"metadata":[{}{{}}]}}"#, "{},".repeat(20 << 20)));
        },
        verify: (1, TOO_MUCH),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "20 million tags of a series in a footer",
        plant: |planted| {
            planted.footer(format!(
                r#"{{"version":2,"series":[{{"tags":[{}""]}}]}}"#,
                r#""","#.repeat(20 << 20)
            ));
        },
        verify: (1, "its footer misses facts"),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "700,000 queries in a footer",
        plant: |planted| {
            let query = r#"{"sent":"","written":"","alone":false,"interval_s":60,"row_groups":0,"rows":0},"#;
            let queries = query.repeat(700_000);
            planted.footer(format!(
                r#"{{"version":2,"queries":[{}]}}"#,
                queries.trim_end_matches(',')
            ));
        },
        verify: (1, TOO_MUCH),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "2,000 row groups",
        plant: |planted| {
            let mut object = planted.forged();
            let row = object.groups[0][0].clone();
            object.groups = vec![vec![row]; 2_000];
            fs::write(&planted.object, object.bytes().unwrap()).unwrap();
        },
        verify: (1, "a Parquet structure lists more than it can hold"),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "an object of 10 GB",
        plant: |planted| {
            let below = planted.object.strip_prefix(&planted.dir).unwrap();
            planted.sparse(below.to_str().unwrap(), 10 << 30);
        },
        verify: (1, "it has 10737418240 bytes, more than are read (167772160)"),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "an object of 150 MB of zeros",
        plant: |planted| {
            let below = planted.object.strip_prefix(&planted.dir).unwrap();
            planted.sparse(below.to_str().unwrap(), 150 << 20);
        },
        verify: (1, "it does not end as a Parquet file does"),
        repair: (REPAIRED, MOVED),
    },
    Attempt {
        kind: "a request of 300 MB beside a lost ledger",
        plant: |planted| {
            planted.sparse("archive/request.json", 300 << 20);
            planted.lose_ledger();
        },
        verify: (3, "there is no ledger"),
        repair: (
            3,
            "archive/request.json: it has 314572800 bytes, more than are read (67108864) — moved to damaged/request.json",
        ),
    },
    Attempt {
        kind: "a request of two million lines beside a lost ledger",
        plant: |planted| {
            let lines = r#"{"written":"","reason":""},"#.repeat(2_000_000);
            let text = format!(r#"{{"version":1,"lines":[{}]}}"#, lines.trim_end_matches(','));
            fs::write(planted.dir.join("archive/request.json"), text).unwrap();
            planted.lose_ledger();
        },
        verify: (3, "there is no ledger"),
        repair: (
            3,
            "archive/request.json: it has 2000001 entries, more than are read (400000) — moved to damaged/request.json",
        ),
    },
    Attempt {
        kind: "600 folders within each other among the objects",
        plant: |planted| planted.nest("archive/data"),
        verify: (1, "a folder where no object lies; left alone"),
        repair: (1, "a folder where no object lies; left alone"),
    },
    Attempt {
        kind: "600 folders within each other among the objects, and no ledger",
        plant: |planted| {
            planted.nest("archive/data/2026-06-01");
            planted.lose_ledger();
        },
        verify: (1, "a folder where no object lies; left alone"),
        repair: (1, "a folder where no object lies; left alone"),
    },
    Attempt {
        kind: "600 folders within each other among the files",
        plant: |planted| planted.nest("csv"),
        verify: (0, ": not written by jindo, left alone"),
        repair: (0, ": not written by jindo, left alone"),
    },
    Attempt {
        kind: "100,000 files with long names among the objects",
        plant: |planted| planted.crowd("archive/data/2026-06-01", 100_000, ".txt"),
        verify: (
            1,
            "archive/data: 99000 more with names that no file of the archive has; left alone",
        ),
        repair: (
            1,
            "archive/data: 99000 more with names that no file of the archive has; left alone",
        ),
    },
    Attempt {
        kind: "100,000 halves of objects",
        plant: |planted| planted.crowd("archive/data/2026-06-01", 100_000, "#1"),
        verify: (
            1,
            "archive/data: 99000 more with names that no file of the archive has; left alone",
        ),
        repair: (
            1,
            "archive/data: 99000 more with names that no file of the archive has; left alone",
        ),
    },
    Attempt {
        kind: "20,000 files with long names among the files",
        plant: |planted| planted.crowd("csv/system.cpu.user", 20_000, ".txt"),
        verify: (0, ": not written by jindo, left alone"),
        repair: (0, ": not written by jindo, left alone"),
    },
    Attempt {
        kind: "a file of a series that grew to 700 MB",
        plant: |planted| planted.sparse("csv/system.cpu.user/values.csv", 700 << 20),
        verify: (1, "csv/system.cpu.user/values.csv: changed since it was written"),
        repair: (0, "csv/system.cpu.user/values.csv: changed since it was written — written again"),
    },
    Attempt {
        kind: "tables that grew to 700 MB",
        plant: |planted| {
            for table in ["series.csv", "queries.csv", "gaps.csv"] {
                planted.sparse(table, 700 << 20);
            }
        },
        verify: (1, "queries.csv: differs from the ledger"),
        repair: (0, "queries.csv: differs from the ledger — written again"),
    },
    Attempt {
        kind: "a lock and a log of 10 GB",
        plant: |planted| {
            planted.sparse("archive/lock", 10 << 30);
            let log = walk(&planted.dir.join("runs")).pop().unwrap();
            planted.sparse(log.strip_prefix(&planted.dir).unwrap().to_str().unwrap(), 10 << 30);
        },
        verify: (0, "all as written"),
        repair: (0, "all as written"),
    },
];

/// `jindo ARGS` with so few addresses.
fn limited(world: &World, args: &[&str]) -> Output {
    let script = format!(r#"ulimit -v {ADDRESSES_KB} && exec "$0" "$@""#);
    world.shell(&script, args).output().unwrap()
}

#[track_caller]
fn ends(output: &Output, (code, words): (i32, &str)) {
    let told = printed(output);
    let short: String = told.chars().take(3_000).collect();
    assert_eq!(output.status.code(), Some(code), "{short}");
    assert!(told.contains(words), "{words}\n{short}");
}

#[test]
fn attempts_to_make_a_directory_take_memory() {
    let world = World::new(calm(), &["avg:system.cpu.user{*}"]);
    exits(&world.run(world.export_args(START_S, START_S + DAY_S / 24)), 0);
    for (number, Attempt { kind, plant, verify, repair }) in ATTEMPTS.iter().enumerate() {
        let name = format!("out-{number}");
        let dir = world.path(&name);
        copy(&world.out(), &dir);
        let object = walk(&dir.join("archive/data")).remove(0);
        plant(&Planted { dir: dir.clone(), object });
        let found = limited(&world, &["verify", &name]);
        let mended = limited(&world, &["verify", &name, "--repair"]);
        assert!(found.status.code().is_some() && mended.status.code().is_some(), "{kind}");
        ends(&found, *verify);
        ends(&mended, *repair);
        // The shell's own, which goes down one folder after the other.
        exits(&std::process::Command::new("rm").arg("-rf").arg(dir).output().unwrap(), 0);
    }
    all_held("directories that ask for memory, depth or handles", ATTEMPTS.len());
}

/// An object whose rows take next to nothing: one value, minute after minute.
fn monotonous(planted: &Planted, rows: usize) -> ForgedObject {
    const GROUP_ROWS: usize = 128 << 10;
    let mut object = planted.forged();
    let first = object.groups[0][0].clone();
    let row = |at: usize| ForgedRow {
        ts_ms: first.ts_ms + i64::try_from(at).unwrap() * 60_000,
        ..first.clone()
    };
    object.groups = (0..rows)
        .step_by(GROUP_ROWS)
        .map(|from| (from..rows.min(from + GROUP_ROWS)).map(row).collect())
        .collect();
    object.recount();
    let end =
        object.footer["series"][0]["last"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    object.footer["end"] = json!((end + jiff::SignedDuration::from_mins(1)).to_string());
    object
}

/// Puts the object into a directory without a ledger, under the name that is its own.
fn placed(world: &World, name: &str, object: &ForgedObject) {
    let dir = world.path(name);
    let mut place = walk(&dir.join("archive/data")).remove(0);
    fs::write(&place, object.bytes().unwrap()).unwrap();
    fs::remove_file(dir.join("archive/ledger.db")).unwrap();
    // Else the files show no more than was asked.
    fs::remove_file(dir.join("archive/request.json")).unwrap();
    let told = printed(&world.run(["verify", name]));
    let (_, own) = told.split_once("its footer belongs to ").unwrap();
    let own = dir.join("archive/data").join(own.lines().next().unwrap());
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::rename(std::mem::replace(&mut place, own.clone()), own).unwrap();
}

#[test]
fn attempts_to_fill_the_disk_with_few_bytes() {
    let world = World::new(calm(), &["avg:system.cpu.user{*}"]);
    exits(&world.run(world.export_args(START_S, START_S + DAY_S / 24)), 0);
    copy(&world.out(), &world.path("forged"));
    let object = walk(&world.path("forged/archive/data")).remove(0);
    let planted = Planted { dir: world.path("forged"), object };
    placed(&world, "forged", &monotonous(&planted, 400_000));
    let object = walk(&world.path("forged/archive/data")).remove(0);
    assert!(fs::metadata(object).unwrap().len() < 50_000);
    // A repair, whose ledger is then there, what follows it, and an export into the same directory.
    let script = r#"mkdir small; mount -t tmpfs -o size=8m tmpfs small; cp -r forged/. small
        "$0" verify small --repair && exit 99 || test $? = 1
        "$0" verify small --repair && exit 99 || test $? = 1
        "$0" extract small && exit 99 || test $? = 1
        mkdir copy; mount -t tmpfs -o size=8m tmpfs copy
        "$0" extract small --out copy && exit 99 || test $? = 1
        test ! -e copy/csv
        "$0" "$@" && exit 99 || test $? = 1
        test ! -e small/archive/staging
        mount -o remount,size=200m small
        "$0" extract small --out all
        "$0" verify small --repair || test $? = 3
        "$0" verify small || test $? = 3"#;
    let mut args = world.export_args(START_S, START_S + DAY_S / 24);
    let place = args.iter().position(|arg| arg == "out").unwrap();
    args[place] = "small".to_owned();
    let Some(output) = crate::resources::with_mounts(&world, script, &args) else { return };
    exits(&output, 0);
    let told = printed(&output);
    let refused = |of: &str, count: usize| {
        let words = format!(
            "are free where {of} lies, and the files below {of}/csv take at least 9.6 MB more; none was written"
        );
        assert_eq!(told.matches(&words).count(), count, "{words}\n{told}");
    };
    refused("small", 3);
    refused("copy", 1);
    assert!(
        told.contains(
            "are free where small lies, and at least 9.6 MB are needed; nothing was fetched"
        ),
        "{told}"
    );
    assert!(told.contains("hint: the archive itself is repaired; make room and repeat"), "{told}");
    all_held("files of which a few bytes of an archive make more than the disk takes", 5);
}
