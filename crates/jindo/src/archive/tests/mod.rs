//! The archive as its users see it: what goes in comes out, whatever happens in between.

mod at_rest;
mod bombs;
mod cloud;
mod first_format;
mod footers;
mod furnish;
mod hostile;
mod ids;
mod journal;
mod ledger;
mod leftovers;
#[cfg(unix)]
mod links;
mod mend;
mod migrate;
mod round_trip;
mod share;
mod stretches;
mod trap;

use super::*;
use crate::parse::{Answer, CallPosition, Series};
use crate::plan::{LearntLimit, Window};
use crate::query::{Interval, Query, QueryText};
use furnish::*;
use jiff::Timestamp;
use std::path::Path;

pub(super) fn holder() -> Holder {
    Holder { pid: 7, host: "loft".into(), since: Timestamp::UNIX_EPOCH }
}

pub(super) fn writer() -> ArchiveWriter {
    ArchiveWriter { holder: holder(), fresh_id: ArchiveId::new(1) }
}

pub(super) fn opened(dir: &Path) -> Archive {
    Archive::open(dir, &writer()).unwrap()
}
