//! Are the files still what the ledger says? Reads everything, changes nothing.

use super::publish::Disk;
use super::source::{SeriesFile, Source};
use super::tables;
use super::update::{calendar, digest};
use super::{Error, Shown};
use crate::archive::QueryId;

/// Something about the files that is not as it was made. None of it endangers data: every file can be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A file of ours is gone, or something else lies in its place. [`super::update`] makes it again.
    Missing { query: QueryId, path: String },
    /// A file of ours was changed. [`super::Which::All`] makes it again.
    Changed { query: QueryId, path: String },
    /// The archive, the zone or the format changed since the query's files were made, or making them was interrupted:
    /// the next export or extract brings them up to date.
    Outdated { query: QueryId, written: String },
    /// A file below csv/ that is not ours. Left alone.
    Stranger { path: String },
    /// A table is gone or does not say what the ledger says. The next export or extract writes it again.
    Table { path: String },
}

/// Compares csv/ and the tables with the ledger: by queries in the list's order, then strangers by path, then tables.
pub fn verify(source: &impl Source, disk: &dyn Disk, shown: &Shown) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let mut tables_comparable = Comparable::Yes;
    for query in source.queries().map_err(Error::Archive)? {
        let grants = source.grants(query.id).map_err(Error::Archive)?;
        let made = source.extracted(query.id).map_err(Error::Archive)?;
        let digest = digest(&query, &grants, &calendar(&query, &grants, shown), shown);
        if made.as_ref().map_or(!grants.is_empty(), |made| made.digest != digest) {
            let written = query.text.written.clone();
            findings.push(Finding::Outdated { query: query.id, written });
            tables_comparable = Comparable::No;
            continue;
        }
        let Some(made) = made else { continue };
        let differing = differing(disk, query.id, &made.files)?;
        // Another process may have brought them up to date while we looked.
        if differing.is_empty() || source.extracted(query.id).map_err(Error::Archive)? == Some(made)
        {
            findings.extend(differing);
        } else {
            findings.push(Finding::Outdated { query: query.id, written: query.text.written });
            tables_comparable = Comparable::No;
        }
    }
    findings.extend(strangers(source, disk)?);
    if tables_comparable == Comparable::Yes {
        let differing = match tables::differing(source, disk, shown) {
            // Another process has begun to bring a query's files up to date.
            Err(Error::Unfinished { .. }) => Vec::new(),
            other => other?.1,
        };
        let path = |table: tables::Table| table.path().to_owned();
        findings.extend(differing.into_iter().map(|table| Finding::Table { path: path(table) }));
    }
    Ok(findings)
}

/// The files that are not what they were when they were made.
fn differing(disk: &dyn Disk, query: QueryId, files: &[SeriesFile]) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for file in files {
        let path = file.path.clone();
        match disk.sha256(&path).map_err(Error::disk("read", &path))? {
            None => findings.push(Finding::Missing { query, path }),
            Some(found) if found != file.sha256 => findings.push(Finding::Changed { query, path }),
            Some(_) => {}
        }
    }
    Ok(findings)
}

/// Whether the tables can be told right or wrong: not while files that they describe are out of date.
#[derive(PartialEq)]
enum Comparable {
    Yes,
    No,
}

fn strangers(source: &impl Source, disk: &dyn Disk) -> Result<Vec<Finding>, Error> {
    let (mut paths, mut failed) = (Vec::new(), None);
    let mut look = |path: &str| match source.owner(path) {
        Ok(Some(_)) => {}
        Ok(None) => paths.push(path.to_owned()),
        Err(error) => failed = Some(error),
    };
    disk.walk(&mut look).map_err(Error::disk("list", "csv"))?;
    if let Some(error) = failed {
        return Err(Error::Archive(error));
    }
    paths.sort_unstable();
    Ok(paths.into_iter().map(|path| Finding::Stranger { path }).collect())
}
