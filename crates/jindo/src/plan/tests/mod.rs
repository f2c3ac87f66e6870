//! Plans by example: the article's job, resumed jobs, grown jobs.

use super::*;
use crate::query::QueryText;
use expect_test::{Expect, expect};
use std::fmt::Write as _;

const DAY_S: i64 = 86_400;
const START: i64 = 1_639_267_200; // 2021-12-12T00:00:00Z

fn query(name: &str, interval_s: u32) -> Query {
    Query::new(QueryText::new(
        format!("avg:{name}{{*}}"),
        format!("avg:{name}{{*}}.rollup(avg,{interval_s}).fill(null)"),
        Interval::from_secs(interval_s).unwrap(),
    ))
}

fn queries(count: usize, interval_s: u32) -> Vec<Query> {
    (0..count).map(|n| query(&format!("aws.service{n}.metric"), interval_s)).collect()
}

fn days(from: i64, to: i64) -> Window {
    Window::from_secs(START + from * DAY_S, START + to * DAY_S).unwrap()
}

fn plan(range: Window, queries: Vec<Query>, covered: &[Vec<Window>]) -> Plan {
    let now = Timestamp::from_second(START + 100 * DAY_S).unwrap();
    Plan::new(range, queries, covered, Limits::ASSUMED, now)
}

fn check(plan: &Plan, expected: &Expect) {
    let mut text = String::new();
    for task in &plan.tasks {
        let day = |secs: i64| (secs - START) / 3_600;
        let (from, to) = (day(task.window.start_s()), day(task.window.end_s()));
        writeln!(text, "{:?} {from}h..{to}h", task.queries).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn the_article_takes_1632_calls() {
    for (interval_s, calls) in [(60, 1_632), (10, 9_792)] {
        let plan = plan(days(0, 96), queries(579, interval_s), &vec![Vec::new(); 579]);
        assert_eq!((plan.calls(), plan.batches()), (calls, 17));
    }
}

#[test]
fn queries_finish_one_group_after_the_other() {
    let plan = plan(days(0, 2), queries(36, 60), &vec![Vec::new(); 36]);
    let first: Vec<_> =
        plan.tasks.iter().map(|task| (task.queries[0].number(), task.window)).collect();
    assert_eq!(first, [(0, days(0, 1)), (0, days(1, 2)), (35, days(0, 1)), (35, days(1, 2))]);
}

#[test]
fn only_what_is_missing_is_asked() {
    let all = |window| vec![window];
    check(
        &plan(days(0, 3), queries(3, 60), &[all(days(0, 3)), all(days(0, 1)), all(days(1, 2))]),
        &expect![[r#"
            [2] 0h..24h
            [1] 24h..48h
            [1, 2] 48h..72h
        "#]],
    );
}

#[test]
fn a_remnant_joins_its_neighbour_where_both_fit_into_one_call() {
    let until = Window::from_secs(START, START + DAY_S - 1_800).unwrap();
    check(
        &plan(days(0, 2), queries(1, 60), &[vec![until]]),
        &expect![[r#"
            [0] 23h..48h
        "#]],
    );
}

#[test]
fn those_around_a_query_that_travels_alone_share_their_calls() {
    let mut queries = queries(5, 60);
    for alone in [1, 3] {
        queries[alone].text.alone = true;
    }
    check(
        &plan(days(0, 1), queries, &vec![Vec::new(); 5]),
        &expect![[r#"
            [0, 2, 4] 0h..24h
            [1] 0h..24h
            [3] 0h..24h
        "#]],
    );
}

#[test]
fn intervals_never_share_a_call() {
    let mixed = vec![query("a", 60), query("b", 300), query("c", 60)];
    check(
        &plan(days(0, 1), mixed, &vec![Vec::new(); 3]),
        &expect![[r#"
            [0, 2] 0h..24h
            [1] 0h..24h
        "#]],
    );
}

#[test]
fn what_leaves_the_retention_goes_first() {
    let now = Timestamp::from_second(START).unwrap() + RETENTION;
    let plan = Plan::new(days(0, 4), queries(36, 60), &vec![Vec::new(); 36], Limits::ASSUMED, now);
    let order: Vec<_> =
        plan.tasks.iter().map(|task| (task.queries[0].number(), task.window)).take(5).collect();
    assert_eq!(
        order,
        [(0, days(0, 1)), (35, days(0, 1)), (0, days(1, 2)), (35, days(1, 2)), (0, days(2, 3))]
    );
}
