//! Evaluation by data, on an organisation small enough to do the sums by hand.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::grammar;
use crate::organisation::{Kind, Life, Metric, Presence, Shape, Signal, Source};

/// One source: tags, seconds between samples, offset, life. It reports the twelve odd values in turn.
fn source(tags: &str, spacing_s: i64, phase_s: i64, life: Life) -> Source {
    let signal =
        Signal { seed: 0, shape: Shape::Odd, spacing_s, phase_s, life, presence: Presence::All };
    Source { tags: tags.split_whitespace().map(str::to_owned).collect(), signal }
}

/// Whole numbers below `span`: with 1.0, zeros.
fn shaped(tags: &str, spacing_s: i64, span: f64) -> Source {
    let mut source = source(tags, spacing_s, 0, Life::Always);
    source.signal.shape = Shape::Whole { span };
    source
}

fn metric(name: &str, kind: Kind, sources: Vec<Source>) -> Metric {
    Metric { name: name.to_owned(), kind, interval_s: None, unit: None, sources }
}

/// `lost` has a source without the tag and one that lives from 300 s on; `slow` one that reports every fourth minute.
fn small() -> Organisation {
    let cycle = |from_s, to_s| Life::Cycle { period_s: 720, from_s, to_s };
    Organisation::new(vec![
        metric("odd", Kind::Gauge, vec![source("host:a", 60, 0, Life::Always)]),
        metric(
            "lost",
            Kind::Gauge,
            vec![
                source("host:a", 60, 0, Life::Always),
                source("host:b", 60, 0, cycle(300, 720)),
                source("env:x", 60, 0, Life::Always),
            ],
        ),
        metric("slow", Kind::Gauge, vec![shaped("host:a", 60, 1.0), shaped("host:b", 240, 100.0)]),
        metric(
            "slow_count",
            Kind::Count,
            vec![shaped("host:a", 60, 1.0), shaped("host:b", 240, 100.0)],
        ),
        Metric {
            interval_s: Some(60),
            ..metric("rate", Kind::Rate, vec![source("host:a", 60, 0, Life::Always)])
        },
        metric("bare", Kind::Rate, vec![source("host:a", 60, 0, Life::Always)]),
        metric("count", Kind::Count, vec![source("host:a", 60, 0, Life::Always)]),
        metric(
            "spread",
            Kind::Distribution,
            vec![source("host:a", 60, 0, Life::Always), source("host:b", 60, 0, Life::Always)],
        ),
    ])
}

fn show(result: &QueryResult) -> String {
    let mut text = String::new();
    for series in &result.series {
        let points: Vec<String> =
            result.points(series).map(|(t, v)| format!("{t}={v:?}")).collect();
        if points.is_empty() {
            continue;
        }
        writeln!(text, "[{}] {}", series.tags.join(","), points.join(" ")).unwrap();
    }
    text
}

fn ask(query: &str, change: impl Fn(&mut Context)) -> String {
    let mut context = Context::oracle(TimeRange { from_s: 0, to_s: 720 }, 60);
    change(&mut context);
    let parsed = grammar::parse_list(query).unwrap();
    match evaluate(&small(), &parsed[0].expr, &context) {
        Ok(result) => show(&result),
        Err(e) => e.to_string(),
    }
}

fn check(query: &str, expected: &Expect) {
    expected.assert_eq(&ask(query, |_| {}));
}

#[test]
fn one_sample_a_bucket_keeps_its_bits() {
    check(
        "avg:odd{*}",
        &expect![[r#"
            [] 0=0.0 60=-0.0 120=5e-324 180=1e300 240=1e-12 300=-1.5 360=52.266434812304276 420=5e-5 480=0.1 540=123456789.12345679 600=-1e-7 660=9007199254740992.0
        "#]],
    );
}

#[test]
fn methods_and_intervals() {
    check(
        "avg:odd{*}.rollup(max,240)",
        &expect![[r#"
            [] 0=1e300 240=52.266434812304276 480=9007199254740992.0
        "#]],
    );
    check(
        "avg:odd{*}.rollup(count,240)",
        &expect![[r#"
            [] 0=4.0 240=4.0 480=4.0
        "#]],
    );
    check(
        "avg:odd{*}.rollup(avg,360)",
        &expect![[r#"
            [] 0=1.6666666666666668e299 360=1501199896366305.8
        "#]],
    );
}

#[test]
fn groups_with_a_missing_tag_and_a_late_birth() {
    check(
        "avg:lost{*} by {host}.rollup(min,240)",
        &expect![[r#"
            [host:N/A] 0=0.0 240=-1.5 480=-1e-7
            [host:a] 0=0.0 240=-1.5 480=-1e-7
            [host:b] 240=-1.5 480=-1e-7
        "#]],
    );
    check(
        "count:lost{*}.rollup(avg,240)",
        &expect![[r#"
            [] 0=2.0 240=3.0 480=3.0
        "#]],
    );
}

/// By the page on type modifiers, not by any client.
#[test]
fn a_modifier_does_what_the_metrics_type_says() {
    let same = |query: &str, as_query: &str| {
        assert_eq!(ask(query, |_| {}), ask(as_query, |_| {}), "{query} is {as_query}");
    };
    // A gauge: nothing, whatever the rollup.
    same("sum:odd{*}.as_count().rollup(240)", "sum:odd{*}.rollup(240)");
    same("sum:odd{*}.as_rate().rollup(240)", "sum:odd{*}.rollup(avg, 240)");
    same("sum:odd{*}.as_count().rollup(sum, 240)", "sum:odd{*}.rollup(sum, 240)");
    // A count: the sum; per second of the rollup, unless nothing is aggregated.
    same("sum:count{*}.as_count().rollup(240)", "sum:count{*}.rollup(sum, 240)");
    same("sum:count{*}.as_rate().rollup(240)", "sum:count{*}.rollup(sum, 240) / 240");
    same("sum:count{*}.as_rate().rollup(60)", "sum:count{*}.rollup(sum, 60)");
    same("sum:count{*}.as_rate().rollup(30)", "sum:count{*}.rollup(sum, 30)");
    // A rate every 60 s: the sum times 60; the mean of the rates over time; no finer than its own interval.
    same("sum:rate{*}.as_count().rollup(240)", "sum:rate{*}.rollup(sum, 240) * 60");
    same("sum:rate{*}.as_rate().rollup(240)", "sum:rate{*}.rollup(sum, 240) * 60 / 240");
    same("sum:rate{*}.as_rate().rollup(30)", "sum:rate{*}.rollup(60)");
    // A rate whose metadata names no interval: nothing.
    same("sum:bare{*}.as_count().rollup(240)", "sum:bare{*}.rollup(240)");
    same("sum:bare{*}.as_rate().rollup(240)", "sum:bare{*}.rollup(240)");
    // A stated method is heeded before any modifier.
    same("sum:count{*}.as_count().rollup(max, 240)", "sum:count{*}.rollup(max, 240)");
    check(
        "sum:rate{*}.as_count().rollup(240)",
        &expect![[r#"
            [] 0=6e301 240=3045.9890887383167 480=5.4043196269186694e17
        "#]],
    );
}

#[test]
fn distributions_aggregate_all_samples_at_once() {
    check(
        "p50:spread{*}.rollup(720)",
        &expect![[r#"
            [] 0=1e-12
        "#]],
    );
    check(
        "count(v: v>0):spread{*}.rollup(720)",
        &expect![[r#"
            [] 0=16.0
        "#]],
    );
    check("p50:odd{*}", &expect![""]);
}

#[test]
fn a_lone_query_is_interpolated_and_a_filled_or_listed_one_is_not() {
    let lone = |query: &str| ask(query, |r| r.interpolation = Interpolation::ByDefault);
    let listed = ask("sum:slow{*}", |_| {});
    assert_ne!(lone("sum:slow{*}"), listed);
    assert_eq!(lone("sum:slow{*}.fill(null)"), listed);
    assert_eq!(lone("sum:slow{*}.as_count()"), lone("sum:slow{*}"), "it is a gauge");
    assert_ne!(lone("sum:slow_count{*}"), ask("sum:slow_count{*}", |_| {}));
    assert_eq!(lone("sum:slow_count{*}.as_count()"), ask("sum:slow_count{*}", |_| {}));
    expect![[r#"
        [] 0=0.0 60=19.5 120=39.0 180=58.5 240=78.0 300=63.0 360=48.0 420=33.0 480=18.0 540=0.0 600=0.0 660=0.0
    "#]].assert_eq(&lone("sum:slow{*}"));
    expect![[r#"
        [host:a] 0=0.0 60=0.0 120=0.0 180=0.0 240=0.0 300=0.0 360=0.0 420=0.0 480=0.0 540=0.0 600=0.0 660=0.0
        [host:b] 0=0.0 60=0.0 120=0.0 180=0.0 240=78.0 300=78.0 360=78.0 420=78.0 480=18.0 540=18.0 600=18.0 660=18.0
    "#]].assert_eq(&ask("sum:slow{*} by {host}.fill(last)", |_| {}));
}

#[test]
fn the_edges_of_what_is_visible() {
    // The bucket that `to` cuts holds its part only.
    expect![[r#"
        [] 0=5.0 300=3.0
    "#]]
    .assert_eq(&ask("avg:odd{*}.rollup(count,300)", |r| {
        r.range.to_s = 480;
        r.visible.to_s = 480;
    }));
    expect![[r#"
        [] 0=3.0 300=5.0 600=5.0
    "#]]
    .assert_eq(&ask("avg:odd{*}.rollup(count,300)", |r| r.visible.from_s = 120));
    // An unaligned `from` drops its leading part.
    expect![[r#"
        [] 300=5.0 600=5.0
    "#]]
    .assert_eq(&ask("avg:odd{*}.rollup(count,300)", |r| r.range.from_s = 1));
}

#[test]
fn arithmetic_and_functions() {
    check(
        "avg:odd{*}.rollup(max,240) * 2 + 1",
        &expect![[r#"
            [] 0=2e300 240=105.53286962460855 480=1.8014398509481984e16
        "#]],
    );
    check(
        "avg:lost{*} by {host}.rollup(min,240) / avg:lost{*} by {host}.rollup(min,240)",
        &expect![[r#"
            [host:N/A] 240=1.0 480=1.0
            [host:a] 240=1.0 480=1.0
            [host:b] 240=1.0 480=1.0
        "#]],
    );
    check(
        "avg:odd{*}.rollup(max,240) - avg:odd{*}.rollup(max,120)",
        &expect![[r#"
            [] 0=1e300 240=52.266434812303274 480=9007199131284203.0
        "#]],
    );
    check(
        "abs(avg:odd{*}.rollup(min,240))",
        &expect![[r#"
            [] 0=0.0 240=1.5 480=1e-7
        "#]],
    );
    check(
        "top(avg:lost{*} by {host}.rollup(min,240), 1, 'sum', 'asc')",
        &expect![[r#"
            [host:N/A] 0=0.0 240=-1.5 480=-1e-7
        "#]],
    );
}

#[test]
fn functions_over_groups_and_time() {
    check(
        "exclude_null(avg:lost{*} by {host}.rollup(count,240))",
        &expect![[r#"
            [host:a] 0=4.0 240=4.0 480=4.0
            [host:b] 240=3.0 480=4.0
        "#]],
    );
    check(
        "throughput(count_nonzero_finite(avg:lost{*} by {host}.rollup(count,240)))",
        &expect![[r#"
            [] 0=0.008333333333333333 240=0.0125 480=0.0125
        "#]],
    );
    check(
        "count_not_null(avg:lost{*} by {host}.rollup(count,240))",
        &expect![[r#"
            [] 0=2.0 240=3.0 480=3.0
        "#]],
    );
    check(
        "diff(avg:odd{*}.rollup(max,240))",
        &expect![[r#"
            [] 240=-1e300 480=9007199254740940.0
        "#]],
    );
    check(
        "cumsum(avg:odd{*}.rollup(count,240))",
        &expect![[r#"
            [] 0=4.0 240=8.0 480=12.0
        "#]],
    );
    check(
        "median_3(avg:odd{*}.rollup(max,240))",
        &expect![[r#"
            [] 0=1e300 240=1e300 480=9007199254740992.0
        "#]],
    );
    check(
        "timeshift(avg:lost{*} by {host}.rollup(count,240), -240)",
        &expect![[r#"
            [host:N/A] 0=4.0 240=4.0 480=4.0
            [host:a] 0=4.0 240=4.0 480=4.0
            [host:b] 0=4.0 480=3.0
        "#]],
    );
    check(
        "forecast(avg:odd{*}, 'linear', 1)",
        &expect![[r#"
        Error parsing query: 
        unknown function or arguments: forecast"#]],
    );
    check("avg:odd{*} / 0", &expect![""]);
}
