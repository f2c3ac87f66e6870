//! The ledger: durable bookkeeping in three small traits of whole transactions.
//!
//! Every mutating method is one durable transaction: after a crash it happened or it did not. A backend decides nothing; which
//! object takes over is [`super::precedence`]'s. A backend must pass the conformance suite in `tests/ledger.rs`. Calls come from
//! one thread at a time.

mod coverage;
mod facts;
mod given_up;
mod ids;
mod journal_mode;
mod queries;
mod sqlite;

pub use coverage::{
    Aside, Committed, Coverage, CoverageLedger, Granted, NameNote, NextCommit, NotePurpose, Object,
    Origin, Record, Reserved,
};
pub use facts::{
    Extracted, FactLedger, Learnt, OutputName, ProbesDiscarded, SeriesFile, Spaced, Totals,
};
pub use given_up::{GiveUpReason, GiveUpScope, GivenUp};
pub use ids::{ObjectId, QueryId};
pub use journal_mode::Journal;
pub use queries::{
    QueryLedger, Recalled, RefusedLine, Registered, Remembered, Request, RequestLine, Role, Weight,
};
pub(super) use sqlite::beside;
pub use sqlite::{IfBlank, Sqlite};

use super::Error;
use std::path::Path;

/// A whole ledger.
pub trait Ledger: QueryLedger + CoverageLedger + FactLedger {
    /// Returns a line for everything that is wrong inside the ledger itself; nothing when it is sound.
    fn check(&mut self) -> Result<Vec<String>, Error>;
    /// Returns the journal by which it keeps commits whole.
    fn journal(&self) -> Journal;
    /// Ends its use so that its one file is all of it.
    fn close(self: Box<Self>) -> Result<(), Error>;
}

/// Opens the ledger in a file for writing. Only one process may, which the caller's lock ensures.
pub(super) fn open(
    path: &Path,
    if_blank: IfBlank,
    journal: Journal,
) -> Result<Box<dyn Ledger>, Error> {
    Ok(Box::new(Sqlite::open(path, if_blank, journal)?))
}

/// Opens the ledger in a file for reading, also while another process writes.
pub(super) fn read(path: &Path) -> Result<Box<dyn Ledger>, Error> {
    Ok(Box::new(Sqlite::read(path)?))
}
