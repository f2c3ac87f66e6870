//! Questions that stand alone, such as the metadata of metrics: each is one call, and the answers come in any order.

mod driver;
mod machine;

pub use driver::{LookupDoors, drive_lookups};
pub use machine::{LookupAction, LookupEvent, LookupFailure, Lookups};
