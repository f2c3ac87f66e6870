//! Conversion of cells between our types and SQLite's. A cell of a ledger from elsewhere may hold anything: what is none of
//! ours is an error, never a panic.

use super::{FromSql, FromSqlError, FromSqlResult, Row, SqlError, ToSql, ToSqlOutput, ValueRef};
use crate::archive::objects::is_object_name;
use crate::archive::{ObjectId, QueryId, Role};
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

/// The error of a cell whose text is none of those that it may have.
pub(super) fn unknown(cell: &str, text: &str) -> SqlError {
    SqlError::InvalidColumnName(format!("{cell} is {text:?}"))
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

impl ToSql for QueryId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, SqlError> {
        self.0.to_sql()
    }
}

impl FromSql for QueryId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

impl ToSql for ObjectId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, SqlError> {
        self.0.to_sql()
    }
}

impl FromSql for ObjectId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
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

/// In seconds.
impl ToSql for Interval {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, SqlError> {
        Ok(self.secs().into())
    }
}

impl FromSql for Interval {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_secs(u32::column_result(value)?).ok_or(FromSqlError::OutOfRange(0))
    }
}

/// A moment, in Unix milliseconds.
pub(super) struct Moment(pub(super) Timestamp);

impl ToSql for Moment {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, SqlError> {
        Ok(self.0.as_millisecond().into())
    }
}

impl FromSql for Moment {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let ms = value.as_i64()?;
        Timestamp::from_millisecond(ms).map(Self).map_err(|_| FromSqlError::OutOfRange(ms))
    }
}

/// The window between the cells `start_s` and `end_s`.
pub(super) fn window(row: &Row<'_>) -> Result<Window, SqlError> {
    let window = optional_window(row, "start_s", "end_s")?;
    window.ok_or(SqlError::IntegralValueOutOfRange(0, 0))
}

/// The window between two cells, if both hold something.
pub(super) fn optional_window(
    row: &Row<'_>,
    start: &str,
    end: &str,
) -> Result<Option<Window>, SqlError> {
    let bounds: (Option<i64>, Option<i64>) = (row.get(start)?, row.get(end)?);
    let (Some(start_s), Some(end_s)) = bounds else { return Ok(None) };
    let window = Window::from_secs(start_s, end_s);
    window.map(Some).ok_or(SqlError::IntegralValueOutOfRange(0, start_s))
}
