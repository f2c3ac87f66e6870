//! Objects that say other things than jindo writes, with hashes that are right: `verify` names what is wrong, what needs the rows says
//! what to do, a repair sets the object aside, and the next export ends with the bytes of a run without any of it.

use crate::support::{DAY_S, START_S, World, calm, copy, exits, printed, tree, walk};
use jindo_testing::{ForgedObject, ForgedRow, all_held};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Output;

const QUERIES: [&str; 2] = ["avg:system.cpu.user{*} by {host}", "avg:odd.values{*}"];

/// A change of an object; what `verify` says of it, where `SENT` is the first query as it was sent, and `ROWS` how many it has.
type Kind = (&'static str, &'static str, fn(&mut ForgedObject));

const KINDS: &[Kind] = &[
    ("a value that is NaN", NO_NUMBER, |object| row(object, 5).value = f64::NAN),
    ("an infinite value", NO_NUMBER, |object| row(object, 5).value = f64::INFINITY),
    ("a value below all", NO_NUMBER, |object| row(object, 0).value = f64::NEG_INFINITY),
    ("a time twice", "a series has a time twice", |object| {
        row(object, 5).ts_ms = object.groups[0][4].ts_ms;
    }),
    ("times in disorder", DISORDER, |object| {
        let [one, next] = [5, 6].map(|at| object.groups[0][at].ts_ms);
        (row(object, 5).ts_ms, row(object, 6).ts_ms) = (next, one);
    }),
    ("a time a second off the grid", OFF_GRID, |object| row(object, 5).ts_ms += 1_000),
    ("a time a millisecond off the grid", OFF_GRID, |object| row(object, 5).ts_ms += 1),
    ("a time beyond the window amid others", DISORDER, |object| {
        row(object, 5).ts_ms += 2 * DAY_S * 1_000;
    }),
    ("a time before the window amid others", DISORDER, |object| {
        row(object, 5).ts_ms -= 2 * DAY_S * 1_000;
    }),
    ("a last time beyond any calendar", ENDS_ELSEWHERE, |object| {
        let last = points(object, 0) - 1;
        row(object, last).ts_ms = i64::MAX;
    }),
    ("a first time before any calendar", STARTS_ELSEWHERE, |object| {
        row(object, 0).ts_ms = i64::MIN;
    }),
    ("rows behind the window, and a footer that says so", BOUNDS, |object| {
        let last = points(object, 0) - 1;
        row(object, last).ts_ms += DAY_S * 1_000;
        object.footer["series"][0]["last"] = json!("2026-06-02T23:59:00Z");
    }),
    ("rows before the window, and a footer that says so", BOUNDS, |object| {
        row(object, 0).ts_ms -= DAY_S * 1_000;
        object.footer["series"][0]["first"] = json!("2026-05-31T00:00:00Z");
    }),
    ("a window that ends before its rows", BOUNDS, |object| {
        object.footer["end"] = json!("2026-06-01T01:00:00Z");
    }),
    ("a series without its first time", BOUNDS, |object| {
        object.footer["series"][0]["first"] = Value::Null;
    }),
    ("a series that starts within a second", STEPS, |object| {
        object.footer["series"][0]["first"] = json!("2026-06-01T00:00:00.5Z");
    }),
    ("a series with more points than steps", STEPS, |object| {
        add(object, "/series/0/points", 1_000_000);
        add(object, "/queries/0/rows", 1_000_000);
    }),
    (
        "more rows than an answer has",
        "its footer counts more rows than an answer has (11184810)",
        |object| {
            add(object, "/series/0/points", 1 << 40);
            add(object, "/queries/0/rows", 1 << 40);
        },
    ),
    (
        "a count of a series that its query contradicts",
        "its footer contradicts itself about SENT",
        |object| {
            add(object, "/series/0/points", 1);
        },
    ),
    ("a point counted for the next series", STEPS, |object| {
        add(object, "/series/0/points", -1);
        add(object, "/series/1/points", 1);
        let last = object.groups[0][points(object, 0) - 1].ts_ms;
        let last = jiff::Timestamp::from_millisecond(last).unwrap().to_string();
        object.footer["series"][0]["last"] = json!(last);
    }),
    ("a row that the footer does not count", "it has MORE rows of SENT, not ROWS", |object| {
        let row = object.groups[0][0].clone();
        object.groups[0].insert(0, row);
    }),
    ("a row less than the footer counts", "it has LESS rows of SENT, not ROWS", |object| {
        object.groups[0].remove(7);
    }),
    ("a row group that is not there", "its footer's row groups are not its data", |object| {
        add(object, "/queries/0/row_groups", 1);
    }),
    ("a row group counted for another query", "it has ALL rows of SENT, not ROWS", |object| {
        add(object, "/queries/0/row_groups", 1);
        add(object, "/queries/1/row_groups", -1);
    }),
    ("row groups out of order", "it has OTHER rows of SENT, not ROWS", |object| {
        object.groups.swap(0, 1);
    }),
    ("halves of a row group out of order", TEXTS, |object| {
        let half = object.groups[0].len() / 2;
        let rest = object.groups[0].split_off(half);
        object.groups.insert(0, rest);
        add(object, "/queries/0/row_groups", 1);
    }),
    ("a null among the values", NULL, |object| object.nulls = vec![4]),
    ("a null among the times", NULL, |object| object.nulls = vec![3]),
    ("a null among the tags", NO_TEXTS, |object| object.nulls = vec![2]),
    ("a series that comes twice", TWICE, |object| {
        let (tags, points) = (object.groups[0][0].tags.clone(), points(object, 0));
        let mut rows = object.groups[0].iter_mut().skip(points).take(points);
        rows.by_ref().for_each(|row| row.tags = tags.clone());
        object.footer["series"][1]["tags"] = object.footer["series"][0]["tags"].clone();
    }),
    ("series out of order", TWICE, |object| {
        let points = points(object, 0);
        object.groups[0].rotate_left(points);
        let series = object.footer["series"].as_array_mut().unwrap();
        series[..2].swap(0, 1);
    }),
    ("tags out of order", TWICE, |object| {
        let tags = json!(["z:1", "a:1"]);
        let points = points(object, 0);
        for row in object.groups[0].iter_mut().take(points) {
            row.tags = tags.to_string().as_str().into();
        }
        object.footer["series"][0]["tags"] = tags;
    }),
    ("an interval of a row that is not the footer's", TEXTS, |object| {
        row(object, 5).interval_s = 30;
    }),
    ("tags of a row that are not the footer's", DICTIONARY, |object| {
        row(object, 5).tags = "[]".into();
    }),
    ("a metric of a row that is not the footer's", TEXTS, |object| {
        row(object, 5).metric = "m".into();
    }),
    ("a query of a row that is not the footer's", DICTIONARY, |object| {
        row(object, 5).query = "m".into();
    }),
    ("tags of a row that are those of another series", TEXTS, |object| {
        let (last, tags) = (points(object, 0) - 1, object.groups[0].last().unwrap().tags.clone());
        row(object, last).tags = tags;
    }),
    ("an interval that is not that of its name", STEPS, |object| {
        for at in ["/interval_s", "/queries/0/interval_s", "/queries/1/interval_s"] {
            add(object, at, 60);
        }
        object.rows_mut().into_iter().for_each(|row| row.interval_s = 120);
    }),
    ("a generation that is not that of its name", OTHER_NAME, |object| {
        add(object, "/generation", 1);
    }),
    ("a generation beyond any", "its footer's generation is ", |object| {
        add(object, "/generation", 20_000_000);
    }),
    ("a window of more steps than any call", "its footer's window has more steps", |object| {
        object.footer["start"] = "1990-01-01T00:00:00Z".into();
    }),
    ("a series of no query", "its footer's series is of no query", |object| {
        add(object, "/series/0/query", 9);
    }),
    ("a query that is named twice", "its footer names SENT twice", |object| {
        let sent = object.groups[0][0].query.clone();
        object.groups[1].iter_mut().for_each(|row| row.query = sent.clone());
        object.footer["queries"][1]["sent"] = object.footer["queries"][0]["sent"].clone();
    }),
    ("a query in place of itself", "its footer names SENT twice", |object| {
        let sent = object.footer["queries"][0]["sent"].clone();
        object.footer["queries"][0]["instead_of"] = sent;
    }),
    ("metadata of another series", "its footer's series has metadata of another", |object| {
        object.footer["series"][0]["metadata"] = json!(1_000);
    }),
    ("a footer that is null", "its footer is no JSON: ", |object| object.footer = Value::Null),
    ("a query that is null", "its footer misses facts: ", |object| {
        object.footer["queries"][0]["sent"] = Value::Null;
    }),
];

const NO_NUMBER: &str = "a series has a value that is no number";
const DISORDER: &str = "a series is not in the order of time";
const OFF_GRID: &str = "a series has a time off the grid of its interval";
const STARTS_ELSEWHERE: &str = "a series starts elsewhere than its footer says";
const ENDS_ELSEWHERE: &str = "a series ends elsewhere than its footer says";
const BOUNDS: &str = "its footer's series has impossible bounds";
const STEPS: &str = "its footer's series has more points than steps, or bounds off the grid";
const TWICE: &str = "its footer's series are out of order, or one comes twice";
const TEXTS: &str = "its rows are not those of its footer";
const DICTIONARY: &str = "a dictionary holds more than the texts of its footer";
const OTHER_NAME: &str = "its footer belongs to ";
const NO_TEXTS: &str = "its texts cannot be read: ";
const NULL: &str = "its rows cannot be read: ";

/// Knowledge of the ledger about an object that was forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    /// Its author wrote the ledger too: the hash is right.
    Recorded,
    LedgerLost,
    /// It took the place of what is recorded.
    Replaced,
}

fn row(object: &mut ForgedObject, at: usize) -> &mut ForgedRow {
    &mut object.groups[0][at]
}

/// Returns the number of points of a series, as the footer says.
fn points(object: &ForgedObject, series: usize) -> usize {
    usize::try_from(object.footer["series"][series]["points"].as_u64().unwrap()).unwrap()
}

/// Adds to a number of the footer.
fn add(object: &mut ForgedObject, at: &str, more: i64) {
    let number = object.footer.pointer_mut(at).unwrap();
    *number = json!(number.as_i64().unwrap() + more);
}

/// A directory with one object, whose author is somebody else.
struct Forgery<'a> {
    world: &'a World,
    dir: String,
    object: PathBuf,
}

impl<'a> Forgery<'a> {
    fn new(world: &'a World, number: usize) -> Self {
        let dir = format!("out-{number}");
        copy(&world.out(), &world.path(&dir));
        let object = walk(&world.path(&dir).join("archive/data")).remove(0);
        Self { world, dir, object }
    }

    fn change(&self, change: fn(&mut ForgedObject), situation: Situation) {
        let mut object = ForgedObject::read(&fs::read(&self.object).unwrap()).unwrap();
        change(&mut object);
        let bytes = object.bytes().unwrap();
        fs::write(&self.object, &bytes).unwrap();
        let ledger = self.world.path(&self.dir).join("archive/ledger.db");
        match situation {
            Situation::Recorded => {
                let rows = object.footer["queries"].as_array().map_or(1, |queries| {
                    queries.iter().filter_map(|query| query["rows"].as_i64()).sum::<i64>()
                });
                let ledger = rusqlite::Connection::open(ledger).unwrap();
                let sql = "UPDATE objects SET sha256 = ?1, bytes = ?2, rows = ?3";
                let sha256 = jindo::digest::sha256(&bytes);
                assert_eq!(
                    ledger
                        .execute(sql, (sha256, i64::try_from(bytes.len()).unwrap(), rows))
                        .unwrap(),
                    1
                );
                ledger.close().unwrap();
            }
            Situation::LedgerLost => fs::remove_file(ledger).unwrap(),
            Situation::Replaced => {}
        }
    }

    fn output<W: AsRef<str>>(&self, words: &[W]) -> Output {
        let words = words.iter().map(AsRef::as_ref);
        self.world.run(words.map(|word| if word == "DIR" { &self.dir } else { word }))
    }

    fn run(&self, words: &[&str], code: i32) -> String {
        let output = self.output(words);
        exits(&output, code);
        printed(&output)
    }

    fn export_args(&self) -> Vec<String> {
        let mut args = self.world.export_args(START_S, START_S + DAY_S);
        let place = args.iter().position(|arg| arg == "out").unwrap();
        self.dir.clone_into(&mut args[place]);
        args
    }

    fn export(&self, code: i32) -> String {
        let output = self.output(&self.export_args());
        exits(&output, code);
        printed(&output)
    }

    /// What needs the rows or the ledger ends, and says what to do; what needs neither goes on.
    fn is_told_without_repair(&self, situation: Situation, why: &str) {
        let plan = ["plan", "--out", "DIR"];
        match situation {
            Situation::Recorded => {
                let name = self.object.file_name().unwrap().to_string_lossy().into_owned();
                // Columns of texts repeat the footer, by which files are made, and so does the name: only `verify` looks at them.
                let may_pass = [TEXTS, DICTIONARY, NO_TEXTS, OTHER_NAME].contains(&why);
                for output in [self.output(&["extract", "DIR"]), self.output(&self.export_args())] {
                    let told = printed(&output);
                    let remedy = "; `jindo verify DIR --repair` sets it aside";
                    let is_told = output.status.code() == Some(1)
                        && told.contains(&name)
                        && told.contains(remedy);
                    assert!(is_told || (may_pass && output.status.success()), "{told}");
                }
                self.run(&["status", "DIR"], 0);
                self.run(&plan, 0);
            }
            Situation::LedgerLost => {
                let lost = format!(
                    "{} holds fetched data, and the ledger of it (archive/ledger.db) is not there",
                    self.dir
                );
                let remedy = format!("jindo verify {} --repair rebuilds it", self.dir);
                let status = self.run(&["status", "DIR"], 1);
                let all =
                    [status, self.run(&["extract", "DIR"], 1), self.run(&plan, 1), self.export(1)];
                for told in all {
                    assert!(told.contains(&lost) && told.contains(&remedy), "{told}");
                }
            }
            // Its files are as they were, and nothing is made of the object.
            Situation::Replaced => {
                self.run(&["status", "DIR"], 0);
                self.run(&plan, 0);
            }
        }
    }

    fn is_found_and_mended(&self, why: &str) {
        let place = self.object.strip_prefix(self.world.path(&self.dir)).unwrap();
        let line = format!("{}: {why}", place.display());
        let found = self.run(&["verify", "DIR"], 1);
        assert!(found.lines().any(|told| told.starts_with(&line)), "{line}\n{found}");
        let mended = self.run(&["verify", "DIR", "--repair"], 3);
        let below = place.strip_prefix("archive/data").unwrap().display().to_string();
        let moved = format!("moved to damaged/{below}");
        let is_moved = |told: &str| told.starts_with(&line) && told.contains(&moved);
        assert!(mended.lines().any(is_moved), "{line} … {moved}\n{mended}");
        assert!(self.world.path(&self.dir).join("archive/damaged").join(below).exists());
        self.run(&["verify", "DIR"], 3);
        self.export(0);
        self.run(&["verify", "DIR"], 0);
    }
}

/// Makes every kind in one situation.
fn attempt(situation: Situation, words: &str) {
    let world = World::new(calm(), &QUERIES);
    exits(&world.export(1), 0);
    let faultless = world.tree();
    let object = walk(&world.out().join("archive/data")).remove(0);
    let object = ForgedObject::read(&fs::read(object).unwrap()).unwrap();
    let sent = object.footer["queries"][0]["sent"].as_str().unwrap();
    let [rows, other] = [0, 1].map(|group: usize| object.groups[group].len());
    let worded = |why: &str| {
        let counts = [
            ("ROWS", rows),
            ("MORE", rows + 1),
            ("LESS", rows - 1),
            ("OTHER", other),
            ("ALL", rows + other),
        ];
        let text = why.replace("SENT", sent);
        counts.iter().fold(text, |text, (word, count)| text.replace(word, &count.to_string()))
    };
    for (number, (kind, why, change)) in KINDS.iter().enumerate() {
        let forgery = Forgery::new(&world, number);
        forgery.change(*change, situation);
        forgery.is_told_without_repair(situation, why);
        forgery.is_found_and_mended(&worded(why));
        assert!(tree(&world.path(&forgery.dir)) == faultless, "{kind}");
    }
    all_held(words, KINDS.len());
}

#[test]
fn attempts_to_damage_objects_whose_hash_is_right() {
    attempt(
        Situation::Recorded,
        "objects that say what jindo never writes, and a ledger with their hash",
    );
}

#[test]
fn attempts_to_damage_objects_without_a_ledger() {
    attempt(Situation::LedgerLost, "objects that say what jindo never writes, and no ledger");
}

#[test]
fn attempts_to_damage_objects_that_are_recorded() {
    attempt(
        Situation::Replaced,
        "objects that say what jindo never writes, in the place of others",
    );
}
