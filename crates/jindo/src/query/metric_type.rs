//! The type of a metric, which decides what `.as_count()` and `.as_rate()` do to it (documented: type modifiers). Pure.

use super::ast::{Aggregator, Modifier, SeriesExpr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Type of a metric, as its metadata names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum MetricType {
    Gauge,
    Count,
    Rate,
    /// A rate whose metadata names no interval: modifiers leave it as it is, since there is nothing to multiply by.
    RateWithoutInterval,
    Distribution,
    /// No metric of that name is known to the server yet: it is asked as a count, since there is nothing to be wrong about.
    Absent,
}

/// Statement of metadata on the seconds between submissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmissionInterval {
    Known,
    Unknown,
}

/// The types of metrics, as far as they are known.
pub type MetricTypes = BTreeMap<String, MetricType>;

/// Effect of a series' modifiers on how it is aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregation {
    /// Averaged over time, and interpolated between sources unless a fill says otherwise.
    Averaged,
    /// Summed over time, never interpolated.
    Summed,
    /// Over time and space at once: a rollup takes no method.
    AtOnce { is_interpolated: bool },
}

impl MetricType {
    const ALL: [Self; 6] = [
        Self::Gauge,
        Self::Count,
        Self::Rate,
        Self::RateWithoutInterval,
        Self::Distribution,
        Self::Absent,
    ];

    /// Returns the type that metadata names; `None` for names that are not documented.
    pub fn of_metadata(name: &str, interval: SubmissionInterval) -> Option<Self> {
        match (name, interval) {
            ("gauge", _) => Some(Self::Gauge),
            ("count", _) => Some(Self::Count),
            ("rate", SubmissionInterval::Known) => Some(Self::Rate),
            ("rate", SubmissionInterval::Unknown) => Some(Self::RateWithoutInterval),
            ("distribution", _) => Some(Self::Distribution),
            _ => None,
        }
    }

    /// Returns the name under which it is kept.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Count => "count",
            Self::Rate => "rate",
            Self::RateWithoutInterval => "rate without interval",
            Self::Distribution => "distribution",
            Self::Absent => "absent",
        }
    }

    /// Returns the type of a kept name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// True for metrics on which `.as_count()` and `.as_rate()` do nothing.
    pub fn ignores_modifiers(self) -> bool {
        matches!(self, Self::Gauge | Self::RateWithoutInterval)
    }
}

impl From<MetricType> for &'static str {
    fn from(of: MetricType) -> Self {
        of.name()
    }
}

impl TryFrom<String> for MetricType {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_name(&name).ok_or_else(|| format!("a metric's type is {name:?}"))
    }
}

/// True for a series with `.as_count()` or `.as_rate()`, whose aggregation depends on the metric's type.
pub fn depends_on_type(series: &SeriesExpr) -> bool {
    let counts = |modifier: &Modifier| matches!(modifier.name.as_str(), "as_count" | "as_rate");
    series.modifiers.iter().any(counts)
}

/// Returns how the server aggregates a series whose rollup names no method. Where the type matters and is not known, the metric
/// counts as a count.
pub(super) fn aggregation(series: &SeriesExpr, types: &MetricTypes) -> Aggregation {
    if let Some(Aggregator::Percentile(_) | Aggregator::CountIf { .. } | Aggregator::Stddev) =
        series.aggregator
    {
        return Aggregation::AtOnce { is_interpolated: !depends_on_type(series) };
    }
    if !depends_on_type(series) {
        return Aggregation::Averaged;
    }
    match types.get(&series.metric) {
        Some(MetricType::Gauge | MetricType::RateWithoutInterval) => Aggregation::Averaged,
        Some(MetricType::Distribution) => Aggregation::AtOnce { is_interpolated: false },
        Some(MetricType::Count | MetricType::Rate | MetricType::Absent) | None => {
            Aggregation::Summed
        }
    }
}
