//! One file per command, named as the command.

pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod extract;
mod fetching;
pub(crate) mod plan;
mod refetch;
mod sampling;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod verify;
