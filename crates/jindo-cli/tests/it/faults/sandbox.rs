//! Sandbox of one case: a directory, and the real binary that exports into it, watched for its time and its memory.

use super::case::{GROUPED, LONE};
use super::peer::Peer;
use super::tls;
use crate::support::{DAY_S, START_S, calm, walk};
use jindo_sim::{API_KEY, APP_KEY, Compression, Options};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A run that takes longer hangs.
const RUN_WITHIN: Duration = Duration::from_secs(90);

const PROGRAM: &str = env!("CARGO_BIN_EXE_jindo");

/// A calm server that leaves compression to the cases.
pub(crate) fn options() -> Options {
    Options { compression: Compression::Never, ..calm() }
}

/// One process to its end.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// All that the user could read.
    pub(crate) said: String,
    /// The most memory that it held, in MB; 0 where the system does not tell.
    pub(crate) peak_mb: u64,
}

/// Directory of one case's exports.
pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self::of(&format!("{GROUPED}\n{LONE}\n"))
    }

    /// With another list.
    pub(crate) fn of(list: &str) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("queries.txt"), list).unwrap();
        fs::write(dir.path().join("authority.pem"), tls::authority_pem()).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// Lines of the runs' logs: one a call.
    fn log(&self) -> String {
        walk(&self.out().join("runs")).iter().map(|log| fs::read_to_string(log).unwrap()).collect()
    }

    pub(crate) fn calls(&self) -> u64 {
        self.log().lines().count() as u64
    }

    pub(crate) fn run(&self, url: &str, peer: Option<&Peer>, arguments: &[&str]) -> Ran {
        let mut command = Command::new(PROGRAM);
        command.arg("export").args(range(3));
        self.export(command, url, peer, arguments)
    }

    /// The same of more days, and with so many KiB of memory at most: to ask the system for more ends the process.
    pub(crate) fn run_within(&self, kib: u64, days: i64, peer: &Peer, arguments: &[&str]) -> Ran {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!(r#"ulimit -d {kib} && exec "$0" "$@""#), PROGRAM]);
        shell.arg("export").args(range(days));
        self.export(shell, &peer.url(), Some(peer), arguments)
    }

    fn export(
        &self,
        mut command: Command,
        url: &str,
        peer: Option<&Peer>,
        arguments: &[&str],
    ) -> Ran {
        command.args(["queries.txt", "--out", "out", "--api-url", url]);
        if !arguments.contains(&"--progress") {
            command.args(["--progress", "none"]);
        }
        if !arguments.contains(&"--concurrency") {
            // One call at a time: the second call of a case is the same one every time.
            command.args(["--concurrency", "1"]);
        }
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command.env("DD_API_KEY", API_KEY).env("DD_APP_KEY", APP_KEY);
        let (stdout, stderr) = (self.path("stdout"), self.path("stderr"));
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let child = command.spawn().unwrap();
        if let Some(peer) = peer {
            peer.is_asked_by(child.id(), &self.out());
        }
        let (code, peak_mb) = wait(child);
        let mut said = String::new();
        for path in [stdout, stderr, self.path("out/queries.csv"), self.path("out/gaps.csv")] {
            said.push_str(&fs::read_to_string(path).unwrap_or_default());
        }
        said.push_str(&self.log());
        Ran { code, said, peak_mb }
    }
}

/// Arguments for so many days.
fn range(days: i64) -> [String; 4] {
    let time = |secs| jiff::Timestamp::from_second(secs).unwrap().to_string();
    let (from, to) = (time(START_S), time(START_S + days * DAY_S));
    ["--from".to_owned(), from, "--to".to_owned(), to]
}

/// The exit code, `None` for a run that hangs, which is ended; and its memory's peak in MB.
fn wait(mut child: Child) -> (Option<i32>, u64) {
    let until = Instant::now() + RUN_WITHIN;
    let mut peak_mb = 0;
    loop {
        peak_mb = peak_mb.max(peak(&child));
        match child.try_wait().unwrap() {
            Some(status) => return (status.code(), peak_mb),
            None if Instant::now() > until => {
                child.kill().unwrap();
                child.wait().unwrap();
                return (None, peak_mb);
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The kernel's own figure is a peak: only what is taken in the last moment can be missed.
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kb.unwrap_or(0) / 1_024
}
