//! Files that the directory shows now, and will not show once a request is carried out. Nothing leaves the archive.

use super::resolve::ResolvedRequest;
use crate::archive::Archive;
use crate::extract::CsvTree;
use crate::job::error::Error;
use crate::plan::Window;
use std::collections::HashMap;

/// Numbers of the files that go away or get shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leaving {
    /// Queries whose files go away: the list does not name them, or not at this interval.
    pub queries: u64,
    /// Files of these queries.
    pub files: u64,
    /// Queries of the list with rows outside the range.
    pub shortened: u64,
}

impl Leaving {
    /// Compares the files on the disk, as the ledger records them, with what is asked.
    pub(super) fn of(archive: &Archive, request: &ResolvedRequest) -> Result<Self, Error> {
        let (ids, wanted) = (archive.travelling()?, request.wanted());
        let mut asked = HashMap::new();
        for query in &request.list.queries {
            let text = &query.text;
            if let Some((id, _)) = ids.get(&(text.sent.clone(), text.interval)) {
                asked.insert(*id, wanted.of(text.interval));
            }
        }
        let mut leaving = Self::default();
        for extent in archive.ledger().extents(CsvTree::NAME)? {
            let holds =
                |range: &Window| range.contains(extent.first) && range.contains(extent.last);
            match asked.get(&extent.query) {
                None => {
                    leaving.queries += 1;
                    leaving.files += extent.files;
                }
                Some(range) => {
                    leaving.shortened += u64::from(!range.is_some_and(|range| holds(&range)));
                }
            }
        }
        Ok(leaving)
    }
}
