//! The statements about what was given up.

use super::convert::{Unsigned, stored_interval, stored_moment, stored_window};
use super::{Connection, Row, SqlError, Transaction, params};
use crate::archive::{GiveUpReason, GiveUpScope, GivenUp, QueryId};
use crate::plan::{Window, subtract};
use crate::query::Interval;

const REFUSED: &str = "refused";
const NOT_OFFERED: &str = "not-offered";
const URL_TOO_LONG: &str = "url-too-long";
const POINT_TOO_LARGE: &str = "point-too-large";

/// Cells of a reason, as [`reason`] reads them, from one row of `given_up`.
pub(super) const REASON: &str = "reason, words, asked_s, nearest_s, mebibytes_max";

pub(super) fn give_up(t: &Transaction<'_>, given_up: &GivenUp) -> Result<(), SqlError> {
    let GivenUp { query, window, scope, reason, at } = given_up;
    let (mut words, mut asked_s, mut nearest_s, mut limit) = (None, None, None, None);
    let kind = match reason {
        GiveUpReason::Refused(told) => {
            words = Some(told);
            REFUSED
        }
        GiveUpReason::NotOffered { asked, nearest } => {
            (asked_s, nearest_s) = (Some(asked.secs()), Some(nearest.secs()));
            NOT_OFFERED
        }
        GiveUpReason::UrlTooLong => URL_TOO_LONG,
        GiveUpReason::PointTooLarge { mebibytes_max } => {
            limit = Some(Unsigned(*mebibytes_max));
            POINT_TOO_LARGE
        }
    };
    t.prepare_cached(
        "INSERT OR REPLACE INTO given_up
             (query, start_s, end_s, whole, reason, words, asked_s, nearest_s, mebibytes_max, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        query.0,
        window.start_s(),
        window.end_s(),
        *scope == GiveUpScope::Query,
        kind,
        words,
        asked_s,
        nearest_s,
        limit,
        at.as_millisecond()
    ])?;
    Ok(())
}

pub(super) fn given_up(c: &Connection) -> Result<Vec<GivenUp>, SqlError> {
    select(c, "ORDER BY query, start_s, end_s, whole", [])
}

/// Reads the rows that a clause selects.
fn select(
    c: &Connection,
    clause: &str,
    of: impl rusqlite::Params,
) -> Result<Vec<GivenUp>, SqlError> {
    let select =
        format!("SELECT query, start_s, end_s, whole, at_ms, {REASON} FROM given_up {clause}");
    c.prepare_cached(&select)?
        .query_map(of, |row| {
            Ok(GivenUp {
                query: QueryId(row.get(0)?),
                window: stored_window(row.get(1)?, row.get(2)?)?,
                scope: if row.get(3)? { GiveUpScope::Query } else { GiveUpScope::Window },
                at: stored_moment(row.get(4)?)?,
                reason: reason(row, 5)?,
            })
        })?
        .collect()
}

/// Reads the cells of [`REASON`], the first of them at `from`.
pub(super) fn reason(row: &Row<'_>, from: usize) -> Result<GiveUpReason, SqlError> {
    let interval = |at: usize| -> Result<Interval, SqlError> { stored_interval(row.get(at)?) };
    let kind: String = row.get(from)?;
    Ok(match kind.as_str() {
        REFUSED => GiveUpReason::Refused(row.get(from + 1)?),
        NOT_OFFERED => {
            GiveUpReason::NotOffered { asked: interval(from + 2)?, nearest: interval(from + 3)? }
        }
        URL_TOO_LONG => GiveUpReason::UrlTooLong,
        POINT_TOO_LARGE => {
            let Unsigned(mebibytes_max) = row.get(from + 4)?;
            GiveUpReason::PointTooLarge { mebibytes_max }
        }
        other => {
            return Err(SqlError::InvalidColumnName(format!("given_up.reason is {other:?}")));
        }
    })
}

/// Takes back what an answer disproves: the query as a whole, and of refused stretches what the window holds.
pub(super) fn take_back(
    t: &Transaction<'_>,
    query: QueryId,
    stored: Window,
) -> Result<(), SqlError> {
    t.prepare_cached("DELETE FROM given_up WHERE query = ?1 AND whole")?.execute([query.0])?;
    let of = params![query.0, stored.start_s(), stored.end_s()];
    let refused = select(t, "WHERE query = ?1 AND start_s < ?3 AND end_s > ?2", of)?;
    for refused in refused {
        t.prepare_cached("DELETE FROM given_up WHERE query = ?1 AND start_s = ?2 AND end_s = ?3")?
            .execute(params![query.0, refused.window.start_s(), refused.window.end_s()])?;
        for window in subtract(refused.window, &[stored]) {
            give_up(t, &GivenUp { window, ..refused.clone() })?;
        }
    }
    Ok(())
}
