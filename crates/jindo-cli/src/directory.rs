//! Directory of an export: opens it for reading, reads what it remembers of its last request, and names this process in its lock.

use crate::args::RequestArgs;
use crate::defaults::OUT;
use crate::keys::address::KnownAddress;
use crate::render::errors::Usage;
use crate::request::{RequestNotes, TypedRequest};
use jindo::archive::{Archive, ArchiveId, ArchiveWriter, Error, Holder};
use jindo::clock::{Clock, entropy};
use std::path::Path;

/// Settings that a directory keeps for its next request. It may come from somebody else, and so may they.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The last request; `None` before the first.
    pub(crate) request: Option<TypedRequest>,
    /// Site of the organisation that its data is of; `None` before the first contact.
    pub(crate) site: Option<String>,
    /// Reason for which there is a last request and it cannot be read.
    pub(crate) unreadable: Option<String>,
}

impl Memory {
    /// Reads the memory of an archive. A last request that is damaged stops only what repeats it: see [`Memory::last`].
    pub(crate) fn of(archive: &Archive) -> anyhow::Result<Self> {
        let site = archive.site()?;
        let last = match archive.ledger().request() {
            Ok(last) => last.map(|request| TypedRequest::of_directory(&request)).transpose(),
            Err(damaged @ Error::LedgerDamaged { .. }) => Err(damaged.into()),
            Err(error) => return Err(error.into()),
        };
        Ok(match last {
            Ok(request) => Self { request, site, unreadable: None },
            Err(why) => {
                let why = Some(jindo::text::with_causes(&*why));
                Self { request: None, site, unreadable: why }
            }
        })
    }

    /// Returns the last request for one that takes from it what it does not give. Fails where it is damaged and cannot be done without.
    pub(crate) fn last(&self, wanted: &RequestArgs) -> Result<Option<&TypedRequest>, Usage> {
        let is_ranged = wanted.from.is_some() || wanted.rolling.is_some();
        match &self.unreadable {
            Some(why) if wanted.queries.is_none() || !is_ranged => Err(Usage::new(why.clone()).hint(
                "what was fetched is kept; give a list and a range, and the settings that are to differ from their defaults: \
                 jindo export queries.txt --from 2021-12-12 --resolution 5m",
            )),
            _ => Ok(self.request.as_ref()),
        }
    }

    /// Returns the notes of a plan for these words.
    pub(crate) fn notes(&self, words: &TypedRequest, wanted: &RequestArgs) -> RequestNotes {
        let mut notes = words.notes(wanted, self.request.as_ref());
        if let Some(why) = &self.unreadable {
            notes.nothing_is_carried_over(why);
        }
        notes
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

/// Refuses a command without DIR where the default is not there: `command` is its name.
pub(crate) fn check_default(given: Option<&Path>, command: &str) -> Result<(), Usage> {
    if given.is_some() || Path::new(OUT).exists() {
        return Ok(());
    }
    Err(Usage::new(format!("no directory is named, and {OUT} is not there"))
        .hint(format!("name the directory of an export: jindo {command} DIR")))
}

/// Returns the archive in `dir`, opened for reading; `None` if there is none.
pub(crate) fn existing(dir: &Path) -> anyhow::Result<Option<Archive>> {
    match Archive::read(dir) {
        Ok(archive) => Ok(Some(archive)),
        Err(Error::Absent { .. }) => Ok(None),
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
