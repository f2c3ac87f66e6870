//! One series expression: choose the sources, group them, aggregate over time, then over space. (DOC)

#![expect(clippy::cast_precision_loss, reason = "intervals in seconds are far below 2^53")]

use std::collections::BTreeMap;

use super::{Context, Interpolation, QueryResult, Series, space_aggregation, time_aggregation};
use crate::grammar::{Aggregator, Counting, FILL_LIMIT_S, Fill, Method, Selector};
use crate::grid::Grid;
use crate::organisation::{Kind, Metric, Organisation, Source};

/// Evaluates one selector. An unknown metric has no series.
pub(super) fn evaluate(
    organisation: &Organisation,
    selector: &Selector,
    context: &Context,
) -> QueryResult {
    let Some(metric) = organisation.metric(&selector.metric) else {
        let grid = context.grid(selector.rollup, 1);
        return QueryResult { grid, series: Vec::new(), unit: None, is_constant: false };
    };
    let counting = counting(metric, selector);
    let grid = context.grid(selector.rollup, least_interval_s(metric, counting));
    let aggregation = Aggregation { metric, selector, counting, grid, context };
    let series = groups(metric, selector)
        .into_iter()
        .map(|(tags, sources)| Series { tags, values: aggregation.values(&sources) })
        .collect();
    QueryResult { grid, series, unit: metric.unit, is_constant: false }
}

/// Returns the modifier that has an effect: none on gauges, and none on rates without an interval in their metadata. (DOC)
fn counting(metric: &Metric, selector: &Selector) -> Option<Counting> {
    match (metric.kind, metric.interval_s) {
        (Kind::Gauge, _) | (Kind::Rate, None) => None,
        (Kind::Count | Kind::Distribution, _) | (Kind::Rate, Some(_)) => selector.counting,
    }
}

/// Returns the seconds to which a smaller rollup is raised, silently: a rate's own interval under `.as_rate()`. (DOC)
fn least_interval_s(metric: &Metric, counting: Option<Counting>) -> i64 {
    match (metric.kind, counting, metric.interval_s) {
        (Kind::Rate, Some(Counting::AsRate), Some(own_s)) => own_s,
        _ => 1,
    }
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
    /// The modifier that has an effect on this metric.
    counting: Option<Counting>,
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
            time_aggregation::buckets(method, &source.signal, &self.grid, self.context.visible)
        };
        let mut buckets: Vec<_> = sources.iter().map(over_time).collect();
        self.fill_gaps(&mut buckets);
        let mut values = match buckets.len() {
            1 if aggregator != Some(Aggregator::Count) => buckets.remove(0),
            _ => space_aggregation::combine(aggregator.unwrap_or(Aggregator::Avg), &buckets, len),
        };
        if method == Method::Sum {
            self.convert(&mut values, sources);
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
        self.convert(&mut values, &[]);
        values
    }

    /// Converts sums between counts and rates, as the modifier says. (DOC) A count is divided by the rollup's interval, unless that
    /// is so small that nothing is aggregated; a rate is multiplied by its own interval, and for a rate divided again.
    fn convert(&self, values: &mut [f64], sources: &[&Source]) {
        let rollup_s = self.grid.interval_s;
        let spacing_s = sources.iter().map(|source| source.signal.spacing_s).min().unwrap_or(0);
        let own_s = self.metric.interval_s.unwrap_or(spacing_s);
        let (times_s, per_s) = match (self.metric.kind, self.counting) {
            (_, None) | (Kind::Gauge, _) => return,
            (Kind::Count | Kind::Distribution, Some(Counting::AsCount)) => return,
            (Kind::Count | Kind::Rate, Some(Counting::AsRate)) if rollup_s <= own_s => return,
            (Kind::Count | Kind::Distribution, Some(Counting::AsRate)) => (1, rollup_s),
            (Kind::Rate, Some(Counting::AsCount)) => (own_s, 1),
            (Kind::Rate, Some(Counting::AsRate)) => (own_s, rollup_s),
        };
        for value in values {
            *value = *value * times_s as f64 / per_s as f64;
        }
    }

    /// Returns the stated method; else SUM under `.as_count()` and `.as_rate()`, AVG otherwise. (DOC)
    fn method(&self) -> Method {
        let stated = self.selector.rollup.and_then(|r| r.method);
        stated.unwrap_or(if self.counting.is_some() { Method::Sum } else { Method::Avg })
    }

    /// Fills gaps where some source of the group has a real value: as `.fill` says, else linearly when several sources
    /// are combined in a lone query that does not count. (DOC)
    fn fill_gaps(&self, buckets: &mut [Vec<f64>]) {
        let fill = match (self.selector.fill, self.counting, self.context.interpolation) {
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
