//! Brings the files of queries up to date with what the archive covers; see the order of effects in `extract`.

use super::csv::Calendar;
use super::names::{folded, may_have_twins};
use super::publish::Disk;
use super::series::{self, Numbers, Ready};
use super::source::{Extracted, Grant, SeriesFile, Source};
use super::{Error, Shown, hex};
use crate::archive::{QueryId, Registered};
use crate::plan::{Window, hull};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Counts up whenever the same rows would make other bytes, so that every query is extracted again.
const FORMAT: &str = "jindo csv 1";

/// The digest of a query whose files are being replaced; no SHA-256 reads like it.
pub(super) const UNFINISHED: &str = "unfinished";

/// Files of a lot: at most this many, or the query that goes beyond, are staged, published and synced together. One sync
/// costs as much as hundreds of renames; more than this would only hold their facts in memory. A few under test, so that
/// tests see several lots.
const LOT_FILES_MAX: usize = if cfg!(test) { 3 } else { 4_096 };

/// Bytes of a lot, likewise: what lies twice on the disk meanwhile.
const LOT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Which queries are extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those whose archive, zone or format changed, or of which a file is gone or has another size.
    Outdated,
    /// All of them: files that were changed by others, at the same size, are made anew.
    All,
}

/// What an [`update`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Queries whose files were not up to date.
    pub queries: u64,
    pub files: u64,
    pub bytes: u64,
    /// Files of series that are no more.
    pub removed: u64,
}

/// Makes the files of `queries` show what the archive covers. Writes nothing when they do.
///
/// After a crash at any point, or an error, the next call does what is left; until it has, the queries concerned are
/// marked unfinished. `queries` may name one twice.
pub fn update(
    source: &impl Source,
    disk: &dyn Disk,
    queries: &[QueryId],
    shown: &Shown,
    which: Which,
) -> Result<Change, Error> {
    let _turn = disk.turn().map_err(Error::disk("lock", "the directory"))?;
    disk.begin().map_err(Error::disk("empty", "the staging folder"))?;
    let done = bring_up_to_date(source, disk, queries, shown, which);
    if done.is_err() {
        disk.clear();
    }
    done
}

/// The same, in an empty staging folder, which is left as it is on an error.
fn bring_up_to_date(
    source: &impl Source,
    disk: &dyn Disk,
    queries: &[QueryId],
    shown: &Shown,
    which: Which,
) -> Result<Change, Error> {
    let (mut change, mut numbers) = (Change::default(), Numbers(0));
    let (mut lot, mut seen) = (Lot::default(), HashSet::new());
    for id in queries.iter().filter(|id| seen.insert(**id)) {
        let Some(query) = source.query(*id).map_err(Error::Archive)? else {
            return Err(Error::Unknown(*id));
        };
        let grants = source.grants(*id).map_err(Error::Archive)?;
        let calendar = calendar(&query, &grants, shown);
        let digest = digest(&query, &grants, &calendar, shown);
        let before = source.extracted(*id).map_err(Error::Archive)?;
        if which == Which::Outdated && is_current(disk, before.as_ref(), &digest, &grants)? {
            continue;
        }
        let ready = series::stage(source, disk, &query, (&grants, &calendar, shown), &mut numbers)?;
        lot.add(query, digest, ready, before);
        if lot.files >= LOT_FILES_MAX || lot.bytes >= LOT_BYTES_MAX {
            std::mem::take(&mut lot).publish(source, disk, shown, &mut change)?;
        }
    }
    lot.publish(source, disk, shown, &mut change)?;
    if change != Change::default() {
        disk.end().map_err(Error::disk("remove", "the staging folder"))?;
    }
    Ok(change)
}

/// The zone over what was asked of the query, united with what is covered of it (the hull of both).
pub(super) fn calendar(query: &Registered, grants: &[Grant], shown: &Shown) -> Calendar {
    let windows = query.asked.into_iter().chain(grants.iter().map(|grant| grant.window));
    // Without any range there are no rows either, so that any range does.
    let range = hull(windows);
    let nothing = || Window::from_secs(0, 1).expect("a second is a window");
    Calendar::new(&shown.zone, range.unwrap_or_else(nothing))
}

/// Of everything that decides about the bytes of a query's files.
pub(super) fn digest(
    query: &Registered,
    grants: &[Grant],
    calendar: &Calendar,
    shown: &Shown,
) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    part(FORMAT);
    part(&format!("{calendar:?}"));
    part(&shown.names.path(&(shown.names.directory)(&query.text.sent, query.text.interval), &[]));
    part(&query.text.sent);
    part(&query.text.interval.secs().to_string());
    for grant in grants {
        part(&format!("{}/{}", grant.window.start_s(), grant.window.end_s()));
        part(&grant.identity);
    }
    hex(&hash.finalize())
}

fn is_current(
    disk: &dyn Disk,
    before: Option<&Extracted>,
    digest: &str,
    grants: &[Grant],
) -> Result<bool, Error> {
    let Some(before) = before else { return Ok(grants.is_empty()) };
    if before.digest != digest {
        return Ok(false);
    }
    for file in &before.files {
        let size = disk.size(&file.path).map_err(Error::disk("look at", &file.path))?;
        if size != Some(file.bytes) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Queries that are published together.
#[derive(Default)]
struct Lot {
    entries: Vec<Entry>,
    files: usize,
    bytes: u64,
}

struct Entry {
    query: Registered,
    digest: String,
    ready: Vec<Ready>,
    /// Files of earlier that are not among `ready`.
    stale: Vec<SeriesFile>,
}

impl Lot {
    fn add(
        &mut self,
        query: Registered,
        digest: String,
        ready: Vec<Ready>,
        before: Option<Extracted>,
    ) {
        let new: HashSet<&str> = ready.iter().map(|ready| ready.file.path.as_str()).collect();
        let old = before.map(|before| before.files).unwrap_or_default();
        let stale: Vec<SeriesFile> =
            old.into_iter().filter(|file| !new.contains(file.path.as_str())).collect();
        self.files += ready.len() + stale.len();
        self.bytes += ready.iter().map(|ready| ready.file.bytes).sum::<u64>();
        self.entries.push(Entry { query, digest, ready, stale });
    }

    fn publish(
        self,
        source: &impl Source,
        disk: &dyn Disk,
        shown: &Shown,
        change: &mut Change,
    ) -> Result<(), Error> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.collisions(source, shown)?;
        let unfinished = self.entries.iter().map(Entry::unfinished).collect::<Vec<_>>();
        source.mark_extracted(&unfinished).map_err(Error::Archive)?;
        for entry in &self.entries {
            for Ready { staged, file } in &entry.ready {
                disk.publish(*staged, &file.path).map_err(Error::disk("publish", &file.path))?;
            }
            for file in &entry.stale {
                disk.remove(&file.path).map_err(Error::disk("remove", &file.path))?;
            }
            change.queries += 1;
            change.files += entry.ready.len() as u64;
            change.removed += entry.stale.len() as u64;
        }
        change.bytes += self.bytes;
        disk.sync().map_err(Error::disk("sync", "csv"))?;
        let finished = self.entries.into_iter().map(Entry::finished).collect::<Vec<_>>();
        source.mark_extracted(&finished).map_err(Error::Archive)
    }

    /// No file may hold two queries' series, on no file system. Told before anything is moved.
    fn collisions(&self, source: &impl Source, shown: &Shown) -> Result<(), Error> {
        let mut taken = Taken::new();
        for entry in &self.entries {
            for path in entry.ready.iter().map(|ready| ready.file.path.as_str()) {
                let own = entry.query.text.written.clone();
                if let Some((twin, other)) = taken.insert(folded(path), (path, entry)) {
                    // Those of one query are told apart when they are staged.
                    return Err(Error::one_file(
                        (path, own),
                        (twin, other.query.text.written.clone()),
                    ));
                }
                let other = source.owner(path).map_err(Error::Archive)?;
                let Some(other) = other.filter(|other| *other != entry.query.id) else { continue };
                let other = source.query(other).map_err(Error::Archive)?;
                let other = other.map_or_else(|| "another".to_owned(), |other| other.text.written);
                return Err(Error::one_file((path, own), (path, other)));
            }
        }
        self.twins_of_earlier(source, shown, &taken)
    }

    /// Against the files of queries outside of the lot. Only what lies in a directory that may have twins is looked at: within
    /// one directory the files of two queries differ by the names of their keys.
    fn twins_of_earlier(
        &self,
        source: &impl Source,
        shown: &Shown,
        taken: &Taken<'_>,
    ) -> Result<(), Error> {
        let directory =
            |query: &Registered| (shown.names.directory)(&query.text.sent, query.text.interval);
        let own = self.entries.iter().filter(|entry| !entry.ready.is_empty());
        let own = own.map(|entry| directory(&entry.query)).filter(|name| may_have_twins(name));
        let own: HashSet<String> = own.map(|name| folded(&name).into_owned()).collect();
        if own.is_empty() {
            return Ok(());
        }
        let ids: HashSet<QueryId> = self.entries.iter().map(|entry| entry.query.id).collect();
        for other in source.queries().map_err(Error::Archive)? {
            if ids.contains(&other.id) || !own.contains(&*folded(&directory(&other))) {
                continue;
            }
            let files = source.extracted(other.id).map_err(Error::Archive)?;
            for file in files.into_iter().flat_map(|extracted| extracted.files) {
                if let Some((path, entry)) = taken.get(&folded(&file.path)) {
                    let own = entry.query.text.written.clone();
                    return Err(Error::one_file((path, own), (&file.path, other.text.written)));
                }
            }
        }
        Ok(())
    }
}

/// Files of a lot by their folded paths.
type Taken<'a> = HashMap<Cow<'a, str>, (&'a str, &'a Entry)>;

impl Entry {
    fn unfinished(&self) -> (QueryId, Extracted) {
        let new = self.ready.iter().map(|ready| ready.file.clone());
        let mut files: Vec<SeriesFile> = new.chain(self.stale.iter().cloned()).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        (self.query.id, Extracted { digest: UNFINISHED.to_owned(), files })
    }

    fn finished(self) -> (QueryId, Extracted) {
        let files = self.ready.into_iter().map(|ready| ready.file).collect();
        (self.query.id, Extracted { digest: self.digest, files })
    }
}
