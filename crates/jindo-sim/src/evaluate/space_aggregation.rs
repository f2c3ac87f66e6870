//! Space aggregation: the sources of one group into one series, and the interpolation and fills that precede it.

#![expect(clippy::cast_precision_loss, reason = "counts of sources and buckets are far below 2^53")]

use crate::grammar::{Aggregator, Fill};
use crate::grid::Grid;

/// Combines the sources' buckets, one vector of `len` values each. Percentiles and `stddev` are over sources here.
pub(super) fn combine(aggregator: Aggregator, sources: &[Vec<f64>], len: usize) -> Vec<f64> {
    let mut seen = Vec::with_capacity(sources.len());
    (0..len)
        .map(|bucket| {
            seen.clear();
            seen.extend(sources.iter().map(|source| source[bucket]).filter(|v| !v.is_nan()));
            aggregate(aggregator, &mut seen)
        })
        .collect()
}

/// Returns one value for all `values`, NaN for none. May reorder them.
pub(super) fn aggregate(aggregator: Aggregator, values: &mut [f64]) -> f64 {
    let Some((&first, others)) = values.split_first() else { return f64::NAN };
    let count = values.len() as f64;
    match aggregator {
        Aggregator::Avg => others.iter().fold(first, |a, b| a + b) / count,
        Aggregator::Sum => others.iter().fold(first, |a, b| a + b),
        Aggregator::Min => others.iter().fold(first, |a, b| a.min(*b)),
        Aggregator::Max => others.iter().fold(first, |a, b| a.max(*b)),
        Aggregator::Count => count,
        Aggregator::Stddev => {
            let mean = others.iter().fold(first, |a, b| a + b) / count;
            (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count).sqrt()
        }
        Aggregator::Percentile(percent) => percentile(values, percent),
        Aggregator::CountIf(orders, bound) => {
            let found = values.iter().filter_map(|v| v.partial_cmp(&bound));
            found.filter(|order| orders.contains(order)).count() as f64
        }
    }
}

/// Returns the smallest value that at least `percent` (0 to 100) of the values do not exceed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the values"
)]
fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (percent / 100.0 * values.len() as f64).ceil().max(1.0) as usize;
    values[rank.min(values.len()) - 1]
}

/// Fills the gaps of one source in the buckets marked in `wanted`, up to the fill's limit past a real value. (DOC)
pub(super) fn fill(fill: Fill, grid: &Grid, values: &mut [f64], wanted: &[bool]) {
    let limit_s = match fill {
        Fill::Null => return,
        Fill::Zero => 0,
        Fill::Last { limit_s } | Fill::Linear { limit_s } => limit_s,
    };
    let mut last = None;
    for at in 0..values.len() {
        if !values[at].is_nan() {
            last = Some(at);
            continue;
        }
        let near = last.filter(|&last| grid.time_s(at) - grid.time_s(last) <= limit_s);
        values[at] = match (fill, near) {
            _ if !wanted[at] => f64::NAN,
            (Fill::Zero, _) => 0.0,
            (Fill::Last { .. }, Some(last)) => values[last],
            (Fill::Linear { .. }, Some(last)) => {
                let steps = values[at..].iter().position(|v| !v.is_nan());
                steps.map_or(f64::NAN, |steps| {
                    let share = (at - last) as f64 / (at + steps - last) as f64;
                    values[last] + (values[at + steps] - values[last]) * share
                })
            }
            (Fill::Null | Fill::Last { .. } | Fill::Linear { .. }, _) => f64::NAN,
        };
    }
}
