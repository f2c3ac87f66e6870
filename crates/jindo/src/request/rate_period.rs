//! One rate limit's current period: what is left of it, for whom, and until when. Pure.
//!
//! A limit is a fixed calendar window with a number of calls. When it ends is known only to within the rounding of the
//! header and the latency of the answer, so a period keeps both bounds and narrows them with every answer: it is spent
//! before the earliest possible end and begins anew after the latest.

use super::Rate;
use crate::plan::Pace;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// `X-RateLimit-Reset` is rounded to whole seconds; the direction is not documented.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// A period is watched for about this part of it before what others took is taken for their pace: two calls in the first
/// second are no pace.
const WATCH_PART: i32 = 20;

/// Share of what is left that is kept for others by a guess from what they took, at most: a burst at the period's beginning
/// must not end the run until its end.
const OTHERS_SHARE_MAX: f64 = 0.75;

/// The share of every limit that is left to others, in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reserve(f64);

impl Reserve {
    pub const NONE: Self = Self(0.0);

    /// Share that is left unless another is wanted: autoscalers and dashboards live on the same limit, and an export that takes
    /// all of it blinds them.
    pub const USUAL: Self = Self(10.0);

    /// `None` unless 0 ≤ `percent` < 100: a whole limit reserved leaves no call.
    pub fn percent(percent: f64) -> Option<Self> {
        (0.0..100.0).contains(&percent).then_some(Self(percent))
    }

    pub fn in_percent(self) -> f64 {
        self.0
    }

    /// Returns the pace that is ours where others keep their share of it.
    #[must_use]
    pub fn left_of(self, pace: Pace) -> Pace {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, at least 0, and at most a u32"
        )]
        let kept = self.kept(f64::from(pace.calls)) as u32;
        Pace { calls: pace.calls - kept, ..pace }
    }

    /// Calls of `limit` that are left to others, in whole calls rounded up; never all of them, or a run would wait for ever.
    fn kept(self, limit: f64) -> f64 {
        // A limit from a header may be any number: its product with a percentage must be one too.
        (limit.min(f64::MAX / 100.0) * self.0 / 100.0).ceil().min(limit - 1.0).max(0.0)
    }
}

/// Writes `10%`.
impl fmt::Display for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// One limit's current period.
#[derive(Debug, Clone)]
pub(super) struct Period {
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
    /// Calls left when this period was first seen.
    at_first: f64,
    /// Calls of ours that may have counted since then: those in flight then, and all that were sent later.
    own: u32,
    /// Calls a second that others make, by the answers of this period.
    others: f64,
    /// Calls that are left to them until its end.
    left_to_others: f64,
    /// Calls in flight that count against this limit, in this period or the next.
    flying: u32,
    last_sent: Option<Timestamp>,
}

impl Period {
    /// The period as one answer tells it, without the calls in flight. The server spoke between `sent_at` and `now`.
    pub(super) fn seen(rate: &Rate, sent_at: Timestamp, now: Timestamp) -> Self {
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
            own: 0,
            others: 0.0,
            left_to_others: 0.0,
            flying: 0,
            last_sent: None,
        }
    }

    /// Adds calls that were in flight before they were known to count against this limit.
    pub(super) fn add_flying(&mut self, flying: u32, last_sent: Option<Timestamp>) {
        self.flying += flying;
        self.own += flying;
        self.last_sent = self.last_sent.max(last_sent);
    }

    pub(super) fn sent(&mut self, now: Timestamp) {
        self.flying += 1;
        self.own += 1;
        self.last_sent = Some(now);
    }

    /// Counts the end of a call.
    pub(super) fn ended(&mut self, now: Timestamp) {
        self.flying = self.flying.saturating_sub(1);
        self.roll(now);
        self.late += u32::from(now > self.ends_after);
    }

    /// Counts calls as spent whose answers did not name this limit.
    pub(super) fn spend(&mut self, calls: u32) {
        self.remaining = (self.remaining - f64::from(calls)).max(0.0);
    }

    /// Forgets calls in flight whose ends will not be reported; they count as spent.
    pub(super) fn abandon(&mut self, calls: u32) {
        self.flying = self.flying.saturating_sub(calls);
        self.spend(calls);
    }

    /// Takes in the answer to a call that was sent at `sent_at`.
    pub(super) fn merge(&mut self, seen: &Self, sent_at: Timestamp) {
        if seen.ends_after > self.ends_before {
            // The call itself is among the late ones, and counted.
            let doubtful = self.late.saturating_sub(1);
            *self = Self { doubtful, ..self.replaced_by(seen) };
        } else if self.is_vague() && !seen.is_vague() {
            // The machine slept while its first call was in the air; this answer tells when the period ends.
            let (remaining, doubtful) =
                (self.remaining.min(seen.remaining), self.doubtful.max(self.late));
            *self = Self { remaining, doubtful, ..self.replaced_by(seen) };
        } else if seen.ends_before >= self.ends_after {
            self.limit = seen.limit;
            self.length = seen.length;
            self.remaining = self.remaining.min(seen.remaining);
            if sent_at >= self.since {
                self.doubtful = 0;
            }
            // An answer that may speak of another period as well says nothing about the end of this one.
            let not_the_next = seen.ends_before < self.ends_after + self.length;
            if not_the_next && seen.ends_after > self.ends_before - self.length {
                self.ends_after = self.ends_after.max(seen.ends_after);
                self.ends_before = self.ends_before.min(seen.ends_before);
            }
        } // else: a late answer of a period that is over
    }

    /// `seen` with the calls in flight of this one.
    fn replaced_by(&self, seen: &Self) -> Self {
        Self { own: self.flying, flying: self.flying, last_sent: self.last_sent, ..seen.clone() }
    }

    /// Begins the next period once this one is surely over, with everything left but what is in flight.
    fn roll(&mut self, now: Timestamp) {
        while self.ends_before <= now {
            self.since = self.ends_before;
            self.ends_after += self.length;
            self.ends_before += self.length;
            // A limit of nothing may have changed: one call a period finds out.
            self.remaining = self.limit.max(1.0);
            self.doubtful = std::mem::take(&mut self.late);
            (self.at_first, self.own) = (self.remaining, self.flying);
        }
    }

    /// Leaves others what they will take until the end, at the pace at which what is left fell by more than our own calls.
    /// Calls in flight count as ours, so that a lone job leaves nothing to others.
    fn watch(&mut self, reserve: Reserve, now: Timestamp) {
        let taken = self.at_first - self.remaining - f64::from(self.own);
        let watched = now.duration_since(self.since) + self.length / WATCH_PART;
        self.others = (taken / watched.as_secs_f64().max(f64::EPSILON)).max(0.0);
        if self.others > 0.0 {
            let rest = self.ends_before.duration_since(now).as_secs_f64().max(0.0);
            let ours = (self.remaining - reserve.kept(self.limit)).max(0.0);
            // One more, since theirs come unasked.
            self.left_to_others = (self.others * rest + 1.0).min(ours * OTHERS_SHARE_MAX);
        } else {
            self.left_to_others = 0.0;
        }
    }

    /// Returns the moment of the next call: what is left is spread evenly over what is left of the period.
    pub(super) fn next(&mut self, reserve: Reserve, now: Timestamp) -> Timestamp {
        self.roll(now);
        self.watch(reserve, now);
        let left = self.free(reserve) - f64::from(self.flying);
        if left < 1.0 {
            return self.ends_before;
        }
        match self.last_sent {
            Some(sent) if sent >= self.since => {
                let rest = self.ends_after.duration_since(sent).max(SignedDuration::ZERO);
                sent + rest.div_f64(left + 1.0)
            }
            _ => self.since,
        }
    }

    /// Returns the moment of the last of `calls` more: the rest of this period takes some, whole periods the others.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn last(&self, reserve: Reserve, calls: u64) -> Timestamp {
        let calls = calls as f64;
        let left = (self.free(reserve) - f64::from(self.flying)).max(0.0);
        let (from, wait) = if calls <= left {
            let from = self.last_sent.map_or(self.since, |sent| sent.max(self.since));
            let rest = self.ends_after.duration_since(from).max(SignedDuration::ZERO);
            (from, rest.as_secs_f64() * calls / (left + 1.0))
        } else {
            let ours = self.limit - reserve.kept(self.limit);
            let theirs = (self.others * self.length.as_secs_f64()).min(ours * OTHERS_SHARE_MAX);
            let most = (ours - theirs).max(1.0);
            let (whole, rest) = (((calls - left) / most).floor(), (calls - left) % most);
            (self.ends_before, self.length.as_secs_f64() * (whole + rest / (most + 1.0)))
        };
        let wait = SignedDuration::try_from_secs_f64(wait).unwrap_or(SignedDuration::MAX);
        from.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn remaining(&self) -> f64 {
        self.remaining
    }

    pub(super) fn limit(&self) -> f64 {
        self.limit
    }

    /// Calls of this period that are ours to make, those in flight among them.
    fn free(&self, reserve: Reserve) -> f64 {
        (self.remaining - reserve.kept(self.limit) - self.left_to_others).floor()
            - f64::from(self.doubtful)
    }

    /// True if the end is known less well than to within the period's own length.
    fn is_vague(&self) -> bool {
        self.ends_before.duration_since(self.ends_after) >= self.length
    }
}
