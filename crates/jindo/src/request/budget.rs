//! Calls that the rate limits allow now, learnt from the answers' headers. Pure: every moment is handed in.
//!
//! Limits are an organisation's, so all jobs of one organisation spend the same: [`Budgets`] hands each job a [`Budget`]
//! over shared state. An endpoint counts against the limits that its own answers have named; until the first of them it is
//! a limit of its own, of which one call at a time finds out more.

use super::rate::whole;
use super::rate_period::{Period, Reserve};
use super::{ApiCall, Rate};
use crate::plan::Pace;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answer to the question for one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    Now,
    At(Timestamp),
    /// After the next answer: before the first one no limit is known.
    AfterAnswer,
}

/// Calls that share their limits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BudgetKey {
    /// Scheme, host and port of the API.
    pub site: String,
    /// `None`: not known, so that calls of unknown organisations at a site share their limits.
    pub organisation: Option<String>,
    /// See [`ApiCall::endpoint`]. Endpoints whose answers name the same limit share it.
    pub endpoint: &'static str,
}

impl BudgetKey {
    /// Returns the key of query calls.
    pub fn of_queries(site: &str, organisation: Option<&str>) -> Self {
        let organisation = organisation.map(str::to_owned);
        Self { site: site.to_owned(), organisation, endpoint: ApiCall::QUERY }
    }

    /// Returns the key of another endpoint's calls for the same organisation.
    #[must_use]
    pub fn of_endpoint(&self, endpoint: &'static str) -> Self {
        Self { endpoint, ..self.clone() }
    }
}

/// Site and organisation.
type Owner = (String, Option<String>);

/// Budgets of all jobs of this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Budgets(Arc<Mutex<BTreeMap<Owner, Arc<Mutex<RateLimits>>>>>);

impl Budgets {
    /// Returns a job's budget over the limits of `key`. `own` is the user's own bound (`--limit`) on this job alone.
    pub fn budget(&self, key: BudgetKey, reserve: Reserve, own: Option<Pace>) -> Budget {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = Arc::clone(all.entry((key.site, key.organisation)).or_default());
        let endpoint = key.endpoint;
        Budget { reserve, own, endpoint, limits, flying: 0, last_sent: None }
    }
}

/// Limits of one organisation, and the calls in flight that may count in any of them.
#[derive(Debug, Default)]
struct RateLimits {
    /// By the limit's name.
    periods: BTreeMap<String, Period>,
    endpoints: BTreeMap<&'static str, EndpointCalls>,
}

/// Calls of one endpoint.
#[derive(Debug, Default)]
struct EndpointCalls {
    /// Names of the limits that they count against, by the answers so far.
    limits: BTreeSet<String>,
    flying: u32,
    last_sent: Option<Timestamp>,
    answered: bool,
}

impl RateLimits {
    /// Returns the calls of an endpoint, and the limits that they count against, with their names.
    fn of(&mut self, endpoint: &'static str) -> (&mut EndpointCalls, Vec<(&str, &mut Period)>) {
        let calls = self.endpoints.entry(endpoint).or_default();
        let named = self.periods.iter_mut().filter(|(name, _)| calls.limits.contains(*name));
        let named = named.map(|(name, period)| (name.as_str(), period)).collect();
        (calls, named)
    }
}

/// One job's share of its organisation's limits. Dropped, it takes its calls in flight for spent.
#[derive(Debug)]
pub struct Budget {
    reserve: Reserve,
    /// The user's own bound, kept as the least distance between calls of this job.
    own: Option<Pace>,
    endpoint: &'static str,
    limits: Arc<Mutex<RateLimits>>,
    /// Calls of this job.
    flying: u32,
    last_sent: Option<Timestamp>,
}

impl Budget {
    /// Returns the moment of the next call: the strictest limit counts.
    pub fn allowance(&mut self, now: Timestamp) -> Allowance {
        let mut limits = self.limits();
        let (calls, named) = limits.of(self.endpoint);
        if !calls.answered && calls.flying > 0 {
            return Allowance::AfterAnswer;
        }
        let own = self.own.zip(self.last_sent).map(|(pace, sent)| sent + spacing(pace));
        let limited = named.into_iter().map(|(_, period)| period.next(self.reserve, now));
        let at = limited.chain(own).fold(now, Timestamp::max);
        if at <= now { Allowance::Now } else { Allowance::At(at) }
    }

    pub fn sent(&mut self, now: Timestamp) {
        self.flying += 1;
        self.last_sent = Some(now);
        let mut limits = self.limits();
        let (calls, named) = limits.of(self.endpoint);
        calls.flying += 1;
        calls.last_sent = Some(now);
        for (_, period) in named {
            period.sent(now);
        }
    }

    /// Counts the end of a call that was sent at `sent_at`, with or without headers.
    pub fn answered(&mut self, sent_at: Timestamp, now: Timestamp, rate: Option<&Rate>) {
        self.flying = self.flying.saturating_sub(1);
        let mut limits = self.limits();
        let (calls, named) = limits.of(self.endpoint);
        calls.flying = calls.flying.saturating_sub(1);
        // A call may have counted for limits that its answer does not name: one without headers, or a 429 of another limit.
        let is_silent =
            |name: &str| rate.is_none_or(|rate| rate.remaining < 1.0 && rate.name != name);
        for (name, period) in named {
            period.ended(now);
            if is_silent(name) {
                period.spend(1);
            }
        }
        let Some(rate) = rate else { return };
        calls.answered = true;
        let is_new = calls.limits.insert(rate.name.clone());
        let (flying, last_sent) = (calls.flying, calls.last_sent);
        let seen = Period::seen(rate, sent_at, now);
        let period = limits.periods.entry(rate.name.clone()).or_insert_with(|| seen.clone());
        if is_new {
            period.add_flying(flying, last_sent);
        }
        period.merge(&seen, sent_at);
    }

    /// Notes that an answer came through without rate headers: nothing sets a pace, and calls need not wait for one another.
    pub fn unlimited(&mut self) {
        self.limits().of(self.endpoint).0.answered = true;
    }

    /// Returns the calls left, and of how many, in the limit that is the closest to its end. `None`: no answer named one.
    pub fn left(&self) -> Option<(u64, u64)> {
        let mut limits = self.limits();
        let named = limits.of(self.endpoint).1.into_iter().map(|(_, period)| period);
        let closest = named.min_by(|a, b| a.remaining().total_cmp(&b.remaining()))?;
        Some((whole(closest.remaining()), whole(closest.limit())))
    }

    /// Returns the moment of the last of `calls` more, if all goes on as it is. `None`: nothing sets a pace.
    pub fn paced_until(&self, calls: u64) -> Option<Timestamp> {
        let own = self.own.zip(self.last_sent).map(|(pace, sent)| {
            let calls = i32::try_from(calls).unwrap_or(i32::MAX);
            sent.saturating_add(spacing(pace).saturating_mul(calls)).unwrap_or(Timestamp::MAX)
        });
        let mut limits = self.limits();
        let named = limits.of(self.endpoint).1.into_iter();
        named.map(|(_, period)| period.last(self.reserve, calls)).chain(own).max()
    }

    fn limits(&self) -> MutexGuard<'_, RateLimits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        let mut limits = self.limits();
        let (calls, named) = limits.of(self.endpoint);
        calls.flying = calls.flying.saturating_sub(self.flying);
        for (_, period) in named {
            period.abandon(self.flying);
        }
    }
}

fn spacing(pace: Pace) -> SignedDuration {
    SignedDuration::from_secs(i64::from(pace.period_s)).div_f64(f64::from(pace.calls.max(1)))
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
        let mut budget = Budgets::default().budget(BudgetKey::of_queries("", None), reserve, None);
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
        assert_eq!(whole(budget.limits().periods["query"].remaining()), 8);
        assert_eq!(whole(budget.limits().periods["burst"].remaining()), 0);
    }

    #[test]
    fn a_reserve_of_nearly_all_leaves_one_call_a_period() {
        let mut budget = started(Reserve::percent(99.9).unwrap());
        assert_eq!(budget.allowance(at(0.0)), Allowance::At(at(11.0)));
        assert_eq!(budget.allowance(at(11.0)), Allowance::Now, "and not never");
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

    fn shared(budgets: &Budgets, organisation: &str, endpoint: &'static str) -> Budget {
        let (site, organisation) = ("https://api".to_owned(), Some(organisation.to_owned()));
        budgets.budget(BudgetKey { site, organisation, endpoint }, Reserve::NONE, None)
    }

    #[test]
    fn jobs_of_one_organisation_share_its_limits_and_others_do_not() {
        let budgets = Budgets::default();
        let mut first = shared(&budgets, "a", "/query");
        first.sent(at(0.0));
        let mut second = shared(&budgets, "a", "/query");
        assert_eq!(second.allowance(at(0.0)), Allowance::AfterAnswer);
        first.answered(at(0.0), at(0.0), Some(&rate(0.0, 10.0)));
        assert_eq!(second.allowance(at(1.0)), Allowance::At(at(11.0)));
        assert_eq!(shared(&budgets, "b", "/query").allowance(at(1.0)), Allowance::Now);
        // Another endpoint: its own until an answer names the limit.
        let mut metrics = shared(&budgets, "a", "/metrics");
        assert_eq!(metrics.allowance(at(1.0)), Allowance::Now);
        metrics.sent(at(1.0));
        metrics.answered(at(1.0), at(1.0), Some(&rate(0.0, 9.0)));
        assert_eq!(metrics.allowance(at(2.0)), Allowance::At(at(11.0)));
    }

    #[test]
    fn calls_of_a_job_that_ended_are_spent() {
        let budgets = Budgets::default();
        let mut first = shared(&budgets, "a", "/query");
        first.sent(at(0.0));
        first.answered(at(0.0), at(0.0), Some(&rate(9.0, 10.0)));
        (0..9).for_each(|_| first.sent(at(1.0)));
        drop(first);
        let mut second = shared(&budgets, "a", "/query");
        assert_eq!(second.allowance(at(2.0)), Allowance::At(at(11.0)));
        assert_eq!(second.allowance(at(11.0)), Allowance::Now, "none of them is in flight");
    }
}
