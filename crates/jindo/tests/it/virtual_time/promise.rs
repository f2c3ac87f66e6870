//! What is promised once the server has answered, against what it then takes: within 10 % of the calls, 15 % of the time.

use super::clockwork::{ARTICLE, Outcome, Setting, run};

/// How much more or less came of it than promised, in percent: calls, time.
pub(super) fn off(outcome: &Outcome) -> (f64, f64) {
    let (promise, took_s) = outcome.promise.expect("something is promised");
    let percent = |promised: u64, came: f64| {
        let promised = f64::from(u32::try_from(promised).unwrap());
        (promised - came).abs() / came * 100.0
    };
    let calls = f64::from(u32::try_from(outcome.calls).unwrap());
    (percent(promise.calls, calls), percent(promise.secs.expect("a time is promised"), took_s))
}

#[track_caller]
fn keeps(setting: &Setting) {
    let outcome = run(setting);
    let (calls, time) = off(&outcome);
    assert!(calls <= 10.0 && time <= 15.0, "{calls:.1} %, {time:.1} %: {setting:?} {outcome:?}");
}

#[test]
fn the_promise_is_kept_whatever_the_limit_and_the_latency() {
    keeps(&ARTICLE);
    keeps(&Setting { limit: 1_600, ..ARTICLE });
    keeps(&Setting { starts_ms: 1_200_000, ..ARTICLE });
    keeps(&Setting { limit: 10, period_s: 10, latency_ms: (50, 500), ..ARTICLE });
    keeps(&Setting { limit: 300, period_s: 60, latency_ms: (0, 0), ..ARTICLE });
    keeps(&Setting { limit: 1_000_000, latency_ms: (0, 100), concurrency: 1, ..ARTICLE });
    keeps(&Setting { interval_s: 10, ..ARTICLE });
}
