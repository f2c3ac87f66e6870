//! What holds of any bytes from outside: each function takes some and panics where a promise is broken. The bounded tests
//! beside it and the fuzz targets below `fuzz/` share them.

use jindo::archive::{Archive, ArchiveId, ArchiveWriter, Holder, inspect};
use jindo::extract::{self, CsvTree, Directory, DisplayOptions, Which};
use jindo::parse::{self, Expected};
use jindo::plan::{Window, escaped_len};
use jindo::query::{
    self, Fill, Interval, MetricTypes, QUERIES_MAX, RangeFunctions, RewriteOptions, grammar,
};
use jindo::request::Rate;
use jindo::secret::Secrets;
use rusqlite::Connection;
use std::collections::BTreeMap;
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

/// An object file: whole or not, but never a panic.
pub(crate) fn object_file(bytes: &[u8]) {
    drop(inspect(bytes));
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
