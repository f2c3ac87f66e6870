//! Check of a ledger's inside, before anything else can fail by it: its pages, its references, its coverage, every cell.

use super::convert::is_of_a_cell;
use super::{Connection, SqlError, coverage, facts, files, given_up, queries};

/// One line for everything that is wrong; nothing when the ledger is sound.
pub(super) fn check(c: &Connection) -> Result<Vec<String>, SqlError> {
    let mut wrong: Vec<String> = c
        .prepare("PRAGMA integrity_check")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    wrong.retain(|line| line != "ok");
    let orphans = c.prepare("PRAGMA foreign_key_check")?.query_map([], |_| Ok(()))?.count();
    if orphans > 0 {
        wrong.push(format!("{orphans} rows refer to rows that are not there"));
    }
    let overlaps = count(
        c,
        "SELECT count(*) FROM (SELECT start_s < lag(end_s) OVER
             (PARTITION BY query ORDER BY start_s) AS overlaps FROM coverage) WHERE overlaps",
    )?;
    if overlaps > 0 {
        wrong.push(format!("{overlaps} stretches of coverage overlap the one before"));
    }
    // What a probe found empty may end after the probe's own window does, in the next one's.
    let foreign = count(
        c,
        "SELECT count(*) FROM coverage c JOIN objects o ON o.id = c.object
         WHERE c.start_s < o.start_s OR c.start_s >= o.end_s OR (NOT c.probed AND (c.end_s > o.end_s
             OR NOT EXISTS (SELECT 1 FROM object_queries q WHERE q.object = o.id AND q.query = c.query)))",
    )?;
    if foreign > 0 {
        wrong.push(format!("{foreign} stretches of coverage are not of their objects"));
    }
    wrong.extend(unreadable(c)?);
    Ok(wrong)
}

fn count(c: &Connection, sql: &str) -> Result<i64, SqlError> {
    c.query_row(sql, [], |row| row.get(0))
}

type TableRead = fn(&Connection) -> Result<(), SqlError>;

/// Everything that is ever read of a ledger, so that a cell that cannot be is found here, where repairing begins, and not by
/// the next one who opens the ledger.
const READS: [(&str, TableRead); 12] = [
    ("its request", |c| queries::request(c).map(drop)),
    ("its refused lines", |c| queries::refused_lines(c).map(drop)),
    ("its queries", |c| queries::queries(c).map(drop)),
    ("its queries", |c| queries::remembered(c).map(drop)),
    ("its coverage", |c| coverage::coverage_all(c).map(drop)),
    ("its objects", |c| coverage::objects(c).map(drop)),
    ("its notes", |c| coverage::noted(c).map(drop)),
    ("what was given up", |c| given_up::given_up(c).map(drop)),
    ("its limits", |c| facts::learnt(c).map(drop)),
    ("that probes are discarded", |c| facts::probes_discarded(c).map(drop)),
    ("its spacings", |c| facts::spaced(c).map(drop)),
    ("its totals", |c| facts::totals(c).map(drop)),
];

fn unreadable(c: &Connection) -> Result<Vec<String>, SqlError> {
    let mut wrong = Vec::new();
    for (what, read) in READS {
        match read(c) {
            Err(error) if is_of_a_cell(&error) => {
                wrong.push(format!("{what} cannot be read: {error}"));
            }
            other => other?,
        }
    }
    wrong.extend(unreadable_file(c)?);
    Ok(wrong)
}

/// Finds the first file that cannot be read, one in memory at a time.
fn unreadable_file(c: &Connection) -> Result<Option<String>, SqlError> {
    let mut all = c.prepare(files::FILES)?;
    for file in all.query_map([], files::file)? {
        match file {
            Err(error) if is_of_a_cell(&error) => {
                return Ok(Some(format!("its files cannot be read: {error}")));
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(None)
}
