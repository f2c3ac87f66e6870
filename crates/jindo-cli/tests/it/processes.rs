//! What a process of jindo leaves behind, and what others do to it: a key command's processes, core files, locks.

use crate::support::{DAY_S, START_S, World, calm, exits};
use jindo_testing::all_held;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

const QUERIES: [&str; 1] = ["avg:odd.values{*}"];

/// An end that takes longer is none.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// An export whose keys come from a command that runs until it is ended.
struct Asking {
    world: World,
    child: Child,
    /// Ends with the last process of the command.
    held: BufReader<fs::File>,
}

impl Asking {
    /// Starts it and waits until the command runs. `script` is run by a shell first, and ends in `exec "$0" "$@"`.
    fn start(script: &str, command: &str) -> Self {
        let world = World::new(calm(), &QUERIES);
        let pipe = world.path("held");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut args = world.export_args(START_S, START_S + DAY_S);
        args.extend(["--key-command".to_owned(), format!("exec 3>held; echo held >&3; {command}")]);
        let mut command = world.shell(script, args);
        command.env_remove("DD_API_KEY").env_remove("DD_APP_KEY");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut held = BufReader::new(fs::File::open(pipe).unwrap());
        held.read_line(&mut String::new()).unwrap();
        Self { world, child, held }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until no process of the command is left.
    fn is_over(mut held: BufReader<fs::File>) -> bool {
        let (over_tx, over) = channel();
        std::thread::spawn(move || over_tx.send(held.read_to_end(&mut Vec::new()).is_ok()));
        over.recv_timeout(ENDS_WITHIN) == Ok(true)
    }
}

#[test]
fn attempts_to_leave_a_key_command_behind() {
    let commands = [
        "sleep 600",
        "exec sleep 600",
        "sleep 600 & sleep 600",
        "trap '' TERM INT HUP QUIT; sleep 600; sleep 600",
        "sleep 600 | cat",
        "(sleep 600 > /dev/null &) ; sleep 600",
    ];
    let signals = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
    for command in commands {
        for signal in signals {
            let asking = Asking::start(r#"exec "$0" "$@""#, command);
            asking.signal(signal);
            let Asking { world, child, held } = asking;
            let output = child.wait_with_output().unwrap();
            assert!(Asking::is_over(held), "{command}, {signal:?}: something is left");
            exits(&output, 130);
            assert_eq!(
                String::from_utf8_lossy(&output.stderr),
                "error: interrupted while the keys were read; nothing was fetched, the same command starts over\n",
                "{command}, {signal:?}"
            );
            assert_eq!(world.stats().query_calls, 0);
        }
    }
    all_held("key commands left behind by a signal", commands.len() * signals.len());
}

/// A process that runs holds keys. Some systems hand core files to a program, whatever the limit.
#[cfg(target_os = "linux")]
#[test]
fn attempts_to_get_keys_from_a_core_file() {
    let signals =
        [Signal::ABORT, Signal::ILL, Signal::FPE, Signal::SYS, Signal::TRAP, Signal::XCPU];
    for signal in signals {
        let asking = Asking::start(r#"ulimit -c unlimited; exec "$0" "$@""#, "sleep 600");
        let limits = fs::read_to_string(format!("/proc/{}/limits", asking.child.id())).unwrap();
        let of_core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let words: Vec<_> = of_core.split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{of_core}");
        asking.signal(signal);
        let Asking { world, mut child, held } = asking;
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert!(!status.core_dumped(), "{signal:?}");
        let is_core = |name: &str| name.starts_with("core");
        let names = fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let cores = names.filter(|name| name.to_str().is_some_and(is_core)).count();
        assert_eq!(cores, 0, "{signal:?}");
        // Killed at once, jindo cannot end its command: it is ended here.
        drop(held);
    }
    all_held("core files with keys", signals.len());
}

/// Every user who may read the directory can hold its locks.
#[cfg(target_os = "linux")]
#[test]
fn attempts_to_stop_jindo_by_a_lock() {
    let world = World::new(calm(), &QUERIES);
    exits(&world.run(world.export_args(START_S, START_S + DAY_S)), 0);
    let program = fs::read_to_string("/proc/self/comm").unwrap();
    let held = fs::File::open(world.out().join("archive/lock")).unwrap();
    let commands: [(&[&str], bool); 8] = [
        (&["export", "--out", "out"], true),
        (&["verify", "out", "--repair"], true),
        (&["extract", "out", "--timezone", "Asia/Seoul"], true),
        (&["extract", "out"], false),
        (&["extract", "out", "--out", "copy"], false),
        (&["status", "out"], false),
        (&["verify", "out"], false),
        (&["plan", "--out", "out"], false),
    ];
    let mut count = 0;
    for is_shared in [true, false] {
        let locked = if is_shared { held.lock_shared() } else { held.lock() };
        locked.unwrap();
        for (command, is_refused) in commands {
            if Path::new("copy").ends_with(command.last().unwrap()) {
                fs::remove_dir_all(world.path("copy")).unwrap_or_default();
            }
            let output = world.run(command);
            exits(&output, if is_refused { 4 } else { 0 });
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let sentence = format!(
                "error: process {} ({}) holds the lock of out (archive/lock) and is no jindo; \
                 end that process, and run the same again\n",
                std::process::id(),
                program.trim()
            );
            assert_eq!(said.contains(&sentence), is_refused, "{command:?}: {said}");
            count += 1;
        }
        held.unlock().unwrap();
    }
    all_held("locks held by a reader", count);
}

/// An extraction fetches nothing, and says nothing about what was fetched.
#[cfg(target_os = "linux")]
#[test]
fn an_extraction_that_waits_is_interrupted_in_its_own_words() {
    let world = World::new(calm(), &QUERIES);
    exits(&world.run(world.export_args(START_S, START_S + DAY_S)), 0);
    let held = fs::File::open(world.out().join("archive/files.lock")).unwrap();
    held.lock().unwrap();
    let mut command = world.command(["extract", "out", "--timezone", "Asia/Seoul"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waits = format!(" {} ", child.id());
    let is_waiting = |line: &str| line.contains("->") && line.contains(&waits);
    while !fs::read_to_string("/proc/locks").unwrap().lines().any(is_waiting) {
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    exits(&output, 130);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.ends_with("interrupted; nothing is lost, the same command continues\n"), "{said}");
    drop(held);
    exits(&world.run(["extract", "out"]), 0);
}
