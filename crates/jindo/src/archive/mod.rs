//! The archive: a ledger that says what is covered and by which object, and objects that hold the rows.
//!
//! Opening an archive and recovering it are one path: [`Archive::open`] looks at the names that were noted before a crash
//! and at nothing else. Nothing that was fetched is ever deleted by guesswork. Makes no call and reads no clock: every moment is
//! handed in. The order of effects that makes it safe is in [`Archive::store`].
//!
//! ```no_run
//! # use jindo::archive::{Archive, Error, Holder};
//! # fn main() -> Result<(), Error> {
//! let archive = Archive::read(std::path::Path::new("jindo-export"))?;
//! for (query, held) in archive.ledger().coverage_all()? {
//!     println!("{}: {} stretches", query.0, held.len());
//! }
//! # Ok(())
//! # }
//! ```

mod at_rest;
mod confirm;
mod disk;
mod error;
mod ledger;
mod objects;
mod open;
mod organisation;
mod query_standing;
mod read;
mod recover;
mod request_file;
mod verify;
mod write;

#[cfg(test)]
mod tests;

pub use error::{ArchiveWriter, Cause, Error, Holder};
pub use ledger::{
    Aside, Committed, Coverage, CoverageLedger, Extracted, FactLedger, FilesExtent, GiveUpReason,
    GiveUpScope, GivenUp, Granted, IfBlank, KnownType, Learnt, Ledger, NameNote, NextCommit,
    NotePurpose, Object, ObjectId, Origin, OutputName, ProbesDiscarded, QueryId, QueryLedger,
    Recalled, Record, RefusedLine, Registered, Remembered, Request, RequestLine, Reserved, Role,
    SeriesFile, Spaced, Sqlite, Totals, Trusted, Unrest, Weight,
};
pub(crate) use objects::ROWS_MAX;
pub use objects::{ArchiveId, Chunk, Objects};
pub use open::{Archive, Identities};
pub use organisation::Organisation;
pub use query_standing::{Gap, GapReason, QueryStanding, QueryStatus, StandingFacts};
pub use recover::Recovery;
pub use verify::{ArchiveFinding, Fault, Verified, inspect};
pub use write::{Fetched, Stored};
