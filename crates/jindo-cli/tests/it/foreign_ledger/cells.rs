//! What stands in the cells of a ledger: every column of every table, with numbers, texts and types that jindo never writes.

use super::Sound;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Calls of an export of two queries and a day, at most, whatever its ledger says: some to learn again what was forgotten.
const CALLS_MAX: u64 = 40;

/// A row in every table that a calm export leaves empty.
const ROWS: &str = "
    INSERT OR REPLACE INTO lines VALUES (8, 'avg:(', NULL, 'it is no query');
    INSERT INTO copies SELECT id, 'an answer' FROM objects LIMIT 1;
    INSERT INTO noted VALUES ('2021-12-12/00000000000000000000000000000000.parquet', 'remove');
    INSERT INTO given_up VALUES (1, 1780272000, 1780275600, 0, 'refused', 'too old', NULL, NULL, NULL, 1780272000000);
    INSERT INTO given_up VALUES (2, 1780272000, 1780358400, 1, 'not-offered', NULL, 60, 300, NULL, 1780272000000);
    INSERT INTO given_up VALUES (2, 1780272000, 1780358401, 1, 'point-too-large', NULL, NULL, NULL, 64, 1780272000000);
    INSERT INTO probes_discarded VALUES (1, 'they lied', 1780272000000);
    INSERT OR REPLACE INTO spacings VALUES ('avg:a{*}', 60, 'sampled', 'a sample', 1780272000000);
    INSERT OR REPLACE INTO metric_types VALUES ('a', 'gauge', 1780272000000);
    INSERT OR REPLACE INTO trusted VALUES (1, 300, 1, 600, 1);
    UPDATE queries SET bytes_per_bucket = 100000, weighed_ms = 1780272000000, asked_start_s = coalesce(asked_start_s, 1780272000),
        asked_end_s = coalesce(asked_end_s, 1780358400);";

/// A limit of each kind, seen just now, so that it counts.
const LIMITS: [(&str, i64); 7] = [
    ("points", 1_000),
    ("queries", 20),
    ("url", 5_000),
    ("series points", 1_200),
    ("call points", 100_000),
    ("withheld", 1),
    ("oldest", 1_700_000_000),
];

/// Numbers at the edges of what a column, a calendar and a machine can hold.
const NUMBERS: [i64; 12] = [
    i64::MIN,
    -253_402_300_800,
    -1,
    0,
    1,
    7,
    1_000_001,
    u32::MAX as i64,
    u32::MAX as i64 + 1,
    253_402_300_800,
    253_402_300_800_000,
    i64::MAX,
];

/// Values for every column: among the numbers those at its edges.
fn values() -> Vec<Value> {
    let texts = ["", "\u{202e}\u{1b}[2J", "../../x"].map(|text| Value::Text(text.to_owned()));
    let others = [
        Value::Null,
        Value::Real(f64::INFINITY),
        Value::Real(1.5),
        Value::Text("y".repeat(1 << 20)),
        Value::Blob(vec![0xff, 0xfe, 0]),
    ];
    let numbers = [i64::MIN, -1, 0, 1_000_001, i64::MAX].map(Value::Integer);
    numbers.into_iter().chain(texts).chain(others).collect()
}

/// Puts a value into a column, past the types and rules of its table, where the table's keys allow it.
fn forge(ledger: &Path, table: &str, column: &str, row: Option<&str>, value: &Value) -> bool {
    let connection = Connection::open(ledger).unwrap();
    let guards = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON";
    connection.execute_batch(guards).unwrap();
    let select = "SELECT sql FROM sqlite_schema WHERE name = ?1";
    let strict: String = connection.query_row(select, [table], |row| row.get(0)).unwrap();
    let define = |connection: &Connection, sql: &str| {
        let update = "UPDATE sqlite_schema SET sql = ?1 WHERE name = ?2";
        connection.execute(update, [sql, table]).unwrap();
    };
    define(
        &connection,
        &strict
            .replace(") STRICT, WITHOUT ROWID", ") WITHOUT ROWID")
            .replace(") STRICT", ")")
            .replace("NOT NULL", ""),
    );
    connection.close().unwrap();
    let connection = Connection::open(ledger).unwrap();
    connection.execute_batch(guards).unwrap();
    let clause = row.map_or_else(String::new, |name| format!(" WHERE name = '{name}'"));
    let changed =
        connection.execute(&format!("UPDATE OR IGNORE {table} SET {column} = ?1{clause}"), [value]);
    define(&connection, &strict);
    matches!(changed, Ok(rows) if rows > 0)
}

fn columns(ledger: &Path) -> Vec<(String, String)> {
    let connection = Connection::open(ledger).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Looks at the directory and exports into it again. What is damage is named with its table and column.
fn look(sound: &Sound, name: &str, cell: &str) {
    // A query of another number is missed where it is referred to.
    let is_number = cell == "queries.id";
    let calls_before = sound.world.stats().query_calls;
    let status = sound.attempt(name, &["status", "out"]);
    let said = String::from_utf8_lossy(&status.stderr);
    if status.status.code() == Some(0) {
        let plan = sound.attempt(name, &["plan", "--out", "out"]);
        assert!(plan.status.code().is_some_and(|code| code < 3), "{name}: {plan:?}");
    } else {
        assert_eq!(status.status.code(), Some(1), "{name}: {said}");
        let (table, column) = cell.split_once('.').unwrap();
        let is_named =
            [table, column, "the sum of a column"].iter().any(|words| said.contains(words));
        assert!(
            said.contains("the ledger is damaged (") && (is_named || is_number),
            "{name}: {said}"
        );
        assert!(said.contains("--repair` rebuilds it from what was fetched"), "{name}: {said}");
    }
    let args = sound.export_args();
    let export = sound.attempt(name, &args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(export.status.code().is_some_and(|code| code <= 3), "{name}: {export:?}");
    let calls = sound.world.stats().query_calls - calls_before;
    assert!(calls <= CALLS_MAX, "{name}: {calls} calls");
}

/// A sound export with a row in every table and a limit of each kind.
fn furnished() -> Sound {
    let sound = Sound::new();
    let now_ms = crate::support::now_ms();
    let ledger = Connection::open(sound.ledger()).unwrap();
    ledger.execute_batch(ROWS).unwrap();
    for (name, value) in LIMITS {
        let sql = "INSERT OR REPLACE INTO learnt VALUES (?1, ?2, ?3, 'it said so', ?3, 2, 0, 'avg:a{*}', 2)";
        ledger.execute(sql, (name, value, now_ms)).unwrap();
    }
    ledger.close().unwrap();
    sound
}

/// A value for a column, in all rows of its table or in the one of that name.
struct Cell {
    table: String,
    column: String,
    row: Option<&'static str>,
    value: Value,
}

fn cells(ledger: &Path) -> Vec<Cell> {
    let everywhere = columns(ledger).into_iter().flat_map(|(table, column)| {
        values().into_iter().map(move |value| {
            let (table, column) = (table.clone(), column.clone());
            Cell { table, column, row: None, value }
        })
    });
    let limits = LIMITS.into_iter().flat_map(|(limit, _)| {
        NUMBERS.map(|number| Cell {
            table: "learnt".to_owned(),
            column: "value".to_owned(),
            row: Some(limit),
            value: Value::Integer(number),
        })
    });
    everywhere.chain(limits).collect()
}

/// Attempts at once, each with a directory and a server of its own.
const AT_ONCE: usize = 4;

#[test]
fn attempts_of_cells_to_mislead() {
    let sound = furnished();
    sound.fresh();
    look(&sound, "as it is", "nothing.at all");
    let cells = cells(&sound.ledger());
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        for first in 0..AT_ONCE {
            let (cells, made) = (&cells, &made);
            scope.spawn(move || {
                let sound = furnished();
                for Cell { table, column, row, value } in cells.iter().skip(first).step_by(AT_ONCE)
                {
                    let shown = format!("{value:?}");
                    let shown = shown.get(..60).unwrap_or(&shown);
                    let name = format!("{table}.{column} {row:?} = {shown}");
                    let is_forged = forge(&sound.fresh(), table, column, *row, value);
                    assert!(is_forged || row.is_none(), "{name}");
                    if is_forged {
                        look(&sound, &name, &format!("{table}.{column}"));
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    jindo_testing::all_held("cells of a ledger, with the real binary", made.into_inner());
}

/// By a limit of no point an export asked for one window for ever, 38,000 times in ten seconds.
#[test]
fn a_limit_of_no_point_is_named_as_damage_and_mended() {
    let sound = Sound::new();
    let ledger = sound.fresh();
    let connection = Connection::open(&ledger).unwrap();
    let now_ms = crate::support::now_ms();
    let sql = "INSERT INTO learnt VALUES ('points', 0, ?1, 'it said so', ?1, 2, 0, '', 0)";
    connection.execute(sql, [now_ms]).unwrap();
    connection.close().unwrap();
    let status = sound.attempt("a limit of no point", &["status", "out"]);
    let said = String::from_utf8_lossy(&status.stderr);
    assert!(
        said.contains("the ledger is damaged (learnt.value is 0, no limit on points)"),
        "{said}"
    );
    sound.is_mended("a limit of no point");
}

/// Cells that `verify` did not read, and those who make files and tables of the archive do.
const READ_BY_OTHERS: [(&str, &str); 7] = [
    ("copies", "answer"),
    ("objects", "sha256"),
    ("extracted", "digest"),
    ("extracted", "output"),
    ("kept", "text"),
    ("queries", "sent"),
    ("given_up", "words"),
];

#[test]
fn attempts_of_cells_to_be_verified_unread() {
    let sound = furnished();
    let values = [Value::Blob(vec![0xff]), Value::Null, Value::Text("y".repeat(1 << 20))];
    let mut made = 0;
    for (table, column) in READ_BY_OTHERS {
        for value in &values {
            // Marks and kept texts are as long as they are.
            if matches!((table, value), ("extracted" | "kept", Value::Text(_))) {
                continue;
            }
            if !forge(&sound.fresh(), table, column, None, value) {
                continue;
            }
            let shown = format!("{value:?}");
            let name = format!("{table}.{column} = {}", shown.get(..20).unwrap_or(&shown));
            let verified = sound.attempt(&name, &["verify", "out"]);
            assert_eq!(verified.status.code(), Some(1), "{name}: {verified:?}");
            let said = String::from_utf8_lossy(&verified.stdout);
            assert!(said.contains("archive/ledger.db: "), "{name}: {said}");
            sound.is_mended(&name);
            made += 1;
        }
    }
    jindo_testing::all_held("cells of a ledger that others read than verify", made);
}
