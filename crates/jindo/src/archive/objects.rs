//! The door to the object store: whole files by name, written once. Local today; S3, Azure and GCS are the same trait.
//!
//! Works with or without a runtime around it: the futures are driven to their end on the calling thread.

use super::{Cause, Error};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::executor::block_on;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{
    Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload,
};
use std::path::Path;
use std::sync::Arc;

/// Where objects lie, below the archive's root.
const DATA: &str = "data";
/// Where damaged objects are moved, below the archive's root.
const DAMAGED: &str = "damaged";
/// Bytes of the largest file that is read. An answer of 64 MiB is an object of less; more is not ours.
const OBJECT_BYTES_MAX: u64 = 256 << 20;
/// Names tried for a damaged object before it is left where it is: as many were set aside under its name already.
const ASIDE_TRIES_MAX: u32 = 1000;

/// Whether a create-only write found its name free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    Now,
    /// An earlier attempt did.
    Before,
}

/// The files of an archive: objects below `data/`, by names that begin there, and `request.json` beside.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
}

impl Objects {
    /// Below `root`, which must exist. What is written is on the disk, with its name, before a call returns.
    pub fn local(root: &Path) -> Result<Self, Error> {
        let store = LocalFileSystem::new_with_prefix(root)
            .map_err(|source| failed("opening", &root.to_string_lossy(), source))?;
        Ok(Self::over(Arc::new(store.with_fsync(true))))
    }

    /// In any store; its root is the archive's.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Writes the object whole, or finds that it is there.
    pub(super) fn publish(&self, name: &str, bytes: Bytes) -> Result<Published, Error> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let location = data(name)?;
        match block_on(self.store.put_opts(&location, PutPayload::from(bytes), options)) {
            Ok(_) => Ok(Published::Now),
            Err(StoreError::AlreadyExists { .. }) => Ok(Published::Before),
            Err(source) => Err(failed("publishing", name, source)),
        }
    }

    /// The whole object; `None` where there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.get(&data(name)?, name)
    }

    /// Removes the object; that it is gone already is fine.
    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        match block_on(self.store.delete(&data(name)?)) {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed("removing", name, source)),
        }
    }

    /// Whether there is any object at all.
    pub(super) fn any(&self) -> Result<bool, Error> {
        let first = block_on(self.store.list(Some(&Location::from(DATA))).next());
        first
            .transpose()
            .map(|found| found.is_some())
            .map_err(|source| failed("listing", DATA, source))
    }

    /// Names of every file below `data/`, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, Error> {
        block_on(async {
            let mut names = Vec::new();
            let mut listed = self.store.list(Some(&Location::from(DATA)));
            while let Some(found) = listed.next().await {
                let location = found.map_err(|source| failed("listing", DATA, source))?.location;
                let name = location.as_ref().strip_prefix("data/").unwrap_or(location.as_ref());
                names.push(name.to_owned());
            }
            names.sort_unstable();
            Ok(names)
        })
    }

    /// Moves the object below `damaged/`, never over another; its new name below the archive's root.
    pub(super) fn set_aside(&self, name: &str) -> Result<String, Error> {
        let from = data(name)?;
        for attempt in 0..ASIDE_TRIES_MAX {
            let suffix = if attempt == 0 { String::new() } else { format!(".{attempt}") };
            let aside = format!("{DAMAGED}/{name}{suffix}");
            let to = parsed(&aside)?;
            match block_on(self.store.rename_if_not_exists(&from, &to)) {
                Ok(()) => return Ok(aside),
                Err(StoreError::AlreadyExists { .. }) => {}
                Err(source) => return Err(failed("setting aside", name, source)),
            }
        }
        Err(failed("setting aside", name, "its name is taken a thousand times"))
    }

    /// A small file beside the ledger, replaced whole.
    pub(super) fn write_beside(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        block_on(self.store.put(&parsed(name)?, PutPayload::from(bytes)))
            .map(|_| ())
            .map_err(|source| failed("writing", name, source))
    }

    /// `None` where there is none.
    pub(super) fn read_beside(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.get(&parsed(name)?, name)
    }

    fn get(&self, location: &Location, name: &str) -> Result<Option<Bytes>, Error> {
        let read = async {
            let found = self.store.get_opts(location, GetOptions::default()).await?;
            let size = found.meta.size;
            if size > OBJECT_BYTES_MAX {
                return Ok(Err(size));
            }
            found.bytes().await.map(Ok)
        };
        match block_on(read) {
            Ok(Ok(bytes)) => Ok(Some(bytes)),
            Ok(Err(size)) => Err(Error::ObjectDamaged {
                name: name.to_owned(),
                why: format!("{size} bytes are more than an object has ({OBJECT_BYTES_MAX})"),
            }),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed("reading", name, source)),
        }
    }
}

fn data(name: &str) -> Result<Location, Error> {
    parsed(&format!("{DATA}/{name}"))
}

fn parsed(path: &str) -> Result<Location, Error> {
    Location::parse(path).map_err(|source| failed("naming", path, source))
}

fn failed(doing: &'static str, name: &str, source: impl Into<Cause>) -> Error {
    Error::Objects { doing, name: name.to_owned(), source: bare(source.into()) }
}

/// The system's own error, where there is one below: the store repeats it in each of its layers.
fn bare(source: Cause) -> Cause {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*source);
    while let Some(error) = cause {
        let system = error.downcast_ref::<std::io::Error>();
        if let Some(code) = system.and_then(std::io::Error::raw_os_error) {
            return Box::new(std::io::Error::from_raw_os_error(code));
        }
        cause = error.source();
    }
    source
}
