//! Probing first: the files are those of a run that fetches everything, whatever happens in between.

use super::crashes::{SMALL, fail_at_effects, finish};
use super::job::Job;
use super::oracle::{Files, faultless, same};
use super::session::{Cut, Ended, Manner, session};
use super::temper::{Temper, calm};
use super::world::World;
use super::{Reproduction, seeds};
use jiff::SignedDuration;
use jindo::archive::Origin;
use jindo::clock::Random;
use jindo::fetch::End;
use jindo::job::Probing;
use jindo::plan::{Limits, Pace, Window};
use jindo_sim::Options;
use jindo_testing::Doom;

/// Windows of half a day, so that few days are worth a probe.
const SHORT: Limits = Limits { points: 150, queries: 4, ..Limits::ASSUMED };

const PROBING: Manner = Manner { probing: Probing::First, limits: SHORT, ..SMALL };

/// Queries of which many are silent for days.
fn job(seed: u64, queries: usize, days: i64) -> (Job, Files) {
    let job = Job::new(&mut Random::seeded(seed), queries, days);
    let (files, _) = faultless(&job);
    (job, files)
}

/// Seconds of all queries that were covered by a probe.
fn probed_s(world: &World) -> i64 {
    let coverage = world.archive().ledger().coverage_all().unwrap();
    let probed = coverage.values().flatten().filter(|held| held.origin == Origin::Probed);
    probed.map(|held| held.window.secs()).sum()
}

#[test]
fn any_server_gives_the_same_files_after_a_probe() {
    let (mut probed, mut saved) = (0, 0);
    for seed in seeds(16) {
        let reproduction = Reproduction(seed);
        let mut random = Random::seeded(seed);
        let (job, expected) = job(seed, 12, 8);
        let mut temper = Temper::of(&mut random);
        temper.manner = Manner { limits: SHORT, probing: Probing::First, ..temper.manner };
        let mut world = World::new(&job, temper.options.clone(), seed);
        let planned = session(
            &mut World::new(&job, calm(1), 1),
            &Manner { probing: Probing::Never, ..PROBING },
            &Cut::Nothing,
        )
        .planned;
        let sessions = super::seeds::until_done(&mut world, &temper);
        same(&world.files(), &expected);
        assert_eq!(world.strays(), 0);
        let calls: u64 = sessions.iter().map(|told| told.calls).sum();
        if temper.is_predictable() {
            let stats = world.api.stats();
            let refused: u64 =
                stats.rate_windows.iter().map(|window| u64::from(window.refused)).sum();
            let needed = planned as u64 + stats.faults() + refused;
            saved += i64::try_from(needed).unwrap() - i64::try_from(calls).unwrap();
        }
        probed += probed_s(&world);
        let once_more = session(&mut world, &temper.manner, &Cut::Nothing);
        assert_eq!((once_more.planned, once_more.calls), (0, 0), "all is held");
        drop(reproduction);
    }
    assert!(probed > 0 && saved > 0, "{probed} s were not fetched, which saved {saved} calls");
}

#[test]
fn killed_after_any_action_of_probe_or_fetch() {
    let (job, expected) = job(5, 8, 6);
    let mut undisturbed = World::new(&job, calm(1), 1);
    let told = session(&mut undisturbed, &PROBING, &Cut::Nothing);
    assert_eq!(told.ended, Ended::Finished(End::Done));
    assert!(probed_s(&undisturbed) > 0, "something is left out");
    for actions in super::sampled(told.actions, 5) {
        let reproduction = Reproduction(actions);
        let mut world = World::new(&job, calm(1), actions);
        let first = session(&mut world, &PROBING, &Cut::KilledAfter(actions.max(1)));
        world.lose_power();
        let second = session(&mut world, &PROBING, &Cut::Nothing);
        assert_eq!(second.ended, Ended::Finished(End::Done));
        same(&world.files(), &expected);
        let most = told.calls + u64::from(PROBING.concurrency);
        assert!(
            first.calls + second.calls <= most,
            "{} + {} calls where {} are needed",
            first.calls,
            second.calls,
            told.calls
        );
        drop(reproduction);
    }
}

#[test]
fn a_crash_or_a_failure_at_any_effect_of_a_probing_run() {
    let (job, expected) = job(5, 6, 6);
    for doom in [Doom::Dies, Doom::FailsOnce] {
        fail_at_effects(doom, 13, &PROBING, &|| World::new(&job, calm(1), 1), &expected);
    }
}

/// What an earlier probe had told was counted against the later one: more was found empty than was asked, and the run panicked.
#[test]
fn a_range_that_grows_is_probed_again() {
    let (job, expected) = job(5, 12, 12);
    let mut world = World::new(&job, calm(1), 1);
    let middle_s = job.range.start_s() + job.range.secs() / 2;
    world.job.range = Window::from_secs(job.range.start_s(), middle_s).unwrap();
    session(&mut world, &PROBING, &Cut::Nothing);
    let early_s = probed_s(&world);
    world.job.range = job.range;
    let told = session(&mut world, &PROBING, &Cut::Nothing);
    assert_eq!(told.ended, Ended::Finished(End::Done));
    assert!(early_s > 0 && probed_s(&world) > early_s, "something is left out both times");
    same(&world.files(), &expected);
}

/// Points that came after the probe had asked: it is not believed, and what it had left out is fetched in the same run.
#[test]
fn a_probe_that_was_wrong_is_found_out() {
    let (mut job, expected) = job(5, 8, 6);
    // The newest points come later than any are expected; a slow pace lets them come while the run goes on.
    job.begins_s = job.range.end_s() + 51 * 3_600;
    let late = Options { late_s: 60 * 3_600, ..calm(1) };
    let pace = Some(Pace { calls: 1, period_s: 3_600 });
    let mut world = World::new(&job, late, 1);
    let told = session(&mut world, &Manner { pace, ..PROBING }, &Cut::Nothing);
    assert_eq!(told.ended, Ended::Finished(End::Done));
    let discarded = world.archive().ledger().probes_discarded().unwrap();
    assert!(discarded.is_some(), "{:?}", world.archive().ledger().learnt());
    assert_eq!(probed_s(&world), 0);
    same(&world.files(), &expected);
    world.now += SignedDuration::from_hours(24);
    assert_eq!(finish(&mut world).calls, 0);
}
