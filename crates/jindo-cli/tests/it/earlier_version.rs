//! Directories that an earlier version made (`tests/fixtures`) are read, continued and verified. The sums of a gauge are asked
//! again, and nothing else.

use crate::plain_parquet::assert_plain;
use crate::support::{START_S, World, assert_equals_the_function, calm, exits};
use std::fs;
use std::path::Path;
use std::process::Command;

const QUERIES: [&str; 3] = [
    "avg:odd.values{*} by {host}",
    "sum:aws.ec2.cpuutilization{*}.as_count()",
    "sum:app.requests{*}.as_count()",
];
const HOUR_S: i64 = 3_600;

fn unpacked(fixture: &str) -> World {
    let world = World::new(calm(), &QUERIES);
    fs::create_dir(world.out()).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(fixtures.join(fixture)).arg("-C").arg(world.out());
    exits(&tar.output().unwrap(), 0);
    world
}

fn verify(world: &World, code: i32) -> String {
    let output = world.run(["verify", "out"]);
    exits(&output, code);
    String::from_utf8(output.stdout).unwrap()
}

fn metadata_calls(world: &World) -> u64 {
    world.stats().calls_by_path.get("/api/v1/metrics/{name}").copied().unwrap_or(0)
}

#[test]
fn a_directory_of_format_2_opens_continues_and_verifies() {
    let table =
        "queries.csv: of an earlier version; the next export or extract brings it up to date";
    let files = "files of 3 queries are still to be written; the next export";
    for (fixture, code, behind) in
        [("format-2.tar.gz", 0, table), ("format-2-narrowed.tar.gz", 3, files)]
    {
        let world = unpacked(fixture);
        let before = world.tree();
        exits(&world.run(["status", "out"]), 0);
        let verified = verify(&world, code);
        assert!(verified.contains("1 file of the archive, 360 rows: all as written"), "{verified}");
        assert!(verified.contains(behind), "{verified}");
        exits(&world.run(["extract", "out", "--query", "*", "--out", "elsewhere"]), 0);
        assert_eq!((world.tree(), world.stats().query_calls), (before, 0));

        let export = |hours: i64| world.run(world.export_args(START_S, START_S + hours * HOUR_S));
        exits(&export(2), 0);
        assert_eq!((world.stats().query_calls, metadata_calls(&world)), (1, 2), "{fixture}");
        assert_equals_the_function(&world, &QUERIES, START_S, START_S + 2 * HOUR_S);
        verify(&world, 0);
        exits(&export(2), 0);
        assert_eq!((world.stats().query_calls, metadata_calls(&world)), (1, 2), "{fixture}");

        exits(&export(12), 0);
        assert_equals_the_function(&world, &QUERIES, START_S, START_S + 12 * HOUR_S);
        let points = assert_plain(&world);
        fs::remove_file(world.out().join("archive/ledger.db")).unwrap();
        exits(&world.run(["verify", "out", "--repair"]), 0);
        verify(&world, 0);
        assert_eq!(assert_plain(&world), points);
    }
}

#[test]
fn a_lost_ledger_of_format_2_is_rebuilt_from_its_footers() {
    let world = unpacked("format-2.tar.gz");
    fs::remove_file(world.out().join("archive/ledger.db")).unwrap();
    let repaired = world.run(["verify", "out", "--repair"]);
    exits(&repaired, 0);
    assert_eq!(world.stats().query_calls, 0);
    let verified = verify(&world, 0);
    assert!(verified.contains("1 file of the archive, 360 rows: all as written"), "{verified}");
}
