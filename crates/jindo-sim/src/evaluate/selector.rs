//! One series expression: choose the sources, group them, aggregate over time, then over space. (DOC)

#![expect(clippy::cast_precision_loss, reason = "intervals in seconds are far below 2^53")]

use std::collections::BTreeMap;

use super::{Answer, Constant, Grid, Interpolation, Line, Request, raw, space};
use crate::grammar::{Aggregator, Counting, Fill, Method, Selector};
use crate::organisation::{Kind, Metric, Organisation, Source};

/// Linear interpolation reaches this far past a real value unless the query says otherwise. (DOC)
const INTERPOLATION_S: i64 = 300;

pub(super) fn evaluate(
    organisation: &Organisation,
    selector: &Selector,
    request: &Request,
) -> Answer {
    let interval_s = request.interval_s(selector.rollup);
    let grid = Grid::covering(request.from_s, request.to_s, interval_s);
    let Some(metric) = organisation.metric(&selector.metric) else {
        return Answer { grid, lines: Vec::new(), unit: None, constant: Constant::No };
    };
    let lines = groups(metric, selector)
        .into_iter()
        .map(|(tags, sources)| {
            let values = if metric.kind == Kind::Distribution {
                at_once(selector, &sources, &grid, request)
            } else {
                time_then_space((metric, selector), &sources, &grid, request)
            };
            Line { tags, values }
        })
        .collect();
    Answer { grid, lines, unit: metric.unit, constant: Constant::No }
}

/// Sources by their group's tags, `key:N/A` where a source lacks the key. (USER) A source with several values of one
/// key is in several groups. (DOC)
fn groups<'a>(metric: &'a Metric, selector: &Selector) -> BTreeMap<Vec<String>, Vec<&'a Source>> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Source>> = BTreeMap::new();
    for source in metric.sources.iter().filter(|s| selector.filter.admits(&s.tags)) {
        let mut names = vec![Vec::new()];
        for key in &selector.by {
            let values: Vec<&String> = source
                .tags
                .iter()
                .filter(|tag| tag.split_once(':').is_some_and(|(k, _)| k == key))
                .collect();
            let missing = format!("{key}:N/A");
            let values = if values.is_empty() { vec![&missing] } else { values };
            names = names
                .iter()
                .flat_map(|name| {
                    values.iter().map(|value| [name.as_slice(), &[(*value).clone()]].concat())
                })
                .collect();
        }
        for name in names {
            groups.entry(name).or_default().push(source);
        }
    }
    groups
}

fn time_then_space(
    (metric, selector): (&Metric, &Selector),
    sources: &[&Source],
    grid: &Grid,
    request: &Request,
) -> Vec<f64> {
    // Percentiles and conditions are for distributions; of other metrics the server has none.
    if matches!(selector.aggregator, Some(Aggregator::Percentile(_) | Aggregator::CountIf(..))) {
        return vec![f64::NAN; grid.len];
    }
    let method = method(metric, selector);
    let mut buckets = vec![vec![f64::NAN; grid.len]; sources.len()];
    for (source, out) in sources.iter().zip(&mut buckets) {
        let scale = scale(metric, selector, source);
        raw::buckets(&source.signal, grid, request, (method, scale), out);
    }
    fill_gaps(selector, request, grid, &mut buckets);
    let mut values = match buckets.len() {
        1 if selector.aggregator != Some(Aggregator::Count) => buckets.remove(0),
        _ => space::combine(selector.aggregator.unwrap_or(Aggregator::Avg), &buckets, grid.len),
    };
    let per_second = selector.counting == Some(Counting::AsRate) && metric.kind != Kind::Gauge;
    if per_second && method == Method::Sum {
        for value in &mut values {
            *value /= grid.interval_s as f64;
        }
    }
    values
}

/// The stated method; else SUM for counts and rates under `.as_count()`/`.as_rate()`, AVG for everything. (DOC)
fn method(metric: &Metric, selector: &Selector) -> Method {
    let stated = selector.rollup.and_then(|r| r.method);
    let counted = selector.counting.is_some() && metric.kind != Kind::Gauge;
    stated.unwrap_or(if counted { Method::Sum } else { Method::Avg })
}

/// A rate's sample stands for `spacing` seconds of events when it is counted. (DOC)
fn scale(metric: &Metric, selector: &Selector, source: &Source) -> f64 {
    match (metric.kind, selector.counting) {
        (Kind::Rate, Some(_)) => source.signal.spacing_s as f64,
        _ => 1.0,
    }
}

/// Interpolates only where some source of the group has a real value, and by default only when several are combined in
/// a lone query that neither counts nor fills. (DOC)
fn fill_gaps(selector: &Selector, request: &Request, grid: &Grid, buckets: &mut [Vec<f64>]) {
    let fill = match (selector.fill, selector.counting, request.interpolation) {
        (Some(fill), _, _) => fill,
        (None, None, Interpolation::ByDefault) if buckets.len() > 1 => {
            Fill::Linear { limit_s: INTERPOLATION_S }
        }
        _ => return,
    };
    let lone = buckets.len() == 1 && matches!(fill, Fill::Last { .. } | Fill::Linear { .. });
    let wanted: Vec<bool> =
        (0..grid.len).map(|i| lone || buckets.iter().any(|source| !source[i].is_nan())).collect();
    for values in buckets {
        space::fill(fill, grid, values, &wanted);
    }
}

/// Distributions: all samples of the group and bucket are aggregated together. (DOC)
fn at_once(selector: &Selector, sources: &[&Source], grid: &Grid, request: &Request) -> Vec<f64> {
    let aggregator = selector.aggregator.unwrap_or(Aggregator::Avg);
    let mut seen = Vec::new();
    let mut values = Vec::with_capacity(grid.len);
    for bucket in 0..grid.len {
        seen.clear();
        let from_s = grid.time_s(bucket).max(request.visible_from_s);
        let to_s = grid.time_s(bucket + 1).min(request.visible_to_s);
        for source in sources {
            let signal = &source.signal;
            let numbers = signal.first_from(from_s)..signal.first_from(to_s);
            seen.extend(numbers.map(|n| signal.sample(n)).filter(|v| !v.is_nan()));
        }
        values.push(space::aggregate(aggregator, &mut seen));
    }
    if selector.counting == Some(Counting::AsRate) {
        for value in &mut values {
            *value /= grid.interval_s as f64;
        }
    }
    values
}
