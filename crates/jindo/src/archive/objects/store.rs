//! The door to the object store: whole files by name, written once. Local today; S3, Azure and GCS are the same trait.
//!
//! On this machine's disk every file, and each folder on the way to it, is looked at first: the store follows links, we do not.
//! Every call runs on a runtime that the store owns, since stores in a cloud wait with its timers before they try again. The
//! caller waits for it, also within a task of another runtime.

use super::footer::place;
use crate::archive::disk::{FOLDERS_OF_OBJECTS, Listed, list_data};
use crate::archive::{Cause, Error};
use crate::path_guard::{PathKind, look};
use bytes::Bytes;
use futures::StreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{
    Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload,
};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use tokio::runtime::{Builder, Handle, Runtime};

/// Bytes of the largest object that is read. The rows of an answer of 64 MiB take less than it does, and so does the footer; more is
/// not ours.
const OBJECT_BYTES_MAX: u64 = 160 << 20;

/// The files of an archive: objects below `data/` and `probes/`, by the names that `place` knows, and `request.json` beside.
#[derive(Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Their folder on this machine's disk, on which links are refused: the store would follow them.
    root: Option<PathBuf>,
    /// Timers and connections of the store's calls; one thread at a time drives it.
    runtime: Option<Runtime>,
}

/// Without waiting, which a task of another runtime must not.
impl Drop for Objects {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Objects {
    /// Below `root`, which must exist. What is written is on the disk, with its name, before a call returns.
    pub fn local(root: &Path) -> Result<Self, Error> {
        let store = LocalFileSystem::new_with_prefix(root)
            .map_err(|source| failed("opening", &root.to_string_lossy(), source))?;
        let mut objects = Self::over(Arc::new(store.with_fsync(true)))?;
        objects.root = Some(root.to_owned());
        Ok(objects)
    }

    /// In any store; its root is the archive's.
    pub fn over(store: Arc<dyn ObjectStore>) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|source| failed("opening", "the folder of the archive", source))?;
        Ok(Self { store, root: None, runtime: Some(runtime) })
    }

    /// Writes the object whole, unless one of this name is there: its bytes.
    pub(in crate::archive) fn publish(
        &self,
        name: &str,
        bytes: Bytes,
    ) -> Result<Option<Bytes>, Error> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let location = self.data(name)?;
        match self.run(self.store.put_opts(&location, PutPayload::from(bytes), options)) {
            Ok(_) => Ok(None),
            Err(StoreError::AlreadyExists { .. }) => Ok(Some(self.read(name)?.unwrap_or_default())),
            Err(source) => Err(failed("publishing", name, source)),
        }
    }

    /// The whole object; `None` where there is none.
    pub(in crate::archive) fn read(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.get(&place(name), name, OBJECT_BYTES_MAX)
    }

    /// Removes the object; that it is gone already is fine.
    pub(in crate::archive) fn remove(&self, name: &str) -> Result<(), Error> {
        match self.run(self.store.delete(&self.data(name)?)) {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed("removing", name, source)),
        }
    }

    /// Everything below the folders of objects; on this machine's disk without following anything.
    pub(in crate::archive) fn list(&self) -> Result<Listed, Error> {
        if let Some(root) = &self.root {
            let mut listed = list_data(root)?;
            let nameless = listed.files.extract_if(.., |name| Location::parse(name).is_err());
            listed
                .foreign
                .extend(nameless.map(|name| (name, "a name that no file of the archive has")));
            return Ok(listed);
        }
        self.run(async {
            let mut listed = Listed::default();
            for folder in FOLDERS_OF_OBJECTS {
                let mut found = self.store.list(Some(&Location::from(folder)));
                while let Some(file) = found.next().await {
                    let file = file.map_err(|source| failed("listing", folder, source))?;
                    let path = file.location.as_ref();
                    listed.files.push(path.strip_prefix("data/").unwrap_or(path).to_owned());
                }
            }
            listed.files.sort_unstable();
            Ok(listed)
        })
    }

    /// A small file beside the ledger, replaced whole.
    pub(in crate::archive) fn write_beside(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.run(self.store.put(&self.own(name)?, PutPayload::from(bytes)))
            .map(drop)
            .map_err(|source| failed("writing", name, source))
    }

    /// `None` where there is none; refused beyond so many bytes.
    pub(in crate::archive) fn read_beside(
        &self,
        name: &str,
        bytes_max: u64,
    ) -> Result<Option<Bytes>, Error> {
        self.get(name, name, bytes_max)
    }

    /// Drives a call to its end. A task of another runtime must not drive this one: there a thread of its own does.
    fn run<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        let runtime = self.runtime.as_ref().expect("it is there until it is dropped");
        if Handle::try_current().is_err() {
            return runtime.block_on(call);
        }
        thread::scope(|scope| {
            let done = scope.spawn(|| runtime.block_on(call)).join();
            done.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    fn data(&self, name: &str) -> Result<Location, Error> {
        self.own(&place(name))
    }

    /// The place of a file, to which nothing foreign leads, and where nothing foreign lies.
    fn own(&self, path: &str) -> Result<Location, Error> {
        let location = Location::parse(path).map_err(|source| failed("naming", path, source))?;
        if let Some(root) = &self.root {
            look(root, path, PathKind::File)?;
        }
        Ok(location)
    }

    fn get(&self, path: &str, name: &str, bytes_max: u64) -> Result<Option<Bytes>, Error> {
        let location = self.own(path)?;
        let read = async {
            let found = self.store.get_opts(&location, GetOptions::default()).await?;
            let size = found.meta.size;
            if size > bytes_max {
                return Ok(Err(size));
            }
            found.bytes().await.map(Ok)
        };
        match self.run(read) {
            Ok(Ok(bytes)) => Ok(Some(bytes)),
            Ok(Err(size)) => Err(Error::ObjectDamaged {
                name: name.to_owned(),
                why: format!("it has {size} bytes, more than are read ({bytes_max})"),
            }),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed("reading", name, source)),
        }
    }
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
