//! Conversion of cells between our types and SQLite's. A cell of a ledger from elsewhere may hold anything: what is none of
//! ours is an error, never a panic.

use super::{
    FromSql, FromSqlError, FromSqlResult, Params, Row, SqlError, Statement, ToSql, ToSqlOutput,
    Type, ValueRef,
};
use crate::archive::objects::{ANSWER_BYTES_MAX, GENERATION_MAX, QUERY_BYTES_MAX, is_object_name};
use crate::archive::{ObjectId, QueryId, Role};
use crate::plan::Window;
use crate::query::Interval;
use crate::query::grammar::LINE_BYTES_MAX;
use jiff::Timestamp;
use std::fmt;

/// A cell that holds what jindo never writes, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadCell(String);

/// Returns the words of a cell that holds what jindo never writes, if that is why a statement failed: another try will not help.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors, of which these are of cells"
)]
pub(super) fn bad_cell(error: &SqlError) -> Option<String> {
    match error {
        SqlError::FromSqlConversionFailure(_, _, cell) => Some(cell.to_string()),
        SqlError::IntegralValueOutOfRange(..)
        | SqlError::InvalidColumnType(..)
        | SqlError::Utf8Error(..) => Some(error.to_string()),
        SqlError::SqliteFailure(_, Some(text)) if text == "integer overflow" => {
            Some("the sum of a column is larger than a cell can hold".to_owned())
        }
        _ => None,
    }
}

/// The error of a cell, named with its table, whose content is none of those that it may have.
pub(super) fn unknown(cell: &str, content: impl fmt::Debug) -> SqlError {
    wrong(format!("{cell} is {content:?}"))
}

fn wrong(words: String) -> SqlError {
    SqlError::FromSqlConversionFailure(0, Type::Null, Box::new(BadCell(words)))
}

/// Reads every row of a statement; of a cell that holds what jindo never writes, the error names `table` and the column. A column of
/// another table has that table's name in its own: `objects.name`.
pub(super) fn rows<T>(
    statement: &mut Statement<'_>,
    table: &str,
    of: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, SqlError>,
) -> Result<Vec<T>, SqlError> {
    let mut found = Vec::new();
    let mut rows = statement.query(of)?;
    while let Some(row) = rows.next()? {
        found.push(read(row).map_err(|error| located(error, table, row))?);
    }
    Ok(found)
}

/// Looks at every row of a statement, one in memory at a time; errors are those of [`rows`].
pub(super) fn each(
    statement: &mut Statement<'_>,
    table: &str,
    mut look: impl FnMut(&Row<'_>) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(row).map_err(|error| located(error, table, row))?;
    }
    Ok(())
}

/// Reads the first row of a statement, if there is one; errors are those of [`rows`].
pub(super) fn first<T>(
    statement: &mut Statement<'_>,
    table: &str,
    of: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, SqlError>,
) -> Result<Option<T>, SqlError> {
    let mut rows = statement.query(of)?;
    let Some(row) = rows.next()? else { return Ok(None) };
    read(row).map(Some).map_err(|error| located(error, table, row))
}

/// Adds the name of the cell to the error of reading it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors, of which these are of cells"
)]
fn located(error: SqlError, table: &str, row: &Row<'_>) -> SqlError {
    let cell = |index: usize| {
        let column = row.as_ref().column_name(index).unwrap_or("?");
        if column.contains('.') { column.to_owned() } else { format!("{table}.{column}") }
    };
    match error {
        SqlError::InvalidColumnType(index, _, Type::Null) => {
            wrong(format!("{} is empty", cell(index)))
        }
        SqlError::InvalidColumnType(index, _, kind) => {
            let kind = kind.to_string().to_lowercase();
            wrong(format!("{} is of the type {kind}", cell(index)))
        }
        SqlError::IntegralValueOutOfRange(index, number) => {
            wrong(format!("{} is {number}", cell(index)))
        }
        SqlError::Utf8Error(index, _) => wrong(format!("{} is no text", cell(index))),
        SqlError::FromSqlConversionFailure(index, _, ref source)
            if source.downcast_ref::<BadCell>().is_none() =>
        {
            wrong(format!("{} {source}", cell(index)))
        }
        other => other,
    }
}

/// The name of an object, as jindo makes them: whatever else a ledger names is not looked at, let alone removed.
pub(super) struct Name(pub(super) String);

impl FromSql for Name {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        if is_object_name(name) {
            return Ok(Self(name.to_owned()));
        }
        Err(FromSqlError::Other(format!("is {name:?}, the name of no object").into()))
    }
}

/// Bytes of the words of a server, or of our own about a metric, at most: its name may be as long as a line of a list.
const WORDS_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;

/// Hexadecimal digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

/// A text of so many bytes at most. What many rows refer to, or what is told once for each gap, is read and told many times.
pub(super) struct Short<const BYTES_MAX: usize>(pub(super) String);

/// The text of a query: lists hold lines of [`LINE_BYTES_MAX`].
pub(super) type OfQuery = Short<QUERY_BYTES_MAX>;
/// Words that tell why.
pub(super) type Words = Short<WORDS_BYTES_MAX>;
/// The text that spells an answer.
pub(super) type Spelled = Short<ANSWER_BYTES_MAX>;
/// The hash of a file.
pub(super) type FileHash = Short<SHA256_DIGITS>;

impl<const BYTES_MAX: usize> FromSql for Short<BYTES_MAX> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        if text.len() <= BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is a text of {} bytes, and has {BYTES_MAX} at most", text.len());
        Err(FromSqlError::Other(why.into()))
    }
}

impl<const BYTES_MAX: usize> From<Short<BYTES_MAX>> for String {
    fn from(short: Short<BYTES_MAX>) -> Self {
        short.0
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
        usize::try_from(self.0).map_err(|_| wrong(format!("{} is more than memory holds", self.0)))
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
    between(row, "start_s", "end_s")
}

/// The window between two cells, if both hold something.
pub(super) fn optional_window(
    row: &Row<'_>,
    start: &str,
    end: &str,
) -> Result<Option<Window>, SqlError> {
    let bounds: (Option<i64>, Option<i64>) = (row.get(start)?, row.get(end)?);
    if bounds == (None, None) {
        return Ok(None);
    }
    between(row, start, end).map(Some)
}

fn between(row: &Row<'_>, start: &str, end: &str) -> Result<Window, SqlError> {
    let (start_s, end_s): (i64, i64) = (row.get(start)?, row.get(end)?);
    Window::from_secs(start_s, end_s).ok_or_else(|| {
        let why = format!("is {start_s}, and {end} {end_s}: no stretch of time");
        let index = row.as_ref().column_index(start).unwrap_or(0);
        SqlError::FromSqlConversionFailure(index, Type::Integer, why.into())
    })
}

/// Reads a moment in whole seconds.
pub(super) fn second(row: &Row<'_>, column: &str) -> Result<Timestamp, SqlError> {
    let second: i64 = row.get(column)?;
    Timestamp::from_second(second).map_err(|_| beyond(row, column, second))
}

/// Returns the error of a cell of this row whose number is beyond what jindo writes.
pub(super) fn beyond(row: &Row<'_>, column: &str, number: impl TryInto<i64>) -> SqlError {
    let index = row.as_ref().column_index(column).unwrap_or(0);
    SqlError::IntegralValueOutOfRange(index, number.try_into().unwrap_or(i64::MAX))
}

/// Reads the generation of an object, or the least that a query's next object may have.
pub(super) fn generation(row: &Row<'_>, column: &str) -> Result<u32, SqlError> {
    let Unsigned(number) = row.get(column)?;
    let generation = u32::try_from(number).ok().filter(|number| *number <= GENERATION_MAX);
    generation.ok_or_else(|| beyond(row, column, number))
}
