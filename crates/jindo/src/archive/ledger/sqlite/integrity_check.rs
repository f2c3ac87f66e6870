//! Check of a ledger's inside, before anything else can fail by it: its pages, its references, its coverage, every cell.

use super::{Connection, SCHEMA, SqlError, Sqlite, ValueRef, facts};
use crate::archive::{CoverageLedger, Error, FactLedger, QueryLedger};
use std::collections::BTreeSet;

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
    let no_texts = ledger.ask("reading its texts", no_texts)?.into_iter();
    wrong.extend(no_texts.filter(|line| !wrong.contains(line)).collect::<Vec<_>>());
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
    // A file that is opened for reading has no constraints: SQLite passes over them, and would find them broken when it is written.
    for (table, condition) in constraints() {
        let sql = format!("SELECT count(*) FROM {table} WHERE NOT {condition}");
        let count: i64 = c.query_row(&sql, [], |row| row.get(0))?;
        if count > 0 {
            wrong.push(format!("{count} rows of {table} are not as they must be: {condition}"));
        }
    }
    Ok(wrong)
}

/// Names each column with a text that is none: SQLite takes any bytes for one.
fn no_texts(c: &Connection) -> Result<BTreeSet<String>, SqlError> {
    let mut found = BTreeSet::new();
    for table in SCHEMA.lines().filter_map(table) {
        let mut all = c.prepare(&format!("SELECT * FROM {table}"))?;
        let columns: Vec<String> = all.column_names().map(str::to_owned).collect();
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            for (index, column) in columns.iter().enumerate() {
                let cell = row.get_ref(index)?;
                if matches!(cell, ValueRef::Text(_)) && cell.as_str().is_err() {
                    found.insert(format!("{table}.{column} is no text"));
                }
            }
        }
    }
    Ok(found)
}

/// Returns the name of the table that begins on this line of a schema.
fn table(line: &str) -> Option<&str> {
    line.strip_prefix("CREATE TABLE ")?.strip_suffix(" (")
}

/// Returns the table and the condition of every `CHECK` of the schema, each of which stands on one line.
fn constraints() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut of = "";
    SCHEMA.lines().filter_map(move |line| {
        of = table(line).unwrap_or(of);
        let (_, condition) = line.split_once("CHECK ")?;
        let mut open = 0;
        let end = condition.find(|c| {
            open += i32::from(c == '(') - i32::from(c == ')');
            open == 0
        })?;
        Some((of, &condition[..=end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constraint_of_the_schema_is_looked_at() {
        let found: Vec<_> = constraints().collect();
        assert_eq!(found.len(), SCHEMA.matches("CHECK").count());
        assert_eq!(found[0], ("queries", "(interval_s > 0)"));
        assert!(found.contains(&("lines", "((query IS NULL) <> (reason IS NULL))")), "{found:?}");
        assert!(found.contains(&("trusted", "(newest IN (0, 1))")), "{found:?}");
    }
}
