//! Repeatable measurements: whole exports of the built-in list from a simulated organisation, by the release binary. Prints figures
//! and judges none, because they depend on the machine.

use crate::process::{Simulator, Watched, binary, built_in_queries, empty, files, watch, write};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Calls per query and day of a script that asks 4 hours at a time, the yardstick of a measurement.
const SCRIPT_CALLS_PER_DAY: u64 = 6;

/// The query of `jindo simulate --wide`, one a line.
const WIDE: &str = "avg:wide.gauge{*} by {id}\n";

#[derive(Debug, clap::Args)]
pub(crate) struct MeasureArgs {
    /// Queries and days to export, such as 579x8 (the first 579 queries of the built-in list, 8 days), or one query of many series,
    /// such as wide10000x1. Repeatable
    #[arg(value_name = "QUERIESxDAYS", default_values = ["579x8", "20x96"], value_parser = job)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    /// As typed, which names the job in the table.
    name: String,
    queries: usize,
    /// Series of the one query that replaces the built-in list.
    wide: Option<usize>,
    days: u32,
}

/// Reads `579x8`, or `wide10000x1`.
fn job(text: &str) -> Result<Job, &'static str> {
    let read = || {
        let (queries, days) = text.split_once('x')?;
        let (name, days) = (text.to_owned(), days.parse().ok()?);
        let Some(series) = queries.strip_prefix("wide") else {
            return Some(Job { name, queries: queries.parse().ok()?, wide: None, days });
        };
        Some(Job { name, queries: 1, wide: Some(series.parse().ok()?), days })
    };
    read()
        .filter(|job| job.queries > 0 && job.wide != Some(0) && job.days > 0)
        .ok_or("QUERIESxDAYS, such as 579x8, or wideSERIESxDAYS")
}

/// One line of the table.
#[derive(Debug)]
struct Measured<'a> {
    job: &'a Job,
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
    for job in &arguments.jobs {
        println!("{} …", job.name);
        let measured = measure(&binary, job, arguments, &folder)?;
        row(&mut table, &measured)?;
    }
    println!("\n{table}");
    Ok(())
}

fn measure<'a>(
    binary: &Path,
    job: &'a Job,
    arguments: &MeasureArgs,
    folder: &Path,
) -> anyhow::Result<Measured<'a>> {
    let place = folder.join(&job.name);
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
fn row(table: &mut String, measured: &Measured<'_>) -> std::fmt::Result {
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
        job.name,
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
        let read = |text: &str| job(text).map(|job| (job.name, job.queries, job.wide, job.days));
        assert_eq!(read("579x8"), Ok(("579x8".to_owned(), 579, None, 8)));
        assert_eq!(read("wide5x1"), Ok(("wide5x1".to_owned(), 1, Some(5), 1)));
        for text in ["", "wide0x1", "widex1", "579", "x8", "0x8", "579x0", "-1x8", "579x8x1"] {
            assert!(job(text).is_err(), "{text}");
        }
    }

    #[test]
    fn columns_stand_below_their_names() {
        let took = Watched { wall: Duration::from_secs(2), resident: None };
        let job = job("579x8").unwrap();
        let measured = Measured {
            job: &job,
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
