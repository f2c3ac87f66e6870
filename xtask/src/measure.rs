//! Repeatable measurements: whole exports of the built-in list from a simulated organisation, by the release binary. Prints figures
//! and judges none, because they depend on the machine.

use crate::process::{Simulator, Watched, watch};
use anyhow::{Context as _, ensure};
use std::fmt::{Display, Formatter, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

/// Calls per query and day of a script that asks 4 hours at a time, the yardstick of a measurement.
const SCRIPT_CALLS_PER_DAY: u64 = 6;

/// The keys that a simulated organisation accepts; they open nothing else.
pub(crate) const KEYS: [(&str, &str); 2] =
    [("DD_API_KEY", "sim-api-key"), ("DD_APP_KEY", "sim-app-key")];

/// The query of `jindo simulate --wide`, one a line.
const WIDE: &str = "avg:wide.gauge{*} by {id}\n";

/// A proxy on the way to this machine's own simulator would be measured with it.
pub(crate) const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

#[derive(Debug, clap::Args)]
pub(crate) struct MeasureArgs {
    /// Queries and days to export, such as 579x8 (the first 579 queries of the built-in list, 8 days), or one query of many series,
    /// such as wide10000x1. Repeatable
    #[arg(value_name = "QUERIESxDAYS", default_values = ["579x8", "20x96"])]
    jobs: Vec<Job>,
    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Seconds per point
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    resolution: String,
    /// Leave the exports in target/measure instead of removing them
    #[arg(long)]
    keep: bool,
}

/// Queries over whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Job {
    queries: usize,
    /// Series of the one query that replaces the built-in list.
    wide: Option<usize>,
    days: u32,
}

impl Display for Job {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.wide {
            Some(series) => write!(f, "wide{series}x{}", self.days),
            None => write!(f, "{}x{}", self.queries, self.days),
        }
    }
}

impl FromStr for Job {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (queries, days) = text.split_once('x')?;
            let days = days.parse().ok()?;
            let Some(series) = queries.strip_prefix("wide") else {
                return Some(Self { queries: queries.parse().ok()?, wide: None, days });
            };
            Some(Self { queries: 1, wide: Some(series.parse().ok()?), days })
        };
        read()
            .filter(|job| job.queries > 0 && job.wide != Some(0) && job.days > 0)
            .ok_or_else(|| "QUERIESxDAYS, such as 579x8, or wideSERIESxDAYS".to_owned())
    }
}

/// One line of the table.
#[derive(Debug)]
struct Measured {
    job: Job,
    /// As the simulator counted them.
    calls: u64,
    points: u64,
    took: Watched,
    archive_bytes: u64,
    csv_bytes: u64,
}

/// Measures every job on a simulator of its own and prints the table.
pub(crate) fn run(arguments: &MeasureArgs, target: &Path) -> anyhow::Result<()> {
    let binary = match &arguments.binary {
        Some(binary) => binary
            .canonicalize()
            .with_context(|| format!("while looking for {}", binary.display()))?,
        None => build(target)?,
    };
    let folder = target.join("measure");
    let mut table = String::from(HEADER);
    for &job in &arguments.jobs {
        println!("{job} …");
        let measured = measure(&binary, job, arguments, &folder)?;
        row(&mut table, &measured)?;
    }
    println!("\n{table}");
    Ok(())
}

pub(crate) fn build(target: &Path) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", "jindo-cli", "--target-dir"])
        .arg(target)
        .status()
        .context("while starting cargo")?;
    ensure!(status.success(), "the release build ended with {status}");
    Ok(target.join("release").join(format!("jindo{}", std::env::consts::EXE_SUFFIX)))
}

fn measure(
    binary: &Path,
    job: Job,
    arguments: &MeasureArgs,
    folder: &Path,
) -> anyhow::Result<Measured> {
    let place = folder.join(job.to_string());
    if place.exists() {
        fs::remove_dir_all(&place)
            .with_context(|| format!("while removing {}", place.display()))?;
    }
    fs::create_dir_all(&place).with_context(|| format!("while making {}", place.display()))?;
    let list = place.join("queries.txt");
    write(&list, &queries(binary, job)?)?;

    let series = job.wide.map(|series| series.to_string());
    let wide: Vec<&str> = series.iter().flat_map(|series| ["--wide", series]).collect();
    let simulator = Simulator::start(binary, &wide)?;
    let out = place.join("out");
    let paths = ExportPaths { list: &list, out: &out };
    let took = watch(&mut export(binary, &simulator, job, arguments, &paths))?;
    let stats = simulator.stats()?;
    let count = |name: &str| {
        stats[name].as_u64().with_context(|| format!("the simulator counts no {name}"))
    };
    let measured = Measured {
        job,
        calls: count("query_calls")?,
        points: count("points")?,
        took,
        archive_bytes: bytes_below(&out.join("archive"))?,
        csv_bytes: bytes_below(&out.join("csv"))?,
    };
    if !arguments.keep {
        fs::remove_dir_all(&place)
            .with_context(|| format!("while removing {}", place.display()))?;
    }
    Ok(measured)
}

/// Paths of one export.
struct ExportPaths<'a> {
    list: &'a Path,
    out: &'a Path,
}

/// Returns the command of an export of whole days that ended at least a day ago, so that all points are settled.
fn export(
    binary: &Path,
    simulator: &Simulator,
    job: Job,
    arguments: &MeasureArgs,
    paths: &ExportPaths<'_>,
) -> Command {
    let mut command = Command::new(binary);
    command.arg("export").arg(paths.list).arg("--out").arg(paths.out);
    command.args(["--from", &format!("-{}d", job.days + 1), "--to", "-1d", "--progress", "none"]);
    command.args(["--api-url", &simulator.url, "--resolution", &arguments.resolution]);
    for proxy in PROXIES {
        command.env_remove(proxy);
    }
    command.envs(KEYS).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Returns the first queries of the built-in list, one a line.
fn queries(binary: &Path, job: Job) -> anyhow::Result<String> {
    if job.wide.is_some() {
        return Ok(WIDE.to_owned());
    }
    let output = Command::new(binary)
        .args(["simulate", "--list"])
        .output()
        .context("while asking for the list")?;
    ensure!(output.status.success(), "asking for the list ended with {}", output.status);
    let all = String::from_utf8(output.stdout).context("the list is text")?;
    let is_query = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let taken: Vec<_> = all.lines().filter(is_query).take(job.queries).collect();
    ensure!(taken.len() == job.queries, "the built-in list holds {} queries only", taken.len());
    Ok(taken.join("\n") + "\n")
}

fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let mut folders = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("while listing {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}

#[expect(clippy::disallowed_methods, reason = "a list for one chore, made anew by every one")]
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("while writing {}", path.display()))
}

const HEADER: &str = "         job   calls  script's  seconds       points   points/s  peak MB  archive MB   csv MB\n";

#[expect(clippy::cast_precision_loss, reason = "rounded for people")]
fn row(table: &mut String, measured: &Measured) -> std::fmt::Result {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let Measured { job, calls, points, took, archive_bytes, csv_bytes } = measured;
    let seconds = took.wall.as_secs_f64();
    let script = job.queries as u64 * u64::from(job.days) * SCRIPT_CALLS_PER_DAY;
    let per_second = *points as f64 / seconds.max(f64::MIN_POSITIVE);
    let resident =
        took.resident.map_or_else(|| "-".to_owned(), |bytes| format!("{:.0}", megabytes(bytes)));
    writeln!(
        table,
        "{:>12}  {calls:>6}  {script:>8}  {seconds:>7.1}  {points:>11}  {per_second:>9.0}  {resident:>7}  {:>10.1}  {:>7.1}",
        job.to_string(),
        megabytes(*archive_bytes),
        megabytes(*csv_bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn jobs_are_read_and_nonsense_is_not() {
        assert_eq!("579x8".parse(), Ok(Job { queries: 579, wide: None, days: 8 }));
        assert_eq!("wide5x1".parse(), Ok(Job { queries: 1, wide: Some(5), days: 1 }));
        for text in ["", "wide0x1", "widex1", "579", "x8", "0x8", "579x0", "-1x8", "579x8x1"] {
            assert!(text.parse::<Job>().is_err(), "{text}");
        }
    }

    #[test]
    fn columns_stand_below_their_names() {
        let took = Watched { wall: Duration::from_secs(2), resident: None };
        let job = Job { queries: 579, wide: None, days: 8 };
        let measured = Measured {
            job,
            calls: 136,
            points: 1_000_000,
            took,
            archive_bytes: 2_500_000,
            csv_bytes: 0,
        };
        let mut table = String::from(HEADER);
        row(&mut table, &measured).unwrap();
        let mut widths = table.lines().map(|line| line.chars().count());
        assert_eq!(widths.next(), widths.next(), "{table}");
        assert!(table.contains("  27792  ") && table.contains("  500000  "), "{table}");
    }
}
