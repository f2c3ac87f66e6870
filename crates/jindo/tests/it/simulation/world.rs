//! What survives a crash: the ledger, the objects, the files, and the server with its clock. Everything else is a session.

use super::disk::{FaultyDisk, Platter};
use super::job::Job;
use futures::StreamExt as _;
use futures::executor::block_on;
use jiff::Timestamp;
use jindo::archive::CoverageLedger as _;
use jindo::archive::{Archive, ArchiveId, Error, Objects, Sqlite};
use jindo::clock::Random;
use jindo::extract::Disk;
use jindo::job::{self, Storage};
use jindo::plan::Window;
use jindo::text::with_causes;
use jindo_sim::{Api, Options};
use jindo_testing::{FaultyLedger, FaultyStore, Fuse};
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use object_store::path::Path as Location;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The directory, the server, and what time it is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) job: Job,
    pub(crate) api: Api,
    pub(crate) now: Timestamp,
    pub(crate) random: Random,
    ledger: Arc<Sqlite>,
    objects: Arc<InMemory>,
    pub(crate) platter: Arc<Mutex<Platter>>,
}

/// Something on this machine failed; the text says what.
#[derive(Debug)]
pub(crate) struct Broke(pub(crate) String);

impl From<Error> for Broke {
    fn from(error: Error) -> Self {
        Self(with_causes(&error))
    }
}

impl From<job::Error> for Broke {
    fn from(error: job::Error) -> Self {
        Self(with_causes(&error))
    }
}

impl World {
    /// An empty directory before a server that has the job's organisation, whatever `options` says of it.
    pub(crate) fn new(job: &Job, options: Options, seed: u64) -> Self {
        let options = Options { organisation: Arc::clone(&job.organisation), ..options };
        Self {
            job: job.clone(),
            api: Api::new(options),
            now: Timestamp::from_second(job.begins_s).unwrap(),
            random: Random::seeded(seed),
            ledger: Arc::new(Sqlite::memory().unwrap()),
            objects: Arc::default(),
            platter: Arc::default(),
        }
    }

    /// The directory, as a new process finds it.
    pub(crate) fn storage(&self, fuse: &Fuse) -> Directory {
        let ledger = FaultyLedger { kept: Arc::clone(&self.ledger), fuse: fuse.clone() };
        let store = FaultyStore { kept: Arc::clone(&self.objects), fuse: fuse.clone() };
        let disk = FaultyDisk { kept: Arc::clone(&self.platter), fuse: fuse.clone() };
        Directory { ledger, store, disk }
    }

    /// To look at.
    pub(crate) fn archive(&self) -> Archive {
        self.storage(&Fuse::endless()).open().unwrap()
    }

    pub(crate) fn lose_power(&mut self) {
        self.platter.lock().unwrap().lose_power(&mut self.random);
    }

    /// The oracle's part of the directory: all tables and the tree.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        self.platter.lock().unwrap().files()
    }

    /// Objects in the store that the ledger does not know.
    pub(crate) fn strays(&self) -> usize {
        let known = self.ledger.objects().unwrap().len();
        let files =
            |folder: &str| block_on(self.objects.list(Some(&Location::from(folder))).count());
        let there = files("data") + files("probes");
        there.checked_sub(known).expect("what is recorded is there")
    }

    /// Returns the archive's coverage, by the query as sent.
    pub(crate) fn covered(&self) -> BTreeMap<String, Vec<Window>> {
        let archive = self.archive();
        let coverage = archive.ledger().coverage_all().unwrap();
        let of = |id| coverage.get(id).into_iter().flatten().map(|c| c.window).collect();
        archive
            .ledger()
            .queries()
            .unwrap()
            .iter()
            .map(|q| (q.text.sent.to_string(), of(&q.id)))
            .collect()
    }
}

/// One process' handles of ledger, objects and files, which fail together.
#[derive(Debug)]
pub(crate) struct Directory {
    ledger: FaultyLedger,
    store: FaultyStore,
    disk: FaultyDisk,
}

impl Storage for Directory {
    /// Recovers as well: nobody else writes here.
    fn read(&self) -> Result<Option<Archive>, Error> {
        self.open().map(Some)
    }

    fn open(&self) -> Result<Archive, Error> {
        let objects = Objects::over(Arc::new(self.store.clone()))?;
        Archive::assemble(Box::new(self.ledger.clone()), objects, ArchiveId::new(1))
    }

    fn disk(&self) -> &dyn Disk {
        &self.disk
    }
}
