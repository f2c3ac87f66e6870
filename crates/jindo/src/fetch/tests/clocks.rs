//! A clock that jumps, at any step of a run: it neither hangs, nor spins, nor gives up.

use super::{FINE, drive, plan, points, settings};
use crate::clock::Steady;
use crate::fetch::{Action, Call, Decision, End, Event, Facts, Machine};
use crate::request::{Failure, Rate};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Calls that the server lets through in a minute.
const LIMIT: u64 = 5;

/// Steps of the machine: each call is one, its keeping another, and so is every wait.
const STEPS_MAX: u64 = 500;

/// What happens to the clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Jump {
    /// Somebody sets the calendar.
    Set(SignedDuration),
    /// The machine sleeps: its stopwatch stands still, the world goes on.
    Sleep,
}

/// Both clocks of a machine, and the world's own time.
struct Clocks {
    steady: Steady,
    stopwatch: Instant,
    calendar: Timestamp,
    /// Seconds since the start.
    truth_s: f64,
}

impl Clocks {
    fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an instant to count from; there is no other"
        )]
        let stopwatch = Instant::now();
        let calendar = Timestamp::from_second(super::START + 100 * super::DAY_S).unwrap();
        Self { steady: Steady::starting(calendar, stopwatch), stopwatch, calendar, truth_s: 0.0 }
    }

    fn now(&mut self) -> Timestamp {
        self.steady.read(self.calendar, self.stopwatch)
    }

    fn run(&mut self, secs: f64) {
        self.stopwatch += Duration::from_secs_f64(secs);
        self.calendar += SignedDuration::from_secs_f64(secs);
        self.truth_s += secs;
    }

    fn jump(&mut self, jump: Jump) {
        match jump {
            Jump::Set(by) => self.calendar += by,
            Jump::Sleep => {
                self.calendar += HOUR;
                self.truth_s += HOUR.as_secs_f64();
            }
        }
    }
}

/// A server with a limit a minute, which fails six times in a row.
#[derive(Default)]
struct Server {
    calls: u64,
    windows: BTreeMap<u64, u64>,
}

impl Server {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    fn answer(&mut self, truth_s: f64) -> (Result<(), Failure>, Rate) {
        self.calls += 1;
        let window = (truth_s / 60.0) as u64;
        let used = self.windows.entry(window).or_default();
        *used += 1;
        let rate = Rate {
            name: "query".into(),
            limit: LIMIT as f64,
            period_s: 60.0,
            remaining: LIMIT.saturating_sub(*used) as f64,
            reset_s: (60.0 * (window + 1) as f64 - truth_s).ceil(),
        };
        let outcome = if *used > LIMIT {
            Err(Failure::Limited { rate: Some(rate.clone()), retry_after: None })
        } else if (4..10).contains(&self.calls) {
            Err(Failure::Transient { what: "reset".into() })
        } else {
            Ok(())
        };
        (outcome, rate)
    }
}

/// What a run came to.
#[derive(Debug)]
struct Told {
    end: End,
    calls: u64,
    steps: u64,
    /// Seconds by the stopwatch.
    took_s: f64,
    stored_s: i64,
}

/// Runs the job; before step number `at` the clocks jump.
fn run(jump: Option<(u64, Jump)>) -> Told {
    let plan = plan(35, 40);
    let mut machine = Machine::new(&plan, &[], settings());
    let mut clocks = Clocks::start();
    let began = clocks.stopwatch;
    let mut server = Server::default();
    let mut told = Told { end: End::Done, calls: 0, steps: 0, took_s: 0.0, stored_s: 0 };
    let mut coming: Vec<(Instant, Event)> = vec![(began, Event::Started)];
    let mut windows: BTreeMap<Call, i64> = BTreeMap::new();
    let mut wake: Option<Timestamp> = None;
    loop {
        if let Some((_, jump)) = jump.filter(|(at, _)| *at == told.steps) {
            clocks.jump(jump);
        }
        let now = clocks.now();
        coming.sort_by_key(|(at, _)| *at);
        let next = coming.first().map(|(at, _)| at.saturating_duration_since(clocks.stopwatch));
        let woken = wake.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        let (wait, event) = match (next, woken) {
            (Some(next), woken) if woken.is_none_or(|woken| next <= woken) => {
                (next, coming.remove(0).1)
            }
            (_, Some(woken)) => (woken, Event::Woke),
            (_, None) => panic!("it waits for nothing: {machine:?}"),
        };
        clocks.run(wait.as_secs_f64());
        wake = None;
        told.steps += 1;
        assert!(told.steps < STEPS_MAX, "it spins: {jump:?}");
        let now = clocks.now();
        for action in machine.step(now, event) {
            match action {
                Action::Ask { call, ask } => {
                    told.calls += 1;
                    windows.insert(call, ask.window.secs() * 35);
                    let (outcome, rate) = server.answer(clocks.truth_s);
                    let facts = Facts {
                        bytes: 1_000,
                        points: vec![1; 35],
                        points_max: 0,
                        ..Facts::default()
                    };
                    let outcome = outcome.map(|()| facts);
                    let answered = Event::Answered { call, outcome, rate: Some(rate) };
                    coming.push((clocks.stopwatch + Duration::from_secs(1), answered));
                }
                Action::Store(call) => {
                    told.stored_s += windows[&call];
                    coming.push((clocks.stopwatch, Event::Stored { call }));
                }
                Action::Wake(at) => wake = Some(wake.map_or(at, |other| other.min(at))),
                Action::Finish(end) => {
                    told.end = end;
                    told.took_s = clocks.stopwatch.duration_since(began).as_secs_f64();
                    return told;
                }
                Action::Complete(_) | Action::Record(Decision::Weigh { .. }) => {}
                Action::Discard(_) | Action::Record(_) => {
                    panic!("a jump teaches nothing: {action:?}")
                }
            }
        }
    }
}

#[test]
fn a_jump_of_an_hour_at_any_step_costs_no_more_than_a_few_calls() {
    let plain = run(None);
    assert_eq!((plain.end.clone(), plain.calls), (End::Done, 40 + 6), "{plain:?}");
    for jump in [Jump::Set(HOUR), Jump::Set(-HOUR), Jump::Sleep] {
        for at in 0..plain.steps {
            let told = run(Some((at, jump)));
            assert_eq!(told.end, End::Done, "{jump:?} at step {at}");
            assert_eq!(told.stored_s, plain.stored_s, "{jump:?} at step {at}");
            // Set ahead it believes the limit's window to be over, once.
            assert!(told.calls <= plain.calls + 8, "{jump:?} at step {at}: {told:?}");
            assert!(told.took_s <= plain.took_s + 121.0, "{jump:?} at step {at}: {told:?}");
        }
    }
}

/// The last failure before a night's sleep and the first after it were nine hours without success.
#[test]
fn a_sleep_between_two_failures_is_not_a_time_without_success() {
    let plan = plan(35, 2);
    let mut machine = Machine::new(&plan, &[], settings());
    let mut now = Timestamp::from_second(super::START + 100 * super::DAY_S).unwrap();
    machine.step(now, Event::Started);
    let broken = |call| Event::Answered {
        call,
        outcome: Err(Failure::Transient { what: "reset".into() }),
        rate: None,
    };
    let actions = machine.step(now, broken(1));
    let Some(Action::Ask { call, .. }) =
        actions.into_iter().find(|action| matches!(action, Action::Ask { .. }))
    else {
        panic!("the other task goes at once")
    };
    now += 9 * HOUR;
    let actions = machine.step(now, broken(call));
    assert!(!actions.iter().any(|action| matches!(action, Action::Finish(_))), "{actions:?}");
}

/// Found on the wire: no answer at all, and the one call that waited for it took the whole patience of the run.
#[test]
fn silence_still_ends_a_run() {
    let plan = plan(35, 8);
    let run = drive(&plan, settings(), |call, ask| {
        if call == 1 && points(ask) > 0 {
            return FINE;
        }
        (Err(Failure::Transient { what: "no answer in time".into() }), None)
    });
    assert!(matches!(run.end, End::Failed { .. }), "{:?}", run.end);
}
