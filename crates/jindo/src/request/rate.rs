//! The rate limit in an answer's headers. Pure.

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

/// Without a stated period a reset is taken up to the longest documented rate window, an hour. A larger one is a mistake
/// (such as a Unix time), and the run finds out sooner by asking again.
const RESET_S_MAX: f64 = 3_600.0;

impl Rate {
    /// Reads the headers through `header`, which looks one up whatever its case. `None` unless limit, remaining and reset
    /// are all there and are numbers: half a statement sets no pace.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let number = |name: &str| {
            let value: f64 = header(name)?.trim().parse().ok()?;
            value.is_finite().then(|| value.max(0.0))
        };
        let limit = number("x-ratelimit-limit")?;
        let reset_s = number("x-ratelimit-reset")?;
        // A period cannot end later than one period from now.
        let (reset_s, period_s) = match number("x-ratelimit-period") {
            Some(period_s) => (reset_s.min(period_s).min(PERIOD_S_MAX), period_s.min(PERIOD_S_MAX)),
            None => (reset_s.min(RESET_S_MAX), reset_s.min(RESET_S_MAX)),
        };
        let remaining = number("x-ratelimit-remaining")?.min(limit);
        let name = header("x-ratelimit-name").unwrap_or_default().trim().to_owned();
        Some(Self { name, limit, period_s, remaining, reset_s })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Option<Rate> {
        Rate::read(|name| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value))
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
