//! A ledger that may fail before and after every transaction. What it committed outlives it.

use crate::fuse::{Dead, Fuse};
use jiff::Timestamp;
use jindo::archive::{
    Aside, Committed, Coverage, CoverageLedger, Error, Extracted, FactLedger, FilesExtent, GivenUp,
    Granted, KnownType, Learnt, Ledger, NameNote, NextCommit, Object, ObjectId, OutputName,
    ProbesDiscarded, QueryId, QueryLedger, Recalled, Record, RefusedLine, Registered, Remembered,
    Request, Reserved, Spaced, Sqlite, Totals, Trusted, Unrest,
};
use jindo::plan::{LearntLimit, Window};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One process' handle of the ledger.
#[derive(Debug, Clone)]
pub struct FaultyLedger {
    pub kept: Arc<Sqlite>,
    pub fuse: Fuse,
}

fn dead(dead: Dead) -> Error {
    Error::Ledger { doing: "living", source: Box::new(dead) }
}

impl FaultyLedger {
    fn ask<T>(&self, ask: impl FnOnce(&Sqlite) -> Result<T, Error>) -> Result<T, Error> {
        self.fuse.alive().map_err(dead)?;
        ask(&self.kept)
    }

    fn change<T>(&self, change: impl FnOnce(&Sqlite) -> Result<T, Error>) -> Result<T, Error> {
        self.fuse.burn().map_err(dead)?;
        let changed = self.ask(change)?;
        self.fuse.burn().map_err(dead)?;
        Ok(changed)
    }
}

macro_rules! delegated {
    ($how:ident: $($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Result<$result, Error> {
            self.$how(|ledger| ledger.$name($($argument),*))
        })*
    };
}

impl QueryLedger for FaultyLedger {
    delegated! { change:
        register(request: &Request) -> ();
        remember(queries: &[Remembered]) -> Vec<QueryId>;
        substitute(query: QueryId, sent: &str) -> QueryId;
    }
    delegated! { ask:
        request() -> Option<Request>;
        refused_lines() -> Vec<RefusedLine>;
        queries() -> Vec<Registered>;
        query(query: QueryId) -> Option<Registered>;
        remembered() -> Vec<(QueryId, Remembered)>;
        recall(queries: &[QueryId]) -> Vec<Recalled>;
    }
}

impl CoverageLedger for FaultyLedger {
    delegated! { change:
        reserve(queries: &[QueryId], window: Window) -> Reserved;
        commit_next(record: &Record) -> NextCommit;
        unnote(name: &str) -> ();
        commit(record: &Record) -> Committed;
        confirm(queries: &[QueryId], window: Window, at: Timestamp) -> ();
        cover_empty(empty: &[(QueryId, ObjectId, Window)]) -> ();
        doubt_empty(points: u32) -> ();
        doubt_clipped(longer_than: u32, rows_min: u64) -> ();
        forget_answers(aside: Aside) -> Vec<String>;
        forget_coverage(queries: &[QueryId]) -> Vec<String>;
        reopen(stretches: &[(QueryId, ObjectId, Window)]) -> u64;
        note_copies(names: &[String]) -> ();
        copied(object: ObjectId, copies: &[Record]) -> ();
        drop_object(object: ObjectId) -> ();
    }
    delegated! { ask:
        unrested() -> Vec<(ObjectId, Unrest)>;
        coverage(query: QueryId) -> Vec<Coverage>;
        grants(query: QueryId) -> Vec<Granted>;
        overlapping(query: QueryId, window: Window) -> Vec<Coverage>;
        coverage_all() -> BTreeMap<QueryId, Vec<Coverage>>;
        noted() -> Vec<NameNote>;
        object(object: ObjectId) -> Option<Object>;
        objects() -> Vec<Object>;
    }
}

impl FactLedger for FaultyLedger {
    delegated! { change:
        give_up(given_up: &GivenUp) -> ();
        learn(learnt: &Learnt) -> ();
        unlearn(limit: LearntLimit) -> ();
        discard_probes(discarded: &ProbesDiscarded) -> ();
        weigh(weights: &[(QueryId, Option<u64>)], at: Timestamp) -> ();
        forget() -> ();
        space(spaced: &[Spaced]) -> ();
        keep_type(known: &KnownType) -> ();
        trust(verdicts: &[(QueryId, Trusted)]) -> ();
        keep(key: &str, text: &str) -> ();
        mark_extracted(output: OutputName, extracted: &[(QueryId, Extracted)]) -> ();
    }
    delegated! { ask:
        given_up() -> Vec<GivenUp>;
        learnt() -> Vec<Learnt>;
        probes_discarded() -> Option<ProbesDiscarded>;
        spaced() -> Vec<Spaced>;
        metric_types() -> Vec<KnownType>;
        trusted() -> Vec<(QueryId, Trusted)>;
        kept(key: &str) -> Option<String>;
        extracted(output: OutputName, query: QueryId) -> Option<Extracted>;
        extents(output: OutputName) -> Vec<FilesExtent>;
        owner(path: &str) -> Option<QueryId>;
        totals() -> Totals;
    }
}

impl Ledger for FaultyLedger {
    delegated! { ask:
        check() -> Vec<String>;
        close() -> ();
    }
}
