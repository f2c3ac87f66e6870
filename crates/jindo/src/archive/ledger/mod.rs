//! The ledger: durable bookkeeping in three small traits of whole transactions.
//!
//! Every mutating method is one durable transaction: after a crash it happened or it did not. A backend decides nothing; which
//! object takes over is [`precedence`]'s. A backend must pass the conformance suite in `tests/ledger.rs`.

mod coverage;
mod facts;
mod precedence;
mod queries;
mod sqlite;

pub use coverage::{
    Aside, Committed, Coverage, CoverageLedger, Granted, NameNote, NextCommit, NotePurpose, Object,
    ObjectId, Origin, Record, Reserved, Unrest,
};
pub use facts::{
    Extracted, FactLedger, FilesExtent, KnownType, Learnt, OutputName, ProbesDiscarded, SeriesFile,
    Spaced, Totals, Trusted,
};
pub use queries::{
    GiveUpReason, GiveUpScope, GivenUp, QueryId, QueryLedger, Recalled, RefusedLine, Registered,
    Remembered, Request, RequestLine, Role, Weight,
};
pub(super) use sqlite::beside;
pub use sqlite::{IfBlank, Sqlite};

use super::Error;
use std::path::Path;

/// A whole ledger.
pub trait Ledger: QueryLedger + CoverageLedger + FactLedger {
    /// Returns a line for everything that is wrong inside the ledger itself; nothing when it is sound.
    fn check(&self) -> Result<Vec<String>, Error>;
    /// Ends its use so that its one file is all of it.
    fn close(&self) -> Result<(), Error>;
}

/// Opens the ledger in a file for writing. Only one process may, which the caller's lock ensures.
pub(super) fn open(path: &Path, if_blank: IfBlank) -> Result<Box<dyn Ledger>, Error> {
    Ok(Box::new(Sqlite::open(path, if_blank)?))
}

/// Opens the ledger in a file for reading, also while another process writes.
pub(super) fn read(path: &Path) -> Result<Box<dyn Ledger>, Error> {
    Ok(Box::new(Sqlite::read(path)?))
}
