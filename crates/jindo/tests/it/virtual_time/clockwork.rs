//! The machine on a virtual clock against a rate limit and nothing else: no data, no archive. Answers in an instant what
//! a job takes in hours. Shared by the tests and the benchmark; the calendar windows are a model of its own, so that the
//! budget and its judge share no code.

use jiff::{SignedDuration, Timestamp};
use jindo::clock::Random;
use jindo::plan::{Limits, Plan, Window};
use jindo::query::{Interval, Query};
use jindo::request::{Failure, Rate, Reserve};
use jindo::run::{Action, Call, End, Event, Facts, Machine, Settings};
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
}

/// The article's job: 579 queries, 96 days, a point a minute, alone on the documented limit.
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
};

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) planned: usize,
    pub(crate) calls: u64,
    /// Calls answered with 429.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    /// Calls made from the first answer on, of those that the limit allowed in that time.
    pub(crate) share: f64,
    /// Most calls let through in one window.
    pub(crate) fullest: u32,
}

/// Runs the job to its end.
pub(crate) fn run(setting: &Setting) -> Outcome {
    let plan = plan(setting);
    let settings = Settings {
        concurrency: setting.concurrency,
        reserve: setting.reserve,
        pace: None,
        calls_max: None,
        give_up_after: SignedDuration::from_mins(10),
        limits: Limits::ASSUMED,
        seed: 1,
    };
    let period_ms = i64::from(setting.period_s) * 1_000;
    let window_ms = (START_S + 100 * DAY_S) * 1_000 / period_ms * period_ms;
    let starts_ms = window_ms + i64::try_from(setting.starts_ms).expect("within a window");
    let clockwork = Clockwork {
        setting,
        machine: Machine::new(&plan, &[], settings),
        now: Timestamp::from_millisecond(starts_ms).expect("2022"),
        coming: BTreeMap::new(),
        order: 0,
        random: Random::seeded(setting.starts_ms ^ u64::from(setting.limit)),
        windows: BTreeMap::new(),
        sizes: BTreeMap::new(),
        refused: 0,
        first_answer: None,
    };
    clockwork.run(plan.calls())
}

fn plan(setting: &Setting) -> Plan {
    let interval = Interval::from_secs(setting.interval_s).expect("more than nothing");
    let query = |number| {
        let unfilled = format!("avg:aws.service{number}.some_metric_name{{*}} by {{name}}");
        let unfilled = format!("{unfilled}.rollup(avg, {})", setting.interval_s);
        Query {
            written: unfilled.clone(),
            sent: format!("{unfilled}.fill(null)"),
            unfilled: Some(unfilled),
            interval,
            alone: false,
        }
    };
    let range = Window::from_secs(START_S, START_S + setting.days * DAY_S).expect("some days");
    let now = Timestamp::from_second(START_S + 100 * DAY_S).expect("2022");
    let nothing = vec![Vec::new(); setting.queries];
    Plan::new(range, (0..setting.queries).map(query).collect(), &nothing, Limits::ASSUMED, now)
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
    machine: Machine,
    now: Timestamp,
    coming: BTreeMap<(Timestamp, u64), Coming>,
    order: u64,
    random: Random,
    /// Calls let through, by the window's number.
    windows: BTreeMap<i64, u32>,
    /// Queries and points of each call.
    sizes: BTreeMap<Call, (usize, u64)>,
    refused: u64,
    first_answer: Option<Timestamp>,
}

impl Clockwork<'_> {
    fn run(mut self, planned: usize) -> Outcome {
        let start = self.now;
        let mut event = Some(Event::Started);
        let mut wake: Option<Timestamp> = None;
        loop {
            if let Some(event) = event.take() {
                wake = None;
                for action in self.machine.step(self.now, event) {
                    if let Action::Finish { end } = action {
                        assert_eq!(end, End::Done);
                        return self.outcome(start, planned);
                    }
                    if let Action::Wake { at } = action {
                        wake = Some(wake.map_or(at, |other: Timestamp| other.min(at)));
                    }
                    self.perform(action);
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
                let (queries, points) = self.sizes[&call];
                let facts = Facts {
                    bytes: queries as u64 * points * 50,
                    points: vec![points; queries],
                    points_max: u32::try_from(points).expect("a window's points"),
                };
                let outcome = match verdict {
                    Verdict::Fine => Ok(facts),
                    Verdict::Limited => Err(Failure::Limited { rate: Some(rate.clone()) }),
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
                self.sizes.insert(call, (ask.queries.len(), ask.window.points(ask.interval)));
                let way = self.random.draw() % (self.setting.latency_ms.0 + 1);
                self.later(way, Coming::Arrives(call));
            }
            Action::Store { call } => self.later(100, Coming::Stored(call)),
            Action::Complete { .. } | Action::Wake { .. } | Action::Finish { .. } => {}
            Action::Discard { .. }
            | Action::Learn { .. }
            | Action::SendUnfilled { .. }
            | Action::GiveUp { .. }
            | Action::RefuseWindow { .. } => panic!("nothing is to be learnt here: {action:?}"),
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

    fn outcome(self, start: Timestamp, planned: usize) -> Outcome {
        let calls = self.machine.progress().calls_made;
        let first = self.first_answer.unwrap_or(start);
        let elapsed = self.now.duration_since(first).as_secs_f64();
        let setting = self.setting;
        let free = 100.0 - f64::from(setting.others_percent);
        let rate = f64::from(setting.limit) * free / 100.0 / f64::from(setting.period_s);
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let share = (calls - 1) as f64 / (rate * elapsed);
        Outcome {
            planned,
            calls,
            refused: self.refused,
            seconds: self.now.duration_since(start).as_secs_f64(),
            share,
            fullest: self.windows.values().copied().max().unwrap_or(0),
        }
    }
}
