//! The command line of jindo: arguments → request → the library's job; words, progress, exit codes.

mod args;
mod auth;
mod commands;
mod defaults;
mod directory;
mod disk_space;
mod environment;
mod exit_code;
mod interruption;
mod keys;
mod process;
mod render;
mod request;
mod site;
mod terminal;
mod time;

pub use args::Arguments;

use args::Command;
use clap::Parser as _;
use commands::{fetch, inspect, output, serve};
use jindo::clock::System;
use render::errors;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;

/// Runs one command line and returns its exit code: 0 complete, 1 failed, 2 wrong usage, 3 gaps remain, 4 in use,
/// 130 interrupted.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> ExitCode {
    terminal::speak_in(environment::charset());
    set_hook(Box::new(|panic| {
        // Those of libraries that read bytes of others are errors by now.
        if !jindo::panics::are_contained() {
            terminal::remark(errors::of_panic(panic));
        }
    }));
    process::prepare();
    let arguments = match Arguments::try_parse_from(typed) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            terminal::remark(args::in_words(error));
            return ExitCode::from(exit_code::USAGE);
        }
        // --help and --version.
        Err(asked) => {
            let shown = terminal::help(&asked).map_err(anyhow::Error::from);
            return shown
                .map_or_else(|error| failed(&error), |()| ExitCode::from(exit_code::COMPLETE));
        }
    };
    log(arguments.verbose);
    match catch_unwind(AssertUnwindSafe(|| run(&arguments.command))) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => failed(&error),
        // The hook has told it.
        Err(_) => ExitCode::from(exit_code::FAILED),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    terminal::remark(errors::render(error));
    ExitCode::from(exit_code::of_error(error))
}

fn run(command: &Command) -> anyhow::Result<u8> {
    let clock = System::default();
    match command {
        Command::Demo(args) => fetch::demo::run(args, &clock, &interruption::continuing()?),
        Command::Plan(args) => fetch::plan::run(args, &clock),
        Command::Export(args) => fetch::export::run(args, &clock, &interruption::continuing()?),
        Command::Status(args) => inspect::status::run(args, &clock),
        Command::Verify(args) => inspect::verify::run(args, &clock, &interruption::starting_over),
        Command::Extract(args) => {
            output::extract::run(args, &clock, &interruption::extracting(args.out.as_deref())?)
        }
        Command::Simulate(args) => serve::simulate::run(args),
    }
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => "jindo=debug",
        _ => "jindo=trace,reqwest=debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_ansi(false)
        .with_writer(|| terminal::LogLine)
        .init();
}
