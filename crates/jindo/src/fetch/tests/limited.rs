//! Servers that answer 429 and nothing else: an hour's wait that they state is waited, and no run waits for ever.

use super::*;
use std::cell::Cell;

/// A call takes a second in these tests, and a wait ends a second after the reset.
const CALL_S: i64 = 1;

/// What comes back from a call.
type Outcome = (Result<(), Failure>, Option<Rate>);

/// Its name, the longest wait that it states or imposes in seconds, and what it answers to a call of this number.
type Way = (&'static str, f64, Box<dyn Fn(u64) -> Outcome>);

fn limited(reset_s: f64, limit: f64, period_s: f64) -> Outcome {
    let rate = Rate { name: "query".into(), limit, period_s, remaining: 0.0, reset_s };
    (Err(Failure::Limited { rate: Some(rate.clone()), retry_after: None }), Some(rate))
}

fn retry_after(secs: i64) -> Outcome {
    let retry_after = Some(SignedDuration::from_secs(secs));
    (Err(Failure::Limited { rate: None, retry_after }), None)
}

/// Runs against a server whose first `fine` calls come through and whose others are answered by `then`; returns the run, and how many
/// seconds after the last fine answer it ended.
fn starved(
    concurrency: usize,
    patience: SignedDuration,
    fine: u64,
    then: &dyn Fn(u64) -> Outcome,
) -> (Run, i64) {
    let settings = Settings { concurrency, give_up_after: patience, ..settings() };
    let (fine_at, last_at) = (Cell::new(0), Cell::new(0));
    let run = drive_timed(&plan(35, 81), settings, |call, _, passed_s| {
        last_at.set(passed_s);
        if call > fine {
            return then(call);
        }
        fine_at.set(passed_s);
        FINE
    });
    (run, last_at.get() - fine_at.get())
}

/// Every way in which a 429 states its wait, for ever: at once and after good answers, one call at a time and many.
#[test]
fn attempts_to_keep_a_run_waiting_by_429_for_ever() {
    let ways: [Way; 12] = [
        ("a reset of 0 s", 0.0, Box::new(|_| limited(0.0, 100.0, 10.0))),
        ("a reset of 1 s", 1.0, Box::new(|_| limited(1.0, 100.0, 10.0))),
        ("a reset of a minute", 60.0, Box::new(|_| limited(60.0, 600.0, 60.0))),
        ("a reset of an hour", 3_600.0, Box::new(|_| limited(3_600.0, 600.0, 3_600.0))),
        ("a limit of nothing", 1.0, Box::new(|_| limited(1.0, 0.0, 0.0))),
        ("a limit of nothing an hour", 3_600.0, Box::new(|_| limited(1.0, 0.0, 3_600.0))),
        ("a limit of one an hour", 3_600.0, Box::new(|_| limited(1.0, 1.0, 3_600.0))),
        (
            "a reset that moves away",
            3_600.0,
            Box::new(|call| {
                limited(f64::from(u32::try_from(call.min(3_600)).unwrap()), 600.0, 3_600.0)
            }),
        ),
        ("Retry-After: 0", 0.0, Box::new(|_| retry_after(0))),
        ("Retry-After: 1", 1.0, Box::new(|_| retry_after(1))),
        ("Retry-After: 3600", 3_600.0, Box::new(|_| retry_after(3_600))),
        (
            "an error now and then",
            1.0,
            Box::new(|call| {
                if call % 3 == 0 {
                    (Err(Failure::Transient { what: "reset".into() }), None)
                } else {
                    limited(1.0, 100.0, 10.0)
                }
            }),
        ),
    ];
    let mut count = 0;
    for (way, wait_s, then) in &ways {
        for concurrency in [1, 8] {
            for patience_s in [2, 60, 600] {
                for fine in [0, 5] {
                    count += 1;
                    let patience = SignedDuration::from_secs(patience_s);
                    let (run, took_s) = starved(concurrency, patience, fine, then);
                    let told = format!(
                        "{way}, {concurrency} calls, {patience_s} s, after {fine}: {took_s} s, {run:?}"
                    );
                    let End::Failed { why } = &run.end else { panic!("{told}") };
                    assert!(why.starts_with("no answer came through for "), "{told}");
                    let is_kept = why.ends_with("; the last failure: the rate limit is used up");
                    let is_broken = why.contains(
                        "the rate limit is used up, also after the wait that the server asked for",
                    );
                    assert!(is_kept || is_broken || why.ends_with(": reset"), "{told}");
                    // The first wait, and so many more that half of the patience counts of each.
                    #[expect(clippy::cast_possible_truncation, reason = "an hour at most")]
                    let wait_s = *wait_s as i64 + 1 + CALL_S;
                    let most_s = 4 * wait_s + 2 * patience_s + 60;
                    assert!(took_s <= most_s, "{most_s} at most: {told}");
                    assert!(took_s >= patience_s, "{told}");
                }
            }
        }
    }
    jindo_testing::all_held("429 for ever, in every way in which it states a wait", count);
}

/// The wait itself is no silence, however much longer than the patience; nor is a second one, where others were faster.
#[test]
fn stated_waits_of_an_hour_are_waited() {
    for concurrency in [1, 8] {
        for waits in [1, 2] {
            for patience in [SignedDuration::from_secs(2), SignedDuration::from_mins(10)] {
                let refused = Cell::new(0);
                let settings = Settings { concurrency, give_up_after: patience, ..settings() };
                let plan = plan(35, 81);
                let until = Cell::new(0);
                let run = drive_timed(&plan, settings, |call, _, passed_s| {
                    // The hour after the fifth call is used up, and so may the next one be.
                    if call <= 5 || (refused.get() == waits && passed_s >= until.get()) {
                        return FINE;
                    }
                    if passed_s >= until.get() {
                        refused.set(refused.get() + 1);
                        until.set(passed_s + 3_600);
                    }
                    #[expect(clippy::cast_precision_loss, reason = "an hour at most")]
                    limited((until.get() - passed_s) as f64, 600.0, 3_600.0)
                });
                assert_eq!(
                    run.end,
                    End::Done,
                    "{waits} waits with {concurrency} calls, {patience}"
                );
                assert!(run.is_complete(&plan), "{run:?}");
            }
        }
    }
}
