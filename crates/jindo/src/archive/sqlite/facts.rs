//! The statements about the small facts: given up, learnt, kept, extracted, totals.

use super::{
    Connection, Count, Extracted, GivenUp, Learnt, OptionalExtension, QueryId, Row, SqlError,
    Totals, Transaction, params, stored_moment, stored_window,
};
use crate::archive::SeriesFile;

pub(super) fn give_up(t: &Transaction<'_>, given_up: &GivenUp) -> Result<(), SqlError> {
    let GivenUp { query, window, reason, at } = given_up;
    t.prepare_cached("INSERT OR REPLACE INTO given_up VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![query.0, window.start_s(), window.end_s(), reason, at.as_millisecond()])?;
    Ok(())
}

pub(super) fn forgive(t: &Transaction<'_>, query: QueryId) -> Result<(), SqlError> {
    t.execute("DELETE FROM given_up WHERE query = ?1", [query.0])?;
    Ok(())
}

pub(super) fn given_up(c: &Connection) -> Result<Vec<GivenUp>, SqlError> {
    c.prepare_cached(
        "SELECT query, start_s, end_s, reason, at_ms FROM given_up ORDER BY query, start_s, end_s",
    )?
    .query_map([], |row| {
        Ok(GivenUp {
            query: QueryId(row.get(0)?),
            window: stored_window(row.get(1)?, row.get(2)?)?,
            reason: row.get(3)?,
            at: stored_moment(row.get(4)?)?,
        })
    })?
    .collect()
}

pub(super) fn learn(t: &Transaction<'_>, learnt: &Learnt) -> Result<(), SqlError> {
    let Learnt { name, value, learnt_at, why } = learnt;
    t.execute(
        "INSERT OR REPLACE INTO learnt (name, value, learnt_ms, why) VALUES (?1, ?2, ?3, ?4)",
        params![name, Count(*value), learnt_at.as_millisecond(), why],
    )?;
    Ok(())
}

pub(super) fn learnt(c: &Connection) -> Result<Vec<Learnt>, SqlError> {
    c.prepare_cached("SELECT name, value, learnt_ms, why FROM learnt ORDER BY name")?
        .query_map([], |row| {
            Ok(Learnt {
                name: row.get(0)?,
                value: row.get::<_, Count>(1)?.0,
                learnt_at: stored_moment(row.get(2)?)?,
                why: row.get(3)?,
            })
        })?
        .collect()
}

pub(super) fn forget(t: &Transaction<'_>) -> Result<(), SqlError> {
    t.execute("DELETE FROM learnt", [])?;
    Ok(())
}

pub(super) fn keep(t: &Transaction<'_>, key: &str, text: &str) -> Result<(), SqlError> {
    t.execute("INSERT OR REPLACE INTO kept (key, text) VALUES (?1, ?2)", params![key, text])?;
    Ok(())
}

pub(super) fn kept(c: &Connection, key: &str) -> Result<Option<String>, SqlError> {
    c.prepare_cached("SELECT text FROM kept WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

pub(super) fn extracted(c: &Connection, query: QueryId) -> Result<Option<Extracted>, SqlError> {
    let digest = c
        .prepare_cached("SELECT digest FROM extracted WHERE query = ?1")?
        .query_row([query.0], |row| row.get(0))
        .optional()?;
    let Some(digest) = digest else { return Ok(None) };
    let files = c
        .prepare_cached(
            "SELECT path, metric, tags, unit, first_ms, last_ms, points, bytes, sha256
             FROM files WHERE query = ?1 ORDER BY position",
        )?
        .query_map([query.0], file)?
        .collect::<Result<_, _>>()?;
    Ok(Some(Extracted { digest, files }))
}

pub(super) fn owner(c: &Connection, path: &str) -> Result<Option<QueryId>, SqlError> {
    c.prepare_cached("SELECT query FROM files WHERE path = ?1")?
        .query_row([path], |row| row.get(0).map(QueryId))
        .optional()
}

fn file(row: &Row<'_>) -> Result<SeriesFile, SqlError> {
    let tags: String = row.get(2)?;
    let tags = serde_json::from_str(&tags)
        .map_err(|_| SqlError::InvalidColumnName("files.tags is no JSON array".into()))?;
    Ok(SeriesFile {
        path: row.get(0)?,
        metric: row.get(1)?,
        tags,
        unit: row.get(3)?,
        first: stored_moment(row.get(4)?)?,
        last: stored_moment(row.get(5)?)?,
        points: row.get::<_, Count>(6)?.0,
        bytes: row.get::<_, Count>(7)?.0,
        sha256: row.get(8)?,
    })
}

pub(super) fn mark_extracted(
    t: &Transaction<'_>,
    extracted: &[(QueryId, Extracted)],
) -> Result<(), SqlError> {
    for (query, Extracted { digest, files }) in extracted {
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let points: u64 = files.iter().map(|file| file.points).sum();
        t.prepare_cached("DELETE FROM extracted WHERE query = ?1")?.execute([query.0])?;
        t.prepare_cached("INSERT INTO extracted VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            query.0,
            digest,
            Count::of(files.len()),
            Count(bytes),
            Count(points)
        ])?;
        let mut insert = t.prepare_cached(
            "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for (position, file) in files.iter().enumerate() {
            insert.execute(params![
                query.0,
                Count::of(position),
                file.path,
                file.metric,
                serde_json::Value::from(file.tags.clone()).to_string(),
                file.unit,
                file.first.as_millisecond(),
                file.last.as_millisecond(),
                Count(file.points),
                Count(file.bytes),
                file.sha256
            ])?;
        }
    }
    Ok(())
}

pub(super) fn totals(c: &Connection) -> Result<Totals, SqlError> {
    let [listed, queries, given_up] = numbers(
        c,
        "SELECT (SELECT count(*) FROM queries WHERE position IS NOT NULL),
                (SELECT count(*) FROM queries WHERE substitute IS NULL),
                (SELECT count(DISTINCT query) FROM given_up)",
    )?;
    let [objects, bytes, rows] = numbers(
        c,
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(rows), 0) FROM objects",
    )?;
    let [covered_s, open] = numbers(
        c,
        "SELECT coalesce(sum(end_s - start_s), 0), coalesce(sum(open), 0) FROM coverage",
    )?;
    let [files, file_bytes, file_points] = numbers(
        c,
        "SELECT coalesce(sum(files), 0), coalesce(sum(bytes), 0), coalesce(sum(points), 0)
         FROM extracted",
    )?;
    Ok(Totals {
        listed,
        queries,
        covered_s,
        objects,
        bytes,
        rows,
        open,
        given_up,
        files,
        file_bytes,
        file_points,
    })
}

/// The first columns of a statement's one row.
fn numbers<const N: usize>(c: &Connection, sql: &str) -> Result<[u64; N], SqlError> {
    c.prepare_cached(sql)?.query_row([], |row| {
        let mut numbers = [0; N];
        for (index, number) in numbers.iter_mut().enumerate() {
            *number = row.get::<_, Count>(index)?.0;
        }
        Ok(numbers)
    })
}

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
    let overlaps: i64 = c.query_row(
        "SELECT count(*) FROM (SELECT start_s < lag(end_s) OVER
             (PARTITION BY query ORDER BY start_s) AS overlaps FROM coverage) WHERE overlaps",
        [],
        |row| row.get(0),
    )?;
    if overlaps > 0 {
        wrong.push(format!("{overlaps} stretches of coverage overlap the one before"));
    }
    Ok(wrong)
}
