//! Servers of every temper: the run finishes, the files are those of a faultless run, and no call is without its reason.

use super::job::{Job, below};
use super::oracle::{QUESTIONS_MAX, faultless, same};
use super::session::{Cut, Ended, Told, session};
use super::temper::Temper;
use super::world::World;
use super::{Reproduction, seeds};
use jindo::clock::Random;
use jindo::fetch::End;

/// Seeds of one ordinary test run.
const SEEDS: u64 = 200;

/// Sessions until all is done, at most: a run of five calls at a time needs some.
const SESSIONS_MAX: usize = 300;

#[test]
fn any_server_gives_the_files_of_a_calm_one_by_odd_seeds() {
    run_all(1);
}

/// The other half, so that two cores share the work.
#[test]
fn any_server_gives_the_files_of_a_calm_one_by_even_seeds() {
    run_all(0);
}

fn run_all(parity: u64) {
    for seed in seeds(SEEDS).filter(|seed| seed % 2 == parity) {
        let reproduction = Reproduction(seed);
        run(seed);
        drop(reproduction);
    }
}

fn run(seed: u64) {
    let mut random = Random::seeded(seed);
    let queries = usize::try_from(2 + below(&mut random, 12)).unwrap();
    let days = 1 + below(&mut random, 2);
    let job = Job::new(&mut random, queries, days);
    let temper = Temper::of(&mut random);
    let (expected, _) = faultless(&job);
    let mut world = World::new(&job, temper.options.clone(), seed);
    let sessions = until_done(&mut world, &temper);
    same(&world.files(), &expected);
    check_calls(&world, &temper, &sessions);
    let once_more = session(&mut world, &temper.manner, &Cut::Nothing);
    assert_eq!((once_more.planned, once_more.calls), (0, 0), "all is held");
    same(&world.files(), &expected);
}

pub(super) fn until_done(world: &mut World, temper: &Temper) -> Vec<Told> {
    let mut sessions = Vec::new();
    while sessions.len() < SESSIONS_MAX {
        let told = session(world, &temper.manner, &Cut::Nothing);
        let ended = told.ended.clone();
        if let Some(most) = temper.manner.calls_max {
            let all_used = ended == Ended::Finished(End::OutOfCalls);
            assert!(told.calls <= most && (!all_used || told.calls == most), "{told:?}");
        }
        sessions.push(told);
        match &ended {
            Ended::Finished(End::Done) => return sessions,
            Ended::Finished(End::OutOfCalls) => {}
            Ended::Finished(_) | Ended::Killed | Ended::Broke(_) => {
                panic!("{ended:?} at a server of this temper: {temper:?}")
            }
        }
    }
    panic!("{SESSIONS_MAX} sessions did not finish the job: {temper:?}")
}

fn check_calls(world: &World, temper: &Temper, sessions: &[Told]) {
    let stats = world.api.stats();
    super::tell(1, "simulated servers of any temper");
    super::tell(stats.faults(), "faults of these servers");
    let refused: u64 = stats.rate_windows.iter().map(|window| u64::from(window.refused)).sum();
    let calls: u64 = sessions.iter().map(|told| told.calls).sum();
    assert_eq!(calls, stats.calls_by_path["/api/v1/query"], "no call is lost or made twice");
    if temper.is_alone() {
        assert_eq!(refused, 0, "a 429 of our own making: {:?}", stats.rate_windows);
    }
    if temper.is_predictable() {
        let questions = QUESTIONS_MAX * sessions.len() as u64;
        let needed = sessions[0].planned as u64 + questions + stats.faults() + refused;
        assert!(calls <= needed, "{calls} calls where {needed} have a reason: {temper:?}");
    }
}
