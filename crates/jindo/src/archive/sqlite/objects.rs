//! The statements about objects, coverage and noted names. Which object a moment belongs to is [`take_over`]'s decision.

use super::{
    Committed, Connection, Count, Coverage, Granted, Name, Note, Object, ObjectId,
    OptionalExtension, Origin, QueryId, Record, Role, Row, SqlError, Transaction, given_up, params,
    stored_interval, stored_moment, stored_window,
};
use crate::archive::ledger::{Aside, Noted};
use crate::archive::takeover::{Holding, Rank, take_over};
use crate::plan::{Window, subtract};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn coverage(c: &Connection, query: QueryId) -> Result<Vec<Coverage>, SqlError> {
    c.prepare_cached(
        "SELECT start_s, end_s, object, open, probed FROM coverage WHERE query = ?1 ORDER BY start_s",
    )?
    .query_map([query.0], |row| stretch(row, 0))?
    .collect()
}

pub(super) fn grants(c: &Connection, query: QueryId) -> Result<Vec<Granted>, SqlError> {
    c.prepare_cached(
        "SELECT c.start_s, c.end_s, c.object, c.open, c.probed, o.name, o.sha256, o.fetched_ms
         FROM coverage c JOIN objects o ON o.id = c.object WHERE c.query = ?1 ORDER BY c.start_s",
    )?
    .query_map([query.0], |row| {
        Ok(Granted {
            held: stretch(row, 0)?,
            name: row.get::<_, Name>(5)?.0,
            sha256: row.get(6)?,
            fetched_at: stored_moment(row.get(7)?)?,
        })
    })?
    .collect()
}

pub(super) fn coverage_all(c: &Connection) -> Result<BTreeMap<QueryId, Vec<Coverage>>, SqlError> {
    let mut all: BTreeMap<QueryId, Vec<Coverage>> = BTreeMap::new();
    let mut statement = c.prepare_cached(
        "SELECT query, start_s, end_s, object, open, probed FROM coverage ORDER BY query, start_s",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        all.entry(QueryId(row.get(0)?)).or_default().push(stretch(row, 1)?);
    }
    Ok(all)
}

fn stretch(row: &Row<'_>, from: usize) -> Result<Coverage, SqlError> {
    Ok(Coverage {
        window: stored_window(row.get(from)?, row.get(from + 1)?)?,
        object: ObjectId(row.get(from + 2)?),
        open: row.get(from + 3)?,
        origin: origin(row, from + 4)?,
    })
}

fn origin(row: &Row<'_>, at: usize) -> Result<Origin, SqlError> {
    Ok(if row.get(at)? { Origin::Probed } else { Origin::Fetched })
}

/// What of a query overlaps the window. Ranges are disjoint, so all but the first start within it: no scan of the others.
const HOLDINGS: &str = "
    SELECT c.start_s, c.end_s, c.object, c.open, o.generation, o.fetched_ms, o.name, c.probed
    FROM coverage c JOIN objects o ON o.id = c.object
    WHERE c.query = ?1 AND c.start_s < ?3 AND c.end_s > ?2 AND c.start_s >= coalesce(
        (SELECT max(b.start_s) FROM coverage b WHERE b.query = ?1 AND b.start_s <= ?2), ?2)
    ORDER BY c.start_s";

fn holdings(c: &Connection, query: QueryId, window: Window) -> Result<Vec<Holding>, SqlError> {
    c.prepare_cached(HOLDINGS)?
        .query_map(params![query.0, window.start_s(), window.end_s()], |row| {
            Ok(Holding {
                window: stored_window(row.get(0)?, row.get(1)?)?,
                object: ObjectId(row.get(2)?),
                open: row.get(3)?,
                rank: Rank {
                    origin: origin(row, 7)?,
                    generation: row.get(4)?,
                    fetched_ms: row.get(5)?,
                    name: row.get::<_, Name>(6)?.0,
                },
            })
        })?
        .collect()
}

pub(super) fn generation(
    c: &Connection,
    queries: &[QueryId],
    window: Window,
) -> Result<u32, SqlError> {
    let mut generation = 0;
    for query in queries {
        let floor: Option<u32> = c
            .prepare_cached("SELECT generation_floor FROM queries WHERE id = ?1")?
            .query_row([query.0], |row| row.get(0))
            .optional()?;
        generation = generation.max(floor.unwrap_or(0));
        for holding in holdings(c, *query, window)? {
            generation = generation.max(holding.rank.generation.saturating_add(1));
        }
    }
    Ok(generation)
}

pub(super) fn note(t: &Transaction<'_>, note: &Note) -> Result<(), SqlError> {
    t.prepare_cached("INSERT OR REPLACE INTO noted (name, purpose) VALUES (?1, ?2)")?
        .execute(params![note.name, purpose(note.noted)])?;
    Ok(())
}

fn purpose(noted: Noted) -> &'static str {
    match noted {
        Noted::Publish => "publish",
        Noted::Remove => "remove",
    }
}

pub(super) fn unnote(t: &Transaction<'_>, name: &str) -> Result<(), SqlError> {
    t.prepare_cached("DELETE FROM noted WHERE name = ?1")?.execute([name])?;
    Ok(())
}

pub(super) fn noted(c: &Connection) -> Result<Vec<Note>, SqlError> {
    c.prepare_cached("SELECT name, purpose = 'publish' FROM noted ORDER BY name")?
        .query_map([], |row| {
            let noted = if row.get(1)? { Noted::Publish } else { Noted::Remove };
            Ok(Note { name: row.get::<_, Name>(0)?.0, noted })
        })?
        .collect()
}

pub(super) fn commit(t: &Transaction<'_>, record: &Record) -> Result<Committed, SqlError> {
    let object = insert(t, record)?;
    let rank = Rank {
        origin: Origin::Fetched,
        generation: record.generation,
        fetched_ms: record.fetched_at.as_millisecond(),
        name: record.name.clone(),
    };
    let mut touched = BTreeSet::from([object]);
    for query in &record.queries {
        let held = holdings(t, *query, record.window)?;
        let takeover = take_over(&held, record.window, &rank);
        for (index, left) in takeover.trimmed {
            let weaker = &held[index];
            touched.insert(weaker.object);
            t.prepare_cached("DELETE FROM coverage WHERE query = ?1 AND start_s = ?2")?
                .execute(params![query.0, weaker.window.start_s()])?;
            cover(t, *query, &left, &Grant::of(weaker))?;
        }
        let grant = Grant { object, open: record.open, origin: Origin::Fetched };
        cover(t, *query, &takeover.granted, &grant)?;
        if !takeover.granted.is_empty() {
            given_up::take_back(t, *query, record.window)?;
        }
    }
    unnote(t, &record.name)?;
    let unreferenced = sweep(t, &touched)?;
    Ok(Committed { object, unreferenced })
}

fn insert(t: &Transaction<'_>, record: &Record) -> Result<ObjectId, SqlError> {
    let object = t
        .prepare_cached(
            "INSERT INTO objects (name, interval_s, start_s, end_s, generation, fetched_ms, open, rows,
                                  bytes, sha256)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
        )?
        .query_row(
            params![
                record.name,
                record.interval.secs(),
                record.window.start_s(),
                record.window.end_s(),
                record.generation,
                record.fetched_at.as_millisecond(),
                record.open,
                Count(record.rows),
                Count(record.bytes),
                record.sha256
            ],
            |row| row.get(0).map(ObjectId),
        )?;
    for (position, query) in record.queries.iter().enumerate() {
        t.prepare_cached(
            "INSERT INTO object_queries (object, position, query) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![object.0, Count::of(position), query.0])?;
    }
    Ok(object)
}

/// What a stretch of coverage says besides where it lies.
struct Grant {
    object: ObjectId,
    open: bool,
    origin: Origin,
}

impl Grant {
    fn of(holding: &Holding) -> Self {
        Self { object: holding.object, open: holding.open, origin: holding.rank.origin }
    }
}

fn cover(
    t: &Transaction<'_>,
    query: QueryId,
    windows: &[Window],
    grant: &Grant,
) -> Result<(), SqlError> {
    let probed = grant.origin == Origin::Probed;
    for window in windows {
        t.prepare_cached(
            "INSERT INTO coverage (query, start_s, end_s, object, open, probed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            query.0,
            window.start_s(),
            window.end_s(),
            grant.object.0,
            grant.open,
            probed
        ])?;
    }
    Ok(())
}

pub(super) fn cover_empty(
    t: &Transaction<'_>,
    empty: &[(QueryId, ObjectId, Window)],
) -> Result<(), SqlError> {
    for &(query, object, window) in empty {
        let held: Vec<Window> =
            holdings(t, query, window)?.iter().map(|holding| holding.window).collect();
        let grant = Grant { object, open: false, origin: Origin::Probed };
        cover(t, query, &subtract(window, &held), &grant)?;
    }
    Ok(())
}

pub(super) fn reopen(
    t: &Transaction<'_>,
    stretches: &[(QueryId, ObjectId, Window)],
) -> Result<u64, SqlError> {
    let mut reopened = 0;
    for (query, object, window) in stretches {
        let changed = t
            .prepare_cached(
                "UPDATE coverage SET open = 1
                 WHERE query = ?1 AND object = ?2 AND start_s < ?4 AND end_s > ?3",
            )?
            .execute(params![query.0, object.0, window.start_s(), window.end_s()])?;
        reopened += changed as u64;
    }
    Ok(reopened)
}

pub(super) fn doubt_empty(t: &Transaction<'_>, points: u32) -> Result<(), SqlError> {
    t.execute(
        "UPDATE coverage SET open = 1 WHERE object IN
             (SELECT id FROM objects WHERE rows = 0 AND (end_s - start_s) / interval_s > ?1)",
        [points],
    )?;
    Ok(())
}

pub(super) fn forget_answers(t: &Transaction<'_>, aside: Aside) -> Result<Vec<String>, SqlError> {
    let (role, and_proven) = match aside {
        Aside::Probes => (Role::Probe, true),
        Aside::Samples => (Role::Sample, false),
    };
    let dropped = t
        .prepare_cached(
            "DELETE FROM coverage
             WHERE query IN (SELECT id FROM queries WHERE role = ?1) OR (?2 AND probed)
             RETURNING object",
        )?
        .query_map(params![role, and_proven], |row| row.get(0).map(ObjectId))?
        .collect::<Result<BTreeSet<_>, _>>()?;
    t.execute(
        "DELETE FROM given_up WHERE query IN (SELECT id FROM queries WHERE role = ?1)",
        [role],
    )?;
    sweep(t, &dropped)
}

/// Forgets those of `objects` that nothing refers to, and notes their names for removal.
fn sweep(t: &Transaction<'_>, objects: &BTreeSet<ObjectId>) -> Result<Vec<String>, SqlError> {
    let mut unreferenced = Vec::new();
    for object in objects {
        let name: Option<Name> = t
            .prepare_cached(
                "DELETE FROM objects
                 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM coverage WHERE object = ?1)
                 RETURNING name",
            )?
            .query_row([object.0], |row| row.get(0))
            .optional()?;
        if let Some(Name(name)) = name {
            note(t, &Note { name: name.clone(), noted: Noted::Remove })?;
            unreferenced.push(name);
        }
    }
    Ok(unreferenced)
}

const OBJECT: &str =
    "SELECT id, name, interval_s, start_s, end_s, generation, fetched_ms, open, rows, bytes,
    sha256 FROM objects";

fn record(row: &Row<'_>) -> Result<Object, SqlError> {
    Ok(Object {
        id: ObjectId(row.get(0)?),
        record: Record {
            name: row.get::<_, Name>(1)?.0,
            queries: Vec::new(),
            interval: stored_interval(row.get(2)?)?,
            window: stored_window(row.get(3)?, row.get(4)?)?,
            generation: row.get(5)?,
            fetched_at: stored_moment(row.get(6)?)?,
            open: row.get(7)?,
            rows: row.get::<_, Count>(8)?.0,
            bytes: row.get::<_, Count>(9)?.0,
            sha256: row.get(10)?,
        },
    })
}

pub(super) fn object(c: &Connection, object: ObjectId) -> Result<Option<Object>, SqlError> {
    let found = c
        .prepare_cached(&format!("{OBJECT} WHERE id = ?1"))?
        .query_row([object.0], record)
        .optional()?;
    let Some(mut found) = found else { return Ok(None) };
    found.record.queries = c
        .prepare_cached("SELECT query FROM object_queries WHERE object = ?1 ORDER BY position")?
        .query_map([object.0], |row| row.get(0).map(QueryId))?
        .collect::<Result<_, _>>()?;
    Ok(Some(found))
}

pub(super) fn objects(c: &Connection) -> Result<Vec<Object>, SqlError> {
    let mut queries: BTreeMap<i64, Vec<QueryId>> = BTreeMap::new();
    let mut statement =
        c.prepare_cached("SELECT object, query FROM object_queries ORDER BY object, position")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        queries.entry(row.get(0)?).or_default().push(QueryId(row.get(1)?));
    }
    c.prepare_cached(&format!("{OBJECT} ORDER BY id"))?
        .query_map([], |row| {
            let mut object = record(row)?;
            object.record.queries = queries.remove(&object.id.0).unwrap_or_default();
            Ok(object)
        })?
        .collect()
}

pub(super) fn drop_object(t: &Transaction<'_>, object: ObjectId) -> Result<(), SqlError> {
    t.execute(
        "UPDATE queries SET generation_floor = max(generation_floor,
             (SELECT generation + 1 FROM objects WHERE id = ?1))
         WHERE id IN (SELECT query FROM object_queries WHERE object = ?1)",
        [object.0],
    )?;
    t.execute("DELETE FROM objects WHERE id = ?1", [object.0])?;
    Ok(())
}
