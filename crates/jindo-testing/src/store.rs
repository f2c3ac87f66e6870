//! An object store that may fail before, within and after every write. What it wrote outlives it.

use crate::fuse::{Dead, Fuse};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::sync::Arc;

/// One process' handle of the store.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    pub kept: Arc<InMemory>,
    pub fuse: Fuse,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a faulty store")
    }
}

fn dead(dead: Dead) -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: Box::new(dead) }
}

impl ObjectStore for FaultyStore {
    /// An object that is created may be there by half; a small file is replaced whole or not at all.
    fn put_opts<'s: 'f, 'l: 'f, 'f>(
        &'s self,
        location: &'l Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'f, Result<PutResult>> {
        Box::pin(async move {
            self.fuse.burn().map_err(dead)?;
            if let Err(fatal) = self.fuse.burn() {
                if matches!(options.mode, PutMode::Create) {
                    let whole = bytes::Bytes::from(payload);
                    let half = PutPayload::from(whole.slice(..whole.len() / 2));
                    self.kept.put_opts(location, half, options).await?;
                }
                return Err(dead(fatal));
            }
            let put = self.kept.put_opts(location, payload, options).await?;
            self.fuse.burn().map_err(dead)?;
            Ok(put)
        })
    }

    fn put_multipart_opts<'s: 'f, 'l: 'f, 'f>(
        &'s self,
        location: &'l Location,
        options: PutMultipartOptions,
    ) -> BoxFuture<'f, Result<Box<dyn MultipartUpload>>> {
        self.kept.put_multipart_opts(location, options)
    }

    fn get_opts<'s: 'f, 'l: 'f, 'f>(
        &'s self,
        location: &'l Location,
        options: GetOptions,
    ) -> BoxFuture<'f, Result<GetResult>> {
        Box::pin(async move {
            self.fuse.alive().map_err(dead)?;
            self.kept.get_opts(location, options).await
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        if let Err(fatal) = self.fuse.burn() {
            return Box::pin(futures::stream::iter([Err(dead(fatal))]));
        }
        let fuse = self.fuse.clone();
        let gone = self.kept.delete_stream(locations);
        Box::pin(gone.map(move |gone| fuse.burn().map_err(dead).and(gone)))
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.kept.list(prefix)
    }

    fn list_with_delimiter<'s: 'f, 'l: 'f, 'f>(
        &'s self,
        prefix: Option<&'l Location>,
    ) -> BoxFuture<'f, Result<ListResult>> {
        self.kept.list_with_delimiter(prefix)
    }

    fn copy_opts<'s: 'f, 'a: 'f, 'b: 'f, 'f>(
        &'s self,
        from: &'a Location,
        to: &'b Location,
        options: CopyOptions,
    ) -> BoxFuture<'f, Result<()>> {
        self.kept.copy_opts(from, to, options)
    }
}
