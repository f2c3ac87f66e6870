//! The rate limit in an answer's headers. Pure.

use jiff::SignedDuration;

/// `X-RateLimit-*` of one answer. Fixed calendar windows; `reset_s` is a delta and rounded [documented, recorded]; values
/// may be fractional or negative [seen in a client's tests], so they are read as numbers and clamped.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// `X-RateLimit-Name`; empty where the server names none (before 2022).
    pub name: String,
    /// Calls allowed per period.
    pub limit: f64,
    pub period_s: f64,
    /// Calls left in the current period.
    pub remaining: f64,
    /// Seconds until the period ends.
    pub reset_s: f64,
}

/// A period longer than this is no rate limit that a run could wait for.
const PERIOD_S_MAX: f64 = 31.0 * 86_400.0;

/// Without a stated period a reset is taken up to the longest documented rate window, an hour. A larger one is a mistake, and the
/// run finds out sooner by asking again.
const RESET_S_MAX: f64 = 3_600.0;

/// A reset of more seconds than a year has is no span but a moment, in seconds since 1970 (seen behind gateways).
const RESET_SPAN_S_MAX: f64 = 366.0 * 86_400.0;

impl Rate {
    /// Reads the headers through `header`, which looks one up whatever its case, and joins those that are given twice by commas.
    /// `None` unless limit, remaining and reset are all there and are numbers: half a statement sets no pace.
    pub fn read(header: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let limit = number(&header, "x-ratelimit-limit", f64::min)?;
        let reset_s = reset_s(&header)?;
        // A period cannot end later than one period from now.
        let (reset_s, period_s) = match number(&header, "x-ratelimit-period", f64::max) {
            Some(period_s) => (reset_s.min(period_s).min(PERIOD_S_MAX), period_s.min(PERIOD_S_MAX)),
            None => (reset_s.min(RESET_S_MAX), reset_s.min(RESET_S_MAX)),
        };
        let remaining = number(&header, "x-ratelimit-remaining", f64::min)?.min(limit);
        let name = header("x-ratelimit-name").unwrap_or_default().trim().to_owned();
        Some(Self { name, limit, period_s, remaining, reset_s })
    }

    /// Returns how long a 429 asks to wait, where it does not state its limit: `Retry-After` in seconds or as a date, or the reset
    /// alone, rounded as it is. At most an hour.
    pub fn wait(header: impl Fn(&str) -> Option<String>) -> Option<SignedDuration> {
        let retry_after = header("retry-after");
        let stated = retry_after.as_deref().map(str::trim).and_then(|text| {
            let date = || Some(date_s(text)? - date_s(&header("date")?)?);
            text.parse::<f64>().ok().filter(|secs| secs.is_finite()).or_else(date)
        });
        let stated = stated.filter(|&secs| (0.0..=RESET_S_MAX).contains(&secs));
        let wait_s = stated.or_else(|| Some(reset_s(&header)?.min(RESET_S_MAX) + 1.0))?;
        SignedDuration::try_from_secs_f64(wait_s).ok()
    }

    /// Whole calls left.
    pub fn whole_remaining(&self) -> u64 {
        whole(self.remaining)
    }
}

/// Returns the whole calls of an amount that a server stated.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a limit can be"
)]
pub(super) fn whole(calls: f64) -> u64 {
    calls.clamp(0.0, 1e15) as u64
}

/// Reads a header of one number, or of several, of which the strictest counts.
fn number(
    header: &impl Fn(&str) -> Option<String>,
    name: &str,
    strictest: fn(f64, f64) -> f64,
) -> Option<f64> {
    let text = header(name)?;
    let numbers =
        text.split(',').map(|part| part.trim().parse().ok().filter(|n: &f64| n.is_finite()));
    let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
    numbers.into_iter().reduce(strictest).map(|number| number.max(0.0))
}

/// Returns the seconds to the reset. One that is stated as a moment counts from the answer's own date.
fn reset_s(header: &impl Fn(&str) -> Option<String>) -> Option<f64> {
    let stated = number(header, "x-ratelimit-reset", f64::max)?;
    if stated <= RESET_SPAN_S_MAX {
        return Some(stated);
    }
    let now_s = header("date").and_then(|date| date_s(&date));
    Some(now_s.map_or(stated, |now_s| (stated - now_s).max(0.0)))
}

/// Returns the seconds since 1970 of an HTTP date.
fn date_s(text: &str) -> Option<f64> {
    let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(date.timestamp().as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<'a>(all: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| all.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn read(all: &[(&str, &str)]) -> Option<Rate> {
        Rate::read(headers(all))
    }

    #[test]
    fn a_reset_of_more_than_a_year_is_a_moment_by_the_servers_clock() {
        let rate = read(&[
            ("date", "Sat, 21 Nov 2026 10:00:00 GMT"),
            ("x-ratelimit-limit", "600, 500"),
            ("x-ratelimit-period", "3600, 3600"),
            ("x-ratelimit-remaining", "500,400"),
            ("x-ratelimit-reset", "1795255203"),
        ]);
        let rate = rate.unwrap();
        assert_eq!((rate.limit, rate.remaining, rate.reset_s), (500.0, 400.0, 3.0));
    }

    #[test]
    fn a_429_says_how_long_to_wait_in_several_ways() {
        let wait = |all: &[(&str, &str)]| Rate::wait(headers(all)).map(|wait| wait.as_secs());
        let date = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(wait(&[("retry-after", "7")]), Some(7));
        assert_eq!(wait(&[("retry-after", "Sat, 21 Nov 2026 10:00:09 GMT"), date]), Some(9));
        assert_eq!(
            wait(&[("retry-after", "Sat, 21 Nov 2026 10:00:09 GMT")]),
            None,
            "by whose clock?"
        );
        assert_eq!(
            wait(&[("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT"), date]),
            None,
            "in the past"
        );
        assert_eq!(wait(&[("retry-after", "86400")]), None, "no run waits for a day");
        assert_eq!(wait(&[("x-ratelimit-reset", "12")]), Some(13), "rounded down");
        assert_eq!(wait(&[("x-ratelimit-reset", "1795255203"), date]), Some(4));
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn odd_numbers_are_clamped_and_half_a_statement_is_none() {
        let rate = read(&[
            ("x-ratelimit-limit", "600"),
            ("x-ratelimit-period", "3600"),
            ("x-ratelimit-remaining", "-5"),
            ("x-ratelimit-reset", "1.1"),
        ]);
        let expected = Rate {
            name: String::new(),
            limit: 600.0,
            period_s: 3_600.0,
            remaining: 0.0,
            reset_s: 1.1,
        };
        assert_eq!(rate, Some(expected));
        assert_eq!(read(&[("x-ratelimit-limit", "600"), ("x-ratelimit-reset", "10")]), None);
        assert_eq!(read(&[("x-ratelimit-limit", "NaN")]), None);
    }

    #[test]
    fn no_period_ends_later_than_a_period_from_now() {
        let ends = |period: &str, reset: &str| {
            let read = read(&[
                ("x-ratelimit-limit", "600"),
                ("x-ratelimit-period", period),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", reset),
            ]);
            read.map(|rate| (rate.period_s, rate.reset_s))
        };
        assert_eq!(ends("60", "59.5"), Some((60.0, 59.5)));
        assert_eq!(ends("60", "1764547200"), Some((60.0, 60.0)), "a Unix time");
        assert_eq!(ends("1764547200", "1764547200"), Some((PERIOD_S_MAX, PERIOD_S_MAX)));
        for unstated in ["", "NaN"] {
            assert_eq!(ends(unstated, "60"), Some((60.0, 60.0)));
            assert_eq!(ends(unstated, "1764547200"), Some((3_600.0, 3_600.0)));
        }
    }
}
