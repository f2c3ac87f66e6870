//! Points that are reported late, with the real binary: windows are asked again once after each step, and no more.

use super::plain_parquet::assert_plain;
use super::support::{DAY_S, World, calm, exits, now_ms, step_since, tree};
use jindo_sim::Simulator;
use std::fs;
use std::path::{Path, PathBuf};

const HOUR_S: i64 = 3_600;

/// A world whose range ended some hours ago.
struct Late {
    world: World,
    end_s: i64,
}

impl Late {
    fn new(ended_h: i64) -> Self {
        let world = World::new(calm(), &["avg:system.cpu.user{*} by {host}"]);
        let end_s = now_ms() / 1_000 / HOUR_S * HOUR_S - ended_h * HOUR_S;
        Self { world, end_s }
    }

    /// Exports from a server that shows points so long after their time. Returns the calls for points.
    fn export(&mut self, late_s: i64, look_back: &str) -> u64 {
        let mut options = calm();
        options.late_s = late_s;
        self.world.sim = Simulator::start(options).unwrap();
        let mut args = self.world.export_args(self.end_s - DAY_S, self.end_s);
        args.extend(["--look-back", look_back, "--rebind"].map(str::to_owned));
        exits(&self.world.run(args), 0);
        self.world.stats().calls_by_path.get("/api/v1/query").copied().unwrap_or_default()
    }

    /// A step that has come now, and had not when the last export asked.
    fn step(&self) -> String {
        step_since(self.end_s)
    }

    fn objects(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        collect(&self.world.out().join("archive/data"), &mut all);
        all.sort();
        all
    }
}

fn collect(dir: &Path, all: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, all);
        } else {
            all.push((path.clone(), fs::read(path).unwrap()));
        }
    }
}

/// Points that come 2 h and 30 h after their time: the run after each step has them, and equal answers change nothing.
#[test]
fn late_points_are_fetched_once_after_each_step() {
    for late_h in [2, 30] {
        let mut late = Late::new(late_h);
        assert_eq!(late.export((late_h + 5) * HOUR_S, "0"), 1);
        let early = tree(&late.world.out());
        let table = String::from_utf8(early["queries.csv"].clone()).unwrap();
        assert!(table.contains(",not closed yet: points may still be reported late\n"), "{table}");
        let first = late.step();
        assert_eq!(late.export(0, &first), 1, "after the step");
        let whole = tree(&late.world.out());
        assert_ne!(early, whole, "the late points are there");
        let points = assert_plain(&late.world);
        let objects = late.objects();
        assert_eq!(late.export(0, &first), 0, "and once");
        assert_eq!(late.export(0, "none"), 0);
        let both = format!("{first},{}", late.step());
        assert_eq!(late.export(0, &both), 1, "after the second");
        assert_eq!(late.export(0, &both), 0);
        assert!(late.objects() == objects, "an equal answer leaves objects as they are");
        assert!(tree(&late.world.out()) == whole);
        assert_eq!(assert_plain(&late.world), points);
        assert_eq!(late.export(0, "0"), 0);
    }
}
