//! Ledgers that somebody else wrote: what they define, where their pages point, what stands in their cells. Each attempt is made with
//! the real binary, within limits of memory and time that a directory of two queries does not come near.

mod addresses;
mod amounts;
mod cells;
mod hidden;
mod pages;
mod schemas;

use crate::support::{DAY_S, START_S, World, calm, copy, exits};
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

const QUERIES: [&str; 2] =
    ["avg:aws.ec2.cpuutilization{*}", "sum:aws.applicationelb.request_count{*}.as_count()"];

/// Memory that a process may have mapped, in KiB. An export of two queries takes some 300 MB, most of it never used.
const MAPPED_KIB_MAX: u32 = 1_500_000;

/// Longest run of the debug build. A sound directory takes a tenth of a second.
const RUN_MAX: Duration = Duration::from_secs(20);

/// A sound export, of which attempts take a copy each.
struct Sound {
    world: World,
}

impl Sound {
    fn new() -> Self {
        let world = World::new(calm(), &QUERIES);
        exits(&world.export(1), 0);
        fs::rename(world.out(), world.path("sound")).unwrap();
        Self { world }
    }

    fn ledger(&self) -> PathBuf {
        self.world.path("sound/archive/ledger.db")
    }

    /// Puts a copy of the sound export at `out`, and returns its ledger.
    fn fresh(&self) -> PathBuf {
        drop(fs::remove_dir_all(self.world.out()));
        copy(&self.world.path("sound"), &self.world.out());
        self.world.out().join("archive/ledger.db")
    }

    /// Runs a command within the limits; fails when it does not end in time, or panics.
    #[track_caller]
    fn attempt(&self, name: &str, args: &[&str]) -> Output {
        let script = format!(
            "ulimit -c 0; ulimit -v {MAPPED_KIB_MAX}; exec timeout -s KILL {} \"$0\" \"$@\"",
            RUN_MAX.as_secs()
        );
        let began = Instant::now();
        let output = self.world.shell(&script, args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(began.elapsed() < RUN_MAX, "{name}: {args:?} took too long\n{said}");
        assert!(!said.contains("panicked"), "{name}: {args:?}\n{said}");
        assert!(
            output.status.code().is_some(),
            "{name}: {args:?} was killed: {}\n{said}",
            output.status
        );
        output
    }

    /// Runs every command that opens a ledger, and fails unless each names the damage and what mends it.
    #[track_caller]
    fn is_damaged(&self, name: &str) {
        for args in [
            &["status", "out"][..],
            &["plan", "--out", "out"],
            &["extract", "out"],
            &["export", "--out", "out", "--progress", "none"],
        ] {
            let output = self.attempt(name, args);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{name}: {args:?}\n{said}");
            let mends = said.contains("the ledger is damaged (")
                && said.contains("--repair` rebuilds it from what was fetched");
            assert!(mends, "{name}: {args:?}\n{said}");
        }
        let verified = self.attempt(name, &["verify", "out"]);
        assert_eq!(verified.status.code(), Some(1), "{name}: {verified:?}");
    }

    /// Repairs the directory, and fails unless it is sound then.
    #[track_caller]
    fn is_mended(&self, name: &str) {
        let repaired = self.attempt(name, &["verify", "out", "--repair"]);
        assert!(matches!(repaired.status.code(), Some(0 | 3)), "{name}: {repaired:?}");
        let export = self.export_args();
        let export: Vec<&str> = export.iter().map(String::as_str).collect();
        let exported = self.attempt(name, &export);
        assert_eq!(exported.status.code(), Some(0), "{name}: {exported:?}");
        let verified = self.attempt(name, &["verify", "out"]);
        assert_eq!(verified.status.code(), Some(0), "{name}: {verified:?}");
    }

    fn export_args(&self) -> Vec<String> {
        self.world.export_args(START_S, START_S + DAY_S)
    }
}
