//! What it costs to learn what a server takes: for jobs of 100 windows at most 5 % of the calls, whatever its temper.

use super::clockwork::{ARTICLE, Setting, run};
use super::promise::off;
use super::temper::{EASY, Temper, tempers};
use std::fmt::Write as _;

/// Of the calls that a plan would make that had known everything.
const LEARNING_PERCENT_MAX: f64 = 5.0;

/// Every second is stored once, nothing is given up, and what is promised after learning is what it takes, but for heavy
/// queries and those with a cap of their own: which these are nobody knows before they are asked.
#[test]
fn learning_takes_at_most_a_twentieth_of_the_calls_and_the_job_is_complete() {
    let mut told = String::new();
    for (name, temper) in tempers() {
        let outcome = run(&Setting { queries: 105, days: 100, temper, ..ARTICLE });
        let learning = outcome.learning_percent();
        let whole = (outcome.complete, outcome.given_up) == (105, 0);
        let is_even = (temper.width, temper.few) == (EASY.width, EASY.few);
        let (calls, time) = if is_even { off(&outcome) } else { (0.0, 0.0) };
        if learning > LEARNING_PERCENT_MAX || !whole || calls > 10.0 || time > 15.0 {
            writeln!(told, "{name}: {learning:.1} %, {calls:.1} %, {time:.1} %, {outcome:?}")
                .unwrap();
        }
    }
    assert!(told.is_empty(), "{told}");
}

#[test]
fn a_bad_query_among_35_costs_fourteen_calls_and_nothing_of_the_others() {
    for bad in [0, 17, 34] {
        let temper = Temper { bad: Some(bad), ..EASY };
        let outcome = run(&Setting { queries: 35, days: 100, temper, ..ARTICLE });
        assert_eq!((outcome.complete, outcome.given_up), (34, 1), "{outcome:?}");
        assert!(outcome.calls <= outcome.needed as u64 + 14, "{outcome:?}");
    }
}
