//! A new user's walk with the real binary: `docs/walk.md` is what is typed and what is printed, so that the page stays true.
//!
//! `UPDATE_EXPECT=1 cargo test -p jindo-cli --test it walk` writes it anew.

use crate::resources::with_mounts;
use crate::support::{World, calm};
use expect_test::expect_file;
use jindo_sim::{Fault, Options};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Calls that are answered before the one that is not, in which the walk presses ^C.
const ANSWERED: u64 = 7;

const LIST: [&str; 4] = [
    "avg:aws.ec2.cpuutilization{*} by {host}",
    "sum:app.requests{*} by {service}.as_count()",
    "p95:app.latency{env:prod} by {service}",
    "avg:app.request{*}",
];

const HEAD: &str = "\
# A walk through jindo

Typed and printed by a test (`crates/jindo-cli/tests/it/walk.rs`), against a simulated Datadog on this machine. Every time that a run
took stands here as 1 s, the port of the simulator as 8080, and the day of the walk as 2026-01-01; all else is as it was printed.
";

/// The section that needs a file system of its own, which not every user may mount.
const LAST: &str = "\n## A full disk\n";

struct Walk {
    world: World,
    page: String,
}

impl Walk {
    /// A list of four queries, of which the server knows three, and a server that leaves one call without an answer.
    fn new() -> Self {
        let script = [(ANSWERED + 1, Fault::Hang)].into();
        let world = World::new(Options { script, ..calm() }, &LIST);
        Self { world, page: HEAD.to_owned() }
    }

    fn says(&mut self, text: &str) {
        write!(self.page, "\n{text}\n").unwrap();
    }

    /// `sh -c LINE`, as a user with keys in the environment types it.
    fn typed(&self, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        let bin = Path::new(env!("CARGO_BIN_EXE_jindo")).parent().unwrap();
        let line = line.replace("http://127.0.0.1:8080", &self.world.sim.url());
        command.args(["-c", &format!("exec 2>&1; {line}")]).stdin(Stdio::null());
        command.current_dir(self.world.dir.path()).env_clear().stdout(Stdio::piped());
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("LANG", "C.UTF-8");
        command.env("DD_API_KEY", jindo_sim::API_KEY).env("DD_APP_KEY", jindo_sim::APP_KEY);
        command
    }

    /// Adds one line as typed and what it printed.
    fn shows(&mut self, line: &str) {
        let output = self.typed(line).output().unwrap();
        self.add(line, &output);
    }

    fn add(&mut self, line: &str, output: &Output) {
        let printed = String::from_utf8(output.stdout.clone()).unwrap();
        let printed = printed.replace(&self.world.sim.url(), "http://127.0.0.1:8080");
        let code = output
            .status
            .code()
            .or_else(|| output.status.signal().map(|signal| 128 + signal))
            .unwrap();
        let ended = if code == 0 { String::new() } else { format!("(exit code {code})\n") };
        write!(self.page, "\n```\n$ {line}\n{}{ended}```\n", timeless(&printed)).unwrap();
    }

    /// Types the line, waits for the call that gets no answer, and presses ^C.
    fn interrupts(&mut self, line: &str) {
        let child = self.typed(&line.replacen("jindo", "exec jindo", 1)).spawn().unwrap();
        while self.world.stats().query_calls <= ANSWERED {
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let output = child.wait_with_output().unwrap();
        self.add(line, &output);
    }
}

/// Sets the seconds that a run took to one, and the day on which the server stated its limit to the first of the year.
fn timeless(printed: &str) -> String {
    const STATED: &str = "as stated on ";
    let mut lines = String::new();
    for line in printed.lines() {
        let line = match line.split_once(STATED) {
            Some((before, day)) => format!("{before}{STATED}2026-01-01{}", &day[10..]),
            None => line.to_owned(),
        };
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        for at in 2..words.len() {
            let is_time = ["in", "after"].contains(&words[at - 2].as_str())
                && words[at].trim_end_matches([':', ',', ';']) == "s";
            if is_time && words[at - 1].parse::<u64>().is_ok() {
                "1".clone_into(&mut words[at - 1]);
            }
        }
        lines.push_str(words.join(" ").trim_end());
        lines.push('\n');
    }
    lines
}

#[test]
fn a_walk_is_as_its_page_tells() {
    let mut walk = Walk::new();
    begin(&mut walk);
    fetch(&mut walk);
    change(&mut walk);
    look(&mut walk);
    let expected = expect_file!["../../../../docs/walk.md"];
    if full_disk(&mut walk) {
        expected.assert_eq(&walk.page);
    } else {
        let page =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/walk.md"))
                .unwrap();
        assert_eq!(page.split(LAST).next().unwrap(), walk.page);
    }
}

fn begin(walk: &mut Walk) {
    walk.says("## The first minute");
    walk.shows("jindo --help");
    walk.says("`jindo demo` shows an export without keys; its own page would be a copy of what follows. A list of one's own:");
    walk.shows("cat queries.txt");
    walk.shows("jindo plan queries.txt --from 2026-06-01 --to 2026-06-21 --timezone Asia/Seoul");
    walk.says("A list with mistakes, a range that is none, a wrong key: told at once, nothing is asked or written.");
    fs::write(walk.world.path("wrong.txt"), "system.cpu.user\navg:m{*\nsum:m{*}.rollup(sum, 37)\n")
        .unwrap();
    walk.shows("jindo plan wrong.txt --from 2026-06-01");
    walk.shows("jindo plan queries.txt --from 2026-06-31");
    walk.shows("jindo status");
    walk.shows(
        "DD_APP_KEY=wrong jindo export queries.txt --from 2026-06-01 --to 2026-06-21 --timezone Asia/Seoul \
         --api-url http://127.0.0.1:8080",
    );
}

fn fetch(walk: &mut Walk) {
    walk.says("## Export, ^C, the same again");
    walk.says("(`--concurrency 1`, so that the page is the same each time that it is made. The eighth call gets no answer, and ^C is pressed.)");
    walk.interrupts(
        "jindo export queries.txt --from 2026-06-01 --to 2026-06-21 --timezone Asia/Seoul --concurrency 1 --api-url http://127.0.0.1:8080",
    );
    walk.shows("jindo status");
    walk.shows("jindo verify");
    walk.shows("jindo export --concurrency 1");
    walk.shows("jindo verify");
    walk.shows("jindo export");
}

fn change(walk: &mut Walk) {
    walk.says("## Extend, narrow, another list");
    walk.shows("jindo export --to 2026-06-23");
    walk.shows("jindo export --from 2026-06-10 --to 2026-06-12");
    fs::write(
        walk.world.path("other.txt"),
        format!("{}\navg:aws.ec2.network_in{{*}} by {{host}}\n", LIST[0]),
    )
    .unwrap();
    walk.shows("cat other.txt");
    walk.shows("jindo export other.txt");
    walk.shows("jindo status");
    walk.shows("jindo verify");
}

fn look(walk: &mut Walk) {
    walk.says("## The files, and a part of them");
    walk.shows("ls jindo-export jindo-export/csv");
    walk.shows("head -3 jindo-export/csv/aws.ec2.network_in/*.csv | head -4");
    walk.shows("head -3 jindo-export/series.csv");
    walk.shows("cat jindo-export/queries.csv");
    walk.shows(
        "jindo extract --query 'p95:app.latency*' --from 2026-06-02 --to 2026-06-04 --out latency",
    );
    walk.shows("ls latency latency/csv");
    walk.shows("jindo verify latency");
}

/// Returns false where no file system can be mounted here.
fn full_disk(walk: &mut Walk) -> bool {
    let url = walk.world.sim.url();
    let args = [
        "export",
        "queries.txt",
        "--from",
        "2026-06-01",
        "--to",
        "2026-06-03",
        "--api-url",
        &url,
        "--out",
        "small",
    ]
    .map(str::to_owned);
    let script = r#"mkdir small; mount -t tmpfs -o size=400k tmpfs small; exec 2>&1; "$0" "$@""#;
    let Some(output) = with_mounts(&walk.world, script, &args) else { return false };
    walk.page.push_str(LAST);
    walk.says("`small` lies on a disk of 400 kB.");
    let line = args.join(" ").replace(&url, "http://127.0.0.1:8080");
    walk.add(&format!("jindo {line}"), &output);
    true
}
