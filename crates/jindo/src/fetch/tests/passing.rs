//! Refusals that pass: what they cost, and that nothing is learnt from them.

use super::*;
use std::cell::Cell;

#[test]
fn one_passing_refusal_teaches_nothing() {
    for count in [1, 2, 35] {
        for at in [1, 2, 10, 40] {
            let plan = plan(count, 81);
            let run = drive(&plan, settings(), |call, _| match call {
                _ if call == at => refuse("Unprocessable Entity"),
                _ => FINE,
            });
            assert!(run.is_complete(&plan) && run.given_up.is_empty(), "{run:?}");
            assert!(run.learnt.is_empty(), "{count} queries, call {at}: {:?}", run.learnt);
            assert!(run.calls <= 81 + 4, "{count} queries, call {at}: {} calls", run.calls);
        }
    }
}

/// Lists that are refused one after the other look like a limit on their length.
#[test]
fn refused_lists_in_a_row_shorten_no_lists_for_long() {
    for refused in [vec![1, 4], vec![1, 4, 7], vec![1, 2, 3]] {
        let plan = plan(35, 120);
        let run = drive(&plan, settings(), |call, _| {
            if refused.contains(&call) { refuse("Unprocessable Entity") } else { FINE }
        });
        assert!(run.is_complete(&plan) && run.given_up.is_empty(), "{refused:?}");
        let limits = run.learnt.into_iter().fold(Limits::ASSUMED, Limits::with);
        assert_eq!(limits, Limits::ASSUMED, "{refused:?}");
        assert!(run.calls <= 120 + 20, "{refused:?}: {} calls", run.calls);
    }
}

#[test]
fn urls_that_are_refused_by_chance_shorten_no_lists_for_long() {
    for refused in [vec![1], vec![1, 2], vec![5, 6], vec![1, 2, 3]] {
        let plan = plan(35, 120);
        let run = drive(&plan, settings(), |call, _| {
            if refused.contains(&call) { (Err(Failure::UrlTooLong), None) } else { FINE }
        });
        assert!(run.is_complete(&plan) && run.given_up.is_empty(), "{refused:?}");
        let limits = run.learnt.into_iter().fold(Limits::ASSUMED, Limits::with);
        assert_eq!(limits, Limits::ASSUMED, "{refused:?}");
        assert!(run.calls <= 120 + 20, "{refused:?}: {} calls", run.calls);
    }
}

/// A window and a question about its beginning, refused by chance, are no edge of what is kept; a query and the question about it,
/// refused after it was answered, are no reason to give it up.
#[test]
fn refusals_in_a_row_lose_no_data() {
    for count in [1, 35] {
        for first in [1, 10, 40] {
            for more in [1, 2, 3, 4] {
                let plan = plan(count, 81);
                let again = Cell::new(None);
                let run = drive(&plan, settings(), |call, ask| {
                    // The call `first`, and a later one about its beginning.
                    let is_first = call == first;
                    if is_first {
                        again.set(Some((call, ask.window.start_s())));
                    }
                    let is_more = again.get().is_some_and(|(of, start_s)| {
                        call == of + more && ask.window.start_s() == start_s
                    });
                    if is_first || is_more { refuse("Unprocessable Entity") } else { FINE }
                });
                assert!(run.is_complete(&plan), "{count} queries, calls {first} and {more} later");
                assert!(run.given_up.is_empty() && run.refused_windows == 0, "{run:?}");
                assert!(run.calls <= 81 + 12, "{} calls", run.calls);
            }
        }
    }
}

/// As with `--fill keep`: each query alone.
#[test]
fn one_passing_refusal_among_lone_queries_costs_a_few_calls() {
    for at in [1, 2, 10, 200] {
        let mut plan = plan(10, 31);
        for query in plan.queries.indexes() {
            plan.queries[query].text.unfilled = None;
            plan.queries[query].text.alone = true;
        }
        let run = drive(&plan, settings(), |call, _| match call {
            _ if call == at => refuse("Unprocessable Entity"),
            _ => FINE,
        });
        assert!(run.is_complete(&plan) && run.learnt.is_empty(), "{run:?}");
        assert!(run.calls <= 310 + 4, "call {at}: {} calls", run.calls);
    }
}
