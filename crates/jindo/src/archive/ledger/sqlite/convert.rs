//! Conversion of cells between our types and SQLite's. A cell of a ledger from elsewhere may hold anything: what is none of
//! ours is an error, never a panic.

use super::{FromSql, FromSqlError, FromSqlResult, SqlError, ToSql, ToSqlOutput, ValueRef};
use crate::archive::objects::is_object_name;
use crate::archive::{QueryId, Role};
use crate::plan::Window;
use crate::query::Interval;
use jiff::Timestamp;

/// Returns true if a statement failed for the content of a cell, so that another try will not help.
pub(super) fn is_of_a_cell(error: &SqlError) -> bool {
    matches!(
        error,
        SqlError::FromSqlConversionFailure(..)
            | SqlError::IntegralValueOutOfRange(..)
            | SqlError::InvalidColumnType(..)
            | SqlError::InvalidColumnName(..)
            | SqlError::Utf8Error(..)
    ) || matches!(error, SqlError::SqliteFailure(_, Some(text)) if text == "integer overflow")
}

/// The name of an object, as jindo makes them: whatever else a ledger names is not looked at, let alone removed.
pub(super) struct Name(pub(super) String);

impl FromSql for Name {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        if is_object_name(name) {
            return Ok(Self(name.to_owned()));
        }
        Err(FromSqlError::Other(format!("{name:?} is the name of no object").into()))
    }
}

/// Numbers of queries as a JSON array, for `json_each`.
pub(super) fn json_numbers(queries: &[QueryId]) -> String {
    let numbers: Vec<String> = queries.iter().map(|query| query.0.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

/// A count or a size: SQLite's integers are signed, ours are not.
pub(super) struct Unsigned(pub(super) u64);

impl Unsigned {
    pub(super) fn of(count: usize) -> Self {
        Self(count as u64)
    }

    /// Of many, as large as a cell can hold at most: for show, so that no sum of a ledger from elsewhere overflows.
    pub(super) fn sum(counts: impl Iterator<Item = u64>) -> Self {
        Self(counts.fold(0, u64::saturating_add).min(i64::MAX.cast_unsigned()))
    }

    /// `usize` where this machine can hold as many.
    pub(super) fn index(self) -> Result<usize, SqlError> {
        usize::try_from(self.0).map_err(|_| SqlError::IntegralValueOutOfRange(0, i64::MAX))
    }
}

impl From<u32> for Unsigned {
    fn from(count: u32) -> Self {
        Self(count.into())
    }
}

impl ToSql for Unsigned {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, SqlError> {
        let count = i64::try_from(self.0)
            .map_err(|beyond| SqlError::ToSqlConversionFailure(Box::new(beyond)))?;
        Ok(ToSqlOutput::from(count))
    }
}

impl FromSql for Unsigned {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let count = value.as_i64()?;
        u64::try_from(count).map(Self).map_err(|_| FromSqlError::OutOfRange(count))
    }
}

impl ToSql for Role {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, SqlError> {
        Ok(ToSqlOutput::from(self.name()))
    }
}

impl FromSql for Role {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(FromSqlError::InvalidType)
    }
}

pub(super) fn stored_window(start_s: i64, end_s: i64) -> Result<Window, SqlError> {
    Window::from_secs(start_s, end_s).ok_or(SqlError::IntegralValueOutOfRange(0, start_s))
}

pub(super) fn stored_interval(secs: u32) -> Result<Interval, SqlError> {
    Interval::from_secs(secs).ok_or(SqlError::IntegralValueOutOfRange(0, 0))
}

pub(super) fn stored_second(Unsigned(secs): Unsigned) -> Result<Timestamp, SqlError> {
    let second = i64::try_from(secs).unwrap_or(i64::MAX);
    Timestamp::from_second(second).map_err(|_| SqlError::IntegralValueOutOfRange(0, second))
}

pub(super) fn stored_moment(ms: i64) -> Result<Timestamp, SqlError> {
    Timestamp::from_millisecond(ms).map_err(|_| SqlError::IntegralValueOutOfRange(0, ms))
}
