//! The statements about the small facts: learnt, kept, totals.

use super::convert::{Unsigned, stored_interval, stored_moment, stored_second};
use super::files::Marked;
use super::{
    Connection, OptionalExtension, SqlError, Sqlite, Transaction, TransactionBehavior, failed,
    files, given_up, params, queries,
};
use crate::archive::{
    Error, Extracted, FactLedger, GivenUp, Learnt, OutputName, ProbesDiscarded, QueryId, Spaced,
    Totals,
};
use crate::plan::{Confidence, LearntLimit};
use jiff::Timestamp;

impl FactLedger for Sqlite {
    fn give_up(&mut self, given_up: &GivenUp) -> Result<(), Error> {
        self.write("giving a query up", |t| given_up::give_up(t, given_up))
    }

    fn given_up(&mut self) -> Result<Vec<GivenUp>, Error> {
        given_up::given_up(&self.connection).map_err(failed("reading what was given up"))
    }

    fn learn(&mut self, learnt: &Learnt) -> Result<(), Error> {
        self.write("keeping a limit", |t| self::learn(t, learnt))
    }

    fn learnt(&mut self) -> Result<Vec<Learnt>, Error> {
        self::learnt(&self.connection).map_err(failed("reading limits"))
    }

    fn discard_probes(&mut self, discarded: &ProbesDiscarded) -> Result<(), Error> {
        self.write("discarding probes", |t| self::discard_probes(t, discarded))
    }

    fn probes_discarded(&mut self) -> Result<Option<ProbesDiscarded>, Error> {
        self::probes_discarded(&self.connection).map_err(failed("reading facts"))
    }

    fn weigh(&mut self, weights: &[(QueryId, Option<u64>)], at: Timestamp) -> Result<(), Error> {
        self.write("keeping weights", |t| queries::weigh(t, weights, at))
    }

    fn forget(&mut self) -> Result<(), Error> {
        self.write("forgetting limits", self::forget)
    }

    fn space(&mut self, spaced: &[Spaced]) -> Result<(), Error> {
        self.write("keeping spacings", |t| self::space(t, spaced))
    }

    fn spaced(&mut self) -> Result<Vec<Spaced>, Error> {
        self::spaced(&self.connection).map_err(failed("reading spacings"))
    }

    fn keep(&mut self, key: &str, text: &str) -> Result<(), Error> {
        self.write("keeping a fact", |t| self::keep(t, key, text))
    }

    fn kept(&mut self, key: &str) -> Result<Option<String>, Error> {
        self::kept(&self.connection, key).map_err(failed("reading a fact"))
    }

    fn extracted(
        &mut self,
        output: OutputName,
        query: QueryId,
    ) -> Result<Option<Extracted>, Error> {
        files::extracted(&self.connection, output, query)
            .map_err(failed("reading what was extracted"))
    }

    fn owner(&mut self, path: &str) -> Result<Option<QueryId>, Error> {
        files::owner(&self.connection, path).map_err(failed("reading what was extracted"))
    }

    fn mark_extracted(
        &mut self,
        output: OutputName,
        extracted: &[(QueryId, Extracted)],
    ) -> Result<(), Error> {
        let doing = "keeping what was extracted";
        let t = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let t = t.map_err(failed(doing))?;
        match files::mark_extracted(&t, output, extracted).map_err(failed(doing))? {
            Marked::All => t.commit().map_err(failed(doing)),
            Marked::None(taken) => Err(taken),
        }
    }

    fn totals(&mut self) -> Result<Totals, Error> {
        self::totals(&self.connection).map_err(failed("counting"))
    }
}

/// Names in the table `learnt`.
const POINTS: &str = "points";
const QUERIES: &str = "queries";
const URL_CHARS: &str = "url";
/// Its figure is in Unix seconds.
const OLDEST_KEPT: &str = "oldest";

pub(super) fn learn(t: &Transaction<'_>, learnt: &Learnt) -> Result<(), SqlError> {
    let Learnt { limit, learnt_at, why } = learnt;
    let (name, value) = match *limit {
        LearntLimit::Points(points) => (POINTS, points.into()),
        LearntLimit::Queries(queries) => (QUERIES, Unsigned::of(queries)),
        LearntLimit::UrlChars(chars) => (URL_CHARS, Unsigned::of(chars)),
        LearntLimit::OldestKept(oldest) => {
            (OLDEST_KEPT, Unsigned(u64::try_from(oldest.as_second()).unwrap_or(0)))
        }
    };
    t.execute(
        "INSERT OR REPLACE INTO learnt (name, value, learnt_ms, why) VALUES (?1, ?2, ?3, ?4)",
        params![name, value, learnt_at.as_millisecond(), why],
    )?;
    Ok(())
}

/// The limit of that name and figure. Another name is an error: a limit that is skipped would be learnt again by failing calls.
fn limit(name: &str, value: Unsigned) -> Result<LearntLimit, SqlError> {
    Ok(match name {
        POINTS => LearntLimit::Points(u32::try_from(value.index()?).map_err(|_| {
            SqlError::InvalidColumnName("learnt.value is no number of points".into())
        })?),
        QUERIES => LearntLimit::Queries(value.index()?),
        URL_CHARS => LearntLimit::UrlChars(value.index()?),
        OLDEST_KEPT => LearntLimit::OldestKept(stored_second(value)?),
        _ => return Err(SqlError::InvalidColumnName(format!("learnt.name is {name:?}"))),
    })
}

pub(super) fn discard_probes(
    t: &Transaction<'_>,
    discarded: &ProbesDiscarded,
) -> Result<(), SqlError> {
    let ProbesDiscarded { why, at } = discarded;
    t.execute(
        "INSERT OR REPLACE INTO probes_discarded (id, why, at_ms) VALUES (1, ?1, ?2)",
        params![why, at.as_millisecond()],
    )?;
    Ok(())
}

pub(super) fn probes_discarded(c: &Connection) -> Result<Option<ProbesDiscarded>, SqlError> {
    c.prepare_cached("SELECT why, at_ms FROM probes_discarded")?
        .query_row([], |row| {
            Ok(ProbesDiscarded { why: row.get(0)?, at: stored_moment(row.get(1)?)? })
        })
        .optional()
}

pub(super) fn learnt(c: &Connection) -> Result<Vec<Learnt>, SqlError> {
    c.prepare_cached("SELECT name, value, learnt_ms, why FROM learnt ORDER BY name")?
        .query_map([], |row| {
            Ok(Learnt {
                limit: limit(&row.get::<_, String>(0)?, row.get(1)?)?,
                learnt_at: stored_moment(row.get(2)?)?,
                why: row.get(3)?,
            })
        })?
        .collect()
}

pub(super) fn forget(t: &Transaction<'_>) -> Result<(), SqlError> {
    t.execute("DELETE FROM learnt", [])?;
    t.execute("DELETE FROM probes_discarded", [])?;
    t.execute("UPDATE queries SET bytes_per_bucket = NULL, weighed_ms = NULL", [])?;
    t.execute("DELETE FROM spacings", [])?;
    t.execute("DELETE FROM given_up WHERE NOT whole", [])?;
    Ok(())
}

pub(super) fn space(t: &Transaction<'_>, spaced: &[Spaced]) -> Result<(), SqlError> {
    let mut insert =
        t.prepare_cached("INSERT OR REPLACE INTO spacings VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for Spaced { query, interval, basis, why, found_at } in spaced {
        let at = found_at.as_millisecond();
        insert.execute(params![query, interval.secs(), basis.name(), why, at])?;
    }
    Ok(())
}

pub(super) fn spaced(c: &Connection) -> Result<Vec<Spaced>, SqlError> {
    c.prepare_cached("SELECT query, interval_s, basis, why, found_ms FROM spacings ORDER BY query")?
        .query_map([], |row| {
            let basis: String = row.get(2)?;
            let basis = Confidence::ALL.into_iter().find(|known| known.name() == basis);
            Ok(Spaced {
                query: row.get(0)?,
                interval: stored_interval(row.get(1)?)?,
                basis: basis.ok_or_else(|| {
                    SqlError::InvalidColumnName("spacings.basis is none that is known".into())
                })?,
                why: row.get(3)?,
                found_at: stored_moment(row.get(4)?)?,
            })
        })?
        .collect()
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

pub(super) fn totals(c: &Connection) -> Result<Totals, SqlError> {
    let [listed, queries, given_up] = numbers(
        c,
        "SELECT (SELECT count(*) FROM queries WHERE position IS NOT NULL),
                (SELECT count(*) FROM queries WHERE substitute IS NULL AND role = 'wanted'),
                (SELECT count(DISTINCT query) FROM given_up
                 WHERE whole AND query IN (SELECT id FROM queries WHERE role = 'wanted'))",
    )?;
    let [objects, bytes, rows] = numbers(
        c,
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(rows), 0) FROM objects",
    )?;
    let [covered_s, open, probed_s] = numbers(
        c,
        "SELECT coalesce(sum(end_s - start_s), 0), coalesce(sum(open), 0),
                coalesce(sum(iif(probed, end_s - start_s, 0)), 0)
         FROM coverage WHERE query IN (SELECT id FROM queries WHERE role = 'wanted')",
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
        probed_s,
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
            *number = row.get::<_, Unsigned>(index)?.0;
        }
        Ok(numbers)
    })
}
