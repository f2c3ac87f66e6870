//! Processes and files of a chore: the binary, a simulator that ends with its handle, exports from it, the memory of one that runs.

use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Interval at which the memory of a running process is polled. The kernel's figure is a peak: only an allocation in the last
/// interval can be missed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Timeout of the simulator's counters.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The keys that a simulated organisation accepts; they open nothing else.
pub(crate) const KEYS: [(&str, &str); 2] =
    [("DD_API_KEY", "sim-api-key"), ("DD_APP_KEY", "sim-app-key")];

/// A proxy on the way to this machine's own simulator would be measured with it.
pub(crate) const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Returns the binary that was given, or builds one for release.
pub(crate) fn binary(given: Option<&Path>, target: &Path) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return given
            .canonicalize()
            .with_context(|| format!("while looking for {}", given.display()));
    }
    let status = Command::new(cargo())
        .args(["build", "--release", "--locked", "--package", "jindo-cli", "--target-dir"])
        .arg(target)
        .status()
        .context("while starting cargo")?;
    ensure!(status.success(), "the release build ended with {status}");
    Ok(target.join("release").join(format!("jindo{}", std::env::consts::EXE_SUFFIX)))
}

/// Returns the cargo that runs this chore.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Makes the folder `place` anew, without what an earlier chore left there.
pub(crate) fn empty(place: &Path) -> anyhow::Result<()> {
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("while removing {}", place.display()))?;
    }
    fs::create_dir_all(place).with_context(|| format!("while making {}", place.display()))
}

/// Returns the first `number` queries of the built-in list, one a line.
pub(crate) fn built_in_queries(binary: &Path, number: usize) -> anyhow::Result<String> {
    let mut command = Command::new(binary);
    let output =
        command.args(["simulate", "--list"]).output().context("while asking for the list")?;
    ensure!(output.status.success(), "asking for the list ended with {}", output.status);
    let all = String::from_utf8(output.stdout).context("the list is text")?;
    let taken: Vec<_> = all.lines().take(number).collect();
    ensure!(taken.len() == number, "the built-in list holds {} queries only", taken.len());
    Ok(taken.join("\n") + "\n")
}

#[expect(clippy::disallowed_methods, reason = "a list for one chore, made anew by every one")]
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("while writing {}", path.display()))
}

/// Returns all files below `folder`, by their names below `root`; none if there is no such folder.
pub(crate) fn files(root: &Path, folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    let mut folders: Vec<PathBuf> =
        folder.exists().then(|| folder.to_owned()).into_iter().collect();
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("while listing {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root)?.to_string_lossy().into_owned(), path);
            }
        }
    }
    Ok(files)
}

/// `jindo simulate` on a free port; killed when dropped.
#[derive(Debug)]
pub(crate) struct Simulator {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Simulator {
    /// Starts one, unless `more` has another, with a rate limit that no measurement reaches, so that no time is spent waiting. `more` are arguments of
    /// `jindo simulate`.
    pub(crate) fn start(binary: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let limit: &[&str] =
            if more.contains(&"--limit") { &[] } else { &["--limit", "1000000/1h"] };
        let mut child = Command::new(binary)
            .args(["simulate", "--port", "0"])
            .args(limit)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("while starting {}", binary.display()))?;
        let stdout = child.stdout.take().context("the simulator's stdout is a pipe")?;
        let mut simulator = Self { child, url: String::new() };
        BufReader::new(stdout)
            .read_line(&mut simulator.url)
            .context("while reading the simulator's address")?;
        simulator.url.truncate(simulator.url.trim_end().len());
        ensure!(simulator.url.starts_with("http://"), "the simulator did not say where it answers");
        Ok(simulator)
    }

    /// Returns the command of an export of `list` from it to `out`; the range is still to be given. Prints errors only.
    pub(crate) fn export(&self, binary: &Path, list: &Path, out: &Path) -> Command {
        let mut command = Command::new(binary);
        command.arg("export").arg(list).arg("--out").arg(out);
        command.args(["--progress", "none", "--api-url", &self.url]);
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        command.envs(KEYS).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Returns one of its counters since the start: `GET /sim/stats`.
    pub(crate) fn count(&self, name: &str) -> anyhow::Result<u64> {
        let address = self.url.trim_start_matches("http://");
        let mut stream =
            TcpStream::connect(address).context("while connecting to the simulator")?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        write!(stream, "GET /sim/stats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context("while reading the simulator's counters")?;
        let (head, body) =
            answer.split_once("\r\n\r\n").context("an answer has a head and a body")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.starts_with("HTTP/1.1 200"), "the simulator answers `{status}`");
        let counters: serde_json::Value =
            serde_json::from_str(body).context("while reading the simulator's counters")?;
        counters[name].as_u64().with_context(|| format!("the simulator counts no {name}"))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // Killing fails only if the simulator has ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Resources that a process used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    pub(crate) wall: Duration,
    /// Most bytes resident at once; `None` if the system does not report it.
    pub(crate) resident: Option<u64>,
}

/// Runs `command` to its end, which must be a success, and returns the resources it used.
pub(crate) fn watch(command: &mut Command) -> anyhow::Result<Watched> {
    let started = now();
    let mut child = command.spawn().context("while starting what is measured")?;
    let mut resident = None;
    let status = loop {
        resident = resident.max(peak(child.id()));
        if let Some(status) = child.try_wait().context("while waiting for what is measured")? {
            break status;
        }
        rest();
    };
    let wall = started.elapsed();
    ensure!(status.success(), "what is measured ended with {status}");
    Ok(Watched { wall, resident })
}

/// Returns the peak of resident memory in bytes; `None` on other systems than Linux.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    peak_in(&status)
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[expect(clippy::disallowed_methods, reason = "a measurement is of the wall clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the kernel tells of memory only when asked")]
pub(crate) fn rest() {
    std::thread::sleep(LOOK_EVERY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_as_the_kernel_writes_it() {
        assert_eq!(
            peak_in("Name:\tjindo\nVmPeak:\t  9000 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(peak_in("Name:\tjindo\nState:\tZ (zombie)\n"), None);
    }
}
