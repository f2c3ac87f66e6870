//! Small ledgers that make much of what they hold: one long cell that many rows refer to, and rows that are each compared with all
//! others.

use super::Sound;
use rusqlite::Connection;
use std::path::Path;

/// Bytes of the long cell. As often in memory as rows refer to it, it takes several gigabytes.
const CELL_BYTES: usize = 1_000_000;

/// Rows that refer to the long cell.
const ROWS: usize = 5_000;

/// Rows that refer to a text that is as long as it may be.
const SHORTER_ROWS: usize = 30_000;

/// Rows that are compared: squared, more than the debug build compares in the time that a run may take.
const COMPARED: usize = 60_000;

/// Commands that read a ledger, the one that mends it last.
const COMMANDS: [&[&str]; 4] = [
    &["status", "out"],
    &["verify", "out"],
    &["plan", "--out", "out"],
    &["verify", "out", "--repair"],
];

/// Changes a ledger; the name `numbers` stands for the numbers from 1 to `count`, `long` for the long text.
fn change(ledger: &Path, count: usize, sql: &str) {
    let connection = Connection::open(ledger).unwrap();
    let numbers = format!(
        "CREATE TEMP TABLE numbers AS WITH RECURSIVE n(i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n;
         CREATE TEMP TABLE long AS SELECT printf('%{CELL_BYTES}s', 'x') AS text, 1 AS one;"
    );
    connection.execute_batch(&format!("{numbers} BEGIN; {sql}; COMMIT")).unwrap();
}

/// Moves what is asked and held so far back that there is room for so many stretches of the first query, each with a gap before it.
const STRETCHES: &str = "
    CREATE TEMP TABLE first AS SELECT id, interval_s, asked_start_s - 2 * interval_s * (SELECT max(i) FROM numbers) AS from_s FROM queries WHERE id = 1;
    CREATE TEMP TABLE held AS SELECT id, fetched_ms FROM objects ORDER BY id LIMIT 1;
    DELETE FROM coverage;
    UPDATE queries SET asked_start_s = (SELECT from_s FROM first);
    UPDATE request SET asked_start_s = (SELECT from_s FROM first);
    INSERT INTO coverage SELECT first.id, from_s + interval_s * (2 * i - 1), from_s + interval_s * 2 * i, held.id, 0, fetched_ms, 0
        FROM numbers, first, held;";

/// Runs every command; each ends with an answer or a sentence. Files are not made of very many stretches: each is read by itself.
fn run_all(sound: &Sound, name: &str, sql: &str, rows: usize) -> usize {
    change(&sound.fresh(), rows, sql);
    let extract = (rows <= ROWS).then_some(&["extract", "out"][..]);
    let commands: Vec<&[&str]> = extract.into_iter().chain(COMMANDS).collect();
    for args in &commands {
        let output = sound.attempt(name, args);
        assert!(output.status.code().is_some_and(|code| code <= 3), "{name}: {args:?}: {output:?}");
    }
    commands.len()
}

#[test]
fn attempts_of_long_cells_to_fill_memory() {
    let stretches = |sql: &str| format!("{STRETCHES} {sql}");
    let attempts = [
        ("a query of many lines", "
            UPDATE queries SET sent = sent || (SELECT text FROM long) WHERE id = 1;
            INSERT INTO lines SELECT 10 + i, 'x', 1, NULL FROM numbers".to_owned()),
        ("a query that is sent in place of many", "
            UPDATE queries SET sent = sent || (SELECT text FROM long) WHERE id = 1;
            INSERT INTO queries (sent, interval_s, written, alone, substitute) SELECT 'avg:m' || i || '{*}', 60, 'x', 0, 1 FROM numbers".to_owned()),
        ("a shorter query that is sent in place of many", "
            UPDATE queries SET sent = sent || (SELECT substr(text, 1, 500000) FROM long) WHERE id = 1;
            INSERT INTO queries (sent, interval_s, written, alone, substitute) SELECT 'avg:m' || i || '{*}', 60, 'x', 0, 1 FROM numbers".to_owned()),
        ("a query in place of which many are sent", "
            UPDATE queries SET sent = sent || (SELECT text FROM long) WHERE id = 1;
            INSERT INTO queries (sent, interval_s, written, alone, instead_of) SELECT 'avg:m' || i || '{*}', 60, 'x', 0, 1 FROM numbers".to_owned()),
        ("an answer of many stretches", stretches("INSERT INTO copies SELECT id, text FROM held, long")),
        ("a hash of many stretches", stretches("UPDATE objects SET sha256 = (SELECT text FROM long)")),
        ("a reason of many gaps", stretches("
            INSERT INTO given_up SELECT first.id, from_s, from_s + 1, 1, 'refused', text, NULL, NULL, NULL, fetched_ms FROM first, held, long")),
    ];
    let shorter = stretches("
        INSERT INTO given_up SELECT first.id, from_s, from_s + 1, 1, 'refused', substr(text, 1, 60000), NULL, NULL, NULL, fetched_ms FROM first, held, long");
    let sound = Sound::new();
    let mut made = run_all(&sound, "a shorter reason of more gaps", &shorter, SHORTER_ROWS);
    for (name, sql) in &attempts {
        made += run_all(&sound, name, sql, ROWS);
    }
    jindo_testing::all_held("long cells that many rows of a ledger refer to", made);
}

#[test]
fn attempts_of_many_rows_to_take_all_time() {
    let attempts = [
        ("gaps with as many reasons", format!("{STRETCHES}
            INSERT INTO given_up SELECT first.id, from_s + interval_s * (2 * i - 1), from_s + interval_s * 2 * i, 1, 'refused', 'x', NULL, NULL, NULL, fetched_ms
                FROM numbers, first, held")),
        ("an object of as many queries", "
            INSERT INTO queries (id, sent, interval_s, written, alone) SELECT 100 + i, 'avg:m' || i || '{*}', 60, 'x', 0 FROM numbers WHERE i <= 30000;
            INSERT INTO object_queries SELECT (SELECT min(id) FROM objects), 10 + i, 100 + i FROM numbers WHERE i <= 30000;
            INSERT INTO coverage SELECT 100 + i, start_s, end_s, id, 0, fetched_ms, 0 FROM numbers, (SELECT * FROM objects ORDER BY id LIMIT 1) WHERE i <= 30000".to_owned()),
    ];
    let sound = Sound::new();
    // Of each query, what was given up of all was read.
    let reasons = "
        INSERT INTO queries (id, sent, interval_s, written, alone) SELECT 100 + i, 'avg:m' || i || '{*}', 60, 'x', 0 FROM numbers WHERE i <= 2000;
        INSERT INTO given_up SELECT 101 + n.i % 2000, 60 * (n.i * 20 + m.i), 60 * (n.i * 20 + m.i) + 60, 0, 'refused', 'x', NULL, NULL, NULL, 0
            FROM numbers n, numbers m WHERE m.i <= 20";
    let made = run_all(&sound, "queries, each with a part of very many reasons", reasons, ROWS);
    let made = made
        + attempts.iter().map(|(name, sql)| run_all(&sound, name, sql, COMPARED)).sum::<usize>();
    jindo_testing::all_held("rows of a ledger that are compared with all others", made);
}
