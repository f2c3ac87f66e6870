//! A ledger and an object store that fail on command, for tests. A [`Fuse`] says when; what was written outlives the failure.
//! The count of hostile attempts ([`all_held`]), and objects as somebody else might write them ([`ForgedObject`]).

mod attempts;
mod forge;
mod fuse;
mod ledger;
mod store;

pub use attempts::all_held;
pub use forge::{ForgedObject, ForgedRow};
pub use fuse::{Dead, Doom, Fuse};
pub use ledger::FaultyLedger;
pub use store::FaultyStore;
