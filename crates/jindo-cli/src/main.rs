//! The process: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    jindo_cli::main(std::env::args_os())
}
