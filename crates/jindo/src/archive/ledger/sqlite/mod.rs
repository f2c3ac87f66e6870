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
mod guard;
mod identity;
mod integrity_check;
mod migrate;
mod queries;
mod records;

use super::Ledger;
use crate::archive::Error;
use convert::bad_cell;
use guard::{Guard, immutable_uri, plain};
use identity::{LedgerIdentity, identify};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef};
use rusqlite::{
    Connection, Error as SqlError, ErrorCode, OpenFlags, OptionalExtension, Params, Row, Statement,
    ToSql, Transaction, TransactionBehavior, params, params_from_iter,
};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `PRAGMA application_id` of a ledger: "jndo".
const APPLICATION_ID: i64 = 0x6a6e_646f;
/// `PRAGMA user_version`: raised when a released jindo's tables change. One with other columns is refused ([`identify`]), so
/// that no change goes without it.
const SCHEMA_VERSION: i64 = 4;
/// Statements kept compiled per connection: a few more than this door has.
const STATEMENTS_MAX: usize = 64;

/// A file is opened by its path: without `SQLITE_OPEN_URI`.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_CREATE)
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

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
    guard: Guard,
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
        Self::writing(Connection::open_with_flags(plain(path), FLAGS), if_blank, path)
    }

    /// A ledger that lives as long as the value: for tests and simulations.
    pub fn memory() -> Result<Self, Error> {
        Self::writing(Connection::open_in_memory(), IfBlank::Create, Path::new(":memory:"))
    }

    /// Opens for reading, also while another process writes, also on a medium that cannot be written.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let left = |suffix| beside(path, suffix).exists();
        let opened = match Opened::guarded(Connection::open_with_flags(plain(path), flags)) {
            // Without write permission SQLite cannot make the WAL's index; where nothing is left beside the file, none is needed.
            Err(error) if is_refused_write(&error) && !left("-wal") && !left("-journal") => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                Opened::guarded(Connection::open_with_flags(immutable_uri(path), flags))
            }
            opened => opened,
        };
        let Opened { connection, guard, identity } = opened?;
        let (connection, guard) = match identity {
            LedgerIdentity::Ours => (connection, guard),
            LedgerIdentity::Earlier => Self::migrated_copy(&connection)?,
            LedgerIdentity::Blank => return Err(lost(path)),
        };
        Self { connection: Mutex::new(connection), guard, access: Access::Read }.complete()
    }

    /// A ledger of an earlier format as a copy in the present one. Of the copy the constraints are known, as they are when it is
    /// opened for writing; of what is opened for reading they are not.
    fn migrated_copy(connection: &Connection) -> Result<(Connection, Guard), Error> {
        let copied = migrate::copied(connection);
        let (mut copy, guard) = copied.map_err(failed("copying the ledger"))?;
        let broken = guard::broken(&copy).map_err(failed("looking at its pages"))?;
        if let Some(why) = broken {
            return Err(Error::LedgerDamaged { why });
        }
        migrate::migrate(&mut copy).map_err(unfit("migrating a copy of the ledger"))?;
        Ok((copy, guard))
    }

    fn writing(
        opened: Result<Connection, SqlError>,
        if_blank: IfBlank,
        path: &Path,
    ) -> Result<Self, Error> {
        let Opened { mut connection, guard, identity } = Opened::guarded(opened)?;
        match (identity, if_blank) {
            (LedgerIdentity::Ours, _) => {}
            (LedgerIdentity::Earlier, _) => {
                migrate::migrate(&mut connection).map_err(unfit("migrating the ledger"))?;
            }
            (LedgerIdentity::Blank, IfBlank::Create) => {
                create(&mut connection).map_err(failed("creating the ledger"))?;
            }
            (LedgerIdentity::Blank, IfBlank::Refuse) => return Err(lost(path)),
        }
        prepare(&connection).map_err(failed("opening the ledger"))?;
        Self { connection: Mutex::new(connection), guard, access: Access::Write }.complete()
    }

    /// Refuses a ledger in which a query of the list is hidden.
    fn complete(self) -> Result<Self, Error> {
        match self.ask("comparing its list with its queries", integrity_check::hidden)? {
            Some(why) => Err(Error::LedgerDamaged { why }),
            None => Ok(self),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, SqlError>,
    ) -> Result<T, Error> {
        let connection = self.connection();
        self.guard.begin();
        work(&connection).map_err(failed(doing))
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
        self.guard.begin();
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

/// A connection that was guarded before its first statement, and what it leads to.
struct Opened {
    connection: Connection,
    guard: Guard,
    identity: LedgerIdentity,
}

impl Opened {
    /// Guards a connection, identifies what it leads to, and looks at its pages before anything else is asked of it.
    fn guarded(opened: Result<Connection, SqlError>) -> Result<Self, Error> {
        let mut connection = opened.map_err(failed("opening the ledger"))?;
        let guard = Guard::tight(&mut connection).map_err(failed("opening the ledger"))?;
        let identity = identify(&connection)?;
        let broken = guard.work(&connection).and_then(|()| match identity {
            LedgerIdentity::Ours | LedgerIdentity::Earlier => guard::broken(&connection),
            LedgerIdentity::Blank => Ok(None),
        });
        match broken.map_err(failed("looking at its pages"))? {
            Some(why) => Err(Error::LedgerDamaged { why }),
            None => Ok(Self { connection, guard, identity }),
        }
    }
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
        _ if let Some(why) = bad_cell(&source) => Error::LedgerDamaged { why },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::LedgerDamaged { why: source.to_string() }
        }
        Some(ErrorCode::OperationInterrupted) => {
            Error::LedgerDamaged { why: format!("{doing} takes more steps than a ledger needs") }
        }
        Some(ErrorCode::OutOfMemory) => {
            Error::LedgerDamaged { why: format!("{doing} takes more memory than a ledger needs") }
        }
        // Without the cause below, which says the same with a number.
        Some(ErrorCode::DiskFull) => Error::NoRoom { doing, source: source.to_string().into() },
        Some(ErrorCode::CannotOpen) => Error::NotOpened { doing, source: Box::new(source) },
        _ => Error::Ledger { doing, source: Box::new(source) },
    }
}

/// The error of a migration: rows that the present format does not take are damage.
fn unfit(doing: &'static str) -> impl Fn(SqlError) -> Error {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Error::LedgerDamaged {
            why: format!("{doing} fails, as its rows contradict each other: {source}"),
        },
        _ => failed(doing)(source),
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
