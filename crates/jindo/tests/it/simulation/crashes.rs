//! A crash anywhere: what was covered is never asked again, and the files become those of a run without a crash.

use super::Reproduction;
use super::job::Job;
use super::oracle::{Files, faultless, same};
use super::session::{Cut, Ended, Manner, Told, session};
use super::temper::calm;
use super::world::World;
use jiff::SignedDuration;
use jindo::clock::Random;
use jindo::fetch::End;
use jindo::plan::{Limits, Window, subtract};
use jindo_sim::Options;
use jindo_testing::{Doom, Fuse};
use std::collections::BTreeMap;

/// Few queries in short windows: a run of a dozen calls, and every kind of effect.
pub(super) const SMALL: Manner = Manner {
    limits: Limits { points: 150, queries: 2, ..Limits::ASSUMED },
    concurrency: 3,
    ..Manner::PLAIN
};

fn small() -> (Job, Files, u64) {
    let job = Job::new(&mut Random::seeded(3), 8, 1);
    let (files, _) = faultless(&job);
    let calls = finish(&mut World::new(&job, calm(1), 1)).calls;
    assert!(calls >= 6, "it is a test of several calls");
    (job, files, calls)
}

/// The next process, undisturbed.
pub(super) fn finish(world: &mut World) -> Told {
    let told = session(world, &SMALL, &Cut::Nothing);
    assert_eq!(told.ended, Ended::Finished(End::Done));
    told
}

/// Returns the gaps of the range, in seconds of all queries.
fn missing_s(world: &World) -> i64 {
    let covered: BTreeMap<String, Vec<Window>> = world.covered();
    let gaps = |query: &jindo::query::Query| {
        let asked = world.job.range.aligned(query.text.interval).unwrap();
        let held = covered.get(query.text.sent.as_str()).map_or(&[][..], Vec::as_slice);
        subtract(asked, held).into_iter().map(Window::secs).sum::<i64>()
    };
    world.job.queries.iter().map(gaps).sum()
}

#[test]
fn killed_after_every_single_action() {
    let (job, expected, calls) = small();
    for actions in 1.. {
        let reproduction = Reproduction(actions);
        let mut world = World::new(&job, calm(1), actions);
        let first = session(&mut world, &SMALL, &Cut::KilledAfter(actions));
        world.lose_power();
        let missing = missing_s(&world);
        let second = finish(&mut world);
        same(&world.files(), &expected);
        let in_the_air = u64::from(SMALL.concurrency);
        assert!(first.calls + second.calls <= calls + in_the_air, "after {actions} actions");
        assert!(missing > 0 || second.calls == 0, "all was held after {actions} actions");
        drop(reproduction);
        if first.ended != Ended::Killed {
            assert!(actions > 3 * calls, "every call is asked, stored and more");
            return;
        }
    }
}

#[test]
fn killed_again_and_again() {
    let (job, expected, calls) = small();
    for every in 1..12 {
        let mut world = World::new(&job, calm(1), every);
        let mut sessions = 0;
        // A process that dies sooner than its first answer is kept makes no progress; each lives a little longer.
        while session(&mut world, &SMALL, &Cut::KilledAfter(every + sessions)).ended
            == Ended::Killed
        {
            world.lose_power();
            sessions += 1;
            assert!(sessions < 20 * calls, "it comes to an end");
        }
        same(&world.files(), &expected);
    }
}

#[test]
fn interrupted_after_any_action() {
    let (job, expected, calls) = small();
    for actions in 1..3 * calls {
        let mut world = World::new(&job, calm(1), actions);
        let began = world.now;
        let first = session(&mut world, &SMALL, &Cut::InterruptedAfter(actions));
        if first.ended != Ended::Finished(End::Done) {
            assert_eq!(first.ended, Ended::Finished(End::Interrupted));
        }
        let second = finish(&mut world);
        same(&world.files(), &expected);
        // What was in the air came in within the grace, and was kept.
        assert_eq!(first.calls + second.calls, calls, "after {actions} actions since {began}");
    }
}

#[test]
fn a_crash_before_within_and_after_any_effect() {
    let (job, expected, calls) = small();
    let empty = || World::new(&job, calm(1), 1);
    let first_and_second = fail_at_effects(Doom::Dies, 1, &SMALL, &empty, &expected);
    let in_the_air = u64::from(SMALL.concurrency);
    assert!(first_and_second <= calls + in_the_air, "{first_and_second} calls for {calls}");
}

/// A full disk, an I/O error: the process lives on and must end in good order.
#[test]
fn a_failure_of_any_single_effect() {
    let (job, expected, calls) = small();
    let empty = || World::new(&job, calm(1), 1);
    let first_and_second = fail_at_effects(Doom::FailsOnce, 2, &SMALL, &empty, &expected);
    let in_the_air = u64::from(SMALL.concurrency);
    assert!(first_and_second <= calls + in_the_air, "{first_and_second} calls for {calls}");
}

/// What was fetched soon after its time is asked again: late points come in new objects that take the place of old ones, and
/// equal answers are only noted.
#[test]
fn a_crash_or_a_failure_while_fresh_data_is_asked_again() {
    let (mut job, expected, _) = small();
    job.begins_s = job.range.end_s() + 60;
    for (late_s, stride) in [(7_200, 5), (0, 1)] {
        let asked_once = || {
            let mut world = World::new(&job, Options { late_s, ..calm(1) }, 1);
            finish(&mut world);
            assert_ne!(world.files(), expected, "not closed yet, and points may be late");
            world.now += SignedDuration::from_hours(72);
            world
        };
        for doom in [Doom::Dies, Doom::FailsOnce] {
            fail_at_effects(doom, stride, &SMALL, &asked_once, &expected);
        }
    }
}

/// A narrower range leaves no earlier row, whatever happens while the files shrink.
#[test]
fn a_crash_or_a_failure_while_files_shrink() {
    let (wide, _, _) = small();
    let (start_s, end_s) = (wide.range.start_s(), wide.range.end_s());
    let range = Window::from_secs(start_s, start_s.midpoint(end_s)).unwrap();
    let mut narrow = wide.clone();
    narrow.range = range;
    let (expected, _) = faultless(&narrow);
    let shrinking = || {
        let mut world = World::new(&wide, calm(1), 1);
        finish(&mut world);
        assert_ne!(world.files(), expected);
        world.job = narrow.clone();
        world
    };
    for doom in [Doom::Dies, Doom::FailsOnce] {
        let calls = fail_at_effects(doom, 3, &SMALL, &shrinking, &expected);
        assert_eq!(calls, 0, "everything is held");
    }
}

/// Lets a process on what `before` made fail at one of `stride` moments of its life; the next one makes up for it. The most
/// calls that any two took together.
pub(super) fn fail_at_effects(
    doom: Doom,
    stride: u64,
    manner: &Manner,
    before: &dyn Fn() -> World,
    expected: &Files,
) -> u64 {
    let endless = Fuse::endless();
    session(&mut before(), manner, &Cut::Fails(endless.clone()));
    let all = u64::try_from(endless.burnt()).unwrap();
    assert!(all > 30, "a run of {all} moments");
    let mut calls = 0;
    for moment in super::sampled(all, stride) {
        let reproduction = Reproduction(moment);
        let mut world = before();
        let fuse = Fuse::of(i64::try_from(moment).unwrap(), doom);
        let first = session(&mut world, manner, &Cut::Fails(fuse.clone()));
        assert!(fuse.has_blown(), "moment {moment} of {all} came");
        match (doom, &first.ended) {
            (_, Ended::Broke(_) | Ended::Finished(End::Broke { .. })) => {}
            // What a later step made good: an extraction that the end repeats, a removal left to the next start.
            (Doom::FailsOnce, Ended::Finished(End::Done)) => same(&world.files(), expected),
            _ => panic!("a failure is told: {first:?} at moment {moment} of {all}"),
        }
        if doom == Doom::Dies {
            world.lose_power();
        }
        let second = session(&mut world, manner, &Cut::Nothing);
        assert_eq!(second.ended, Ended::Finished(End::Done));
        same(&world.files(), expected);
        assert_eq!(world.strays(), 0, "objects that nobody knows, after moment {moment} of {all}");
        calls = calls.max(first.calls + second.calls);
        drop(reproduction);
    }
    calls
}
