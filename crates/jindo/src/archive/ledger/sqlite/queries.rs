//! The statements about queries and the request. Never about what was fetched.

use super::convert::{Unsigned, json_numbers, stored_interval, stored_moment, stored_window};
use super::{
    Connection, OptionalExtension, Row, SqlError, Sqlite, Transaction, failed, given_up, params,
};
use crate::archive::{
    Error, QueryId, QueryLedger, Recalled, RefusedLine, Registered, Remembered, Request,
    RequestLine, Weight,
};
use crate::plan::{Range, Window};
use crate::query::{Query, QueryText};
use jiff::Timestamp;

impl QueryLedger for Sqlite {
    fn register(&mut self, request: &Request) -> Result<(), Error> {
        self.write("keeping the request", |t| self::register(t, request))
    }

    fn request(&mut self) -> Result<Option<Request>, Error> {
        self::request(&self.connection).map_err(failed("reading the request"))
    }

    fn refused_lines(&mut self) -> Result<Vec<RefusedLine>, Error> {
        self::refused_lines(&self.connection).map_err(failed("reading refused lines"))
    }

    fn queries(&mut self) -> Result<Vec<Registered>, Error> {
        self::queries(&self.connection).map_err(failed("reading queries"))
    }

    fn query(&mut self, query: QueryId) -> Result<Option<Registered>, Error> {
        self::query(&self.connection, query).map_err(failed("reading a query"))
    }

    fn remember(&mut self, queries: &[Remembered]) -> Result<Vec<QueryId>, Error> {
        self.write("keeping queries", |t| self::remember(t, queries))
    }

    fn remembered(&mut self) -> Result<Vec<(QueryId, Remembered)>, Error> {
        self::remembered(&self.connection).map_err(failed("reading queries"))
    }

    fn recall(&mut self, queries: &[QueryId]) -> Result<Vec<Recalled>, Error> {
        let recalled = self::recall(&self.connection, queries);
        recalled.map_err(failed("reading queries"))?.into_iter().collect()
    }

    fn substitute(&mut self, query: QueryId, sent: &str) -> Result<QueryId, Error> {
        self.write("keeping a substitute", |t| self::substitute(t, query, sent))?
            .ok_or(Error::UnknownQuery { query })
    }
}

pub(super) fn register(t: &Transaction<'_>, request: &Request) -> Result<(), SqlError> {
    t.execute("DELETE FROM lines", [])?;
    t.execute("UPDATE queries SET position = NULL, instead_of = NULL", [])?;
    let Range { window, settled } = request.asked;
    t.execute(
        "INSERT OR REPLACE INTO request (id, asked_start_s, asked_end_s, settled_s, timezone, arguments)
         VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        params![
            window.start_s(),
            window.end_s(),
            settled.as_second(),
            request.timezone,
            request.arguments
        ],
    )?;
    for (position, line) in request.lines.iter().enumerate() {
        match line {
            RequestLine::Query(query) => {
                let id = upsert(t, query)?;
                t.prepare_cached(
                    "INSERT INTO lines (position, written, query) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    Unsigned::of(position),
                    query.text.written,
                    id.0
                ])?;
                place(t, id, position, query, request.asked)?;
            }
            RequestLine::Refused { written, reason } => {
                t.prepare_cached(
                    "INSERT INTO lines (position, written, reason) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![Unsigned::of(position), written, reason])?;
            }
        }
    }
    Ok(())
}

fn upsert(t: &Transaction<'_>, Query { text, .. }: &Query) -> Result<QueryId, SqlError> {
    t.prepare_cached(
        "INSERT INTO queries (sent, interval_s, written, unfilled, alone) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (sent, interval_s) DO UPDATE
         SET written = excluded.written, unfilled = excluded.unfilled, alone = excluded.alone, role = excluded.role
         RETURNING id",
    )?
    .query_row(
        params![text.sent.as_str(), text.interval.secs(), text.written, text.unfilled, text.alone],
        |row| row.get(0).map(QueryId),
    )
}

/// Gives a listed query, or what is sent in its place, its place. The first line that leads to a query names it.
fn place(
    t: &Transaction<'_>,
    id: QueryId,
    position: usize,
    query: &Query,
    asked: Range,
) -> Result<(), SqlError> {
    let asked = asked.of(query.text.interval);
    let (start_s, end_s) = (asked.map(Window::start_s), asked.map(Window::end_s));
    t.prepare_cached("UPDATE queries SET asked_start_s = ?2, asked_end_s = ?3 WHERE id = ?1")?
        .execute(params![id.0, start_s, end_s])?;
    let substitute: Option<i64> = t
        .prepare_cached("SELECT substitute FROM queries WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))?;
    let (travels, instead_of) = match substitute {
        Some(substitute) => (substitute, Some(id.0)),
        None => (id.0, None),
    };
    t.prepare_cached(
        "UPDATE queries
         SET position = ?2, written = ?3, asked_start_s = ?4, asked_end_s = ?5, instead_of = ?6,
             alone = alone OR ?6 IS NOT NULL
         WHERE id = ?1 AND position IS NULL",
    )?
    .execute(params![
        travels,
        Unsigned::of(position),
        query.text.written,
        start_s,
        end_s,
        instead_of
    ])?;
    Ok(())
}

pub(super) fn request(c: &Connection) -> Result<Option<Request>, SqlError> {
    let head = c
        .prepare_cached(
            "SELECT asked_start_s, asked_end_s, settled_s, timezone, arguments FROM request",
        )?
        .query_row([], |row| {
            let settled = Timestamp::from_second(row.get(2)?)
                .map_err(|_| SqlError::IntegralValueOutOfRange(2, 0))?;
            let asked = Range { window: stored_window(row.get(0)?, row.get(1)?)?, settled };
            Ok((asked, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((asked, timezone, arguments)) = head else { return Ok(None) };
    let lines = c
        .prepare_cached(
            "SELECT l.written, l.reason, q.sent, q.unfilled, q.interval_s, q.alone
             FROM lines l LEFT JOIN queries q ON q.id = l.query ORDER BY l.position",
        )?
        .query_map([], line)?
        .collect::<Result<_, _>>()?;
    Ok(Some(Request { lines, asked, timezone, arguments }))
}

fn line(row: &Row<'_>) -> Result<RequestLine, SqlError> {
    let written = row.get(0)?;
    Ok(match row.get(1)? {
        Some(reason) => RequestLine::Refused { written, reason },
        None => RequestLine::Query(Query::new(QueryText {
            written,
            sent: row.get::<_, String>(2)?.into(),
            unfilled: row.get(3)?,
            interval: stored_interval(row.get(4)?)?,
            alone: row.get(5)?,
        })),
    })
}

pub(super) fn refused_lines(c: &Connection) -> Result<Vec<RefusedLine>, SqlError> {
    c.prepare_cached(
        "SELECT position, written, reason FROM lines WHERE reason IS NOT NULL ORDER BY position",
    )?
    .query_map([], |row| {
        Ok(RefusedLine {
            position: row.get::<_, Unsigned>(0)?.index()?,
            written: row.get(1)?,
            reason: row.get(2)?,
        })
    })?
    .collect()
}

/// Of a query and what stands around it; a clause follows.
const REGISTERED: &str = "
    SELECT q.id, q.written, q.sent, q.unfilled, q.interval_s, q.alone, q.asked_start_s, q.asked_end_s, q.position,
           (SELECT o.sent FROM queries o WHERE o.id = q.instead_of), q.bytes_per_bucket, q.weighed_ms,
           t.until_s, t.words,
           w.reason, w.words, w.asked_s, w.nearest_s, w.mebibytes_max, w.query
    FROM queries q LEFT JOIN (
        SELECT query, max(end_s) AS until_s, words FROM given_up WHERE NOT whole GROUP BY query
    ) t ON t.query = q.id LEFT JOIN (
        SELECT query, max(at_ms), reason, words, asked_s, nearest_s, mebibytes_max FROM given_up WHERE whole
        GROUP BY query
    ) w ON w.query = q.id";

pub(super) fn queries(c: &Connection) -> Result<Vec<Registered>, SqlError> {
    let listed = "WHERE q.substitute IS NULL AND q.role = 'wanted' ORDER BY q.position IS NULL, q.position, q.id";
    c.prepare_cached(&format!("{REGISTERED} {listed}"))?.query_map([], registered)?.collect()
}

pub(super) fn query(c: &Connection, query: QueryId) -> Result<Option<Registered>, SqlError> {
    let one = "WHERE q.substitute IS NULL AND q.role = 'wanted' AND q.id = ?1";
    c.prepare_cached(&format!("{REGISTERED} {one}"))?.query_row([query.0], registered).optional()
}

fn registered(row: &Row<'_>) -> Result<Registered, SqlError> {
    Ok(Registered {
        id: QueryId(row.get(0)?),
        text: QueryText {
            written: row.get(1)?,
            sent: row.get::<_, String>(2)?.into(),
            unfilled: row.get(3)?,
            interval: stored_interval(row.get(4)?)?,
            alone: row.get(5)?,
        },
        asked: optional_window(row.get(6)?, row.get(7)?)?,
        position: row.get::<_, Option<Unsigned>>(8)?.map(Unsigned::index).transpose()?,
        instead_of: row.get(9)?,
        weight: weight(row.get(10)?, row.get(11)?)?,
        too_old: too_old(row.get(12)?, row.get(13)?)?,
        given_up: match row.get::<_, Option<i64>>(19)? {
            Some(_) => Some(given_up::reason(row, 14)?),
            None => None,
        },
    })
}

fn weight(bytes: Option<Unsigned>, weighed_ms: Option<i64>) -> Result<Option<Weight>, SqlError> {
    let known = bytes.zip(weighed_ms).map(|(Unsigned(bytes_per_bucket), weighed_ms)| {
        Ok(Weight { bytes_per_bucket, weighed_at: stored_moment(weighed_ms)? })
    });
    known.transpose()
}

pub(super) fn weigh(
    t: &Transaction<'_>,
    weights: &[(QueryId, Option<u64>)],
    at: Timestamp,
) -> Result<(), SqlError> {
    let mut weigh = t.prepare_cached(
        "UPDATE queries SET bytes_per_bucket = ?2, weighed_ms = ?3 WHERE id = ?1",
    )?;
    for (query, bytes_per_bucket) in weights {
        let weighed_ms = bytes_per_bucket.map(|_| at.as_millisecond());
        weigh.execute(params![query.0, bytes_per_bucket.map(Unsigned), weighed_ms])?;
    }
    Ok(())
}

fn too_old(
    until_s: Option<i64>,
    reason: Option<String>,
) -> Result<Option<(Timestamp, String)>, SqlError> {
    let until = |until_s: i64| {
        let moment = Timestamp::from_second(until_s);
        moment.map_err(|_| SqlError::IntegralValueOutOfRange(0, until_s))
    };
    until_s.zip(reason).map(|(until_s, reason)| Ok((until(until_s)?, reason))).transpose()
}

fn optional_window(start_s: Option<i64>, end_s: Option<i64>) -> Result<Option<Window>, SqlError> {
    start_s.zip(end_s).map(|(start_s, end_s)| stored_window(start_s, end_s)).transpose()
}

pub(super) fn remember(
    t: &Transaction<'_>,
    queries: &[Remembered],
) -> Result<Vec<QueryId>, SqlError> {
    let mut insert = t.prepare_cached(
        "INSERT INTO queries (sent, interval_s, written, unfilled, alone, asked_start_s, asked_end_s, role)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (sent, interval_s) DO UPDATE
         SET role = CASE WHEN 'wanted' IN (role, excluded.role) THEN 'wanted'
                        WHEN 'probe' IN (role, excluded.role) THEN 'probe' ELSE 'sample' END,
             asked_start_s = coalesce(asked_start_s, excluded.asked_start_s),
             asked_end_s = coalesce(asked_end_s, excluded.asked_end_s),
             unfilled = coalesce(unfilled, excluded.unfilled)
         RETURNING id",
    )?;
    let ids = queries
        .iter()
        .map(|query| {
            let text = &query.text;
            let asked = (query.asked.map(Window::start_s), query.asked.map(Window::end_s));
            insert.query_row(
                params![
                    text.sent.as_str(),
                    text.interval.secs(),
                    text.written,
                    text.unfilled,
                    text.alone,
                    asked.0,
                    asked.1,
                    query.role
                ],
                |row| row.get(0).map(QueryId),
            )
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut link = t.prepare_cached(
        "UPDATE queries SET substitute = (SELECT s.id FROM queries s WHERE s.sent = ?2 AND s.interval_s = ?3)
         WHERE id = ?1 AND substitute IS NULL",
    )?;
    for (query, id) in queries.iter().zip(&ids) {
        if let Some(substitute) = &query.substitute {
            link.execute(params![id.0, substitute, query.text.interval.secs()])?;
        }
    }
    Ok(ids)
}

const REMEMBERED: &str = "SELECT q.id, q.sent, q.interval_s, q.written, q.unfilled, q.alone, q.asked_start_s,
    q.asked_end_s, s.sent, o.sent, q.role
    FROM queries q LEFT JOIN queries s ON s.id = q.substitute LEFT JOIN queries o ON o.id = q.instead_of";

pub(super) fn remembered(c: &Connection) -> Result<Vec<(QueryId, Remembered)>, SqlError> {
    c.prepare_cached(&format!("{REMEMBERED} ORDER BY q.id"))?
        .query_map([], |row| Ok((QueryId(row.get(0)?), remembered_query(row)?)))?
        .collect()
}

/// Reads these queries in the order given; an error in place of one that is not known.
pub(super) fn recall(
    c: &Connection,
    queries: &[QueryId],
) -> Result<Vec<Result<Recalled, Error>>, SqlError> {
    let select = REMEMBERED
        .replace("FROM queries q", "FROM json_each(?1) j LEFT JOIN queries q ON q.id = j.value");
    c.prepare_cached(&format!("{select} ORDER BY j.key"))?
        .query_map([json_numbers(queries)], |row| {
            Ok(match row.get::<_, Option<i64>>(0)? {
                Some(_) => {
                    let Remembered { text, role, .. } = remembered_query(row)?;
                    Some(Recalled { text, role, instead_of: row.get(9)? })
                }
                None => None,
            })
        })?
        .zip(queries)
        .map(|(recalled, &query)| Ok(recalled?.ok_or(Error::UnknownQuery { query })))
        .collect()
}

fn remembered_query(row: &Row<'_>) -> Result<Remembered, SqlError> {
    Ok(Remembered {
        text: QueryText {
            written: row.get(3)?,
            sent: row.get::<_, String>(1)?.into(),
            unfilled: row.get(4)?,
            interval: stored_interval(row.get(2)?)?,
            alone: row.get(5)?,
        },
        asked: optional_window(row.get(6)?, row.get(7)?)?,
        substitute: row.get(8)?,
        role: row.get(10)?,
    })
}

/// `None`: the query is unknown.
pub(super) fn substitute(
    t: &Transaction<'_>,
    query: QueryId,
    sent: &str,
) -> Result<Option<QueryId>, SqlError> {
    let substitute = t
        .prepare_cached(
            "INSERT INTO queries (sent, interval_s, written, alone)
             SELECT ?2, interval_s, written, 1 FROM queries WHERE id = ?1
             ON CONFLICT (sent, interval_s) DO UPDATE SET alone = 1
             RETURNING id",
        )?
        .query_row(params![query.0, sent], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(substitute) = substitute else { return Ok(None) };
    t.execute(
        "UPDATE queries AS s
         SET written = o.written, position = o.position, instead_of = o.id,
             asked_start_s = o.asked_start_s, asked_end_s = o.asked_end_s
         FROM queries o WHERE o.id = ?1 AND s.id = ?2 AND s.id <> o.id AND s.position IS NULL",
        params![query.0, substitute],
    )?;
    t.execute(
        "UPDATE queries SET substitute = ?2, position = NULL WHERE id = ?1 AND id <> ?2",
        params![query.0, substitute],
    )?;
    t.execute("DELETE FROM given_up WHERE query = ?1", [query.0])?;
    Ok(Some(QueryId(substitute)))
}
