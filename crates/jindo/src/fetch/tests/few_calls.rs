//! Runs of a few calls each: what one does not come to the end of, the next goes on with.

use super::*;

/// The job of 35 queries over two days in runs of `calls_max`. The calls of all runs, and how many queries were given up.
fn in_runs_of(
    calls_max: u64,
    server: impl Fn(&Ask) -> (Result<(), Failure>, Option<Rate>),
) -> (u64, usize) {
    let range = Window::from_secs(START, START + 2 * DAY_S).unwrap();
    let now = Timestamp::from_second(START + 100 * DAY_S).unwrap();
    let mut covered = vec![Vec::new(); 35];
    let (mut memory, mut limits, mut calls) = (Memory::default(), Limits::ASSUMED, 0);
    let mut given_up: BTreeSet<PlanIndex> = BTreeSet::new();
    for _ in 0..2_000 {
        let mut queries = queries(35);
        for &query in &given_up {
            queries[query.number()].text.alone = true;
        }
        let plan = Plan::new(range, queries, &covered, limits, now);
        if plan.tasks.iter().all(|task| given_up.contains(&task.queries[0])) {
            return (calls, given_up.len());
        }
        let tried: Vec<PlanIndex> = given_up.iter().copied().collect();
        let settings = Settings { calls_max: Some(calls_max), limits, ..settings() };
        let machine = Machine::new(&plan, &tried, settings).recalling(std::mem::take(&mut memory));
        let run = drive_machine(machine, |_, ask, _| {
            let facts = Facts { bytes: 1_000, points: vec![1; ask.queries.len()], points_max: 0 };
            let (outcome, rate) = server(ask);
            (outcome.map(|()| facts), rate)
        });
        calls += run.calls;
        for (query, window) in run.held {
            covered[query.number()].push(window);
        }
        limits = run.learnt.into_iter().fold(limits, Limits::with);
        given_up.extend(run.given_up.into_keys());
        memory = run.memory;
    }
    panic!("runs of {calls_max} calls get nowhere: {calls} calls")
}

/// What few calls may cost beside one run: here and there a question is asked again, since the plan is another.
#[track_caller]
fn check(calls_max: u64, server: impl Fn(&Ask) -> (Result<(), Failure>, Option<Rate>)) -> usize {
    let (at_once, _) = in_runs_of(1_000, &server);
    let (calls, given_up) = in_runs_of(calls_max, &server);
    assert!(calls <= at_once + at_once / 2 + 10, "runs of {calls_max}: {calls}, {at_once} at once");
    given_up
}

#[test]
fn a_cap_is_learnt_by_runs_of_fewer_calls_than_its_diagnosis_takes() {
    for calls_max in 1..8 {
        let too_many = |ask: &Ask| if points(ask) > 300 { refuse("too many points") } else { FINE };
        assert_eq!(check(calls_max, too_many), 0);
    }
}

#[test]
fn a_limit_on_lists_is_learnt_by_runs_of_fewer_calls_than_its_diagnosis_takes() {
    for calls_max in 2..8 {
        for most in [1, 10] {
            assert_eq!(
                check(calls_max, |ask| if ask.queries.len() > most {
                    refuse("too many")
                } else {
                    FINE
                }),
                0
            );
        }
    }
}

/// One call a run never compares two, and so learns no length; it comes home all the same.
#[test]
fn runs_of_one_call_come_home() {
    let alone = |ask: &Ask| if ask.queries.len() > 1 { refuse("too many") } else { FINE };
    assert_eq!(in_runs_of(1, alone).1, 0);
}

#[test]
fn a_bad_query_is_found_by_runs_of_fewer_calls_than_that_takes() {
    for calls_max in 1..8 {
        let bad = |ask: &Ask| if ask.queries.contains(&nth(23)) { refuse("no such") } else { FINE };
        assert_eq!(check(calls_max, bad), 1);
    }
}
