//! The command line of jindo: arguments → settings → run; words, progress, exit codes.

mod args;
mod auth;
mod commands;
mod directory;
mod disk_space;
mod environment;
mod keys;
mod render;
mod request;
mod site;
mod terminal;
mod time;

pub use args::Arguments;

use args::Command;
use clap::Parser as _;
use jindo::clock::System;
use render::words;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs one command line. Exit codes: 0 complete, 1 failed, 2 wrong usage, 3 gaps remain, 130 interrupted.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(typed) {
        Ok(arguments) => arguments,
        Err(error) => {
            // --help and --version end here as well.
            return match terminal::parsed(&error) {
                Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
                // What is wrong with the arguments stays wrong where nobody hears it.
                Err(_) if error.use_stderr() => ExitCode::from(2),
                Err(unheard) => failed(&unheard.into()),
            };
        }
    };
    log(arguments.verbose);
    match run(&arguments.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    terminal::remark(&words::render(error));
    ExitCode::from(words::exit_code(error))
}

fn run(command: &Command) -> anyhow::Result<u8> {
    let clock = System::new();
    match command {
        Command::Demo(command) => commands::demo::run(command, &clock, interruption()?.as_ref()),
        Command::Plan(command) => commands::plan::run(command, &clock),
        Command::Export(command) => {
            commands::export::run(command, &clock, interruption()?.as_ref())
        }
        Command::Status(command) => commands::status::run(command),
        Command::Verify(command) => {
            commands::verify::run(command, &clock, &interruption_of_refetch)
        }
        Command::Extract(command) => {
            commands::extract::run(command, &clock, interruption()?.as_ref())
        }
        Command::Simulate(command) => commands::simulate::run(command),
    }
}

/// How often the guard of an interruption looks up.
const LOOK_UP_EVERY: Duration = Duration::from_millis(100);

/// An interrupted process ends within 5 s, wherever it is.
const ENDS_WITHIN: Duration = Duration::from_millis(4_800);

/// Set by the first SIGINT or SIGTERM. A second one ends the process at once, and so does a first one that nobody heeds
/// in time (a server that hangs at first contact): recovery is start-up.
fn interruption() -> anyhow::Result<Arc<AtomicBool>> {
    watched("interrupted; everything that came in is kept, the same command continues\n")
}

/// Of a run that keeps nothing.
fn interruption_of_refetch() -> anyhow::Result<Arc<AtomicBool>> {
    watched("interrupted; nothing of what was asked is kept, the same command asks again\n")
}

fn watched(words: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    let heard = Arc::clone(&flag);
    std::thread::spawn(move || end_in_time(&heard, words));
    Ok(flag)
}

#[expect(clippy::disallowed_methods, clippy::exit, reason = "the last resort of an interruption")]
fn end_in_time(interrupted: &AtomicBool, words: &str) {
    while !interrupted.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK_UP_EVERY);
    }
    std::thread::sleep(ENDS_WITHIN);
    terminal::remark(words);
    std::process::exit(130);
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => "jindo=debug",
        _ => "jindo=trace,reqwest=debug",
    };
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).init();
}
