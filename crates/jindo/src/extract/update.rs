//! Brings the files of queries up to date with what is shown of the archive; see the order of effects in `extract`. Marks are checked when
//! they are read: a path that cannot be one of the output's is never looked at.

use super::selection::{ShownQuery, View};
use super::staging::with_staging;
use super::stream::stage;
use super::{Disk, Error, MadeFile, Output, Staging};
use crate::archive::{self, Archive, Extracted, Granted, QueryId, SeriesFile};
use crate::digest::hex;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::mem::take;

/// The digest of a query whose files are being replaced; no SHA-256 reads like it.
pub(super) const UNFINISHED: &str = "unfinished";

/// The digest of a query that is not shown: it has no files.
const HIDDEN: &str = "hidden";

/// The mark of a query.
#[derive(Debug, PartialEq)]
pub(super) enum Mark {
    /// Never extracted, or not since the ledger was rebuilt.
    Absent,
    Made(Extracted),
    /// It names this path, which is none of the output's: the ledger was written by others. Counts as absent.
    Stray(String),
}

impl Mark {
    pub(super) fn read(
        archive: &Archive,
        output: &dyn Output,
        query: QueryId,
    ) -> Result<Self, Error> {
        let Some(made) = archive.ledger().extracted(output.name(), query)? else {
            return Ok(Self::Absent);
        };
        let stray = made.files.iter().find(|file| !output.is_file(&file.path));
        Ok(match stray {
            Some(file) => Self::Stray(file.path.clone()),
            None => Self::Made(made),
        })
    }

    /// Returns the files that are the output's own.
    pub(super) fn into_files(self) -> Vec<SeriesFile> {
        match self {
            Self::Made(made) => made.files,
            Self::Absent | Self::Stray(_) => Vec::new(),
        }
    }
}

/// A query whose files are not as they should be.
pub(super) struct OutdatedQuery {
    pub(super) mark: Mark,
    /// `None`: it has no files any more.
    pub(super) shown: Option<ShownQuery>,
    digest: String,
}

/// Look at the files of queries.
pub(super) struct Looking<'a> {
    pub(super) archive: &'a Archive,
    pub(super) disk: &'a dyn Disk,
    pub(super) output: &'a dyn Output,
}

impl Looking<'_> {
    /// Returns what is to be made of a query; `None` where its files are up to date, unless `which` is all.
    pub(super) fn at(
        &self,
        id: QueryId,
        view: View<'_>,
        which: Which,
    ) -> Result<Option<OutdatedQuery>, Error> {
        let mark = Mark::read(self.archive, self.output, id)?;
        let shown = match self.archive.ledger().query(id)? {
            Some(query) => view.of_query(self.archive, query)?,
            None if mark == Mark::Absent => return Err(Error::Unknown(id)),
            None => None,
        };
        let digest = digest(self.output, shown.as_ref());
        if which == Which::Outdated && self.is_current(&mark, &digest, shown.as_ref())? {
            return Ok(None);
        }
        Ok(Some(OutdatedQuery { mark, shown, digest }))
    }

    fn is_current(
        &self,
        mark: &Mark,
        digest: &str,
        shown: Option<&ShownQuery>,
    ) -> Result<bool, Error> {
        let made = match mark {
            Mark::Absent => return Ok(shown.is_none_or(|shown| shown.grants.is_empty())),
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

/// Returns the digest of everything that decides about the bytes of a query's files; `None` is a query that is not shown.
pub(super) fn digest(output: &dyn Output, shown: Option<&ShownQuery>) -> String {
    let Some(shown) = shown else { return HIDDEN.to_owned() };
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    output.ingredients(&shown.extent()).iter().for_each(|text| part(text));
    part(&shown.query.text.sent);
    part(&shown.query.text.interval.secs().to_string());
    for Granted { held, answer, .. } in &shown.grants {
        part(&format!("{}/{}", held.window.start_s(), held.window.end_s()));
        part(answer);
    }
    hex(&hash.finalize())
}

/// Which queries are extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those whose archive, zone or format changed, or of which a file is gone or has another size.
    Outdated,
    /// All of them: files that were changed by others, at the same size, are made anew.
    All,
}

/// Effects of an [`update`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Queries whose files were not up to date.
    pub queries: u64,
    pub files: u64,
    pub bytes: u64,
    /// Files of series that are shown no more.
    pub removed: u64,
}

/// Bytes of a group that is published together, beside its [`super::BufferLimits::group_files_max`]: so many lie twice on the
/// disk meanwhile.
const GROUP_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Makes the files of `queries` show what was asked last, and the archive covers. Writes nothing when they do.
///
/// After a crash at any point, or an error, the next call does what is left; until it has, the queries concerned are
/// marked unfinished. `queries` may name one twice, and those that the last request does not: their files go.
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
    let change = Change::default();
    let view = View::of_directory(archive)?;
    let (group, group_files, group_bytes) = (Vec::new(), 0, 0);
    let updating = Updating {
        archive,
        disk,
        output,
        view,
        which,
        number: 0,
        group,
        group_files,
        group_bytes,
        change,
    };
    with_staging(disk, || updating.all(queries))
}

struct Updating<'a> {
    archive: &'a Archive,
    disk: &'a dyn Disk,
    output: &'a dyn Output,
    view: View<'static>,
    which: Which,
    /// Of the next staged file.
    number: u64,
    /// Queries whose files are staged, and published together.
    group: Vec<StagedQuery>,
    /// New and stale files of the group.
    group_files: usize,
    /// Of its new files.
    group_bytes: u64,
    change: Change,
}

/// A query whose files are staged.
struct StagedQuery {
    id: QueryId,
    digest: String,
    made: Vec<MadeFile>,
    /// Files of earlier that are not among `made`.
    stale: Vec<SeriesFile>,
}

impl Updating<'_> {
    /// Updates queries, in an empty staging folder, which is left as it is on an error.
    fn all(mut self, queries: &[QueryId]) -> Result<Change, Error> {
        let group_files_max = self.disk.buffer_limits().group_files_max;
        let mut seen = HashSet::new();
        for id in queries.iter().filter(|id| seen.insert(**id)) {
            self.stage(*id)?;
            if self.group_files >= group_files_max || self.group_bytes >= GROUP_BYTES_MAX {
                self.publish()?;
            }
        }
        self.publish()?;
        if self.change != Change::default() {
            self.disk.end().map_err(Error::disk("remove", "the staging folder"))?;
        }
        Ok(self.change)
    }

    /// Stages the files of a query, unless they are up to date. One that is not shown has none.
    fn stage(&mut self, id: QueryId) -> Result<(), Error> {
        let looking = Looking { archive: self.archive, disk: self.disk, output: self.output };
        let Some(OutdatedQuery { mark, shown, digest }) = looking.at(id, self.view, self.which)?
        else {
            return Ok(());
        };
        let staging = Staging::new(self.disk, &mut self.number);
        let made = match &shown {
            Some(shown) => stage(self.archive, shown, self.output, staging)?,
            None => Vec::new(),
        };
        let new: HashSet<&str> = made.iter().map(|made| made.file.path.as_str()).collect();
        let mut stale = mark.into_files();
        stale.retain(|file| !new.contains(file.path.as_str()));
        self.group_files += made.len() + stale.len();
        self.group_bytes += made.iter().map(|made| made.file.bytes).sum::<u64>();
        self.group.push(StagedQuery { id, digest, made, stale });
        Ok(())
    }

    /// Publishes the group: marks, renames, one sync, marks again.
    fn publish(&mut self) -> Result<(), Error> {
        let group = take(&mut self.group);
        (self.group_files, self.group_bytes) = (0, 0);
        if group.is_empty() {
            return Ok(());
        }
        let unfinished = group.iter().map(|StagedQuery { id, made, stale, .. }| {
            let files = made.iter().map(|made| &made.file).chain(stale).cloned();
            let mut files: Vec<SeriesFile> = files.collect();
            files.sort_by(|a, b| a.path.cmp(&b.path));
            (*id, Extracted { digest: UNFINISHED.to_owned(), files })
        });
        self.clear_way(&group)?;
        let (ledger, name) = (self.archive.ledger(), self.output.name());
        let marked = ledger.mark_extracted(name, &unfinished.collect::<Vec<_>>());
        marked.map_err(|error| self.told(&group, error))?;
        for StagedQuery { made, stale, .. } in &group {
            for MadeFile { staged, file } in made {
                let published = self.disk.publish(*staged, &file.path);
                published.map_err(Error::disk("publish", &file.path))?;
                self.change.bytes += file.bytes;
            }
            for file in stale {
                self.disk.remove(&file.path).map_err(Error::disk("remove", &file.path))?;
            }
            self.change.queries += 1;
            self.change.files += made.len() as u64;
            self.change.removed += stale.len() as u64;
        }
        self.disk.sync().map_err(Error::disk("sync", self.output.folder()))?;
        let finished = group.into_iter().map(|StagedQuery { id, digest, made, .. }| {
            let files = made.into_iter().map(|made| made.file).collect();
            (id, Extracted { digest, files })
        });
        Ok(ledger.mark_extracted(name, &finished.collect::<Vec<_>>())?)
    }

    /// Sets files aside that would be written over, no mark names, and hold something else.
    fn clear_way(&self, group: &[StagedQuery]) -> Result<(), Error> {
        for MadeFile { file, .. } in group.iter().flat_map(|query| &query.made) {
            let path = file.path.as_str();
            let size = self.disk.size(path).map_err(Error::disk("look at", path))?;
            if size.is_none() || self.archive.ledger().owner(path)?.is_some() {
                continue;
            }
            let found = self.disk.sha256(path).map_err(Error::disk("read", path))?;
            if found.is_some_and(|found| found != file.sha256) {
                self.disk.set_aside(path).map_err(Error::disk("set aside", path))?;
            }
        }
        Ok(())
    }

    /// Names both queries of files that would be one; of one query, both series.
    fn told(&self, group: &[StagedQuery], error: archive::Error) -> Error {
        let archive::Error::PathTaken { path, query, twin, other } = error else {
            return error.into();
        };
        let written = |id| match self.archive.ledger().query(id) {
            Ok(Some(query)) => query.text.written,
            Ok(None) | Err(_) => "another".to_owned(),
        };
        let (mut first, mut second) = (written(other), written(query));
        let own = group.iter().find(|own| own.id == query && query == other);
        if let Some(StagedQuery { made, .. }) = own {
            let tags = |made: Option<&MadeFile>| {
                made.map_or_else(String::new, |made| format!(" {:?}", made.file.tags))
            };
            first += &tags(made.iter().find(|made| made.file.path == twin));
            second += &tags(made.iter().rev().find(|made| made.file.path == path));
        }
        Error::one_file([path, second], [twin, first])
    }
}
