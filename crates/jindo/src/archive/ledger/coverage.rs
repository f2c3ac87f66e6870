//! Coverage and objects, as the ledger keeps them.

use super::queries::{QueryId, Recalled, Role};
use crate::archive::Error;
use crate::plan::{CLOSED_AFTER, Window};
use crate::query::Interval;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// An object's number in the ledger. Never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub i64);

/// Source of what is known about a stretch. The later is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A probe's answer, the object, has no points there; the query itself was not asked.
    Probed,
    /// The query's own answer.
    Fetched,
}

/// A stretch that the archive holds of one query. Disjoint per query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    pub window: Window,
    pub object: ObjectId,
    pub origin: Origin,
    /// Marked: the next run asks it again, whole.
    pub open: bool,
    /// Moment at which the server last gave just this: the object's, or a later one whose answer was equal. A ledger rebuilt from
    /// footers knows the object's alone, so that it asks once more and never less.
    pub asked_at: Timestamp,
}

impl Coverage {
    /// Returns true if the stretch was asked so long after its end that late points are not expected any more.
    pub fn is_closed(&self) -> bool {
        !self.open && self.asked_at.duration_since(self.window.end()) >= CLOSED_AFTER
    }
}

/// A stretch, and what its object is: read in one moment, since another object may take over in the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub held: Coverage,
    /// Spells the answer, by the name and hash of the object that held it first. Survives a rebuilt ledger and copying, unlike the
    /// object's number.
    pub answer: String,
    pub fetched_at: Timestamp,
}

/// An object as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Path below `archive/data/`, or below `archive/` where it begins with `probes/`.
    pub name: String,
    /// In the order of the call.
    pub queries: Vec<QueryId>,
    pub interval: Interval,
    pub window: Window,
    /// 0 for the first answer about a window, one more for each that takes over.
    pub generation: u32,
    /// Whole milliseconds.
    pub fetched_at: Timestamp,
    pub open: bool,
    /// The answer of which it is the part that newer ones left; `None` for an answer itself.
    pub copy_of: Option<String>,
    pub rows: u64,
    pub bytes: u64,
    /// Of the whole file, hex.
    pub sha256: String,
}

/// A recorded object and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub id: ObjectId,
    pub record: Record,
}

/// Result of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The new object; itself among `unreferenced` when newer objects already covered all of it.
    pub object: ObjectId,
    /// Names of objects that nothing refers to any more, noted for removal in the same transaction.
    pub unreferenced: Vec<String>,
}

/// Reason why an object is not as it is at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrest {
    /// Newer objects hold a part of it.
    Overtaken,
    /// It lies elsewhere than objects of this role.
    Misplaced(Role),
}

/// Intended effect on a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotePurpose {
    Publish,
    Remove,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameNote {
    pub name: String,
    pub noted: NotePurpose,
}

/// Queries that are asked only to learn something about others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    Probes,
    Samples,
}

/// A claim on the next generation of a call's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Above that of every object that it overlaps.
    pub generation: u32,
    /// Name of the object, noted for publication.
    pub name: String,
    /// The call's queries, in its order.
    pub queries: Vec<Recalled>,
}

/// Outcome of committing an object under a reserved generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextCommit {
    Done(Committed),
    /// Another object took the generation since it was reserved. Nothing is recorded; the name is noted for removal.
    Overtaken,
}

/// Bookkeeping of objects and of which of them holds what. Every change is one durable transaction.
pub trait CoverageLedger: Send + Sync + fmt::Debug {
    /// Returns the stretches of one query, oldest first.
    fn coverage(&self, query: QueryId) -> Result<Vec<Coverage>, Error>;
    /// Returns those that overlap the window, whole, oldest first.
    fn overlapping(&self, query: QueryId, window: Window) -> Result<Vec<Coverage>, Error>;
    /// Returns all of a query's stretches, each with facts about its object.
    fn grants(&self, query: QueryId) -> Result<Vec<Granted>, Error>;
    fn coverage_all(&self) -> Result<BTreeMap<QueryId, Vec<Coverage>>, Error>;
    /// Claims the next generation for an answer to `queries`, and notes its object's name for publication, at once: after a crash
    /// that name is looked at. [`Error::UnknownQuery`] for a query that is not known.
    fn reserve(&self, queries: &[QueryId], window: Window) -> Result<Reserved, Error>;
    /// Commits an object whose generation was reserved, if it still is the next one.
    fn commit_next(&self, record: &Record) -> Result<NextCommit, Error>;
    /// Strikes the note on a name, when all that was to happen to it has.
    fn unnote(&self, name: &str) -> Result<(), Error>;
    fn noted(&self) -> Result<Vec<NameNote>, Error>;
    /// Records the object, moves coverage by rank (origin, generation, then time of fetching), drops what nothing refers to any more,
    /// takes back what was given up of queries that it answers (the query as a whole; of refused stretches the window), and strikes
    /// the object's note.
    fn commit(&self, record: &Record) -> Result<Committed, Error>;
    /// Notes that the server gave at `at` what is held of the queries in the window: these stretches were asked then, are marked no
    /// longer, and what was given up of them is taken back. Objects stay as they are.
    fn confirm(&self, queries: &[QueryId], window: Window, at: Timestamp) -> Result<(), Error>;
    /// Grants each query the stretches that the given object of a probe proves empty, as far as nothing is held of them.
    fn cover_empty(&self, empty: &[(QueryId, ObjectId, Window)]) -> Result<(), Error>;
    /// Opens again what came back without a single point from windows of more than `points`: coarser answers may have left out
    /// what an answer of the asked interval would have held.
    fn doubt_empty(&self, points: u32) -> Result<(), Error>;
    /// Opens again what objects hold of windows of more than `longer_than` buckets, with at least `rows_min` rows, and
    /// what copies hold of larger ones: the server may have cut them.
    fn doubt_clipped(&self, longer_than: u32, rows_min: u64) -> Result<(), Error>;
    /// Forgets the answers to probes or samples, and what they proved empty. Returns names to be removed, as
    /// [`CoverageLedger::commit`] does.
    fn forget_answers(&self, aside: Aside) -> Result<Vec<String>, Error>;
    /// Forgets what is held of these queries; no later answer to them takes the name of an object that still holds their rows. Returns
    /// names to be removed, as [`CoverageLedger::commit`] does.
    fn forget_coverage(&self, queries: &[QueryId]) -> Result<Vec<String>, Error>;
    /// Marks open what the given object holds of a query and overlaps the window, as long as coverage still names that object:
    /// stretches, whole. Returns how many are open then.
    fn reopen(&self, stretches: &[(QueryId, ObjectId, Window)]) -> Result<u64, Error>;
    fn object(&self, object: ObjectId) -> Result<Option<Object>, Error>;
    fn objects(&self) -> Result<Vec<Object>, Error>;
    /// Returns the objects that hold rows which coverage does not grant, or lie in the place of others.
    fn unrested(&self) -> Result<Vec<(ObjectId, Unrest)>, Error>;
    /// Notes names of copies that are about to be published: after a crash they are removed, since what they copy is there.
    fn note_copies(&self, names: &[String]) -> Result<(), Error>;
    /// Grants the copies, whose names were noted, all that is held of an object, stretch by stretch, and forgets it: its name is noted for
    /// removal.
    fn copied(&self, object: ObjectId, copies: &[Record]) -> Result<(), Error>;
    /// Forgets an object and its coverage; what replaces it ranks above it.
    fn drop_object(&self, object: ObjectId) -> Result<(), Error>;
}
