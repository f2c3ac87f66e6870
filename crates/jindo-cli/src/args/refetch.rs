//! What `verify --refetch` takes: how much is asked again, whom, and how fast. Touches nothing.

use super::{Where, pace, reserve, span};
use clap::Args;
use jiff::SignedDuration;
use jindo::job::SampleSize;
use jindo::plan::Pace;
use jindo::request::Reserve;

const REFETCH_HELP: &str = "\
Ask a random sample of what is held again and compare point by point: so many percent of the windows (1%), or so many \
calls (20), one a window";

const EXAMPLES: &str = "\
Examples:
  Is everything whole and in its place? No call, no keys:
    jindo verify jindo-export
  Does the server still say the same, in one window of a hundred?
    jindo verify jindo-export --refetch 1%
  Mark what differs, and fetch it again:
    jindo verify jindo-export --refetch 1% --seed 42 --repair
    jindo export

Exit codes:
  0    all is there, as written and as asked
  1    something is wrong; a point has changed or is gone from the server; or
       it could not be asked
  3    something is still to be fetched or written, came late, or is too young
       to be compared
  130  interrupted";

/// A sample, and the calls for it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Asking again", after_help = EXAMPLES)]
#[command(mut_group("Where", |place| place.requires("refetch")))]
pub struct Refetch {
    #[arg(id = "refetch", long, value_name = "PERCENT|N", value_parser = portion, help = REFETCH_HELP)]
    pub portion: Option<SampleSize>,
    /// Draw the sample of this number again [default: another every time]
    #[arg(long, value_name = "N", requires = "refetch")]
    pub seed: Option<u64>,
    /// Calls in flight at once, at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64), requires = "refetch")]
    pub concurrency: u16,
    /// Share of the rate limit that is left to others
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = reserve, requires = "refetch")]
    pub reserve: Reserve,
    /// Own bound on the pace, for servers that name no rate limit
    #[arg(long, value_name = "N/PERIOD", value_parser = pace, requires = "refetch")]
    pub limit: Option<Pace>,
    /// Stop after so long without one answer
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span, requires = "refetch")]
    pub give_up_after: SignedDuration,
    #[command(flatten)]
    pub place: Where,
}

/// `1%`, `0.5%` of the windows; `20` calls.
fn portion(text: &str) -> Result<SampleSize, String> {
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
    fn a_portion_is_a_share_or_a_number() {
        let fine = [
            ("1%", SampleSize::Percent(1.0)),
            (" 0.5 % ", SampleSize::Percent(0.5)),
            ("100%", SampleSize::Percent(100.0)),
            ("20", SampleSize::Calls(20)),
        ];
        for (text, expected) in fine {
            assert_eq!(portion(text), Ok(expected));
        }
        for text in ["0%", "101%", "-1%", "NaN%", "inf%", "0", "-3", "1.5", "", "%", "all"] {
            assert!(portion(text).is_err(), "{text}");
        }
    }
}
