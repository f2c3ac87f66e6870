//! Archive → files. Layout names them, the writers are pure, publish is the door to the disk.

mod layout;
mod names;
pub use layout::{group_keys, query_directory};
pub use names::series_file;
