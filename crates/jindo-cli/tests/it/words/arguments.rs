//! Arguments and variables of the environment: each is repeated by the error that refuses it.

use super::{assert_steers_nothing, assert_within_its_line, forged};
use crate::support::{World, calm, exits};
use std::process::Command;

/// Command lines with `{}` in place of the text, in commas, and their exit codes.
const LINES: [(&str, i32); 52] = [
    ("{}", 2),
    ("--{}", 2),
    ("export,--{}", 2),
    ("export,--{}=1", 2),
    ("export,queries.txt,{}", 2),
    ("status,out,{}", 2),
    ("status,{}", 2),
    ("status,--json={},out", 2),
    ("verify,{}", 2),
    ("verify,{},--repair", 2),
    ("verify,out,--refetch,{}", 2),
    ("verify,out,--refetch,1%,--seed,{}", 2),
    ("extract,{}", 2),
    ("extract,out,--format,{}", 2),
    ("plan,{},--from,-1d", 2),
    ("plan,queries.txt,--from,{}", 2),
    ("plan,queries.txt,--from,-1d,--to,{}", 2),
    ("plan,queries.txt,--from,-1d,--timezone,{}", 2),
    ("plan,queries.txt,--from,-1d,--resolution,{}", 2),
    ("plan,queries.txt,--from,-1d,--limit,{}", 2),
    ("plan,queries.txt,--from,-1d,--reserve,{}", 2),
    ("plan,queries.txt,--from,-1d,--settle,{}", 2),
    ("plan,queries.txt,--from,-1d,--fill,{}", 2),
    ("plan,queries.txt,--from,-1d,--assume-type,{}", 2),
    ("plan,queries.txt,--from,-1d,--var,{}", 2),
    ("plan,hosts.txt,--from,-1d,--var,host={}", 2),
    ("export,{},--from,-1d", 2),
    ("export,queries.txt,--from,{}", 2),
    ("export,queries.txt,--from,-1d,--look-back,{}", 2),
    ("export,queries.txt,--from,-1d,--max-calls,{}", 2),
    ("export,queries.txt,--from,-1d,--concurrency,{}", 2),
    ("export,queries.txt,--from,-1d,--give-up-after,{}", 2),
    ("export,queries.txt,--from,-1d,--progress,{}", 2),
    ("export,queries.txt,--rolling,{}", 2),
    ("export,queries.txt,--from,-3d,--site,{}", 2),
    ("export,queries.txt,--from,-3d,--site,datadoghq.eu{}", 2),
    ("export,queries.txt,--from,-3d,--key-file,{}", 2),
    ("export,queries.txt,--from,-3d,--site,a,--api-url,b,{}", 2),
    ("simulate,{}", 2),
    ("simulate,--port,{}", 2),
    ("simulate,--limit,{}", 2),
    ("simulate,--latency,{}", 2),
    ("simulate,--latency,1s-{}", 2),
    ("simulate,--cap,{}", 2),
    ("simulate,--clip,{}", 2),
    ("simulate,--max-queries,{}", 2),
    ("simulate,--faults,{}", 2),
    ("simulate,--metadata,{}", 2),
    ("simulate,--seed,{}", 2),
    ("simulate,--wide,{}", 2),
    ("demo,{}", 2),
    ("help,{}", 2),
];

#[test]
fn attempts_to_forge_a_line_by_an_argument() {
    let world = World::new(calm(), &["avg:m{*}"]);
    std::fs::write(world.path("hosts.txt"), "avg:m{host:$host}\n").unwrap();
    let texts = forged();
    for (line, code) in LINES {
        for text in &texts {
            let args = line.split(',').map(|word| word.replace("{}", text));
            let output = world.run(args);
            exits(&output, code);
            if line.contains("--faults") {
                // Of it no more is shown than a kind, which ends at a colon.
                assert_steers_nothing(line, text, &output);
            } else {
                assert_within_its_line(line, text, &output);
            }
        }
    }
    assert!(!world.out().exists() && world.stats().query_calls == 0);
    jindo_testing::all_held("lines and controls in arguments", LINES.len() * texts.len());
}

/// Variables that are repeated by what refuses them, or by what is said of the machine.
const VARIABLES: [(&str, &str); 2] = [
    ("DD_SITE", "export,queries.txt,--from,-3d"),
    ("SHELL", "export,queries.txt,--from,-3d,--key-command,true"),
];

#[test]
fn attempts_to_forge_a_line_by_the_environment() {
    let world = World::new(calm(), &["avg:m{*}"]);
    let texts = forged();
    for text in &texts {
        for (name, line) in VARIABLES {
            let output = world.command(line.split(',')).env(name, text).output().unwrap();
            exits(&output, 2);
            if name == "DD_SITE" {
                assert_within_its_line(name, text, &output);
            } else {
                // It is not repeated.
                let said = String::from_utf8(output.stderr).unwrap();
                assert!(
                    said.contains("\nerror: --key-command failed: ") && !said.contains("FORGED"),
                    "{said}"
                );
            }
        }
    }
    jindo_testing::all_held("lines and controls in the environment", VARIABLES.len() * texts.len());
}

/// The name by which a program is called is the caller's choice.
#[cfg(unix)]
#[test]
fn a_usage_line_names_jindo_whatever_it_is_called() {
    use std::os::unix::process::CommandExt as _;
    for text in forged() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jindo"));
        let output =
            command.arg0(format!("/{text}")).args(["export", "--nonsense"]).output().unwrap();
        exits(&output, 2);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("Usage: jindo export") && !said.contains("FORGED"), "{said}");
    }
}
