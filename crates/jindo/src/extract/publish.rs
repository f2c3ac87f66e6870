//! Publishes staged files of any output: marks, renames, one sync, marks again; see the order of effects in `extract`.

use super::marks::{Mark, UNFINISHED};
use super::{BufferLimits, Claim, Disk, Error, MadeFile, Output};
use crate::archive::{self, Archive, Extracted, QueryId, Registered, SeriesFile};
use std::collections::HashSet;

/// Effects of an [`super::update`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Queries whose files were not up to date.
    pub queries: u64,
    pub files: u64,
    pub bytes: u64,
    /// Files of series that are no more.
    pub removed: u64,
}

/// Bytes of a group that is published together, beside its [`super::BufferLimits::group_files_max`]: so many lie twice on the
/// disk meanwhile.
const GROUP_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Queries that are published together.
#[derive(Default)]
pub(super) struct Group {
    queries: Vec<GroupedQuery>,
    files: usize,
    bytes: u64,
}

/// A query whose files are staged.
pub(super) struct GroupedQuery {
    query: Registered,
    digest: String,
    made: Vec<MadeFile>,
    /// Files of earlier that are not among `made`.
    stale: Vec<SeriesFile>,
}

impl GroupedQuery {
    pub(super) fn new(query: Registered, digest: String, made: Vec<MadeFile>, mark: Mark) -> Self {
        let new: HashSet<&str> = made.iter().map(|made| made.file.path.as_str()).collect();
        let mut stale = match mark {
            Mark::Made(before) => before.files,
            Mark::Absent | Mark::Stray(_) => Vec::new(),
        };
        stale.retain(|file| !new.contains(file.path.as_str()));
        Self { query, digest, made, stale }
    }

    fn unfinished(&self) -> (QueryId, Extracted) {
        let new = self.made.iter().map(|made| made.file.clone());
        let mut files: Vec<SeriesFile> = new.chain(self.stale.iter().cloned()).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        (self.query.id, Extracted { digest: UNFINISHED.to_owned(), files })
    }

    fn finished(self) -> (QueryId, Extracted) {
        let files = self.made.into_iter().map(|made| made.file).collect();
        (self.query.id, Extracted { digest: self.digest, files })
    }

    /// Moves the files into place, and removes the stale ones.
    fn moved(&self, disk: &dyn Disk) -> Result<(), Error> {
        for MadeFile { staged, file } in &self.made {
            disk.publish(*staged, &file.path).map_err(Error::disk("publish", &file.path))?;
        }
        for file in &self.stale {
            disk.remove(&file.path).map_err(Error::disk("remove", &file.path))?;
        }
        Ok(())
    }
}

impl Group {
    pub(super) fn add(&mut self, query: GroupedQuery) {
        self.files += query.made.len() + query.stale.len();
        self.bytes += query.made.iter().map(|made| made.file.bytes).sum::<u64>();
        self.queries.push(query);
    }

    pub(super) fn is_full(&self, buffer_limits: BufferLimits) -> bool {
        self.files >= buffer_limits.group_files_max || self.bytes >= GROUP_BYTES_MAX
    }

    /// Publishes the group and adds to `change`.
    pub(super) fn publish(
        self,
        archive: &Archive,
        disk: &dyn Disk,
        output: &dyn Output,
        change: &mut Change,
    ) -> Result<(), Error> {
        if self.queries.is_empty() {
            return Ok(());
        }
        let unfinished: Vec<_> = self.queries.iter().map(GroupedQuery::unfinished).collect();
        let marked = archive.mark_extracted(output.name(), &unfinished);
        marked.map_err(|error| self.told(archive, error))?;
        for query in &self.queries {
            query.moved(disk)?;
            change.queries += 1;
            change.files += query.made.len() as u64;
            change.removed += query.stale.len() as u64;
        }
        change.bytes += self.bytes;
        disk.sync().map_err(Error::disk("sync", output.folder()))?;
        let finished: Vec<_> = self.queries.into_iter().map(GroupedQuery::finished).collect();
        Ok(archive.mark_extracted(output.name(), &finished)?)
    }

    /// Names both queries of files that would be one; of one query, both series.
    fn told(&self, archive: &Archive, error: archive::Error) -> Error {
        let archive::Error::PathTaken { path, query, twin, other } = error else {
            return error.into();
        };
        let (own, others) = if query == other {
            (self.series(query, &path, Nth::Last), self.series(other, &twin, Nth::First))
        } else {
            (self.written(archive, query), self.written(archive, other))
        };
        Error::one_file(Claim { path, of: own }, Claim { path: twin, of: others })
    }

    fn written(&self, archive: &Archive, query: QueryId) -> String {
        let own = self.queries.iter().find(|own| own.query.id == query);
        let own = own.map(|own| own.query.text.written.clone());
        let known = || Some(archive.query(query).ok()??.text.written);
        own.or_else(known).unwrap_or_else(|| "another".to_owned())
    }

    /// Names the series of this group's query that has that path.
    fn series(&self, query: QueryId, path: &str, nth: Nth) -> String {
        let own = self.queries.iter().find(|own| own.query.id == query);
        let mut files = own.into_iter().flat_map(|own| own.made.iter().map(|made| &made.file));
        let mut having = files.by_ref().filter(|file| file.path == path);
        let file = match nth {
            Nth::First => having.next(),
            Nth::Last => having.last(),
        };
        let written = own.map_or("another", |own| own.query.text.written.as_str());
        file.map_or_else(|| written.to_owned(), |file| format!("{written} {:?}", file.tags))
    }
}

/// Which of several series with one path.
#[derive(Clone, Copy)]
enum Nth {
    First,
    Last,
}
