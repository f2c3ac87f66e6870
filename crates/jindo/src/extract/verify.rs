//! Comparison of an output's files and the tables with the ledger. Reads everything, changes nothing.

use super::selection::View;
use super::strangers::unnamed;
use super::tables;
use super::update::{Mark, digest};
use super::{CsvTree, Disk, Error, Output};
use crate::archive::{Archive, QueryId, SeriesFile};

/// A difference between files and ledger. None of it endangers data: every file can be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFinding {
    /// A file of ours is gone, or something else lies in its place. [`super::update`] makes it again.
    Missing { query: QueryId, path: String },
    /// A file of ours was changed. [`super::Which::All`] makes it again.
    Changed { query: QueryId, path: String },
    /// The archive, the zone or the format changed since the query's files were made, or making them was interrupted:
    /// the next export or extract brings them up to date.
    Outdated { query: QueryId, written: String },
    /// The ledger records a path that none of our files has, so it was written by others. Nothing was done to that path;
    /// [`super::update`] replaces the record.
    StrayMark { query: QueryId, path: String },
    /// A file in the output's folder that is not ours. Left alone.
    Stranger { path: String },
    /// A table is gone or does not say what the ledger says. The next export or extract writes it again.
    Table { path: String },
    /// A table as an earlier version wrote it. The next export or extract brings it up to date.
    EarlierTable { path: String },
}

/// Compares files and tables with the ledger: by queries in the list's order, then strangers by path, then tables.
///
/// # Errors
/// Those of archive and disk, when they cannot be read.
pub fn verify(
    archive: &Archive,
    disk: &dyn Disk,
    output: &CsvTree,
) -> Result<Vec<FileFinding>, Error> {
    let mut findings = verify_output(archive, disk, output)?;
    // The tables describe files: while these are out of date, nothing can be said of the tables.
    let is_behind = |finding: &FileFinding| {
        matches!(finding, FileFinding::Outdated { .. } | FileFinding::StrayMark { .. })
    };
    if findings.iter().any(is_behind) {
        return Ok(findings);
    }
    match tables::differing(archive, disk, output) {
        Ok((_, tables)) => {
            for table in tables {
                let path = table.path().to_owned();
                findings.push(if table.is_of_earlier_version(disk)? {
                    FileFinding::EarlierTable { path }
                } else {
                    FileFinding::Table { path }
                });
            }
        }
        // Another process has begun to bring a query's files up to date.
        Err(Error::Unfinished { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(findings)
}

/// Compares the files of one output with its marks.
///
/// # Errors
/// Those of archive and disk, when they cannot be read.
pub fn verify_output(
    archive: &Archive,
    disk: &dyn Disk,
    output: &dyn Output,
) -> Result<Vec<FileFinding>, Error> {
    let (mut findings, view) = (Vec::new(), View::of_directory(archive)?);
    for query in archive.ledger().queries()? {
        let mark = Mark::read(archive, output, query.id)?;
        let (id, written) = (query.id, query.text.written.clone());
        let shown = view.of_query(archive, query)?;
        let digest = digest(output, shown.as_ref());
        let outdated = FileFinding::Outdated { query: id, written };
        match &mark {
            Mark::Absent if shown.is_none_or(|shown| shown.grants.is_empty()) => {}
            Mark::Made(made) if made.digest == digest => {
                let files = made.files.iter();
                let differing = files.filter_map(|file| differing(disk, id, file).transpose());
                let differing = differing.collect::<Result<Vec<_>, _>>()?;
                // Another process may have brought them up to date meanwhile.
                if differing.is_empty() || Mark::read(archive, output, id)? == mark {
                    findings.extend(differing);
                } else {
                    findings.push(outdated);
                }
            }
            Mark::Absent | Mark::Made(_) => findings.push(outdated),
            Mark::Stray(path) => {
                findings.push(FileFinding::StrayMark { query: id, path: path.clone() });
            }
        }
    }
    let strangers = unnamed(archive, disk, output)?;
    findings.extend(strangers.into_iter().map(|path| FileFinding::Stranger { path }));
    Ok(findings)
}

/// Returns the difference of a file from what it was when it was made.
fn differing(
    disk: &dyn Disk,
    query: QueryId,
    file: &SeriesFile,
) -> Result<Option<FileFinding>, Error> {
    let path = file.path.clone();
    Ok(match disk.sha256(&path).map_err(Error::disk("read", &path))? {
        None => Some(FileFinding::Missing { query, path }),
        Some(found) if found != file.sha256 => Some(FileFinding::Changed { query, path }),
        Some(_) => None,
    })
}
