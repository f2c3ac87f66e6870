//! Check of a ledger's inside, before anything else can fail by it: its pages, its references, its coverage, every cell. What would
//! hide a query of the last list is looked for whenever a ledger is opened: nothing else would show that something is missing.

use super::convert::{each, optional_window};
use super::{Connection, SCHEMA, SqlError, Sqlite, ValueRef, coverage, facts, queries};
use crate::archive::{CoverageLedger, Error, FactLedger, QueryLedger};
use crate::query::Interval;
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
        ledger.ask("reading its grants", coverage::read_grants),
        ledger.ask("reading its texts", facts::read_texts),
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
const NEVER: [(&str, &str); 4] = [
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
         WHERE c.start_s < o.start_s OR c.start_s >= o.end_s OR (NOT c.probed AND c.end_s > o.end_s)",
    ),
    (
        "queries have coverage of objects that are of other queries",
        "SELECT count(*) FROM (SELECT object, query FROM coverage WHERE NOT probed
                               EXCEPT SELECT object, query FROM object_queries)",
    ),
];

/// Bytes of all texts together that travel in place of others, or that others travel in place of: of a request as long as one may be.
const SUBSTITUTES_BYTES_MAX: i64 = 64 << 20;

/// The queries that lines of the last list lead to: another is sent in place of one whose fill the server refused.
const SHOWN: &str = "lines l LEFT JOIN queries q ON q.id = l.query
    LEFT JOIN queries e ON e.id = coalesce(q.substitute, q.id)";

/// Returns the first thing in which a ledger's list and its queries disagree. A query that a line names and that is shown nowhere, or in
/// less than was asked, is complete in the eyes of every command. Reads one state: another process may register a request meanwhile.
pub(super) fn hidden(c: &Connection) -> Result<Option<String>, SqlError> {
    let c = c.unchecked_transaction()?;
    let conditions = [
        (
            "of its lines lead to none of the queries that are shown",
            format!(
                "SELECT count(*) FROM {SHOWN} WHERE l.query IS NOT NULL AND
                 (e.position IS NULL OR e.substitute IS NOT NULL OR e.role <> 'wanted')"
            ),
        ),
        (
            "of its lines are of queries that others name",
            "SELECT count(query) - count(DISTINCT query) FROM lines".to_owned(),
        ),
        (
            "of its queries have a place that lines do not give them",
            format!(
                "SELECT count(*) FROM queries w WHERE w.position IS NOT NULL AND NOT EXISTS
                     (SELECT 1 FROM {SHOWN} WHERE l.position = w.position AND e.id = w.id)"
            ),
        ),
        (
            "bytes too many are in queries of which one is sent in place of another",
            format!(
                "SELECT coalesce(sum(octet_length(s.sent)), 0) - {SUBSTITUTES_BYTES_MAX}
                 FROM queries q JOIN queries s ON s.id IN (q.substitute, q.instead_of)"
            ),
        ),
    ];
    for (words, sql) in conditions {
        let count: i64 = c.query_row(&sql, [], |row| row.get(0))?;
        if count > 0 {
            return Ok(Some(format!("{count} {words}")));
        }
    }
    is_asked_as_requested(&c)
}

/// Compares what is asked of the queries that are shown with the request.
fn is_asked_as_requested(c: &Connection) -> Result<Option<String>, SqlError> {
    let range = queries::range(c)?;
    let mut other = 0;
    let mut statement = c.prepare(
        "SELECT position, interval_s, asked_start_s, asked_end_s FROM queries WHERE position IS NOT NULL",
    )?;
    each(&mut statement, "queries", |row| {
        let interval: Interval = row.get("interval_s")?;
        let asked = optional_window(row, "asked_start_s", "asked_end_s")?;
        other += u64::from(range.and_then(|range| range.of(interval)) != asked);
        Ok(())
    })?;
    Ok((other > 0)
        .then(|| format!("{other} of its queries are asked for other times than its request")))
}

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
