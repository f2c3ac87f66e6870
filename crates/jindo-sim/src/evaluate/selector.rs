//! One series expression: choose the sources, group them, aggregate over time, then over space. (DOC)

#![expect(clippy::cast_precision_loss, reason = "intervals in seconds are far below 2^53")]

use std::collections::BTreeMap;

use super::time_aggregation::TimeAggregation;
use super::{Context, Interpolation, QueryResult, Series, space_aggregation};
use crate::grammar::{Aggregator, Counting, FILL_LIMIT_S, Fill, Method, Selector};
use crate::grid::Grid;
use crate::organisation::{Kind, Metric, Organisation, Source};

/// Evaluates one selector. An unknown metric has no series.
pub(super) fn evaluate(
    organisation: &Organisation,
    selector: &Selector,
    context: &Context,
) -> QueryResult {
    let grid = context.grid(selector.rollup);
    let Some(metric) = organisation.metric(&selector.metric) else {
        return QueryResult { grid, series: Vec::new(), unit: None, is_constant: false };
    };
    let aggregation = Aggregation { metric, selector, grid, context };
    let series = groups(metric, selector)
        .into_iter()
        .map(|(tags, sources)| Series { tags, values: aggregation.values(&sources) })
        .collect();
    QueryResult { grid, series, unit: metric.unit, is_constant: false }
}

/// Returns the sources by their group's tags, `key:N/A` where a source lacks the key. (USER) A source with several
/// values of one key is in several groups. (DOC)
fn groups<'a>(metric: &'a Metric, selector: &Selector) -> BTreeMap<Vec<String>, Vec<&'a Source>> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Source>> = BTreeMap::new();
    for source in metric.sources.iter().filter(|s| selector.filter.matches(&s.tags)) {
        let mut names = vec![Vec::new()];
        for key in &selector.by {
            let values = values_of(source, key);
            let longer = |name: &Vec<String>, value: &String| {
                [&name[..], std::slice::from_ref(value)].concat()
            };
            names = names
                .iter()
                .flat_map(|name| values.iter().map(|value| longer(name, value)))
                .collect();
        }
        for name in names {
            groups.entry(name).or_default().push(source);
        }
    }
    groups
}

/// Returns the source's tags with this key, or `key:N/A`.
fn values_of(source: &Source, key: &str) -> Vec<String> {
    let has_key = |tag: &&String| tag.split_once(':').is_some_and(|(k, _)| k == key);
    let tags: Vec<String> = source.tags.iter().filter(has_key).cloned().collect();
    if tags.is_empty() { vec![format!("{key}:N/A")] } else { tags }
}

/// The aggregation of a group of sources to one value per bucket.
struct Aggregation<'a> {
    metric: &'a Metric,
    selector: &'a Selector,
    grid: Grid,
    context: &'a Context,
}

impl Aggregation<'_> {
    /// Returns the values of one group.
    fn values(&self, sources: &[&Source]) -> Vec<f64> {
        if self.metric.kind == Kind::Distribution {
            self.at_once(sources)
        } else {
            self.time_then_space(sources)
        }
    }

    /// Aggregates each source over time, then all sources over space, as for gauges, counts and rates. (DOC)
    fn time_then_space(&self, sources: &[&Source]) -> Vec<f64> {
        let len = self.grid.len;
        let aggregator = self.selector.aggregator;
        // Percentiles and conditions apply to distributions; of other metrics the server has none.
        if matches!(aggregator, Some(Aggregator::Percentile(_) | Aggregator::CountIf(..))) {
            return vec![f64::NAN; len];
        }
        let method = self.method();
        let over_time = |source: &&Source| {
            let aggregation = TimeAggregation { method, scale: self.scale(source) };
            aggregation.buckets(&source.signal, &self.grid, self.context.visible)
        };
        let mut buckets: Vec<_> = sources.iter().map(over_time).collect();
        self.fill_gaps(&mut buckets);
        let mut values = match buckets.len() {
            1 if aggregator != Some(Aggregator::Count) => buckets.remove(0),
            _ => space_aggregation::combine(aggregator.unwrap_or(Aggregator::Avg), &buckets, len),
        };
        if method == Method::Sum && self.metric.kind != Kind::Gauge {
            self.per_second(&mut values);
        }
        values
    }

    /// Aggregates all samples of the group and bucket together, as for distributions. (DOC)
    fn at_once(&self, sources: &[&Source]) -> Vec<f64> {
        let Self { selector, grid, context, .. } = self;
        let aggregator = selector.aggregator.unwrap_or(Aggregator::Avg);
        let mut seen = Vec::new();
        let mut values = Vec::with_capacity(grid.len);
        for bucket in 0..grid.len {
            seen.clear();
            let from_s = grid.time_s(bucket).max(context.visible.from_s);
            let to_s = grid.time_s(bucket + 1).min(context.visible.to_s);
            for source in sources {
                let signal = &source.signal;
                let numbers = signal.first_from(from_s)..signal.first_from(to_s);
                seen.extend(numbers.map(|n| signal.sample(n)).filter(|v| !v.is_nan()));
            }
            values.push(space_aggregation::aggregate(aggregator, &mut seen));
        }
        self.per_second(&mut values);
        values
    }

    /// Divides by the interval under `.as_rate()`.
    fn per_second(&self, values: &mut [f64]) {
        if self.selector.counting == Some(Counting::AsRate) {
            for value in values {
                *value /= self.grid.interval_s as f64;
            }
        }
    }

    /// Returns the stated method; else SUM for counts and rates under `.as_count()`/`.as_rate()`, AVG otherwise. (DOC)
    fn method(&self) -> Method {
        let stated = self.selector.rollup.and_then(|r| r.method);
        let counted = self.selector.counting.is_some() && self.metric.kind != Kind::Gauge;
        stated.unwrap_or(if counted { Method::Sum } else { Method::Avg })
    }

    /// Returns the factor of a source's samples: a counted rate stands for its spacing's seconds of events. (DOC)
    fn scale(&self, source: &Source) -> f64 {
        match (self.metric.kind, self.selector.counting) {
            (Kind::Rate, Some(_)) => source.signal.spacing_s as f64,
            _ => 1.0,
        }
    }

    /// Fills gaps where some source of the group has a real value: as `.fill` says, else linearly when several sources
    /// are combined in a lone query that does not count. (DOC)
    fn fill_gaps(&self, buckets: &mut [Vec<f64>]) {
        let fill = match (self.selector.fill, self.selector.counting, self.context.interpolation) {
            (Some(fill), _, _) => fill,
            (None, None, Interpolation::ByDefault) if buckets.len() > 1 => {
                Fill::Linear { limit_s: FILL_LIMIT_S }
            }
            _ => return,
        };
        let lone = buckets.len() == 1 && matches!(fill, Fill::Last { .. } | Fill::Linear { .. });
        let has_value = |i: usize| buckets.iter().any(|source| !source[i].is_nan());
        let wanted: Vec<bool> = (0..self.grid.len).map(|i| lone || has_value(i)).collect();
        for values in buckets {
            space_aggregation::fill(fill, &self.grid, values, &wanted);
        }
    }
}
