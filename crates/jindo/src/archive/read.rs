//! Out of the archive: the rows that an object holds of a query, in (series, time) order.

use super::objects::{Chunk, Encoded, NOT_AS_WRITTEN, is_as_recorded};
use super::{Archive, Error, Object, ObjectId, QueryId};
use std::sync::{Arc, PoisonError};

impl Archive {
    /// Pushes what `object` holds of `query`, all of it: the caller takes only the window that coverage grants.
    ///
    /// Memory: one row group of 128k rows, and a bounded number of bytes of undecoded objects. [`Error::ObjectGone`] when a newer
    /// object took over since the coverage was read; [`Error::ObjectDamaged`] when the file is not what was written,
    /// [`Error::ObjectContradicted`] when the ledger tells something else of it.
    pub fn rows<E: From<Error>>(
        &self,
        object: ObjectId,
        query: QueryId,
        sink: &mut dyn FnMut(Chunk<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let object = self.ledger().object(object)?.ok_or(Error::ObjectGone { object })?;
        let position = object.record.queries.iter().position(|held| *held == query);
        let position = position.ok_or(Error::UnknownQuery { query })?;
        let damaged = |why| E::from(Error::ObjectDamaged { name: object.record.name.clone(), why });
        self.encoded(&object)?.rows(position, &damaged, sink)
    }

    /// Reads an object, unless it was read lately. Its bytes are hashed once. What it is made of is checked once in a process:
    /// afterwards its hash proves that it is the same.
    pub(super) fn encoded(&self, Object { id, record }: &Object) -> Result<Arc<Encoded>, Error> {
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, encoded)) = cache().held.iter().find(|(held, _)| held == id) {
            return Ok(Arc::clone(encoded));
        }
        let damaged = |why: String| Error::ObjectDamaged { name: record.name.clone(), why };
        let Some(bytes) = self.objects.read(&record.name)? else {
            return match self.ledger().object(*id)? {
                Some(_) => Err(damaged("its file is gone".into())),
                None => Err(Error::ObjectGone { object: *id }),
            };
        };
        let is_checked = cache().checked.contains(id);
        let parsed = if is_checked {
            Encoded::parse_checked(&bytes, &record.sha256)
        } else {
            Encoded::parse(&bytes)
        };
        let encoded = Arc::new(parsed.map_err(damaged)?);
        if encoded.sha256 != record.sha256 {
            return Err(damaged(NOT_AS_WRITTEN.into()));
        }
        if !is_as_recorded(self.ledger(), record, &encoded.footer)? {
            return Err(Error::ObjectContradicted { name: record.name.clone() });
        }
        cache().put(*id, Arc::clone(&encoded));
        Ok(encoded)
    }
}
