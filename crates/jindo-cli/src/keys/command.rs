//! A key command and the processes that it starts: one group, which ends with it, in time or when this process is told to end. The
//! terminal is lent to the group, so that the command may ask for a passphrase.

use super::{names, text};
use crate::interruption;
use crate::render::errors::{Interrupted, Usage};
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Time between the request to end and the end by force: enough to switch a terminal's echo on again.
const ENDS_BY_ITSELF_WITHIN: Duration = Duration::from_millis(500);

/// News of a running command.
enum Event {
    Printed(io::Result<String>),
    /// It ended, and is still to be waited for: until then its number is no other process's.
    Ended,
    /// This process was told to end.
    Interrupted,
}

/// Runs the command in the user's shell and returns its output. It inherits stderr; its stdin is empty, because ours may hold the
/// query list. The environment's keys are removed from its environment.
pub(super) fn printed(command: &str, within: Duration) -> anyhow::Result<String> {
    let failed = |error: io::Error| Usage::new(format!("--key-command failed: {error}"));
    let (events_tx, events) = channel();
    let told = interruption::while_running(events_tx.clone(), || Event::Interrupted)?;
    let mut group = Group::start(command, &events_tx).map_err(failed)?;
    let printed = group.printed(&events, within);
    let status = group.end(&events).map_err(failed)?;
    drop(told);
    let text = match printed {
        Ok(text) => text,
        Err(Failure::Interrupted) => return Err(Interrupted.into()),
        Err(Failure::Unreadable(error)) => return Err(failed(error).into()),
    };
    if status.success() {
        return Ok(text);
    }
    // ^C goes to the group that has the terminal.
    #[cfg(unix)]
    if std::os::unix::process::ExitStatusExt::signal(&status) == Some(signal_hook::consts::SIGINT) {
        return Err(Interrupted.into());
    }
    // Its output does not count.
    Err(Usage::new(format!("--key-command failed: {status}"))
        .hint(
            "run it by hand; it must print DD_API_KEY=… and DD_APP_KEY=…, one a line, and exit with 0",
        )
        .into())
}

enum Failure {
    Interrupted,
    /// Of its output, or that it took too long.
    Unreadable(io::Error),
}

/// The command's shell and all processes of its group.
struct Group {
    shell: Child,
    has_ended: bool,
    #[cfg(unix)]
    terminal: Option<unix::Lent>,
}

impl Group {
    fn start(command: &str, events: &Sender<Event>) -> io::Result<Self> {
        let mut shell = Command::new(crate::environment::shell());
        for name in names::API_KEY.into_iter().chain(names::APP_KEY) {
            shell.env_remove(name);
        }
        shell
            .arg(if cfg!(unix) { "-c" } else { "/C" })
            .arg(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut shell = shell.spawn()?;
        let stdout = shell.stdout.take().expect("it was asked for");
        let printed = events.clone();
        // The receiver is gone if the command took too long; its output is not needed then.
        std::thread::spawn(move || {
            printed.send(Event::Printed(text(stdout))).unwrap_or_default();
        });
        #[cfg(unix)]
        unix::tell_of_end(&shell, events.clone());
        Ok(Self {
            #[cfg(unix)]
            terminal: unix::Lent::to(&shell),
            shell,
            has_ended: false,
        })
    }

    /// Returns its output once it has ended. Output and end are waited for as long as `within` each.
    fn printed(&mut self, events: &Receiver<Event>, within: Duration) -> Result<String, Failure> {
        let mut text = None;
        loop {
            if self.has_ended
                && let Some(text) = text.take()
            {
                return Ok(text);
            }
            match events.recv_timeout(within) {
                Ok(Event::Printed(Ok(printed))) => {
                    text = Some(printed);
                    // Other systems do not tell of the end: it is waited for.
                    self.has_ended |= cfg!(not(unix));
                }
                Ok(Event::Printed(Err(error))) => return Err(Failure::Unreadable(error)),
                Ok(Event::Ended) => self.has_ended = true,
                Ok(Event::Interrupted) => return Err(Failure::Interrupted),
                Err(_) => {
                    let too_long = format!("it took longer than {within:?}");
                    return Err(Failure::Unreadable(io::Error::other(too_long)));
                }
            }
        }
    }

    /// Ends what is left of the group, and returns how the shell ended.
    fn end(mut self, events: &Receiver<Event>) -> io::Result<ExitStatus> {
        #[cfg(unix)]
        {
            if !self.has_ended {
                unix::signal(&self.shell, rustix::process::Signal::TERM);
                while let Ok(event) = events.recv_timeout(ENDS_BY_ITSELF_WITHIN) {
                    if matches!(event, Event::Ended) {
                        break;
                    }
                }
            }
            // Also of a shell that has ended, and left others behind.
            unix::signal(&self.shell, rustix::process::Signal::KILL);
            drop(self.terminal.take());
        }
        #[cfg(not(unix))]
        {
            _ = (events, ENDS_BY_ITSELF_WITHIN);
            if !self.has_ended {
                self.shell.kill()?;
            }
        }
        self.shell.wait()
    }
}

#[cfg(unix)]
mod unix {
    use super::{Child, Event, Sender};
    use nix::sys::signal as nix_signal;
    use rustix::io::Errno;
    use rustix::process::{
        Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process_group, waitid,
    };
    use rustix::termios::{tcgetpgrp, tcsetpgrp};
    use std::fs::File;

    /// Tells when the shell has ended, without taking its number back.
    pub(super) fn tell_of_end(shell: &Child, events: Sender<Event>) {
        let pid = Pid::from_child(shell);
        std::thread::spawn(move || {
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            // Interrupted by a signal: again.
            while waitid(WaitId::Pid(pid), ended).is_err_and(|error| error == Errno::INTR) {}
            events.send(Event::Ended).unwrap_or_default();
        });
    }

    /// Signals the group of the shell, which was not waited for yet. That nothing of it is left is fine.
    pub(super) fn signal(shell: &Child, signal: Signal) {
        kill_process_group(Pid::from_child(shell), signal).unwrap_or_default();
    }

    /// The terminal, lent to a group until this is dropped.
    pub(super) struct Lent {
        terminal: File,
    }

    impl Lent {
        /// Lends the terminal to the shell's group, if there is one and it is ours.
        pub(super) fn to(shell: &Child) -> Option<Self> {
            let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
            if tcgetpgrp(&terminal).ok()? != getpgrp() {
                return None;
            }
            let group = Pid::from_child(shell);
            tcsetpgrp(&terminal, group).ok()?;
            // It may have asked before it had the terminal, which stops it.
            kill_process_group(group, Signal::CONT).unwrap_or_default();
            Some(Self { terminal })
        }
    }

    impl Drop for Lent {
        /// Takes the terminal back. A process that asks for it from behind is stopped, unless the signal is blocked.
        fn drop(&mut self) {
            let mut signals = nix_signal::SigSet::empty();
            signals.add(nix_signal::Signal::SIGTTOU);
            if signals.thread_block().is_ok() {
                tcsetpgrp(&self.terminal, getpgrp()).unwrap_or_default();
                signals.thread_unblock().unwrap_or_default();
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_never_ends_is_ended() {
        let error = printed("exec sleep 600", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "--key-command failed: it took longer than 50ms");
    }

    /// Each of them holds a pipe, which ends with its last process.
    #[test]
    fn attempts_to_outlive_a_key_command() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let commands = [
            "sleep 600 & exec sleep 600",
            "trap '' TERM; sleep 600 & wait; sleep 600",
            "(trap '' TERM HUP INT; sleep 600; sleep 600) >/dev/null &",
            "sleep 600 >/dev/null 2>&1 &",
            "sleep 600 | cat; exit 3",
            "sleep 600 & kill -9 $$",
            "sleep 600 >/dev/null & cat /dev/zero | cat",
        ];
        for command in commands {
            let dir = tempfile::tempdir().unwrap();
            let pipe = dir.path().join("held");
            mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            let (over_tx, over) = channel();
            let held = pipe.clone();
            std::thread::spawn(move || over_tx.send(std::fs::read(held).map(|held| held.len())));
            let noted = format!("exec 3>{}; echo held >&3; {command}", pipe.display());
            printed(&noted, Duration::from_millis(300)).unwrap_or_default();
            let held = over.recv_timeout(Duration::from_mins(1));
            assert_eq!(held.expect(command).unwrap(), 5, "{command}");
        }
        jindo_testing::all_held("processes that outlive a key command", commands.len());
    }
}
