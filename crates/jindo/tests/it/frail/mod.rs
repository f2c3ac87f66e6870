//! A ledger and an object store that fail on command, and when. Shared by the simulation and by the archive's own tests.

pub(crate) mod fuse;
pub(crate) mod ledger;
pub(crate) mod store;
