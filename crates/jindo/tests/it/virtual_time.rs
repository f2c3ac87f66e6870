//! How long jobs take on a virtual clock: the rate limit is used up and never overdrawn; and what it costs to learn what a
//! server takes.

mod clockwork;
mod learning;
mod passing;
mod promise;
mod sparse;
mod temper;

use clockwork::{ARTICLE, Outcome, Rounding, Setting, run};
use jindo::clock::Random;
use jindo::job::Pacing;
use jindo::plan::Pace;
use jindo::request::Reserve;
use sparse::run_sparse;

const MINUTE_S: f64 = 60.0;

/// A tenth of it.
const SMALL: Setting = Setting { queries: 70, days: 30, ..ARTICLE };

/// Runs the job, which must cost the planned calls and not one 429.
fn clean(setting: &Setting) -> Outcome {
    let outcome = run(setting);
    assert_eq!(outcome.refused, 0, "a 429 of our own making: {setting:?} {outcome:?}");
    assert_eq!(outcome.calls, outcome.planned as u64, "{setting:?}");
    assert_eq!(outcome.complete, setting.queries, "{setting:?}");
    assert!(outcome.fullest <= setting.limit, "{setting:?} {outcome:?}");
    outcome
}

#[test]
fn the_articles_job_is_home_within_28_minutes() {
    for latency_ms in [(50, 500), (500, 5_000)] {
        let outcome = clean(&Setting { latency_ms, ..ARTICLE });
        assert_eq!(outcome.calls, 1_632);
        assert!(outcome.seconds <= 28.0 * MINUTE_S, "{outcome:?}");
        assert!(outcome.share >= 0.98, "{outcome:?}");
    }
}

/// A plan's hours are those that the run takes.
#[test]
fn the_articles_job_is_home_as_planned_with_a_tenth_left_to_others() {
    let reserve = Pacing::default().reserve;
    let outcome = clean(&Setting { reserve, ..ARTICLE });
    let pace = reserve.left_of(Pace { calls: ARTICLE.limit, period_s: ARTICLE.period_s });
    let planned = f64::from(u32::try_from(outcome.planned).unwrap());
    let planned_s = planned * f64::from(pace.period_s) / f64::from(pace.calls);
    assert!((outcome.seconds / planned_s - 1.0).abs() < 0.02, "{planned_s} {outcome:?}");
}

#[test]
fn the_articles_job_at_1600_an_hour_uses_all_of_the_first_hour() {
    let outcome = clean(&Setting { limit: 1_600, ..ARTICLE });
    assert!(outcome.seconds <= 62.0 * MINUTE_S, "{outcome:?}");
    assert_eq!(outcome.fullest, 1_600);
}

#[test]
fn ten_seconds_a_point_keep_the_pace_over_several_hours() {
    let outcome = clean(&Setting { interval_s: 10, ..ARTICLE });
    assert_eq!((outcome.calls, outcome.fullest), (9_792, 3_600));
    assert!(outcome.share >= 0.98, "{outcome:?}");
}

#[test]
fn windows_of_ten_seconds_are_filled_however_the_reset_is_rounded() {
    for rounding in [Rounding::Up, Rounding::Down, Rounding::Nearest] {
        let short = Setting { limit: 10, period_s: 10, rounding, ..ARTICLE };
        let outcome = clean(&Setting { latency_ms: (50, 500), ..short });
        assert!(outcome.share >= 0.98, "{rounding:?} {outcome:?}");
        // Of half a window's latency an answer can come too late to say that its call was counted before.
        let outcome = clean(&short);
        assert!(outcome.share >= 0.96, "{rounding:?} {outcome:?}");
    }
}

#[test]
fn a_run_may_start_at_any_moment_of_a_window() {
    for starts_ms in [1, 700_123, 1_800_000, 3_000_000, 3_590_000, 3_599_400, 3_599_999] {
        let outcome = clean(&Setting { starts_ms, ..ARTICLE });
        assert!(outcome.seconds <= 28.0 * MINUTE_S, "{starts_ms} {outcome:?}");
    }
}

#[test]
fn what_others_take_is_left_to_them() {
    let shared = Setting { interval_s: 10, others_percent: 30, ..ARTICLE };
    for limit in [3_600, 1_600] {
        let outcome = clean(&Setting { limit, ..shared });
        assert!(outcome.share >= 0.97, "{outcome:?}");
    }
    let outcome = clean(&Setting { reserve: Reserve::percent(2.0).unwrap(), ..shared });
    assert!(outcome.share >= 0.94, "{outcome:?}");
}

#[test]
fn a_probe_makes_a_sparse_organisation_cost_what_its_data_costs() {
    for setting in [ARTICLE, Setting { interval_s: 10, ..ARTICLE }] {
        let (whole, probed) = (run(&setting), run_sparse(&setting, 30));
        assert!(probed.calls * 10 <= probed.needed as u64 * 11, "{probed:?}");
        assert!(probed.calls * 3 < whole.calls, "{probed:?} instead of {whole:?}");
        assert_eq!(probed.refused, 0);
    }
}

#[test]
fn the_reserve_is_honoured_to_the_call() {
    let job = Setting { queries: 200, days: 60, ..ARTICLE };
    let share = |percent| Reserve::percent(percent).unwrap();
    for (reserve, limit, most) in [
        (Pacing::default().reserve, 100, 90),
        (Pacing::default().reserve, 30, 27),
        (share(20.0), 100, 80),
        (share(33.0), 10, 6),
        (share(7.0), 100, 93),
        (share(99.9), 10, 1),
        (Reserve::NONE, 10, 10),
    ] {
        let setting = Setting { limit, period_s: 60, latency_ms: (20, 200), reserve, ..job };
        assert_eq!(clean(&setting).fullest, most, "{reserve} of {limit}");
    }
}

#[test]
fn any_limit_latency_and_moment_give_a_run_without_a_429() {
    let mut random = Random::seeded(1);
    for _ in 0..300 {
        let mut one_of = |choices: &[u64]| {
            choices[usize::try_from(random.draw() % choices.len() as u64).unwrap()]
        };
        let period_s = u32::try_from(one_of(&[1, 10, 60, 3_600])).unwrap();
        let least = one_of(&[0, 20, 500, 4_000, 30_000]);
        let rounding = one_of(&[0, 1, 2]);
        let setting = Setting {
            limit: u32::try_from(one_of(&[1, 2, 7, 30, 400])).unwrap(),
            period_s,
            latency_ms: (least, least + one_of(&[0, 300, 9_000])),
            rounding: [Rounding::Up, Rounding::Down, Rounding::Nearest]
                [usize::try_from(rounding).unwrap()],
            starts_ms: one_of(&[0, 1, 499, 500, 12_345, 59_999]) % (u64::from(period_s) * 1_000),
            concurrency: usize::try_from(one_of(&[1, 3, 8, 32])).unwrap(),
            ..SMALL
        };
        clean(&setting);
    }
}
