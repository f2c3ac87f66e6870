//! Ranges that reach beyond what the server keeps: the edge is found in few calls, and what is younger comes home.

use super::*;

#[test]
fn a_window_beyond_the_retention_is_a_gap_and_the_query_lives_on() {
    let plan = plan(35, 4);
    let edge = START + DAY_S;
    let run = drive(&plan, settings(), |_, ask| {
        if ask.window.end_s() <= edge {
            refuse("Queries ending outside the retention date are invalid")
        } else {
            FINE
        }
    });
    assert!(run.given_up.is_empty());
    assert_eq!(run.refused_windows, 35);
    assert!(run.stored.values().all(|&secs| secs == 3 * DAY_S), "{:?}", run.stored);
}

/// What was refused meanwhile waited for a diagnosis that nobody opened any more, and the run never ended.
#[test]
fn a_range_that_lies_wholly_beyond_the_retention_ends_after_few_calls() {
    for (count, days) in [(1, 10), (5, 10), (5, 50), (80, 50)] {
        let plan = plan_from(START - 500 * DAY_S, count, days);
        let run = drive(&plan, settings(), |_, ask| {
            if ask.window.end_s() > START { (Ok(()), None) } else { refuse("outside retention") }
        });
        assert_eq!((&run.end, run.refused_windows > 0), (&End::Done, true), "{run:?}");
        assert_eq!((run.stored.len(), run.given_up.len()), (0, 0), "{run:?}");
        assert!(run.calls <= 10, "{count} queries, {days} days: {} calls", run.calls);
    }
}

#[test]
fn the_edge_of_what_is_kept_is_found_in_few_calls_wherever_it_lies() {
    for kept_from in [1, 7, 30, 49] {
        let plan = plan(80, 50);
        let kept_s = START + kept_from * DAY_S + 3_600;
        let run = drive(&plan, settings(), |_, ask| {
            if ask.window.end_s() > kept_s { (Ok(()), None) } else { refuse("outside retention") }
        });
        assert_eq!((&run.end, run.given_up.len()), (&End::Done, 0), "{run:?}");
        let kept = usize::try_from(50 - kept_from).unwrap();
        assert_eq!(run.held.len(), 80 * kept, "what is kept comes home");
        let needed = 3 * kept as u64;
        assert!(run.calls <= needed + 25, "{kept_from}: {} calls for {needed}", run.calls);
    }
}

/// A question that was answered is known: the search for the edge repeats none.
#[test]
fn the_search_for_the_edge_asks_nothing_twice() {
    for (count, kept_from) in [(1, 10), (2, 31), (80, 25)] {
        let plan = plan(count, 50);
        let kept_s = START + kept_from * DAY_S + 3_600;
        let asked = std::cell::RefCell::new(Vec::new());
        drive(&plan, settings(), |_, ask| {
            asked.borrow_mut().push((ask.window, ask.queries.clone(), ask.form));
            if ask.window.end_s() > kept_s { (Ok(()), None) } else { refuse("outside retention") }
        });
        let asked = asked.into_inner();
        for (at, question) in asked.iter().enumerate() {
            assert!(!asked[..at].contains(question), "call {at} asks {question:?} once more");
        }
    }
}
