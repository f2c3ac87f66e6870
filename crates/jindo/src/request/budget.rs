//! What the rate limit allows now, learnt from the answers' headers. Pure: it is told what time it is.
//!
//! A limit is a fixed calendar window with a number of calls. When it ends is known only to within the rounding of the
//! header and the latency of the answer, so the budget keeps both bounds and narrows them with every answer: it spends
//! before the earliest possible end and begins anew after the latest.

use super::Rate;
use crate::plan::Pace;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// `X-RateLimit-Reset` is rounded to whole seconds, and nobody says which way.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// The share of every limit that is left to others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reserve(f64);

impl Reserve {
    pub const NONE: Self = Self(0.0);

    /// `None` unless 0 ≤ `percent` < 100: a whole limit reserved leaves no call.
    pub fn percent(percent: f64) -> Option<Self> {
        (0.0..100.0).contains(&percent).then_some(Self(percent / 100.0))
    }
}

/// Whether one more call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    Now,
    At(Timestamp),
    /// Only an answer can tell.
    AfterAnswer,
}

/// All limits that the answers named, and the calls in flight that may count in any of them.
#[derive(Debug, Clone)]
pub struct Budget {
    reserve: Reserve,
    /// The user's own bound (`--limit`), kept as the least distance between calls.
    own: Option<Pace>,
    periods: BTreeMap<String, Period>,
    flying: u32,
    last_sent: Option<Timestamp>,
    answered: bool,
}

/// One limit's current period.
#[derive(Debug, Clone)]
struct Period {
    limit: f64,
    length: SignedDuration,
    /// The least that any answer of this period left.
    remaining: f64,
    since: Timestamp,
    ends_after: Timestamp,
    ends_before: Timestamp,
}

impl Budget {
    pub fn new(reserve: Reserve, own: Option<Pace>) -> Self {
        Self { reserve, own, periods: BTreeMap::new(), flying: 0, last_sent: None, answered: false }
    }

    /// When the next call may go. Spreads what is left evenly over what is left of the period; the strictest limit counts.
    pub fn allowance(&mut self, now: Timestamp) -> Allowance {
        if !self.answered && self.flying > 0 {
            return Allowance::AfterAnswer;
        }
        let mut at = self.own.zip(self.last_sent).map_or(now, |(pace, sent)| sent + spacing(pace));
        for period in self.periods.values_mut() {
            period.roll(now);
            at = at.max(period.next(self.reserve, self.flying, self.last_sent));
        }
        if at <= now { Allowance::Now } else { Allowance::At(at) }
    }

    pub fn sent(&mut self, now: Timestamp) {
        self.flying += 1;
        self.last_sent = Some(now);
    }

    /// A call that was sent at `sent_at` has come to its end, with or without headers.
    pub fn answered(&mut self, sent_at: Timestamp, now: Timestamp, rate: Option<&Rate>) {
        self.flying = self.flying.saturating_sub(1);
        let Some(rate) = rate else {
            // It may have counted all the same.
            for period in self.periods.values_mut() {
                period.remaining = (period.remaining - 1.0).max(0.0);
            }
            return;
        };
        self.answered = true;
        let seen = Period::seen(rate, sent_at, now);
        match self.periods.get_mut(&rate.name) {
            Some(known) => known.merge(seen, now),
            None => {
                self.periods.insert(rate.name.clone(), seen);
            }
        }
    }

    /// An answer without rate headers came through: nothing sets a pace, and calls need not wait for one another.
    pub fn unlimited(&mut self) {
        self.answered = true;
    }

    /// What is left, and of how much, in the limit that is the closest to its end. `None`: no answer named one.
    pub fn left(&self) -> Option<(u64, u64)> {
        let closest = self.periods.values().min_by(|a, b| a.remaining.total_cmp(&b.remaining))?;
        Some((whole(closest.remaining), whole(closest.limit)))
    }

    /// Calls per second that the limits allow in the long run. `None`: no limit is known.
    pub fn rate(&self) -> Option<f64> {
        let own = self.own.map(|pace| f64::from(pace.calls) / f64::from(pace.period_s.max(1)));
        let limits = self
            .periods
            .values()
            .map(|p| p.limit * (1.0 - self.reserve.0) / p.length.as_secs_f64().max(1.0));
        limits.chain(own).min_by(f64::total_cmp)
    }
}

impl Period {
    /// The period as one answer tells it. The server spoke somewhere between sending and answering.
    fn seen(rate: &Rate, sent_at: Timestamp, now: Timestamp) -> Self {
        let reset = SignedDuration::from_secs_f64(rate.reset_s);
        Self {
            limit: rate.limit,
            length: SignedDuration::from_secs_f64(rate.period_s.max(1.0)),
            remaining: rate.remaining,
            since: now,
            ends_after: sent_at + reset - ROUNDING,
            ends_before: now + reset + ROUNDING,
        }
    }

    fn merge(&mut self, seen: Self, now: Timestamp) {
        self.roll(now);
        if seen.ends_after > self.ends_before {
            *self = seen;
        } else if seen.ends_before >= self.ends_after {
            self.limit = seen.limit;
            self.length = seen.length;
            self.remaining = self.remaining.min(seen.remaining);
            self.ends_after = self.ends_after.max(seen.ends_after);
            self.ends_before = self.ends_before.min(seen.ends_before);
        } // else: a late answer of a period that is over
    }

    /// Once a period is surely over the next one has begun, with everything left but what is in flight.
    fn roll(&mut self, now: Timestamp) {
        while self.ends_before <= now {
            self.since = self.ends_before;
            self.ends_after += self.length;
            self.ends_before += self.length;
            self.remaining = self.limit;
        }
    }

    fn next(&self, reserve: Reserve, flying: u32, last_sent: Option<Timestamp>) -> Timestamp {
        let kept = (self.limit * reserve.0).ceil();
        let left = (self.remaining - kept).floor() - f64::from(flying);
        if left < 1.0 {
            return self.ends_before;
        }
        match last_sent {
            Some(sent) if sent >= self.since => {
                let rest = self.ends_after.duration_since(sent).max(SignedDuration::ZERO);
                sent + rest.div_f64(left + 1.0)
            }
            _ => self.since,
        }
    }
}

fn spacing(pace: Pace) -> SignedDuration {
    SignedDuration::from_secs(i64::from(pace.period_s)).div_f64(f64::from(pace.calls.max(1)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a limit can be"
)]
fn whole(calls: f64) -> u64 {
    calls.clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: f64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs_f64(1_000_000.0 + secs)
    }

    fn rate(remaining: f64, reset_s: f64) -> Rate {
        Rate { name: "query".into(), limit: 10.0, period_s: 10.0, remaining, reset_s }
    }

    /// A budget that has had one answer at second 0 of a period of 10 calls in 10 s.
    fn started(reserve: Reserve) -> Budget {
        let mut budget = Budget::new(reserve, None);
        assert_eq!(budget.allowance(at(0.0)), Allowance::Now);
        budget.sent(at(0.0));
        assert_eq!(budget.allowance(at(0.0)), Allowance::AfterAnswer);
        budget.answered(at(0.0), at(0.0), Some(&rate(9.0, 10.0)));
        budget
    }

    #[test]
    fn calls_are_spread_over_the_rest_of_the_period() {
        let mut budget = started(Reserve::NONE);
        assert_eq!(budget.allowance(at(0.0)), Allowance::At(at(0.9)));
        assert_eq!(budget.allowance(at(0.9)), Allowance::Now);
    }

    #[test]
    fn an_empty_budget_waits_for_the_latest_end_of_the_period() {
        let mut budget = started(Reserve::NONE);
        budget.sent(at(1.0));
        budget.answered(at(1.0), at(1.0), Some(&rate(0.0, 9.0)));
        assert_eq!(budget.allowance(at(2.0)), Allowance::At(at(11.0)));
        assert_eq!(budget.allowance(at(11.0)), Allowance::Now);
    }

    #[test]
    fn the_reserve_is_left_to_others() {
        let mut budget = started(Reserve::percent(50.0).unwrap());
        budget.sent(at(1.0));
        budget.answered(at(1.0), at(1.0), Some(&rate(5.0, 9.0)));
        assert_eq!(budget.allowance(at(1.0)), Allowance::At(at(11.0)));
    }

    #[test]
    fn calls_in_flight_across_a_reset_count_in_the_new_period() {
        let mut budget = started(Reserve::NONE);
        for _ in 0..10 {
            budget.sent(at(9.0));
        }
        assert_eq!(budget.allowance(at(11.5)), Allowance::At(at(21.0)));
        budget.answered(at(9.0), at(12.0), Some(&rate(9.0, 8.0)));
        assert_eq!(budget.allowance(at(12.0)), Allowance::At(at(21.0)));
    }

    #[test]
    fn a_late_answer_of_the_last_period_changes_nothing() {
        let mut budget = started(Reserve::NONE);
        budget.sent(at(5.0));
        assert_eq!(budget.allowance(at(11.0)), Allowance::Now);
        budget.answered(at(5.0), at(11.5), Some(&rate(0.0, 2.0)));
        assert_eq!(budget.left(), Some((10, 10)));
    }

    #[test]
    fn the_strictest_of_several_limits_counts() {
        let mut budget = started(Reserve::NONE);
        budget.sent(at(0.5));
        let org = Rate {
            name: "global_org".into(),
            limit: 1.0,
            period_s: 60.0,
            remaining: 0.0,
            reset_s: 60.0,
        };
        budget.answered(at(0.5), at(0.5), Some(&org));
        assert_eq!(budget.allowance(at(5.0)), Allowance::At(at(61.5)));
    }
}
