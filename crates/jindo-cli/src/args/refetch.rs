//! Flags of `jindo verify --refetch`: the sample, the pace, the connection.

use super::ConnectionArgs;
use super::values::{pace, reserve, span};
use clap::Args;
use jiff::SignedDuration;
use jindo::job::Pacing;
use jindo::job::SampleSize;
use jindo::plan::Pace;
use jindo::request::Reserve;

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
  130  interrupted";

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
    /// Share of the rate limit to leave to others [default: 0%]
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

impl RefetchArgs {
    pub(crate) fn concurrency(&self) -> u16 {
        self.concurrency.unwrap_or(Pacing::CONCURRENCY)
    }

    pub(crate) fn reserve(&self) -> Reserve {
        self.reserve.unwrap_or(Pacing::default().reserve)
    }

    pub(crate) fn give_up_after(&self) -> SignedDuration {
        self.give_up_after.unwrap_or(Pacing::GIVE_UP_AFTER)
    }
}

/// Reads a sample size: `1%`, `0.5%` of the windows; `20` calls.
fn sample(text: &str) -> Result<SampleSize, String> {
    const HELP: &str = "a share of the windows such as 1%, or a number of calls such as 20";
    match text.trim().strip_suffix('%') {
        Some(percent) => {
            let percent = percent.trim().parse().ok();
            percent.filter(|&share: &f64| share > 0.0 && share <= 100.0).map(SampleSize::Percent)
        }
        None => text.trim().parse().ok().filter(|&calls| calls > 0).map(SampleSize::Calls),
    }
    .ok_or_else(|| HELP.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_share_or_a_number() {
        let fine = [
            ("1%", SampleSize::Percent(1.0)),
            (" 0.5 % ", SampleSize::Percent(0.5)),
            ("100%", SampleSize::Percent(100.0)),
            ("20", SampleSize::Calls(20)),
        ];
        for (text, expected) in fine {
            assert_eq!(sample(text), Ok(expected));
        }
        for text in ["0%", "101%", "-1%", "NaN%", "inf%", "0", "-3", "1.5", "", "%", "all"] {
            assert!(sample(text).is_err(), "{text}");
        }
    }
}
