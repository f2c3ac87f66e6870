//! SIGINT and SIGTERM: the first one is answered at once and sets a flag, a second one ends the process. A key command is told of them
//! too.

use crate::args::ProgressStyle;
use crate::exit_code::INTERRUPTED;
use crate::render::units::counted;
use crate::terminal::{self, Lines};
use anyhow::Context as _;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Interval at which the flag is looked at: what is answered within a tenth of a second is answered at once.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Words for an interrupted extraction into the archive's own directory.
pub(crate) const EXTRACT_CONTINUES: &str =
    "interrupted; nothing is lost, the same command continues";

/// An interrupted process ends within 5 s, whatever it waits for.
const ENDS_WITHIN: Duration = Duration::from_millis(4_800);

/// Interruption of a command by the user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interruption {
    came: Arc<AtomicBool>,
    /// Calls that are under way.
    calls: Arc<AtomicUsize>,
    /// Style of the progress, in which it is answered.
    style: Arc<OnceLock<ProgressStyle>>,
}

impl Interruption {
    /// Returns the flag that is set when it came.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.came
    }

    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }

    /// Takes note of the calls that are under way, for the answer.
    pub(crate) fn under_way(&self, calls: usize) {
        self.calls.store(calls, Ordering::Relaxed);
    }

    /// Answers in the style of the progress; before this, as people read it.
    pub(crate) fn answer_as(&self, style: ProgressStyle) {
        self.style.get_or_init(|| style);
    }

    /// Takes the bar away and says what is waited for.
    fn answer(&self) {
        terminal::end_all_bars();
        let text = match self.calls.load(Ordering::Relaxed) {
            0 => "stopping… (^C again ends it now)".to_owned(),
            calls => {
                let calls = counted(calls as u64, "call", "calls");
                format!("stopping: {calls} under way… (^C again ends it now)")
            }
        };
        match self.style.get().copied().unwrap_or(ProgressStyle::Auto) {
            ProgressStyle::None => {}
            ProgressStyle::Json => {
                let note = serde_json::json!({"type": "note", "text": text});
                terminal::remark(Lines::json(&note.to_string()));
            }
            ProgressStyle::Auto | ProgressStyle::Bar | ProgressStyle::Plain => {
                terminal::remark(text);
            }
        }
    }
}

/// Returns the interruption of a command that keeps what it fetched.
///
/// A process that does not react in time (a server that hangs on the first call) is ended; the next run recovers.
pub(crate) fn continuing() -> anyhow::Result<Interruption> {
    watch("interrupted; everything that was fetched is kept, the same command continues")
}

/// Returns the interruption of an extraction: into the archive's own directory, which knows its files, or as a copy into `out`.
pub(crate) fn extracting(out: Option<&Path>) -> anyhow::Result<Interruption> {
    match out {
        None => watch(EXTRACT_CONTINUES),
        Some(out) => watch(format!(
            "interrupted; the copy in {} is not whole: remove it, and run the same again",
            out.display()
        )),
    }
}

/// Returns the interruption of `verify --refetch`, which keeps nothing.
pub(crate) fn starting_over() -> anyhow::Result<Interruption> {
    watch("interrupted; the answers are not kept, the same command starts over")
}

fn watch(remark: impl Into<String>) -> anyhow::Result<Interruption> {
    let interruption = Interruption::default();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let (status, flag) = (i32::from(INTERRUPTED), || Arc::clone(&interruption.came));
        signal_hook::flag::register_conditional_shutdown(signal, status, flag())?;
        signal_hook::flag::register(signal, flag())?;
    }
    let (watched, remark) = (interruption.clone(), remark.into());
    std::thread::Builder::new()
        .spawn(move || end_in_time(&watched, &remark))
        .context("the system lets jindo start no thread: end other processes, or raise the limit (ulimit -u)")?;
    Ok(interruption)
}

#[expect(clippy::disallowed_methods, clippy::exit, reason = "the last resort of an interruption")]
fn end_in_time(interruption: &Interruption, remark: &str) {
    while !interruption.came() {
        std::thread::sleep(POLL_EVERY);
    }
    interruption.answer();
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
