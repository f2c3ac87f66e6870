//! Directory of an export: opens it for reading, reads its last request, and names this process in its lock.

use crate::args::RequestArgs;
use crate::request::TypedRequest;
use anyhow::Context as _;
use jindo::archive::{Archive, Holder};
use jindo::clock::Clock;
use std::path::Path;

/// Returns the archive in `dir`, opened for reading; `None` if there is none.
pub(crate) fn existing(dir: &Path) -> anyhow::Result<Option<Archive>> {
    match Archive::read(dir) {
        Ok(archive) => Ok(Some(archive)),
        Err(jindo::archive::Error::Absent { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the directory's last request as typed; `None` if this command line has a list of its own.
pub(crate) fn last_request(
    wanted: &RequestArgs,
    archive: Option<&Archive>,
) -> anyhow::Result<Option<TypedRequest>> {
    let Some(archive) = archive.filter(|_| wanted.queries.is_none()) else { return Ok(None) };
    let Some(request) = archive.ledger().request()? else { return Ok(None) };
    let words = serde_json::from_str(&request.arguments)
        .context("the last request of this directory cannot be read; give a query list again")?;
    Ok(Some(words))
}

/// Returns this process as the lock of a directory names it.
pub(crate) fn holder(clock: &dyn Clock) -> Holder {
    Holder { pid: std::process::id(), host: crate::environment::machine(), since: clock.now() }
}
