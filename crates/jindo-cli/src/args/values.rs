//! Readers of single values: spans, paces, percentages, variables. Their errors say what to write instead.

use clap::ValueEnum;
use jiff::SignedDuration;
use jindo::job::{LookBack, Resolution, SampleSize};
use jindo::plan::Pace;
use jindo::query::Interval;
use jindo::request::Reserve;
use jindo::text::steers;

/// Bytes of the values of one variable: hundreds of the longest tag values, which have 200 characters.
pub(crate) const VARIABLE_BYTES_MAX: usize = 65_536;

/// Style of the progress on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    Auto,
    Bar,
    Plain,
    Json,
    None,
}

impl ProgressStyle {
    /// Returns true for the styles that people read, which get the plan and remarks as well.
    pub(crate) fn is_talkative(self) -> bool {
        match self {
            Self::Auto | Self::Bar | Self::Plain => true,
            Self::Json | Self::None => false,
        }
    }
}

/// Format of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Csv,
}

/// Treatment of buckets without points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FillArg {
    Null,
    Keep,
}

/// Type of metrics whose own cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AssumedTypeArg {
    Gauge,
    Count,
    Rate,
}

/// Least value of `--max-calls`: finding out why a call was refused takes a few calls, and a run that ends in between has to
/// begin anew.
const MAX_CALLS_LEAST: u64 = 20;

/// Reads a number of calls that is at least [`MAX_CALLS_LEAST`].
pub(super) fn max_calls(text: &str) -> Result<u64, String> {
    let calls: u64 =
        text.trim().parse().map_err(|_| "a number of calls, such as 100".to_owned())?;
    if calls >= MAX_CALLS_LEAST {
        return Ok(calls);
    }
    Err(format!(
        "at least {MAX_CALLS_LEAST}: finding out why a call was refused takes a few calls, and a run that ends in between finds out nothing"
    ))
}

/// Reads `10s`, `5m` or `auto`; the interval must be one that Datadog offers.
pub(super) fn resolution(text: &str) -> Result<Resolution, String> {
    if text == "auto" {
        return Ok(Resolution::Auto);
    }
    let span = span(text).map_err(|help| format!("{help}, or auto"))?;
    let secs = u64::try_from(span.as_secs()).ok().filter(|_| span.subsec_nanos() == 0);
    let interval = Interval::offered(secs.ok_or("whole seconds")?);
    interval.map(Resolution::Every).map_err(|error| error.to_string())
}

/// Longest span: a hundred years. Longer ones are typing errors, and no calendar holds every moment that is so far off.
pub(crate) const SPAN_MAX: SignedDuration = SignedDuration::from_hours(24 * 36_525);

/// Reads a span that is not negative, and not longer than [`SPAN_MAX`]: `90d`, `20m`, `1h30m`, `60s`, `60` (seconds).
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    const HELP: &str = "a span such as 60s, 20m, 1h or 2d, of 36525d at most";
    let duration = match text.parse::<u32>() {
        Ok(secs) => SignedDuration::from_secs(i64::from(secs)),
        Err(_) => text
            .parse::<jiff::Span>()
            .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
            .map_err(|_| HELP.to_owned())?,
    };
    let is_fine = (SignedDuration::ZERO..=SPAN_MAX).contains(&duration);
    if is_fine { Ok(duration) } else { Err(HELP.to_owned()) }
}

/// Times of `--look-back` at most: each costs a call a window.
const LOOK_BACK_STEPS_MAX: usize = 100;

/// Reads times after a window's end: `1h,6h,48h`, `2h`; `0` or `none`: nothing is asked again.
pub(super) fn look_back(text: &str) -> Result<LookBack, String> {
    if text == "none" {
        return Ok(LookBack::NONE);
    }
    let steps = text.split(',').take(LOOK_BACK_STEPS_MAX + 1).map(|step| span(step.trim()));
    let steps = steps.collect::<Result<Vec<_>, _>>().ok();
    let steps = steps.filter(|steps| steps.len() <= LOOK_BACK_STEPS_MAX);
    steps.map(LookBack::new).ok_or_else(|| {
        format!("up to {LOOK_BACK_STEPS_MAX} spans such as 1h,6h,48h, each of 36525d at most, or 0")
    })
}

/// Reads a rate limit: `3600/1h`, `10/10s`, `100/m`.
pub(super) fn pace(text: &str) -> Result<Pace, String> {
    const HELP: &str = "calls per period, such as 3600/1h or 10/10s";
    let (calls, period) = text.split_once('/').ok_or(HELP)?;
    let calls = calls.trim().parse().ok().filter(|&calls| calls > 0).ok_or(HELP)?;
    let unit = if period.starts_with(|c: char| c.is_ascii_digit()) {
        period.to_owned()
    } else {
        format!("1{period}")
    };
    let period_s = u32::try_from(span(&unit).map_err(|_| HELP)?.as_secs())
        .ok()
        .filter(|&s| s > 0)
        .ok_or(HELP)?;
    Ok(Pace { calls, period_s })
}

/// Reads a percentage from 0 to 99.
pub(super) fn reserve(text: &str) -> Result<Reserve, String> {
    let number = text.trim().trim_end_matches('%').parse().ok();
    number.and_then(Reserve::percent).ok_or_else(|| "a percentage from 0% to 99%".to_owned())
}

/// Reads `NAME=VALUE` or `$NAME=VALUE`.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE, such as host=web-1")?;
    let name = name.trim_start_matches('$');
    if name.is_empty() {
        return Err("a name before the `=`".into());
    }
    if text.contains(steers) {
        return Err("no line breaks and no control characters".into());
    }
    if value.len() > VARIABLE_BYTES_MAX {
        return Err(format!("at most {VARIABLE_BYTES_MAX} bytes of values"));
    }
    if value.split(',').any(|value| value.trim().is_empty()) {
        return Err("a value behind the `=` and behind each comma, such as env=prod,staging".into());
    }
    Ok((name.into(), value.into()))
}

/// Reads a sample size: `1%`, `0.5%` of the windows; `20` calls.
pub(super) fn sample(text: &str) -> Result<SampleSize, String> {
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
    fn a_run_may_not_be_too_short_to_explain_a_refusal() {
        assert_eq!((max_calls("20"), max_calls(" 1632 ")), (Ok(20), Ok(1_632)));
        assert!(max_calls("19").unwrap_err().starts_with("at least 20: finding out why"));
        assert!(max_calls("many").is_err() && max_calls("-1").is_err());
    }

    #[test]
    fn a_variable_has_a_name_and_values() {
        let given = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(variable("$env=prod, staging"), given("env", "prod, staging"));
        assert_eq!(variable("url=a=b"), given("url", "a=b"));
        let long = format!("env={}", "x".repeat(VARIABLE_BYTES_MAX + 1));
        for text in ["env", "=prod", "$=prod", "env=", "env=prod,", "env=,prod", "env=a, ,b", &long]
        {
            assert!(variable(text).is_err(), "{text}");
        }
    }

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
