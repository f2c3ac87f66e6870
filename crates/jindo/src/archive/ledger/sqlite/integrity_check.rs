//! Check of a ledger's inside, before anything else can fail by it: its pages, its references, its coverage, every cell.

use super::{Connection, SqlError, Sqlite, facts};
use crate::archive::{CoverageLedger, Error, FactLedger, QueryLedger};

/// One line for everything that is wrong; nothing when the ledger is sound.
pub(super) fn check(ledger: &Sqlite) -> Result<Vec<String>, Error> {
    let mut wrong = match ledger.ask("checking the ledger", structure) {
        Err(Error::LedgerDamaged { why }) => return Ok(vec![why]),
        checked => checked?,
    };
    // Everything that is ever read of a ledger, so that a cell that cannot be is found here, where repairing begins, and not by
    // the next one who opens the ledger.
    let reads = [
        ledger.request().map(drop),
        ledger.refused_lines().map(drop),
        ledger.queries().map(drop),
        ledger.remembered().map(drop),
        ledger.coverage_all().map(drop),
        ledger.objects().map(drop),
        ledger.noted().map(drop),
        ledger.given_up().map(drop),
        ledger.learnt().map(drop),
        ledger.probes_discarded().map(drop),
        ledger.spaced().map(drop),
        ledger.metric_types().map(drop),
        ledger.ask("reading the archive's id", facts::archive_id).map(drop),
        ledger.trusted().map(drop),
        ledger.totals().map(drop),
        ledger.ask("reading its files", facts::read_files),
    ];
    for read in reads {
        match read {
            Err(Error::LedgerDamaged { why }) => wrong.push(why),
            other => other?,
        }
    }
    Ok(wrong)
}

/// Conditions that a sound ledger meets nowhere, each with its words: they follow a count.
const NEVER: [(&str, &str); 3] = [
    ("rows refer to rows that are not there", "SELECT count(*) FROM pragma_foreign_key_check"),
    (
        "stretches of coverage overlap the one before",
        "SELECT count(*) FROM (SELECT start_s < lag(end_s) OVER
             (PARTITION BY query ORDER BY start_s) AS overlaps FROM coverage) WHERE overlaps",
    ),
    (
        // What a probe found empty may end after the probe's own window does, in the next one's.
        "stretches of coverage are not of their objects",
        "SELECT count(*) FROM coverage c JOIN objects o ON o.id = c.object
         WHERE c.start_s < o.start_s OR c.start_s >= o.end_s OR (NOT c.probed AND (c.end_s > o.end_s
             OR NOT EXISTS (SELECT 1 FROM object_queries q WHERE q.object = o.id AND q.query = c.query)))",
    ),
];

fn structure(c: &Connection) -> Result<Vec<String>, SqlError> {
    let mut wrong: Vec<String> = c
        .prepare("PRAGMA integrity_check")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    wrong.retain(|line| line != "ok");
    for (words, sql) in NEVER {
        let count: i64 = c.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            wrong.push(format!("{count} {words}"));
        }
    }
    Ok(wrong)
}
