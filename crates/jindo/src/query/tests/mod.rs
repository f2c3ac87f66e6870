//! Grammar, list files, variables and rewriting as data: a line in, words out.

use super::{
    Fill, Interval, List, MetricType, MetricTypes, RangeFunctions, RewriteOptions, decode, grammar,
    list,
};
use expect_test::{Expect, expect};
use std::fmt::Write as _;

mod derive;
mod generated;
mod lists;
mod notations;
mod other_files;
mod slips;
mod variables;

fn settings() -> RewriteOptions {
    RewriteOptions {
        resolution: Interval::from_secs(60).unwrap(),
        variables: [("host", "web-1"), ("env", "prod"), ("kong.service", "api"), ("all", "*")]
            .iter()
            .chain(&[("Scope", "team:a:b"), ("evil", "a} by {b"), ("empty", "")])
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        fill: Fill::Null,
        range_functions: RangeFunctions::Refuse,
        types: MetricTypes::new(),
    }
}

fn words(found: &List) -> String {
    let mut text = String::new();
    for query in &found.queries {
        let alone = if query.text.alone { " alone" } else { "" };
        writeln!(text, "{} @{}{alone}", query.text.sent, query.text.interval.secs()).unwrap();
    }
    for complaint in &found.refused {
        writeln!(text, "{complaint}").unwrap();
    }
    for note in &found.notes {
        writeln!(text, "{note}").unwrap();
    }
    text
}

#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(lines: &str, expected: Expect) {
    expected.assert_eq(&words(&list("q", &decode(lines.as_bytes()), &settings())));
}

#[test]
fn what_people_write_reads_back_to_the_same() {
    let lines = include_str!("../fixtures/wellformed.txt");
    for line in lines.lines().filter(|line| !line.starts_with('#')) {
        let found = grammar::parse_list(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        for expr in found {
            let printed = expr.to_string();
            let again = grammar::parse(&printed).unwrap_or_else(|e| panic!("{printed}: {e}"));
            assert_eq!(again, expr, "{line}");
            assert_eq!(again.to_string(), printed);
        }
    }
}

#[test]
fn spacing_and_notation_have_one_normal_form() {
    let print = |text: &str| grammar::parse(text).unwrap().to_string();
    assert_eq!(
        print(" count( x:x>=0 ) : m { a:b  and ! c:d,not e:* }BY{ z,a }.rollup( avg,60 ) "),
        "count(v: v>=0):m{a:b AND !c:d,NOT e:*} by {a,z}.rollup(avg, 60)"
    );
    assert_eq!(print("sum:m{*}.as_count() by {x}"), "sum:m{*} by {x}.as_count()");
    assert_eq!(print("top(m{*},10,'mean',k=1)*-2"), "top(m{*}, 10, 'mean', k=1) * -2");
}

#[test]
fn every_series_states_its_rollup_and_fill() {
    check(
        "avg:m{*}\nm{*}\nsum:m{*} by {h}.as_count()\nsum:m{*}.as_rate()\np99.9:m{*}\ncount(v: v>=1):m{*}.as_rate()\n\
         avg:m{*}.rollup(max)\navg:m{*}.rollup(max, 300)\nsum:m{*}.rollup(600)\nsum:m{*}.rollup(sum,30).as_count()\n\
         avg:m{*}.fill(0)\navg:m{*}.weighted()\nsum:a{*}.as_count()/(sum:b{*}+1)\nabs(a{*}.rollup(avg,300)-b{*})",
        expect![[r"
            avg:m{*}.rollup(avg, 60).fill(null) @60
            m{*}.rollup(avg, 60).fill(null) @60
            sum:m{*} by {h}.as_count().rollup(sum, 60) @60
            sum:m{*}.as_rate().rollup(sum, 60) @60
            p99.9:m{*}.rollup(60).fill(null) @60
            count(v: v>=1):m{*}.as_rate().rollup(60) @60
            avg:m{*}.rollup(max, 60).fill(null) @60
            avg:m{*}.rollup(max, 300).fill(null) @300
            sum:m{*}.rollup(600).fill(null) @600
            sum:m{*}.rollup(sum, 30).as_count() @30
            avg:m{*}.rollup(avg, 60).fill(0) @60
            avg:m{*}.weighted().rollup(avg, 60).fill(null) @60
            sum:a{*}.as_count().rollup(sum, 60) / (sum:b{*}.rollup(avg, 60).fill(null) + 1) @60
            abs(a{*}.rollup(avg, 300).fill(null) - b{*}.rollup(avg, 300).fill(null)) @300
        "]],
    );
}

/// `.as_count()` and `.as_rate()` do nothing on gauges, nor on rates without an interval; a sum would multiply their values
/// (documented: type modifiers).
#[test]
fn the_type_of_the_metric_decides_what_a_modifier_means() {
    let types = [
        ("gauge", MetricType::Gauge),
        ("count", MetricType::Count),
        ("rate", MetricType::Rate),
        ("bare", MetricType::RateWithoutInterval),
        ("dist", MetricType::Distribution),
    ];
    let types = types.map(|(name, of)| (name.to_owned(), of)).into();
    let settings = RewriteOptions { types, ..settings() };
    let lines = "avg:gauge{*}.as_count()\nsum:count{*}.as_count()\nsum:rate{*}.as_rate()\nsum:bare{*}.as_rate()\n\
                 count:dist{*}.as_count()\nsum:gauge{*}.as_rate() / sum:count{*}.as_rate()\navg:gauge{*}.as_count().rollup(max)\n\
                 sum:gauge{*}.as_count().rollup(300)\nsum:count{*}.as_count().rollup(300)\nsum:unknown{*}.as_count()\navg:plain{*}";
    let found = list("q", lines, &settings);
    expect![[r#"
        avg:gauge{*}.as_count().rollup(avg, 60).fill(null) @60
        sum:count{*}.as_count().rollup(sum, 60) @60
        sum:rate{*}.as_rate().rollup(sum, 60) @60
        sum:bare{*}.as_rate().rollup(avg, 60).fill(null) @60
        count:dist{*}.as_count().rollup(60) @60
        sum:gauge{*}.as_rate().rollup(avg, 60).fill(null) / sum:count{*}.as_rate().rollup(sum, 60) @60
        avg:gauge{*}.as_count().rollup(max, 60).fill(null) @60
        sum:gauge{*}.as_count().rollup(avg, 300).fill(null) @300
        sum:count{*}.as_count().rollup(sum, 300) @300
        sum:unknown{*}.as_count().rollup(sum, 60) @60
        avg:plain{*}.rollup(avg, 60).fill(null) @60
    "#]]
    .assert_eq(&words(&found));
    assert_eq!(found.untyped, ["unknown".to_owned()].into());
}

#[test]
fn the_added_fill_can_be_taken_off_again() {
    let sent = |fill| {
        list(
            "q",
            "avg:a{*}-b{*}.fill(zero)\nsum:c{*}.as_count()",
            &RewriteOptions { fill, ..settings() },
        )
    };
    let filled = sent(Fill::Null);
    assert_eq!(
        filled.queries[0].text.unfilled.as_deref(),
        Some("avg:a{*}.rollup(avg, 60) - b{*}.rollup(avg, 60).fill(zero)")
    );
    assert_eq!(
        (filled.queries[1].text.unfilled.as_ref(), filled.queries[1].text.alone),
        (None, false)
    );

    let kept = sent(Fill::Keep);
    assert_eq!(Some(&*kept.queries[0].text.sent), filled.queries[0].text.unfilled.as_deref());
    assert!(kept.queries[0].text.alone && kept.queries[0].text.unfilled.is_none());
    assert!(!kept.queries[1].text.alone, "counts are not interpolated, alone or not");
}

#[test]
fn what_cannot_be_cut_into_windows_is_refused_with_its_place() {
    check(
        "1 + top(avg:m{*}, 10, 'mean', 'desc')\navg:m{*}.fill(last, 600)\nfrobnicate(m{*})\nm{*}.shine()\nm{*}.rollup(sum, monthly)\n\
         m{*}.rollup(avg, 60).rollup(max, 300)\nabs(m{*}).rollup(avg, 60)\na{*}.rollup(60) / b{*}.rollup(avg, 300)\nm{*}.rollup(avg, 37)\n\
         1 + 2\nhistogram:m{*}\nm{*}.as_count(1)\nm{*}.rollup(median, 60)\nm{*}.fill(true)",
        expect![[r#"
            q:1:5: `top` ranks series over the range asked for, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              1 + top(avg:m{*}, 10, 'mean', 'desc')
                  ^^^
            q:2:9: `.fill(last)` fills gaps from the points around them, so it cannot be cut into windows faithfully; export what is within it, or give --allow-range-functions
              avg:m{*}.fill(last, 600)
                      ^^^^^^^^^^^^^^^^
            q:3:1: jindo does not know the function `frobnicate`, nor whether its value depends on the range; export what is within it, or give --allow-range-functions
              frobnicate(m{*})
              ^^^^^^^^^^
            q:4:5: jindo does not know the modifier `.shine()`; it knows .rollup, .fill, .as_count, .as_rate and .weighted
              m{*}.shine()
                  ^^^^^^^^
            q:5:5: `monthly` makes this a calendar rollup, whose buckets follow the days of a time zone and differ in length; give a fixed number of seconds, counted in UTC: `.rollup(sum, 86400)`, which gives days
              m{*}.rollup(sum, monthly)
                  ^^^^^^^^^^^^^^^^^^^^^
            q:6:21: a second rollup changes what the first one means; keep one of them
              m{*}.rollup(avg, 60).rollup(max, 300)
                                  ^^^^^^^^^^^^^^^^^
            q:7:10: a rollup belongs to a series, straight behind its braces; move it there
              abs(m{*}).rollup(avg, 60)
                       ^^^^^^^^^^^^^^^^
            q:8:23: 300 s here, but 60 s earlier in the same expression; one expression has one interval
              a{*}.rollup(60) / b{*}.rollup(avg, 300)
                                    ^^^^^^^^^^^^^^^^^
            q:9:5: an interval of 37 s is not offered; take 30 s or 60 s
              m{*}.rollup(avg, 37)
                  ^^^^^^^^^^^^^^^^
            q:10:1: nothing is asked here: there is no metric in it
              1 + 2
              ^^^^^
            q:11:1: `histogram:` answers heat maps, not series; export percentiles instead, such as `p95:`
              histogram:m{*}
              ^^^^^^^^^^^^^^
            q:12:5: `.as_count()` takes nothing
              m{*}.as_count(1)
                  ^^^^^^^^^^^^
            q:13:5: write .rollup(METHOD), .rollup(METHOD, SECONDS) or .rollup(SECONDS), with avg, sum, min, max or count
              m{*}.rollup(median, 60)
                  ^^^^^^^^^^^^^^^^^^^
            q:14:5: write .fill(null), .fill(zero), .fill(last) or .fill(linear), with a limit in seconds if you like
              m{*}.fill(true)
                  ^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn range_functions_travel_when_allowed() {
    let allowed = RewriteOptions { range_functions: RangeFunctions::Allow, ..settings() };
    let found = list("q", "top(m{*}, 10, 'mean', 'desc') + m{*}.fill(last)", &allowed);
    assert_eq!(
        found.queries[0].text.sent,
        "top(m{*}.rollup(avg, 60).fill(null), 10, 'mean', 'desc') + m{*}.rollup(avg, 60).fill(last)"
    );
}

#[test]
fn hostile_text_costs_no_stack() {
    let deep = 15_000;
    for text in [
        "(".repeat(deep),
        "-".repeat(deep),
        "f(".repeat(deep),
        format!("m{{{}", "(".repeat(deep)),
        format!("m{{{}a}}", "!".repeat(deep)),
        format!("m{{{}a}}", "NOT ".repeat(deep / 4)),
        "m{*}.f(".repeat(deep / 7),
        format!("{}m{{*}}", "1+".repeat(deep)),
        "m{*},".repeat(deep),
        "x".repeat(grammar::LINE_BYTES_MAX + 1),
    ] {
        let found = grammar::parse_list(&text);
        assert_eq!(found.is_ok(), text.starts_with("1+"), "{}", &text[..20]);
        drop(found.map(|all| all[0].to_string()));
    }
}

#[test]
fn equal_queries_are_kept_once() {
    let found = list("q", "avg:m{*}by{b,a}\nsum:m{*}\navg:m{*} by {a, b}.rollup(avg)", &settings());
    assert_eq!((found.queries.len(), found.notes.len()), (2, 1));
}
