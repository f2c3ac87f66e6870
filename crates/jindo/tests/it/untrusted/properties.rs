//! What holds of any bytes from outside: each function takes some and panics where a promise is broken. The bounded tests
//! beside it and the fuzz targets below `fuzz/` share them.

use jindo::archive::{Archive, ArchiveId, ArchiveWriter, Fault, Holder, inspect};
use jindo::extract::{self, CsvTree, Directory, DisplayOptions, Which};
use jindo::parse::{self, Expected};
use jindo::plan::{Window, escaped_len};
use jindo::query::{
    self, Fill, Interval, MetricTypes, QUERIES_MAX, RangeFunctions, RewriteOptions, grammar,
};
use jindo::request::Rate;
use jindo::secret::Secrets;
use jindo_testing::ForgedObject;
use rusqlite::Connection;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// 2021-12-12T00:00:00Z.
pub(crate) const START_S: i64 = 1_639_267_200;

/// The window that answers are read for, and its interval.
pub(crate) const WINDOW_S: i64 = 600;
const INTERVAL_S: u32 = 60;

/// What jindo adds to a series expression, at most: a rollup and a fill.
const ADDED_BYTES_MAX: usize = 64;

/// The shortest spelling of a point in an answer: `[0,0]`.
const POINT_BYTES_MIN: usize = 5;

/// A list file: what is accepted travels as it is understood, and understood again says the same.
pub(crate) fn list_file(bytes: &[u8]) {
    for fill in [Fill::Null, Fill::Keep] {
        let settings = RewriteOptions {
            resolution: Interval::from_secs(INTERVAL_S).expect("a minute"),
            variables: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
            fill,
            range_functions: RangeFunctions::Allow,
            types: MetricTypes::new(),
        };
        let text = query::decode(bytes);
        let list = query::list("list", &text, &settings);
        assert!(list.queries.len() <= QUERIES_MAX);
        for query in &list.queries {
            let again = grammar::parse(&query.text.sent).expect("what travels is a query");
            assert_eq!(
                query.text.sent.as_str(),
                again.to_string(),
                "and says the same when it is read again"
            );
            assert!(
                query.text.sent.len() <= text.len() * 4 * ADDED_BYTES_MAX,
                "{}",
                query.text.sent.len()
            );
            assert!(escaped_len(&query.text.sent) >= query.text.sent.len());
        }
        for complaint in &list.refused {
            assert!(!complaint.to_string().chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}

/// One query: what is printed is read back as the same.
pub(crate) fn query_text(text: &str) {
    if let Ok(expr) = grammar::parse(text) {
        let printed = expr.to_string();
        let again = grammar::parse(&printed).expect("what is printed is a query");
        assert_eq!(again.to_string(), printed);
    }
}

/// The body of an answer: an error, or series that keep every promise of [`parse::answer`].
pub(crate) fn response_body(body: &[u8]) {
    let interval = Interval::from_secs(INTERVAL_S).expect("a minute");
    let window = Window::from_secs(START_S, START_S + WINDOW_S).expect("ten minutes");
    for queries in [1, 3] {
        let Ok(answer) =
            parse::answer(body, &Expected { queries, window, interval }, &Secrets::default())
        else {
            continue;
        };
        assert!(answer.series.is_sorted_by(|a, b| (a.query, &a.tags) < (b.query, &b.tags)));
        let mut points = 0;
        for series in &answer.series {
            assert!(series.query.number() < queries && series.tags.is_sorted());
            assert_eq!(series.ts_ms.len(), series.values.len());
            assert!(series.ts_ms.is_sorted_by(|a, b| a < b));
            let fits = |ts: &i64| {
                (START_S * 1_000..(START_S + WINDOW_S) * 1_000).contains(ts) && ts % 60_000 == 0
            };
            assert!(series.ts_ms.iter().all(fits) && series.values.iter().all(|v| v.is_finite()));
            points += series.ts_ms.len();
        }
        assert!(points * POINT_BYTES_MIN <= body.len(), "no point out of nothing");
    }
}

/// Rate headers, one value a line: nothing, or numbers that a budget can live with.
pub(crate) fn rate_headers(text: &str) {
    const NAMES: [&str; 5] = ["limit", "period", "remaining", "reset", "name"];
    let values: Vec<&str> = text.lines().collect();
    let header = |name: &str| {
        let short = name.strip_prefix("x-ratelimit-")?;
        values.get(NAMES.iter().position(|known| *known == short)?).map(|value| (*value).to_owned())
    };
    if let Some(rate) = Rate::read(header) {
        for number in [rate.limit, rate.period_s, rate.remaining, rate.reset_s] {
            assert!(number.is_finite() && number >= 0.0, "{rate:?}");
        }
        assert!(rate.reset_s <= rate.period_s && rate.remaining <= rate.limit, "{rate:?}");
        assert!(rate.whole_remaining() <= 1_000_000_000_000_000);
    }
}

/// An object file of any origin: refused, or all that is made of it is made.
pub(crate) fn object_file(bytes: &[u8]) {
    if inspect(bytes).is_ok() {
        extracted(bytes);
    }
}

/// Puts an object into a directory of its own under its own name, makes a ledger and files of it, and finds all as it was written.
#[expect(clippy::disallowed_methods, reason = "an object of somebody else's making")]
fn extracted(bytes: &[u8]) {
    let dir = tempfile::tempdir().expect("a place for files");
    let dir = dir.path();
    let placed = |name: &str| {
        let path = dir.join("archive/data").join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a new directory");
        fs::write(&path, bytes).expect("a new directory");
        path
    };
    let nameless = placed(&format!("2021-12-12/{}.parquet", "0".repeat(32)));
    let found = Archive::verify(dir).expect("it is read").findings;
    let is_of = "its footer belongs to ";
    let name = found.iter().find_map(|finding| finding.why.strip_prefix(is_of));
    placed(name.expect("no object has that name"));
    fs::remove_file(nameless).expect("it was placed there");
    let holder = Holder { pid: 1, host: "fuzz".into(), since: jiff::Timestamp::UNIX_EPOCH };
    let writer = ArchiveWriter { holder, fresh_id: ArchiveId::new(1) };
    let repaired = Archive::repair(dir, &writer).expect("what is whole is adopted");
    assert!(
        repaired.findings.iter().all(|finding| finding.fault == Fault::LedgerLost),
        "{repaired:?}"
    );
    let archive = Archive::open(dir, &writer).expect("a sound ledger");
    let zone = jiff::tz::TimeZone::UTC;
    let csv = CsvTree::new(&DisplayOptions { zone, timezone: "UTC".into() });
    let (disk, queries) = (Directory::of_archive(dir), extract::with_files(&archive, &csv));
    let queries = queries.expect("a sound ledger");
    extract::update(&archive, &disk, &csv, &queries, Which::Outdated).expect("files are made");
    extract::tables(&archive, &disk, &csv).expect("tables are made");
    drop(archive);
    assert_eq!(Archive::verify(dir).expect("it is read").findings, []);
}

/// Changes of an object's rows and footer, each spelled by four bytes, and hashes that are right afterwards.
pub(crate) fn forged_object(object: &ForgedObject, changes: &[u8]) {
    let mut object = object.clone();
    for change in changes.chunks_exact(4).take(CHANGES_MAX) {
        forge(&mut object, [change[0], change[1], change[2], change[3]].map(usize::from));
    }
    if let Ok(bytes) = object.bytes() {
        object_file(&bytes);
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

/// One cell of a ledger, overwritten behind jindo's back.
#[derive(Debug, Clone)]
pub(crate) struct Forged<'a> {
    /// Which column of all tables.
    pub(crate) column: usize,
    pub(crate) value: Value<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// A directory whose ledger was written by somebody else: every question is answered or refused, and repairing ends.
pub(crate) fn ledger(dir: &Path, forged: &[Forged<'_>]) {
    let path = dir.join("archive/ledger.db");
    let connection = Connection::open(&path).expect("a ledger was made there");
    connection.pragma_update(None, "foreign_keys", "OFF").expect("a pragma");
    connection.pragma_update(None, "ignore_check_constraints", "ON").expect("a pragma");
    let columns = columns(&connection);
    for Forged { column, value } in forged {
        let (table, column) = &columns[column % columns.len()];
        let statement = format!("UPDATE {table} SET {column} = ?1");
        // What the table's own rules refuse is no case.
        let forged = match value {
            Value::Null => connection.execute(&statement, [None::<i64>]),
            Value::Integer(number) => connection.execute(&statement, [number]),
            Value::Real(number) => connection.execute(&statement, [number]),
            Value::Text(text) => connection.execute(&statement, [text]),
            Value::Blob(bytes) => connection.execute(&statement, [bytes]),
        };
        drop(forged);
    }
    connection.close().expect("nothing holds it");
    questions(dir);
    let holder = Holder {
        pid: 1,
        host: "fuzz".into(),
        since: jiff::Timestamp::from_second(START_S).expect("2021"),
    };
    let writer = ArchiveWriter { holder, fresh_id: ArchiveId::new(1) };
    if let Ok(archive) = Archive::open(dir, &writer) {
        files(dir, &archive);
    }
    drop(Archive::repair(dir, &writer));
    questions(dir);
}

/// Files and tables are made, or refused.
fn files(dir: &Path, archive: &Archive) {
    let disk = Directory::of_archive(dir);
    let zone = jiff::tz::TimeZone::UTC;
    let csv = CsvTree::new(&DisplayOptions { zone, timezone: "UTC".into() });
    drop((extract::verify(archive, &disk, &csv), extract::tables(archive, &disk, &csv)));
    let queries: Vec<_> =
        archive.ledger().queries().unwrap_or_default().iter().map(|query| query.id).collect();
    drop(extract::update(archive, &disk, &csv, &queries, Which::Outdated));
    drop(extract::tables(archive, &disk, &csv));
}

fn questions(dir: &Path) {
    drop(Archive::verify(dir));
    let Ok(archive) = Archive::read(dir) else { return };
    drop((
        archive.ledger().request(),
        archive.ledger().queries(),
        archive.ledger().refused_lines(),
        archive.ledger().totals(),
    ));
    drop((archive.ledger().given_up(), archive.ledger().learnt(), archive.ledger().spaced()));
    drop((archive.identities(), archive.ledger().objects()));
    for (query, held) in archive.ledger().coverage_all().unwrap_or_default() {
        drop((
            archive.ledger().query(query),
            archive.ledger().extracted(CsvTree::NAME, query),
            archive.ledger().grants(query),
        ));
        for held in held {
            drop(archive.rows(held.object, query, &mut |_| Ok::<_, jindo::archive::Error>(())));
        }
    }
}

fn columns(connection: &Connection) -> Vec<(String, String)> {
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        )
        .expect("a ledger has tables");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("two texts");
    rows.collect::<Result<_, _>>().expect("two texts")
}
