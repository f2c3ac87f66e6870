//! Everything once more, into another place: `jindo extract DIR --out PATH`. Reads the archive and marks nothing in it.

use super::csv_tree::may_have_twins;
use super::staging::{StagedNumbers, Staging};
use super::tables::{self, Rendering, Summary, Table, TableLine};
use super::update::stage;
use super::{Claim, CsvTree, Disk, Error, MadeFile, Output as _};
use crate::archive::{Archive, Registered, SeriesFile};
use crate::case_fold::folded;
use std::collections::HashMap;

/// Writes csv/ and the tables of the whole archive into an empty place.
///
/// There is no ledger there to record which files are ours: a place with files of its own is refused, and what a crash leaves
/// behind is the user's to remove. The tables come last: a place that has them is whole.
///
/// # Errors
/// See [`Error`]; [`Error::Occupied`] before anything is written.
pub fn copy(archive: &Archive, disk: &dyn Disk, output: &CsvTree) -> Result<Summary, Error> {
    refuse_occupied(disk, output)?;
    let _lock = disk.lock().map_err(Error::disk("lock", "the directory"))?;
    disk.begin().map_err(Error::disk("empty", "the staging folder"))?;
    let mut copying = Copying {
        archive,
        disk,
        output,
        // The tables are staged under the first numbers, and stay staged until the end.
        numbers: StagedNumbers::from(Table::ALL.len() as u64),
        claims: HashMap::new(),
    };
    let mut sink = |table: Table, rows: &[u8]| tables::stage(disk, table, rows);
    let mut rendering = Rendering::begin(archive, &output.display.timezone, &mut sink)?;
    for line in tables::lines(archive)? {
        match line {
            TableLine::Refused(line) => rendering.refused(&line)?,
            TableLine::Query(query) => {
                let files = copying.query(&query)?;
                rendering.query(&query, &files)?;
            }
        }
    }
    let summary = rendering.summary;
    disk.sync().map_err(Error::disk("sync", output.folder()))?;
    tables::publish(disk, &Table::ALL)?;
    Ok(summary)
}

fn refuse_occupied(disk: &dyn Disk, output: &CsvTree) -> Result<(), Error> {
    let folder = output.folder();
    let mut occupied = None;
    let mut found = |path: &str| occupied = Some(path.to_owned());
    disk.walk(folder, &mut found).map_err(Error::disk("list", folder))?;
    for table in Table::ALL {
        let there = disk.size(table.path()).map_err(Error::disk("look at", table.path()))?;
        occupied = occupied.or_else(|| there.map(|_| table.path().to_owned()));
    }
    occupied.map_or(Ok(()), |path| Err(Error::Occupied { path }))
}

struct Copying<'a> {
    archive: &'a Archive,
    disk: &'a dyn Disk,
    output: &'a CsvTree,
    numbers: StagedNumbers,
    /// By folded path, files whose name may be another's where names differ by neither case nor Unicode form: what the
    /// ledger's index does for the archive's own directory.
    claims: HashMap<String, Claim>,
}

impl Copying<'_> {
    fn query(&mut self, query: &Registered) -> Result<Vec<SeriesFile>, Error> {
        let grants = self.archive.grants(query.id)?;
        let staging = Staging::new(self.disk, &mut self.numbers);
        let made = stage(self.archive, query, &grants, self.output, staging)?;
        let mut files = Vec::with_capacity(made.len());
        for MadeFile { staged, file } in made {
            self.claim(&file.path, query)?;
            self.disk.publish(staged, &file.path).map_err(Error::disk("publish", &file.path))?;
            files.push(file);
        }
        Ok(files)
    }

    /// Refuses a path that an earlier file has, or would have on another file system.
    fn claim(&mut self, path: &str, query: &Registered) -> Result<(), Error> {
        let own = Claim { path: path.to_owned(), of: query.text.written.clone() };
        if may_have_twins(path)
            && let Some(other) = self.claims.insert(folded(path).into_owned(), own.clone())
        {
            return Err(Error::one_file(own, other));
        }
        // The place was empty: a file that is there was made for a query before.
        if self.disk.size(path).map_err(Error::disk("look at", path))?.is_none() {
            return Ok(());
        }
        let other = Claim { of: "one before it".to_owned(), ..own.clone() };
        Err(Error::one_file(own, other))
    }
}
