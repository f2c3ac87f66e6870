//! Kill campaign: one export under kill -9, SIGSTOP and faults, compared with an undisturbed one; and the counts of the tests that
//! simulate crashes and faults. Prints one table, and ends with an error if anything was lost.

use crate::process::{Simulator, binary, built_in_queries, cargo, empty, files, now, rest, write};
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Calls that a killed run may have in flight, all of which are lost with it: `--concurrency`.
const IN_FLIGHT_MAX: u64 = 8;

/// Answers come quickly and in no order, so that a kill finds every stage busy.
const LATENCY: &str = "0.05s-0.3s";

/// A process is killed within this time of its start, or of the answer that it was allowed to wait for.
const LIFE_MAX: Duration = Duration::from_millis(400);

/// Of so many processes one is stopped and continued before it is killed.
const STOPPED_OF: u64 = 5;

/// The range begins so many days ago: long settled, and within the retention.
const BEGINS_DAYS_AGO: i64 = 40;

/// A process without an answer from the server is killed after this time.
const LIFE_SILENT_MAX: Duration = Duration::from_secs(5);

/// Tests that print counts of what they survive.
const SUITES: [(&str, &str); 2] = [("jindo", "simulation"), ("jindo-cli", "faults::matrix")];

#[derive(Debug, clap::Args)]
pub(crate) struct EndureArgs {
    /// Number of queries, the first of the built-in list
    #[arg(long, default_value_t = 579)]
    queries: usize,
    #[arg(long, default_value_t = 8)]
    days: u32,
    /// Processes of the one export that are killed
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// Faults that the simulator injects
    #[arg(long, default_value = "5%")]
    faults: String,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of seeds of the simulation's servers [default: the tests' own]
    #[arg(long)]
    seeds: Option<u64>,
    /// Kill this binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Run only the kill campaign, without the simulations
    #[arg(long)]
    only_kills: bool,
}

/// Kills an export again and again, compares, and prints the table.
pub(crate) fn run(arguments: &EndureArgs, target: &Path) -> anyhow::Result<()> {
    let binary = binary(arguments.binary.as_deref(), target)?;
    let campaign = Campaign::prepare(&binary, arguments, &target.join("endure"))?;
    let mut table = campaign.run()?;
    if !arguments.only_kills {
        table.extend(tallies(arguments)?);
    }
    println!();
    for (number, what) in table {
        println!("{number:>12}  {what}");
    }
    Ok(())
}

/// Lines of the table: numbers, and the things counted.
type Counts = Vec<(u64, String)>;

struct Campaign<'a> {
    binary: &'a Path,
    arguments: &'a EndureArgs,
    place: PathBuf,
    list: PathBuf,
    /// The range, as days.
    from: String,
    until: String,
}

impl<'a> Campaign<'a> {
    fn prepare(binary: &'a Path, arguments: &'a EndureArgs, place: &Path) -> anyhow::Result<Self> {
        empty(place)?;
        let list = place.join("queries.txt");
        write(&list, &built_in_queries(binary, arguments.queries)?)?;
        let from = today().checked_sub(jiff::Span::new().try_days(BEGINS_DAYS_AGO)?)?;
        let until = from.checked_add(jiff::Span::new().try_days(arguments.days)?)?;
        let (from, until) = (from.to_string(), until.to_string());
        Ok(Self { binary, arguments, place: place.to_owned(), list, from, until })
    }

    fn run(&self) -> anyhow::Result<Counts> {
        let EndureArgs { queries, days, kills, faults: injected, .. } = self.arguments;
        println!("an undisturbed export of {queries} queries x {days} days …");
        // The same seed gives both the same organisation.
        let seed = self.arguments.seed.to_string();
        let calm = Simulator::start(self.binary, &["--seed", &seed])?;
        let status = self.export(&calm, "undisturbed").status()?;
        ensure!(status.success(), "the undisturbed export ended with {status}");
        let planned = calm.count("query_calls")?;

        println!("the same, killed {kills} times …");
        let nasty = ["--latency", LATENCY, "--faults", injected, "--seed", &seed];
        let simulator = Simulator::start(self.binary, &nasty)?;
        let stops = self.kill(&simulator, planned)?;
        let status = self.export(&simulator, "killed").status()?;
        ensure!(status.success(), "the last process of the killed export ended with {status}");
        let (made, faults) = (simulator.count("query_calls")?, simulator.count("faults")?);
        let most = planned + kills * IN_FLIGHT_MAX + faults;
        ensure!(made <= most, "{made} calls where {most} have a reason");
        let (files, bytes) = same(&self.place.join("undisturbed"), &self.place.join("killed"))?;
        let verified = Command::new(self.binary)
            .arg("verify")
            .arg(self.place.join("killed"))
            .stdout(Stdio::null())
            .status()?;
        ensure!(verified.success(), "verify ended with {verified}");

        Ok(vec![
            (*kills, "processes of one export killed with SIGKILL".to_owned()),
            (stops, "of them stopped and continued before (SIGSTOP, SIGCONT)".to_owned()),
            (faults, format!("faults injected by the simulator meanwhile ({injected})")),
            (made, format!("calls made; {planned} undisturbed, at most {most} with a reason")),
            (
                files,
                format!(
                    "files compared with the undisturbed export's, {bytes} bytes: all the same"
                ),
            ),
        ])
    }

    /// Starts the export again and again and kills each process at a random moment. The export must not finish before the last
    /// kill: a process may wait for no more answers than its share of the calls. Returns the number of those stopped before.
    fn kill(&self, simulator: &Simulator, planned: u64) -> anyhow::Result<u64> {
        let mut random = Random(self.arguments.seed);
        let (kills, mut stops) = (self.arguments.kills, 0);
        let before = simulator.count("query_calls")?;
        for kill in 0..kills {
            let share = planned * kill / kills;
            let stored = objects(&self.place.join("killed"))?;
            let answers = u64::from(stored <= share);
            let life =
                Duration::from_millis(random.below(1 + u64::try_from(LIFE_MAX.as_millis())?));
            let mut child = self.export(simulator, "killed").spawn()?;
            let stop = random.below(STOPPED_OF) == 0;
            let ended = live(&mut child, &self.place.join("killed"), stored + answers, life)?;
            if let Some(status) = ended {
                bail!(
                    "done after {kill} kills of {kills} ({status}); {before} calls before: take more days or fewer kills"
                );
            }
            if stop {
                signal(&child, Signal::STOP)?;
                rest();
                signal(&child, Signal::CONT)?;
                rest();
                stops += 1;
            }
            child.kill()?;
            child.wait()?;
        }
        Ok(stops)
    }

    fn export(&self, simulator: &Simulator, out: &str) -> Command {
        let mut command = simulator.export(self.binary, &self.list, &self.place.join(out));
        command.args(["--from", &self.from, "--to", &self.until]).stderr(Stdio::null());
        command
    }
}

/// Lets a process run until `objects_wanted` objects are there, and `life` longer. Returns its status if it ended before.
fn live(
    child: &mut Child,
    out: &Path,
    objects_wanted: u64,
    life: Duration,
) -> anyhow::Result<Option<ExitStatus>> {
    let mut waited = now();
    let mut reached = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if !reached && objects(out)? >= objects_wanted {
            (reached, waited) = (true, now());
        }
        if waited.elapsed() >= if reached { life } else { LIFE_SILENT_MAX } {
            return Ok(None);
        }
        rest();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a range that the retention holds whenever this runs"
)]
fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn signal(child: &Child, signal: Signal) -> anyhow::Result<()> {
    Ok(kill_process(Pid::from_child(child), signal)?)
}

/// Counts the objects in the archive of `out`.
fn objects(out: &Path) -> anyhow::Result<u64> {
    let files = files(out, &out.join("archive/data"))?;
    Ok(files.keys().filter(|name| name.ends_with(".parquet")).count() as u64)
}

/// Compares all files for users: csv/ and the tables. Returns the number of files and of their bytes.
fn same(expected: &Path, found: &Path) -> anyhow::Result<(u64, usize)> {
    let (left, right) = (shown(expected)?, shown(found)?);
    ensure!(left.keys().eq(right.keys()), "the exports have different files");
    let mut bytes = 0;
    for (name, path) in &left {
        let (one, other) = (fs::read(path)?, fs::read(&right[name])?);
        ensure!(one == other, "{name} differs");
        bytes += one.len();
    }
    Ok((left.len() as u64, bytes))
}

fn shown(out: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut files = files(out, &out.join("csv"))?;
    let tables = ["series.csv", "queries.csv", "gaps.csv"];
    files.extend(tables.map(|table| (table.to_owned(), out.join(table))));
    Ok(files)
}

/// Runs the tests that print counts, and returns their lines `tally: NUMBER what`.
fn tallies(arguments: &EndureArgs) -> anyhow::Result<Counts> {
    let mut all = Vec::new();
    for (package, filter) in SUITES {
        println!("{package}: {filter} …");
        let mut command = Command::new(cargo());
        command.args(["test", "--locked", "--quiet", "--package", package, "--test", "it", filter]);
        command.args(["--", "--nocapture"]).stderr(Stdio::inherit());
        if let Some(seeds) = arguments.seeds {
            command.env("SEEDS", seeds.to_string());
        }
        let output = command.output().context("while starting the tests")?;
        ensure!(output.status.success(), "{package} {filter} failed: {}", output.status);
        let sums = tallied(&String::from_utf8_lossy(&output.stdout))?;
        all.extend(sums.into_iter().map(|(what, number)| (number, what)));
    }
    Ok(all)
}

/// Reads lines `tally: NUMBER what`, and adds up those of the same words.
fn tallied(text: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    let tallies = text.lines().filter_map(|line| line.split_once("tally: ")?.1.split_once(' '));
    for (number, what) in tallies {
        let number: u64 = number.parse().with_context(|| format!("{number} {what}"))?;
        *sums.entry(what.to_owned()).or_default() += number;
    }
    Ok(sums)
}

/// Pseudo-random numbers (a linear congruence): the campaign of a seed can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_of_the_same_words_are_added_up() {
        let text = "running 2 tests\ntest a ... tally: 3 kills\ntally: 4 kills\ntally: 1 reset\nok";
        let all = BTreeMap::from([("kills".to_owned(), 7), ("reset".to_owned(), 1)]);
        assert_eq!(tallied(text).unwrap(), all);
        assert!(tallied("tally: many kills").is_err());
    }
}
