//! Flags of `jindo status` and `jindo verify`.

use super::RefetchArgs;
use clap::Args;
use std::path::PathBuf;

/// Flags of `jindo status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Directory of an export
    pub dir: PathBuf,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Flags of `jindo verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Directory of an export
    pub dir: PathBuf,
    /// Repair what needs no call: rebuild the ledger, set damaged objects aside, write files again; with --refetch, mark what
    /// differs, so that the next export fetches it again
    #[arg(long)]
    pub repair: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub refetch: RefetchArgs,
}
