//! Repeatable measurements: whole exports of the built-in list from a simulated organisation, by the release binary. Prints figures
//! and judges none, because they depend on the machine.

use crate::process::{Simulator, Watched, binary, built_in_queries, empty, files, watch, write};
use std::fmt::{Display, Formatter, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Calls per query and day of a script that asks 4 hours at a time, the yardstick of a measurement.
const SCRIPT_CALLS_PER_DAY: u64 = 6;

/// The query of `jindo simulate --wide`, one a line.
const WIDE: &str = "avg:wide.gauge{*} by {id}\n";

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
    let binary = binary(arguments.binary.as_deref(), target)?;
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

fn measure(
    binary: &Path,
    job: Job,
    arguments: &MeasureArgs,
    folder: &Path,
) -> anyhow::Result<Measured> {
    let place = folder.join(job.to_string());
    empty(&place)?;
    let (list, out) = (place.join("queries.txt"), place.join("out"));
    let series = job.wide.map(|series| series.to_string());
    let wide: Vec<&str> = series.iter().flat_map(|series| ["--wide", series]).collect();
    let queries =
        if wide.is_empty() { built_in_queries(binary, job.queries)? } else { WIDE.to_owned() };
    write(&list, &queries)?;
    let simulator = Simulator::start(binary, &wide)?;
    let mut export = simulator.export(binary, &list, &out);
    // Whole days that ended at least a day ago, so that all points are settled.
    export.args(["--from", &format!("-{}d", job.days + 1), "--to", "-1d"]);
    let took = watch(export.args(["--resolution", &arguments.resolution]))?;
    let measured = Measured {
        job,
        calls: simulator.count("query_calls")?,
        points: simulator.count("points")?,
        took,
        archive_bytes: bytes_below(&out.join("archive"))?,
        csv_bytes: bytes_below(&out.join("csv"))?,
    };
    if !arguments.keep {
        fs::remove_dir_all(&place)?;
    }
    Ok(measured)
}

fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    files(folder, folder)?.values().map(|path| Ok(fs::metadata(path)?.len())).sum()
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
