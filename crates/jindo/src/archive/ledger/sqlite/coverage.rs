//! The statements about objects, coverage and noted names. Which object a moment belongs to is [`take_over`]'s decision.

use super::convert::{Name, Unsigned, json_numbers, stored_interval, stored_moment, stored_window};
use super::{
    Connection, OptionalExtension, Row, SqlError, Sqlite, Transaction, failed, given_up, params,
    queries,
};
use crate::archive::objects::object_name;
use crate::archive::precedence::{Holding, Rank, take_over};
use crate::archive::{
    Aside, Committed, Coverage, CoverageLedger, Error, Granted, NameNote, NextCommit, NotePurpose,
    Object, ObjectId, Origin, QueryId, Record, Reserved, Role,
};
use crate::plan::{Window, subtract};
use std::collections::{BTreeMap, BTreeSet};

impl CoverageLedger for Sqlite {
    fn coverage(&mut self, query: QueryId) -> Result<Vec<Coverage>, Error> {
        self::coverage(&self.connection, query).map_err(failed("reading coverage"))
    }

    fn grants(&mut self, query: QueryId) -> Result<Vec<Granted>, Error> {
        self::grants(&self.connection, query).map_err(failed("reading coverage"))
    }

    fn coverage_all(&mut self) -> Result<BTreeMap<QueryId, Vec<Coverage>>, Error> {
        self::coverage_all(&self.connection).map_err(failed("reading coverage"))
    }

    fn reserve(&mut self, queries: &[QueryId], window: Window) -> Result<Reserved, Error> {
        self.write("reserving a generation", |t| self::reserve(t, queries, window))?
    }

    fn commit_next(&mut self, record: &Record) -> Result<NextCommit, Error> {
        self.write("committing an object", |t| self::commit_next(t, record))
    }

    fn note(&mut self, note: &NameNote) -> Result<(), Error> {
        self.write("noting a name", |t| self::note(t, note))
    }

    fn unnote(&mut self, name: &str) -> Result<(), Error> {
        self.write("striking a note", |t| self::unnote(t, name))
    }

    fn noted(&mut self) -> Result<Vec<NameNote>, Error> {
        self::noted(&self.connection).map_err(failed("reading noted names"))
    }

    fn commit(&mut self, record: &Record) -> Result<Committed, Error> {
        self.write("committing an object", |t| self::commit(t, record))
    }

    fn cover_empty(&mut self, empty: &[(QueryId, ObjectId, Window)]) -> Result<(), Error> {
        self.write("covering what a probe found empty", |t| self::cover_empty(t, empty))
    }

    fn doubt_empty(&mut self, points: u32) -> Result<(), Error> {
        self.write("doubting empty answers", |t| self::doubt_empty(t, points))
    }

    fn forget_answers(&mut self, aside: Aside) -> Result<Vec<String>, Error> {
        self.write("forgetting answers", |t| self::forget_answers(t, aside))
    }

    fn reopen(&mut self, stretches: &[(QueryId, ObjectId, Window)]) -> Result<u64, Error> {
        self.write("marking stretches open", |t| self::reopen(t, stretches))
    }

    fn object(&mut self, object: ObjectId) -> Result<Option<Object>, Error> {
        self::object(&self.connection, object).map_err(failed("reading an object's record"))
    }

    fn objects(&mut self) -> Result<Vec<Object>, Error> {
        self::objects(&self.connection).map_err(failed("reading the objects' records"))
    }

    fn drop_object(&mut self, object: ObjectId) -> Result<(), Error> {
        self.write("dropping an object", |t| self::drop_object(t, object))
    }
}

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

/// Stretches of a query that overlap the window. Ranges are disjoint, so all but the first start within it: no scan of the others.
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

/// Claims the next generation: its number and its object's name, noted for publication.
pub(super) fn reserve(
    t: &Transaction<'_>,
    queries: &[QueryId],
    window: Window,
) -> Result<Result<Reserved, Error>, SqlError> {
    let recalled: Result<Vec<_>, _> = queries::recall(t, queries)?.into_iter().collect();
    let queries_of_call = match recalled {
        Ok(recalled) => recalled,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let generation = next_generation(t, queries, window)?;
    let name = object_name(&queries_of_call, window, generation);
    note(t, &NameNote { name: name.clone(), noted: NotePurpose::Publish })?;
    Ok(Ok(Reserved { generation, name, queries: queries_of_call }))
}

/// Returns a generation above that of every object that holds something of these queries in the window, and of those that were
/// dropped.
fn next_generation(c: &Connection, queries: &[QueryId], window: Window) -> Result<u32, SqlError> {
    let next: i64 = c
        .prepare_cached(NEXT_GENERATION)?
        .query_row(params![json_numbers(queries), window.start_s(), window.end_s()], |row| {
            row.get(0)
        })?;
    // A ledger from elsewhere may say any number: its largest is never exceeded.
    Ok(u32::try_from(next).unwrap_or(u32::MAX))
}

const NEXT_GENERATION: &str = "
    SELECT max(coalesce((SELECT max(q.generation_floor) FROM json_each(?1) j JOIN queries q ON q.id = j.value), 0),
               coalesce((SELECT max(o.generation) + 1
                         FROM json_each(?1) j CROSS JOIN coverage c ON c.query = j.value
                         CROSS JOIN objects o ON o.id = c.object
                         WHERE c.start_s < ?3 AND c.end_s > ?2 AND c.start_s >= coalesce(
                             (SELECT max(b.start_s) FROM coverage b WHERE b.query = j.value AND b.start_s <= ?2), ?2)
                        ), 0))";

/// Commits an object whose generation was reserved, unless another object took it since. One of the same name is the same answer.
pub(super) fn commit_next(t: &Transaction<'_>, record: &Record) -> Result<NextCommit, SqlError> {
    let recorded = t
        .prepare_cached("SELECT id FROM objects WHERE name = ?1")?
        .query_row([&record.name], |row| row.get(0).map(ObjectId))
        .optional()?;
    if let Some(object) = recorded {
        unnote(t, &record.name)?;
        return Ok(NextCommit::Done(Committed { object, unreferenced: Vec::new() }));
    }
    if next_generation(t, &record.queries, record.window)? == record.generation {
        return commit(t, record).map(NextCommit::Done);
    }
    note(t, &NameNote { name: record.name.clone(), noted: NotePurpose::Remove })?;
    Ok(NextCommit::Overtaken)
}

pub(super) fn note(t: &Transaction<'_>, note: &NameNote) -> Result<(), SqlError> {
    t.prepare_cached("INSERT OR REPLACE INTO noted (name, purpose) VALUES (?1, ?2)")?
        .execute(params![note.name, purpose(note.noted)])?;
    Ok(())
}

fn purpose(noted: NotePurpose) -> &'static str {
    match noted {
        NotePurpose::Publish => "publish",
        NotePurpose::Remove => "remove",
    }
}

pub(super) fn unnote(t: &Transaction<'_>, name: &str) -> Result<(), SqlError> {
    t.prepare_cached("DELETE FROM noted WHERE name = ?1")?.execute([name])?;
    Ok(())
}

pub(super) fn noted(c: &Connection) -> Result<Vec<NameNote>, SqlError> {
    c.prepare_cached("SELECT name, purpose = 'publish' FROM noted ORDER BY name")?
        .query_map([], |row| {
            let noted = if row.get(1)? { NotePurpose::Publish } else { NotePurpose::Remove };
            Ok(NameNote { name: row.get::<_, Name>(0)?.0, noted })
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
            cover(t, *query, &left, &CoverageCells::of(weaker))?;
        }
        let grant = CoverageCells { object, open: record.open, origin: Origin::Fetched };
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
                Unsigned(record.rows),
                Unsigned(record.bytes),
                record.sha256
            ],
            |row| row.get(0).map(ObjectId),
        )?;
    for (position, query) in record.queries.iter().enumerate() {
        t.prepare_cached(
            "INSERT INTO object_queries (object, position, query) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![object.0, Unsigned::of(position), query.0])?;
    }
    Ok(object)
}

/// Cells of a stretch of coverage besides its window.
struct CoverageCells {
    object: ObjectId,
    open: bool,
    origin: Origin,
}

impl CoverageCells {
    fn of(holding: &Holding) -> Self {
        Self { object: holding.object, open: holding.open, origin: holding.rank.origin }
    }
}

fn cover(
    t: &Transaction<'_>,
    query: QueryId,
    windows: &[Window],
    grant: &CoverageCells,
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
        let grant = CoverageCells { object, open: false, origin: Origin::Probed };
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
            note(t, &NameNote { name: name.clone(), noted: NotePurpose::Remove })?;
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
            rows: row.get::<_, Unsigned>(8)?.0,
            bytes: row.get::<_, Unsigned>(9)?.0,
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
