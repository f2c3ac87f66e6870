//! Directory names: the promised examples, and no two queries in one directory.

use crate::extract::csv_tree::layout::query_directory;
use crate::query::{Fill, Interval, MetricTypes, RangeFunctions, RewriteOptions, grammar, list};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn seconds_of(interval_s: u32) -> Interval {
    Interval::from_secs(interval_s).unwrap()
}

/// The directory of a query as a user writes it.
fn directory(written: &str, interval_s: u32, fill: Fill) -> String {
    let settings = RewriteOptions {
        resolution: seconds_of(interval_s),
        variables: BTreeMap::new(),
        fill,
        range_functions: RangeFunctions::Allow,
        types: MetricTypes::new(),
    };
    let found = list("q", written, &settings);
    assert!(found.refused.is_empty(), "{}", found.refused[0]);
    query_directory(&found.queries[0].text.sent, found.queries[0].text.interval)
}

#[test]
fn names_read_like_the_query() {
    for (written, name) in [
        ("avg:m{*}", "m"),
        ("avg:m{*} by {host,az}", "m"),
        ("sum:m{*}.as_count()", "m.sum.as_count"),
        ("sum:m{*} by {a}.as_count()", "m.sum.as_count"),
        ("avg:m{env:prod}", "m.avg.env=prod"),
        ("avg:m{env:prod,host:web-1.example.com}", "m.avg.env=prod,host=web-1.example.com"),
        ("avg:m{*}.rollup(avg, 10)", "m@10s"),
        ("sum:m{*}", "m.sum@60s"),
        ("avg:m.sum{*}", "m.sum"),
        ("sum:m.sum{env:prod}.as_rate()", "m.sum.sum.env=prod.as_rate"),
        ("m{*}", "m.no-aggregator@60s"),
        ("m{*}.as_count()", "m.no-aggregator.as_count"),
        ("p99.9:m{env:prod}", "m.p99.9.env=prod"),
        ("p95:m{*}", "m.p95@60s"),
        ("count(v: v>=0):m{*}.as_rate()", "m.count-v-ge-0.as_rate"),
        ("avg:m{*}.rollup(max)", "m.avg.rollup=max"),
        ("avg:m{*}.rollup(max, 300).fill(zero)", "m.avg.rollup=max.fill=zero@300s"),
        ("avg:m{az:*a}", "m.avg.az=%2Aa"),
        ("avg:con{*}", "%63on"),
    ] {
        assert_eq!(directory(written, 60, Fill::Null), name, "{written}");
    }
    assert_eq!(directory("avg:m{*}", 60, Fill::Keep), "m.avg.fill=keep");
    assert_eq!(directory("sum:m{*}.as_count()", 10, Fill::Keep), "m.sum.as_count@10s");
}

#[test]
fn what_has_no_words_gets_a_slug_and_a_hash() {
    for (written, slug) in [
        ("avg:M{*}", "M"),
        ("avg:m.sum.as_count{*}", "m.sum.as_count"),
        ("avg:m{!env:prod}", "m.avg.env-prod"),
        ("avg:m{env:prod OR env:qa}.rollup(max)", "m.avg.env-prod-OR-env-qa.rollup=max"),
        ("avg:m{sum.k:v}", "m.avg.sum.k=v"),
        ("avg:m{a:b.as_count}", "m.avg.a=b.as_count"),
        ("sum:a.b{*} / sum:c{*} * sum:a.b{*}", "a.b-c"),
        ("abs(avg:m{*}.rollup(avg, 10))", "m@10s"),
        ("avg:m{*} by {Host}", "m"),
    ] {
        let name = directory(written, 60, Fill::Null);
        let (found, hash) = name.rsplit_once('~').unwrap_or_else(|| panic!("{written}: {name}"));
        assert_eq!((found, hash.len()), (slug, 6), "{written}");
    }
    let foreign = query_directory(&"../../etc/passwd; DROP".into(), seconds_of(60));
    assert_eq!(foreign.rsplit_once('~').map(|(slug, _)| slug), Some("etc-passwd-DROP"));
    assert!(query_directory(&"".into(), seconds_of(60)).starts_with("empty~"));
}

const METRICS: [&str; 12] = [
    "m",
    "M",
    "m.sum",
    "m.sum.as_count",
    "m.avg",
    "m.avg.env",
    "m.p99",
    "m.p99.9",
    "m.9",
    "m.avg.sum",
    "m.no",
    "con",
];
const AGGREGATORS: [&str; 7] =
    ["", "avg:", "sum:", "p99:", "p99.9:", "count(v: v>=0):", "count(v: v>=0.5):"];
const SCOPES: [&str; 18] = [
    "*",
    "*,*",
    "a:b",
    "A:b",
    "a:b,c:d",
    "c:d,a:b",
    "a:b.as_count",
    "sum.a:b",
    "a:b@10s",
    "as_count",
    "a:",
    "fill:keep",
    "rollup:max",
    "!a:b",
    "a:b AND c:d",
    "5:b",
    "env:b.sum.c",
    "9.a:b",
];
const MODIFIERS: [&str; 11] = [
    ".rollup(avg, N).fill(null)",
    ".rollup(avg, N)",
    ".rollup(sum, N).fill(null)",
    ".as_count().rollup(sum, N)",
    ".rollup(sum, N).as_count()",
    ".as_count().rollup(sum, N).fill(null)",
    ".as_count().rollup(avg, N)",
    ".rollup(N)",
    ".rollup(max, N).fill(zero)",
    ".weighted().rollup(avg, N).fill(null)",
    ".rollup(avg, 61).fill(null)",
];

#[test]
fn no_two_queries_share_a_directory() {
    let mut owners = BTreeMap::new();
    for metric in METRICS {
        for aggregator in AGGREGATORS {
            for (scope, modifiers) in SCOPES.iter().flat_map(|s| MODIFIERS.map(|m| (*s, m))) {
                for interval_s in [60, 10] {
                    let modifiers = modifiers.replace('N', &interval_s.to_string());
                    let sent = format!("{aggregator}{metric}{{{scope}}}{modifiers}");
                    let name = query_directory(&sent.as_str().into(), seconds_of(interval_s))
                        .to_lowercase();
                    let owner = owners.entry(name.clone()).or_insert((sent.clone(), interval_s));
                    assert_eq!(*owner, (sent, interval_s), "{name}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_has_a_safe_directory(sent in any::<String>()) {
        let name = query_directory(&sent.into(), seconds_of(10));
        prop_assert!(!name.is_empty() && name.len() <= 200 && !name.contains(['/', '\\']) && !name.starts_with('.'));
    }

    #[test]
    fn scopes_of_any_words_keep_queries_apart(
        values in prop::collection::btree_set("[abAB.,:=@~_0s-]{1,5}|as_count|x\\.fill=keep|b@10s", 2..30),
    ) {
        let mut owners = BTreeMap::new();
        for value in values {
            let sent = format!("avg:m{{k:{value}}}.rollup(avg, 60).fill(null)");
            let Ok(expr) = grammar::parse(&sent) else { continue };
            let sent = expr.to_string();
            let name = query_directory(&sent.as_str().into(), seconds_of(60)).to_lowercase();
            let owner = owners.entry(name).or_insert_with(|| sent.clone());
            prop_assert_eq!(&*owner, &sent);
        }
    }
}
