//! A fair comparison: `bench/packing_script` (35 queries a day in a call, Datadog's official client) and jindo, on the same simulator, list and
//! range, one after the other. What each gets wrong is found by comparing every row with those of an undisturbed export.

use crate::process::{KEYS, PROXIES, Simulator, binary, built_in_queries, empty, now, rest, write};
use anyhow::{Context as _, ensure};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The official client, at the version that was tried.
const PACKAGE: &str = "datadog-api-client==2.62.0";

/// Queries of several series each that come and go, and of values that are hard to write, besides the built-in list.
const ODD: &str =
    "avg:system.cpu.user{*} by {host}\navg:odd.lives{*} by {name}\navg:odd.values{*}\n";

/// Longest run that is waited for.
const ENDS_WITHIN: Duration = Duration::from_mins(10);

/// Each kill comes so much later in its run than the one before: some in the first call, some while rows are written.
const KILL_LATER: Duration = Duration::from_millis(700);

/// Seconds of points that are not reported yet when the first run of the case of late points asks.
const LATE_S: i64 = 6 * 3_600;

#[derive(Debug, clap::Args)]
pub(crate) struct PackingArgs {
    /// Queries of the built-in list, besides three that are hard
    #[arg(long, value_name = "N", default_value = "37")]
    queries: usize,
    /// Whole days
    #[arg(long, value_name = "N", default_value = "2")]
    days: i64,
    /// Compare this binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// A behaviour of the server, or a mishap.
struct Case {
    name: &'static str,
    /// Arguments of `jindo simulate`.
    server: &'static [&'static str],
    /// The run is killed so often, each time a little later, before it may end.
    kills: u32,
}

const CASES: [Case; 5] = [
    Case { name: "undisturbed", server: &[], kills: 0 },
    Case { name: "killed 8 times", server: &["--latency", "300ms"], kills: 8 },
    Case { name: "700 points served", server: &["--cap", "700"], kills: 0 },
    Case { name: "1 call in 2 s", server: &["--limit", "1/2s"], kills: 0 },
    Case { name: "faults", server: &["--faults", "500:1,html:1,timeout:1"], kills: 0 },
];

/// A series, however its file is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
struct Series {
    query: String,
    /// Sorted.
    tags: Vec<String>,
}

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    time: String,
    /// Of the value.
    bits: u64,
}

/// Rows of each series, sorted.
type Rows = BTreeMap<Series, Vec<Row>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Script,
    Jindo,
}

impl Tool {
    const ALL: [Self; 2] = [Self::Script, Self::Jindo];

    fn name(self) -> &'static str {
        if self == Self::Script { "packing script" } else { "jindo" }
    }
}

/// The list and the range that both tools export, and where.
struct Comparison<'a> {
    binary: &'a Path,
    python: PathBuf,
    place: PathBuf,
    list: PathBuf,
    start: Date,
    end: Date,
}

/// Compares both tools in every case and prints one table.
pub(crate) fn run(arguments: &PackingArgs, target: &Path) -> anyhow::Result<()> {
    ensure!(arguments.days > 0, "the comparison takes a day or more");
    let binary = &binary(arguments.binary.as_deref(), target)?;
    let place = target.join("packing");
    let python = python(&place)?;
    let place = place.join("work");
    empty(&place)?;
    let list = place.join("queries.txt");
    let text = built_in_queries(binary, arguments.queries)? + ODD;
    write(&list, &text)?;
    let today = present().to_zoned(jiff::tz::TimeZone::UTC).date();
    let end = today.checked_sub(1.day())?;
    let start = end.checked_sub(arguments.days.days())?;
    let job = Comparison { binary, python, place, list, start, end };
    let queries = text.lines().count() as u64;
    println!(
        "{queries} queries, {} days; what a calm server gives jindo is the measure.",
        arguments.days
    );
    let script = queries * arguments.days.unsigned_abs() * 6;
    println!("A script that asks each query four hours at a time makes {script} calls.\n");
    let expected = job.expected()?;
    println!("{HEADER}");
    for case in &CASES {
        for tool in Tool::ALL {
            println!("{}", job.case(case, tool, &expected)?);
        }
    }
    for tool in Tool::ALL {
        println!("{}", job.late(tool, &expected)?);
    }
    println!(
        "\nLate points: 6 h of them are reported between two runs of the same command, and jindo is told"
    );
    println!(
        "by --look-back that the time to ask again has come, which is 1 h, 6 h and 48 h after by default."
    );
    Ok(())
}

const HEADER: &str =
    "case                  tool             calls  seconds      rows  what is wrong";

impl Comparison<'_> {
    /// Returns the rows of an export that nothing disturbs.
    fn expected(&self) -> anyhow::Result<Rows> {
        let simulator = Simulator::start(self.binary, &[])?;
        let out = self.place.join("expected");
        ended(&mut self.start(Tool::Jindo, &simulator.url, &out, &[])?)?;
        rows(Tool::Jindo, &out)
    }

    fn case(&self, case: &Case, tool: Tool, expected: &Rows) -> anyhow::Result<String> {
        let simulator = Simulator::start(self.binary, case.server)?;
        let out = self.place.join(format!("{} {}", case.name, tool.name()));
        let began = now();
        let mut child = self.start(tool, &simulator.url, &out, &[])?;
        for kill in 1..=case.kills {
            let started = now();
            while started.elapsed() < KILL_LATER * kill && child.try_wait()?.is_none() {
                rest();
            }
            child.kill()?;
            child.wait()?;
            child = self.start(tool, &simulator.url, &out, &[])?;
        }
        let status = ended(&mut child)?;
        let seconds = began.elapsed().as_secs_f64();
        let calls = simulator.count("query_calls")?;
        Self::row(case.name, tool, &out, &Run { calls, seconds, status, expected })
    }

    /// Runs the same command twice, while points are reported between.
    fn late(&self, tool: Tool, expected: &Rows) -> anyhow::Result<String> {
        let out = self.place.join(format!("late {}", tool.name()));
        let (began, end) = (now(), self.end.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp());
        let since_ms = |at: Timestamp| at.as_millisecond() - end.as_millisecond();
        let late = format!("{}s", since_ms(present()) / 1_000 + LATE_S);
        let mut calls = 0;
        let mut status = true;
        for server in [&["--late", &late][..], &[]] {
            let simulator = Simulator::start(self.binary, server)?;
            let step = format!("{}ms", since_ms(present()));
            let more: &[&str] = if server.is_empty() {
                &["--rebind", "--look-back", &step]
            } else {
                &["--look-back", "0"]
            };
            let more = if tool == Tool::Jindo { more } else { &[] };
            status &= ended(&mut self.start(tool, &simulator.url, &out, more)?)?;
            calls += simulator.count("query_calls")?;
        }
        let seconds = began.elapsed().as_secs_f64();
        Self::row("late points", tool, &out, &Run { calls, seconds, status, expected })
    }

    fn start(&self, tool: Tool, url: &str, out: &Path, more: &[&str]) -> anyhow::Result<Child> {
        let [start, end] = [self.start, self.end].map(|day| day.to_string());
        let mut command = if tool == Tool::Script {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let mut command = Command::new(&self.python);
            command.arg(root.join("bench/packing_script/packing_script.py"));
            command.arg(&self.list).args([start, end]).arg(out).args(["--url", url]);
            command
        } else {
            let mut command = Command::new(self.binary);
            command.arg("export").arg(&self.list).arg("--out").arg(out);
            command.args(["--progress", "none", "--api-url", url, "--from", &start, "--to", &end]);
            command.args(more);
            command
        };
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        command.envs(KEYS).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().with_context(|| format!("while starting {}", tool.name()))
    }

    fn row(name: &str, tool: Tool, out: &Path, run: &Run<'_>) -> anyhow::Result<String> {
        let found = rows(tool, out)?;
        let all: usize = found.values().map(Vec::len).sum();
        let mut wrong = wrong(&found, run.expected);
        if !run.status {
            wrong = format!("failed; {wrong}");
        }
        let Run { calls, seconds, .. } = *run;
        Ok(format!("{name:<21} {:<15} {calls:>6}  {seconds:>7.1}  {all:>8}  {wrong}", tool.name()))
    }
}

/// Reads the files of a run by the tool's own table of them; nothing where there is none.
fn rows(tool: Tool, out: &Path) -> anyhow::Result<Rows> {
    let mut rows = Rows::new();
    for (file, series) in index(tool, out)? {
        let text = fs::read_to_string(out.join(&file)).with_context(|| file.clone())?;
        let lines = text.lines().skip(usize::from(tool == Tool::Jindo));
        let read = lines.map(|line| {
            let (time, value) = line.split_once(',').context("a row has two fields")?;
            Ok(Row { time: time.to_owned(), bits: value.parse::<f64>()?.to_bits() })
        });
        rows.entry(series).or_default().extend(read.collect::<anyhow::Result<Vec<_>>>()?);
    }
    for rows in rows.values_mut() {
        rows.sort_unstable();
    }
    Ok(rows)
}

/// Outcome of a run.
struct Run<'a> {
    calls: u64,
    seconds: f64,
    status: bool,
    expected: &'a Rows,
}

/// Returns the files of a run, each with its query and sorted tags.
fn index(tool: Tool, out: &Path) -> anyhow::Result<BTreeMap<String, Series>> {
    let name = if tool == Tool::Script { "done.json" } else { "series.csv" };
    let Ok(text) = fs::read_to_string(out.join(name)) else { return Ok(BTreeMap::new()) };
    if tool == Tool::Script {
        let state: serde_json::Value = serde_json::from_str(&text)?;
        return Ok(serde_json::from_value(state["index"].clone())?);
    }
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let read = table.records().map(|row| {
        let row = row?;
        let mut tags: Vec<String> = serde_json::from_str(&row[3])?;
        tags.sort();
        Ok((row[0].to_owned(), Series { query: row[1].to_owned(), tags }))
    });
    read.collect()
}

/// Returns the differences of rows in words.
fn wrong(found: &Rows, expected: &Rows) -> String {
    let nothing = Vec::new();
    let (mut missing, mut surplus) = (0, 0);
    let mut series = 0;
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    for key in keys {
        let (own, right) =
            (found.get(key).unwrap_or(&nothing), expected.get(key).unwrap_or(&nothing));
        let (lacks, has) = (without(right, own), without(own, right));
        (missing, surplus) = (missing + lacks, surplus + has);
        series += usize::from(lacks + has > 0);
    }
    if series == 0 {
        return "nothing".to_owned();
    }
    format!("{missing} rows missing, {surplus} wrong or doubled, in {series} series")
}

/// Returns the number of rows of `one` that `other` has not, each as often; both are sorted.
fn without(one: &[Row], other: &[Row]) -> usize {
    let mut other = other.iter().peekable();
    let is_missing = |row: &&Row| {
        while other.next_if(|next| next < row).is_some() {}
        other.next_if_eq(row).is_none()
    };
    one.iter().filter(is_missing).count()
}

/// Waits for a process, for a time; returns whether it succeeded.
fn ended(child: &mut Child) -> anyhow::Result<bool> {
    let began = now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if began.elapsed() > ENDS_WITHIN {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        rest();
    }
}

/// Returns a Python with the official client, made once below `target/`.
fn python(place: &Path) -> anyhow::Result<PathBuf> {
    let home = place.join(PACKAGE.replace("==", "-"));
    let python = home.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python3" });
    let whole = home.join("whole");
    if !whole.exists() {
        fs::create_dir_all(place)?;
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        succeeds(Command::new(&python).args(install))?;
        write(&whole, "")?;
    }
    Ok(python)
}

fn succeeds(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("while starting {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the range ends a day before today")]
fn present() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[(&str, f64)]) -> Rows {
        let row = |&(at, value): &(&str, f64)| Row { time: at.to_owned(), bits: value.to_bits() };
        let series = Series { query: "avg:a{*}".to_owned(), tags: Vec::new() };
        Rows::from([(series, values.iter().map(row).collect())])
    }

    #[test]
    fn every_difference_of_rows_is_counted() {
        let right = rows(&[("1", 1.0), ("2", 2.0), ("3", 3.0)]);
        assert_eq!(wrong(&right, &right), "nothing");
        for (found, told) in [
            (rows(&[("1", 1.0), ("3", 3.0)]), "1 rows missing, 0 wrong or doubled, in 1 series"),
            (
                rows(&[("1", 1.0), ("1", 1.0), ("2", 2.0), ("3", 3.0)]),
                "0 rows missing, 1 wrong or doubled, in 1 series",
            ),
            (
                rows(&[("1", 1.0), ("2", 2.5), ("3", 3.0)]),
                "1 rows missing, 1 wrong or doubled, in 1 series",
            ),
            (Rows::new(), "3 rows missing, 0 wrong or doubled, in 1 series"),
        ] {
            assert_eq!(wrong(&found, &right), told);
        }
    }
}
