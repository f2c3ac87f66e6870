//! Flags of `jindo export`.

use super::values::ProgressStyle;
use super::{ConnectionArgs, PacingArgs, RequestArgs, SparseDataArgs};
use crate::defaults;
use clap::Args;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "\
Examples:
  The last 90 days, then what has come since:
    jindo export queries.txt --from -90d
    jindo export
  A range of days in your own time zone:
    jindo export queries.txt --from 2021-12-12 --to 2022-03-18 \\
      --timezone Asia/Seoul --out ./winter";

/// Flags of `jindo export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Directory of the export; made if it is not there [default: ./jindo-export]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Style of the progress on stderr; auto: a bar on a terminal, else plain [default: auto]
    #[arg(long, value_enum, value_name = "STYLE")]
    pub progress: Option<ProgressStyle>,
    /// Exit with 0 instead of 3 when gaps remain
    #[arg(long)]
    pub accept_partial: bool,
    /// Drop what earlier runs learnt of the server's limits, and learn it anew
    #[arg(long)]
    pub forget: bool,
    /// Continue in this directory although the keys belong to another organisation than its data
    #[arg(long)]
    pub rebind: bool,
    #[command(flatten)]
    pub request: RequestArgs,
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(flatten)]
    pub pacing: PacingArgs,
    #[command(flatten)]
    pub sparse: SparseDataArgs,
}

impl ExportArgs {
    pub(crate) fn out(&self) -> &Path {
        self.out.as_deref().unwrap_or(Path::new(defaults::OUT))
    }

    pub(crate) fn progress(&self) -> ProgressStyle {
        self.progress.unwrap_or(defaults::PROGRESS)
    }
}
