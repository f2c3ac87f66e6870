//! The text of a list file → its lines → queries: what editors and people do to a list, keys that stand in it, and the door to
//! the file. Pure, but for the door [`load`].

mod formula;
mod key_line;
mod line;
mod list;
pub mod load;
mod monitor;
mod note;
mod other_file;
mod other_query;
mod placeholder;
mod reading;

pub use key_line::without_keys;
pub use list::{List, QUERIES_MAX, decode, list, list_spaced};
pub use note::Note;
pub use other_file::{FileKind, OtherFile, other_file};
pub use other_query::OtherQuery;
pub use placeholder::Placeholder;
