//! Flags of an export's pace, and of data that may not be there.

use super::values::{max_calls, pace, reserve, span};
use clap::Args;
use jiff::SignedDuration;
use jindo::job::{ExportRequest, Pacing};
use jindo::plan::Pace;
use jindo::request::Reserve;

/// Pace of the calls, and the treatment of points that are reported late.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pace")]
pub struct PacingArgs {
    /// Most calls in flight at once, 1 to 64 [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: Option<u16>,
    /// Share of the rate limit to leave to others [default: 0%]
    #[arg(long, value_name = "PERCENT", value_parser = reserve)]
    pub reserve: Option<Reserve>,
    /// Stop after this many calls, at least 20; the next run continues
    #[arg(long, value_name = "N", value_parser = max_calls)]
    pub max_calls: Option<u64>,
    /// Rate limit to keep to, for servers that state none
    #[arg(long, value_name = "N/PERIOD", value_parser = pace)]
    pub limit: Option<Pace>,
    /// Leave out points younger than this: cloud crawlers report late [default: 20m]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub settle: Option<SignedDuration>,
    /// Fetch again, in the next run, windows that were fetched sooner than this after their end [default: 1h]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub look_back: Option<SignedDuration>,
    /// End the run after this long without an answer [default: 10m]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub give_up_after: Option<SignedDuration>,
}

impl PacingArgs {
    pub(crate) fn concurrency(&self) -> u16 {
        self.concurrency.unwrap_or(Pacing::CONCURRENCY)
    }

    pub(crate) fn reserve(&self) -> Reserve {
        self.reserve.unwrap_or(Pacing::default().reserve)
    }

    pub(crate) fn settle(&self) -> SignedDuration {
        self.settle.unwrap_or(ExportRequest::SETTLE)
    }

    pub(crate) fn look_back(&self) -> SignedDuration {
        self.look_back.unwrap_or(ExportRequest::LOOK_BACK)
    }

    pub(crate) fn give_up_after(&self) -> SignedDuration {
        self.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER)
    }
}

/// Treatment of stretches without data.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sparse data")]
pub struct SparseDataArgs {
    /// First find out, at a coarse interval and in a call or two per 35 queries, where there is data at all, and skip the windows that
    /// hold none
    #[arg(long)]
    pub probe: bool,
    /// Drop the results of earlier probes, and fetch what they skipped
    #[arg(long, conflicts_with = "probe")]
    pub recheck_probed: bool,
}
