//! The statements about what was given up.

use super::convert::{Moment, Short, Unsigned, Words, rows, second, unknown, window};
use super::{Connection, Params, Row, SqlError, Transaction, params, params_from_iter};
use crate::archive::{GiveUpReason, GiveUpScope, GivenUp, QueryId};
use crate::plan::{Window, subtract};
use jiff::Timestamp;
use std::collections::BTreeMap;

const REFUSED: &str = "refused";
const NOT_OFFERED: &str = "not-offered";
const URL_TOO_LONG: &str = "url-too-long";
const POINT_TOO_LARGE: &str = "point-too-large";
const TYPE_UNKNOWN: &str = "type-unknown";

pub(super) fn give_up(t: &Transaction<'_>, given_up: &GivenUp) -> Result<(), SqlError> {
    let GivenUp { query, window, scope, reason, at } = given_up;
    let (mut words, mut asked_s, mut nearest_s, mut limit) = (None, None, None, None);
    let kind = match reason {
        GiveUpReason::Refused(told) => {
            words = Some(told);
            REFUSED
        }
        GiveUpReason::TypeUnknown { why } => {
            words = Some(why);
            TYPE_UNKNOWN
        }
        GiveUpReason::NotOffered { asked, nearest } => {
            (asked_s, nearest_s) = (Some(asked), Some(nearest));
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
        query,
        window.start_s(),
        window.end_s(),
        *scope == GiveUpScope::Query,
        kind,
        words,
        asked_s,
        nearest_s,
        limit,
        Moment(*at)
    ])
    .map(drop)
}

/// Reads the rows that a clause selects.
pub(super) fn select(
    c: &Connection,
    clause: &str,
    of: impl Params,
) -> Result<Vec<GivenUp>, SqlError> {
    let mut statement = c.prepare_cached(&format!("SELECT * FROM given_up {clause}"))?;
    rows(&mut statement, "given_up", of, |row| {
        Ok(GivenUp {
            query: row.get("query")?,
            window: window(row)?,
            scope: if row.get("whole")? { GiveUpScope::Query } else { GiveUpScope::Window },
            at: row.get::<_, Moment>("at_ms")?.0,
            reason: reason(row)?,
        })
    })
}

/// Parts of what was given up of one query: those on which its next call depends.
#[derive(Default)]
pub(super) struct GivenUpParts {
    /// Until when the server refuses it for its age, and in which words.
    pub(super) too_old: Option<(Timestamp, String)>,
    /// The newest reason for which the query as a whole was given up.
    pub(super) whole: Option<GiveUpReason>,
}

/// Reads the parts of one query, or of all: each row once, in the order of the table's key.
pub(super) fn parts(
    c: &Connection,
    of: Option<QueryId>,
) -> Result<BTreeMap<QueryId, GivenUpParts>, SqlError> {
    let only = if of.is_some() { "AND query = ?1" } else { "" };
    let mut all: BTreeMap<QueryId, GivenUpParts> = BTreeMap::new();
    let mut old = c.prepare_cached(&format!(
        "SELECT query, max(end_s) AS end_s, words FROM given_up WHERE NOT whole {only} GROUP BY query"
    ))?;
    rows(&mut old, "given_up", params_from_iter(of), |row| {
        let until = second(row, "end_s")?;
        let words: Option<Words> = row.get("words")?;
        all.entry(row.get("query")?).or_default().too_old =
            words.map(|Short(words)| (until, words));
        Ok(())
    })?;
    let mut whole = c.prepare_cached(&format!(
        "SELECT query, max(at_ms), reason, words, asked_s, nearest_s, mebibytes_max FROM given_up
         WHERE whole {only} GROUP BY query"
    ))?;
    rows(&mut whole, "given_up", params_from_iter(of), |row| {
        all.entry(row.get("query")?).or_default().whole = Some(reason(row)?);
        Ok(())
    })?;
    Ok(all)
}

/// Reads the reason in a row of `given_up`.
fn reason(row: &Row<'_>) -> Result<GiveUpReason, SqlError> {
    let kind: String = row.get("reason")?;
    Ok(match kind.as_str() {
        REFUSED => GiveUpReason::Refused(row.get::<_, Words>("words")?.into()),
        TYPE_UNKNOWN => GiveUpReason::TypeUnknown { why: row.get::<_, Words>("words")?.into() },
        NOT_OFFERED => {
            GiveUpReason::NotOffered { asked: row.get("asked_s")?, nearest: row.get("nearest_s")? }
        }
        URL_TOO_LONG => GiveUpReason::UrlTooLong,
        POINT_TOO_LARGE => {
            let Unsigned(mebibytes_max) = row.get("mebibytes_max")?;
            GiveUpReason::PointTooLarge { mebibytes_max }
        }
        other => return Err(unknown("given_up.reason", other)),
    })
}

/// Takes back what an answer disproves: the query as a whole, and of refused stretches what the window holds.
pub(super) fn take_back(
    t: &Transaction<'_>,
    query: QueryId,
    stored: Window,
) -> Result<(), SqlError> {
    t.prepare_cached("DELETE FROM given_up WHERE query = ?1 AND whole")?.execute([query])?;
    let of = params![query, stored.start_s(), stored.end_s()];
    for refused in select(t, "WHERE query = ?1 AND start_s < ?3 AND end_s > ?2", of)? {
        t.prepare_cached("DELETE FROM given_up WHERE query = ?1 AND start_s = ?2 AND end_s = ?3")?
            .execute(params![query, refused.window.start_s(), refused.window.end_s()])?;
        for window in subtract(refused.window, &[stored]) {
            give_up(t, &GivenUp { window, ..refused.clone() })?;
        }
    }
    Ok(())
}
