//! Metrics beyond the built-in list, one family per difficulty: dense agents, odd floats, rates, distributions,
//! births and deaths, several values of one key, sources that report out of step.

use super::{Kind, Life, Metric, Presence, Shape, Signal, Source};
use crate::noise;

/// A query for each family, ready to be asked.
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

const CALM: Signal = Signal {
    seed: 0,
    shape: Shape::Fine { base: 2.0, span: 90.0 },
    spacing_s: 10,
    phase_s: 0,
    life: Life::Always,
    presence: Presence::All,
};

/// Name, kind, and each source's tags with its signal.
type Family<'a> = (&'a str, Kind, &'a [(&'a str, Signal)]);

pub(super) fn metrics(seed: u64) -> Vec<Metric> {
    let fine = Shape::Fine { base: 3.0, span: 250.0 };
    let counts = Signal { shape: Shape::Whole { span: 60.0 }, ..CALM };
    let minutes = Signal { spacing_s: 60, ..CALM };
    let whole = Life::Between { born_s: i64::MIN, died_s: i64::MAX };
    let cycle = |from_s, to_s| Life::Cycle { period_s: 172_800, from_s, to_s };
    let families: [Family<'_>; 9] = [
        (
            "system.cpu.user",
            Kind::Gauge,
            &[
                ("host:web-1 env:prod az:ap-northeast-2a", CALM),
                ("host:web-2 env:prod az:ap-northeast-2b", Signal { phase_s: 3, ..CALM }),
                (
                    "host:db-1 env:stage az:ap-northeast-2a",
                    Signal { presence: Presence::Gaps { per_mille: 90 }, ..CALM },
                ),
            ],
        ),
        (
            "app.requests",
            Kind::Count,
            &[
                ("service:web env:prod", counts),
                ("service:한글_배포 env:prod", counts),
                ("env:prod", counts),
            ],
        ),
        (
            "app.hits",
            Kind::Rate,
            &[("service:web env:prod", counts), ("service:api env:prod", counts)],
        ),
        (
            "app.latency",
            Kind::Distribution,
            &[
                ("service:web env:prod", Signal { shape: fine, ..CALM }),
                ("service:api env:prod", Signal { shape: fine, ..CALM }),
            ],
        ),
        ("odd.values", Kind::Gauge, &[("host:odd", Signal { shape: Shape::Odd, ..minutes })]),
        (
            "odd.unstepped",
            Kind::Gauge,
            &[("host:one", minutes), ("host:two", Signal { spacing_s: 300, phase_s: 130, ..CALM })],
        ),
        (
            "odd.lives",
            Kind::Gauge,
            &[
                ("name:always", Signal { life: whole, ..minutes }),
                ("name:first_half", Signal { life: cycle(0, 86_400), ..minutes }),
                ("name:second_half", Signal { life: cycle(86_400, 172_800), ..minutes }),
            ],
        ),
        (
            "odd.partitions",
            Kind::Gauge,
            &[
                ("topic:orders partition:0 partition:1", minutes),
                ("topic:orders partition:2", minutes),
            ],
        ),
        (
            "odd.empty",
            Kind::Gauge,
            &[("host:odd", Signal { presence: Presence::Never, ..minutes })],
        ),
    ];
    families.into_iter().map(|(name, kind, sources)| metric(seed, name, kind, sources)).collect()
}

/// A query for the organisation of one wide metric.
pub const WIDE_QUERY: &str = "avg:wide.gauge{*} by {id}";

/// One metric of so many series, a point a minute each: for what a very wide query costs.
pub(super) fn wide(seed: u64, series: usize) -> Metric {
    let minutes = Signal { spacing_s: 60, ..CALM };
    let tags: Vec<_> = (0..series).map(|number| format!("id:{number:06}")).collect();
    let sources: Vec<_> = tags.iter().map(|tags| (tags.as_str(), minutes)).collect();
    metric(seed, "wide.gauge", Kind::Gauge, &sources)
}

fn metric(seed: u64, name: &str, kind: Kind, sources: &[(&str, Signal)]) -> Metric {
    let own = noise::of_text(seed, name);
    let sources = sources
        .iter()
        .map(|(tags, signal)| Source {
            tags: tags.split(' ').map(str::to_owned).collect(),
            signal: Signal { seed: noise::of_text(own, tags), ..*signal },
        })
        .collect();
    Metric { name: name.to_owned(), kind, unit: None, sources }
}
