//! What the rate limit allows now, learnt from the answers' headers. Pure: it is told what time it is.
//!
//! A limit is a fixed calendar window with a number of calls. When it ends is known only to within the rounding of the
//! header and the latency of the answer, so the budget keeps both bounds and narrows them with every answer: it spends
//! before the earliest possible end and begins anew after the latest. Where a period is shorter than the distance of these
//! bounds nobody knows which call counts in which period; there every stretch of that length is kept below the limit.

use super::Rate;
use crate::plan::Pace;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// `X-RateLimit-Reset` is rounded to whole seconds, and nobody says which way.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// A period is watched for about this part of it before what others took is believed to go on: two calls in the first second
/// are no pace.
const WATCH_PART: i32 = 20;

/// At most so much of what is left is kept for others by a guess from what they took: a burst at the period's beginning must
/// not end the run until its end.
const OTHERS_SHARE_MAX: f64 = 0.75;

/// Ends of calls that are remembered for short periods. A limit that is larger than this is not reached in a few seconds.
const ENDS_MAX: usize = 1_024;

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
    /// When the last calls came to their end, oldest first.
    ends: VecDeque<Timestamp>,
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
    /// Calls that ended when this period may have been over already: they may have counted in the next.
    late: u32,
    /// Such calls of the period before, until an answer of this one has counted them or not.
    doubtful: u32,
    /// What was left when this period was first seen.
    at_first: f64,
    /// Calls of ours that may have counted since then: those in flight then, and all that were sent later.
    own: u32,
    /// Calls a second that others make, as far as this period tells.
    others: f64,
    /// Calls that are left to them until its end.
    left_to_others: f64,
}

impl Budget {
    pub fn new(reserve: Reserve, own: Option<Pace>) -> Self {
        Self {
            reserve,
            own,
            periods: BTreeMap::new(),
            flying: 0,
            last_sent: None,
            ends: VecDeque::new(),
            answered: false,
        }
    }

    /// When the next call may go. Spreads what is left evenly over what is left of the period; the strictest limit counts.
    pub fn allowance(&mut self, now: Timestamp) -> Allowance {
        if !self.answered && self.flying > 0 {
            return Allowance::AfterAnswer;
        }
        let mut at = self.own.zip(self.last_sent).map_or(now, |(pace, sent)| sent + spacing(pace));
        for period in self.periods.values_mut() {
            period.roll(now, self.flying);
            period.watch(self.reserve, now);
            at = at.max(period.next(self.reserve, self.flying, self.last_sent));
            if period.is_blurred() {
                match period.apart(self.reserve, self.flying, &self.ends) {
                    Some(apart) => at = at.max(apart),
                    None => return Allowance::AfterAnswer,
                }
            }
        }
        if at <= now { Allowance::Now } else { Allowance::At(at) }
    }

    pub fn sent(&mut self, now: Timestamp) {
        self.flying += 1;
        self.last_sent = Some(now);
        self.periods.values_mut().for_each(|period| period.own += 1);
    }

    /// A call that was sent at `sent_at` has come to its end, with or without headers.
    pub fn answered(&mut self, sent_at: Timestamp, now: Timestamp, rate: Option<&Rate>) {
        self.flying = self.flying.saturating_sub(1);
        if self.ends.len() == ENDS_MAX {
            self.ends.pop_front();
        }
        self.ends.push_back(now);
        for period in self.periods.values_mut() {
            period.roll(now, self.flying);
            period.late += u32::from(now > period.ends_after);
        }
        // Whom it does not name, a call may have counted for all the same: one without headers, or a 429 of another limit.
        let silent = |name: &str| rate.is_none_or(|rate| rate.remaining < 1.0 && rate.name != name);
        for (_, period) in self.periods.iter_mut().filter(|(name, _)| silent(name)) {
            period.remaining = (period.remaining - 1.0).max(0.0);
        }
        let Some(rate) = rate else { return };
        self.answered = true;
        let seen = Period::seen(rate, (sent_at, now), self.flying);
        match self.periods.get_mut(&rate.name) {
            Some(known) => known.merge(&seen, sent_at),
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

    /// When the last of `calls` more may go, if all goes on as it is. `None`: nothing sets a pace.
    pub fn paced_until(&self, calls: u64) -> Option<Timestamp> {
        let own = self.own.zip(self.last_sent).map(|(pace, sent)| {
            sent.saturating_add(spacing(pace).saturating_mul(clamped(calls)))
                .unwrap_or(Timestamp::MAX)
        });
        let limits = self.periods.values();
        let last =
            limits.map(|period| period.last(self.reserve, self.flying, self.last_sent, calls));
        last.chain(own).max()
    }
}

impl Period {
    /// The period as one answer tells it. The server spoke somewhere between sending and answering.
    fn seen(rate: &Rate, (sent_at, now): (Timestamp, Timestamp), flying: u32) -> Self {
        let reset = SignedDuration::from_secs_f64(rate.reset_s);
        Self {
            limit: rate.limit,
            length: SignedDuration::from_secs_f64(rate.period_s.max(1.0)),
            remaining: rate.remaining,
            since: now,
            ends_after: sent_at + reset - ROUNDING,
            ends_before: now + reset + ROUNDING,
            late: 0,
            doubtful: 0,
            at_first: rate.remaining,
            own: flying,
            others: 0.0,
            left_to_others: 0.0,
        }
    }

    /// Takes in what the answer to a call says that was sent at `sent_at`.
    fn merge(&mut self, seen: &Self, sent_at: Timestamp) {
        if seen.ends_after > self.ends_before {
            // The call itself is among the late ones, and counted.
            *self = Self { doubtful: self.late.saturating_sub(1), ..*seen };
        } else if self.is_blurred() && !seen.is_blurred() {
            // The machine slept while its first call was in the air; now somebody knows when the period ends.
            let remaining = self.remaining.min(seen.remaining);
            *self = Self { remaining, doubtful: self.doubtful.max(self.late), ..*seen };
        } else if seen.ends_before >= self.ends_after {
            self.limit = seen.limit;
            self.length = seen.length;
            self.remaining = self.remaining.min(seen.remaining);
            if sent_at >= self.since {
                self.doubtful = 0;
            }
            // What may speak of another period as well says nothing about the end of this one.
            let not_the_next = seen.ends_before < self.ends_after + self.length;
            if not_the_next && seen.ends_after > self.ends_before - self.length {
                self.ends_after = self.ends_after.max(seen.ends_after);
                self.ends_before = self.ends_before.min(seen.ends_before);
            }
        } // else: a late answer of a period that is over
    }

    /// Once a period is surely over the next one has begun, with everything left but what is in flight.
    fn roll(&mut self, now: Timestamp, flying: u32) {
        while self.ends_before <= now {
            self.since = self.ends_before;
            self.ends_after += self.length;
            self.ends_before += self.length;
            // A limit of nothing may have changed: one call a period finds out.
            self.remaining = self.limit.max(1.0);
            self.doubtful = std::mem::take(&mut self.late);
            (self.at_first, self.own) = (self.remaining, flying);
        }
    }

    /// Where what is left falls by more than our own calls, others spend the same limit: leaves them what they will take at
    /// that pace until the end. Calls in flight count as ours, so that alone nothing is ever left to nobody.
    fn watch(&mut self, reserve: Reserve, now: Timestamp) {
        let taken = self.at_first - self.remaining - f64::from(self.own);
        let watched = now.duration_since(self.since) + self.length / WATCH_PART;
        self.others = (taken / watched.as_secs_f64().max(f64::EPSILON)).max(0.0);
        if self.others > 0.0 {
            let rest = self.ends_before.duration_since(now).as_secs_f64().max(0.0);
            let ours = (self.remaining - self.kept(reserve)).max(0.0);
            // One more, since theirs come unasked.
            self.left_to_others = (self.others * rest + 1.0).min(ours * OTHERS_SHARE_MAX);
        } else {
            self.left_to_others = 0.0;
        }
    }

    fn next(&self, reserve: Reserve, flying: u32, last_sent: Option<Timestamp>) -> Timestamp {
        let left = self.free(reserve) - f64::from(flying);
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

impl Period {
    /// When the last of `calls` more may go: the rest of this period takes some, whole periods the others.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn last(
        &self,
        reserve: Reserve,
        flying: u32,
        last_sent: Option<Timestamp>,
        calls: u64,
    ) -> Timestamp {
        let calls = calls as f64;
        let left = (self.free(reserve) - f64::from(flying)).max(0.0);
        let (from, wait) = if calls <= left {
            let from = last_sent.map_or(self.since, |sent| sent.max(self.since));
            let rest = self.ends_after.duration_since(from).max(SignedDuration::ZERO);
            (from, rest.as_secs_f64() * calls / (left + 1.0))
        } else {
            let ours = self.limit - self.kept(reserve);
            let theirs = (self.others * self.length.as_secs_f64()).min(ours * OTHERS_SHARE_MAX);
            let most = (ours - theirs).max(1.0);
            let (whole, rest) = (((calls - left) / most).floor(), (calls - left) % most);
            (self.ends_before, self.length.as_secs_f64() * (whole + rest / (most + 1.0)))
        };
        let wait = SignedDuration::try_from_secs_f64(wait).unwrap_or(SignedDuration::MAX);
        from.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Calls of this period that are ours to make, those in flight among them.
    fn free(&self, reserve: Reserve) -> f64 {
        (self.remaining - self.kept(reserve) - self.left_to_others).floor()
            - f64::from(self.doubtful)
    }

    /// Calls left to others; never all of them, or the run would wait for ever.
    fn kept(&self, reserve: Reserve) -> f64 {
        (self.limit * reserve.0).ceil().min(self.limit - 1.0).max(0.0)
    }

    /// Its end is known less well than to within its own length.
    fn is_blurred(&self) -> bool {
        self.ends_before.duration_since(self.ends_after) >= self.length
    }

    /// When one more call is sure not to share a period with more than the limit of ours, wherever periods begin: a call that
    /// ended a whole length ago counted in an earlier one. `None`: the calls in flight may fill one alone.
    fn apart(
        &self,
        reserve: Reserve,
        flying: u32,
        ends: &VecDeque<Timestamp>,
    ) -> Option<Timestamp> {
        let most = whole((self.limit - self.kept(reserve)).max(1.0));
        let beside =
            usize::try_from(most.checked_sub(u64::from(flying) + 1)?).unwrap_or(usize::MAX);
        // So many of the last ends may lie within a length of the new call.
        let earlier = ends.len().checked_sub(beside + 1).and_then(|last| ends.get(last));
        Some(earlier.map_or(Timestamp::MIN, |end| *end + self.length))
    }
}

fn spacing(pace: Pace) -> SignedDuration {
    SignedDuration::from_secs(i64::from(pace.period_s)).div_f64(f64::from(pace.calls.max(1)))
}

fn clamped(calls: u64) -> i32 {
    i32::try_from(calls).unwrap_or(i32::MAX)
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

    /// Ten calls in ten seconds; at half time others have taken four, and are left as much again.
    #[test]
    fn what_others_will_take_is_left_to_them() {
        let mut budget = started(Reserve::NONE);
        budget.sent(at(5.0));
        assert_eq!(budget.allowance(at(5.0)), Allowance::At(at(5.0 + 4.0 / 9.0)), "alone so far");
        budget.answered(at(5.0), at(5.0), Some(&rate(4.0, 5.0)));
        assert_eq!(budget.allowance(at(5.0)), Allowance::At(at(7.0)), "one of four is ours");
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

    /// Found by the simulation: the call counted for both limits, and its answer named one.
    #[test]
    fn a_429_of_one_limit_may_have_counted_for_the_others() {
        let mut budget = started(Reserve::NONE);
        budget.sent(at(1.0));
        let burst = Rate { name: "burst".into(), limit: 100.0, period_s: 1.0, ..rate(0.0, 1.0) };
        budget.answered(at(1.0), at(1.0), Some(&burst));
        assert_eq!(whole(budget.periods["query"].remaining), 8);
        assert_eq!(whole(budget.periods["burst"].remaining), 0);
    }

    #[test]
    fn a_reserve_of_nearly_all_leaves_one_call_a_period() {
        let mut budget = started(Reserve::percent(99.9).unwrap());
        assert_eq!(budget.allowance(at(0.0)), Allowance::At(at(11.0)));
        assert_eq!(budget.allowance(at(11.0)), Allowance::Now, "and not never");
    }

    /// Rounded down, the reset of a period of a second is always 0: it ends anywhere within two seconds.
    #[test]
    fn no_stretch_of_a_short_period_holds_more_than_the_limit() {
        let mut budget = Budget::new(Reserve::NONE, None);
        let second = |remaining| {
            let name = "burst".to_owned();
            Rate { name, limit: 3.0, period_s: 1.0, remaining, reset_s: 0.0 }
        };
        let mut sent = Vec::new();
        let mut now = at(0.0);
        while sent.len() < 30 {
            match budget.allowance(now) {
                Allowance::Now => {
                    budget.sent(now);
                    sent.push(now);
                    now += SignedDuration::from_millis(10);
                    budget.answered(sent[sent.len() - 1], now, Some(&second(2.0)));
                }
                Allowance::At(then) => now = then,
                Allowance::AfterAnswer => panic!("nothing is in flight"),
            }
        }
        let closest = sent.windows(4).map(|four| four[3].duration_since(four[0])).min().unwrap();
        assert!(closest >= SignedDuration::from_secs(1), "four calls within {closest:?}");
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
