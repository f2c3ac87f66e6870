//! Flags of `jindo simulate` and of `jindo demo`, which runs on it.

use super::values::{pace, span};
use crate::defaults;
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use jindo::plan::Pace;
use std::path::{Path, PathBuf};

/// Flags of `jindo demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Directory of the export; an earlier demo there is continued [default: ./jindo-demo]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl DemoArgs {
    pub(crate) fn out(&self) -> &Path {
        self.out.as_deref().unwrap_or(Path::new(defaults::DEMO_OUT))
    }
}

/// Answers of a simulated server to questions for a metric's metadata.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SimulatedMetadata {
    Served,
    Untyped,
    Forbidden,
}

/// Series of `--wide` at most: twice as many as are measured; the simulator holds each in memory.
const WIDE_MAX: i64 = 200_000;

/// Flags of `jindo simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Port on 127.0.0.1; 0 takes a free one and prints it [default: 0]
    #[arg(long)]
    pub port: Option<u16>,
    /// Rate limit of query calls [default: 3600/1h]
    #[arg(long, value_name = "N/PERIOD", value_parser = pace)]
    pub limit: Option<Pace>,
    /// Time to answer: 50ms, or a range 0.5s-5s [default: 0s]
    #[arg(long, value_name = "SPAN[-SPAN]")]
    pub latency: Option<String>,
    /// Points per series that are served without coarsening [default: 1500]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cap: Option<u32>,
    /// Answer 400 above the cap instead of coarser data
    #[arg(long)]
    pub refuse_over_cap: bool,
    /// Send fewer points than there are, without a word: the first or last of a series (`first:N`, `last:N`), every k-th so that N
    /// are left (`every:N`), so many a call (`total:N`), or `all-but-newest`
    #[arg(long, value_name = "HOW")]
    pub clip: Option<String>,
    /// Most queries in a call [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_queries: Option<u32>,
    /// Also serve the bucket that starts at `to`
    #[arg(long)]
    pub include_end: bool,
    /// Show points only so long after their time, as those that are reported late [default: 0s]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub late: Option<SignedDuration>,
    /// Faults to inject: 5%, 24, or kind:N,kind:N
    #[arg(long, value_name = "SPEC")]
    pub faults: Option<String>,
    /// Metadata of metrics: `served`, `untyped` or `forbidden` [default: served]
    #[arg(long, value_name = "HOW")]
    pub metadata: Option<SimulatedMetadata>,
    /// Seed of everything random [default: 1]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Add a metric with this many series, up to 200000: avg:wide.gauge{*} by {id}
    #[arg(long, value_name = "SERIES", value_parser = clap::value_parser!(u32).range(..=WIDE_MAX))]
    pub wide: Option<u32>,
    /// Print the built-in list of 579 queries and end
    #[arg(long)]
    pub list: bool,
}
