//! Queries of which the server serves less than of others in the same list, and lists of which it serves nothing.

use super::*;
use crate::query::QueryText;

/// Every other query as this says: seconds between its points where they are no closer, and how many of them are served at once.
#[derive(Clone, Copy)]
struct Odd {
    every: usize,
    interval_s: i64,
    points_max: u64,
}

impl Odd {
    fn answer(self, ask: &Ask) -> (Result<(), Failure>, Option<Rate>) {
        let coarse = |query: &PlanIndex| {
            let is_odd = query.number() % self.every == 1;
            let fewer = points(ask) > self.points_max || self.interval_s > ask.interval.secs();
            is_odd && fewer
        };
        let got = Interval::from_secs(300).unwrap();
        let places = CallPosition::all(ask.queries.len()).zip(&ask.queries);
        let places = places.filter(|(_, query)| coarse(query));
        let others: Vec<_> = places.map(|(query, _)| Other { query, got }).collect();
        let others_fine = others.len() < ask.queries.len();
        match others.len() {
            0 => FINE,
            _ => (Err(Failure::OtherInterval { others, others_fine }), None),
        }
    }
}

#[test]
fn all_that_are_not_offered_so_fine_are_given_up_by_one_question_a_list() {
    for every in [2, 5, 35] {
        let plan = plan(350, 4);
        let odd = Odd { every, interval_s: 300, points_max: u64::MAX };
        let run = drive(&plan, settings(), |_, ask| odd.answer(ask));
        assert_eq!((run.end.clone(), run.given_up.len()), (End::Done, 350 / every), "{every}");
        assert!(run.learnt.is_empty(), "{:?}", run.learnt);
        let complete = run.stored.values().filter(|&&secs| secs == 4 * DAY_S).count();
        assert_eq!(complete, 350 - 350 / every);
        // Several windows of a list are in the air before the first tells.
        assert!(run.calls <= 40 + 7 * 10, "every {every}: {} calls", run.calls);
    }
}

#[test]
fn fewer_points_of_some_are_learnt_once_and_cost_the_others_nothing() {
    for (every, calls_max) in [(35, 20 + 83 + 6), (5, 20 + 83 + 6), (2, 20 + 83 + 6)] {
        let plan = plan(35, 20);
        let odd = Odd { every, interval_s: 60, points_max: 350 };
        let run = drive(&plan, settings(), |_, ask| odd.answer(ask));
        assert!(run.is_complete(&plan) && run.given_up.is_empty(), "{every}");
        assert!(run.learnt.is_empty(), "{:?}", run.learnt);
        assert!(run.calls <= calls_max, "every {every}: {} calls", run.calls);
    }
}

/// A list in which all are coarse was mistaken for a cap, and all others paid for it.
#[test]
fn what_was_served_before_is_no_cap() {
    let plan = plan(70, 4);
    let run = drive(&plan, settings(), |_, ask| {
        let got = Interval::from_secs(300).unwrap();
        let places = CallPosition::all(ask.queries.len()).zip(&ask.queries);
        let places = places.filter(|(_, query)| **query >= nth(35));
        let others: Vec<_> = places.map(|(query, _)| Other { query, got }).collect();
        let others_fine = others.len() < ask.queries.len();
        if others.is_empty() {
            FINE
        } else {
            (Err(Failure::OtherInterval { others, others_fine }), None)
        }
    });
    assert_eq!(run.given_up.len(), 35);
    assert!(run.learnt.is_empty(), "{:?}", run.learnt);
    assert!(run.calls <= 4 + 8, "{} calls", run.calls);
}

/// The window is as small as any question and no fill can be dropped: each is given up without a further call, and with the last call
/// of the first diagnosis the others waited for an answer that nobody had asked for.
#[test]
fn bad_queries_of_a_small_window_are_given_up_one_after_the_other() {
    for count in [2, 5, 34] {
        let bare = |query: Query| Query::new(QueryText { unfilled: None, ..query.text });
        let range = Window::from_secs(START, START + 3_600).unwrap();
        let now = Timestamp::from_second(START + 100 * DAY_S).unwrap();
        let queries = queries(count).into_iter().map(bare).collect();
        let plan = Plan::new(range, queries, &vec![Vec::new(); count], Limits::ASSUMED, now);
        let run = drive(&plan, settings(), |_, _| refuse("no such scope"));
        assert_eq!((run.end, run.given_up.len()), (End::Done, count));
    }
}
