//! Directory of an export: opens it for reading, reads what it remembers of its last request, and names this process in its lock.

use crate::environment::KnownAddress;
use crate::request::TypedRequest;
use jindo::archive::{Archive, ArchiveId, ArchiveWriter, Holder};
use jindo::clock::{Clock, entropy};
use std::path::Path;

/// Settings that a directory keeps for its next request. It may come from somebody else, and so may they.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The last request; `None` before the first.
    pub(crate) request: Option<TypedRequest>,
    /// Site of the organisation that its data is of; `None` before the first contact.
    pub(crate) site: Option<String>,
}

impl Memory {
    pub(crate) fn of(archive: &Archive) -> anyhow::Result<Self> {
        let last = archive.ledger().request()?;
        let request = last.map(|request| TypedRequest::of_directory(&request));
        Ok(Self { request: request.transpose()?, site: archive.site()? })
    }

    /// Returns where it was asked.
    pub(crate) fn address(&self) -> KnownAddress {
        let url = self.request.as_ref().and_then(|request| request.api_url.clone());
        KnownAddress { url, site: self.site.clone(), ..KnownAddress::default() }
    }

    /// Returns the memory of a directory, which is empty where there is no archive.
    pub(crate) fn of_directory(dir: &Path) -> anyhow::Result<Self> {
        existing(dir)?.as_ref().map_or_else(|| Ok(Self::default()), Self::of)
    }
}

/// Returns the archive in `dir`, opened for reading; `None` if there is none.
pub(crate) fn existing(dir: &Path) -> anyhow::Result<Option<Archive>> {
    match Archive::read(dir) {
        Ok(archive) => Ok(Some(archive)),
        Err(jindo::archive::Error::Absent { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns this process as it opens a directory for writing.
pub(crate) fn writer(clock: &dyn Clock) -> ArchiveWriter {
    let (pid, host) = (std::process::id(), crate::environment::machine());
    let random = (u128::from(entropy()) << 64) | u128::from(entropy());
    let holder = Holder { pid, host, since: clock.now() };
    ArchiveWriter { holder, fresh_id: ArchiveId::new(random) }
}
