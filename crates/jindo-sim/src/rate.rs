//! Rate limits as fixed calendar windows: a number of calls between two multiples of the period. (REC: all recorded
//! resets end at the hour.) Time is an argument; nothing here waits.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "call counts and seconds within a period, all small"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// Most windows kept for the statistics, over all names; the oldest are dropped first.
const WINDOWS_MAX: usize = 10_000;

/// One rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The value of `X-RateLimit-Name`.
    pub name: String,
    /// Calls per period.
    pub calls: u32,
    /// Seconds; windows start at its multiples. 0 counts as 1.
    pub period_s: u32,
    /// Share of it that other consumers use, in percent, evenly over each window.
    pub others_percent: u32,
}

/// The state of a limit after one call, as the answer's headers show it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RateStatus {
    pub(crate) limit: Limit,
    /// Calls left in the window; negative when other consumers used more than the limit.
    pub(crate) remaining: i64,
    /// Seconds until the window ends, not yet rounded.
    pub(crate) reset_s: f64,
}

/// The calls of one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateWindow {
    /// Name of the limit.
    pub name: String,
    /// Start in epoch seconds.
    #[serde(rename = "start")]
    pub start_s: u64,
    #[serde(rename = "period")]
    pub period_s: u32,
    /// Calls allowed.
    pub limit: u32,
    /// Calls let through.
    pub used: u32,
    /// Calls answered with 429.
    pub refused: u32,
}

/// The counts of all windows so far.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// By (start, name), so that the oldest come first.
    counts: BTreeMap<(u64, String), RateWindow>,
}

impl Windows {
    /// Takes one call out of the window that holds `now`, the time since the epoch.
    ///
    /// # Errors
    /// The status of a limit with no call left.
    pub(crate) fn take(&mut self, limit: &Limit, now: Duration) -> Result<RateStatus, RateStatus> {
        let period_s = u64::from(limit.period_s.max(1));
        let start_s = now.as_secs() / period_s * period_s;
        let passed_s = now.saturating_sub(Duration::from_secs(start_s)).as_secs_f64();
        let others = f64::from(limit.calls) * f64::from(limit.others_percent) / 100.0
            * (passed_s / period_s as f64);
        let status = |used: u32| RateStatus {
            limit: limit.clone(),
            remaining: i64::from(limit.calls) - i64::from(used) - others as i64,
            reset_s: period_s as f64 - passed_s,
        };
        let count =
            self.counts.entry((start_s, limit.name.clone())).or_insert_with(|| RateWindow {
                name: limit.name.clone(),
                start_s,
                period_s: limit.period_s,
                limit: limit.calls,
                used: 0,
                refused: 0,
            });
        let answer = if status(count.used).remaining > 0 {
            count.used += 1;
            Ok(status(count.used))
        } else {
            count.refused += 1;
            Err(status(count.used))
        };
        while self.counts.len() > WINDOWS_MAX {
            self.counts.pop_first();
        }
        answer
    }

    /// Returns all windows, oldest first.
    pub(crate) fn all(&self) -> Vec<RateWindow> {
        self.counts.values().cloned().collect()
    }
}

/// The spelling of rate headers; all of these were seen. (REC)/(USER)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderStyle {
    /// Whole numbers.
    Plain,
    /// `Remaining: -5` on a 429, `Reset: 1.1`.
    Odd,
    /// No rate headers at all.
    Absent,
}

/// Returns the header lines of `status`; `hash` picks their case.
pub(crate) fn headers(status: &RateStatus, style: HeaderStyle, hash: u64) -> Vec<(String, String)> {
    if style == HeaderStyle::Absent {
        return Vec::new();
    }
    let odd = style == HeaderStyle::Odd;
    let reset = if odd {
        format!("{:.1}", status.reset_s)
    } else {
        format!("{:.0}", status.reset_s.round())
    };
    let remaining = match status.remaining {
        none if none <= 0 && odd => none - 5,
        some => some.max(0),
    };
    let values = [
        ("X-RateLimit-Limit", status.limit.calls.to_string()),
        ("X-RateLimit-Period", status.limit.period_s.to_string()),
        ("X-RateLimit-Remaining", remaining.to_string()),
        ("X-RateLimit-Reset", reset),
        ("X-RateLimit-Name", status.limit.name.clone()),
    ];
    let spell = |name: &str| match hash % 3 {
        0 => name.to_owned(),
        1 => name.replace("RateLimit", "Ratelimit"),
        _ => name.to_lowercase(),
    };
    values.into_iter().map(|(name, value)| (spell(name), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(calls: u32, others_percent: u32) -> Limit {
        Limit { name: "query".to_owned(), calls, period_s: 3_600, others_percent }
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_window_is_a_calendar_hour() {
        let mut windows = Windows::default();
        let limit = limit(2, 0);
        assert_eq!(windows.take(&limit, at(7_190.0)).map(|b| b.remaining), Ok(1));
        assert_eq!(windows.take(&limit, at(7_190.2)).map(|b| b.remaining), Ok(0));
        let refused = windows.take(&limit, at(7_199.6)).unwrap_err();
        assert_eq!(headers(&refused, HeaderStyle::Plain, 0)[3].1, "0", "the reset is rounded");
        assert_eq!(windows.take(&limit, at(7_200.0)).map(|b| b.remaining), Ok(1));
        let counts: Vec<_> = windows.all().iter().map(|w| (w.start_s, w.used, w.refused)).collect();
        assert_eq!(counts, [(3_600, 2, 1), (7_200, 1, 0)]);
    }

    #[test]
    fn others_take_their_share_as_the_window_passes() {
        let mut windows = Windows::default();
        let limit = limit(100, 50);
        assert_eq!(windows.take(&limit, at(0.0)).map(|b| b.remaining), Ok(99));
        assert_eq!(windows.take(&limit, at(3_599.0)).map(|b| b.remaining), Ok(49));
    }

    #[test]
    fn odd_headers_are_fractional_and_negative() {
        let mut windows = Windows::default();
        let none = windows.take(&limit(0, 0), at(3_598.9)).unwrap_err();
        let odd = headers(&none, HeaderStyle::Odd, 2);
        assert_eq!(odd[2], ("x-ratelimit-remaining".to_owned(), "-5".to_owned()));
        assert_eq!(odd[3].1, "1.1");
        assert_eq!(headers(&none, HeaderStyle::Absent, 0), []);
    }
}
