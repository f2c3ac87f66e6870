//! One query's rows → its series' files, staged. Takes from each object only what coverage grants it, and trusts no row.

use super::csv::{Calendar, HEADER, Rows};
use super::names::folded;
use super::publish::{Disk, Staged};
use super::source::{Chunk, Grant, SeriesFile, Source};
use super::{Error, Shown, hex};
use crate::archive::{Origin, Registered};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Bytes of rows held back over all series of a query before they are appended, so that a series of many windows is
/// opened now and then and not once per window. Next to nothing under test, so that tests cross it.
const PENDING_BYTES_MAX: usize = if cfg!(test) { 64 } else { 16 * 1024 * 1024 };

/// A file that lies in the staging folder, whole.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) staged: Staged,
    pub(super) file: SeriesFile,
}

/// Numbers for staged files.
#[derive(Debug)]
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    fn next(&mut self) -> Staged {
        self.0 += 1;
        Staged(self.0 - 1)
    }
}

/// Stages the files of one query, ascending by path.
pub(super) fn stage(
    source: &impl Source,
    disk: &dyn Disk,
    query: &Registered,
    made_from: (&[Grant], &Calendar, &Shown),
    numbers: &mut Numbers,
) -> Result<Vec<Ready>, Error> {
    let (grants, calendar, shown) = made_from;
    let directory = (shown.names.directory)(&query.text.sent, query.text.interval);
    let mut stage = Stage {
        disk,
        query,
        shown,
        directory,
        rows: Rows::new(calendar),
        numbers,
        by_tags: HashMap::new(),
        by_path: HashMap::new(),
        growing: Vec::new(),
        pending_bytes: 0,
    };
    for grant in grants.iter().filter(|grant| grant.origin == Origin::Fetched) {
        let mut failed = None;
        let mut sink = |chunk: Chunk<'_>| match stage.take(grant, chunk) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        };
        source.rows(grant.object, query.id, &mut sink).map_err(Error::Archive)?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    stage.finish()
}

struct Stage<'a> {
    disk: &'a dyn Disk,
    query: &'a Registered,
    shown: &'a Shown,
    directory: String,
    rows: Rows<'a>,
    numbers: &'a mut Numbers,
    /// Into `growing`.
    by_tags: HashMap<Vec<String>, usize>,
    /// Into `growing`, by the path as file systems fold it.
    by_path: HashMap<String, usize>,
    growing: Vec<Growing>,
    pending_bytes: usize,
}

/// A series' file under construction.
struct Growing {
    ready: Ready,
    hash: Sha256,
    pending: Vec<u8>,
}

impl Stage<'_> {
    fn take(&mut self, grant: &Grant, chunk: Chunk<'_>) -> Result<(), Error> {
        let damaged = |what: &str| Error::Damaged {
            object: grant.object,
            query: self.query.text.written.clone(),
            what: format!("{what} of {:?}", chunk.tags),
        };
        if chunk.ts_ms.len() != chunk.values.len() || !chunk.ts_ms.is_sorted_by(|a, b| a < b) {
            return Err(damaged("rows in disorder"));
        }
        let from = chunk.ts_ms.partition_point(|ts| *ts < grant.window.start().as_millisecond());
        let to = chunk.ts_ms.partition_point(|ts| *ts < grant.window.end().as_millisecond());
        let (ts_ms, values) = (&chunk.ts_ms[from..to], &chunk.values[from..to]);
        let step_ms = self.query.text.interval.secs() * 1_000;
        if ts_ms.iter().any(|ts| ts % step_ms != 0) {
            return Err(damaged("a time off the grid"));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(damaged("a value that is no number"));
        }
        let (Some(first), Some(last)) = (ts_ms.first(), ts_ms.last()) else { return Ok(()) };
        let out_of_range = |_| damaged("a time out of range");
        let first = Timestamp::from_millisecond(*first).map_err(out_of_range)?;
        let last = Timestamp::from_millisecond(*last).map_err(out_of_range)?;
        let known = self.by_tags.get(chunk.tags).copied();
        if known.is_some_and(|at| first <= self.growing[at].ready.file.last) {
            return Err(damaged("a time twice"));
        }
        let at = known.map_or_else(|| self.create(chunk, first), Ok)?;

        let Growing { ready: Ready { file, .. }, pending, .. } = &mut self.growing[at];
        let before = pending.len();
        self.rows.append(pending, ts_ms, values);
        self.pending_bytes += pending.len() - before;
        file.last = last;
        file.points += ts_ms.len() as u64;
        chunk.metric.clone_into(&mut file.metric);
        file.unit = chunk.unit.map(str::to_owned).or(file.unit.take());
        if self.pending_bytes > PENDING_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    fn create(&mut self, chunk: Chunk<'_>, first: Timestamp) -> Result<usize, Error> {
        let path = self.shown.names.path(&self.directory, chunk.tags);
        if let Some(at) = self.by_path.insert(folded(&path).into_owned(), self.growing.len()) {
            let twin = &self.growing[at].ready.file;
            let named = |tags: &[String]| format!("{} {tags:?}", self.query.text.written);
            return Err(Error::one_file(
                (&path, named(chunk.tags)),
                (&twin.path, named(&twin.tags)),
            ));
        }
        let file = SeriesFile {
            path,
            metric: String::new(),
            tags: chunk.tags.to_vec(),
            unit: None,
            first,
            last: first,
            points: 0,
            bytes: 0,
            sha256: String::new(),
        };
        let ready = Ready { staged: self.numbers.next(), file };
        self.growing.push(Growing { ready, hash: Sha256::new(), pending: HEADER.to_vec() });
        self.by_tags.insert(chunk.tags.to_vec(), self.growing.len() - 1);
        Ok(self.growing.len() - 1)
    }

    fn flush(&mut self) -> Result<(), Error> {
        for Growing { ready, hash, pending } in &mut self.growing {
            // Taken, not cleared: kept capacity would add up over the series of a query.
            let rows = std::mem::take(pending);
            if rows.is_empty() {
                continue;
            }
            let append = self.disk.append(ready.staged, &rows);
            append.map_err(Error::disk("stage", &ready.file.path))?;
            hash.update(&rows);
            ready.file.bytes += rows.len() as u64;
        }
        self.pending_bytes = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Ready>, Error> {
        self.flush()?;
        let whole = |Growing { mut ready, hash, .. }| {
            ready.file.sha256 = hex(&hash.finalize());
            ready
        };
        let mut ready: Vec<Ready> = self.growing.into_iter().map(whole).collect();
        ready.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        Ok(ready)
    }
}
