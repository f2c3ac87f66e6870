//! The statements about queries and the request. Never about what was fetched.

use super::convert::{
    Moment, OfQuery, Unsigned, beyond, first, generation, json_numbers, optional_window, rows,
    second, unknown,
};
use super::given_up::{self, GivenUpParts};
use super::{Connection, OptionalExtension, Row, SqlError, Sqlite, Transaction, params};
use crate::archive::{
    Error, QueryId, QueryLedger, Recalled, RefusedLine, Registered, Remembered, Request,
    RequestLine, Weight,
};
use crate::plan::{Range, Window};
use crate::query::{Query, QueryText};
use std::collections::{BTreeMap, HashSet};

impl QueryLedger for Sqlite {
    fn register(&self, request: &Request) -> Result<(), Error> {
        self.change("keeping the request", |t| {
            t.execute("DELETE FROM lines", [])?;
            t.execute("UPDATE queries SET position = NULL, instead_of = NULL", [])?;
            let Request { asked: Range { window, settled }, timezone, arguments, .. } = request;
            t.execute(
                "INSERT OR REPLACE INTO request (id, asked_start_s, asked_end_s, settled_s, timezone, arguments)
                 VALUES (1, ?1, ?2, ?3, ?4, ?5)",
                params![window.start_s(), window.end_s(), settled.as_second(), timezone, arguments],
            )?;
            let mut seen = HashSet::new();
            for (position, line) in request.lines.iter().enumerate() {
                let (written, query, reason) = match line {
                    RequestLine::Query(query) => {
                        let id = list(t, &query.text)?;
                        if !seen.insert(id) {
                            continue;
                        }
                        place(t, id, position, &query.text, request.asked)?;
                        (&query.text.written, Some(id), None)
                    }
                    RequestLine::Refused { written, reason } => (written, None, Some(reason)),
                };
                t.prepare_cached(
                    "INSERT INTO lines (position, written, query, reason) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![Unsigned::of(position), written, query, reason])?;
            }
            Ok(())
        })
    }

    fn request(&self) -> Result<Option<Request>, Error> {
        self.ask("reading the request", |c| {
            let mut statement = c.prepare_cached(
                "SELECT l.written AS 'lines.written', l.reason, q.*
                 FROM lines l LEFT JOIN queries q ON q.id = l.query ORDER BY l.position",
            )?;
            let lines: Vec<RequestLine> = rows(&mut statement, "lines", [], |row| {
                Ok(match row.get("reason")? {
                    Some(reason) => {
                        RequestLine::Refused { written: row.get("lines.written")?, reason }
                    }
                    None => RequestLine::Query(Query::new(QueryText {
                        written: row.get::<_, OfQuery>("lines.written")?.into(),
                        ..text(row)?
                    })),
                })
            })?;
            let mut statement = c.prepare_cached("SELECT * FROM request")?;
            first(&mut statement, "request", [], |row| request(row, lines))
        })
    }

    fn refused_lines(&self) -> Result<Vec<RefusedLine>, Error> {
        self.ask("reading refused lines", |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM lines WHERE reason IS NOT NULL ORDER BY position")?;
            rows(&mut statement, "lines", [], |row| {
                let position = row.get::<_, Unsigned>("position")?.index()?;
                let (written, reason) = (row.get("written")?, row.get("reason")?);
                Ok(RefusedLine { position, written, reason })
            })
        })
    }

    fn queries(&self) -> Result<Vec<Registered>, Error> {
        let order = "ORDER BY position IS NULL, position, id";
        self.ask("reading queries", |c| {
            // One state, while another process may write.
            let c = c.unchecked_transaction()?;
            let mut given_up = given_up::parts(&c, None)?;
            let mut statement = c.prepare_cached(&format!("{REGISTERED} {order}"))?;
            rows(&mut statement, "queries", [], |row| registered(row, &mut given_up))
        })
    }

    fn query(&self, query: QueryId) -> Result<Option<Registered>, Error> {
        self.ask("reading a query", |c| {
            let c = c.unchecked_transaction()?;
            let mut given_up = given_up::parts(&c, Some(query))?;
            let mut statement = c.prepare_cached(&format!("{REGISTERED} AND id = ?1"))?;
            first(&mut statement, "queries", [query], |row| registered(row, &mut given_up))
        })
    }

    fn remember(&self, queries: &[Remembered]) -> Result<Vec<QueryId>, Error> {
        self.change("keeping queries", |t| {
            let ids = queries.iter().map(|query| keep(t, query));
            let ids: Vec<QueryId> = ids.collect::<Result<_, _>>()?;
            let mut link = t.prepare_cached(
                "UPDATE queries SET substitute =
                     (SELECT s.id FROM queries s WHERE s.sent = ?2 AND s.interval_s = ?3)
                 WHERE id = ?1 AND substitute IS NULL",
            )?;
            let mut linked = 0;
            for (query, id) in queries.iter().zip(&ids) {
                if let Some(substitute) = &query.substitute {
                    linked += link.execute(params![id, substitute.as_str(), query.text.interval])?;
                }
            }
            if linked > 0 {
                // A query that would travel as itself, or as one that travels as another, would be seen nowhere.
                t.execute(
                    "UPDATE queries SET substitute = NULL WHERE substitute = id OR EXISTS
                         (SELECT 1 FROM queries s WHERE s.id = queries.substitute AND s.substitute IS NOT NULL)",
                    [],
                )?;
            }
            Ok(ids)
        })
    }

    fn remembered(&self) -> Result<Vec<(QueryId, Remembered)>, Error> {
        self.ask("reading queries", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM queries ORDER BY id")?;
            let mut substitutes: Vec<Option<QueryId>> = Vec::new();
            let mut known = rows(&mut statement, "queries", [], |row| {
                generation(row, "generation_floor")?;
                substitutes.push(row.get("substitute")?);
                let (text, asked, role) = (text(row)?, asked(row)?, row.get("role")?);
                Ok((row.get("id")?, Remembered { text, asked, substitute: None, role }))
            })?;
            // Each text once, however many queries it is sent in place of.
            for (at, substitute) in substitutes.into_iter().enumerate() {
                let Some(id) = substitute else { continue };
                let found = known.binary_search_by_key(&id, |(id, _)| *id);
                let missing = |_| unknown("queries.substitute", id.0);
                known[at].1.substitute = Some(known[found.map_err(missing)?].1.text.sent.clone());
            }
            Ok(known)
        })
    }

    fn recall(&self, queries: &[QueryId]) -> Result<Vec<Recalled>, Error> {
        self.ask("reading queries", |c| recall(c, queries))?
    }

    fn substitute(&self, query: QueryId, sent: &str) -> Result<QueryId, Error> {
        let substitute: Option<QueryId> = self.change("keeping a substitute", |t| {
            let substitute = t
                .prepare_cached(
                    "INSERT INTO queries (sent, interval_s, written, alone)
                     SELECT ?2, interval_s, written, 1 FROM queries WHERE id = ?1
                     ON CONFLICT (sent, interval_s) DO UPDATE SET alone = 1, role = 'wanted'
                     RETURNING id",
                )?
                .query_row(params![query, sent], |row| row.get(0))
                .optional()?;
            t.execute(
                "UPDATE queries AS s
                 SET written = o.written, position = o.position, instead_of = o.id,
                     asked_start_s = o.asked_start_s, asked_end_s = o.asked_end_s
                 FROM queries o WHERE o.id = ?1 AND s.id = ?2 AND s.id <> o.id AND s.position IS NULL",
                params![query, substitute],
            )?;
            t.execute(
                "UPDATE queries SET substitute = ?2, position = NULL WHERE id = ?1 AND id <> ?2",
                params![query, substitute],
            )?;
            t.execute("DELETE FROM given_up WHERE query = ?1", [query])?;
            Ok(substitute)
        })?;
        substitute.ok_or(Error::UnknownQuery { query })
    }
}

/// Makes a query of the list known, as the list has it.
fn list(t: &Transaction<'_>, text: &QueryText) -> Result<QueryId, SqlError> {
    t.prepare_cached(
        "INSERT INTO queries (sent, interval_s, written, unfilled, alone) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (sent, interval_s) DO UPDATE
         SET written = excluded.written, unfilled = excluded.unfilled, alone = excluded.alone, role = excluded.role
         RETURNING id",
    )?
    .query_row(
        params![text.sent.as_str(), text.interval, text.written, text.unfilled, text.alone],
        |row| row.get(0),
    )
}

/// Gives a listed query, or what is sent in its place, its place. The first line that leads to a query names it.
fn place(
    t: &Transaction<'_>,
    id: QueryId,
    position: usize,
    text: &QueryText,
    asked: Range,
) -> Result<(), SqlError> {
    let asked = asked.of(text.interval);
    let (start_s, end_s) = (asked.map(Window::start_s), asked.map(Window::end_s));
    t.prepare_cached("UPDATE queries SET asked_start_s = ?2, asked_end_s = ?3 WHERE id = ?1")?
        .execute(params![id, start_s, end_s])?;
    t.prepare_cached(
        "UPDATE queries AS q
         SET position = ?2, written = ?3, asked_start_s = ?4, asked_end_s = ?5,
             instead_of = nullif(?1, q.id), alone = alone OR q.id <> ?1, role = 'wanted'
         WHERE id = (SELECT coalesce(l.substitute, l.id) FROM queries l WHERE l.id = ?1) AND position IS NULL",
    )?
    .execute(params![id, Unsigned::of(position), text.written, start_s, end_s])?;
    Ok(())
}

/// Makes a query known; of one that is known, completes what is missing.
fn keep(t: &Transaction<'_>, query: &Remembered) -> Result<QueryId, SqlError> {
    let Remembered { text, asked, role, .. } = query;
    let (start_s, end_s) = (asked.map(Window::start_s), asked.map(Window::end_s));
    let QueryText { written, sent, unfilled, interval, alone } = text;
    t.prepare_cached(
        "INSERT INTO queries (sent, interval_s, written, unfilled, alone, asked_start_s, asked_end_s, role)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (sent, interval_s) DO UPDATE
         SET role = CASE WHEN 'wanted' IN (role, excluded.role) THEN 'wanted'
                        WHEN 'probe' IN (role, excluded.role) THEN 'probe' ELSE 'sample' END,
             asked_start_s = coalesce(asked_start_s, excluded.asked_start_s),
             asked_end_s = coalesce(asked_end_s, excluded.asked_end_s),
             unfilled = coalesce(unfilled, excluded.unfilled)
         RETURNING id",
    )?
    .query_row(
        params![sent.as_str(), interval, written, unfilled, alone, start_s, end_s, role],
        |row| row.get(0),
    )
}

/// Reads these queries in the order given; an error in their place when one is not known.
pub(super) fn recall(
    c: &Connection,
    queries: &[QueryId],
) -> Result<Result<Vec<Recalled>, Error>, SqlError> {
    let mut statement = c.prepare_cached(
        "SELECT q.*, o.sent AS refused FROM json_each(?1) j LEFT JOIN queries q ON q.id = j.value
         LEFT JOIN queries o ON o.id = q.instead_of ORDER BY j.key",
    )?;
    let found = rows(&mut statement, "queries", [json_numbers(queries)], |row| {
        let Some(QueryId(_)) = row.get("id")? else { return Ok(None) };
        let (role, refused) = (row.get("role")?, row.get::<_, Option<OfQuery>>("refused")?);
        Ok(Some(Recalled { text: text(row)?, role, instead_of: refused.map(String::from) }))
    })?;
    let known = found.into_iter().zip(queries);
    Ok(known.map(|(found, &query)| found.ok_or(Error::UnknownQuery { query })).collect())
}

/// Reads what the last request asked for.
pub(super) fn range(c: &Connection) -> Result<Option<Range>, SqlError> {
    let mut statement = c.prepare_cached("SELECT * FROM request")?;
    first(&mut statement, "request", [], range_of)
}

fn range_of(row: &Row<'_>) -> Result<Range, SqlError> {
    let settled = second(row, "settled_s")?;
    let window = asked(row)?.ok_or_else(|| unknown("request.asked_start_s", ()))?;
    Ok(Range { window, settled })
}

fn request(row: &Row<'_>, lines: Vec<RequestLine>) -> Result<Request, SqlError> {
    Ok(Request {
        lines,
        asked: range_of(row)?,
        timezone: row.get("timezone")?,
        arguments: row.get("arguments")?,
    })
}

fn text(row: &Row<'_>) -> Result<QueryText, SqlError> {
    Ok(QueryText {
        written: row.get::<_, OfQuery>("written")?.into(),
        sent: String::from(row.get::<_, OfQuery>("sent")?).into(),
        unfilled: row.get::<_, Option<OfQuery>>("unfilled")?.map(String::from),
        interval: row.get("interval_s")?,
        alone: row.get("alone")?,
    })
}

fn asked(row: &Row<'_>) -> Result<Option<Window>, SqlError> {
    optional_window(row, "asked_start_s", "asked_end_s")
}

/// Every query that is wanted and has no substitute; a clause may follow.
const REGISTERED: &str = "SELECT * FROM queries WHERE substitute IS NULL AND role = 'wanted'";

/// Bytes of a bucket at most: a bucket that alone is larger than an answer may be is given up.
const WEIGHT_MAX: u64 = 1 << 30;

fn registered(
    row: &Row<'_>,
    given_up: &mut BTreeMap<QueryId, GivenUpParts>,
) -> Result<Registered, SqlError> {
    let weight = row.get::<_, Option<Unsigned>>("bytes_per_bucket")?;
    if let Some(Unsigned(bytes)) = weight.as_ref().filter(|weight| weight.0 > WEIGHT_MAX) {
        return Err(beyond(row, "bytes_per_bucket", *bytes));
    }
    let weight = weight.zip(row.get("weighed_ms")?);
    let id = row.get("id")?;
    let GivenUpParts { too_old, whole } = given_up.remove(&id).unwrap_or_default();
    Ok(Registered {
        id,
        text: text(row)?,
        asked: asked(row)?,
        position: row.get::<_, Option<Unsigned>>("position")?.map(Unsigned::index).transpose()?,
        instead_of: row.get("instead_of")?,
        weight: weight
            .map(|(bytes, Moment(weighed_at))| Weight { bytes_per_bucket: bytes.0, weighed_at }),
        too_old,
        given_up: whole,
    })
}
