//! The text of a list file → its lines → queries: what editors and people do to a list, keys that stand in it, and the door to
//! the file. Pure, but for the door [`load`].

mod key_line;
mod list;
pub mod load;

pub use key_line::without_keys;
pub use list::{List, QUERIES_MAX, decode, list, list_spaced};
