//! Chores around jindo that are no part of it: man pages, completions, measurements, campaigns. Writes below `target/` only, and
//! never reaches beyond this machine.
#![expect(clippy::print_stdout, reason = "a chore reports to whoever typed it")]

#[cfg(unix)]
mod endure;
mod measure;
mod pages;
mod process;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

/// Chores around jindo
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Write the man pages, one per command, to target/man
    Man,
    /// Write the completions of five shells to target/completions
    Completions,
    /// Kill an export some hundred times, compare it with an undisturbed one, and print what was survived
    #[cfg(unix)]
    Endure(endure::Arguments),
    /// Export the built-in list from a simulated organisation and print calls, time, points and memory
    Measure(measure::Arguments),
}

fn main() -> anyhow::Result<()> {
    let target = target()?;
    match Arguments::parse().chore {
        Chore::Man => told(&pages::man(&target.join("man"))?),
        Chore::Completions => told(&pages::completions(&target.join("completions"))?),
        #[cfg(unix)]
        Chore::Endure(arguments) => endure::run(&arguments, &target)?,
        Chore::Measure(arguments) => measure::run(&arguments, &target)?,
    }
    Ok(())
}

fn told(files: &[PathBuf]) {
    for file in files {
        println!("{}", file.display());
    }
}

/// The workspace's own `target/`, wherever the chore is called from.
fn target() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(root.context("xtask lies in the workspace's folder")?.join("target"))
}
