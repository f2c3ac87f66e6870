//! The statements about objects, coverage and noted names. Which object a moment belongs to is [`take_over`]'s decision.

use super::convert::{
    FileHash, Moment, Name, Short, Spelled, Unsigned, each, first, generation, json_numbers, rows,
    unknown, window,
};
use super::records::{insert, note, unnote};
use super::{
    Connection, OptionalExtension, Row, SqlError, Sqlite, Transaction, at_rest, facts, given_up,
    params, queries,
};
use crate::archive::ledger::precedence::{Holding, Rank, take_over};
use crate::archive::objects::{BUCKETS_MAX, GENERATION_MAX, answer_text, object_name};
use crate::archive::{
    Aside, Committed, Coverage, CoverageLedger, Error, Granted, NameNote, NextCommit, NotePurpose,
    Object, ObjectId, Origin, QueryId, Record, Reserved, Role, Unrest,
};
use crate::plan::{Window, subtract};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

impl CoverageLedger for Sqlite {
    fn coverage(&self, query: QueryId) -> Result<Vec<Coverage>, Error> {
        Ok(self.grants(query)?.into_iter().map(|granted| granted.held).collect())
    }

    fn overlapping(&self, query: QueryId, window: Window) -> Result<Vec<Coverage>, Error> {
        self.ask("reading coverage", |c| {
            Ok(holdings(c, query, window)?.into_iter().map(|holding| holding.held).collect())
        })
    }

    fn grants(&self, query: QueryId) -> Result<Vec<Granted>, Error> {
        self.ask("reading coverage", |c| {
            let mut statement =
                c.prepare_cached(&format!("{GRANTED} WHERE c.query = ?1 ORDER BY c.start_s"))?;
            rows(&mut statement, "coverage", [query], granted)
        })
    }

    fn coverage_all(&self) -> Result<BTreeMap<QueryId, Vec<Coverage>>, Error> {
        self.ask("reading coverage", |c| {
            let mut all: BTreeMap<QueryId, Vec<Coverage>> = BTreeMap::new();
            let mut statement =
                c.prepare_cached("SELECT * FROM coverage ORDER BY query, start_s")?;
            rows(&mut statement, "coverage", [], |row| {
                all.entry(row.get("query")?).or_default().push(stretch(row)?);
                Ok(())
            })?;
            Ok(all)
        })
    }

    fn reserve(&self, queries: &[QueryId], window: Window) -> Result<Reserved, Error> {
        self.change("reserving a generation", |t| {
            let recalled = match queries::recall(t, queries)? {
                Ok(recalled) => recalled,
                Err(unknown) => return Ok(Err(unknown)),
            };
            let generation = next_generation(t, queries, window)?;
            let name = object_name(facts::archive_id(t)?, &recalled, window, generation);
            note(t, &name, NotePurpose::Publish)?;
            Ok(Ok(Reserved { generation, name, queries: recalled }))
        })?
    }

    fn commit_next(&self, record: &Record) -> Result<NextCommit, Error> {
        self.change("committing an object", |t| {
            let recorded = t
                .prepare_cached("SELECT id FROM objects WHERE name = ?1")?
                .query_row([&record.name], |row| row.get(0))
                .optional()?;
            if let Some(object) = recorded {
                // One of the same name is the same answer.
                unnote(t, &record.name)?;
                return Ok(NextCommit::Done(Committed { object, unreferenced: Vec::new() }));
            }
            if next_generation(t, &record.queries, record.window)? == record.generation {
                return commit(t, record).map(NextCommit::Done);
            }
            note(t, &record.name, NotePurpose::Remove)?;
            Ok(NextCommit::Overtaken)
        })
    }

    fn unnote(&self, name: &str) -> Result<(), Error> {
        self.change("striking a note", |t| unnote(t, name))
    }

    fn noted(&self) -> Result<Vec<NameNote>, Error> {
        self.ask("reading noted names", |c| {
            let mut statement =
                c.prepare_cached("SELECT name, purpose = 'publish' FROM noted ORDER BY name")?;
            rows(&mut statement, "noted", [], |row| {
                let publish: bool = row.get(1)?;
                let noted = if publish { NotePurpose::Publish } else { NotePurpose::Remove };
                Ok(NameNote { name: row.get::<_, Name>(0)?.0, noted })
            })
        })
    }

    fn commit(&self, record: &Record) -> Result<Committed, Error> {
        self.change("committing an object", |t| commit(t, record))
    }

    fn confirm(&self, queries: &[QueryId], window: Window, at: Timestamp) -> Result<(), Error> {
        self.change("noting an equal answer", |t| {
            for &query in queries {
                for Holding { held, .. } in holdings(t, query, window)? {
                    uncover(t, query, &held)?;
                    for window in subtract(held.window, &[window]) {
                        cover(t, query, &Coverage { window, ..held.clone() })?;
                    }
                    let Some(window) = held.window.intersect(window) else { continue };
                    let asked_at = held.asked_at.max(at);
                    cover(t, query, &Coverage { window, asked_at, open: false, ..held })?;
                }
                given_up::take_back(t, query, window)?;
            }
            Ok(())
        })
    }

    fn cover_empty(&self, empty: &[(QueryId, ObjectId, Window)]) -> Result<(), Error> {
        self.change("covering what a probe found empty", |t| {
            for &(query, object, window) in empty {
                let held = holdings(t, query, window)?;
                let held: Vec<Window> = held.iter().map(|holding| holding.held.window).collect();
                for window in subtract(window, &held) {
                    let (origin, asked_at) = (Origin::Probed, fetched_at(t, object)?);
                    cover(t, query, &Coverage { window, object, origin, open: false, asked_at })?;
                }
            }
            Ok(())
        })
    }

    fn doubt_empty(&self, points: u32) -> Result<(), Error> {
        self.change("doubting empty answers", |t| {
            t.execute(
                "UPDATE coverage SET open = 1 WHERE object IN
                     (SELECT id FROM objects WHERE rows = 0 AND (end_s - start_s) / interval_s > ?1)",
                [points],
            )
            .map(drop)
        })
    }

    fn doubt_clipped(&self, longer_than: u32, rows_min: u64) -> Result<(), Error> {
        self.change("doubting cut answers", |t| {
            t.execute(
                "UPDATE coverage SET open = 1 WHERE NOT probed AND object IN
                     (SELECT id FROM objects
                      WHERE (end_s - start_s) / interval_s > ?1 AND rows >= ?2
                      UNION SELECT object FROM copies)",
                params![longer_than, Unsigned(rows_min)],
            )
            .map(drop)
        })
    }

    fn forget_answers(&self, aside: Aside) -> Result<Vec<String>, Error> {
        let (role, and_proven) = match aside {
            Aside::Probes => (Role::Probe, true),
            Aside::Samples => (Role::Sample, false),
        };
        self.change("forgetting answers", |t| {
            let dropped = t
                .prepare_cached(
                    "DELETE FROM coverage
                     WHERE query IN (SELECT id FROM queries WHERE role = ?1) OR (?2 AND probed)
                     RETURNING object",
                )?
                .query_map(params![role, and_proven], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            t.execute(
                "DELETE FROM given_up WHERE query IN (SELECT id FROM queries WHERE role = ?1)",
                [role],
            )?;
            sweep(t, &dropped)
        })
    }

    fn forget_coverage(&self, queries: &[QueryId]) -> Result<Vec<String>, Error> {
        self.change("forgetting coverage", |t| {
            let mut dropped = BTreeSet::new();
            t.execute(
                "UPDATE queries SET generation_floor = max(generation_floor, above)
                 FROM (SELECT q.query, max(o.generation) + 1 AS above
                       FROM object_queries q JOIN objects o ON o.id = q.object
                       WHERE q.query IN (SELECT value FROM json_each(?1)) GROUP BY q.query) held
                 WHERE held.query = queries.id",
                [json_numbers(queries)],
            )?;
            for query in queries {
                let objects = t
                    .prepare_cached("DELETE FROM coverage WHERE query = ?1 RETURNING object")?
                    .query_map([query], |row| row.get(0))?
                    .collect::<Result<Vec<ObjectId>, _>>()?;
                dropped.extend(objects);
            }
            sweep(t, &dropped)
        })
    }

    fn reopen(&self, stretches: &[(QueryId, ObjectId, Window)]) -> Result<u64, Error> {
        self.change("marking stretches open", |t| {
            let mut open = t.prepare_cached(
                "UPDATE coverage SET open = 1
                 WHERE query = ?1 AND object = ?2 AND start_s < ?4 AND end_s > ?3",
            )?;
            stretches.iter().try_fold(0, |opened, (query, object, window)| {
                let more =
                    open.execute(params![query, object, window.start_s(), window.end_s()])?;
                Ok(opened + more as u64)
            })
        })
    }

    fn unrested(&self) -> Result<Vec<(ObjectId, Unrest)>, Error> {
        self.ask("looking for rows that are not granted", at_rest::unrested)
    }

    fn note_copies(&self, names: &[String]) -> Result<(), Error> {
        self.change("noting copies", |t| {
            names.iter().try_for_each(|name| note(t, name, NotePurpose::Remove))
        })
    }

    fn copied(&self, object: ObjectId, copies: &[Record]) -> Result<(), Error> {
        self.change("taking copies", |t| at_rest::copied(t, object, copies))
    }

    fn object(&self, object: ObjectId) -> Result<Option<Object>, Error> {
        self.ask("reading an object's record", |c| {
            let mut one = c.prepare_cached(&format!("{OBJECTS} WHERE o.id = ?1"))?;
            first(&mut one, "objects", [object], self::object)
        })
    }

    fn objects(&self) -> Result<Vec<Object>, Error> {
        self.ask("reading the objects' records", |c| {
            let mut all = c.prepare_cached(&format!("{OBJECTS} ORDER BY o.id"))?;
            rows(&mut all, "objects", [], self::object)
        })
    }

    fn drop_object(&self, object: ObjectId) -> Result<(), Error> {
        self.change("dropping an object", |t| {
            t.execute(
                "UPDATE queries SET generation_floor = max(generation_floor,
                     (SELECT generation + 1 FROM objects WHERE id = ?1))
                 WHERE id IN (SELECT query FROM object_queries WHERE object = ?1)",
                [object],
            )?;
            t.execute("DELETE FROM objects WHERE id = ?1", [object]).map(drop)
        })
    }
}

/// Every stretch with what its object is; a clause may follow.
const GRANTED: &str = "
    SELECT c.*, o.name AS 'objects.name', o.sha256 AS 'objects.sha256',
           o.fetched_ms AS 'objects.fetched_ms', a.answer AS 'copies.answer'
    FROM coverage c JOIN objects o ON o.id = c.object LEFT JOIN copies a ON a.object = o.id";

fn granted(row: &Row<'_>) -> Result<Granted, SqlError> {
    let answer: Option<Spelled> = row.get("copies.answer")?;
    let (Name(name), Short(hash)): (_, FileHash) =
        (row.get("objects.name")?, row.get("objects.sha256")?);
    Ok(Granted {
        held: stretch(row)?,
        answer: answer.map_or_else(|| answer_text(&name, &hash), String::from),
        fetched_at: row.get::<_, Moment>("objects.fetched_ms")?.0,
    })
}

/// Reads what is granted of every query, one stretch in memory at a time.
pub(super) fn read_grants(c: &Connection) -> Result<(), SqlError> {
    let mut all = c.prepare(GRANTED)?;
    each(&mut all, "coverage", |row| granted(row).map(drop))
}

fn stretch(row: &Row<'_>) -> Result<Coverage, SqlError> {
    Ok(Coverage {
        window: window(row)?,
        object: row.get("object")?,
        open: row.get("open")?,
        asked_at: row.get::<_, Moment>("asked_ms")?.0,
        origin: if row.get("probed")? { Origin::Probed } else { Origin::Fetched },
    })
}

/// Reads the stretches of a query that overlap the window. Ranges are disjoint, so all but the first start within it: no scan of
/// the others.
fn holdings(c: &Connection, query: QueryId, window: Window) -> Result<Vec<Holding>, SqlError> {
    let mut statement = c.prepare_cached(
        "SELECT c.*, o.generation AS 'objects.generation', o.fetched_ms AS 'objects.fetched_ms',
                o.name AS 'objects.name'
         FROM coverage c JOIN objects o ON o.id = c.object
         WHERE c.query = ?1 AND c.start_s < ?3 AND c.end_s > ?2 AND c.start_s >= coalesce(
             (SELECT max(b.start_s) FROM coverage b WHERE b.query = ?1 AND b.start_s <= ?2), ?2)
         ORDER BY c.start_s",
    )?;
    rows(&mut statement, "coverage", params![query, window.start_s(), window.end_s()], |row| {
        let held = stretch(row)?;
        let rank = Rank {
            origin: held.origin,
            generation: generation(row, "objects.generation")?,
            fetched_ms: row.get::<_, Moment>("objects.fetched_ms")?.0.as_millisecond(),
            name: row.get::<_, Name>("objects.name")?.0,
        };
        Ok(Holding { held, rank })
    })
}

/// Returns a generation above that of every object that holds something of these queries in the window, and of those that were
/// dropped.
fn next_generation(c: &Connection, queries: &[QueryId], window: Window) -> Result<u32, SqlError> {
    let next: i64 = c
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(q.generation_floor) FROM json_each(?1) j
                                  JOIN queries q ON q.id = j.value), 0),
                        coalesce((SELECT max(o.generation) + 1
                                  FROM json_each(?1) j CROSS JOIN coverage c ON c.query = j.value
                                  CROSS JOIN objects o ON o.id = c.object
                                  WHERE c.start_s < ?3 AND c.end_s > ?2 AND c.start_s >= coalesce(
                                      (SELECT max(b.start_s) FROM coverage b
                                       WHERE b.query = j.value AND b.start_s <= ?2), ?2)), 0))",
        )?
        .query_row(params![json_numbers(queries), window.start_s(), window.end_s()], |row| {
            row.get(0)
        })?;
    let largest =
        || unknown("the largest of objects.generation and queries.generation_floor", next);
    u32::try_from(next).ok().filter(|next| *next <= GENERATION_MAX).ok_or_else(largest)
}

fn commit(t: &Transaction<'_>, record: &Record) -> Result<Committed, SqlError> {
    let object = insert(t, record)?;
    let origin = Origin::Fetched;
    let rank = Rank {
        origin,
        generation: record.generation,
        fetched_ms: record.fetched_at.as_millisecond(),
        name: record.name.clone(),
    };
    let mut touched = BTreeSet::from([object]);
    for &query in &record.queries {
        let holdings = holdings(t, query, record.window)?;
        let takeover = take_over(&holdings, record.window, &rank);
        for (index, left) in takeover.trimmed {
            let weaker = &holdings[index].held;
            touched.insert(weaker.object);
            uncover(t, query, weaker)?;
            for window in left {
                cover(t, query, &Coverage { window, ..weaker.clone() })?;
            }
        }
        for &window in &takeover.granted {
            let (open, asked_at) = (record.open, record.fetched_at);
            cover(t, query, &Coverage { window, object, origin, open, asked_at })?;
        }
        if !takeover.granted.is_empty() {
            given_up::take_back(t, query, record.window)?;
        }
    }
    unnote(t, &record.name)?;
    let unreferenced = sweep(t, &touched)?;
    Ok(Committed { object, unreferenced })
}

fn fetched_at(t: &Transaction<'_>, object: ObjectId) -> Result<Timestamp, SqlError> {
    let mut statement = t.prepare_cached("SELECT fetched_ms FROM objects WHERE id = ?1")?;
    let found = first(&mut statement, "objects", [object], |row| Ok(row.get::<_, Moment>(0)?.0))?;
    found.ok_or(SqlError::QueryReturnedNoRows)
}

fn uncover(t: &Transaction<'_>, query: QueryId, held: &Coverage) -> Result<(), SqlError> {
    t.prepare_cached("DELETE FROM coverage WHERE query = ?1 AND start_s = ?2")?
        .execute(params![query, held.window.start_s()])
        .map(drop)
}

fn cover(t: &Transaction<'_>, query: QueryId, held: &Coverage) -> Result<(), SqlError> {
    let (window, probed) = (held.window, held.origin == Origin::Probed);
    t.prepare_cached(
        "INSERT INTO coverage (query, start_s, end_s, object, open, asked_ms, probed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        query,
        window.start_s(),
        window.end_s(),
        held.object,
        held.open,
        Moment(held.asked_at),
        probed
    ])
    .map(drop)
}

/// Forgets those of `objects` that nothing refers to, and notes their names for removal.
fn sweep(t: &Transaction<'_>, objects: &BTreeSet<ObjectId>) -> Result<Vec<String>, SqlError> {
    let mut unreferenced = Vec::new();
    for object in objects {
        let mut statement = t.prepare_cached(
            "DELETE FROM objects
             WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM coverage WHERE object = ?1)
             RETURNING name",
        )?;
        let name: Option<Name> = first(&mut statement, "objects", [object], |row| row.get(0))?;
        if let Some(Name(name)) = name {
            note(t, &name, NotePurpose::Remove)?;
            unreferenced.push(name);
        }
    }
    Ok(unreferenced)
}

/// Every object, with the numbers of its queries in the order of the call; a clause may follow.
const OBJECTS: &str = "
    SELECT o.*, (SELECT answer FROM copies WHERE object = o.id) AS 'copies.answer',
           (SELECT group_concat(query ORDER BY position) FROM object_queries WHERE object = o.id) AS queries
    FROM objects o";

fn object(row: &Row<'_>) -> Result<Object, SqlError> {
    let queries: Option<String> = row.get("queries")?;
    let queries = queries.as_deref().into_iter().flat_map(|numbers| numbers.split(','));
    let query = |number: &str| {
        let id = number.parse().map_err(|_| unknown("object_queries.query", number))?;
        Ok(QueryId(id))
    };
    let (interval, window) = (row.get("interval_s")?, window(row)?);
    if window.points(interval) > BUCKETS_MAX {
        return Err(unknown("objects.end_s", window.end_s()));
    }
    Ok(Object {
        id: row.get("id")?,
        record: Record {
            name: row.get::<_, Name>("name")?.0,
            queries: queries.map(query).collect::<Result<_, SqlError>>()?,
            interval,
            window,
            generation: generation(row, "generation")?,
            fetched_at: row.get::<_, Moment>("fetched_ms")?.0,
            open: row.get("open")?,
            copy_of: row.get::<_, Option<Spelled>>("copies.answer")?.map(String::from),
            rows: row.get::<_, Unsigned>("rows")?.0,
            bytes: row.get::<_, Unsigned>("bytes")?.0,
            sha256: row.get::<_, FileHash>("sha256")?.into(),
        },
    })
}
