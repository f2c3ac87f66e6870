//! Objects that were read lately, checked and parsed, so that queries of one object do not read and hash it again and again.
//! Bounded in bytes; objects never change, so nothing in here can be stale.

use super::Encoded;
use crate::archive::ObjectId;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Bytes of files held: the objects of one group of queries over months, a small part of the memory promised.
const CACHE_BYTES_MAX: u64 = 16 << 20;

#[derive(Default)]
pub(in crate::archive) struct ObjectCache {
    objects: HashMap<ObjectId, (u64, Arc<Encoded>)>,
    /// Objects by their last use, counted in uses.
    by_use: BTreeMap<u64, ObjectId>,
    uses: u64,
    bytes: u64,
    /// All that were ever put here: objects never change, so none is checked twice.
    checked: HashSet<ObjectId>,
}

impl ObjectCache {
    pub(in crate::archive) fn get(&mut self, object: ObjectId) -> Option<Arc<Encoded>> {
        let (last_use, encoded) = self.objects.get_mut(&object)?;
        self.by_use.remove(last_use);
        self.uses += 1;
        *last_use = self.uses;
        self.by_use.insert(self.uses, object);
        Some(Arc::clone(encoded))
    }

    /// Returns true if the object was put here before, even if it is held no more.
    pub(in crate::archive) fn is_checked(&self, object: ObjectId) -> bool {
        self.checked.contains(&object)
    }

    /// Holds an object, and lets go of those used longest ago where there is no room.
    pub(in crate::archive) fn put(&mut self, object: ObjectId, encoded: Arc<Encoded>) {
        self.checked.insert(object);
        if self.objects.contains_key(&object) || encoded.bytes > CACHE_BYTES_MAX {
            return;
        }
        self.bytes += encoded.bytes;
        self.uses += 1;
        self.by_use.insert(self.uses, object);
        self.objects.insert(object, (self.uses, encoded));
        while self.bytes > CACHE_BYTES_MAX {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            if let Some((_, gone)) = self.objects.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }
}
