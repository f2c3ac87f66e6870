//! Coarse queries, samples and counts of samples: a line in, the derived query out.

use crate::query::{
    Fill, Interval, List, MetricTypes, RangeFunctions, RewriteOptions, Spacings, coarse,
    count_samples, list, list_spaced, sample,
};
use expect_test::{Expect, expect};
use std::collections::BTreeMap;

fn check_coarse(fill: Fill, lines: &[&str], expected: &Expect) {
    let settings = RewriteOptions {
        resolution: Interval::from_secs(60).unwrap(),
        variables: std::collections::BTreeMap::new(),
        fill,
        range_functions: RangeFunctions::Refuse,
        types: MetricTypes::new(),
    };
    let list = list("list", &lines.join("\n"), &settings);
    assert!(list.refused.is_empty(), "{:?}", list.refused);
    let hours = Interval::from_secs(7_200).unwrap();
    let shown: Vec<_> = list
        .queries
        .iter()
        .map(|query| coarse(query, hours).map_or("-".into(), |coarse| coarse.text.sent.to_string()))
        .collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn plain_series_are_asked_coarsely_with_their_own_method() {
    check_coarse(
        Fill::Null,
        &[
            "avg:m{*} by {host}",
            "sum:m{env:prod}.as_count()",
            "sum:m{*}.as_rate()",
            "max:m{*}.rollup(max, 300)",
            "p95:m{*} by {service}",
        ],
        &expect![[r#"
            avg:m{*} by {host}.rollup(avg, 7200).fill(null)
            sum:m{env:prod}.as_count().rollup(sum, 7200)
            sum:m{*}.as_rate().rollup(sum, 7200)
            max:m{*}.rollup(max, 7200).fill(null)
            p95:m{*} by {service}.rollup(7200).fill(null)"#]],
    );
}

#[test]
fn where_absence_proves_nothing_nothing_is_asked() {
    check_coarse(
        Fill::Null,
        &[
            "abs(avg:m{*})",
            "avg:m{*} / avg:n{*}",
            "avg:m{*}.fill(zero)",
            "default_zero(avg:m{*})",
            "count(v: v>=100):m{*}",
            "avg:m{*}.rollup(avg, 43200)",
            "avg:m{*}.rollup(avg, 7200)",
        ],
        &expect![[r#"
            -
            -
            -
            -
            -
            -
            -"#]],
    );
    check_coarse(Fill::Keep, &["avg:m{*}"], &expect!["-"]);
}

fn secs(secs: u32) -> Interval {
    Interval::from_secs(secs).unwrap()
}

fn settings(fill: Fill, range_functions: RangeFunctions) -> RewriteOptions {
    RewriteOptions {
        resolution: secs(60),
        variables: BTreeMap::new(),
        fill,
        range_functions,
        types: MetricTypes::new(),
    }
}

fn understood(fill: Fill, lines: &[&str], spacings: &Spacings) -> List {
    let text = lines.join("\n");
    let list = list_spaced("list", &text, &settings(fill, RangeFunctions::Allow), spacings);
    assert!(list.refused.is_empty(), "{:?}", list.refused);
    list
}

fn check(fill: Fill, lines: &[&str], expected: &Expect) {
    let text = lines.join("\n");
    let list = list("list", &text, &settings(fill, RangeFunctions::Allow));
    assert!(list.refused.is_empty(), "{:?}", list.refused);
    let samples =
        list.queries.iter().map(|query| sample(query, secs(1)).unwrap().text.sent.to_string());
    expected.assert_eq(&samples.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_sample_asks_the_whole_query_and_no_points_that_nobody_reported() {
    let lines = [
        "avg:m{*} by {host}",
        "sum:m{*}.as_count()",
        "avg:m{*}.rollup(max)",
        "p95:m{*}",
        "avg:m{*}.fill(zero)",
        "sum:m{*}.as_count().fill(zero)",
        "default_zero(avg:m{*}) * 2",
        "abs(avg:m{*} / avg:n{*})",
        "(avg:m{*} + avg:n{*}).fill(linear)",
    ];
    let expected = expect![[r#"
        avg:m{*} by {host}.rollup(avg, 1).fill(null)
        sum:m{*}.as_count().rollup(sum, 1)
        avg:m{*}.rollup(max, 1).fill(null)
        p95:m{*}.rollup(1).fill(null)
        avg:m{*}.rollup(avg, 1).fill(null)
        sum:m{*}.as_count().rollup(sum, 1)
        (avg:m{*}.rollup(avg, 1).fill(null)) * 2
        abs(avg:m{*}.rollup(avg, 1).fill(null) / avg:n{*}.rollup(avg, 1).fill(null))
        (avg:m{*}.rollup(avg, 1).fill(null) + avg:n{*}.rollup(avg, 1).fill(null))"#]];
    check(Fill::Null, &lines, &expected);
    check(Fill::Keep, &lines, &expected);
}

#[test]
fn a_count_asks_for_the_samples_of_plain_series_and_of_nothing_else() {
    let lines = [
        "avg:m{*} by {host}",
        "m{env:prod}",
        "max:m{*}.rollup(max)",
        "avg:m{*}.fill(zero)",
        "sum:m{*}.as_count()",
        "p95:m{*}",
        "count:m{*}",
        "count(v: v>=1):m{*}",
        "default_zero(avg:m{*})",
        "abs(avg:m{*})",
        "avg:m{*} / avg:n{*}",
    ];
    let text = lines.join("\n");
    let list = list("list", &text, &settings(Fill::Null, RangeFunctions::Allow));
    let told = list.queries.iter().map(|query| match count_samples(query, secs(600)) {
        Some([total, least]) => format!("{} and {}", total.text.sent, least.text.sent),
        None => "-".to_owned(),
    });
    expect![[r#"
        sum:m{*} by {host}.rollup(count, 600).fill(null) and min:m{*} by {host}.rollup(count, 600).fill(null)
        sum:m{env:prod}.rollup(count, 600).fill(null) and min:m{env:prod}.rollup(count, 600).fill(null)
        sum:m{*}.rollup(count, 600).fill(null) and min:m{*}.rollup(count, 600).fill(null)
        sum:m{*}.rollup(count, 600).fill(null) and min:m{*}.rollup(count, 600).fill(null)
        -
        -
        -
        -
        -
        -
        -"#]].assert_eq(&told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn each_query_gets_its_own_spacing_and_keeps_what_it_states() {
    let lines = ["avg:a{*}", "avg:a{*}.rollup(avg, 60)", "avg:b{*}.rollup(avg, 300)", "avg:c{*}"];
    let before = understood(Fill::Null, &lines, &Spacings::default());
    assert_eq!(before.queries.len(), 3, "at 60 s the first two are one");
    let names: Vec<_> = before.unspaced.iter().map(|query| query.text.written.as_str()).collect();
    assert_eq!(names, ["avg:a{*}", "avg:c{*}"]);
    let mut spacings = Spacings::default();
    spacings.insert(Spacings::name(&before.unspaced[0]).unwrap(), secs(10));
    for fill in [Fill::Null, Fill::Keep] {
        let after = understood(fill, &lines, &spacings);
        let intervals: Vec<_> = after.queries.iter().map(|q| q.text.interval.secs()).collect();
        assert_eq!(intervals, [10, 60, 300, 60], "{fill:?}");
        assert_eq!(after.unspaced.len(), 1);
        assert_eq!(spacings.get(&after.queries[0]), Some(secs(10)), "named alike at any");
    }
}

#[test]
fn a_query_that_is_listed_first_with_a_rollup_is_spaced_all_the_same() {
    let lines = ["avg:a{*}.rollup(avg, 60)", "avg:a{*}"];
    let before = understood(Fill::Null, &lines, &Spacings::default());
    assert_eq!((before.queries.len(), before.unspaced.len()), (1, 1));
    let mut spacings = Spacings::default();
    spacings.insert(Spacings::name(&before.unspaced[0]).unwrap(), secs(15));
    let after = understood(Fill::Null, &lines, &spacings);
    let intervals: Vec<_> = after.queries.iter().map(|query| query.text.interval.secs()).collect();
    assert_eq!(intervals, [60, 15]);
}
