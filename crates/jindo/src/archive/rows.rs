//! Out of the archive: the rows that an object holds of a query, in (series, time) order.

use super::codec::Encoded;
use super::{Archive, Error, Object, ObjectId, QueryId};
use crate::digest::sha256;
use std::sync::{Arc, PoisonError};

/// Points of one series that follow each other; a long series comes in several.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    pub metric: &'a str,
    /// `key:value`, sorted.
    pub tags: &'a [String],
    pub unit: Option<&'a str>,
    /// Strictly ascending Unix milliseconds.
    pub ts_ms: &'a [i64],
    /// As long as `ts_ms`, bit for bit as fetched.
    pub values: &'a [f64],
}

impl Archive {
    /// Pushes what `object` holds of `query`, all of it: the caller takes only the window that coverage grants.
    ///
    /// Memory: one row group of 128k rows, and a bounded number of bytes of undecoded objects. [`Error::ObjectGone`] when a newer
    /// object took over since the coverage was read; [`Error::ObjectDamaged`] when the file is not what was written.
    pub fn rows<E: From<Error>>(
        &self,
        object: ObjectId,
        query: QueryId,
        sink: &mut dyn FnMut(Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let record = self.reading().object(object)?.ok_or(Error::ObjectGone { object })?;
        let position = record
            .record
            .queries
            .iter()
            .position(|held| *held == query)
            .ok_or(Error::UnknownQuery { query })?;
        let encoded = self.encoded(&record)?;
        let name = &record.record.name;
        let damaged = |why| E::from(Error::ObjectDamaged { name: name.clone(), why });
        encoded.rows(position, &damaged, sink)
    }

    fn encoded(&self, object: &Object) -> Result<Arc<Encoded>, Error> {
        let held = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoded) = held().get(object.id) {
            return Ok(encoded);
        }
        let name = &object.record.name;
        let damaged = |why: String| Error::ObjectDamaged { name: name.clone(), why };
        let Some(bytes) = self.objects.read(name)? else {
            return match self.reading().object(object.id)? {
                Some(_) => Err(damaged("its file is gone".into())),
                None => Err(Error::ObjectGone { object: object.id }),
            };
        };
        if sha256(&bytes) != object.record.sha256 {
            return Err(damaged("its bytes are not those that were written".into()));
        }
        let encoded = Arc::new(Encoded::parse(&bytes).map_err(damaged)?);
        if encoded.footer.queries.len() != object.record.queries.len() {
            return Err(damaged("its queries are not those of the ledger".into()));
        }
        held().put(object.id, Arc::clone(&encoded));
        Ok(encoded)
    }
}
