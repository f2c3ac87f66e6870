//! Flags of `jindo extract`.

use super::values::OutputFormat;
use crate::defaults::OUT;
use clap::Args;
use std::path::{Path, PathBuf};

/// Flags of `jindo extract`.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// Directory of an export [default: ./jindo-export]
    pub dir: Option<PathBuf>,
    /// Output format [default: csv]
    #[arg(long, value_enum)]
    pub format: Option<OutputFormat>,
    /// Write here instead of into the directory itself, which stays as it is
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Start of the part to write, out of everything that was ever fetched, as export takes it (2021-12-12, -90d, ...); needs --out
    /// [default: the first moment held]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End of the part to write, excluded; needs --out [default: the last moment held]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Queries to write, those of earlier lists too, as written in their list: `*` stands for any characters, `?` for one; needs
    /// --out [default: all]
    #[arg(long, value_name = "GLOB")]
    pub query: Option<String>,
    /// Time zone of the files, instead of the last export's
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
}

impl ExtractArgs {
    /// Returns the directory that is named, or the default.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new(OUT))
    }
}
