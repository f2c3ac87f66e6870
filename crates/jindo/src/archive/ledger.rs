//! The ledger: coverage, objects and what was learnt, as a small trait of whole transactions.
//!
//! Every mutating method is one durable transaction: after a crash it happened or it did not. A backend decides nothing; what
//! takes over what is [`super::takeover`]'s. A backend must pass the conformance suite in `tests/ledger.rs`.

use super::{
    Coverage, Error, Extracted, GivenUp, Granted, Learnt, ObjectId, OutputName, ProbesDiscarded,
    QueryId, RefusedLine, Registered, Request, Role, Spaced, Totals,
};
use crate::plan::Window;
use crate::query::{Interval, QueryText};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// An object as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Path below `archive/data/`.
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

/// What a commit did besides recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The new object; itself among `unreferenced` when newer objects already covered all of it.
    pub object: ObjectId,
    /// Names of objects that nothing refers to any more, noted for removal in the same transaction.
    pub unreferenced: Vec<String>,
}

/// What is about to happen to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    Publish,
    Remove,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub name: String,
    pub noted: Noted,
}

/// Queries that are asked only to learn something about others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    Probes,
    Samples,
}

/// A query as footers and request.json remember it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub text: QueryText,
    pub asked: Option<Window>,
    /// The form that is sent in its place, because the server refused its fill.
    pub substitute: Option<String>,
    pub role: Role,
}

/// Durable bookkeeping. Calls come from one thread at a time.
pub trait Ledger: Send + fmt::Debug {
    /// Makes `request` the last one: upserts its queries, gives them their places, forgets all earlier places.
    fn register(&mut self, request: &Request) -> Result<(), Error>;
    fn request(&mut self) -> Result<Option<Request>, Error>;
    fn refused_lines(&mut self) -> Result<Vec<RefusedLine>, Error>;
    /// Those that are wanted: by place in the list, then those of earlier lists by number; without those that have a substitute.
    fn queries(&mut self) -> Result<Vec<Registered>, Error>;
    /// One of them.
    fn query(&mut self, query: QueryId) -> Result<Option<Registered>, Error>;
    /// Inserts what is unknown, fills in what was missing, changes nothing that is known but its role: wanted before probe before sample.
    /// Numbers in the order given.
    fn remember(&mut self, queries: &[Remembered]) -> Result<Vec<QueryId>, Error>;
    /// Every query by number, those with a substitute too.
    fn remembered(&mut self) -> Result<Vec<(QueryId, Remembered)>, Error>;
    /// One of them, and the form instead of which it is sent.
    fn recall(&mut self, query: QueryId) -> Result<Option<(Remembered, Option<String>)>, Error>;
    /// From now on `sent` travels, alone, wherever `query` is asked; it takes its place, its text and what was asked of it.
    fn substitute(&mut self, query: QueryId, sent: &str) -> Result<QueryId, Error>;

    /// Of one query, oldest first.
    fn coverage(&mut self, query: QueryId) -> Result<Vec<Coverage>, Error>;
    /// The same, with what the objects are.
    fn grants(&mut self, query: QueryId) -> Result<Vec<Granted>, Error>;
    fn coverage_all(&mut self) -> Result<BTreeMap<QueryId, Vec<Coverage>>, Error>;
    /// The generation of an object about to be stored: above every one that it overlaps.
    fn generation(&mut self, queries: &[QueryId], window: Window) -> Result<u32, Error>;
    /// Notes names before anything happens to them.
    fn note(&mut self, note: &Note) -> Result<(), Error>;
    fn unnote(&mut self, name: &str) -> Result<(), Error>;
    fn noted(&mut self) -> Result<Vec<Note>, Error>;
    /// Records the object, moves coverage by rank (origin, generation, then time of fetching), drops what nothing refers to any more,
    /// takes back what was given up of queries that it answers (the query as a whole; of refused stretches the window), and strikes
    /// the object's note.
    fn commit(&mut self, record: &Record) -> Result<Committed, Error>;
    /// Grants each query the stretches that the given object of a probe proves empty, as far as nothing is held of them.
    fn cover_empty(&mut self, empty: &[(QueryId, ObjectId, Window)]) -> Result<(), Error>;
    /// Opens again what came back without a single point from windows of more than so many: coarser answers may have left out
    /// what an answer of the asked interval would have held.
    fn doubt_empty(&mut self, points: u32) -> Result<(), Error>;
    /// Forgets what queries that nobody wants were answered, and what that proved empty. As [`Ledger::commit`], the names to be
    /// removed.
    fn forget_answers(&mut self, aside: Aside) -> Result<Vec<String>, Error>;
    /// Marks open what the given object holds of a query and overlaps the window, as long as coverage still names that object:
    /// stretches, whole. How many are open then.
    fn reopen(&mut self, stretches: &[(QueryId, ObjectId, Window)]) -> Result<u64, Error>;
    fn object(&mut self, object: ObjectId) -> Result<Option<Object>, Error>;
    fn objects(&mut self) -> Result<Vec<Object>, Error>;
    /// Forgets an object and its coverage; what replaces it ranks above it.
    fn drop_object(&mut self, object: ObjectId) -> Result<(), Error>;

    fn give_up(&mut self, given_up: &GivenUp) -> Result<(), Error>;
    fn given_up(&mut self) -> Result<Vec<GivenUp>, Error>;
    fn learn(&mut self, learnt: &Learnt) -> Result<(), Error>;
    fn learnt(&mut self) -> Result<Vec<Learnt>, Error>;
    fn discard_probes(&mut self, discarded: &ProbesDiscarded) -> Result<(), Error>;
    fn probes_discarded(&mut self) -> Result<Option<ProbesDiscarded>, Error>;
    /// Keeps how many decoded bytes a bucket the answers to these queries have, as learnt at that time; `None` forgets it.
    fn weigh(&mut self, weights: &[(QueryId, Option<u64>)], at: Timestamp) -> Result<(), Error>;
    /// Forgets every limit that was learnt, that probes are discarded, what was refused for its place in time, all weights and every spacing.
    fn forget(&mut self) -> Result<(), Error>;
    /// Remembers the intervals of these queries, in place of earlier ones.
    fn space(&mut self, spaced: &[Spaced]) -> Result<(), Error>;
    /// By name of the query.
    fn spaced(&mut self) -> Result<Vec<Spaced>, Error>;
    /// A small text under a key, last writer wins: the organisation, the salt.
    fn keep(&mut self, key: &str, text: &str) -> Result<(), Error>;
    fn kept(&mut self, key: &str) -> Result<Option<String>, Error>;

    fn extracted(&mut self, output: OutputName, query: QueryId)
    -> Result<Option<Extracted>, Error>;
    /// The query whose mark names this file, in any output.
    fn owner(&mut self, path: &str) -> Result<Option<QueryId>, Error>;
    /// Replaces the marks of these queries in an output. [`Error::PathTaken`] when two files of the directory, of any output,
    /// would be one where names differ by neither case nor Unicode form.
    fn mark_extracted(
        &mut self,
        output: OutputName,
        extracted: &[(QueryId, Extracted)],
    ) -> Result<(), Error>;
    fn totals(&mut self) -> Result<Totals, Error>;
    /// What is wrong inside the ledger itself; nothing when it is sound.
    fn check(&mut self) -> Result<Vec<String>, Error>;
}
