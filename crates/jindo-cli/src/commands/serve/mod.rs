//! Commands that answer on a port until they are interrupted.

pub(crate) mod simulate;
