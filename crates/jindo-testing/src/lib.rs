//! A ledger and an object store that fail on command, for tests. A [`Fuse`] says when; what was written outlives the failure.
//! And the count of hostile attempts ([`all_held`]).

mod attempts;
mod fuse;
mod ledger;
mod store;

pub use attempts::all_held;
pub use fuse::{Dead, Doom, Fuse};
pub use ledger::FaultyLedger;
pub use store::FaultyStore;
