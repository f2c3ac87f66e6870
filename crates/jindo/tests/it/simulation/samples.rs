//! Resolution auto under faults and crashes: samples lead to the same intervals, and so to the same files, whatever happens in
//! between.

use super::crashes::{SMALL, fail_at_effects};
use super::job::Job;
use super::oracle::{Files, faultless_in, same};
use super::session::{Cut, Ended, Manner, Told, session};
use super::temper::{Temper, calm};
use super::world::World;
use super::{Reproduction, seeds};
use jindo::clock::Random;
use jindo::fetch::End;
use jindo::plan::Limits;
use jindo_testing::Doom;

const SAMPLING: Manner =
    Manner { resolution_s: None, limits: Limits { queries: 4, ..Limits::ASSUMED }, ..SMALL };

fn job(seed: u64, queries: usize) -> (Job, Files, Told) {
    let job = Job::new(&mut Random::seeded(seed), queries, 1);
    let (files, told) = faultless_in(&job, &SAMPLING);
    assert!(told.calls > told.planned as u64, "samples are calls as well: {told:?}");
    (job, files, told)
}

#[test]
fn a_server_with_faults_gives_the_files_of_a_calm_one() {
    for seed in seeds(16) {
        let reproduction = Reproduction(seed);
        let mut random = Random::seeded(seed);
        let (job, expected, _) = job(seed, 6);
        let temper = Temper::uncapped(&mut random);
        let manner = Manner { resolution_s: None, limits: SAMPLING.limits, ..temper.manner };
        let temper = Temper { manner, ..temper };
        let mut world = World::new(&job, temper.options.clone(), seed);
        super::seeds::until_done(&mut world, &temper);
        same(&world.files(), &expected);
        assert_eq!(world.strays(), 0);
        let once_more = session(&mut world, &temper.manner, &Cut::Nothing);
        assert_eq!((once_more.planned, once_more.calls), (0, 0), "all is held");
        drop(reproduction);
    }
}

#[test]
fn killed_after_any_action_of_sample_or_fetch() {
    let (job, expected, told) = job(5, 6);
    for actions in super::sampled(told.actions, 5) {
        let reproduction = Reproduction(actions);
        let mut world = World::new(&job, calm(1), actions);
        let first = session(&mut world, &SAMPLING, &Cut::KilledAfter(actions.max(1)));
        world.lose_power();
        let second = session(&mut world, &SAMPLING, &Cut::Nothing);
        assert_eq!(second.ended, Ended::Finished(End::Done));
        same(&world.files(), &expected);
        let most = told.calls + u64::from(SAMPLING.concurrency);
        let calls = first.calls + second.calls;
        assert!(calls <= most, "{calls} calls where {} are needed", told.calls);
        drop(reproduction);
    }
}

#[test]
fn a_crash_or_a_failure_at_any_effect_of_a_sampling_run() {
    let (job, expected, _) = job(5, 10);
    for doom in [Doom::Dies, Doom::FailsOnce] {
        fail_at_effects(doom, 13, &SAMPLING, &|| World::new(&job, calm(1), 1), &expected);
    }
}
