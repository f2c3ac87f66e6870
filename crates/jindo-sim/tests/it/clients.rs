//! Datadog's own Python clients, unmodified, against the simulator: they must accept every answer and read the values
//! that the oracle says. They are the judges that neither this crate nor its users wrote.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jindo_sim::{Options, Organisation, Simulator};
use serde_json::Value;

const PACKAGES: [&str; 2] = ["datadog==0.56.0", "datadog-api-client==2.62.0"];

/// 2026-03-01T00:00:00Z.
const FROM_S: i64 = 1_772_323_200;

/// A Python with the clients: made once under `target/`, found again afterwards.
fn python() -> PathBuf {
    let home =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(PACKAGES.join("_").replace("==", "-"));
    let python = home.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python3" });
    let whole = home.join("whole");
    if !whole.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(PACKAGES));
        std::fs::File::create(whole).unwrap();
    }
    python
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{words}", output.status);
    output.stdout
}

/// `[query index, tags, [[time in s, bits of the value]]]` of every series, as the script prints it.
fn oracle(query: &str, to_s: i64) -> Vec<Value> {
    let expected = Organisation::built_in(5).expected(query, FROM_S, to_s, 60).unwrap();
    expected
        .into_iter()
        .map(|e| {
            let points = e.points.iter().map(|(t, v)| {
                Value::from(vec![Value::from(*t), Value::from(format!("{:016x}", v.to_bits()))])
            });
            Value::from(vec![Value::from(e.query_index), Value::from(e.tags), points.collect()])
        })
        .collect()
}

fn sorted(rows: &Value) -> Vec<Value> {
    let mut rows = rows.as_array().unwrap().clone();
    rows.sort_by_key(ToString::to_string);
    rows
}

#[test]
fn the_official_clients_read_what_the_oracle_says() {
    let mut options = Options::new(5);
    options.now_at_start = Some(Duration::from_secs(FROM_S.unsigned_abs() + 172_800));
    let sim = Simulator::start(options).unwrap();
    let first = "avg:odd.values{*} by {host}.rollup(avg,60).fill(null)";
    let query = format!(
        "{first},avg:aws.cloudfront.requests{{*}} by {{distributionid}}.rollup(avg,60).fill(null),\
         avg:system.cpu.user{{*}} by {{host}}.rollup(avg,60).fill(null)"
    );
    let to_s = FROM_S + 7_200;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients.py");
    let arguments = [sim.url(), FROM_S.to_string(), to_s.to_string(), query.clone()];
    let printed = run(Command::new(python()).arg(script).args(arguments));
    let printed: Value = serde_json::from_slice(&printed).unwrap();
    let expected = sorted(&Value::from(oracle(&query, to_s)));
    assert!(expected.len() > 3, "{} series", expected.len());
    assert_eq!(sorted(&printed["classic"]), expected, "datadog");
    assert_eq!(sorted(&printed["v1"]), expected, "datadog-api-client, v1");
    assert_eq!(
        sorted(&printed["v2"]),
        sorted(&Value::from(oracle(first, to_s))),
        "datadog-api-client, v2"
    );
    assert_eq!(printed["names"], Organisation::built_in(5).metrics().len());
}
