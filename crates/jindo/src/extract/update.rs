//! Brings the files of queries up to date with what the archive covers; see the order of effects in `extract`.

use super::marks::{Mark, digest};
use super::publish::{Change, Group, GroupedQuery};
use super::staging::{StagedNumbers, Staging};
use super::stream::{extent, write_series};
use super::{Disk, Error, MadeFile, Output};
use crate::archive::{Archive, Granted, QueryId, Registered};
use std::collections::HashSet;

/// Which queries are extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those whose archive, zone or format changed, or of which a file is gone or has another size.
    Outdated,
    /// All of them: files that were changed by others, at the same size, are made anew.
    All,
}

/// Makes the files of `queries` show what the archive covers. Writes nothing when they do.
///
/// After a crash at any point, or an error, the next call does what is left; until it has, the queries concerned are
/// marked unfinished. `queries` may name one twice.
///
/// # Errors
/// See [`Error`]. [`Error::Collision`] and [`Error::Twins`] come before anything is moved.
pub fn update(
    archive: &Archive,
    disk: &dyn Disk,
    output: &dyn Output,
    queries: &[QueryId],
    which: Which,
) -> Result<Change, Error> {
    let _lock = disk.lock().map_err(Error::disk("lock", "the directory"))?;
    disk.begin().map_err(Error::disk("empty", "the staging folder"))?;
    let done = Updating { archive, disk, output, which }.all(queries);
    if done.is_err() {
        disk.clear();
    }
    done
}

/// Stages the files of one query, ascending by path.
pub(super) fn stage(
    archive: &Archive,
    query: &Registered,
    grants: &[Granted],
    output: &dyn Output,
    staging: Staging<'_>,
) -> Result<Vec<MadeFile>, Error> {
    write_series(archive, query, grants, output.begin(&extent(query, grants), staging))
}

struct Updating<'a> {
    archive: &'a Archive,
    disk: &'a dyn Disk,
    output: &'a dyn Output,
    which: Which,
}

impl Updating<'_> {
    /// Updates queries, in an empty staging folder, which is left as it is on an error.
    fn all(&self, queries: &[QueryId]) -> Result<Change, Error> {
        let (mut change, mut numbers) = (Change::default(), StagedNumbers::from(0));
        let (mut group, mut seen) = (Group::default(), HashSet::new());
        for id in queries.iter().filter(|id| seen.insert(**id)) {
            if let Some(query) = self.staged(*id, &mut numbers)? {
                group.add(query);
            }
            if group.is_full(self.disk.buffer_limits()) {
                std::mem::take(&mut group).publish(
                    self.archive,
                    self.disk,
                    self.output,
                    &mut change,
                )?;
            }
        }
        group.publish(self.archive, self.disk, self.output, &mut change)?;
        if change != Change::default() {
            self.disk.end().map_err(Error::disk("remove", "the staging folder"))?;
        }
        Ok(change)
    }

    /// Stages the files of a query; `None` when they are up to date.
    fn staged(
        &self,
        id: QueryId,
        numbers: &mut StagedNumbers,
    ) -> Result<Option<GroupedQuery>, Error> {
        let query = self.archive.query(id)?.ok_or(Error::Unknown(id))?;
        let grants = self.archive.grants(id)?;
        let digest = digest(self.output, &query, &grants);
        let mark = Mark::read(self.archive, self.output, id)?;
        if self.which == Which::Outdated && self.is_current(&mark, &digest, &grants)? {
            return Ok(None);
        }
        let staging = Staging::new(self.disk, numbers);
        let made = stage(self.archive, &query, &grants, self.output, staging)?;
        Ok(Some(GroupedQuery::new(query, digest, made, mark)))
    }

    fn is_current(&self, mark: &Mark, digest: &str, grants: &[Granted]) -> Result<bool, Error> {
        let made = match mark {
            Mark::Absent => return Ok(grants.is_empty()),
            Mark::Made(made) if made.digest == digest => made,
            Mark::Made(_) | Mark::Stray(_) => return Ok(false),
        };
        for file in &made.files {
            let size = self.disk.size(&file.path).map_err(Error::disk("look at", &file.path))?;
            if size != Some(file.bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
