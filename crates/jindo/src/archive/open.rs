//! [`Archive`]: ledger and objects together, opened, and what takes both or a look at all queries.

use super::disk::{ArchiveFolder, Lock, list_data};
use super::ledger;
use super::objects::{ArchiveId, Encoded, Objects};
use super::recover::{Recovery, recover};
use super::request_file::{self, REQUEST};
use super::{
    ArchiveWriter, Aside, Error, IfBlank, Ledger, ObjectId, QueryId, Remembered, Request, Role,
};
use crate::query::{Interval, Query, SentText};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Bytes of files held: the objects of one group of queries over months, a small part of the memory promised.
const CACHE_BYTES_MAX: u64 = 16 << 20;

/// Ledger and objects of a directory. Shared by the thread that stores and the one that extracts.
#[derive(Debug)]
pub struct Archive {
    ledger: Box<dyn Ledger>,
    pub(super) objects: Objects,
    pub(super) cache: Mutex<ReadCache>,
    recovery: Recovery,
    lock: Option<Lock>,
}

/// Objects that were read lately, checked and parsed, so that queries of one object do not read and hash it again and again.
/// Objects never change, so nothing in here can be stale.
#[derive(Default)]
pub(super) struct ReadCache {
    /// The longest held first.
    pub held: VecDeque<(ObjectId, Arc<Encoded>)>,
    /// All that were ever held: none is checked twice.
    pub checked: HashSet<ObjectId>,
}

impl fmt::Debug for ReadCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCache").field("objects", &self.held.len()).finish_non_exhaustive()
    }
}

impl ReadCache {
    /// Holds an object, and lets go of those held longest where there is no room.
    pub(super) fn put(&mut self, object: ObjectId, encoded: Arc<Encoded>) {
        self.checked.insert(object);
        self.held.push_back((object, encoded));
        while self.held.iter().map(|(_, held)| held.bytes).sum::<u64>() > CACHE_BYTES_MAX {
            self.held.pop_front();
        }
    }
}

/// Queries by what makes them the same: as sent, and their interval.
pub type Identities = BTreeMap<(SentText, Interval), (QueryId, Role)>;

impl Archive {
    /// Opens `DIR/archive` for writing, making it where there is none, and recovers it: what was noted before a crash is adopted
    /// where it is whole and removed where it is not. Refused while another process writes, and where objects have lost
    /// their ledger.
    pub fn open(dir: &Path, writer: &ArchiveWriter) -> Result<Self, Error> {
        let place = ArchiveFolder::at(dir)?;
        place.make()?;
        let lock = place.lock(&writer.holder)?;
        Self::open_locked(&place, lock, writer.fresh_id)
    }

    pub(super) fn open_locked(
        place: &ArchiveFolder,
        lock: Lock,
        fresh_id: ArchiveId,
    ) -> Result<Self, Error> {
        let (objects, path) = (Objects::local(&place.root)?, place.ledger());
        place.check_ledger_files()?;
        let known = if path.exists() {
            ledger::open(&path, IfBlank::Refuse)
        } else {
            Err(Error::LedgerLost { dir: place.dir.clone() })
        };
        let ledger = match known {
            Err(Error::LedgerLost { .. }) if objects.list()?.files.is_empty() => {
                ArchiveFolder::make_blank(&path)?;
                ledger::open(&path, IfBlank::Create)?
            }
            known => known?,
        };
        place.remove_halves(REQUEST)?;
        fresh_id.give(&*ledger)?;
        let recovery = recover(&*ledger, &objects, Some(place))?;
        Ok(Self { recovery, lock: Some(lock), ..Self::of(ledger, objects) })
    }

    /// Opens for reading: takes no lock, recovers nothing, works while an export writes. What a crash left before the ledger had
    /// its tables is no archive yet.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let opened = ArchiveFolder::there(dir).and_then(|place| {
            Ok(Self::of(ledger::read(&place.ledger())?, Objects::local(&place.root)?))
        });
        match opened {
            Err(Error::LedgerLost { .. })
                if list_data(&ArchiveFolder::at(dir)?.root)?.files.is_empty() =>
            {
                Err(Error::Absent { dir: dir.to_owned() })
            }
            opened => opened,
        }
    }

    /// Opens to bring files up to date while an export fetches: takes no lock and recovers nothing, since what is noted
    /// is the export's. Write nothing through it but marks of what was extracted.
    pub fn beside(dir: &Path) -> Result<Self, Error> {
        let place = ArchiveFolder::there(dir)?;
        place.check_own_ledger()?;
        let ledger = ledger::open(&place.ledger(), IfBlank::Refuse)?;
        Ok(Self::of(ledger, Objects::local(&place.root)?))
    }

    /// Makes an archive of given parts, and recovers it; the caller keeps other writers away. `fresh_id` becomes its id where it has
    /// none.
    pub fn assemble(
        ledger: Box<dyn Ledger>,
        objects: Objects,
        fresh_id: ArchiveId,
    ) -> Result<Self, Error> {
        fresh_id.give(&*ledger)?;
        let recovery = recover(&*ledger, &objects, None)?;
        Ok(Self { recovery, ..Self::of(ledger, objects) })
    }

    pub(super) fn of(ledger: Box<dyn Ledger>, objects: Objects) -> Self {
        let (cache, recovery) = (Mutex::default(), Recovery::default());
        Self { ledger, objects, cache, recovery, lock: None }
    }

    /// Fails where the directory is not at its place any more; see [`Error::Removed`]. One that was opened without the lock is not looked
    /// for.
    pub fn check_in_place(&self) -> Result<(), Error> {
        self.lock.as_ref().map_or(Ok(()), Lock::check_in_place)
    }

    /// Returns the error that a second writer of `dir` would get now, which names the first; `None` where none writes.
    pub fn writer(dir: &Path) -> Result<Option<Error>, Error> {
        ArchiveFolder::existing(dir)?.writer()
    }

    /// Returns its id; `None` for one that was not opened for writing since ids exist.
    pub fn id(&self) -> Result<Option<ArchiveId>, Error> {
        ArchiveId::of(self.ledger())
    }

    /// Returns the id that its new objects carry: it was given when the archive was opened for writing.
    pub(super) fn own_id(&self) -> Result<ArchiveId, Error> {
        let lost = || Error::LedgerDamaged { why: "it lost its archive's id".to_owned() };
        self.id()?.ok_or_else(lost)
    }

    /// Returns what opening it found and did.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Returns the ledger: everything that the archive knows but for the rows. Its changes fail with [`Error::ReadOnly`] where the
    /// archive was opened for reading. Prefer the archive's own [`Archive::store`], [`Archive::register`] and
    /// [`Archive::forget_answers`], which keep the files beside the ledger in step.
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// Makes `request` the directory's last one, in the ledger and then in `archive/request.json`.
    pub fn register(&self, request: &Request) -> Result<(), Error> {
        self.ledger.register(request)?;
        let known = self.ledger.remembered()?.into_iter().map(|(_, query)| query);
        self.objects.write_beside(REQUEST, request_file::written(request, known, self.id()?))
    }

    /// Numbers for queries that are asked to learn something about others; one that is wanted stays so.
    pub fn remember_aside(&self, queries: &[Query], role: Role) -> Result<Vec<QueryId>, Error> {
        let remembered = |query: &Query| {
            let text = query.text.clone();
            Remembered { text, asked: None, substitute: None, role }
        };
        self.ledger.remember(&queries.iter().map(remembered).collect::<Vec<_>>())
    }

    /// Forgets what every probe, or every sample, was answered. What probes proved empty are gaps again.
    pub fn forget_answers(&self, aside: Aside) -> Result<(), Error> {
        for name in &self.ledger.forget_answers(aside)? {
            self.remove_noted(name);
        }
        Ok(())
    }

    /// Forgets what is held of these queries, and removes objects that hold nothing else. Their rows in objects of other queries
    /// stay until [`Archive::bring_to_rest`], and are read no more. A crash on the way leaves all of it held, or none.
    pub fn forget_coverage(&self, queries: &[QueryId]) -> Result<(), Error> {
        for name in &self.ledger.forget_coverage(queries)? {
            self.remove_noted(name);
        }
        Ok(())
    }

    /// Every query that was ever asked for anything, by its identity.
    pub fn identities(&self) -> Result<Identities, Error> {
        Ok(self
            .ledger
            .remembered()?
            .into_iter()
            .map(|(id, query)| ((query.text.sent, query.text.interval), (id, query.role)))
            .collect())
    }

    /// Every query that was ever asked for anything, by its identity; one whose added fill the server refused, as what is sent in
    /// its place.
    pub fn travelling(&self) -> Result<Identities, Error> {
        let ids = self.identities()?;
        let mut travelling = ids.clone();
        for (_, Remembered { text, substitute, .. }) in self.ledger.remembered()? {
            let sent = substitute.and_then(|sent| ids.get(&(sent, text.interval)));
            if let Some(travels) = sent {
                travelling.insert((text.sent, text.interval), *travels);
            }
        }
        Ok(travelling)
    }
}
