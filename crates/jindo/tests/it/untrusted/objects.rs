//! What holds of any file in the place of an object: it is refused, or all that is made of it is made. The bounded tests beside it and
//! a fuzz target share it.

use super::ledgers::{csv, directory, is_drawn, writer};
use jindo::archive::{Archive, Fault, Request, RequestLine, inspect};
use jindo::extract::{self, Directory, Error, Which};
use jindo::plan::Window;
use jindo::query::Query;
use jindo_testing::ForgedObject;
use serde_json::json;
use std::fs;

/// An object file of any origin: refused, or all that is made of it is made, which is tried of one in so many.
pub(crate) fn object_file(bytes: &[u8], one_in: u64) {
    if let Ok(name) = inspect(bytes)
        && is_drawn(bytes, one_in)
    {
        extracted(&name, bytes);
    }
}

/// Puts an object into a directory of its own under its own name, makes a ledger and files of it, and finds all as it was written.
#[expect(clippy::disallowed_methods, reason = "an object of somebody else's making")]
fn extracted(name: &str, bytes: &[u8]) {
    let dir = directory();
    let dir = dir.path();
    let path = dir.join("archive/data").join(name);
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("a new directory");
    fs::write(&path, bytes).expect("a new directory");
    let repaired = Archive::repair(dir, &writer()).expect("what is whole is adopted");
    assert!(
        repaired.findings.iter().all(|finding| finding.fault == Fault::LedgerLost),
        "{repaired:?}"
    );
    let archive = Archive::open(dir, &writer()).expect("a sound ledger");
    ask_for_all(&archive);
    let (disk, queries) = (Directory::of_archive(dir), extract::with_files(&archive, &csv()));
    let queries = queries.expect("a sound ledger");
    let rows = archive.ledger().totals().expect("a sound ledger").rows;
    match extract::update(&archive, &disk, &csv(), &queries, Which::Outdated) {
        Err(Error::Collision { .. } | Error::Twins { .. }) => return,
        made => drop(made.expect("files are made")),
    }
    extract::tables(&archive, &disk, &csv()).expect("tables are made");
    assert_eq!(archive.ledger().totals().expect("a sound ledger").file_points, rows);
    drop(archive);
    assert_eq!(Archive::verify(dir).expect("it is read").findings, []);
}

/// Makes all that is held be what was asked last: what was not asked is not shown.
fn ask_for_all(archive: &Archive) {
    let held = archive.ledger().coverage_all().expect("a sound ledger");
    let windows = || held.values().flatten().map(|held| held.window);
    let start_s = windows().map(Window::start_s).min().expect("an object has a window");
    let end_s = windows().map(Window::end_s).max().expect("an object has a window");
    let asked = Window::from_secs(start_s, end_s).expect("a window of windows").into();
    let queries = archive.ledger().queries().expect("a sound ledger").into_iter();
    let lines = queries.map(|query| RequestLine::Query(Query::new(query.text))).collect();
    let (timezone, arguments) = ("UTC".into(), "{}".into());
    archive.register(&Request { lines, asked, timezone, arguments }).expect("a sound ledger");
}

/// Changes of an object's rows and footer, each spelled by four bytes, and hashes that are right afterwards.
pub(crate) fn forged_object(object: &ForgedObject, changes: &[u8], one_in: u64) {
    let mut object = object.clone();
    for change in changes.chunks_exact(4).take(CHANGES_MAX) {
        forge(&mut object, [change[0], change[1], change[2], change[3]].map(usize::from));
    }
    if let Ok(bytes) = object.bytes() {
        object_file(&bytes, one_in);
    }
}

/// Changes of one object that are made.
const CHANGES_MAX: usize = 12;
/// Values and differences of times that matter.
const VALUES: [f64; 6] =
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, f64::MAX];
const STEPS_MS: [i64; 8] = [0, 1, -1, 60_000, -60_000, 600_000, 86_400_000, i64::MAX];
/// Numbers and moments of a footer that are changed, and texts.
const NUMBERS: [&str; 11] = [
    "/version",
    "/interval_s",
    "/generation",
    "/queries/0/interval_s",
    "/queries/0/rows",
    "/queries/0/row_groups",
    "/queries/1/rows",
    "/series/0/points",
    "/series/1/points",
    "/series/0/query",
    "/series/1/query",
];
const MOMENTS: [&str; 7] = [
    "/start",
    "/end",
    "/fetched_at",
    "/series/0/first",
    "/series/0/last",
    "/series/1/first",
    "/series/1/last",
];
const TEXTS: [&str; 8] = [
    "/queries/0/sent",
    "/queries/0/written",
    "/queries/0/unfilled",
    "/queries/0/instead_of",
    "/series/0/metric",
    "/series/0/unit",
    "/series/0/tags/0",
    "/copy_of",
];
/// Years that a moment is moved to the ends of.
const ENDS: [&str; 4] = [
    "-009999-01-02T01:59:59Z",
    "9999-12-30T22:00:00Z",
    "1970-01-01T00:00:00Z",
    "2021-12-12T00:00:00.5Z",
];

fn forge(object: &mut ForgedObject, [what, at, by, of]: [usize; 4]) {
    let mut rows = object.rows_mut();
    if rows.is_empty() {
        return;
    }
    let (count, at_row) = (rows.len(), at % rows.len());
    let step_ms = STEPS_MS[by % STEPS_MS.len()];
    match what % 14 {
        0 => rows[at_row].value = VALUES[by % VALUES.len()],
        1 => rows[at_row].ts_ms = rows[at_row].ts_ms.wrapping_add(step_ms),
        2 => rows[at_row].interval_s = i32::try_from(by).expect("a byte") * 60,
        3 => rows[at_row].tags = ["[]", "[\"\"]", "[\"b:1\",\"a:1\"]"][by % 3].into(),
        4 => {
            let (one, other) = (rows[at_row].clone(), rows[by % count].clone());
            (*rows[at_row], *rows[by % count]) = (other, one);
        }
        5 => object.groups[0].truncate(at.max(1)),
        6 => {
            let group = at % object.groups.len();
            let cut = by % (object.groups[group].len() + 1);
            let rest = object.groups[group].split_off(cut);
            object.groups.insert(group + of % 2, rest);
        }
        7 => object.recount(),
        8 => object.nulls = vec![by % 6],
        9 => {
            let number = object.footer.pointer_mut(NUMBERS[at % NUMBERS.len()]);
            if let Some(number) = number {
                *number = json!(by * of);
            }
        }
        10 => {
            let moment = object.footer.pointer_mut(MOMENTS[at % MOMENTS.len()]);
            if let Some(moment) = moment {
                *moment = json!(ENDS[by % ENDS.len()]);
            }
        }
        11 => {
            let texts = ["", "\0", "avg:m{*}", "\u{202e}", "../..", "a:1"];
            let text = object.footer.pointer_mut(TEXTS[at % TEXTS.len()]);
            if let Some(text) = text {
                *text = json!(texts[by % texts.len()]);
            }
        }
        12 => {
            // All times at once: what is consistent gets further.
            let more_ms = step_ms.wrapping_mul(i64::try_from(of).expect("a byte"));
            for row in &mut rows {
                row.ts_ms = row.ts_ms.wrapping_add(more_ms);
            }
            object.recount();
        }
        _ => {
            let query = object.footer["queries"][0].clone();
            if let Some(all) = object.footer["queries"].as_array_mut() {
                all.push(query);
            }
        }
    }
}

/// Words that are put into the text of a footer.
const WORDS: [&str; 32] = [
    "",
    "null",
    "true",
    "0",
    "1",
    "-1",
    "60",
    "4294967296",
    "18446744073709551616",
    "1e999",
    "0.5",
    "\"\"",
    "\"wanted\"",
    "\"probe\"",
    "\"avg:m{*}\"",
    "\"\\u0000\\ud800\"",
    "\"9999-12-30T22:00:00Z\"",
    "\"-009999-01-02T01:59:59Z\"",
    "\"2026-06-01T00:00:00.0005Z\"",
    "\"00000000000000000000000000000001\"",
    "\"../../x\"",
    "[]",
    "[0]",
    "[9]",
    "[\"*\",9]",
    "{}",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":{\"a\":",
    "0,\"generation\":1",
    "0,\"role\":\"sample\"",
    "0,\"instead_of\":\"avg:m{*}\"",
    "0,\"copy_of\":\"2026-06-01/00000000000000000000000000000001.parquet 00\"",
];

/// Changes of the text of an object's footer, each spelled by four bytes. The lengths around it are right, and so are the hashes in it,
/// unless they are changed.
pub(crate) fn forged_footer(object: &[u8], changes: &[u8], one_in: u64) {
    let begin = object
        .windows(10)
        .position(|text| text == b"{\"version\"")
        .expect("an object has a footer");
    // A text of more than 127 and less than 16,384 bytes has its length in two bytes.
    let length = usize::from(object[begin - 2] & 0x7f) | usize::from(object[begin - 1]) << 7;
    let mut text = object[begin..begin + length].to_vec();
    for change in changes.chunks_exact(4).take(CHANGES_MAX) {
        let at = usize::from(u16::from_le_bytes([change[1], change[2]]));
        reword(&mut text, change[0], at, usize::from(change[3]));
    }
    if !(1 << 7..1 << 14).contains(&text.len()) {
        return;
    }
    let septet = |shift: usize| u8::try_from(text.len() >> shift & 0x7f).expect("seven bits");
    let length_bytes = [septet(0) | 0x80, septet(7)];
    let rest = &object[begin + length..];
    let (rest, marks) = rest.split_at(rest.len() - 8);
    let before = u32::from_le_bytes(marks[..4].try_into().expect("four of eight"));
    let now = before as usize - length + text.len();
    let now = u32::try_from(now).expect("a few thousand").to_le_bytes();
    object_file(
        &[&object[..begin - 2], &length_bytes, &text, rest, &now, &marks[4..]].concat(),
        one_in,
    );
}

fn reword(text: &mut Vec<u8>, how: u8, at: usize, word: usize) {
    let values: Vec<usize> = (1..text.len()).filter(|at| text[at - 1] == b':').collect();
    let ends = |from: usize| {
        let end = text[from..].iter().position(|byte| matches!(byte, b',' | b']' | b'}'));
        end.map_or(text.len(), |end| from + end)
    };
    if values.is_empty() {
        return;
    }
    let from = values[at % values.len()];
    let (to, other) = (ends(from), values[word % values.len()]);
    match how % 4 {
        // In place of a value.
        0 | 1 => drop(text.splice(from..to, WORDS[word % WORDS.len()].bytes())),
        // Another value of the same footer.
        2 => {
            let value = text[other..ends(other)].to_vec();
            drop(text.splice(from..to, value));
        }
        _ => {
            let from = at % text.len();
            let to = (from + word % 4).min(text.len());
            drop(text.splice(from..to, WORDS[word % WORDS.len()].bytes().take(3)));
        }
    }
}
