//! The door to the database: the ledger in SQLite, one file that `sqlite3` opens and that explains itself.
//!
//! In WAL mode, so that `status`, `verify` and `extract` read while an export writes; `synchronous` so high that what is committed
//! survives a power failure. One writer, kept so by the lock of the directory. Only this file names `rusqlite`; its submodules
//! hold the statements, each beside the part of the ledger that it makes.

mod at_rest;
mod convert;
mod coverage;
mod facts;
mod given_up;
mod identity;
mod integrity_check;
mod migrate;
mod queries;
mod records;

use super::Ledger;
use crate::archive::Error;
use convert::is_of_a_cell;
use identity::{LedgerIdentity, identify};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{
    Connection, Error as SqlError, ErrorCode, OpenFlags, OptionalExtension, Params, Row, ToSql,
    Transaction, TransactionBehavior, params,
};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// `PRAGMA application_id` of a ledger: "jndo".
const APPLICATION_ID: i64 = 0x6a6e_646f;
/// `PRAGMA user_version`: raised when a released jindo's tables change. One with other columns is refused ([`identify`]), so
/// that no change goes without it.
const SCHEMA_VERSION: i64 = 4;
/// Longest wait of a reader or writer for SQLite's own short locks (a checkpoint, another reader's start).
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// Statements kept compiled per connection: a few more than this door has.
const STATEMENTS_MAX: usize = 64;

/// Bytes of the largest cell that is read or written: no series' tags are longer, as they came in an answer of 64 MiB.
const CELL_BYTES_MAX: i32 = 128 << 20;

const SCHEMA: &str = include_str!("schema.sql");

/// Treatment of a ledger file that is not there or has no tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfBlank {
    Create,
    /// There are objects already: an empty ledger would forget them.
    Refuse,
}

/// A ledger in SQLite.
#[derive(Debug)]
pub struct Sqlite {
    connection: Mutex<Connection>,
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Read,
}

impl Sqlite {
    /// Opens for writing. Only one process may, which the caller's lock ensures. What a crash left in a journal is taken back.
    pub fn open(path: &Path, if_blank: IfBlank) -> Result<Self, Error> {
        Self::writing(Connection::open(path), if_blank, path)
    }

    /// A ledger that lives as long as the value: for tests and simulations.
    pub fn memory() -> Result<Self, Error> {
        Self::writing(Connection::open_in_memory(), IfBlank::Create, Path::new(":memory:"))
    }

    /// Opens for reading, also while another process writes, also on a medium that cannot be written.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let left = |suffix| beside(path, suffix).exists();
        let opened = match identified(Connection::open_with_flags(path, flags)) {
            // Without write permission SQLite cannot make the WAL's index; where nothing is left beside the file, none is needed.
            Err(error) if is_refused_write(&error) && !left("-wal") && !left("-journal") => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                identified(Connection::open_with_flags(immutable_uri(path), flags))
            }
            opened => opened,
        };
        let connection = match opened? {
            (connection, LedgerIdentity::Ours) => connection,
            (connection, LedgerIdentity::Earlier) => {
                let copied = migrate::copied(&connection);
                let copied = copied.and_then(|copy| guard(&copy).map(|()| copy));
                copied.map_err(failed("migrating a copy of the ledger"))?
            }
            (_, LedgerIdentity::Blank) => return Err(lost(path)),
        };
        Ok(Self { connection: Mutex::new(connection), access: Access::Read })
    }

    fn writing(
        opened: Result<Connection, SqlError>,
        if_blank: IfBlank,
        path: &Path,
    ) -> Result<Self, Error> {
        let (mut connection, identity) = identified(opened)?;
        let (doing, made) = match (identity, if_blank) {
            (LedgerIdentity::Ours, _) => ("opening the ledger", Ok(())),
            (LedgerIdentity::Earlier, _) => {
                ("migrating the ledger", migrate::migrate(&mut connection))
            }
            (LedgerIdentity::Blank, IfBlank::Create) => {
                ("creating the ledger", create(&mut connection))
            }
            (LedgerIdentity::Blank, IfBlank::Refuse) => return Err(lost(path)),
        };
        made.and_then(|()| prepare(&connection)).map_err(failed(doing))?;
        Ok(Self { connection: Mutex::new(connection), access: Access::Write })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, SqlError>,
    ) -> Result<T, Error> {
        work(&self.connection()).map_err(failed(doing))
    }

    /// Works in one transaction.
    fn change<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SqlError>,
    ) -> Result<T, Error> {
        self.change_or_leave(doing, |t| work(t).map(Ok))
    }

    /// The same, of which nothing is kept when `work` comes to an error of ours.
    fn change_or_leave<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<Result<T, Error>, SqlError>,
    ) -> Result<T, Error> {
        if self.access == Access::Read {
            return Err(Error::ReadOnly);
        }
        let mut connection = self.connection();
        let act = || {
            let t = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&t)?;
            if done.is_ok() {
                t.commit()?;
            }
            Ok(done)
        };
        act().map_err(failed(doing))?
    }
}

/// Guards a connection and identifies what it leads to.
fn identified(opened: Result<Connection, SqlError>) -> Result<(Connection, LedgerIdentity), Error> {
    let connection = opened.map_err(failed("opening the ledger"))?;
    guard(&connection).map_err(failed("opening the ledger"))?;
    let identity = identify(&connection)?;
    Ok((connection, identity))
}

/// Sets the limits of every connection: nothing that a ledger from elsewhere defines is run, and no cell takes all memory.
fn guard(connection: &Connection) -> Result<(), SqlError> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, CELL_BYTES_MAX).map(drop)
}

/// Makes an empty database of a schema, in memory.
fn in_memory(schema: &str) -> Result<Connection, SqlError> {
    let made = Connection::open_in_memory_with_flags(OpenFlags::default())?;
    made.execute_batch(schema)?;
    Ok(made)
}

/// In one transaction, before the file becomes WAL: a crash leaves a ledger or a blank file.
fn create(connection: &mut Connection) -> Result<(), SqlError> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// Makes a ledger ready to be written, also one that an earlier jindo kept with a rollback journal. EXTRA is FULL with the
/// write-ahead log, and as durable where SQLite cannot have one.
fn prepare(connection: &Connection) -> Result<(), SqlError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    connection.pragma_update(None, "foreign_keys", "ON")
}

/// The ledger lies in `DIR/archive`.
fn lost(path: &Path) -> Error {
    Error::LedgerLost { dir: path.ancestors().nth(2).unwrap_or(path).to_owned() }
}

fn failed(doing: &'static str) -> impl Fn(SqlError) -> Error {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::LedgerDamaged { why: source.to_string() }
        }
        _ if is_of_a_cell(&source) => Error::LedgerDamaged { why: format!("{doing}: {source}") },
        // Without the cause below, which says the same with a number.
        Some(ErrorCode::DiskFull) => Error::NoRoom { doing, source: source.to_string().into() },
        Some(ErrorCode::CannotOpen) => Error::NotOpened { doing, source: Box::new(source) },
        _ => Error::Ledger { doing, source: Box::new(source) },
    }
}

/// Returns true for SQLite's errors where it could read if it might write: a log to be indexed, a journal to be rolled back. Not that
/// somebody else is writing: what is read past a writer's lock may be half of it.
fn is_refused_write(error: &Error) -> bool {
    let (Error::Ledger { source, .. } | Error::NotOpened { source, .. }) = error else {
        return false;
    };
    let code = source.downcast_ref::<SqlError>().and_then(SqlError::sqlite_error_code);
    matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure))
}

/// `path` with `suffix` behind its last character, as SQLite names its companions.
pub(in crate::archive) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn immutable_uri(path: &Path) -> String {
    let escaped =
        path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}?immutable=1")
}

impl Ledger for Sqlite {
    fn check(&self) -> Result<Vec<String>, Error> {
        integrity_check::check(self)
    }

    /// Folds the write-ahead log into the file and closes it.
    fn close(&self) -> Result<(), Error> {
        self.ask("closing the ledger", |c| {
            c.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        })
    }
}
