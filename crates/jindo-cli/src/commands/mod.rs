//! Commands in groups, one file each, named as the command.

pub(crate) mod fetch;
pub(crate) mod inspect;
pub(crate) mod output;
pub(crate) mod serve;
