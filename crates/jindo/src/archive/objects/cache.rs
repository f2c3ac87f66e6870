//! Objects that were read lately, checked and parsed. Bounded in bytes.

use super::Encoded;
use crate::archive::ObjectId;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Bytes of files held: the objects of one group of queries over months, a small part of the memory promised.
const CACHE_BYTES_MAX: u64 = 16 << 20;

/// Objects that were read lately, checked and parsed, so that queries of one object do not read and hash it again and again.
/// Objects never change, so nothing in here can be stale.
#[derive(Default)]
pub(in crate::archive) struct ReadCache {
    /// The longest held first.
    held: VecDeque<(ObjectId, Arc<Encoded>)>,
    bytes: u64,
    /// All that were ever held: none is checked twice.
    pub(in crate::archive) checked: HashSet<ObjectId>,
}

impl fmt::Debug for ReadCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCache").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl ReadCache {
    pub(in crate::archive) fn get(&self, object: ObjectId) -> Option<Arc<Encoded>> {
        let (_, encoded) = self.held.iter().find(|(held, _)| *held == object)?;
        Some(Arc::clone(encoded))
    }

    /// Holds an object, and lets go of those held longest where there is no room.
    pub(in crate::archive) fn put(&mut self, object: ObjectId, encoded: Arc<Encoded>) {
        self.checked.insert(object);
        self.bytes += encoded.bytes;
        self.held.push_back((object, encoded));
        while self.bytes > CACHE_BYTES_MAX {
            let Some((_, gone)) = self.held.pop_front() else { return };
            self.bytes -= gone.bytes;
        }
    }
}
