//! The statements by which an object is recorded and a name is noted.

use super::convert::{Moment, Unsigned, json_numbers};
use super::{SqlError, Transaction, params};
use crate::archive::{NotePurpose, ObjectId, Record};

pub(super) fn note(t: &Transaction<'_>, name: &str, noted: NotePurpose) -> Result<(), SqlError> {
    let purpose = match noted {
        NotePurpose::Publish => "publish",
        NotePurpose::Remove => "remove",
    };
    t.prepare_cached("INSERT OR REPLACE INTO noted (name, purpose) VALUES (?1, ?2)")?
        .execute([name, purpose])
        .map(drop)
}

pub(super) fn unnote(t: &Transaction<'_>, name: &str) -> Result<(), SqlError> {
    t.prepare_cached("DELETE FROM noted WHERE name = ?1")?.execute([name]).map(drop)
}

pub(super) fn insert(t: &Transaction<'_>, record: &Record) -> Result<ObjectId, SqlError> {
    let object = t
        .prepare_cached(
            "INSERT INTO objects (name, interval_s, start_s, end_s, generation, fetched_ms, open, rows,
                                  bytes, sha256)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
        )?
        .query_row(
            params![
                record.name,
                record.interval,
                record.window.start_s(),
                record.window.end_s(),
                record.generation,
                Moment(record.fetched_at),
                record.open,
                Unsigned(record.rows),
                Unsigned(record.bytes),
                record.sha256
            ],
            |row| row.get(0),
        )?;
    if let Some(answer) = &record.copy_of {
        t.prepare_cached("INSERT INTO copies VALUES (?1, ?2)")?.execute(params![object, answer])?;
    }
    t.prepare_cached(
        "INSERT INTO object_queries (object, position, query) SELECT ?1, key, value FROM json_each(?2)",
    )?
    .execute(params![object, json_numbers(&record.queries)])?;
    Ok(object)
}
