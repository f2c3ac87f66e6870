//! The built-in customer: 579 AWS-like metrics, one query each, as a backup job would list them. The table is
//! `aws.txt`; a hash of its name decides kind of values, spacing and sources of each metric.

use super::{Kind, Life, Metric, Presence, Shape, Signal, Source, Unit};
use crate::noise;

/// Number of queries in the built-in list.
const QUERIES: usize = 579;

/// One line per service: service, key to group by or `-`, names; a name that ends in `+` is a count.
const TABLE: &str = include_str!("aws.txt");

const BYTE: Unit = unit(2, "bytes", "byte", "bytes", "B");
const REQUEST: Unit = unit(19, "network", "request", "requests", "req");
const PERCENT: Unit = unit(17, "percentage", "percent", "percent", "%");
const SECOND: Unit = unit(11, "time", "second", "seconds", "s");

const fn unit(
    id: u32,
    family: &'static str,
    name: &'static str,
    plural: &'static str,
    short_name: &'static str,
) -> Unit {
    Unit { id, family, name, plural, short_name: Some(short_name), scale_factor: 1.0 }
}

/// One metric of the table.
struct Entry {
    metric: String,
    /// Tag key that its query groups by.
    key: Option<&'static str>,
    kind: Kind,
}

/// Returns the 579 queries of the built-in list, one per line.
pub fn built_in_list() -> String {
    built_in_queries().into_iter().fold(String::new(), |list, query| list + &query + "\n")
}

/// Returns the queries of [`built_in_list`].
pub fn built_in_queries() -> Vec<String> {
    entries()
        .map(|Entry { metric, key, kind }| {
            let by = key.map(|key| format!(" by {{{key}}}")).unwrap_or_default();
            match kind {
                Kind::Count => format!("sum:{metric}{{*}}{by}.as_count()"),
                Kind::Gauge | Kind::Rate | Kind::Distribution => format!("avg:{metric}{{*}}{by}"),
            }
        })
        .collect()
}

/// Yields the first 579 metrics of the table.
fn entries() -> impl Iterator<Item = Entry> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let columns = lines.filter_map(|line| {
        let (service, rest) = line.split_once('|')?;
        let (key, names) = rest.split_once('|')?;
        Some((service, key, names))
    });
    let all = columns.flat_map(|(service, key, names)| {
        names.split_whitespace().map(move |name| {
            let (name, kind) =
                name.strip_suffix('+').map_or((name, Kind::Gauge), |n| (n, Kind::Count));
            Entry {
                metric: format!("aws.{service}.{name}"),
                key: (key != "-").then_some(key),
                kind,
            }
        })
    });
    all.take(QUERIES)
}

/// Returns the metrics of the list.
pub(super) fn metrics(seed: u64) -> Vec<Metric> {
    entries().map(|entry| metric(seed, entry)).collect()
}

/// Possible phases, in seconds, of two sources in one group.
const OFFSETS_S: [i64; 4] = [0, 15, 30, 45];

/// Returns the metric of an entry; every choice is by a hash of its name.
fn metric(seed: u64, Entry { metric: name, key, kind }: Entry) -> Metric {
    let hash = noise::of_text(seed, &name);
    // Of nine metrics one never reports, one rarely, one with hours missing.
    let character = noise::below(noise::at(hash, 1), 9);
    let presence = match character {
        0 => Presence::Never,
        1 => Presence::Rare { per_mille: 15 },
        2 => Presence::Gaps { per_mille: 120 },
        _ => Presence::All,
    };
    let presence = if name == "aws.cloudfront.requests" { Presence::All } else { presence };
    let spacing_s = if noise::below(noise::at(hash, 2), 3) == 0 { 300 } else { 60 };
    let groups = key.map_or(1, |_| group_count(hash));
    let mut sources = Vec::new();
    for group in 0..groups {
        // Some groups have two sources that report at different times.
        let twins = 1 + u64::from(noise::below(noise::at(hash, 100 + group), 6) == 0);
        for twin in 0..twins {
            let source_seed = noise::at(hash, 1_000 + group * 10 + twin);
            let mut tags = vec!["region:ap-northeast-2".to_owned(), zone(group + twin)];
            // In a few metrics one source lacks the tag that the query groups by.
            let lacks_key = group + 1 == groups && groups > 2 && noise::below(hash, 11) == 0;
            if let (Some(key), false) = (key, lacks_key) {
                tags.push(format!("{key}:{}", tag_value(key, group)));
            }
            let phase_s = if twins == 2 { OFFSETS_S[noise::below(source_seed, 4)] } else { 0 };
            let shape = shape(hash, kind);
            let life = life(noise::at(hash, 500 + group));
            let signal = Signal { seed: source_seed, shape, spacing_s, phase_s, life, presence };
            sources.push(Source { tags, signal });
        }
    }
    Metric { unit: unit_of(&name), name, kind, interval_s: None, sources }
}

/// Returns 1 to 20 groups, 4 on average.
fn group_count(hash: u64) -> u64 {
    const SIZES: [u64; 12] = [1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 7, 20];
    SIZES[noise::below(noise::at(hash, 3), SIZES.len())]
}

fn zone(n: u64) -> String {
    format!("availability-zone:ap-northeast-2{}", ["a", "b", "c"][noise::below(n, 3)])
}

/// Returns the values of a metric: counts are whole, others of four kinds.
fn shape(hash: u64, kind: Kind) -> Shape {
    const SPANS: [f64; 4] = [3.0, 40.0, 1_000.0, 250_000.0];
    let span = SPANS[noise::below(noise::at(hash, 4), SPANS.len())];
    match (kind, noise::below(noise::at(hash, 5), 5)) {
        (Kind::Count, _) | (_, 0) => Shape::Whole { span },
        (_, 1) => Shape::Level { span, hold_s: 7_200 },
        (_, 2) => Shape::Rounded { base: span / 10.0, span },
        (_, _) => Shape::Fine { base: span / 7.0, span },
    }
}

/// Returns the lifetime of a source: most always exist, some come and go within days, some start within a backup.
fn life(hash: u64) -> Life {
    const HOUR_S: i64 = 3_600;
    match noise::below(hash, 16) {
        0 => Life::Cycle {
            period_s: 240 * HOUR_S,
            from_s: 31 * HOUR_S + 420,
            to_s: 170 * HOUR_S + 1_260,
        },
        1 => Life::Cycle { period_s: 72 * HOUR_S, from_s: 0, to_s: 29 * HOUR_S + 90 },
        // 2022-01-20T13:07:00Z, for ever.
        2 => Life::Between { born_s: 1_642_684_020, died_s: i64::MAX },
        _ => Life::Always,
    }
}

/// Returns a tag's value: as AWS writes it, or one that is difficult in a file name.
fn tag_value(key: &str, group: u64) -> String {
    const NAMES: [&str; 10] = [
        "web",
        "api/v2",
        "한글_배포",
        "batch:nightly",
        "con",
        "../../etc/passwd",
        "web.",
        "a-b_c",
        "é",
        "db",
    ];
    let id = noise::at(0x1d, group);
    let short = id & 0xffff_ffff;
    match key {
        "certificatearn" => {
            format!(
                "arn:aws:acm:ap-northeast-2:123456789012:certificate/{short:08x}-0000-4000-8000-{:012x}",
                id >> 20
            )
        }
        "statemachinearn" => {
            format!("arn:aws:states:ap-northeast-2:123456789012:statemachine:step-{group}")
        }
        "distributionid" => format!("e{short:08x}x{group}"),
        "host" => format!("i-{id:016x}{group:x}"),
        "volumeid" => format!("vol-{id:016x}{group:x}"),
        "natgatewayid" => format!("nat-{id:016x}{group:x}"),
        "loadbalancer" => format!("app/front-{group}/{id:016x}"),
        "tunnelipaddress" => format!("203.0.113.{group}"),
        "loggroupname" => format!("/aws/lambda/job-{group}"),
        _ => match usize::try_from(group).ok().and_then(|n| NAMES.get(n)) {
            Some(name) => (*name).to_owned(),
            None => format!("{key}-{group}"),
        },
    }
}

/// Returns the unit by a part of the metric's name.
fn unit_of(metric: &str) -> Option<Unit> {
    let parts = [
        ("bytes", BYTE),
        ("storage", BYTE),
        ("requests", REQUEST),
        ("request_count", REQUEST),
        ("rate", PERCENT),
        ("utilization", PERCENT),
        ("latency", SECOND),
    ];
    parts.into_iter().find(|(part, _)| metric.contains(part)).map(|(_, unit)| unit)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;
    use crate::grammar;

    #[test]
    fn the_list_has_579_distinct_valid_queries_and_starts_like_the_article() {
        let list = built_in_list();
        let queries: Vec<&str> = list.lines().collect();
        assert_eq!(queries.len(), 579);
        assert_eq!(queries.iter().collect::<HashSet<_>>().len(), 579);
        assert_eq!(
            queries[..5],
            [
                "avg:aws.ec2.cpusurplus_credit_balance{*}",
                "avg:aws.autoscaling.group_total_instances{*} by {name}",
                "avg:aws.certificatemanager.days_to_expiry{*} by {certificatearn}",
                "avg:aws.cloudfront.requests{*} by {distributionid}",
                "avg:aws.advisor.service_limit.usage{*} by {service_name}",
            ]
        );
        for query in queries {
            assert_eq!(grammar::parse_list(query).map(|parsed| parsed.len()), Ok(1), "{query}");
        }
    }

    #[test]
    fn batches_of_35_stay_under_7000_escaped_characters() {
        let queries = built_in_queries();
        for batch in queries.chunks(35) {
            let text: Vec<String> =
                batch.iter().map(|query| format!("{query}.rollup(avg,60).fill(null)")).collect();
            let escaped = utf8_percent_encode(&text.join(","), NON_ALPHANUMERIC).count_chars();
            assert!(escaped < 7_000, "{escaped}: {batch:?}");
        }
    }

    trait CountChars {
        fn count_chars(self) -> usize;
    }

    impl<'a, I: Iterator<Item = &'a str>> CountChars for I {
        fn count_chars(self) -> usize {
            self.map(str::len).sum()
        }
    }

    #[test]
    fn queries_have_about_four_series_each() {
        let groups: usize = metrics(1).iter().map(|m| m.sources.len()).sum();
        assert!((3 * 579..6 * 579).contains(&groups), "{groups}");
    }
}
