//! Setup of an export: the request, its directory, its keys, and the style of its progress.

use crate::args::ProgressStyle;
use crate::environment::Access;
use jindo::job::ExportRequest;
use std::path::Path;

/// Request of an export with everything that the command line adds to it.
pub(crate) struct ExportSetup<'a> {
    pub(crate) request: &'a ExportRequest,
    pub(crate) out: &'a Path,
    pub(crate) progress: ProgressStyle,
    /// Returns keys and address. Called only if there are calls to make.
    pub(crate) access: &'a dyn Fn() -> anyhow::Result<Access>,
    /// Address flags as typed.
    pub(crate) connection: String,
}
