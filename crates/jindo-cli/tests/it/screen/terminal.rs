//! A terminal of 80 columns with a program on it, and the screen as it looks when the program has ended.

use crate::support::World;
use jindo_sim::{API_KEY, APP_KEY};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use textwrap::core::display_width;

pub(crate) const COLUMNS: usize = 80;

/// Longest time that a test waits for a word.
const WAITS_MAX: Duration = Duration::from_mins(1);

/// A program on a terminal of its own, which is its controlling one: a `^C` that is typed reaches it as a signal.
pub(crate) struct Session {
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Session {
    pub(crate) fn start(world: &World, args: &[String], env: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 50, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let slave = File::from(pty.slave);
        let mut command = Command::new("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_jindo")]).args(args);
        command.current_dir(world.dir.path()).env_clear().env("TERM", "xterm");
        command.env("DD_API_KEY", API_KEY).env("DD_APP_KEY", APP_KEY);
        command.envs(env.iter().copied());
        let stream = || slave.try_clone().unwrap();
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        drop((command, slave));
        let (mut screen, keyboard) =
            (File::from(pty.master.try_clone().unwrap()), File::from(pty.master));
        let shown = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let (mut bytes, mut rest) = ([0; 4096], Vec::new());
            // With the last process the terminal ends in an error.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                rest.extend_from_slice(&bytes[..count]);
                let whole = match std::str::from_utf8(&rest) {
                    Ok(_) => rest.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<u8> = rest.drain(..whole).collect();
                seen.lock().unwrap().push_str(std::str::from_utf8(&text).unwrap());
            }
        });
        Self { child, keyboard, shown, reader }
    }

    pub(crate) fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until these words were shown.
    #[track_caller]
    pub(crate) fn wait_for(&self, words: &str) {
        let until = Instant::now() + WAITS_MAX;
        while !self.shown.lock().unwrap().contains(words) {
            let shown = || Screen::of(&self.shown.lock().unwrap()).rows.join("\n");
            assert!(Instant::now() < until, "no {words:?} in {}", shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> (ExitStatus, Screen) {
        let status = self.child.wait().unwrap();
        drop(self.keyboard);
        self.reader.join().unwrap();
        let shown = self.shown.lock().unwrap().clone();
        (status, Screen::of(&shown))
    }
}

/// What was written to a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Rows as they stand in the end, from the first.
    pub(crate) rows: Vec<String>,
    /// Rows that were written at some time, of which some were written over since.
    pub(crate) written: Vec<String>,
    /// A row that went on in the next one, because it was wider than the terminal.
    pub(crate) wide: Option<String>,
}

impl Screen {
    /// Plays what was written: text, line ends, and the moves and erasures of a bar.
    fn of(shown: &str) -> Self {
        let (mut rows, mut at, mut written) = (vec![String::new()], 0, Vec::new());
        let mut wide = None;
        let mut rest = shown;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\r' => {
                    written.push(rows[at].clone());
                    // Text that follows begins at the left; what is longer than it is erased before.
                    if !rest.starts_with('\n') && !rest.starts_with('\u{1b}') {
                        rows[at].clear();
                    }
                }
                '\n' => {
                    written.push(rows[at].clone());
                    at += 1;
                    rows.resize(rows.len().max(at + 1), String::new());
                }
                '\u{1b}' => {
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    let (sequence, after) = rest.split_at(end + 1);
                    rest = after;
                    match sequence.split_at(end) {
                        (_, "K") => written.push(std::mem::take(&mut rows[at])),
                        (count, "A") => at -= lines(count),
                        (count, "B") => at += lines(count),
                        (_, "m") => {}
                        other => panic!("{other:?} in {shown:?}"),
                    }
                }
                c => {
                    if display_width(&rows[at]) == COLUMNS {
                        // A bar fills its rows with spaces up to the next one.
                        if !rows[at].ends_with(' ') {
                            wide.get_or_insert(format!("{}{c}…", rows[at]));
                        }
                        at += 1;
                        rows.resize(rows.len().max(at + 1), String::new());
                        rows[at].clear();
                    }
                    rows[at].push(c);
                }
            }
        }
        written.extend(rows.iter().cloned());
        Self { rows, written, wide }
    }
}

/// Reads the number of a move.
fn lines(count: &str) -> usize {
    count.trim_start_matches('[').parse().unwrap()
}
