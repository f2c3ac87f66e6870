//! Limits of every connection. A ledger from elsewhere may define anything and point its pages anywhere, and SQLite evaluates what is
//! defined while it reads the schema, before the first statement of ours has run. So a file is opened in two steps: [`Guard::tight`]
//! until it is known to define what jindo defines and nothing else, [`Guard::work`] from then on.

use super::{Connection, SqlError};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest wait of a reader or writer for SQLite's own short locks (a checkpoint, another reader's start).
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Bytes of the largest cell that is read or written: no series' tags are longer, as they came in an answer of 64 MiB.
const CELL_BYTES_MAX: i32 = 128 << 20;

/// The same until a ledger is known to be ours: the longest definition has 2 KiB.
const CELL_BYTES_UNKNOWN_MAX: i32 = 16 << 10;

/// Steps of SQLite's machine between two looks at the meter: some tens of microseconds.
const STEPS_A_LOOK: u64 = 1_000;

/// Steps until a ledger is known to be ours: reading its schema takes some 2,000, the statistics of `ANALYZE` some 30,000. They take
/// a few hundredths of a second.
const STEPS_UNKNOWN_MAX: u64 = 200_000;

/// Steps of one question or change: about a minute. Every statement goes over what it needs a fixed number of times, or sorts it, and
/// compares no row with all others: some 3 steps for each byte of the ledger; one over all pages of 500 MB stays below.
pub(super) const STEPS_MAX: u64 = 2_000_000_000;

/// Bytes that SQLite takes in this process, all connections together: the cache of a connection has 2 MB, and what is sorted goes to
/// temporary files. A ledger of an earlier format that is opened for reading is copied into memory whole.
const HEAP_BYTES_MAX: i64 = 512 << 20;

/// Limits of SQLite that are the same in both steps, each a little above what [`super::SCHEMA`] and the statements of this folder need.
const LIMITS: [(Limit, i32); 12] = [
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 32 << 10),
    (Limit::SQLITE_LIMIT_COLUMN, 64),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 40),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 4),
    (Limit::SQLITE_LIMIT_VDBE_OP, 50_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 20),
    // Foreign keys that delete what refers to a row are triggers.
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 4),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 60),
    (Limit::SQLITE_LIMIT_SCHEMA, 100),
];

/// Arguments of a function, in the statements of this folder.
const ARGUMENTS_MAX: i32 = 8;

/// Arguments until a ledger is known to be ours. No definition of jindo calls a function; one that does is not even parsed.
const ARGUMENTS_UNKNOWN_MAX: i32 = 0;

/// The guard of a connection: it counts what a statement costs, and ends it.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    left: Arc<AtomicU64>,
}

impl Guard {
    /// Sets every limit, before the first statement.
    pub(super) fn tight(connection: &mut Connection) -> Result<Self, SqlError> {
        let guard = Self { left: Arc::new(AtomicU64::new(STEPS_UNKNOWN_MAX)) };
        connection.busy_timeout(BUSY_WAIT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        for (limit, value) in LIMITS {
            connection.set_limit(limit, value)?;
        }
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, CELL_BYTES_UNKNOWN_MAX)?;
        connection.set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, ARGUMENTS_UNKNOWN_MAX)?;
        let left = Arc::clone(&guard.left);
        let spent = move || {
            let before = left.load(Ordering::Relaxed);
            left.store(before.saturating_sub(STEPS_A_LOOK), Ordering::Relaxed);
            before < STEPS_A_LOOK
        };
        let look = i32::try_from(STEPS_A_LOOK).expect("a few thousand");
        connection.progress_handler(look, Some(spent))?;
        // SQLite only ever lowers it, for the whole process.
        connection.pragma_update_and_check(None, "hard_heap_limit", HEAP_BYTES_MAX, |_| Ok(()))?;
        Ok(guard)
    }

    /// Widens what a ledger that is ours needs wider. Without what its header says of the cache, which may be all memory.
    pub(super) fn work(&self, connection: &Connection) -> Result<(), SqlError> {
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, CELL_BYTES_MAX)?;
        connection.set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, ARGUMENTS_MAX)?;
        self.begin();
        connection.pragma_update(None, "cache_size", CACHE_KIB)
    }

    /// Begins a question or a change: it has [`STEPS_MAX`] steps.
    pub(super) fn begin(&self) {
        self.left.store(STEPS_MAX, Ordering::Relaxed);
    }
}

/// Cache of a connection, in KiB: negative, as SQLite wants them told from pages.
const CACHE_KIB: i64 = -2_000;

/// Returns the first thing that is wrong with the pages of a ledger and the types of its cells. Until this has found nothing, a page may
/// be read a million times over: two that point at each other, or rows that share a text.
pub(super) fn broken(connection: &Connection) -> Result<Option<String>, SqlError> {
    let line: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // The first line names the database, where pages are wrong.
    Ok((line != "ok").then(|| line.lines().last().unwrap_or_default().to_owned()))
}

/// Returns the path in a form that SQLite takes for a path: it reads what begins with `file:` as a URI, which leads elsewhere.
pub(super) fn plain(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

/// Returns the URI of a file that is not written while it is open.
pub(super) fn immutable_uri(path: &Path) -> String {
    let bytes = plain(path);
    let bytes = bytes.as_os_str().as_encoded_bytes();
    let escaped = percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC);
    let escaped = escaped.to_string().replace("%2F", "/");
    // An address without a host, so that a path that begins with two slashes names none.
    let host = if escaped.starts_with('/') { "//" } else { "" };
    format!("file:{host}{escaped}?immutable=1")
}
