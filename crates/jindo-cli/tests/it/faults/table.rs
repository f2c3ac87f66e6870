//! docs/faults.md as data: what each row promises.

use std::fs;
use std::path::Path;

/// What jindo does about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// The answer is as good as any.
    Accepts,
    /// The same call again.
    Retries,
    /// Smaller calls.
    Splits,
    /// One query is left out and named, the others are complete; the next run asks it again.
    GivesUp,
    /// Ends, keeping what it has; the next run goes on.
    Stops,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) does: Does,
    /// Calls besides those of a faultless run, with those of the next run where one is needed: at least and at most.
    pub(crate) calls: (u64, u64),
    pub(crate) exit: i32,
    /// Words that the user is shown, or finds in the tables or in the run's log.
    pub(crate) sees: Vec<String>,
}

/// All rows of the tables, which begin with a name in backticks.
pub(crate) fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

fn row(line: &str) -> Row {
    let row: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [name, _wire, does, calls, exit, sees] = row[..] else {
        panic!("six cells, please: {line}")
    };
    Row {
        name: name.trim_matches('`').to_owned(),
        does: match does {
            "accept" => Does::Accepts,
            "retry" => Does::Retries,
            "split" => Does::Splits,
            "give up the query" => Does::GivesUp,
            "stop the run" => Does::Stops,
            other => panic!("`{other}` is nothing that jindo does: {line}"),
        },
        calls: range(calls),
        exit: exit.parse().unwrap(),
        sees: sees.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
    }
}

/// `0`, `+1`, `+2 to +5`.
fn range(text: &str) -> (u64, u64) {
    let number = |text: &str| text.trim_start_matches('+').parse().unwrap();
    let (least, most) = text.split_once(" to ").unwrap_or((text, text));
    (number(least), number(most))
}
