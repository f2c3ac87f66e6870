//! The rate limit as an answer's headers tell it.

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

impl Rate {
    /// Reads the headers through `header`, which looks one up whatever its case. `None` unless limit, remaining and reset
    /// are all there and are numbers: half a statement sets no pace.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let number = |name: &str| {
            let value: f64 = header(name)?.trim().parse().ok()?;
            value.is_finite().then(|| value.max(0.0))
        };
        let limit = number("x-ratelimit-limit")?;
        let reset_s = number("x-ratelimit-reset")?.min(PERIOD_S_MAX);
        let period_s = number("x-ratelimit-period").unwrap_or(reset_s).clamp(reset_s, PERIOD_S_MAX);
        let remaining = number("x-ratelimit-remaining")?.min(limit);
        let name = header("x-ratelimit-name").unwrap_or_default().trim().to_owned();
        Some(Self { name, limit, period_s, remaining, reset_s })
    }

    /// Whole calls left.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what a limit can be"
    )]
    pub fn whole_remaining(&self) -> u64 {
        self.remaining.clamp(0.0, 1e15) as u64
    }
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
}
