//! `DuckDB` and pandas read the Parquet files below archive/data as they lie there, without a ledger, and find what the tables say:
//! each point once. Both come with pip, into a virtual environment below `target/`.

use crate::support::{DAY_S, START_S, World, calm, exits, rows};
use jindo_sim::Options;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PACKAGES: [&str; 3] = ["duckdb==2.0.1", "pandas==3.1.1", "pyarrow==26.0.1"];

const QUERIES: [&str; 3] = [
    "avg:aws.cloudfront.requests{*} by {distributionid}",
    "avg:odd.values{*} by {host}",
    "sum:app.requests{*}.as_count()",
];

/// A Python with the readers: made once below `target/`, by one process at a time, and found again afterwards.
fn python() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let home = folder.join(PACKAGES.join("_").replace("==", "-"));
    let lock = File::create(folder.join("readers.lock")).unwrap();
    lock.lock().unwrap();
    let python = home.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python3" });
    let whole = home.join("whole");
    if !whole.exists() {
        printed(Command::new("python3").args(["-m", "venv"]).arg(&home));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        printed(Command::new(&python).args(install).args(PACKAGES));
        File::create(whole).unwrap();
    }
    python
}

fn printed(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    exits(&output, 0);
    output.stdout
}

/// The points of all files of a csv/, which are in UTC.
fn of_tables(folder: &Path) -> Vec<Value> {
    let mut table = csv::Reader::from_path(folder.join("series.csv")).unwrap();
    let headers = table.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (metric, tags) = (column("metric"), column("tags"));
    let mut points = Vec::new();
    for record in table.records() {
        let record = record.unwrap();
        for (at, value) in rows(&folder.join(&record[0])) {
            let bits = format!("{:016x}", value.to_bits());
            points.push(serde_json::json!([&record[metric], &record[tags], at, bits]));
        }
    }
    points.sort_by_key(ToString::to_string);
    points
}

/// Checks that both readers find what the tables of the whole archive say, which holds more than the last request. Returns it.
#[track_caller]
pub(crate) fn assert_plain(world: &World) -> Vec<Value> {
    let all = world.path("all of it");
    exits(
        &world.run(["extract", "out", "--query", "*", "--timezone", "UTC", "--out", "all of it"]),
        0,
    );
    let expected = of_tables(&all);
    fs::remove_dir_all(all).unwrap();
    assert!(expected.len() > 1_000, "{} points are too few to mean anything", expected.len());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/plain_parquet.py");
    let found = printed(Command::new(python()).arg(script).arg(world.out().join("archive/data")));
    let found: Value = serde_json::from_slice(&found).unwrap();
    for reader in ["duckdb", "pandas"] {
        let mut points = found[reader].as_array().unwrap().clone();
        points.sort_by_key(ToString::to_string);
        let differing = points.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert_eq!(points.len(), expected.len(), "{reader}: {differing:?}");
        assert_eq!(differing, None, "{reader}");
    }
    expected
}

#[test]
fn readers_of_parquet_find_each_point_once_after_whatever_happened() {
    let world = World::new(Options { latency: Duration::from_millis(5), ..calm() }, &QUERIES);
    exits(&world.export(2), 0);
    assert_plain(&world);
    // Longer, with a window that is asked again, and more queries than before.
    exits(&world.run(["verify", "out", "--refetch", "30%"]), 0);
    let longer = world.export_args(START_S - DAY_S / 2, START_S + 3 * DAY_S + 3_600);
    let child = world.command(&longer).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap();
    let before = world.stats().query_calls;
    while child.try_wait().unwrap().is_none() {
        if world.stats().query_calls > before {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        std::thread::yield_now();
    }
    exits(&world.run(&longer), 0);
    let points = assert_plain(&world);
    let mut zone = longer.clone();
    zone.extend(["--timezone", "Asia/Seoul"].map(str::to_owned));
    exits(&world.run(&zone), 0);
    assert_eq!(assert_plain(&world), points);
    fs::remove_file(world.out().join("archive/ledger.db")).unwrap();
    exits(&world.run(["verify", "out", "--repair"]), 0);
    assert_eq!(assert_plain(&world), points);
}
