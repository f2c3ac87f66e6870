//! The ports of an export: storage, calls, events. Each has two implementations, of the command line and of the simulation. And the
//! files that lie in such a storage.

use super::list_types::TypeChange;
use super::planned::ExportPlan;
use super::probe::ProbeYield;
use crate::archive::{self, Archive, ArchiveWriter, Organisation, QueryId};
use crate::extract::{self, CsvTree, Directory, Disk, Summary, Which};
use crate::fetch::{
    AnswerSink, End, Extract, FetchJob, FetchOutcome, LookupFailure, Observer, Settings,
};
use crate::job::error::Error;
use crate::own_thread::on_own_thread;
use crate::request::ApiCall;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the calls of a job: the driver with a client, or a simulation.
pub trait Caller {
    type Error: From<Error>;

    fn present(&self) -> Timestamp;

    /// Returns a seed for the jitter of retries.
    fn seed(&mut self) -> u64;

    /// Checks that there is room for what a plan brings. Called before the first call of the plan; before the first plan of a
    /// run nothing is written either.
    fn admit(&mut self, plan: &ExportPlan) -> Result<(), Self::Error>;

    /// Reads keys and prepares connections. Called once, when the first call is certain; makes none.
    fn connect(&mut self) -> Result<(), Self::Error>;

    /// Asks to which organisation the keys belong.
    fn identify(&mut self, archive: &Archive) -> Result<Organisation, Self::Error>;

    /// Makes the calls of a job to its end.
    fn make(&mut self, work: FetchWork<'_>) -> Result<FetchOutcome, Self::Error>;

    /// Makes calls that stand alone, and hands each outcome on. Returns [`End::Done`] or [`End::Interrupted`].
    fn look_up(&mut self, work: LookupWork<'_>) -> Result<End, Self::Error>;
}

/// The place of an archive and of the files made from it.
pub trait Storage {
    /// Opens the archive for reading; `None` where there is none.
    fn read(&self) -> Result<Option<Archive>, archive::Error>;
    /// Opens the archive for writing, making it where there is none, and recovers it.
    fn open(&self) -> Result<Archive, archive::Error>;
    fn disk(&self) -> &dyn Disk;
}

/// A folder of the local file system.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    writer: ArchiveWriter,
    disk: Directory,
}

impl Folder {
    /// The writer's holder is told to others that find the folder in use.
    pub fn new(root: &Path, writer: ArchiveWriter) -> Self {
        Self { root: root.to_owned(), writer, disk: Directory::of_archive(root) }
    }
}

impl Storage for Folder {
    fn read(&self) -> Result<Option<Archive>, archive::Error> {
        match Archive::read(&self.root) {
            Ok(archive) => Ok(Some(archive)),
            Err(archive::Error::Absent { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self) -> Result<Archive, archive::Error> {
        Archive::open(&self.root, &self.writer)
    }

    fn disk(&self) -> &dyn Disk {
        &self.disk
    }
}

/// Calls that stand alone, with all that their caller needs besides the network.
#[expect(missing_debug_implementations, reason = "holds a closure")]
pub struct LookupWork<'a> {
    pub calls: &'a [ApiCall],
    pub settings: Settings,
    /// Takes the outcome of the call at a position.
    pub take: &'a mut TakeLookup<'a>,
}

/// Takes the outcome of the call at a position.
pub type TakeLookup<'a> =
    dyn FnMut(usize, Result<Vec<u8>, LookupFailure>) -> Result<(), Error> + 'a;

/// A job of calls, with all that its caller needs besides the network.
#[expect(missing_debug_implementations, reason = "holds trait objects")]
pub struct FetchWork<'a> {
    pub archive: &'a Archive,
    pub job: FetchJob<'a>,
    pub settings: Settings,
    /// Takes the answers.
    pub sink: &'a dyn AnswerSink,
    /// Brings the files of these queries up to date; may be called on another thread.
    pub files: &'a Extract<'a>,
    pub report: &'a mut dyn Observer,
}

/// Queries whose files are made between two looks for an interruption: a second's work, and one sync.
const QUERIES_AT_A_TIME: usize = 16;

/// The files of one archive: where they lie and in which form.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds a trait object")]
pub struct Files<'a> {
    pub archive: &'a Archive,
    pub disk: &'a dyn Disk,
    pub csv: &'a CsvTree,
    /// Files of which the ledger knows nothing: those that are not made again are set aside at the end.
    pub unclaimed: &'a [String],
    /// Set from a signal handler.
    pub interrupted: &'a AtomicBool,
}

impl Files<'_> {
    /// Brings all files and tables up to date. `None`: interrupted before it was done; the next run does what is left.
    pub fn update_all(self) -> Result<Option<Summary>, Error> {
        self.update(&extract::with_files(self.archive, self.csv)?)?;
        if self.interrupted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.archive.check_in_place()?;
        extract::set_aside(self.archive, self.disk, self.unclaimed)?;
        Ok(Some(on_own_thread(|| extract::tables(self.archive, self.disk, self.csv))?))
    }

    /// Brings the files of these queries up to date; stops within a second of an interruption.
    pub fn update(self, queries: &[QueryId]) -> Result<(), extract::Error> {
        for some in queries.chunks(QUERIES_AT_A_TIME) {
            if self.interrupted.load(Ordering::Relaxed) {
                break;
            }
            let Self { archive, disk, csv, .. } = self;
            archive.check_in_place().map_err(extract::Error::from)?;
            on_own_thread(|| extract::update(archive, disk, csv, some, Which::Outdated))?;
        }
        Ok(())
    }
}

/// Takes the facts of an export as they come, to show them, and those of each job's calls. Called from one thread.
pub trait Events: Observer {
    fn happened(&mut self, event: ExportEvent<'_>);
}

/// A fact about an export that goes on.
#[derive(Debug, Clone, Copy)]
pub enum ExportEvent<'a> {
    /// A plan is final: its calls come next, if it has any.
    Planned(&'a ExportPlan),
    /// The types of so many metrics are asked, one call each.
    Typing {
        metrics: usize,
    },
    /// Types were answered; these are others than those by which earlier data was fetched, which still count.
    Typed {
        changes: &'a [TypeChange],
    },
    /// An earlier version added up samples of gauges; so many rows are held no more, and come anew as far as they are asked.
    Unsummed {
        rows: u64,
    },
    /// So many queries are sampled for their native intervals.
    Sampling {
        queries: usize,
    },
    /// Calls of a job begin: of samples, probes, or the export itself.
    Calling {
        at: Timestamp,
    },
    /// Calls of a job came to their end.
    Called {
        outcome: &'a FetchOutcome,
        at: Timestamp,
    },
    Probed(Probed),
    /// Files and tables are up to date.
    Extracted(&'a Summary),
}

/// Cost and yield of probing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    pub calls: u64,
    pub found: ProbeYield,
    /// Calls that were planned before.
    pub planned: usize,
    /// Calls that are left.
    pub left: usize,
}
