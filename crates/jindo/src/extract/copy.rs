//! Any part of the archive into another place: `jindo extract DIR --out PATH`. Reads the archive and marks nothing in it.

mod check;

pub use check::{CopyFault, CopyFinding, CopyReport, check_copy, is_copy};

use super::csv_tree::may_have_twins;
use super::selection::{Selection, ShownQuery, View};
use super::staging::with_staging;
use super::stream::stage;
use super::tables::{Rendering, StagedTables, Summary, Table};
use super::{CsvTree, Disk, Error, MadeFile, Output as _, Place, Staging};
use crate::archive::{Archive, SeriesFile};
use crate::case_fold::folded;
use std::collections::HashMap;

/// Writes csv/ and the tables of a part of the archive into an empty place.
///
/// There is no ledger there to record which files are ours: a place with files of its own is refused, and what a crash leaves
/// behind is the user's to remove. The tables come last: a place that has them is whole.
///
/// # Errors
/// See [`Error`]; [`Error::Occupied`] before anything is written.
pub fn copy(
    archive: &Archive,
    disk: &dyn Disk,
    output: &CsvTree,
    selection: &Selection,
) -> Result<Summary, Error> {
    refuse_occupied(disk, output)?;
    with_staging(disk, || {
        // The tables are staged under the first numbers, and stay staged until the end.
        let (mut table_number, number) = (0, Table::ALL.len() as u64);
        let mut tables = StagedTables::new(disk, &mut table_number);
        let mut copying = Copying { archive, disk, output, number, claims: HashMap::new() };
        let view = View::of(selection, archive)?;
        let summary = Rendering::of(archive, view, &output.display.timezone)?
            .render(&mut |shown| copying.query(shown), &mut |table, rows| {
                tables.append(table, rows)
            })?;
        disk.sync().map_err(Error::disk("sync", output.folder()))?;
        tables.publish(&Table::ALL)?;
        Ok(summary)
    })
}

/// Refuses a place without a ledger in which a table, or anything below the output's folder, lies already: nothing says that it is
/// jindo's own.
///
/// # Errors
/// [`Error::Occupied`]; [`Error::Disk`] if the place cannot be looked at.
pub fn refuse_occupied(disk: &dyn Disk, output: &CsvTree) -> Result<(), Error> {
    let folder = output.folder();
    let places = Table::ALL.map(|table| (table.path(), Place::OfFile));
    for (path, place) in places.into_iter().chain([(folder, Place::OfFolder)]) {
        if disk.is_taken(path, place).map_err(Error::disk("look at", path))? {
            return Err(Error::Occupied { path: path.to_owned() });
        }
    }
    let below = disk.walk(folder).map_err(Error::disk("list", folder))?;
    below.into_iter().min().map_or(Ok(()), |path| Err(Error::Occupied { path }))
}

struct Copying<'a> {
    archive: &'a Archive,
    disk: &'a dyn Disk,
    output: &'a CsvTree,
    /// Of the next staged file.
    number: u64,
    /// Paths and queries, by folded path, of files whose name may be another's where names differ by neither case nor Unicode form: what the
    /// ledger's index does for the archive's own directory.
    claims: HashMap<String, [String; 2]>,
}

impl Copying<'_> {
    fn query(&mut self, shown: &ShownQuery) -> Result<Vec<SeriesFile>, Error> {
        let staging = Staging::new(self.disk, &mut self.number);
        let made = stage(self.archive, shown, self.output, staging)?;
        let mut files = Vec::with_capacity(made.len());
        for MadeFile { staged, file } in made {
            self.claim(&file.path, &shown.query.text.written)?;
            self.disk.publish(staged, &file.path).map_err(Error::disk("publish", &file.path))?;
            files.push(file);
        }
        Ok(files)
    }

    /// Refuses a path that an earlier file has, or would have on another file system.
    fn claim(&mut self, path: &str, of: &str) -> Result<(), Error> {
        let own = [path, of].map(str::to_owned);
        if may_have_twins(path)
            && let Some(other) = self.claims.insert(folded(path), own.clone())
        {
            return Err(Error::one_file(own, other));
        }
        // The place was empty: a file that is there was made for a query before.
        if self.disk.size(path).map_err(Error::disk("look at", path))?.is_none() {
            return Ok(());
        }
        Err(Error::one_file(own, [path, "one before it"].map(str::to_owned)))
    }
}
