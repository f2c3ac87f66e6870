//! Flags of `jindo extract`.

use super::values::OutputFormat;
use clap::Args;
use std::path::PathBuf;

/// Flags of `jindo extract`.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// Directory of an export
    pub dir: PathBuf,
    /// Output format [default: csv]
    #[arg(long, value_enum)]
    pub to: Option<OutputFormat>,
    /// Write a copy here instead of into the directory itself
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Time zone of the files, instead of the last export's
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
}
