//! An archive in memory and a disk in memory, which can fail at any operation, and what the tests build with them.

mod crash;
mod disk;
mod hostile;
mod journey;
mod listing;
mod twins;

use jiff::tz::TimeZone;
use jindo::archive::{
    Archive, ArchiveId, CoverageLedger as _, Extracted, Fetched, Objects, QueryId, Request,
    RequestLine, Sqlite,
};
use jindo::extract::{
    BufferLimits, Change, CsvTree, Directory, Disk, DisplayOptions, Error, FileFinding, MadeFile,
    Names, Output, QueryExtent, Selection, SeriesFacts, Staged, Staging, Summary, Which, Writer,
    copy, tables, update, verify, verify_output, with_files,
};
use jindo::parse::{Answer, CallPosition, Series};
use jindo::plan::Window;
use jindo::query::{Interval, Query, QueryText, SentText};
use jindo_testing::{Dead, Doom, FaultyLedger, Fuse};
use object_store::memory::InMemory;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// The start of the range in all tests: 2021-11-07 04:00 UTC, two hours before New York leaves summer time.
const DAY: i64 = 1_636_257_600;
const DAY_S: i64 = 86_400;

/// An archive in memory, and how it is filled.
struct Shelf {
    archive: Archive,
    /// Burnt by every change of the ledger, and by the disks of the tests that take it.
    fuse: Fuse,
    ledger: Arc<Sqlite>,
    store: Arc<InMemory>,
    lines: Vec<RequestLine>,
}

/// Points of a series: seconds since DAY, and value.
type Points<'a> = &'a [(i64, f64)];

impl Shelf {
    fn new() -> Self {
        let (ledger, store) = (Arc::new(Sqlite::memory().unwrap()), Arc::default());
        let fuse = Fuse::endless();
        let archive = assembled(&ledger, &store, &fuse);
        Self { archive, fuse, ledger, store, lines: Vec::new() }
    }

    /// The same archive in another process.
    fn reopened(&self, fuse: &Fuse) -> Archive {
        assembled(&self.ledger, &self.store, fuse)
    }

    /// A query at 60 s of which DAY and the day after are asked.
    fn ask(&mut self, written: &str) -> QueryId {
        self.lines.push(RequestLine::Query(Query {
            text: QueryText::new(written, written, minute()),
            weight: None,
        }));
        self.register();
        self.id(written)
    }

    fn id(&self, written: &str) -> QueryId {
        let queries = self.archive.ledger().queries().unwrap();
        queries.iter().find(|query| query.text.written == written).unwrap().id
    }

    /// A line that was left out.
    fn refuse(&mut self, written: &str, reason: &str) {
        let (written, reason) = (written.to_owned(), reason.to_owned());
        self.lines.push(RequestLine::Refused { written, reason });
    }

    /// Takes a query off the list.
    fn unlist(&mut self, of: &str) {
        self.lines
            .retain(|line| !matches!(line, RequestLine::Query(query) if query.text.written == of));
        self.register();
    }

    fn register(&self) {
        let asked = Window::from_secs(DAY, DAY + 2 * DAY_S).unwrap().into();
        let (timezone, arguments) = ("UTC".to_owned(), "{}".to_owned());
        let lines = self.lines.clone();
        self.archive.register(&Request { lines, asked, timezone, arguments }).unwrap();
    }

    /// Asks for one query alone, and for `[start, end)` (seconds since DAY).
    fn ask_only(&self, of: &str, [start, end]: [i64; 2]) {
        let is_asked = |line: &&RequestLine| matches!(line, RequestLine::Query(query) if query.text.written == of);
        let lines = self.lines.iter().filter(is_asked).cloned().collect();
        let asked = Window::from_secs(DAY + start, DAY + end).unwrap().into();
        let (timezone, arguments) = ("UTC".to_owned(), "{}".to_owned());
        self.archive.register(&Request { lines, asked, timezone, arguments }).unwrap();
    }

    /// Covers `[start, end)` (seconds since DAY) by a new object with these series: `host:a` or nothing, and points.
    fn cover(&self, id: QueryId, range: [i64; 2], series: &[(&str, Points<'_>)]) {
        let [start, end] = range.map(|at| DAY + at);
        let window = Window::from_secs(start, end).unwrap();
        let series = series.iter().filter(|(_, points)| !points.is_empty());
        let mut series: Vec<Series> = series.map(|(tags, points)| streamed(tags, points)).collect();
        series.sort_by(|a, b| a.tags.cmp(&b.tags));
        let stored = self.archive.store(&Fetched {
            queries: &[id],
            interval: minute(),
            window,
            fetched_at: window.end(),
            open: false,
            answer: &Answer { series },
        });
        stored.unwrap();
    }

    /// Drops everything that is covered of a query.
    fn uncover(&self, id: QueryId) {
        for held in self.archive.ledger().coverage(id).unwrap() {
            self.ledger.drop_object(held.object).unwrap();
        }
    }

    fn ids(&self) -> Vec<QueryId> {
        self.archive.ledger().queries().unwrap().iter().map(|query| query.id).collect()
    }
}

fn assembled(ledger: &Arc<Sqlite>, store: &Arc<InMemory>, fuse: &Fuse) -> Archive {
    let ledger = FaultyLedger { kept: Arc::clone(ledger), fuse: fuse.clone() };
    let objects: Arc<InMemory> = Arc::clone(store);
    Archive::assemble(Box::new(ledger), Objects::over(objects).unwrap(), ArchiveId::new(1)).unwrap()
}

fn minute() -> Interval {
    Interval::from_secs(60).unwrap()
}

fn streamed(tags: &str, points: Points<'_>) -> Series {
    Series {
        query: CallPosition::new(0),
        metric: "m".to_owned(),
        tags: tags.split_terminator(' ').map(str::to_owned).collect(),
        unit: Some("byte".to_owned()),
        metadata: Arc::default(),
        ts_ms: points.iter().map(|(at, _)| (DAY + at) * 1_000).collect(),
        values: points.iter().map(|(_, value)| *value).collect(),
    }
}

/// A disk in memory. What is not synced may be lost, or be there by half, after a crash.
struct Memory {
    state: Mutex<State>,
    fuse: Fuse,
}

#[derive(Default, Clone)]
struct State {
    staged: BTreeMap<Staged, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
    durable: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    fn new(fuse: &Fuse) -> Self {
        Self { state: Mutex::default(), fuse: fuse.clone() }
    }

    /// The same disk in another process.
    fn reopened(&self, fuse: &Fuse) -> Self {
        let state = self.state.lock().unwrap().clone();
        Self { state: Mutex::new(state), fuse: fuse.clone() }
    }

    fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        self.fuse.burn().map_err(dead)?;
        Ok(act(&mut self.state.lock().unwrap()))
    }

    /// The power fails: of every file that was not synced the old, the new or half of the new is left, by `chance`.
    fn crash(&self, mut chance: u64) {
        let mut state = self.state.lock().unwrap();
        let State { files, durable, .. } = state.clone();
        for path in files.keys().chain(durable.keys()) {
            let (new, old) = (files.get(path), durable.get(path));
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let left = match (chance >> 33) % 3 {
                _ if new == old => new.cloned(),
                0 => old.cloned(),
                1 => new.cloned(),
                _ => new.map(|new| new[..new.len() / 2].to_vec()),
            };
            state.files.remove(path);
            state.files.extend(left.map(|left| (path.clone(), left)));
        }
        state.durable = state.files.clone();
    }

    fn files(&self) -> BTreeMap<String, String> {
        let files = self.state.lock().unwrap().files.clone();
        files.into_iter().map(|(path, text)| (path, String::from_utf8(text).unwrap())).collect()
    }
}

impl Disk for Memory {
    /// Next to nothing, so that tests cross every bound.
    fn buffer_limits(&self) -> BufferLimits {
        BufferLimits { pending_bytes_max: 64, group_files_max: 3 }
    }

    fn begin(&self) -> io::Result<()> {
        if self.state.lock().unwrap().staged.is_empty() {
            return Ok(());
        }
        self.act(|state| state.staged.clear())
    }

    fn append(&self, staged: Staged, bytes: &[u8]) -> io::Result<()> {
        self.act(|state| state.staged.entry(staged).or_default().extend_from_slice(bytes))
    }

    fn publish(&self, staged: Staged, path: &str) -> io::Result<()> {
        self.act(|state| {
            let text = state.staged.remove(&staged).expect("it was staged");
            state.files.insert(path.to_owned(), text);
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.act(|state| drop(state.files.remove(path)))
    }

    fn set_aside(&self, path: &str) -> io::Result<()> {
        self.act(|state| {
            let text = state.files.remove(path).expect("it is there");
            assert!(state.files.insert(format!("set-aside/{path}"), text).is_none());
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.act(|state| state.durable = state.files.clone())
    }

    fn end(&self) -> io::Result<()> {
        self.act(|_| ())
    }

    fn size(&self, path: &str) -> io::Result<Option<u64>> {
        Ok(self.state.lock().unwrap().files.get(path).map(|text| text.len() as u64))
    }

    fn begins_with(&self, path: &str, text: &[u8]) -> io::Result<bool> {
        let state = self.state.lock().unwrap();
        Ok(state.files.get(path).is_some_and(|found| found.starts_with(text)))
    }

    fn sha256(&self, path: &str) -> io::Result<Option<String>> {
        Ok(self.state.lock().unwrap().files.get(path).map(|text| jindo::digest::sha256(text)))
    }

    fn walk(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = format!("{folder}/");
        Ok(self.files().into_keys().filter(|path| path.starts_with(&folder)).collect())
    }
}

fn dead(dead: Dead) -> io::Error {
    io::Error::other(dead)
}

/// The tree in a zone, with names that are easily read.
fn csv(timezone: &str) -> CsvTree {
    let directory =
        |sent: &SentText, _: Interval| sent.split(['{', ':']).nth(1).unwrap_or("slug").to_owned();
    let series = |tags: &[String]| match tags {
        [] => "values".to_owned(),
        _ => tags.join(",").replace(':', "=").replace('/', "%2F"),
    };
    let zone = TimeZone::get(timezone).unwrap();
    let display = DisplayOptions { zone, timezone: timezone.to_owned() };
    CsvTree { display, names: Names { directory, series } }
}

/// Everything that an export does with files.
fn export(archive: &Archive, disk: &dyn Disk, output: &CsvTree) -> Result<Summary, Error> {
    update(archive, disk, output, &with_files(archive, output)?, Which::Outdated)?;
    tables(archive, disk, output)
}

/// All files and what is in them, for a golden text.
fn told(files: &BTreeMap<String, String>) -> String {
    files.iter().flat_map(|(path, text)| ["== ", path, "\n", text]).collect()
}
