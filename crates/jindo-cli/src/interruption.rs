//! SIGINT and SIGTERM: the first one sets a flag, a second one ends the process at once. A key command is told of them too.

use crate::exit_code::INTERRUPTED;
use crate::terminal;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
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

/// A watch for signals that would end this process and leave another one behind; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    #[cfg(unix)]
    handle: signal_hook::iterator::Handle,
    #[cfg(unix)]
    over: Arc<AtomicBool>,
}

/// Sends `event` for every signal that asks this process to end, until the watch is dropped. SIGHUP and SIGQUIT then end the process
/// as they did before; SIGINT and SIGTERM are watched elsewhere.
#[cfg(unix)]
pub(crate) fn while_running<T: Send + 'static>(
    events: Sender<T>,
    event: impl Fn() -> T + Send + 'static,
) -> io::Result<Watch> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let over = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGQUIT] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&over))?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let handle = signals.handle();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            events.send(event()).unwrap_or_default();
        }
    });
    Ok(Watch { handle, over })
}

/// Other systems end a process without such signals.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "signals are registered elsewhere")]
pub(crate) fn while_running<T: Send + 'static>(
    _: Sender<T>,
    _: impl Fn() -> T + Send + 'static,
) -> io::Result<Watch> {
    Ok(Watch {})
}

#[cfg(unix)]
impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.handle.close();
    }
}
