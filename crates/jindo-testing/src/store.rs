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

impl FaultyStore {
    /// An object that is created may be there by half; a small file is replaced whole or not at all.
    async fn put(
        &self,
        location: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
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
    }
}

impl ObjectStore for FaultyStore {
    fn put_opts<'s, 'l, 'f>(
        &'s self,
        location: &'l Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'f, Result<PutResult>>
    where
        's: 'f,
        'l: 'f,
    {
        Box::pin(self.put(location, payload, options))
    }

    fn put_multipart_opts<'s, 'l, 'f>(
        &'s self,
        location: &'l Location,
        options: PutMultipartOptions,
    ) -> BoxFuture<'f, Result<Box<dyn MultipartUpload>>>
    where
        's: 'f,
        'l: 'f,
    {
        self.kept.put_multipart_opts(location, options)
    }

    fn get_opts<'s, 'l, 'f>(
        &'s self,
        location: &'l Location,
        options: GetOptions,
    ) -> BoxFuture<'f, Result<GetResult>>
    where
        's: 'f,
        'l: 'f,
    {
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

    fn list_with_delimiter<'s, 'l, 'f>(
        &'s self,
        prefix: Option<&'l Location>,
    ) -> BoxFuture<'f, Result<ListResult>>
    where
        's: 'f,
        'l: 'f,
    {
        self.kept.list_with_delimiter(prefix)
    }

    fn copy_opts<'s, 'a, 'b, 'f>(
        &'s self,
        from: &'a Location,
        to: &'b Location,
        options: CopyOptions,
    ) -> BoxFuture<'f, Result<()>>
    where
        's: 'f,
        'a: 'f,
        'b: 'f,
    {
        self.kept.copy_opts(from, to, options)
    }
}
