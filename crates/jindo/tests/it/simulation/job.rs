//! A small organisation and the job of exporting it: what a seed decides about the data, never about the server.

use super::session::Manner;
use jiff::SignedDuration;
use jindo::clock::Random;
use jindo::job::{ExportRequest, ListText, Pacing, Resolution};
use jindo::plan::Window;
use jindo::query::{self, Fill, Interval, MetricTypes, Query, RangeFunctions, RewriteOptions};
use jindo_sim::{Kind, Life, Metric, Organisation, Presence, Shape, Signal, Source};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2021-12-12T00:00:00Z.
const START_S: i64 = 1_639_267_200;

const DAY_S: i64 = 86_400;

/// Hosts whose names try what a path, a CSV cell or a comma list could trip over.
const HOSTS: [&str; 6] = ["web-1", "../../etc/passwd", "한글 배포", "a,b\"c", "con", "arn:aws:x/1"];

/// An export: its organisation, its queries, its range.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) organisation: Arc<Organisation>,
    /// As read from the list, at 300 s.
    pub(crate) queries: Vec<Query>,
    list: String,
    pub(crate) range: Window,
    /// Moments before it are past long enough that nothing stays open.
    pub(crate) begins_s: i64,
}

impl Job {
    /// `queries` at 300 s over `days`.
    pub(crate) fn new(random: &mut Random, queries: usize, days: i64) -> Self {
        let metrics = (0..queries).map(|number| metric(random, number)).collect();
        let lines: Vec<String> = (0..queries).map(|number| written(random, number)).collect();
        let settings = RewriteOptions {
            resolution: Interval::from_secs(300).unwrap(),
            variables: BTreeMap::new(),
            fill: Fill::Null,
            range_functions: RangeFunctions::Refuse,
            types: MetricTypes::new(),
        };
        let text = lines.join("\n");
        let list = query::list("queries.txt", &text, &settings);
        assert!(list.refused.is_empty(), "{:?}", list.refused);
        // Not aligned to the day, so that windows and days do not meet.
        let start = START_S + below(random, 288) * 300;
        Self {
            organisation: Arc::new(Organisation::new(metrics)),
            queries: list.queries,
            list: text,
            range: Window::from_secs(start, start + days * DAY_S).unwrap(),
            begins_s: START_S + 40 * DAY_S + below(random, 7_200),
        }
    }

    /// The export of the job, as `manner` has it.
    pub(crate) fn request(&self, manner: &Manner) -> ExportRequest {
        let list = ListText { name: "queries.txt".into(), text: self.list.clone() };
        ExportRequest {
            resolution: manner.resolution_s.map_or(Resolution::Auto, |secs| {
                Resolution::Every(Interval::from_secs(secs).unwrap())
            }),
            probing: manner.probing,
            pacing: Pacing {
                concurrency: manner.concurrency,
                reserve: manner.reserve,
                limit: manner.pace,
                max_calls: manner.calls_max,
                ..Pacing::default()
            },
            settle: SignedDuration::ZERO,
            assumed: manner.limits,
            ..ExportRequest::new(list, self.range.start(), self.range.end())
        }
    }
}

/// A whole number in `[0, bound)`.
pub(crate) fn below(random: &mut Random, bound: u64) -> i64 {
    i64::try_from(random.draw() % bound).unwrap()
}

/// One of `choices`.
pub(crate) fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[usize::try_from(below(random, choices.len() as u64)).unwrap()]
}

fn kind(number: usize) -> Kind {
    [Kind::Gauge, Kind::Count, Kind::Rate, Kind::Distribution, Kind::Gauge][number % 5]
}

fn metric(random: &mut Random, number: usize) -> Metric {
    let count = usize::try_from(1 + below(random, 3)).unwrap();
    let sources = (0..count)
        .map(|nth| {
            let host = HOSTS[(number + nth) % HOSTS.len()];
            Source { tags: vec![format!("host:{host}")], signal: signal(random) }
        })
        .collect();
    Metric {
        name: format!("sim.m{number}"),
        kind: kind(number),
        interval_s: Some(1),
        unit: None,
        sources,
    }
}

fn signal(random: &mut Random) -> Signal {
    let shape = [
        Shape::Fine { base: 2.0, span: 90.0 },
        Shape::Rounded { base: 1.0, span: 9.0 },
        Shape::Whole { span: 60.0 },
        Shape::Level { span: 5.0, hold_s: 3_600 },
        Shape::Odd,
    ];
    let presence = [
        Presence::All,
        Presence::Gaps { per_mille: 300 },
        Presence::Rare { per_mille: 40 },
        Presence::Days { percent: 50, seed: 7 },
        Presence::Never,
    ];
    let life = [Life::Always, Life::Cycle { period_s: 2 * DAY_S, from_s: 0, to_s: DAY_S }];
    let spacing_s = pick(random, &[300, 300, 150, 60, 900]);
    Signal {
        seed: random.draw(),
        shape: pick(random, &shape),
        spacing_s,
        phase_s: pick(random, &[0, 0, 7]),
        life: pick(random, &life),
        presence: pick(random, &presence),
    }
}

fn written(random: &mut Random, number: usize) -> String {
    let metric = format!("sim.m{number}");
    let by = pick(random, &["", " by {host}"]);
    match (kind(number), number % 10) {
        (Kind::Count, _) => format!("sum:{metric}{{*}}{by}.as_count()"),
        (Kind::Rate, _) => format!("sum:{metric}{{*}}{by}.as_rate()"),
        (Kind::Distribution, _) => format!("p95:{metric}{{*}}{by}"),
        (Kind::Gauge, 4) => format!("avg:{metric}{{*}} / avg:sim.m0{{*}}"),
        (Kind::Gauge, 5) => format!("max:{metric}{{*}}{by}.rollup(max, 600)"),
        (Kind::Gauge, _) => format!("avg:{metric}{{*}}{by}"),
    }
}
