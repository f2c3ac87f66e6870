//! Chores around jindo that are not part of it: man pages, completions, measurements, hostile attempts, kill campaigns. Writes below `target/` only,
//! and makes no network call beyond this machine, but for `packing`, which installs a Python package.
#![expect(clippy::print_stdout, reason = "a chore reports on stdout")]

mod attempts;
#[cfg(unix)]
mod endure;
mod measure;
mod packing;
mod pages;
mod process;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

/// Chores around jindo
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct XtaskArgs {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Make the hostile attempts of docs/guarantees.md, and print how many of each kind were held off
    Attempts,
    /// Write the man pages, one per command, to target/man
    Man,
    /// Write the completions of five shells to target/completions
    Completions,
    /// Kill an export some hundred times, compare it with an undisturbed one, and print the counts
    #[cfg(unix)]
    Endure(endure::EndureArgs),
    /// Export the built-in list from a simulated organisation and print calls, time, points and memory
    Measure(measure::MeasureArgs),
    /// Put jindo beside a script that packs 35 queries a day into a call: calls, time, points, and what each gets wrong. Installs
    /// Datadog's official Python client into target/packing
    Packing(packing::PackingArgs),
}

fn main() -> anyhow::Result<()> {
    let target = target()?;
    match XtaskArgs::parse().chore {
        Chore::Attempts => attempts::run()?,
        Chore::Man => print_paths(&pages::man(&target.join("man"))?),
        Chore::Completions => print_paths(&pages::completions(&target.join("completions"))?),
        #[cfg(unix)]
        Chore::Endure(arguments) => endure::run(&arguments, &target)?,
        Chore::Measure(arguments) => measure::run(&arguments, &target)?,
        Chore::Packing(arguments) => packing::run(&arguments, &target)?,
    }
    Ok(())
}

fn print_paths(files: &[PathBuf]) {
    for file in files {
        println!("{}", file.display());
    }
}

/// Returns the workspace's `target/`, independent of the current directory.
fn target() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(root.context("xtask lies in the workspace's folder")?.join("target"))
}
