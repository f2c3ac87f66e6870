//! `+ - * /` between results: series are matched by their set of group tags; a constant or a single ungrouped series
//! is combined with every series of the other side. A value missing on either side is missing in the result.
//! (DOC)/(INF)

use std::collections::HashMap;

use super::{QueryResult, Series};
use crate::grammar::Operator;

/// Combines two results on the coarser of their grids; a constant takes the grid of the other side.
pub(super) fn combine(operator: Operator, left: &QueryResult, right: &QueryResult) -> QueryResult {
    let grid = match (left.is_constant, right.is_constant) {
        (true, _) => right.grid,
        (false, false) if right.grid.interval_s > left.grid.interval_s => right.grid,
        (false, _) => left.grid,
    };
    let unit = if left.unit == right.unit || right.is_constant { left.unit } else { None };
    let mut series = Vec::new();
    for (a, b) in pairs(left, right) {
        let tags = if a.tags.len() >= b.tags.len() { &a.tags } else { &b.tags };
        let values = (0..grid.len)
            .map(|i| {
                let time_s = grid.time_s(i);
                apply(operator, value(left, a, time_s), value(right, b, time_s))
            })
            .collect();
        series.push(Series { tags: tags.clone(), values });
    }
    QueryResult { grid, series, unit, is_constant: left.is_constant && right.is_constant }
}

/// Returns the value at `time_s`; a constant has one at any time.
fn value(result: &QueryResult, series: &Series, time_s: i64) -> f64 {
    if result.is_constant {
        series.values.first().copied().unwrap_or(f64::NAN)
    } else {
        result.value_at(series, time_s)
    }
}

/// Returns NaN for NaN on either side and for a division by zero.
fn apply(operator: Operator, a: f64, b: f64) -> f64 {
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
    };
    if result.is_finite() { result } else { f64::NAN }
}

/// Pairs the series of two results; unpaired series are dropped.
fn pairs<'a>(left: &'a QueryResult, right: &'a QueryResult) -> Vec<(&'a Series, &'a Series)> {
    match (left.series.as_slice(), right.series.as_slice()) {
        (all, [one]) if one.tags.is_empty() => all.iter().map(|series| (series, one)).collect(),
        ([one], all) if one.tags.is_empty() => all.iter().map(|series| (one, series)).collect(),
        (all, others) => {
            let by_tags: HashMap<Vec<&str>, &Series> =
                others.iter().map(|series| (sorted(&series.tags), series)).collect();
            let partner = |series: &Series| by_tags.get(&sorted(&series.tags)).copied();
            all.iter().filter_map(|series| Some((series, partner(series)?))).collect()
        }
    }
}

fn sorted(tags: &[String]) -> Vec<&str> {
    let mut tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    tags.sort_unstable();
    tags
}
