//! The machine against servers of every temper, on a virtual clock: what each costs in calls.

mod age;
mod clocks;
mod few_calls;
mod limited;
mod mixed;
mod passing;
mod wide;

use super::*;
use crate::clock::Random;
use crate::parse::{CallPosition, Other};
use crate::plan::{LearntLimit, Limits, Plan, PlanIndex, Window};
use crate::query::{Interval, Query, QueryText};
use crate::request::{BudgetKey, Budgets, Failure, Rate, Reserve};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const DAY_S: i64 = 86_400;
const START: i64 = 1_639_267_200; // 2021-12-12T00:00:00Z

fn queries(count: usize) -> Vec<Query> {
    (0..count)
        .map(|n| {
            let unfilled = format!("avg:m{n}{{*}}.rollup(avg,60)");
            let sent = format!("{unfilled}.fill(null)");
            let minute = Interval::from_secs(60).unwrap();
            let text = QueryText::new(format!("avg:m{n}{{*}}"), sent, minute);
            Query::new(text.with_unfilled(unfilled))
        })
        .collect()
}

fn plan(count: usize, days: i64) -> Plan {
    plan_from(START, count, days)
}

fn plan_from(start_s: i64, count: usize, days: i64) -> Plan {
    let range = Window::from_secs(start_s, start_s + days * DAY_S).unwrap();
    let now = Timestamp::from_second(START + 100 * DAY_S).unwrap();
    Plan::new(range, queries(count), &vec![Vec::new(); count], Limits::ASSUMED, now)
}

fn settings() -> Settings {
    Settings {
        concurrency: 8,
        budgets: Budgets::default(),
        budget_key: BudgetKey::of_queries("", None),
        reserve: Reserve::NONE,
        pace: None,
        calls_max: None,
        give_up_after: SignedDuration::from_mins(10),
        limits: Limits::ASSUMED,
        assumed: Limits::ASSUMED,
        seed: 1,
    }
}

/// What a run came to.
#[derive(Debug)]
struct Run {
    calls: u64,
    end: End,
    given_up: BTreeMap<PlanIndex, String>,
    unfilled: BTreeSet<PlanIndex>,
    refused_windows: usize,
    learnt: Vec<LearntLimit>,
    /// Bytes a bucket, as last noted.
    weights: BTreeMap<PlanIndex, Option<u64>>,
    /// Seconds stored per query.
    stored: BTreeMap<PlanIndex, i64>,
    held: Vec<(PlanIndex, Window)>,
}

impl Run {
    fn is_complete(&self, plan: &Plan) -> bool {
        let wanted = plan.asked[nth(0)].unwrap().secs();
        plan.queries.indexes().all(|query| self.stored.get(&query) == Some(&wanted))
    }
}

/// Drives a machine on a virtual clock; every call takes a second.
fn drive(
    plan: &Plan,
    settings: Settings,
    mut server: impl FnMut(u64, &Ask) -> (Result<(), Failure>, Option<Rate>),
) -> Run {
    drive_timed(plan, settings, |call, ask, _| server(call, ask))
}

/// The same for a server that knows how many seconds the run has taken.
fn drive_timed(
    plan: &Plan,
    settings: Settings,
    mut server: impl FnMut(u64, &Ask, i64) -> (Result<(), Failure>, Option<Rate>),
) -> Run {
    drive_machine(Machine::new(plan, &[], settings), |call, ask, passed_s| {
        let (outcome, rate) = server(call, ask, passed_s);
        let facts = Facts {
            bytes: 1_000,
            points: vec![1; ask.queries.len()],
            points_max: 0,
            ..Facts::default()
        };
        (outcome.map(|()| facts), rate)
    })
}

/// The same with a server whose answers have a weight.
fn drive_weighed(
    plan: &Plan,
    settings: Settings,
    mut server: impl FnMut(u64, &Ask) -> (Result<Facts, Failure>, Option<Rate>),
) -> Run {
    drive_machine(Machine::new(plan, &[], settings), |call, ask, _| server(call, ask))
}

fn drive_machine(
    mut machine: Machine,
    mut server: impl FnMut(u64, &Ask, i64) -> (Result<Facts, Failure>, Option<Rate>),
) -> Run {
    let mut now = Timestamp::from_second(START + 100 * DAY_S).unwrap();
    let mut events: Vec<(Timestamp, u64, Event)> = vec![(now, 0, Event::Started)];
    let mut asks: BTreeMap<Call, Ask> = BTreeMap::new();
    let mut run = Run {
        calls: 0,
        end: End::Done,
        given_up: BTreeMap::new(),
        unfilled: BTreeSet::new(),
        refused_windows: 0,
        learnt: Vec::new(),
        weights: BTreeMap::new(),
        stored: BTreeMap::new(),
        held: Vec::new(),
    };
    let mut order = 0;
    let mut wake: Option<Timestamp> = None;
    loop {
        events.sort_by_key(|(at, order, _)| (*at, *order));
        let due = events.first().map(|(at, ..)| *at);
        let event = match (due, wake) {
            (Some(at), woken) if woken.is_none_or(|woken| at <= woken) => events.remove(0),
            (_, Some(woken)) => {
                assert!(woken > now, "the machine wants to be woken in the past");
                (woken, 0, Event::Woke)
            }
            (_, None) => panic!("the machine waits for nothing: {machine:?}"),
        };
        now = now.max(event.0);
        wake = None;
        for action in machine.step(now, event.2) {
            order += 1;
            match action {
                Action::Ask { call, ask } => {
                    run.calls += 1;
                    assert!(run.calls < 5_000, "the run does not end: {:?}", run.learnt);
                    let passed_s = now.as_second() - (START + 100 * DAY_S);
                    let (outcome, rate) = server(call, &ask, passed_s);
                    let answered = Event::Answered { call, outcome, rate };
                    events.push((now + SignedDuration::from_secs(1), order, answered));
                    asks.insert(call, ask);
                }
                Action::Store(call) => {
                    for &query in &asks[&call].queries {
                        *run.stored.entry(query).or_default() += asks[&call].window.secs();
                        run.held.push((query, asks[&call].window));
                    }
                    events.push((now, order, Event::Stored { call }));
                }
                Action::Wake(at) => wake = Some(wake.map_or(at, |other| other.min(at))),
                Action::Record(Decision::GiveUp { query, reason }) => {
                    drop(run.given_up.insert(query, reason.to_string()));
                }
                Action::Record(Decision::SendUnfilled { query }) => run.unfilled.extend([query]),
                Action::Record(Decision::RefuseWindow { .. }) => run.refused_windows += 1,
                Action::Record(Decision::Learn { limit, .. }) => run.learnt.push(limit),
                Action::Record(Decision::Unlearn { limit }) => {
                    run.learnt.push(Limits::ASSUMED.like(limit));
                }
                Action::Record(Decision::Weigh { weights }) => run.weights.extend(weights),
                Action::Discard(_) | Action::Complete(_) | Action::Record(_) => {}
                Action::Finish(end) => {
                    run.end = end;
                    return run;
                }
            }
        }
    }
}

fn refuse(words: &str) -> (Result<(), Failure>, Option<Rate>) {
    (Err(Failure::Refused { words: words.into() }), None)
}

const FINE: (Result<(), Failure>, Option<Rate>) = (Ok(()), None);

fn nth(query: usize) -> PlanIndex {
    PlanIndex::new(query)
}

fn points(ask: &Ask) -> u64 {
    ask.window.points(ask.interval)
}

#[test]
fn a_faultless_run_makes_the_planned_calls() {
    let plan = plan(579, 8);
    let run = drive(&plan, settings(), |_, _| FINE);
    assert!(run.is_complete(&plan));
    assert_eq!((run.calls, run.end), (136, End::Done));
}

#[test]
fn one_bad_query_costs_at_most_fourteen_calls_and_is_given_up_with_the_servers_words() {
    let plan = plan(35, 2);
    for bad in plan.queries.indexes() {
        let run = drive(&plan, settings(), |_, ask| {
            if ask.queries.contains(&bad) { refuse("no such scope") } else { FINE }
        });
        assert_eq!(run.given_up, BTreeMap::from([(bad, "no such scope".to_owned())]));
        // The first batch's 14 replace one planned call; the second window's batch may be on its way already.
        assert!(run.calls <= 14 + 2, "query {bad:?} took {} calls", run.calls);
        let held = run.stored.values().filter(|&&secs| secs == 2 * DAY_S).count();
        assert_eq!(held, 34, "the others are complete");
    }
}

#[test]
fn a_limit_on_queries_per_call_is_learnt_once() {
    for limit in [10, 3, 1] {
        let plan = plan(70, 8);
        let run = drive(&plan, settings(), |_, ask| {
            if ask.queries.len() > limit { refuse("too many queries") } else { FINE }
        });
        assert!(run.is_complete(&plan), "limit {limit}: {run:?}");
        let least = 8 * 70_u64.div_ceil(limit as u64);
        let calls_max = least * 21 / 20 + 7;
        assert!(run.calls <= calls_max, "limit {limit}: {} calls, {least} are needed", run.calls);
    }
}

#[test]
fn a_cap_on_points_is_learnt_once_whether_the_server_refuses_or_coarsens() {
    for (cap, calls_max) in [(350_u64, 90), (300, 112), (120, 325)] {
        for coarsens in [false, true] {
            let plan = plan(35, 20);
            let run = drive(&plan, settings(), |_, ask| match points(ask) > cap {
                true if coarsens => {
                    let got = Interval::from_secs(300).unwrap();
                    let others = vec![Other { query: CallPosition::new(0), got }];
                    (Err(Failure::OtherInterval { others, others_fine: false }), None)
                }
                true => refuse("too many points"),
                false => FINE,
            });
            assert!(run.is_complete(&plan), "cap {cap}: {run:?}");
            assert!(run.calls <= calls_max, "cap {cap}: {} calls, {:?}", run.calls, run.learnt);
            assert!(run.given_up.is_empty());
        }
    }
}

#[test]
fn a_url_limit_is_learnt_once() {
    let plan = plan(70, 4);
    let run = drive(&plan, settings(), |_, ask| {
        if ask.queries.len() > 20 { (Err(Failure::UrlTooLong), None) } else { FINE }
    });
    assert!(run.is_complete(&plan));
    // The first is asked once more: it may be chance.
    assert!(run.calls <= 4 * 5 + 2, "{} calls", run.calls);
}

#[test]
fn time_outs_above_eight_queries_lead_to_shorter_lists() {
    let plan = plan(70, 20);
    let run = drive(&plan, settings(), |_, ask| {
        if ask.queries.len() > 8 {
            (Err(Failure::TimedOut { what: "Query timed out".into() }), None)
        } else {
            FINE
        }
    });
    assert!(run.is_complete(&plan), "{run:?}");
    assert!(run.calls <= 20 * 9 + 30, "{} calls", run.calls);
}

#[test]
fn a_query_whose_added_fill_is_refused_goes_as_written() {
    let plan = plan(35, 3);
    let run = drive(&plan, settings(), |_, ask| {
        if ask.queries.contains(&nth(7)) && ask.form == Form::Sent {
            refuse("fill is not allowed here")
        } else {
            FINE
        }
    });
    assert!(run.is_complete(&plan), "{run:?}");
    assert_eq!(run.unfilled, BTreeSet::from([nth(7)]));
    assert!(run.given_up.is_empty());
}

#[test]
fn transient_failures_cost_one_call_each() {
    let plan = plan(579, 8);
    let run = drive(&plan, settings(), |call, _| {
        if call % 5 == 0 && call <= 120 {
            (Err(Failure::Transient { what: "reset".into() }), None)
        } else {
            FINE
        }
    });
    assert!(run.is_complete(&plan));
    assert_eq!(run.calls, 136 + 24);
}

#[test]
fn a_server_that_never_answers_ends_the_run_after_ten_minutes() {
    let plan = plan(35, 8);
    let run = drive(&plan, settings(), |_, _| {
        (Err(Failure::Transient { what: "connection refused".into() }), None)
    });
    let End::Failed { why } = run.end else { panic!("{:?}", run.end) };
    assert_eq!(why, "no answer came through for 10 minutes; the last failure: connection refused");
    assert!(run.calls < 40, "{} calls", run.calls);
}

#[test]
fn refused_keys_end_the_run_at_once() {
    let plan = plan(579, 8);
    let forbidden = || (Err(Failure::Forbidden { words: "Forbidden".into() }), None);
    let run = drive(&plan, settings(), |_, _| forbidden());
    assert_eq!(
        (run.calls, run.end),
        (1, End::Forbidden { words: "Forbidden".into(), after_success: false })
    );
    let run = drive(&plan, settings(), |call, _| if call > 10 { forbidden() } else { FINE });
    assert_eq!(run.end, End::Forbidden { words: "Forbidden".into(), after_success: true });
    assert!(run.given_up.is_empty() && run.calls < 20);
}

#[test]
fn max_calls_is_honoured_exactly() {
    let plan = plan(579, 8);
    let run = drive(&plan, Settings { calls_max: Some(40), ..settings() }, |_, _| FINE);
    assert_eq!((run.calls, run.end), (40, End::OutOfCalls));
}

#[test]
fn a_query_that_the_server_never_serves_as_asked_is_given_up_naming_what_it_offers() {
    let plan = plan(3, 2);
    let run = drive(&plan, settings(), |_, ask| {
        match ask.queries.iter().position(|&query| query == nth(1)) {
            Some(position) => {
                let got = Interval::from_secs(300).unwrap();
                let others_fine = ask.queries.len() > 1;
                let others = vec![Other { query: CallPosition::new(position), got }];
                (Err(Failure::OtherInterval { others, others_fine }), None)
            }
            None => FINE,
        }
    });
    assert_eq!(run.given_up.len(), 1);
    assert!(run.given_up[&nth(1)].contains("300 s"), "{:?}", run.given_up);
    assert!(run.learnt.is_empty(), "one query teaches nothing about the others: {:?}", run.learnt);
}

#[test]
fn a_query_whose_answers_are_always_garbled_is_given_up_while_the_others_come_through() {
    let plan = plan(70, 4);
    let run = drive(&plan, settings(), |_, ask| {
        if ask.queries.contains(&nth(3)) {
            (Err(Failure::Transient { what: "the answer is not whole".into() }), None)
        } else {
            FINE
        }
    });
    assert_eq!(run.end, End::Done);
    assert_eq!(run.given_up, BTreeMap::from([(nth(3), "the answer is not whole".to_owned())]));
    assert_eq!(run.stored.values().filter(|&&secs| secs == 4 * DAY_S).count(), 69);
    assert!(run.calls < 90, "{} calls", run.calls);
}

/// Found by the simulation: only the diagnosis knew of the refused half, and went when the other half was cut.
#[test]
fn a_refused_half_is_asked_again_when_the_other_half_turns_out_too_large() {
    let plan = plan(2, 1);
    let run = drive(&plan, settings(), |call, ask| match (call, &ask.queries[..]) {
        (1, _) => refuse("not both"),
        (2, [query]) if *query == nth(0) => refuse("not now"),
        (3, [query]) if *query == nth(1) => (Err(Failure::TooLarge), None),
        _ => FINE,
    });
    assert!(run.is_complete(&plan), "{run:?}");
    assert_eq!(run.end, End::Done);
}

/// Found by the simulation: a transient failure, an hour until the reset, another one, and the run was over.
#[test]
fn waiting_for_the_budget_is_no_time_without_success() {
    let plan = plan(35, 4);
    let used_up = || {
        let (name, limit) = ("query".to_owned(), 1.0);
        Some(Rate { name, limit, period_s: 3_600.0, remaining: 0.0, reset_s: 3_600.0 })
    };
    let run = drive(&plan, settings(), |call, _| match call % 4 {
        1 => (Ok(()), used_up()),
        _ => (Err(Failure::Transient { what: "reset".into() }), used_up()),
    });
    assert_eq!(run.end, End::Done);
    assert!(run.is_complete(&plan), "{run:?}");
}

/// Found by the simulation: one endless answer to a small question, and every query's window was given up.
#[test]
fn a_question_that_floods_once_is_asked_again() {
    let plan = plan(4, 1);
    let mut flooded = false;
    let run = drive(&plan, settings(), |_, ask| {
        let is_question = ask.queries.len() == 2 && points(ask) <= u64::from(Limits::POINTS_MIN);
        if is_question && !std::mem::replace(&mut flooded, true) {
            return (Err(Failure::TooLarge), None);
        }
        if ask.queries.len() > 1 { refuse("too many queries") } else { FINE }
    });
    assert!(flooded && run.is_complete(&plan), "{run:?}");
    assert_eq!(run.refused_windows, 0);
}

/// The second of two bad queries in a call was forgotten: neither given up nor asked again.
#[test]
fn every_query_of_a_list_of_bad_ones_is_given_up() {
    for count in [2, 3, 5, 9, 17, 35] {
        let plan = plan(count, 1);
        let run = drive(&plan, settings(), |_, _| refuse("no such scope"));
        assert_eq!(run.end, End::Done);
        assert_eq!(run.given_up.len(), count, "{run:?}");
    }
}

/// With a list of one query or two, the bad one is in every call: none came through, and the run gave up after ten minutes.
#[test]
fn a_query_that_spoils_every_call_is_found_and_the_others_are_complete() {
    for count in [2, 5, 35] {
        for days in [1, 3, 8] {
            let plan = plan(count, days);
            let run = drive(&plan, settings(), |_, ask| {
                if ask.queries.contains(&nth(1)) {
                    (Err(Failure::Unusable { what: "NaN".into() }), None)
                } else {
                    FINE
                }
            });
            assert_eq!(
                (run.end, run.given_up),
                (End::Done, BTreeMap::from([(nth(1), "NaN".to_owned())]))
            );
            let complete = run.stored.values().filter(|&&secs| secs == days * DAY_S).count();
            assert_eq!(complete, count - 1, "{count} queries, {days} days");
        }
    }
}

/// Refusals of several windows waited for a diagnosis that gave their query up: then the run waited for nothing, for ever.
#[test]
fn refusals_that_wait_go_with_the_query_that_is_given_up() {
    let plan = plan(1, 8);
    let run =
        drive(&plan, settings(), |call, _| if call == 1 { FINE } else { refuse("not any more") });
    assert_eq!((run.end, run.given_up.len()), (End::Done, 1));
}

/// Five failures in a row after a success were taken for the query's own: a minute of resets, and the only query was given up.
#[test]
fn an_outage_of_minutes_gives_nothing_up() {
    let failures = [
        Failure::TimedOut { what: "status 504, empty body".into() },
        Failure::Unusable { what: "the body is empty".into() },
        Failure::NotAnApi { words: "a page of HTML".into() },
        Failure::Transient { what: "reset".into() },
    ];
    for failure in &failures {
        for (count, days) in [(1, 1), (1, 5), (2, 2), (3, 5), (35, 5)] {
            for (from, minutes) in [(2, 1), (2, 4), (3, 3), (5, 4)] {
                let plan = plan(count, days);
                let run = drive_timed(&plan, settings(), |call, _, passed_s| {
                    let is_out = call >= from && passed_s < minutes * 60;
                    if is_out { (Err(failure.clone()), None) } else { FINE }
                });
                let about = format!("{count} x {days}, {minutes} min from call {from}: {run:?}");
                assert!(run.is_complete(&plan), "{failure:?} {about}");
            }
        }
    }
}

/// Found by the simulation: a call that was due stood behind one of a query that had been given up meanwhile, which was dropped,
/// and the machine waited for a time that had passed.
#[test]
fn a_call_that_is_due_is_made_after_one_that_is_dropped() {
    for seed in 0..200 {
        let mut random = Random::seeded(seed);
        let settings = Settings { concurrency: 3, seed, ..settings() };
        let run = drive(&plan(2, 5), settings, |_, ask| match random.draw() % 4 {
            0 | 1 => (Err(Failure::Transient { what: "503".into() }), None),
            2 => {
                let (query, got) = (CallPosition::new(0), Interval::from_secs(300).unwrap());
                let others = vec![Other { query, got }];
                (Err(Failure::OtherInterval { others, others_fine: ask.queries.len() > 1 }), None)
            }
            _ => (Ok(()), None),
        });
        assert_eq!(run.end, End::Done, "seed {seed}");
    }
}
