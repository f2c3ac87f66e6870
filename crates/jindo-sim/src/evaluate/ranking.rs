//! Ranking functions: `top(q, N, 'mean', 'desc')`, `top5_max(q)`, `bottom10(q)`. (DOC)

#![expect(clippy::cast_precision_loss, reason = "counts of values are far below 2^53")]

use std::cmp::Ordering;

use super::{QueryResult, Series};
use crate::grammar::Arg;

/// A statistic over the values of a series, at least one and none NaN, and the interval in seconds.
type Statistic = fn(&[f64], f64) -> f64;

/// A choice of the first series by one number each.
pub(super) struct Ranking {
    /// Most series to keep.
    keep: usize,
    statistic: Statistic,
    order: fn(&f64, &f64) -> Ordering,
}

impl Ranking {
    /// Returns the ranking of a function and its arguments after the query; `None` for other functions.
    pub(super) fn of(function: &str, args: &[Arg]) -> Option<Self> {
        if let ("top", [keep, Arg::Text(by), Arg::Text(order)]) = (function, args) {
            let keep = usize::try_from(keep.whole()?).ok()?;
            return Some(Self { keep, statistic: statistic(by)?, order: order_of(order)? });
        }
        let (rest, order) = match function.strip_prefix("top") {
            Some(rest) => (rest, order_of("desc")?),
            None => (function.strip_prefix("bottom")?, order_of("asc")?),
        };
        let (keep, by) = rest.split_once('_').unwrap_or((rest, "mean"));
        let keep = keep.parse().ok().filter(|keep| [5, 10, 15, 20].contains(keep))?;
        args.is_empty().then_some(Self { keep, statistic: statistic(by)?, order })
    }

    /// Keeps the first series in order; series without values are dropped.
    pub(super) fn apply(&self, mut result: QueryResult) -> QueryResult {
        let interval_s = result.grid.interval_s as f64;
        let mut ranked: Vec<(f64, Series)> = Vec::new();
        for series in result.series {
            let present: Vec<f64> = series.values.iter().copied().filter(|v| !v.is_nan()).collect();
            if !present.is_empty() {
                ranked.push(((self.statistic)(&present, interval_s), series));
            }
        }
        ranked.sort_by(|(a, _), (b, _)| (self.order)(a, b));
        ranked.truncate(self.keep);
        result.series = ranked.into_iter().map(|(_, series)| series).collect();
        result
    }
}

/// Returns the comparison by which series are ranked: the largest or the smallest first.
fn order_of(name: &str) -> Option<fn(&f64, &f64) -> Ordering> {
    match name {
        "desc" => Some(|a, b| b.total_cmp(a)),
        "asc" => Some(f64::total_cmp),
        _ => None,
    }
}

/// Returns the statistic of this name.
fn statistic(name: &str) -> Option<Statistic> {
    Some(match name {
        "mean" => |values, _| values.iter().sum::<f64>() / values.len() as f64,
        "max" => |values, _| values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "min" => |values, _| values.iter().copied().fold(f64::INFINITY, f64::min),
        "last" => |values, _| values[values.len() - 1],
        "sum" => |values, _| values.iter().sum(),
        "area" => |values, interval_s| values.iter().sum::<f64>() * interval_s,
        "l2norm" => |values, _| values.iter().map(|v| v * v).sum::<f64>().sqrt(),
        _ => return None,
    })
}
