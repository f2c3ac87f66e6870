//! Flags of `jindo status` and `jindo verify`; of `verify --refetch` the sample, the pace, the connection.

use super::ConnectionArgs;
use super::values::{pace, reserve, sample, span};
use crate::defaults::OUT;
use clap::Args;
use jiff::SignedDuration;
use jindo::job::SampleSize;
use jindo::plan::Pace;
use jindo::request::Reserve;
use std::path::{Path, PathBuf};

const REFETCH_HELP: &str = "\
Fetch a random sample of the held windows again and compare it point by point: a share of the windows (1%), or a number of \
calls (20), one per window";

const EXAMPLES: &str = "\
Examples:
  Is everything there and intact? No call, no keys:
    jindo verify jindo-export
  Does the server still return the same data, in 1 % of the windows?
    jindo verify jindo-export --refetch 1%
  Mark what differs, and fetch it again:
    jindo verify jindo-export --refetch 1% --seed 42 --repair
    jindo export

Exit codes:
  0    everything is there, as written and as requested
  1    something is wrong; a point has changed or is gone from the server; or
       the server could not be compared
  3    something is still to be fetched or written, was reported late, or is too
       young to be compared
  4    with --repair: another jindo writes there
  130  interrupted";

/// Flags of `jindo status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Directory of an export [default: ./jindo-export]
    pub dir: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

impl StatusArgs {
    /// Returns the directory that is named, or the default.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new(OUT))
    }
}

/// Flags of `jindo verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Directory of an export, or of a copy that jindo extract --out wrote [default: ./jindo-export]
    pub dir: Option<PathBuf>,
    /// Repair what needs no call: rebuild the ledger, set damaged files of the archive aside, write csv files again; with --refetch, mark what
    /// differs, so that the next export fetches it again
    #[arg(long)]
    pub repair: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub refetch: RefetchArgs,
}

impl VerifyArgs {
    /// Returns the directory that is named, or the default.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.as_deref().unwrap_or(Path::new(OUT))
    }
}

/// Sample to compare with the server, and the pace and connection of its calls.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Refetch", after_help = EXAMPLES)]
#[command(mut_group("ConnectionArgs", |connection| connection.requires("refetch")))]
pub struct RefetchArgs {
    #[arg(id = "refetch", long, value_name = "PERCENT|N", value_parser = sample, help = REFETCH_HELP)]
    pub sample: Option<SampleSize>,
    /// Draw the sample of this number again [default: a new number each time]
    #[arg(long, value_name = "N", requires = "refetch")]
    pub seed: Option<u64>,
    /// Most calls in flight at once, 1 to 64 [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), requires = "refetch")]
    pub concurrency: Option<u16>,
    /// Share of the rate limit to leave to others [default: 10%]
    #[arg(long, value_name = "PERCENT", value_parser = reserve, requires = "refetch")]
    pub reserve: Option<Reserve>,
    /// Rate limit to keep to, for servers that state none
    #[arg(long, value_name = "N/PERIOD", value_parser = pace, requires = "refetch")]
    pub limit: Option<Pace>,
    /// Stop after this long without an answer [default: 10m]
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "refetch")]
    pub give_up_after: Option<SignedDuration>,
    #[command(flatten)]
    pub connection: ConnectionArgs,
}
