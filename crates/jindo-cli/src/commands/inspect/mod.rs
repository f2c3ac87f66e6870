//! Commands that look at a directory and change nothing unless told to.

mod copy;
mod refetch;
pub(crate) mod status;
pub(crate) mod verify;
