//! The statements about what was extracted: marks and files, per output. Which paths an output makes is not known here.

use super::convert::{Unsigned, stored_moment};
use super::{Connection, OptionalExtension, Row, SqlError, Transaction, params};
use crate::archive::{Error, Extracted, OutputName, QueryId, SeriesFile};
use crate::case_fold::folded;

/// Files, as [`file`] reads them.
pub(super) const FILES: &str =
    "SELECT path, metric, tags, unit, first_ms, last_ms, points, bytes, sha256 FROM files";

pub(super) fn extracted(
    c: &Connection,
    output: OutputName,
    query: QueryId,
) -> Result<Option<Extracted>, SqlError> {
    let digest = c
        .prepare_cached("SELECT digest FROM extracted WHERE output = ?1 AND query = ?2")?
        .query_row(params![output.0, query.0], |row| row.get(0))
        .optional()?;
    let Some(digest) = digest else { return Ok(None) };
    let files = c
        .prepare_cached(&format!("{FILES} WHERE output = ?1 AND query = ?2 ORDER BY position"))?
        .query_map(params![output.0, query.0], file)?
        .collect::<Result<_, _>>()?;
    Ok(Some(Extracted { digest, files }))
}

pub(super) fn owner(c: &Connection, path: &str) -> Result<Option<QueryId>, SqlError> {
    c.prepare_cached("SELECT query FROM files WHERE folded = ?1 AND path = ?2")?
        .query_row([&*folded(path), path], |row| row.get(0).map(QueryId))
        .optional()
}

pub(super) fn file(row: &Row<'_>) -> Result<SeriesFile, SqlError> {
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
        points: row.get::<_, Unsigned>(6)?.0,
        bytes: row.get::<_, Unsigned>(7)?.0,
        sha256: row.get(8)?,
    })
}

/// Outcome of [`mark_extracted`].
pub(super) enum Marked {
    All,
    /// Two files would be one: the transaction must be rolled back.
    None(Error),
}

/// Replaces the marks of these queries, unless two files would be one where names differ by neither case nor Unicode form.
pub(super) fn mark_extracted(
    t: &Transaction<'_>,
    output: OutputName,
    extracted: &[(QueryId, Extracted)],
) -> Result<Marked, SqlError> {
    for (query, _) in extracted {
        t.prepare_cached("DELETE FROM extracted WHERE output = ?1 AND query = ?2")?
            .execute(params![output.0, query.0])?;
    }
    for (query, Extracted { digest, files }) in extracted {
        let bytes = Unsigned::sum(files.iter().map(|file| file.bytes));
        let points = Unsigned::sum(files.iter().map(|file| file.points));
        t.prepare_cached("INSERT INTO extracted VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![output.0, query.0, digest, Unsigned::of(files.len()), bytes, points],
        )?;
        let mut insert = t.prepare_cached(INSERT)?;
        for (position, file) in files.iter().enumerate() {
            let inserted = insert.execute(params![
                output.0,
                query.0,
                Unsigned::of(position),
                file.path,
                folded(&file.path),
                file.metric,
                serde_json::Value::from(file.tags.clone()).to_string(),
                file.unit,
                file.first.as_millisecond(),
                file.last.as_millisecond(),
                Unsigned(file.points),
                Unsigned(file.bytes),
                file.sha256
            ])?;
            if inserted == 0 {
                return taken(t, *query, &file.path).map(Marked::None);
            }
        }
    }
    Ok(Marked::All)
}

const INSERT: &str =
    "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
     ON CONFLICT (folded) DO NOTHING";

/// Finds the file that has the place of `path`.
fn taken(t: &Transaction<'_>, query: QueryId, path: &str) -> Result<Error, SqlError> {
    t.prepare_cached("SELECT path, query FROM files WHERE folded = ?1")?.query_row(
        [folded(path)],
        |row| {
            let (twin, other) = (row.get(0)?, QueryId(row.get(1)?));
            Ok(Error::PathTaken { path: path.to_owned(), query, twin, other })
        },
    )
}
