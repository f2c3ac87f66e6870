//! What the simulated organisation has: metrics, their sources and their signals. Everything in it is a pure function
//! of (metric, tags, time), so the answer to any question can be computed twice: by the API, batched, capped and
//! broken, and by [`Organisation::expected`], plainly. Knows nothing of requests, limits or faults.

mod aws;
mod expected;
mod signal;
mod variety;

use std::collections::HashMap;

pub use aws::{built_in_list, built_in_queries};
pub use expected::{Expected, ExpectedError};
pub use signal::{Life, Presence, Shape, Signal};
pub use variety::{WIDE_QUERY, variety_queries};

/// How Datadog stores a metric. (DOC)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    /// Events per flush: samples add up.
    Count,
    /// Events per second over the sample's spacing.
    Rate,
    /// Raw values, aggregated over time and space at once.
    Distribution,
}

impl Kind {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Count => "count",
            Kind::Rate => "rate",
            Kind::Distribution => "distribution",
        }
    }
}

/// A metric's unit, as answers describe it. (REC)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    pub id: u32,
    pub family: &'static str,
    pub name: &'static str,
    pub plural: &'static str,
    pub short_name: Option<&'static str>,
    pub scale_factor: f64,
}

/// One metric and all that reports it.
#[derive(Debug, Clone)]
pub struct Metric {
    pub name: String,
    pub kind: Kind,
    pub unit: Option<Unit>,
    pub sources: Vec<Source>,
}

/// One reporting source: a distinct set of tags.
#[derive(Debug, Clone)]
pub struct Source {
    /// `key:value`, lower case; a key may occur twice. (DOC)
    pub tags: Vec<String>,
    pub signal: Signal,
}

/// All metrics of the simulated customer.
#[derive(Debug, Clone)]
pub struct Organisation {
    metrics: Vec<Metric>,
    by_name: HashMap<String, usize>,
}

impl Organisation {
    /// An organisation of exactly these metrics; of two with one name the later counts.
    pub fn new(metrics: Vec<Metric>) -> Self {
        let by_name = metrics.iter().enumerate().map(|(i, m)| (m.name.clone(), i)).collect();
        Self { metrics, by_name }
    }

    /// The built-in customer: the 579 AWS-like metrics of [`built_in_list`], and those of [`variety_queries`].
    pub fn built_in(seed: u64) -> Self {
        let mut metrics = aws::metrics(seed);
        metrics.extend(variety::metrics(seed));
        Self::new(metrics)
    }

    /// As [`Organisation::built_in`], and a metric of so many series, which [`WIDE_QUERY`] asks for.
    pub fn wide(seed: u64, series: usize) -> Self {
        let mut metrics = Self::built_in(seed).metrics;
        metrics.push(variety::wide(seed, series));
        Self::new(metrics)
    }

    /// As [`Organisation::built_in`], but of every listed metric 70 % of the days (UTC) hold nothing.
    pub fn sparse(seed: u64) -> Self {
        let mut metrics = aws::metrics(seed);
        for metric in &mut metrics {
            let days =
                Presence::Days { percent: 30, seed: crate::noise::of_text(seed, &metric.name) };
            for source in &mut metric.sources {
                source.signal.presence = days;
            }
        }
        metrics.extend(variety::metrics(seed));
        Self::new(metrics)
    }

    /// Names are case-sensitive. (DOC)
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.by_name.get(name).map(|&i| &self.metrics[i])
    }

    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }
}
