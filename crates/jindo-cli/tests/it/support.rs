//! A world for one test: a simulator, a directory, a list, and the binary aimed at them.

use jindo_sim::{API_KEY, APP_KEY, Options, Simulator, Stats};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A range far enough in the past to be settled, within the retention, aligned to a day: 2026-06-01.
pub(crate) const START_S: i64 = 1_780_272_000;
pub(crate) const DAY_S: i64 = 86_400;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) sim: Simulator,
    pub(crate) options: Options,
}

/// A calm simulator without a rate limit to speak of.
pub(crate) fn calm() -> Options {
    Options::new(7).with_query_limit(1_000_000, 60)
}

impl World {
    pub(crate) fn new(options: Options, queries: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let sim = Simulator::start(options.clone()).unwrap();
        let world = Self { dir, sim, options };
        world.list(queries);
        world
    }

    /// What is asked for from now on.
    pub(crate) fn list(&self, queries: &[&str]) {
        let text: String = queries.iter().flat_map(|query| [query, "\n"]).collect();
        fs::write(self.path("queries.txt"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.path("out")
    }

    pub(crate) fn stats(&self) -> Stats {
        self.sim.stats()
    }

    /// `jindo ARGS` in the world's directory, with good keys.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jindo"));
        command.args(args).current_dir(self.dir.path()).env_clear().env("LANG", "C.UTF-8");
        command.env("DD_API_KEY", API_KEY).env("DD_APP_KEY", APP_KEY).stdin(Stdio::null());
        command
    }

    /// The same through `sh -c SCRIPT`, which sets a limit and ends in `exec "$0" "$@"`.
    #[cfg(unix)]
    pub(crate) fn shell<I: AsRef<OsStr>>(
        &self,
        script: &str,
        args: impl IntoIterator<Item = I>,
    ) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_jindo")]).args(args);
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command.env("DD_API_KEY", API_KEY).env("DD_APP_KEY", APP_KEY);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    pub(crate) fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Output {
        self.command(args).output().unwrap()
    }

    /// The arguments of an export of `[from_s, to_s)` into `out`.
    pub(crate) fn export_args(&self, from_s: i64, to_s: i64) -> Vec<String> {
        let time = |secs: i64| jiff::Timestamp::from_second(secs).unwrap().to_string();
        let url = self.sim.url();
        let (from, to) = (time(from_s), time(to_s));
        [
            "export",
            "queries.txt",
            "--out",
            "out",
            "--progress",
            "none",
            "--api-url",
            &url,
            "--from",
            &from,
            "--to",
            &to,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    pub(crate) fn export(&self, days: i64) -> Output {
        self.run(self.export_args(START_S, START_S + days * DAY_S))
    }

    /// Every file below csv/, and the tables, with their bytes.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        tree(&self.out())
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A `--look-back` after `end_s` that has come now, and had not before.
pub(crate) fn step_since(end_s: i64) -> String {
    format!("{}ms", now_ms() - end_s * 1_000)
}

/// The bytes that the oracle compares.
pub(crate) fn tree(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let name = |path: &Path| path.strip_prefix(out).unwrap().display().to_string();
    let mut files: BTreeMap<_, _> =
        walk(&out.join("csv")).iter().map(|path| (name(path), fs::read(path).unwrap())).collect();
    for table in ["series.csv", "queries.csv", "gaps.csv"] {
        files.insert(table.to_owned(), fs::read(out.join(table)).unwrap());
    }
    files
}

/// Fails with everything that was said unless the exit code is `expected`.
#[track_caller]
pub(crate) fn exits(output: &Output, expected: i32) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        output.status.code(),
        Some(expected),
        "{}\n{}",
        said(&output.stdout),
        said(&output.stderr)
    );
}

/// Compares every file with the simulator's function: no row more, no row less, no bit different.
#[track_caller]
pub(crate) fn assert_equals_the_function(world: &World, queries: &[&str], from_s: i64, to_s: i64) {
    let mut files: BTreeMap<(String, Vec<String>), PathBuf> = BTreeMap::new();
    let mut table = csv::Reader::from_path(world.out().join("series.csv")).unwrap();
    for row in table.records() {
        let row = row.unwrap();
        let tags: Vec<String> = serde_json::from_str(&row[3]).unwrap();
        files.insert((row[1].to_owned(), tags), world.out().join(&row[0]));
    }
    let mut points = 0;
    for query in queries {
        for expected in world.options.organisation.expected(query, from_s, to_s, 60).unwrap() {
            let mut tags = expected.tags.clone();
            tags.sort();
            let path = files.remove(&((*query).to_owned(), tags.clone()));
            let path = path.unwrap_or_else(|| panic!("no file for {query} {tags:?}"));
            let found = rows(&path);
            let same = found.len() == expected.points.len()
                && found
                    .iter()
                    .zip(&expected.points)
                    .all(|(a, b)| a.0 == b.0 && a.1.to_bits() == b.1.to_bits());
            let differing = found
                .iter()
                .zip(&expected.points)
                .find(|(a, b)| a.0 != b.0 || a.1.to_bits() != b.1.to_bits());
            assert!(
                same,
                "{}: {} rows, {} expected; {differing:?}",
                path.display(),
                found.len(),
                expected.points.len()
            );
            points += found.len();
        }
    }
    let unknown: Vec<_> = files.values().take(3).collect();
    assert!(
        files.is_empty(),
        "{} files that the function does not know: {unknown:?} …",
        files.len()
    );
    assert!(points > 0, "a test that compares nothing");
}

/// The rows of a file whose times are in UTC.
pub(crate) fn rows(path: &Path) -> Vec<(i64, f64)> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    assert_eq!(reader.headers().unwrap(), &csv::StringRecord::from(vec!["date", "values"]));
    let row = |row: csv::StringRecord| {
        let date: jiff::civil::DateTime = row[0].parse().unwrap();
        let at = date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        (at.as_second(), row[1].parse().unwrap())
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// Every file below `folder`, in order; none where there is no folder.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if !folder.exists() {
        return found;
    }
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// How many answers the archive holds.
pub(crate) fn objects(out: &Path) -> u64 {
    walk(&out.join("archive/data")).len() as u64
}

/// Copies a folder with all that is below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, to).map(drop).unwrap() }
    }
}

/// Everything that a process wrote to stderr.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything that a process wrote to stdout, and then to stderr.
pub(crate) fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}
