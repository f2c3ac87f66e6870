//! Bytes that files will take, reckoned from what the ledger tells of objects, before anything is written: rows of equal values take
//! next to nothing in an object.

use super::selection::{Selection, ShownQuery, View};
use super::update::{Looking, OutdatedQuery};
use super::{Disk, Error, Output, Which};
use crate::archive::{Archive, Object, ObjectId, Origin, QueryId, ROWS_MAX};
use std::collections::HashMap;

/// Rows of objects, each counted as far as it was granted to queries that are to be shown.
struct GrantedRows {
    objects: HashMap<ObjectId, Object>,
    /// Granted seconds of queries, by object.
    granted_s: HashMap<ObjectId, u64>,
}

impl GrantedRows {
    fn new(archive: &Archive) -> Result<Self, Error> {
        let objects = archive.ledger().objects()?.into_iter();
        let objects = objects.map(|object| (object.id, object)).collect();
        Ok(Self { objects, granted_s: HashMap::new() })
    }

    fn add(&mut self, shown: &ShownQuery) {
        for grant in shown.grants.iter().filter(|grant| grant.held.origin == Origin::Fetched) {
            let granted = self.granted_s.entry(grant.held.object).or_default();
            *granted = granted.saturating_add(grant.held.window.secs().unsigned_abs());
        }
    }

    /// Returns the number of rows. Where an object's are granted in part, they are taken to lie evenly over its queries and window.
    fn sum(&self) -> u64 {
        let rows = |(id, granted_s): (&ObjectId, &u64)| {
            let record = &self.objects.get(id)?.record;
            let queries = u128::try_from(record.queries.len()).ok()?;
            let all_s = u128::from(record.window.secs().unsigned_abs()) * queries;
            let granted_s = u128::from(*granted_s).min(all_s);
            // A ledger from elsewhere may say anything: its object is then refused, and not for want of room.
            let stated = record.rows.min(ROWS_MAX);
            let rows = (u128::from(stated) * granted_s).checked_div(all_s)?;
            u64::try_from(rows).ok()
        };
        self.granted_s.iter().filter_map(rows).fold(0, u64::saturating_add)
    }
}

/// Returns how many bytes more than now the files of `queries` take at least, once [`super::update`] has made them.
///
/// # Errors
/// Those of archive and disk.
pub fn bytes_to_make(
    archive: &Archive,
    disk: &dyn Disk,
    output: &dyn Output,
    queries: &[QueryId],
    which: Which,
) -> Result<u64, Error> {
    let (view, looking) = (View::of_directory(archive)?, Looking { archive, disk, output });
    let (mut rows, mut there) = (GrantedRows::new(archive)?, 0_u64);
    for id in queries {
        let Some(OutdatedQuery { mark, shown, .. }) = looking.at(*id, view, which)? else {
            continue;
        };
        if let Some(shown) = &shown {
            rows.add(shown);
        }
        for file in mark.into_files() {
            let size = disk.size(&file.path).map_err(Error::disk("look at", &file.path))?;
            there = there.saturating_add(size.unwrap_or(0));
        }
    }
    Ok(rows.sum().saturating_mul(output.row_bytes_min()).saturating_sub(there))
}

/// Returns how many bytes the files of a part take at least, once [`super::copy()`] has made them.
///
/// # Errors
/// Those of the archive.
pub fn bytes_to_copy(
    archive: &Archive,
    output: &dyn Output,
    selection: &Selection,
) -> Result<u64, Error> {
    let (view, mut rows) = (View::of(selection, archive)?, GrantedRows::new(archive)?);
    for query in archive.ledger().queries()? {
        view.of_query(archive, query)?.iter().for_each(|shown| rows.add(shown));
    }
    Ok(rows.sum().saturating_mul(output.row_bytes_min()))
}
