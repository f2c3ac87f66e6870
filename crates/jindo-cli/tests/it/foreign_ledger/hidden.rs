//! One cell that hides a query of the list, or part of what was asked of it: without it, everything that is left is complete.

use super::Sound;
use rusqlite::Connection;

/// Changes by which a listed query is shown nowhere, or in less than was asked.
const HIDES: [&str; 14] = [
    "UPDATE queries SET substitute = id",
    "UPDATE queries SET substitute = id WHERE id = 1",
    "UPDATE queries SET substitute = 3 - id WHERE id < 3",
    "UPDATE queries SET substitute = 2 WHERE id = 1",
    "UPDATE queries SET role = 'probe'",
    "UPDATE queries SET role = 'sample' WHERE id = 2",
    "UPDATE queries SET position = NULL",
    "UPDATE queries SET position = 5 WHERE id = 1",
    "UPDATE queries SET asked_start_s = NULL, asked_end_s = NULL",
    "UPDATE queries SET asked_end_s = asked_start_s + interval_s",
    "UPDATE request SET asked_end_s = asked_start_s + 3600",
    "DELETE FROM request",
    "DELETE FROM lines WHERE position = 0",
    "UPDATE lines SET query = 1",
];

/// What is done besides: of a query that is hidden, nothing is missed.
const BESIDES: [&str; 2] = ["SELECT 1", "DELETE FROM coverage"];

#[test]
fn attempts_of_ledgers_to_hide_a_query() {
    let sound = Sound::new();
    for hides in HIDES {
        for besides in BESIDES {
            let name = format!("{hides}; {besides}");
            let ledger = Connection::open(sound.fresh()).unwrap();
            ledger.execute_batch(&name).unwrap();
            ledger.close().unwrap();
            sound.is_damaged(&name);
            sound.is_mended(&name);
        }
    }
    let made = HIDES.len() * BESIDES.len();
    jindo_testing::all_held("cells of a ledger that hide a query of the list", made);
}
