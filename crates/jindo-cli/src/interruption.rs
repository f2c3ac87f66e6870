//! SIGINT and SIGTERM: the first one sets a flag, a second one ends the process at once.

use crate::exit_code::INTERRUPTED;
use crate::terminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Interval at which the flag is looked at.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// An interrupted process ends within 5 s, whatever it waits for.
const ENDS_WITHIN: Duration = Duration::from_millis(4_800);

/// Returns the flag that an interruption sets, for commands that keep what they fetched.
///
/// A process that does not react in time (a server that hangs on the first call) is ended; the next run recovers.
pub(crate) fn continuing() -> anyhow::Result<Arc<AtomicBool>> {
    watch("interrupted; everything that was fetched is kept, the same command continues")
}

/// Returns the flag that an interruption sets, for `verify --refetch`, which keeps nothing.
pub(crate) fn starting_over() -> anyhow::Result<Arc<AtomicBool>> {
    watch("interrupted; the answers are not kept, the same command starts over")
}

fn watch(remark: &'static str) -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let status = i32::from(INTERRUPTED);
        signal_hook::flag::register_conditional_shutdown(signal, status, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    let watched = Arc::clone(&flag);
    std::thread::spawn(move || end_in_time(&watched, remark));
    Ok(flag)
}

#[expect(clippy::disallowed_methods, clippy::exit, reason = "the last resort of an interruption")]
fn end_in_time(interrupted: &AtomicBool, remark: &str) {
    while !interrupted.load(Ordering::Relaxed) {
        std::thread::sleep(POLL_EVERY);
    }
    std::thread::sleep(ENDS_WITHIN);
    terminal::remark(remark);
    std::process::exit(i32::from(INTERRUPTED));
}
