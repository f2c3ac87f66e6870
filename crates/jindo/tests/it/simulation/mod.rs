//! The run under faults and crashes, on a virtual clock, from one seed: the real machine, archive and extraction against
//! the simulated server, with a ledger, an object store and a disk that fail on command.
//!
//! The oracle: after any faults and any crashes the files are, to the byte, those of a faultless run; and those are what
//! the organisation's own oracle says. A failure prints its one-line reproduction.

mod crashes;
mod disk;
mod job;
mod oracle;
mod probes;
mod samples;
mod seeds;
mod session;
mod temper;
mod wire;
mod world;

/// Says how to see a failure again.
struct Reproduction(u64);

impl Drop for Reproduction {
    #[expect(clippy::print_stderr, reason = "whoever sees the failure needs the line")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SEED={} cargo test -p jindo --test it simulation", self.0);
        }
    }
}

/// Counts something survived, for `cargo xtask endure`, which adds it up.
#[expect(clippy::print_stdout, reason = "a tally is heard with --nocapture alone")]
fn tell(number: u64, what: &str) {
    println!("tally: {number} {what}");
}

/// The seeds of this test run: `SEED` alone, or the first `SEEDS`, or the first `usually`.
fn seeds(usually: u64) -> std::ops::RangeInclusive<u64> {
    match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => seed..=seed,
        (None, Some(count)) => 1..=count,
        (None, None) => 1..=usually,
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's only setting")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a seed is a number"))
}

/// `SEED` alone, or one of `stride` numbers below `all`: all of them where `SEEDS` asks for a long run.
fn sampled(all: u64, stride: u64) -> Vec<u64> {
    match (number("SEED"), number("SEEDS")) {
        (Some(one), _) => vec![one],
        (None, Some(_)) => (0..all).collect(),
        (None, None) => (0..all).step_by(usize::try_from(stride).unwrap()).collect(),
    }
}
