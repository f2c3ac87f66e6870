//! `+ - * /` between answers: series are matched by their set of group tags; a constant or a single ungrouped series
//! meets every series of the other side. Where either side has no value the result has none. (DOC)/(INF)

use std::collections::HashMap;

use super::{Answer, Constant, Grid, Line};
use crate::grammar::Operator;

pub(super) fn combine(operator: Operator, left: &Answer, right: &Answer) -> Answer {
    let (data, other) = if left.constant == Constant::Yes { (right, left) } else { (left, right) };
    let constant = if other.constant == Constant::Yes { data.constant } else { Constant::No };
    let grid = match (data.constant, other.constant) {
        (Constant::No, Constant::No) => coarser(left.grid, right.grid),
        _ => data.grid,
    };
    let unit =
        if left.unit == right.unit || right.constant == Constant::Yes { left.unit } else { None };
    let mut lines = Vec::new();
    for (a, b) in pairs(left, right) {
        let tags = if a.tags.len() >= b.tags.len() { &a.tags } else { &b.tags };
        let values = (0..grid.len)
            .map(|i| {
                let time_s = grid.time_s(i);
                apply(operator, value(left, a, time_s), value(right, b, time_s))
            })
            .collect();
        lines.push(Line { tags: tags.clone(), values });
    }
    Answer { grid, lines, unit, constant }
}

fn coarser(a: Grid, b: Grid) -> Grid {
    if a.interval_s >= b.interval_s { a } else { b }
}

fn value(answer: &Answer, line: &Line, time_s: i64) -> f64 {
    match answer.constant {
        Constant::Yes => line.values.first().copied().unwrap_or(f64::NAN),
        Constant::No => answer.grid.bucket(time_s).map_or(f64::NAN, |i| line.values[i]),
    }
}

/// NaN in, NaN out; a division by zero gives no value either.
fn apply(operator: Operator, a: f64, b: f64) -> f64 {
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
    };
    if result.is_finite() { result } else { f64::NAN }
}

fn pairs<'a>(left: &'a Answer, right: &'a Answer) -> Vec<(&'a Line, &'a Line)> {
    match (left.lines.as_slice(), right.lines.as_slice()) {
        (all, [one]) if one.tags.is_empty() => all.iter().map(|line| (line, one)).collect(),
        ([one], all) if one.tags.is_empty() => all.iter().map(|line| (one, line)).collect(),
        (all, others) => {
            let by_tags: HashMap<Vec<&str>, &Line> =
                others.iter().map(|line| (sorted(&line.tags), line)).collect();
            all.iter().filter_map(|line| Some((line, *by_tags.get(&sorted(&line.tags))?))).collect()
        }
    }
}

fn sorted(tags: &[String]) -> Vec<&str> {
    let mut tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    tags.sort_unstable();
    tags
}
