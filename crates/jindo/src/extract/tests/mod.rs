//! An archive and a disk in memory that can fail at any operation, and what the tests build with them.

mod crash;
mod disk;
mod journey;
mod twins;

use super::*;
use crate::archive::{Origin, Registered};
use crate::plan::Window;
use crate::query::QueryText;
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The start of the range in all tests: 2021-11-07 04:00 UTC, two hours before New York leaves summer time.
const DAY: i64 = 1_636_257_600;
const DAY_S: i64 = 86_400;

/// Operations that may still succeed, of the disk and the ledger together; then the machine is dead.
#[derive(Debug, Clone)]
struct Fuel(Arc<AtomicU64>);

impl Fuel {
    fn of(operations: u64) -> Self {
        Self(Arc::new(AtomicU64::new(operations)))
    }

    fn burn(&self) -> io::Result<()> {
        let burnt =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        burnt.map(drop).map_err(|_| io::Error::other("the machine is dead"))
    }

    fn left(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn fill(&self, operations: u64) {
        self.0.store(operations, Ordering::SeqCst);
    }
}

/// An archive in memory. Its marks are durable at once, as a ledger's are.
struct Shelf {
    queries: Vec<Registered>,
    refused: Vec<RefusedLine>,
    grants: BTreeMap<QueryId, Vec<Grant>>,
    rows: BTreeMap<(ObjectId, QueryId), Vec<Row>>,
    marks: Mutex<BTreeMap<QueryId, Extracted>>,
    fuel: Fuel,
}

/// A series within an object: tags, and (seconds since DAY, value).
type Row = (Vec<String>, Vec<(i64, f64)>);

impl Shelf {
    fn new() -> Self {
        Self {
            queries: Vec::new(),
            refused: Vec::new(),
            grants: BTreeMap::new(),
            rows: BTreeMap::new(),
            marks: Mutex::default(),
            fuel: Fuel::of(u64::MAX),
        }
    }

    /// A query at 60 s of which DAY and the day after are asked.
    fn ask(&mut self, written: &str) -> QueryId {
        let id = QueryId(i64::try_from(self.queries.len()).unwrap() + 1);
        self.queries.push(Registered {
            too_old: None,
            id,
            text: QueryText::new(written, written, Interval::from_secs(60).unwrap()),
            asked: Window::from_secs(DAY, DAY + 2 * DAY_S),
            position: Some(self.queries.len() + self.refused.len()),
            weight: None,
            instead_of: None,
            given_up: None,
        });
        id
    }

    fn change(&mut self, id: QueryId) -> &mut Registered {
        self.queries.iter_mut().find(|query| query.id == id).unwrap()
    }

    /// Covers `[start, end)` (seconds since DAY) by a new object with these series: `host:a` or nothing, and points.
    fn cover(&mut self, id: QueryId, [start, end]: [i64; 2], series: &[(&str, &[(i64, f64)])]) {
        let object = ObjectId(i64::try_from(self.rows.len()).unwrap() + 1);
        let tags = |tags: &str| tags.split_terminator(' ').map(str::to_owned).collect();
        let rows = series.iter().map(|(of, points)| (tags(of), points.to_vec())).collect();
        self.rows.insert((object, id), rows);
        let grants = self.grants.entry(id).or_default();
        let window = Window::from_secs(DAY + start, DAY + end).unwrap();
        grants.push(Grant {
            window,
            object,
            origin: Origin::Fetched,
            identity: format!("object {}", object.0),
            fetched_at: window.end(),
        });
        grants.sort_by_key(|grant| grant.window);
    }

    fn ids(&self) -> Vec<QueryId> {
        self.queries.iter().map(|query| query.id).collect()
    }

    fn failing(&self) -> Result<(), Failure> {
        Ok(self.fuel.burn()?)
    }
}

impl Source for Shelf {
    fn queries(&self) -> Result<Vec<Registered>, Failure> {
        Ok(self.queries.clone())
    }

    fn query(&self, id: QueryId) -> Result<Option<Registered>, Failure> {
        Ok(self.queries.iter().find(|query| query.id == id).cloned())
    }

    fn refused(&self) -> Result<Vec<RefusedLine>, Failure> {
        Ok(self.refused.clone())
    }

    fn grants(&self, id: QueryId) -> Result<Vec<Grant>, Failure> {
        Ok(self.grants.get(&id).cloned().unwrap_or_default())
    }

    fn rows(
        &self,
        object: ObjectId,
        query: QueryId,
        sink: &mut dyn FnMut(Chunk<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let rows = self.rows.get(&(object, query)).ok_or("the object is gone")?;
        for (tags, points) in rows {
            // Two points a chunk, so that every series comes in pieces.
            for piece in points.chunks(2) {
                let ts_ms: Vec<i64> = piece.iter().map(|(at, _)| (DAY + at) * 1_000).collect();
                let values: Vec<f64> = piece.iter().map(|(_, value)| *value).collect();
                let (metric, unit) = ("m", Some("byte"));
                let chunk = Chunk { metric, tags, unit, ts_ms: &ts_ms, values: &values };
                if sink(chunk).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn extracted(&self, id: QueryId) -> Result<Option<Extracted>, Failure> {
        Ok(self.marks.lock().unwrap().get(&id).cloned())
    }

    fn owner(&self, path: &str) -> Result<Option<QueryId>, Failure> {
        let marks = self.marks.lock().unwrap();
        let of = |mark: &Extracted| mark.files.iter().any(|file| file.path == path);
        Ok(marks.iter().find(|(_, mark)| of(mark)).map(|(id, _)| *id))
    }

    fn mark_extracted(&self, marks: &[(QueryId, Extracted)]) -> Result<(), Failure> {
        self.failing()?;
        self.marks.lock().unwrap().extend(marks.iter().cloned());
        Ok(())
    }
}

/// A disk in memory. What is not synced may be lost, or be there by half, after a crash.
struct Memory {
    state: Mutex<State>,
    fuel: Fuel,
}

#[derive(Default, Clone)]
struct State {
    staged: BTreeMap<Staged, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
    durable: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    fn new(fuel: &Fuel) -> Self {
        Self { state: Mutex::default(), fuel: fuel.clone() }
    }

    fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        self.fuel.burn()?;
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

    fn sync(&self) -> io::Result<()> {
        self.act(|state| state.durable = state.files.clone())
    }

    fn end(&self) -> io::Result<()> {
        self.act(|_| ())
    }

    fn size(&self, path: &str) -> io::Result<Option<u64>> {
        Ok(self.state.lock().unwrap().files.get(path).map(|text| text.len() as u64))
    }

    fn sha256(&self, path: &str) -> io::Result<Option<String>> {
        use sha2::{Digest, Sha256};
        Ok(self.state.lock().unwrap().files.get(path).map(|text| hex(&Sha256::digest(text))))
    }

    fn walk(&self, found: &mut dyn FnMut(&str)) -> io::Result<()> {
        let files = self.files();
        files.keys().filter(|path| path.starts_with("csv/")).for_each(|path| found(path));
        Ok(())
    }
}

fn shown(timezone: &str) -> Shown {
    let directory =
        |sent: &str, _: Interval| sent.split(['{', ':']).nth(1).unwrap_or("slug").to_owned();
    let series = |tags: &[String]| match tags {
        [] => "values".to_owned(),
        _ => tags.join(",").replace(':', "=").replace('/', "%2F"),
    };
    Shown {
        zone: TimeZone::get(timezone).unwrap(),
        timezone: timezone.to_owned(),
        names: Names { directory, series },
    }
}

/// Everything that an export does with files.
fn export(shelf: &Shelf, disk: &dyn Disk, shown: &Shown) -> Result<Summary, Error> {
    update(shelf, disk, &shelf.ids(), shown, Which::Outdated)?;
    tables(shelf, disk, shown)
}

/// All files and what is in them, for a golden text.
fn told(files: &BTreeMap<String, String>) -> String {
    files.iter().flat_map(|(path, text)| ["== ", path, "\n", text]).collect()
}
