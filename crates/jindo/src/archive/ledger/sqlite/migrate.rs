//! Ledgers of earlier formats, brought to the present one: in one transaction when opened for writing, in a copy in memory
//! when opened for reading.

use super::convert::{Moment, window};
use super::{
    Connection, Guard, SCHEMA, SCHEMA_VERSION, SqlError, Transaction, TransactionBehavior,
    given_up, in_memory, params,
};
use crate::archive::{GiveUpReason, GiveUpScope, GivenUp};
use crate::case_fold::folded;
use crate::query::Interval;
use rusqlite::backup::Backup;
use std::ops::Deref;
use std::time::Duration;

/// Formats that can be brought to the present one, each with its tables.
const EARLIER: [(i64, &str); 3] = [
    (1, include_str!("schema-1.sql")),
    (2, include_str!("schema-2.sql")),
    (3, include_str!("schema-3.sql")),
];

/// Pages copied at once; so many fit into a moment.
const PAGES_AT_ONCE: i32 = 4_096;

/// Returns the tables of an earlier format that can be migrated.
pub(super) fn schema_of(version: i64) -> Option<&'static str> {
    EARLIER.iter().find(|(known, _)| *known == version).map(|(_, schema)| *schema)
}

/// Copies a ledger of an earlier format into memory, where it can be migrated.
pub(super) fn copied(from: &Connection) -> Result<(Connection, Guard), SqlError> {
    let mut copy = in_memory("")?;
    let guard = Guard::tight(&mut copy)?;
    Backup::new(from, &mut copy)?.run_to_completion(PAGES_AT_ONCE, Duration::ZERO, None)?;
    guard.work(&copy)?;
    Ok((copy, guard))
}

/// Brings a ledger of an earlier format to the present one. A crash leaves the earlier or the present one.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), SqlError> {
    let present = in_memory(SCHEMA)?;
    let t = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let t = Migrating { t, present };
    let version: i64 = t.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 1 {
        reasons_as_data(&t)?;
        discarded_probes(&t)?;
        marks_per_output(&t)?;
    }
    if version < 3 {
        moments_of_asking(&t)?;
        // Formats 1 and 2 knew no types of metrics, and nothing was copied.
        recreate(&t, "metric_types")?;
        recreate(&t, "copies")?;
    }
    evidence_of_limits(&t)?;
    // No answer was suspected to be cut.
    recreate(&t, "trusted")?;
    t.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    t.t.commit()
}

/// A migration that is under way.
struct Migrating<'a> {
    t: Transaction<'a>,
    /// A ledger of the present format.
    present: Connection,
}

impl<'a> Deref for Migrating<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.t
    }
}

/// Format 1 kept reasons as sentences, and never took back that a query was given up: rows of queries that were answered since
/// are left out.
fn reasons_as_data(t: &Migrating<'_>) -> Result<(), SqlError> {
    recreate(t, "given_up")?;
    let mut rows = t.prepare(
        "SELECT g.* FROM given_up_1 g LEFT JOIN (
             SELECT c.query, max(o.fetched_ms) AS newest_ms FROM coverage c JOIN objects o ON o.id = c.object
             WHERE NOT c.probed GROUP BY c.query) a ON a.query = g.query
         WHERE NOT (g.whole AND coalesce(a.newest_ms > g.at_ms, 0))",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let row = GivenUp {
            query: row.get("query")?,
            window: window(row)?,
            scope: if row.get("whole")? { GiveUpScope::Query } else { GiveUpScope::Window },
            reason: reason(row.get("reason")?),
            at: row.get::<_, Moment>("at_ms")?.0,
        };
        given_up::give_up(t, &row)?;
    }
    drop(rows);
    t.execute_batch("DROP TABLE given_up_1")
}

/// Reads a reason from the sentence of format 1.
fn reason(sentence: String) -> GiveUpReason {
    let interval = |text: &str| Interval::from_secs(text.strip_suffix(" s")?.parse().ok()?);
    let not_offered = || {
        let named = sentence.strip_prefix("the server does not offer points every ")?;
        let (asked, nearest) = named.split_once(" for it; the nearest it offers is ")?;
        Some((interval(asked)?, interval(nearest)?))
    };
    match not_offered() {
        Some((asked, nearest)) => GiveUpReason::NotOffered { asked, nearest },
        None if sentence == GiveUpReason::UrlTooLong.to_string() => GiveUpReason::UrlTooLong,
        None => GiveUpReason::Refused(sentence),
    }
}

/// Format 1 kept it as a limit named `probe`.
fn discarded_probes(t: &Migrating<'_>) -> Result<(), SqlError> {
    recreate(t, "probes_discarded")?;
    t.execute_batch(
        "INSERT INTO probes_discarded SELECT 1, why, learnt_ms FROM learnt WHERE name = 'probe';
         DELETE FROM learnt WHERE name = 'probe'",
    )
}

/// Format 1 had marks of csv/ alone, and found twins without an index. Queries of which two files would be one are marked as
/// unfinished, so that the next run names them.
fn marks_per_output(t: &Migrating<'_>) -> Result<(), SqlError> {
    recreate(t, "extracted")?;
    recreate(t, "files")?;
    t.execute_batch("INSERT INTO extracted SELECT 'csv', * FROM extracted_1")?;
    let mut insert = t.prepare(
        "INSERT INTO files
         SELECT 'csv', query, position, path, ?3, metric, tags, unit, first_ms, last_ms, points, bytes, sha256
         FROM files_1 WHERE query = ?1 AND position = ?2
         ON CONFLICT (folded) DO NOTHING",
    )?;
    let mut files = t.prepare("SELECT query, position, path FROM files_1")?;
    let mut rows = files.query([])?;
    while let Some(row) = rows.next()? {
        let (query, position): (i64, i64) = (row.get(0)?, row.get(1)?);
        let path: String = row.get(2)?;
        if insert.execute(params![query, position, folded(&path)])? == 0 {
            t.execute("UPDATE extracted SET digest = 'unfinished' WHERE query = ?1", [query])?;
        }
    }
    drop(rows);
    drop((files, insert));
    t.execute_batch("DROP TABLE files_1; DROP TABLE extracted_1")
}

/// Formats 1 and 2 kept no moment of a stretch: it was asked when its object was fetched.
fn moments_of_asking(t: &Migrating<'_>) -> Result<(), SqlError> {
    t.execute_batch("DROP INDEX coverage_of_object")?;
    recreate(t, "coverage")?;
    t.execute_batch(
        "INSERT INTO coverage (query, start_s, end_s, object, open, asked_ms, probed)
         SELECT c.query, c.start_s, c.end_s, c.object, c.open, o.fetched_ms, c.probed
         FROM coverage_1 c JOIN objects o ON o.id = c.object;
         DROP TABLE coverage_1",
    )
}

/// Formats up to 3 kept limits for ever, with one refusal as their evidence.
fn evidence_of_limits(t: &Migrating<'_>) -> Result<(), SqlError> {
    recreate(t, "learnt")?;
    t.execute_batch(
        "INSERT INTO learnt SELECT name, value, learnt_ms, why, learnt_ms, 1, 0, '', 0 FROM learnt_1;
         DROP TABLE learnt_1",
    )
}

/// Makes the present form of a table, with its indexes, beside the earlier one, if any, which gets a `_1` behind its name.
fn recreate(t: &Migrating<'_>, table: &str) -> Result<(), SqlError> {
    if t.table_exists(None, table)? {
        t.execute_batch(&format!("ALTER TABLE {table} RENAME TO {table}_1"))?;
    }
    t.present
        .prepare("SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND sql IS NOT NULL")?
        .query_map([table], |row| row.get(0))?
        .try_for_each(|text: Result<String, SqlError>| t.execute_batch(&text?))
}
