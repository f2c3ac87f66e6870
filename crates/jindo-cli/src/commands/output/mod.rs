//! Commands that write files from the archive.

pub(crate) mod extract;
