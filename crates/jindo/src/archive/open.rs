//! [`Archive`]: ledger and objects together, opened, and the questions that the ledger answers alone.

use super::disk::{Lock, Place};
use super::held::Held;
use super::ledger::Ledger;
use super::objects::Objects;
use super::recover::{Recovery, recover};
use super::request_file::{self, REQUEST};
use super::sqlite::{IfBlank, Sqlite};
use super::{
    Coverage, Error, Extracted, GivenUp, Holder, Learnt, ObjectId, QueryId, RefusedLine,
    Registered, Request, Totals,
};
use crate::plan::Window;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was fetched, and the record of it. Shared by the thread that stores and the one that extracts.
pub struct Archive {
    ledger: Mutex<Box<dyn Ledger>>,
    pub(super) objects: Objects,
    pub(super) held: Mutex<Held>,
    /// Held while an object is stored: its generation must still be the next when it is committed.
    pub(super) storing: Mutex<()>,
    access: Access,
    recovery: Recovery,
    _lock: Option<Lock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Read,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Archive {
    /// Opens `DIR/archive` for writing, making it where there is none, and recovers it: what was noted before a crash is adopted
    /// where it is whole and removed where it is not. Refused while another process writes, and where objects have lost
    /// their ledger.
    pub fn open(dir: &Path, holder: &Holder) -> Result<Self, Error> {
        let place = Place::at(dir);
        place.make()?;
        let lock = place.lock(holder)?;
        Self::open_locked(&place, lock)
    }

    pub(super) fn open_locked(place: &Place, lock: Lock) -> Result<Self, Error> {
        let objects = Objects::local(&place.root)?;
        let if_blank = if objects.any()? { IfBlank::Refuse } else { IfBlank::Create };
        if if_blank == IfBlank::Refuse && !place.ledger().exists() {
            return Err(Error::LedgerLost { dir: place.dir.clone() });
        }
        let mut ledger = Sqlite::open(&place.ledger(), if_blank)?;
        place.remove_halves(REQUEST)?;
        let recovery = recover(&mut ledger, &objects, Some(place))?;
        Ok(Self::of(Box::new(ledger), objects, Access::Write, recovery, Some(lock)))
    }

    /// Opens for reading: takes no lock, recovers nothing, works while an export writes.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let place = Place::there(dir)?;
        let ledger = Sqlite::read(&place.ledger())?;
        let objects = Objects::local(&place.root)?;
        Ok(Self::of(Box::new(ledger), objects, Access::Read, Recovery::default(), None))
    }

    /// Opens to bring files up to date while an export fetches: takes no lock and recovers nothing, since what is noted
    /// is the export's. Whoever opens it so writes nothing but marks of what was extracted.
    pub fn beside(dir: &Path) -> Result<Self, Error> {
        let place = Place::there(dir)?;
        let ledger = Sqlite::open(&place.ledger(), IfBlank::Refuse)?;
        let objects = Objects::local(&place.root)?;
        Ok(Self::of(Box::new(ledger), objects, Access::Write, Recovery::default(), None))
    }

    /// An archive of given parts, recovered; whoever gives them keeps other writers away.
    pub fn assemble(mut ledger: Box<dyn Ledger>, objects: Objects) -> Result<Self, Error> {
        let recovery = recover(&mut *ledger, &objects, None)?;
        Ok(Self::of(ledger, objects, Access::Write, recovery, None))
    }

    fn of(
        ledger: Box<dyn Ledger>,
        objects: Objects,
        access: Access,
        recovery: Recovery,
        lock: Option<Lock>,
    ) -> Self {
        let (ledger, held, storing) = (Mutex::new(ledger), Mutex::default(), Mutex::new(()));
        Self { ledger, objects, held, storing, access, recovery, _lock: lock }
    }

    /// What opening it found and did.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub(super) fn reading(&self) -> MutexGuard<'_, Box<dyn Ledger>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn writing(&self) -> Result<MutexGuard<'_, Box<dyn Ledger>>, Error> {
        match self.access {
            Access::Write => Ok(self.reading()),
            Access::Read => Err(Error::ReadOnly),
        }
    }

    /// Makes `request` the directory's last one, in the ledger and then in `archive/request.json`.
    pub fn register(&self, request: &Request) -> Result<(), Error> {
        let mut ledger = self.writing()?;
        ledger.register(request)?;
        let known: Vec<_> = ledger.remembered()?.into_iter().map(|(_, query)| query).collect();
        self.objects.write_beside(REQUEST, request_file::written(request, &known))
    }

    pub fn request(&self) -> Result<Option<Request>, Error> {
        self.reading().request()
    }

    /// By place in the last request's list, then those of earlier lists by number. A query whose added fill the server refused
    /// is represented by its substitute.
    pub fn queries(&self) -> Result<Vec<Registered>, Error> {
        self.reading().queries()
    }

    pub fn query(&self, query: QueryId) -> Result<Option<Registered>, Error> {
        self.reading().query(query)
    }

    /// What an object is, whatever its number (changes with its content and survives a rebuilt ledger), and when it was
    /// fetched.
    pub fn identity(&self, object: ObjectId) -> Result<(String, Timestamp), Error> {
        let found = self.reading().object(object)?.ok_or(Error::ObjectGone { object })?;
        let identity = format!("{} {}", found.record.name, found.record.sha256);
        Ok((identity, found.record.fetched_at))
    }

    /// Whose file lies at that path, relative to the directory.
    pub fn owner(&self, path: &str) -> Result<Option<QueryId>, Error> {
        self.reading().owner(path)
    }

    pub fn refused_lines(&self) -> Result<Vec<RefusedLine>, Error> {
        self.reading().refused_lines()
    }

    /// From now on, in later runs too, `sent_unfilled` travels alone wherever `query` is asked. What was fetched of `query`
    /// stays in the archive but is no longer listed: values of both forms must not mix.
    pub fn substitute(&self, query: QueryId, sent_unfilled: &str) -> Result<QueryId, Error> {
        self.writing()?.substitute(query, sent_unfilled)
    }

    /// What is held of a query: disjoint, oldest first.
    pub fn coverage(&self, query: QueryId) -> Result<Vec<Coverage>, Error> {
        self.reading().coverage(query)
    }

    /// The same of every query that has any, in one scan.
    pub fn coverage_all(&self) -> Result<BTreeMap<QueryId, Vec<Coverage>>, Error> {
        self.reading().coverage_all()
    }

    /// Remembers that nothing more is tried for this stretch, and the server's words.
    pub fn give_up(
        &self,
        query: QueryId,
        window: Window,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.writing()?.give_up(&GivenUp { query, window, reason: reason.to_owned(), at })
    }

    /// Takes back everything that was given up of a query. A store does so by itself for what its window holds.
    pub fn forgive(&self, query: QueryId) -> Result<(), Error> {
        self.writing()?.forgive(query)
    }

    pub fn given_up(&self) -> Result<Vec<GivenUp>, Error> {
        self.reading().given_up()
    }

    pub fn learn(&self, learnt: &Learnt) -> Result<(), Error> {
        self.writing()?.learn(learnt)
    }

    pub fn learnt(&self) -> Result<Vec<Learnt>, Error> {
        self.reading().learnt()
    }

    /// Forgets every limit that was learnt.
    pub fn forget(&self) -> Result<(), Error> {
        self.writing()?.forget()
    }

    /// `None`: never, or not since the ledger was rebuilt.
    pub fn extracted(&self, query: QueryId) -> Result<Option<Extracted>, Error> {
        self.reading().extracted(query)
    }

    /// In one transaction; call it when the files are on the disk.
    pub fn mark_extracted(&self, extracted: &[(QueryId, Extracted)]) -> Result<(), Error> {
        self.writing()?.mark_extracted(extracted)
    }

    pub fn totals(&self) -> Result<Totals, Error> {
        self.reading().totals()
    }
}
