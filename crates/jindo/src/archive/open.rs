//! [`Archive`]: ledger and objects together, opened, and the questions that the ledger answers alone.

use super::disk::{ArchiveFolder, Lock};
use super::ledger;
use super::objects::{ObjectCache, Objects};
use super::recover::{Recovery, recover};
use super::request_file::{self, REQUEST};
use super::{
    Aside, Coverage, Error, Extracted, GivenUp, Granted, Holder, IfBlank, Journal, Learnt, Ledger,
    Object, ObjectId, OutputName, ProbesDiscarded, QueryId, RefusedLine, Registered, Remembered,
    Request, Role, Spaced, Totals,
};
use crate::plan::Window;
use crate::query::{Interval, Query, SentText};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Under which the ledger keeps the result of the last audit.
const AUDIT: &str = "audit";

/// Ledger and objects of a directory. Shared by the thread that stores and the one that extracts.
pub struct Archive {
    ledger: Mutex<Box<dyn Ledger>>,
    pub(super) objects: Objects,
    pub(super) cache: Mutex<ObjectCache>,
    access: Access,
    recovery: Recovery,
    journal: Journal,
    _lock: Option<Lock>,
}

/// Queries by what makes them the same: as sent, and their interval.
pub type Identities = BTreeMap<(SentText, Interval), (QueryId, Role)>;

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
        let place = ArchiveFolder::at(dir)?;
        place.make()?;
        let lock = place.lock(holder)?;
        Self::open_locked(&place, lock, place.journal()?)
    }

    pub(super) fn open_locked(
        place: &ArchiveFolder,
        lock: Lock,
        journal: Journal,
    ) -> Result<Self, Error> {
        let objects = Objects::local(&place.root)?;
        let if_blank = if objects.any()? { IfBlank::Refuse } else { IfBlank::Create };
        if if_blank == IfBlank::Refuse && !place.ledger().exists() {
            return Err(Error::LedgerLost { dir: place.dir.clone() });
        }
        if if_blank == IfBlank::Create {
            ArchiveFolder::make_blank(&place.ledger())?;
        }
        place.check_journal()?;
        let mut ledger = ledger::open(&place.ledger(), if_blank, journal)?;
        place.remove_halves(REQUEST)?;
        let recovery = recover(&mut *ledger, &objects, Some(place))?;
        Ok(Self { recovery, _lock: Some(lock), ..Self::of(ledger, objects, Access::Write) })
    }

    /// Opens for reading: takes no lock, recovers nothing, works while an export writes. What a crash left before the ledger had
    /// its tables is no archive yet.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        match Self::read_there(dir) {
            Err(Error::LedgerLost { .. })
                if !Objects::local(&ArchiveFolder::at(dir)?.root)?.any()? =>
            {
                Err(Error::Absent { dir: dir.to_owned() })
            }
            opened => opened,
        }
    }

    fn read_there(dir: &Path) -> Result<Self, Error> {
        let place = ArchiveFolder::there(dir)?;
        place.check_journal()?;
        let ledger = ledger::read(&place.ledger())?;
        Ok(Self::of(ledger, Objects::local(&place.root)?, Access::Read))
    }

    /// Opens to bring files up to date while an export fetches: takes no lock and recovers nothing, since what is noted
    /// is the export's. Write nothing through it but marks of what was extracted.
    pub fn beside(dir: &Path) -> Result<Self, Error> {
        let place = ArchiveFolder::there(dir)?;
        place.check_journal()?;
        let ledger = ledger::open(&place.ledger(), IfBlank::Refuse, place.journal()?)?;
        Ok(Self::of(ledger, Objects::local(&place.root)?, Access::Write))
    }

    /// Makes an archive of given parts, and recovers it; the caller keeps other writers away.
    pub fn assemble(mut ledger: Box<dyn Ledger>, objects: Objects) -> Result<Self, Error> {
        let recovery = recover(&mut *ledger, &objects, None)?;
        Ok(Self { recovery, ..Self::of(ledger, objects, Access::Write) })
    }

    fn of(ledger: Box<dyn Ledger>, objects: Objects, access: Access) -> Self {
        let (journal, recovery) = (ledger.journal(), Recovery::default());
        let (ledger, cache) = (Mutex::new(ledger), Mutex::default());
        Self { ledger, objects, cache, access, recovery, journal, _lock: None }
    }

    /// Returns what opening it found and did.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Returns the journal by which the ledger of an archive that was opened for writing keeps commits whole.
    pub fn journal(&self) -> Journal {
        self.journal
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

    /// The records of all objects, by number.
    pub fn objects_all(&self) -> Result<Vec<Object>, Error> {
        self.reading().objects()
    }

    /// Returns the query whose mark names this file, in any output. Relative to the directory.
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

    /// Returns the stretches held of a query: disjoint, oldest first.
    pub fn coverage(&self, query: QueryId) -> Result<Vec<Coverage>, Error> {
        self.reading().coverage(query)
    }

    /// The same, with what the objects are.
    pub fn grants(&self, query: QueryId) -> Result<Vec<Granted>, Error> {
        self.reading().grants(query)
    }

    /// Returns the stretches of every query that has any, in one scan.
    pub fn coverage_all(&self) -> Result<BTreeMap<QueryId, Vec<Coverage>>, Error> {
        self.reading().coverage_all()
    }

    /// Numbers for queries that are asked to learn something about others; one that is wanted stays so.
    pub fn remember_aside(&self, queries: &[Query], role: Role) -> Result<Vec<QueryId>, Error> {
        let queries: Vec<_> = queries
            .iter()
            .map(|query| Remembered {
                text: query.text.clone(),
                asked: None,
                substitute: None,
                role,
            })
            .collect();
        self.writing()?.remember(&queries)
    }

    /// Every probe that was ever asked, by its identity.
    pub fn probes(&self) -> Result<BTreeMap<(SentText, Interval), QueryId>, Error> {
        let known = self.reading().remembered()?;
        let probes = known.into_iter().filter(|(_, query)| query.role == Role::Probe);
        Ok(probes.map(|(id, query)| ((query.text.sent, query.text.interval), id)).collect())
    }

    /// Grants each query a stretch that the object, a probe's, proves empty: covered from now on, by [`super::Origin::Probed`].
    /// What is held of it already stays as it is.
    pub fn cover_empty(&self, empty: &[(QueryId, ObjectId, Window)]) -> Result<(), Error> {
        self.writing()?.cover_empty(empty)
    }

    /// The server gives coarser answers beyond so many points: what came back without a single one from longer windows, and so
    /// said nothing of its interval, is open again.
    pub fn doubt_empty(&self, points: u32) -> Result<(), Error> {
        self.writing()?.doubt_empty(points)
    }

    /// Forgets what every probe, or every sample, was answered. What probes proved empty are gaps again.
    pub fn forget_answers(&self, aside: Aside) -> Result<(), Error> {
        let unreferenced = self.writing()?.forget_answers(aside)?;
        for name in &unreferenced {
            self.remove_noted(name);
        }
        Ok(())
    }

    /// Marks stretches open whose object the server contradicts, so that the next run asks them again, whole. What another object
    /// holds by now stays as it is. How many are open then. Nothing that is held goes away before an answer takes its place; a
    /// ledger rebuilt from footers has forgotten the mark.
    pub fn reopen(&self, stretches: &[(QueryId, ObjectId, Window)]) -> Result<u64, Error> {
        self.writing()?.reopen(stretches)
    }

    /// Records that nothing more is tried for this stretch. An answer that is stored later takes it back.
    pub fn give_up(&self, given_up: &GivenUp) -> Result<(), Error> {
        self.writing()?.give_up(given_up)
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

    /// Records that probes are not used here any more, and why. Call [`Self::forget_answers`] after it: a crash in between leaves
    /// probes that are not used.
    pub fn discard_probes(&self, discarded: &ProbesDiscarded) -> Result<(), Error> {
        self.writing()?.discard_probes(discarded)
    }

    /// `None` as long as no answer contradicted a probe.
    pub fn probes_discarded(&self) -> Result<Option<ProbesDiscarded>, Error> {
        self.reading().probes_discarded()
    }

    /// Remembers how many decoded bytes a bucket the answers to these queries have; `None` forgets it.
    pub fn weigh(&self, weights: &[(QueryId, Option<u64>)], at: Timestamp) -> Result<(), Error> {
        self.writing()?.weigh(weights, at)
    }

    /// Keeps at which intervals queries are asked.
    pub fn space(&self, spaced: &[Spaced]) -> Result<(), Error> {
        self.writing()?.space(spaced)
    }

    /// By name of the query.
    pub fn spaced(&self) -> Result<Vec<Spaced>, Error> {
        self.reading().spaced()
    }

    /// Every query that was ever asked for anything, by its identity.
    pub fn identities(&self) -> Result<Identities, Error> {
        let known = self.reading().remembered()?;
        Ok(known
            .into_iter()
            .map(|(id, query)| ((query.text.sent, query.text.interval), (id, query.role)))
            .collect())
    }

    /// Every query that was ever asked for anything, by its identity; one whose added fill the server refused, as what is sent in
    /// its place.
    pub fn travelling(&self) -> Result<Identities, Error> {
        let known = self.reading().remembered()?;
        let ids: Identities = known
            .iter()
            .map(|(id, query)| ((query.text.sent.clone(), query.text.interval), (*id, query.role)))
            .collect();
        let travels = known.into_iter().map(|(id, query)| {
            let interval = query.text.interval;
            let substitute = query.substitute.and_then(|sent| ids.get(&(sent.into(), interval)));
            ((query.text.sent, interval), *substitute.unwrap_or(&(id, query.role)))
        });
        Ok(travels.collect())
    }

    /// Forgets every limit that was learnt, that probes are discarded, how heavy queries are, and every spacing.
    pub fn forget(&self) -> Result<(), Error> {
        self.writing()?.forget()
    }

    /// Keeps the result of the last audit; opaque here.
    pub fn keep_audit(&self, text: &str) -> Result<(), Error> {
        self.writing()?.keep(AUDIT, text)
    }

    /// Returns the result of the last audit; `None`: there was none, or not since the ledger was rebuilt.
    pub fn audit(&self) -> Result<Option<String>, Error> {
        self.reading().kept(AUDIT)
    }

    /// Returns a query's mark in an output; `None`: never made, or not since the ledger was rebuilt. The paths are as the ledger
    /// has them, which may come from elsewhere: check that they are the output's before doing anything to them.
    pub fn extracted(
        &self,
        output: OutputName,
        query: QueryId,
    ) -> Result<Option<Extracted>, Error> {
        self.reading().extracted(output, query)
    }

    /// Replaces the marks of these queries in an output, all or none, durable on return. Call it when the files are on the disk.
    ///
    /// # Errors
    /// [`Error::PathTaken`] when two files would be one where names differ by neither case nor Unicode form.
    pub fn mark_extracted(
        &self,
        output: OutputName,
        extracted: &[(QueryId, Extracted)],
    ) -> Result<(), Error> {
        self.writing()?.mark_extracted(output, extracted)
    }

    pub fn totals(&self) -> Result<Totals, Error> {
        self.reading().totals()
    }
}
