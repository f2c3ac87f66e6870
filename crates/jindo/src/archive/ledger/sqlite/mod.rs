//! The door to the database: the ledger in SQLite, one file that `sqlite3` opens and that explains itself.
//!
//! WAL, so that `status`, `verify` and `extract` read while an export writes, or a rollback journal where that does not work
//! ([`Journal`]); `synchronous` as high as that takes, so that what is committed stays. One writer, kept so by the lock of the
//! directory. Only this file names `rusqlite`; its
//! submodules hold the statements, each beside the part of the ledger that it makes.

mod convert;
mod coverage;
mod facts;
mod files;
mod given_up;
mod integrity_check;
mod migrate;
mod queries;
mod schema_check;

use super::{Journal, Ledger};
use crate::archive::Error;
use convert::is_of_a_cell;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{
    Connection, Error as SqlError, ErrorCode, OpenFlags, OptionalExtension, Row, ToSql,
    Transaction, TransactionBehavior, params,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `PRAGMA application_id` of a ledger: "jndo".
const APPLICATION_ID: i64 = 0x6a6e_646f;
/// `PRAGMA user_version`: raised when a released jindo's tables change. One that differs in more than comments and spaces is
/// refused ([`schema_check`]), so that no change goes without it.
const SCHEMA_VERSION: i64 = 2;
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
    connection: Connection,
    journal: Journal,
}

impl Sqlite {
    /// Opens for writing, with that journal or the one that works. Only one process may, which the caller's lock ensures.
    pub fn open(path: &Path, if_blank: IfBlank, journal: Journal) -> Result<Self, Error> {
        let opened = |journal| {
            let connection = Connection::open(path).map_err(failed("opening the ledger"))?;
            Self::writing(connection, if_blank, journal, path)
        };
        match opened(journal) {
            Err(error) if journal == Journal::WriteAhead && is_no_shared_memory(&error) => {
                opened(Journal::Rollback("a file system without shared memory"))
            }
            other => other,
        }
    }

    /// A ledger that lives as long as the value: for tests and simulations.
    pub fn memory() -> Result<Self, Error> {
        let connection = Connection::open_in_memory().map_err(failed("opening a ledger"))?;
        Self::writing(connection, IfBlank::Create, Journal::WriteAhead, Path::new(":memory:"))
    }

    /// Opens for reading, also while another process writes, also on a medium that cannot be written. A commit that a crash cut
    /// off in a rollback journal is taken back first, which needs a medium that can be.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let here = |suffix| beside(path, suffix).exists();
        match Self::reading(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Err(error) if is_refused_write(&error) && here("-journal") => {
                Self::reading(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            }
            // Without write permission SQLite cannot make the WAL's index; where nothing is left beside the file, none is needed.
            Err(error) if is_refused_write(&error) && !here("-wal") && !here("-journal") => {
                let uri = PathBuf::from(immutable_uri(path));
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                Self::reading(&uri, flags)
            }
            opened => opened,
        }
    }

    fn reading(path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        let doing = "opening the ledger for reading";
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed(doing))?;
        guard(&connection).map_err(failed(doing))?;
        let mut ledger = Self { connection, journal: Journal::WriteAhead };
        match ledger.identify().map_err(failed(doing))? {
            LedgerIdentity::Ours => Ok(ledger),
            LedgerIdentity::Earlier => {
                ledger.connection = migrate::copied(&ledger.connection).map_err(failed(doing))?;
                guard(&ledger.connection).map_err(failed(doing))?;
                Ok(ledger)
            }
            LedgerIdentity::Blank => Err(lost(path)),
            LedgerIdentity::Newer(found) => Err(newer(found)),
            LedgerIdentity::Foreign(why) => Err(Error::LedgerDamaged { why }),
        }
    }

    fn writing(
        connection: Connection,
        if_blank: IfBlank,
        journal: Journal,
        path: &Path,
    ) -> Result<Self, Error> {
        let doing = "opening the ledger";
        guard(&connection).map_err(failed(doing))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let mut ledger = Self { connection, journal };
        if journal != Journal::WriteAhead {
            ledger.take_alone().map_err(failed(doing))?;
        }
        match (ledger.identify().map_err(failed(doing))?, if_blank) {
            (LedgerIdentity::Ours, _) => {}
            (LedgerIdentity::Earlier, _) => {
                migrate::migrate(&mut ledger.connection).map_err(failed("migrating the ledger"))?;
            }
            (LedgerIdentity::Blank, IfBlank::Create) => {
                ledger.create().map_err(failed("creating the ledger"))?;
            }
            (LedgerIdentity::Blank, IfBlank::Refuse) => {
                return Err(lost(path));
            }
            (LedgerIdentity::Newer(found), _) => return Err(newer(found)),
            (LedgerIdentity::Foreign(why), _) => return Err(Error::LedgerDamaged { why }),
        }
        ledger.prepare().map_err(failed(doing))?;
        Ok(ledger)
    }

    /// Identifies the database. Before this has found it ours, nothing else is asked of it: a view in place of a table would be
    /// run by the first statement that reads it, a trigger by the first that writes.
    fn identify(&self) -> Result<LedgerIdentity, SqlError> {
        let number = |pragma: &str| {
            self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        let tables: i64 =
            self.connection
                .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let others = || LedgerIdentity::Foreign("it is another program's database".to_owned());
        Ok(match (number("application_id")?, number("user_version")?) {
            (0, 0) if tables == 0 => LedgerIdentity::Blank,
            (APPLICATION_ID, SCHEMA_VERSION) => schema_check::foreign(&self.connection, SCHEMA)?
                .map_or(LedgerIdentity::Ours, LedgerIdentity::Foreign),
            (APPLICATION_ID, version) if version > SCHEMA_VERSION => LedgerIdentity::Newer(version),
            (APPLICATION_ID, version) => match migrate::schema_of(version) {
                Some(schema) => schema_check::foreign(&self.connection, schema)?
                    .map_or(LedgerIdentity::Earlier, LedgerIdentity::Foreign),
                None => others(),
            },
            _ => others(),
        })
    }

    /// In one transaction, before the file becomes WAL: a crash leaves a ledger or a blank file.
    fn create(&mut self) -> Result<(), SqlError> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()
    }

    fn prepare(&mut self) -> Result<(), SqlError> {
        match self.journal {
            Journal::WriteAhead => self.write_ahead()?,
            Journal::Rollback(_) => self.roll_back()?,
        }
        self.connection.pragma_update(None, "foreign_keys", "ON")
    }

    fn write_ahead(&mut self) -> Result<(), SqlError> {
        let mode = self.journal_mode("WAL")?;
        if mode != "wal" && mode != "memory" {
            return Err(no_journal(rusqlite::ffi::SQLITE_PROTOCOL, &mode));
        }
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        // That it works learns only who reads and writes.
        self.identify()?;
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?.rollback()
    }

    /// Locks the file for this connection alone: what was left in a write-ahead log is then read without shared memory.
    fn take_alone(&self) -> Result<(), SqlError> {
        self.connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))
    }

    /// Into the rollback journal, and back among others.
    fn roll_back(&self) -> Result<(), SqlError> {
        let mode = self.journal_mode("DELETE")?;
        if mode != "delete" {
            return Err(no_journal(rusqlite::ffi::SQLITE_LOCKED, &mode));
        }
        // EXTRA: the journal's end is durable too, as a commit is with the write-ahead log and FULL.
        self.connection.pragma_update(None, "synchronous", "EXTRA")?;
        self.connection.pragma_update_and_check(None, "locking_mode", "NORMAL", |_| Ok(()))?;
        // The lock is let go of by the next one who reads.
        self.identify().map(drop)
    }

    /// Asks for a journal; the one that SQLite answers it has.
    fn journal_mode(&self, wanted: &str) -> Result<String, SqlError> {
        self.connection.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0))
    }

    fn write<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SqlError>,
    ) -> Result<T, Error> {
        let act = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        act().map_err(failed(doing))
    }
}

enum LedgerIdentity {
    Ours,
    /// Of an earlier format that can be migrated.
    Earlier,
    Blank,
    Newer(i64),
    /// And what is not ours.
    Foreign(String),
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

/// The ledger lies in `DIR/archive`.
fn lost(path: &Path) -> Error {
    Error::LedgerLost { dir: path.ancestors().nth(2).unwrap_or(path).to_owned() }
}

fn newer(found: i64) -> Error {
    Error::LedgerNewer { found, known: SCHEMA_VERSION }
}

fn failed(doing: &'static str) -> impl Fn(SqlError) -> Error {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::LedgerDamaged { why: source.to_string() }
        }
        _ if is_of_a_cell(&source) => Error::LedgerDamaged { why: format!("{doing}: {source}") },
        // Without the cause below, which says the same with a number.
        Some(ErrorCode::DiskFull) => Error::NoRoom { doing, source: source.to_string().into() },
        _ => Error::Ledger { doing, source: Box::new(source) },
    }
}

/// Returns true for SQLite's errors where it could read if it might write: a log to be indexed, a journal to be rolled back. Not that
/// somebody else is writing: what is read past a writer's lock may be half of it.
fn is_refused_write(error: &Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure)
    )
}

/// Returns true for the errors of a write-ahead log where processes share no memory.
fn is_no_shared_memory(error: &Error) -> bool {
    matches!(
        code(error),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

/// Returns SQLite's code of a failure of the ledger.
fn code(error: &Error) -> Option<ErrorCode> {
    let Error::Ledger { source, .. } = error else { return None };
    source.downcast_ref::<SqlError>().and_then(SqlError::sqlite_error_code)
}

/// SQLite did not change the journal, and said no more.
fn no_journal(code: std::ffi::c_int, mode: &str) -> SqlError {
    let text = format!("the ledger's journal stays `{mode}`");
    SqlError::SqliteFailure(rusqlite::ffi::Error::new(code), Some(text))
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
    fn check(&mut self) -> Result<Vec<String>, Error> {
        match integrity_check::check(&self.connection).map_err(failed("checking the ledger")) {
            Err(Error::LedgerDamaged { why }) => Ok(vec![why]),
            checked => checked,
        }
    }

    fn journal(&self) -> Journal {
        self.journal
    }

    /// Folds the write-ahead log into the file and closes it, so that the one file is the whole ledger.
    fn close(self: Box<Self>) -> Result<(), Error> {
        let doing = "closing the ledger";
        self.journal_mode("DELETE").map_err(failed(doing))?;
        self.connection.close().map_err(|(_, source)| failed(doing)(source))
    }
}
