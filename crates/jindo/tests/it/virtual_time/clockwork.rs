//! The machine on a virtual clock against a rate limit and a server's temper, and nothing else: no data, no archive. Tells
//! in an instant what a job takes in hours. Shared by the tests and the benchmark; the calendar windows are a model of its
//! own, so that the budget and its judge share no code.

use super::temper::{EASY, Temper};
use jiff::{SignedDuration, Timestamp};
use jindo::clock::Random;
use jindo::fetch::{
    Action, Ask, Call, Decision, End, Event, Forecast, Machine, Milestone, Settings,
};
use jindo::plan::{LearntLimit, Limits, PerQuery, Plan, PlanIndex, Window, union};
use jindo::query::{Interval, Query, QueryText};
use jindo::request::{BudgetKey, Budgets, Failure, Rate, Reserve};
use std::collections::BTreeMap;

/// 2021-12-12T00:00:00Z: the article's range begins here.
const START_S: i64 = 1_639_267_200;

const DAY_S: i64 = 86_400;

/// Calls of one run, at most; more is a run that does not end.
const CALLS_MAX: u64 = 100_000;

/// How the server writes the seconds until a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    Up,
    Down,
    Nearest,
}

/// A job, a limit, and how the world behaves.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) queries: usize,
    pub(crate) days: i64,
    pub(crate) interval_s: u32,
    /// Calls per `period_s`.
    pub(crate) limit: u32,
    pub(crate) period_s: u32,
    /// Milliseconds, at least and at most.
    pub(crate) latency_ms: (u64, u64),
    /// What others use of the limit, in percent, evenly over each window.
    pub(crate) others_percent: u32,
    pub(crate) reserve: Reserve,
    pub(crate) rounding: Rounding,
    /// Milliseconds into a window at which the run starts.
    pub(crate) starts_ms: u64,
    pub(crate) concurrency: usize,
    pub(crate) temper: Temper,
}

/// The article's job: 579 queries, 96 days, a point a minute, alone on the documented limit, of which nothing is
/// left to others.
pub(crate) const ARTICLE: Setting = Setting {
    queries: 579,
    days: 96,
    interval_s: 60,
    limit: 3_600,
    period_s: 3_600,
    latency_ms: (500, 5_000),
    others_percent: 0,
    reserve: Reserve::NONE,
    rounding: Rounding::Nearest,
    starts_ms: 0,
    concurrency: 8,
    temper: EASY,
};

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// With the limits as they are assumed.
    pub(crate) planned: usize,
    /// By a plan that had known the server's temper.
    pub(crate) needed: usize,
    pub(crate) calls: u64,
    /// Calls answered with 429.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    /// Calls made from the first answer on, of those that the limit allowed in that time.
    pub(crate) share: f64,
    /// Most calls let through in one window.
    pub(crate) fullest: u32,
    /// Queries of which every second was stored, and stored once.
    pub(crate) complete: usize,
    pub(crate) given_up: usize,
    /// What was promised once an answer of the planned size had come through, and the seconds it then took.
    pub(crate) promise: Option<(Forecast, f64)>,
    /// In the order learnt.
    pub(crate) learnt: Vec<LearntLimit>,
}

impl Outcome {
    /// Calls beyond those that a plan that had known everything would have made, in percent of these.
    pub(crate) fn learning_percent(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let percent = (self.calls as f64 / self.needed as f64 - 1.0) * 100.0;
        percent
    }
}

/// Runs the job to its end.
pub(crate) fn run(setting: &Setting) -> Outcome {
    let true_weight = |query| Some(setting.temper.bytes_per_bucket(query));
    let limits = setting.temper.limits();
    let (few, cap) = setting.temper.few(setting.queries);
    let calls = |queries, limits| {
        plan(&Setting { queries, ..setting.clone() }, limits, true_weight).calls()
    };
    let fewest = if few > 0 { calls(few, Limits { points: cap, ..limits }) } else { 0 };
    let needed = calls(setting.queries - few, limits) + fewest;
    run_plan(setting, &plan(setting, Limits::ASSUMED, |_| None), needed)
}

/// Makes the plan's calls; `needed` of them would do.
pub(crate) fn run_plan(setting: &Setting, plan: &Plan, needed: usize) -> Outcome {
    let settings = Settings {
        concurrency: setting.concurrency,
        budgets: Budgets::default(),
        budget_key: BudgetKey::of_queries("", None),
        reserve: setting.reserve,
        pace: None,
        calls_max: None,
        give_up_after: SignedDuration::from_mins(10),
        limits: Limits::ASSUMED,
        assumed: Limits::ASSUMED,
        seed: 1,
    };
    let period_ms = i64::from(setting.period_s) * 1_000;
    let window_ms = (START_S + 100 * DAY_S) * 1_000 / period_ms * period_ms;
    let starts_ms = window_ms + i64::try_from(setting.starts_ms).expect("within a window");
    let clockwork = Clockwork {
        setting,
        plan,
        machine: Machine::new(plan, &[], settings),
        now: Timestamp::from_millisecond(starts_ms).expect("2022"),
        coming: BTreeMap::new(),
        order: 0,
        random: Random::seeded(setting.starts_ms ^ u64::from(setting.limit)),
        windows: BTreeMap::new(),
        asks: BTreeMap::new(),
        kept: PerQuery::filled(Vec::new(), plan.queries.len()),
        given_up: 0,
        learnt: Vec::new(),
        refused: 0,
        first_answer: None,
        promise: None,
        measured_since: None,
    };
    clockwork.run(needed)
}

/// All that the job asks for.
pub(crate) fn plan(
    setting: &Setting,
    limits: Limits,
    weight: impl Fn(usize) -> Option<u64>,
) -> Plan {
    let interval = Interval::from_secs(setting.interval_s).expect("more than nothing");
    let query = |number: usize| {
        let what = format!("aws.service{number:03}.some_metric_name_of_usual_length");
        let unfilled = format!("avg:{what}{{environment:production}} by {{region,name}}");
        let unfilled = format!("{unfilled}.rollup(avg, {})", setting.interval_s);
        let sent = format!("{unfilled}.fill(null)");
        let text = QueryText::new(unfilled.as_str(), sent, interval).with_unfilled(unfilled);
        Query { text, weight: weight(number) }
    };
    let range = Window::from_secs(START_S, START_S + setting.days * DAY_S).expect("some days");
    let now = Timestamp::from_second(START_S + 100 * DAY_S).expect("2022");
    let nothing = vec![Vec::new(); setting.queries];
    Plan::new(range, (0..setting.queries).map(query).collect(), &nothing, limits, now)
}

enum Coming {
    Arrives(Call),
    Answered(Call, Rate, Verdict),
    Stored(Call),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    Limited,
}

struct Clockwork<'a> {
    setting: &'a Setting,
    plan: &'a Plan,
    machine: Machine,
    now: Timestamp,
    coming: BTreeMap<(Timestamp, u64), Coming>,
    order: u64,
    random: Random,
    /// Calls let through, by the window's number.
    windows: BTreeMap<i64, u32>,
    asks: BTreeMap<Call, Ask>,
    /// Windows stored, per query.
    kept: PerQuery<Vec<Window>>,
    given_up: usize,
    learnt: Vec<LearntLimit>,
    refused: u64,
    first_answer: Option<Timestamp>,
    promise: Option<(Forecast, Timestamp)>,
    measured_since: Option<Milestone>,
}

impl Clockwork<'_> {
    fn run(mut self, needed: usize) -> Outcome {
        let start = self.now;
        let mut event = Some(Event::Started);
        let mut wake: Option<Timestamp> = None;
        loop {
            if let Some(event) = event.take() {
                wake = None;
                for action in self.machine.step(self.now, event) {
                    if let Action::Finish(end) = action {
                        assert_eq!(end, End::Done);
                        return self.outcome(start, needed);
                    }
                    if let Action::Wake(at) = action {
                        wake = Some(wake.map_or(at, |other: Timestamp| other.min(at)));
                    }
                    self.perform(action);
                }
                if self.promise.is_none_or(|(promise, _)| promise.secs.is_none()) {
                    let elapsed = self.now.duration_since(start);
                    let progress = self.machine.progress();
                    let answered = progress.answered();
                    let since = self.measured_since;
                    let promise = Forecast::new(
                        &progress,
                        elapsed,
                        self.now,
                        self.setting.concurrency,
                        since,
                    );
                    if promise.is_some() {
                        self.measured_since = since.or(Some(Milestone { at: self.now, answered }));
                    }
                    self.promise = promise.map(|promise| (promise, self.now));
                }
            }
            let next = self.coming.first_key_value().map(|((at, _), _)| *at);
            event = match (next, wake) {
                (None, None) => panic!("the machine waits for nothing"),
                (Some(at), woken) if woken.is_none_or(|woken| at <= woken) => self.next_event(),
                (_, woken) => {
                    self.now = self.now.max(woken.expect("one of both is there"));
                    Some(Event::Woke)
                }
            };
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        let ((at, _), coming) = self.coming.pop_first().expect("something comes");
        self.now = at;
        match coming {
            Coming::Arrives(call) => {
                self.arrive(call);
                None
            }
            Coming::Answered(call, rate, verdict) => {
                self.first_answer.get_or_insert(at);
                let outcome = match verdict {
                    Verdict::Fine => self.setting.temper.answer(&self.asks[&call], self.plan),
                    Verdict::Limited => {
                        let rate = Some(rate.clone());
                        Err(Failure::Limited { rate, retry_after: None })
                    }
                };
                Some(Event::Answered { call, outcome, rate: Some(rate) })
            }
            Coming::Stored(call) => Some(Event::Stored { call }),
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Ask { call, ask } => {
                assert!(call < CALLS_MAX, "the run does not end");
                self.asks.insert(call, ask);
                let way = self.random.draw() % (self.setting.latency_ms.0 + 1);
                self.later(way, Coming::Arrives(call));
            }
            Action::Store(call) => {
                let Ask { queries, window, .. } = &self.asks[&call];
                for &query in queries {
                    self.kept[query].push(*window);
                }
                self.later(100, Coming::Stored(call));
            }
            Action::Record(Decision::Learn { limit, .. }) => self.learnt.push(limit),
            Action::Record(Decision::Unlearn { limit }) => {
                self.learnt.push(Limits::ASSUMED.like(limit));
            }
            Action::Record(Decision::GiveUp { .. }) => self.given_up += 1,
            Action::Complete(_)
            | Action::Discard(_)
            | Action::Record(
                Decision::Confirm { .. } | Decision::Weigh { .. } | Decision::Trust { .. },
            )
            | Action::Wake(_)
            | Action::Finish(_) => {}
            Action::Record(
                Decision::SendUnfilled { .. }
                | Decision::RefuseWindow { .. }
                | Decision::Reopen { .. },
            ) => {
                panic!("no temper has a reason for it: {action:?}")
            }
        }
    }

    /// The server counts the call in the window in which it arrives, and says at once what is left.
    fn arrive(&mut self, call: Call) {
        let setting = self.setting;
        let period_ms = i64::from(setting.period_s) * 1_000;
        let (window, passed_ms) = {
            let now_ms = self.now.as_millisecond();
            (now_ms.div_euclid(period_ms), now_ms.rem_euclid(period_ms))
        };
        let others = i64::from(setting.limit) * i64::from(setting.others_percent) * passed_ms
            / 100
            / period_ms;
        let used = self.windows.entry(window).or_default();
        let free = i64::from(setting.limit) - i64::from(*used) - others;
        let verdict = if free > 0 { Verdict::Fine } else { Verdict::Limited };
        if verdict == Verdict::Fine {
            *used += 1;
        } else {
            self.refused += 1;
        }
        let left = u32::try_from(free - 1).unwrap_or(0);
        let reset_ms = period_ms - passed_ms;
        let rounded_s = match setting.rounding {
            Rounding::Up => (reset_ms + 999) / 1_000,
            Rounding::Down => reset_ms / 1_000,
            Rounding::Nearest => (reset_ms + 500) / 1_000,
        };
        let rate = Rate {
            name: "query".into(),
            limit: f64::from(setting.limit),
            period_s: f64::from(setting.period_s),
            remaining: f64::from(left),
            reset_s: f64::from(u32::try_from(rounded_s).expect("seconds of a period")),
        };
        let (least, most) = setting.latency_ms;
        let took = least + self.random.draw() % (most - least + 1);
        self.later(took, Coming::Answered(call, rate, verdict));
    }

    fn later(&mut self, ms: u64, coming: Coming) {
        self.order += 1;
        let ms = SignedDuration::from_millis(i64::try_from(ms).expect("a latency"));
        self.coming.insert((self.now + ms, self.order), coming);
    }

    fn outcome(self, start: Timestamp, needed: usize) -> Outcome {
        let whole = |(query, kept): (PlanIndex, &Vec<Window>)| {
            let secs: i64 = kept.iter().map(|window| window.secs()).sum();
            let asked = self.plan.asked[query].expect("the range is aligned");
            union(kept) == [asked] && secs == asked.secs()
        };
        let complete = self.kept.indexed().filter(|&kept| whole(kept)).count();
        let calls = self.machine.progress().calls_made;
        let first = self.first_answer.unwrap_or(start);
        let elapsed = self.now.duration_since(first).as_secs_f64();
        let setting = self.setting;
        let free = 100.0 - f64::from(setting.others_percent);
        let rate = f64::from(setting.limit) * free / 100.0 / f64::from(setting.period_s);
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let share = (calls - 1) as f64 / (rate * elapsed);
        Outcome {
            planned: self.plan.calls(),
            needed,
            complete,
            given_up: self.given_up,
            promise: self
                .promise
                .map(|(promise, since)| (promise, self.now.duration_since(since).as_secs_f64())),
            learnt: self.learnt,
            calls,
            refused: self.refused,
            seconds: self.now.duration_since(start).as_secs_f64(),
            share,
            fullest: self.windows.values().copied().max().unwrap_or(0),
        }
    }
}
