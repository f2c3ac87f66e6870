//! What survives a crash: the ledger, the objects, the files, and the server with its clock. Everything else is a session.

use super::disk::{self, Platter};
use super::job::Job;
use crate::frail::fuse::Fuse;
use crate::frail::{ledger, store};
use futures::StreamExt as _;
use futures::executor::block_on;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::Ledger as _;
use jindo::archive::{Archive, Error, Objects, Sqlite};
use jindo::clock::Random;
use jindo::extract::{self, CsvTree, DisplayOptions, Which};
use jindo::plan::Window;
use jindo::text::with_causes;
use jindo_sim::{Api, Options};
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
    ledger: Arc<Mutex<Sqlite>>,
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

impl From<extract::Error> for Broke {
    fn from(error: extract::Error) -> Self {
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
            ledger: Arc::new(Mutex::new(Sqlite::memory().unwrap())),
            objects: Arc::default(),
            platter: Arc::default(),
        }
    }

    /// A new process: opens the archive and so recovers it.
    pub(crate) fn open(&self, fuse: &Fuse) -> Result<Archive, Broke> {
        let ledger = ledger::Frail { kept: Arc::clone(&self.ledger), fuse: fuse.clone() };
        let store = store::Frail { kept: Arc::clone(&self.objects), fuse: fuse.clone() };
        Ok(Archive::assemble(Box::new(ledger), Objects::over(Arc::new(store)))?)
    }

    /// To look at.
    pub(crate) fn archive(&self) -> Archive {
        self.open(&Fuse::endless()).unwrap()
    }

    pub(crate) fn disk(&self, fuse: &Fuse) -> disk::Frail {
        disk::Frail { kept: Arc::clone(&self.platter), fuse: fuse.clone() }
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
        let known = self.ledger.lock().unwrap().objects().unwrap().len();
        let data = Location::from("data");
        let there = block_on(self.objects.list(Some(&data)).count());
        there.checked_sub(known).expect("what is recorded is there")
    }

    /// What the archive covers, by the query as sent.
    pub(crate) fn covered(&self) -> BTreeMap<String, Vec<Window>> {
        let archive = self.archive();
        let coverage = archive.coverage_all().unwrap();
        let of = |id| coverage.get(id).into_iter().flatten().map(|c| c.window).collect();
        archive.queries().unwrap().iter().map(|q| (q.text.sent.to_string(), of(&q.id))).collect()
    }
}

/// The tree of CSV files in UTC.
pub(crate) fn csv() -> CsvTree {
    CsvTree::new(&DisplayOptions { zone: TimeZone::UTC, timezone: "UTC".into() })
}

/// Brings files and tables up to date, as an export does at its end.
pub(crate) fn extract_all(archive: &Archive, disk: &disk::Frail) -> Result<(), Broke> {
    let all: Vec<_> = archive.queries()?.iter().map(|query| query.id).collect();
    extract::update(archive, disk, &csv(), &all, Which::Outdated)?;
    extract::tables(archive, disk, &csv())?;
    Ok(())
}
