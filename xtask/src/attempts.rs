//! The attempts of docs/guarantees.md: what a hostile server, archive, directory or list tries, made anew and counted by kind.

use crate::process::cargo;
use anyhow::{Context as _, ensure};
use std::process::{Command, Stdio};

/// Line with which a test of attempts ends (`jindo_testing::all_held`): the row of its kind.
const TOLD: &str = "attempts: ";

/// Runs every test of attempts and prints the row of each kind.
///
/// # Errors
///
/// If a test fails, which prints its own words.
pub(crate) fn run() -> anyhow::Result<()> {
    let output = Command::new(cargo())
        .args([
            "test",
            "--workspace",
            "--locked",
            "--no-fail-fast",
            "attempts_",
            "--",
            "--nocapture",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("while starting cargo")?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "an attempt succeeded, or a test could not be run\n{told}");
    let mut rows: Vec<_> = told.lines().filter_map(|line| line.strip_prefix(TOLD)).collect();
    rows.sort_unstable();
    ensure!(!rows.is_empty(), "no test of attempts was run");
    println!("| kind | attempts |\n|---|---|");
    for row in rows {
        println!("{row}");
    }
    Ok(())
}
