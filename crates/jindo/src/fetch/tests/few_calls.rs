//! Jobs in runs of the fewest calls that `--max-calls` accepts: every run brings the job forward, whatever it has to learn.

use super::*;

/// The fewest calls of a run that may be asked for.
const CALLS_MIN: u64 = 20;

/// Runs that a job of 35 queries over two days may take at most.
const RUNS_MAX: usize = 40;

/// The job of 35 queries over two days in runs of [`CALLS_MIN`] calls; returns how many queries were given up.
fn in_short_runs(server: impl Fn(&Ask) -> (Result<(), Failure>, Option<Rate>)) -> usize {
    let range = Window::from_secs(START, START + 2 * DAY_S).unwrap();
    let now = Timestamp::from_second(START + 100 * DAY_S).unwrap();
    let mut covered = vec![Vec::new(); 35];
    let mut limits = Limits::ASSUMED;
    let mut given_up: BTreeSet<PlanIndex> = BTreeSet::new();
    for _ in 0..RUNS_MAX {
        let mut queries = queries(35);
        for &query in &given_up {
            queries[query.number()].text.alone = true;
        }
        let plan = Plan::new(range, queries, &covered, limits, now);
        if plan.tasks.iter().all(|task| given_up.contains(&task.queries[0])) {
            return given_up.len();
        }
        let tried: Vec<PlanIndex> = given_up.iter().copied().collect();
        let settings = Settings { calls_max: Some(CALLS_MIN), limits, ..settings() };
        let run = drive_machine(Machine::new(&plan, &tried, settings), |_, ask, _| {
            let facts = Facts {
                bytes: 1_000,
                points: vec![1; ask.queries.len()],
                points_max: 0,
                ..Facts::default()
            };
            let (outcome, rate) = server(ask);
            (outcome.map(|()| facts), rate)
        });
        assert!(run.calls <= CALLS_MIN, "{} calls", run.calls);
        for (query, window) in run.held {
            covered[query.number()].push(window);
        }
        limits = run.learnt.into_iter().fold(limits, Limits::with);
        given_up.extend(run.given_up.into_keys());
    }
    panic!("{RUNS_MAX} runs of {CALLS_MIN} calls do not bring the job home")
}

#[test]
fn a_cap_on_points_is_learnt_in_short_runs() {
    let too_many = |ask: &Ask| if points(ask) > 300 { refuse("too many points") } else { FINE };
    assert_eq!(in_short_runs(too_many), 0);
}

#[test]
fn a_limit_on_queries_per_call_is_learnt_in_short_runs() {
    for most in [1, 3, 10] {
        let too_many = |ask: &Ask| if ask.queries.len() > most { refuse("too many") } else { FINE };
        assert_eq!(in_short_runs(too_many), 0);
    }
}

#[test]
fn a_bad_query_is_found_in_short_runs() {
    for bad in [0, 23, 34] {
        let refused =
            |ask: &Ask| if ask.queries.contains(&nth(bad)) { refuse("no such") } else { FINE };
        assert_eq!(in_short_runs(refused), 1);
    }
}
