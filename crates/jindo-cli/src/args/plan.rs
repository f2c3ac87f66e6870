//! Flags of `jindo plan`.

use super::values::{max_calls, pace, reserve, span};
use super::{ProgressStyle, RequestArgs};
use clap::Args;
use jiff::SignedDuration;
use jindo::job::{ExportRequest, Pacing};
use jindo::plan::Pace;
use jindo::request::Reserve;
use std::path::PathBuf;

/// Flags of `jindo plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Subtract what this directory already holds
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Rate limit used for the estimate [default: 1600/1h]
    #[arg(long, value_name = "N/PERIOD", value_parser = pace)]
    pub limit: Option<Pace>,
    /// Leave out points younger than this, as export does [default: 20m]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub settle: Option<SignedDuration>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub request: RequestArgs,
    #[command(flatten)]
    pub ignored: ExportOnlyArgs,
}

impl PlanArgs {
    pub(crate) fn limit(&self) -> Pace {
        self.limit.unwrap_or(Pacing::LIMIT_RECKONED)
    }

    pub(crate) fn settle(&self) -> SignedDuration {
        self.settle.unwrap_or(ExportRequest::SETTLE)
    }
}

/// Flags that only an export uses, accepted and ignored: an export's command line stays valid when `export` becomes `plan`.
#[derive(Debug, Clone, Args)]
pub struct ExportOnlyArgs {
    #[arg(long, hide = true)]
    site: Option<String>,
    #[arg(long, hide = true)]
    api_url: Option<String>,
    #[arg(long, hide = true)]
    ca_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    key_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    key_command: Option<String>,
    #[arg(long, hide = true)]
    insecure_http: bool,
    #[arg(long, hide = true)]
    concurrency: Option<u16>,
    #[arg(long, hide = true, value_parser = reserve)]
    reserve: Option<Reserve>,
    #[arg(long, hide = true, value_parser = max_calls)]
    max_calls: Option<u64>,
    #[arg(long, hide = true)]
    progress: Option<ProgressStyle>,
    #[arg(long, hide = true)]
    probe: bool,
    #[arg(long, hide = true)]
    accept_partial: bool,
}
