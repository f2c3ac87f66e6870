//! Objects that were read lately, checked and parsed, so that queries of one object do not read and hash it again and again.
//! Bounded in bytes; objects never change, so nothing in here can be stale.

use super::ObjectId;
use super::codec::Encoded;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Bytes of files held: the objects of one group of queries over months, a small part of the memory promised.
const HELD_BYTES_MAX: u64 = 16 << 20;

#[derive(Default)]
pub(super) struct Held {
    objects: HashMap<ObjectId, (u64, Arc<Encoded>)>,
    /// When each was last used, as a count of uses.
    by_use: BTreeMap<u64, ObjectId>,
    uses: u64,
    bytes: u64,
}

impl Held {
    pub(super) fn get(&mut self, object: ObjectId) -> Option<Arc<Encoded>> {
        let (last_use, encoded) = self.objects.get_mut(&object)?;
        self.by_use.remove(last_use);
        self.uses += 1;
        *last_use = self.uses;
        self.by_use.insert(self.uses, object);
        Some(Arc::clone(encoded))
    }

    /// Holds an object, and lets go of those used longest ago where there is no room.
    pub(super) fn put(&mut self, object: ObjectId, encoded: Arc<Encoded>) {
        if self.objects.contains_key(&object) || encoded.bytes > HELD_BYTES_MAX {
            return;
        }
        self.bytes += encoded.bytes;
        self.uses += 1;
        self.by_use.insert(self.uses, object);
        self.objects.insert(object, (self.uses, encoded));
        while self.bytes > HELD_BYTES_MAX {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            if let Some((_, gone)) = self.objects.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }
}
