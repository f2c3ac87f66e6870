//! Everything once more, into another place: `jindo extract DIR --out PATH`. Reads the archive and marks nothing in it.

use super::names::{folded, may_have_twins};
use super::publish::Disk;
use super::series::{self, Numbers, Ready};
use super::source::Source;
use super::tables::{self, Line, Rendering, Summary, Table};
use super::update::calendar;
use super::{Error, Shown};
use crate::archive::Registered;
use std::collections::HashMap;

/// Writes csv/ and the tables of the whole archive into an empty place.
///
/// There is no ledger there to remember what is ours: a place with files of its own is refused, and what a crash leaves
/// behind is the user's to remove. The tables come last: a place that has them is whole.
pub fn elsewhere(source: &impl Source, disk: &dyn Disk, shown: &Shown) -> Result<Summary, Error> {
    refuse_occupied(disk)?;
    let _turn = disk.turn().map_err(Error::disk("lock", "the directory"))?;
    disk.begin().map_err(Error::disk("empty", "the staging folder"))?;
    // The tables are staged under the first numbers, and stay staged until the end.
    let mut numbers = Numbers(Table::ALL.len() as u64);
    let mut seen = Seen::new();
    let mut sink = |table: Table, rows: &[u8]| tables::stage(disk, table, rows);
    let mut rendering = Rendering::begin(shown, &mut sink)?;
    for line in tables::lines(source)? {
        match line {
            Line::Refused(line) => rendering.refused(&line)?,
            Line::Query(query) => {
                let files: Vec<_> =
                    publish(source, disk, &query, (shown, &mut seen), &mut numbers)?
                        .into_iter()
                        .map(|ready| ready.file)
                        .collect();
                rendering.query(source, &query, &files)?;
            }
        }
    }
    let summary = rendering.summary;
    disk.sync().map_err(Error::disk("sync", "csv"))?;
    tables::publish(disk, &Table::ALL)?;
    Ok(summary)
}

fn refuse_occupied(disk: &dyn Disk) -> Result<(), Error> {
    let mut occupied = None;
    disk.walk(&mut |path| occupied = Some(path.to_owned())).map_err(Error::disk("list", "csv"))?;
    for table in Table::ALL {
        let there = disk.size(table.path()).map_err(Error::disk("look at", table.path()))?;
        occupied = occupied.or_else(|| there.map(|_| table.path().to_owned()));
    }
    occupied.map_or(Ok(()), |path| Err(Error::Occupied { path }))
}

/// Files in directories that may have twins, by their folded paths; and whose they are.
type Seen = HashMap<String, (String, String)>;

fn publish(
    source: &impl Source,
    disk: &dyn Disk,
    query: &Registered,
    (shown, seen): (&Shown, &mut Seen),
    numbers: &mut Numbers,
) -> Result<Vec<Ready>, Error> {
    let grants = source.grants(query.id).map_err(Error::Archive)?;
    let calendar = calendar(query, &grants, shown);
    let ready = series::stage(source, disk, query, (&grants, &calendar, shown), numbers)?;
    let directory = (shown.names.directory)(&query.text.sent, query.text.interval);
    for Ready { staged, file } in &ready {
        if may_have_twins(&directory) {
            let own = (file.path.clone(), query.text.written.clone());
            if let Some((twin, other)) = seen.insert(folded(&file.path).into_owned(), own) {
                return Err(Error::one_file(
                    (&file.path, query.text.written.clone()),
                    (&twin, other),
                ));
            }
        }
        // The place was empty: a file that is there was made for a query before.
        let taken = disk.size(&file.path).map_err(Error::disk("look at", &file.path))?;
        if taken.is_some() {
            let (query, other) = (query.text.written.clone(), "one before it".to_owned());
            return Err(Error::Collision { path: file.path.clone(), query, other });
        }
        disk.publish(*staged, &file.path).map_err(Error::disk("publish", &file.path))?;
    }
    Ok(ready)
}
