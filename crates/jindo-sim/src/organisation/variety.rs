//! Metrics beyond the built-in list, one family per difficulty: dense agents, odd floats, rates, distributions, sources
//! that come and go, several values of one key, sources that report at different times.

use super::{Kind, Life, Metric, Presence, Shape, Signal, Source};
use crate::noise;

/// Returns one query per family.
pub fn variety_queries() -> Vec<&'static str> {
    vec![
        "avg:system.cpu.user{*} by {host}",
        "sum:app.requests{*} by {service}.as_count()",
        "sum:app.hits{*}.as_rate()",
        "p95:app.latency{*} by {service}",
        "count(v: v>=100):app.latency{env:prod}",
        "avg:odd.values{*}",
        "avg:odd.unstepped{*}",
        "avg:odd.lives{*} by {name}",
        "avg:odd.partitions{*} by {partition}",
        "avg:odd.empty{*}",
    ]
}

/// A source that always reports, every ten seconds.
const CALM: Signal = Signal {
    seed: 0,
    shape: Shape::Fine { base: 2.0, span: 90.0 },
    spacing_s: 10,
    phase_s: 0,
    life: Life::Always,
    presence: Presence::All,
};

/// Returns the metrics of all families.
pub(super) fn metrics(seed: u64) -> Vec<Metric> {
    [agents(seed), odd(seed)].concat()
}

/// Returns metrics as agents report them, every ten seconds.
fn agents(seed: u64) -> Vec<Metric> {
    let gaps = Signal { presence: Presence::Gaps { per_mille: 90 }, ..CALM };
    let counts = Signal { shape: Shape::Whole { span: 60.0 }, ..CALM };
    let fine = Signal { shape: Shape::Fine { base: 3.0, span: 250.0 }, ..CALM };
    let metric = |name, kind, sources: &[_]| metric(seed, name, kind, sources);
    vec![
        metric(
            "system.cpu.user",
            Kind::Gauge,
            &[
                ("host:web-1 env:prod az:ap-northeast-2a", CALM),
                ("host:web-2 env:prod az:ap-northeast-2b", Signal { phase_s: 3, ..CALM }),
                ("host:db-1 env:stage az:ap-northeast-2a", gaps),
            ],
        ),
        metric(
            "app.requests",
            Kind::Count,
            &[
                ("service:web env:prod", counts),
                ("service:한글_배포 env:prod", counts),
                ("env:prod", counts),
            ],
        ),
        metric(
            "app.hits",
            Kind::Rate,
            &[("service:web env:prod", counts), ("service:api env:prod", counts)],
        ),
        metric(
            "app.latency",
            Kind::Distribution,
            &[("service:web env:prod", fine), ("service:api env:prod", fine)],
        ),
    ]
}

/// Returns gauges with one difficulty each, every minute.
fn odd(seed: u64) -> Vec<Metric> {
    let minutes = Signal { spacing_s: 60, ..CALM };
    let living = |life| Signal { life, ..minutes };
    let half = |from_s, to_s| living(Life::Cycle { period_s: 172_800, from_s, to_s });
    let always = living(Life::Between { born_s: i64::MIN, died_s: i64::MAX });
    let metric = |name, sources: &[_]| metric(seed, name, Kind::Gauge, sources);
    vec![
        metric("odd.values", &[("host:odd", Signal { shape: Shape::Odd, ..minutes })]),
        metric(
            "odd.unstepped",
            &[("host:one", minutes), ("host:two", Signal { spacing_s: 300, phase_s: 130, ..CALM })],
        ),
        metric(
            "odd.lives",
            &[
                ("name:always", always),
                ("name:first_half", half(0, 86_400)),
                ("name:second_half", half(86_400, 172_800)),
            ],
        ),
        metric(
            "odd.partitions",
            &[
                ("topic:orders partition:0 partition:1", minutes),
                ("topic:orders partition:2", minutes),
            ],
        ),
        metric("odd.empty", &[("host:odd", Signal { presence: Presence::Never, ..minutes })]),
    ]
}

/// The query for the metric of [`super::Organisation::wide`].
pub const WIDE_QUERY: &str = "avg:wide.gauge{*} by {id}";

/// Returns a metric of `series` series with a point a minute each, to measure the cost of a very wide query.
pub(super) fn wide(seed: u64, series: usize) -> Metric {
    let minutes = Signal { spacing_s: 60, ..CALM };
    let tags: Vec<_> = (0..series).map(|number| format!("id:{number:06}")).collect();
    let sources: Vec<_> = tags.iter().map(|tags| (tags.as_str(), minutes)).collect();
    metric(seed, "wide.gauge", Kind::Gauge, &sources)
}

/// Returns a metric whose sources are given as tags, separated by spaces, and signal; the signal's seed is replaced.
fn metric(seed: u64, name: &str, kind: Kind, sources: &[(&str, Signal)]) -> Metric {
    let own = noise::of_text(seed, name);
    let sources = sources
        .iter()
        .map(|(tags, signal)| Source {
            tags: tags.split(' ').map(str::to_owned).collect(),
            signal: Signal { seed: noise::of_text(own, tags), ..*signal },
        })
        .collect();
    let interval_s = matches!(kind, Kind::Count | Kind::Rate).then_some(10);
    Metric { name: name.to_owned(), kind, interval_s, unit: None, sources }
}
