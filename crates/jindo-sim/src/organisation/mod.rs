//! The simulated organisation: metrics, their sources and their signals. Every value is a pure function of (metric,
//! tags, time), so any answer can be computed twice: by the API, with batches, limits and faults, and by
//! [`Organisation::expected`], without them. Knows nothing of requests, limits or faults.

mod aws;
mod expected;
mod signal;
mod variety;

use std::collections::HashMap;

use serde::Serialize;

pub use aws::{built_in_list, built_in_queries};
pub use expected::{Expected, ExpectedError};
pub use signal::{Life, Presence, Shape, Signal};
pub use variety::{WIDE_QUERY, variety_queries};

/// The type of a metric in Datadog's storage. (DOC)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Samples of a level: they are averaged.
    Gauge,
    /// Events per flush: samples add up.
    Count,
    /// Events per second over the sample's spacing.
    Rate,
    /// Raw values, aggregated over time and space at once.
    Distribution,
}

/// A metric's unit; its fields are the members of an answer, in their order. (REC)
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Unit {
    pub family: &'static str,
    /// Factor to the base unit of its family.
    pub scale_factor: f64,
    /// Singular, lower case.
    pub name: &'static str,
    pub short_name: Option<&'static str>,
    pub plural: &'static str,
    /// Number of the unit in Datadog's list.
    pub id: u32,
}

/// One metric and all its sources.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Letters, digits, `_` and `.`; at most 200 characters. (DOC)
    pub name: String,
    pub kind: Kind,
    /// Seconds between submissions by its metadata (`statsd_interval`). (REC: mostly null)
    pub interval_s: Option<i64>,
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
    /// Positions in `metrics`.
    by_name: HashMap<String, usize>,
}

impl Organisation {
    /// Returns an organisation of exactly these metrics; of two with the same name the later counts.
    pub fn new(metrics: Vec<Metric>) -> Self {
        let by_name = metrics.iter().enumerate().map(|(i, m)| (m.name.clone(), i)).collect();
        Self { metrics, by_name }
    }

    /// Returns the built-in customer: the 579 AWS-like metrics of [`built_in_list`], and those of [`variety_queries`].
    pub fn built_in(seed: u64) -> Self {
        let mut metrics = aws::metrics(seed);
        metrics.extend(variety::metrics(seed));
        Self::new(metrics)
    }

    /// Returns [`Organisation::built_in`] with one more metric of `series` series, which [`WIDE_QUERY`] selects.
    pub fn wide(seed: u64, series: usize) -> Self {
        let mut metrics = Self::built_in(seed).metrics;
        metrics.push(variety::wide(seed, series));
        Self::new(metrics)
    }

    /// Returns [`Organisation::built_in`] without data on 70 % of the days (UTC) of every listed metric.
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

    /// Finds a metric by its name, which is case-sensitive. (DOC)
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.by_name.get(name).map(|&i| &self.metrics[i])
    }

    /// Returns all metrics, in the order in which they were given.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }
}
