//! Space aggregation: the sources of one group into one series, with the interpolation and fills that come before it.

#![expect(clippy::cast_precision_loss, reason = "counts of sources and buckets are far below 2^53")]

use super::Grid;
use crate::grammar::{Aggregator, Comparison, Fill};

/// Combines the sources' buckets, one vector each. `percentile` and `stddev` here are over sources.
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

/// One value out of all values present; NaN when there are none. May reorder them.
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
        Aggregator::CountIf(comparison, bound) => {
            values.iter().filter(|v| compares(comparison, **v, bound)).count() as f64
        }
    }
}

/// The smallest value that at least `percent` of the values do not exceed.
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

#[expect(clippy::float_cmp, reason = "the query asks for exactly this")]
fn compares(comparison: Comparison, value: f64, bound: f64) -> bool {
    match comparison {
        Comparison::Less => value < bound,
        Comparison::LessOrEqual => value <= bound,
        Comparison::Greater => value > bound,
        Comparison::GreaterOrEqual => value >= bound,
        Comparison::Equal => value == bound,
        Comparison::NotEqual => value != bound,
    }
}

/// Fills the gaps of one source where `wanted` says that a value is needed. Reaches `limit_s` past a real value. (DOC)
pub(super) fn fill(fill: Fill, grid: &Grid, values: &mut [f64], wanted: &[bool]) {
    match fill {
        Fill::Null => {}
        Fill::Zero => {
            for (value, _) in
                values.iter_mut().zip(wanted).filter(|(v, wanted)| v.is_nan() && **wanted)
            {
                *value = 0.0;
            }
        }
        Fill::Last { limit_s } => between(grid, values, wanted, limit_s, |before, _, _| before),
        Fill::Linear { limit_s } => {
            between(grid, values, wanted, limit_s, |before, after, share| {
                after.map_or(f64::NAN, |after| before + (after - before) * share)
            });
        }
    }
}

/// Calls `guess(value before, value after the gap, share of the gap passed)` for every wanted missing bucket.
fn between(
    grid: &Grid,
    values: &mut [f64],
    wanted: &[bool],
    limit_s: i64,
    guess: impl Fn(f64, Option<f64>, f64) -> f64,
) {
    let mut at = 0;
    let mut before: Option<(usize, f64)> = None;
    while at < values.len() {
        if !values[at].is_nan() {
            before = Some((at, values[at]));
            at += 1;
            continue;
        }
        let end = values[at..].iter().position(|v| !v.is_nan()).map_or(values.len(), |n| at + n);
        let after = values.get(end).copied();
        if let Some((start, value)) = before {
            for missing in at..end {
                let passed_s = grid.time_s(missing) - grid.time_s(start);
                if passed_s <= limit_s && wanted[missing] {
                    let share = (missing - start) as f64 / (end - start) as f64;
                    values[missing] = guess(value, after, share);
                }
            }
        }
        at = end;
    }
}
