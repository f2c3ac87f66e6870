//! The functions of the query language that the simulator supports. Those with memory (`diff`, `cumsum`, `ewma_*`, …)
//! see only the requested range, as the real ones do: their values depend on the start of the range.

#![expect(
    clippy::cast_precision_loss,
    reason = "intervals in seconds and ranks are far below 2^53"
)]

use super::ranking::Ranking;
use super::{Context, QueryResult, Series, evaluate};
use crate::grammar::Arg;
use crate::organisation::Organisation;

/// A function, or arguments of it, that the simulator does not support; answered as the server answers unknown ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Error parsing query: \nunknown function or arguments: {0}")]
pub struct Unsupported(pub(crate) String);

const DAY_S: i64 = 86_400;

/// Evaluates a call. The first argument is always a query.
pub(super) fn call(
    organisation: &Organisation,
    function: &str,
    args: &[Arg],
    context: &Context,
) -> Result<QueryResult, Unsupported> {
    let unsupported = || Unsupported(function.to_owned());
    let [Arg::Expr(inner), args @ ..] = args else { return Err(unsupported()) };
    let shift_s = match (function, args) {
        ("hour_before", []) => Some(3_600),
        ("day_before", []) => Some(DAY_S),
        ("week_before", []) => Some(7 * DAY_S),
        ("month_before", []) => Some(28 * DAY_S),
        ("timeshift", [shift]) => Some(-shift.whole().ok_or_else(unsupported)?),
        _ => None,
    };
    if let Some(shift_s) = shift_s {
        // Evaluated over the range `shift_s` seconds earlier and moved into the range.
        let mut result = evaluate(organisation, inner, &context.earlier(shift_s))?;
        result.grid.start_s += shift_s;
        return Ok(result);
    }
    let mut result = evaluate(organisation, inner, context)?;
    if let Some(ranking) = Ranking::of(function, args) {
        return Ok(ranking.apply(result));
    }
    match (function, args) {
        // Drops the groups that lack a tag. (DOC)
        ("exclude_null", []) => {
            result.series.retain(|series| !series.tags.iter().any(|tag| tag.ends_with(":N/A")));
            Ok(result)
        }
        // Two names of one function. (DOC)
        ("count_nonzero" | "count_nonzero_finite", []) => Ok(count(result, |v| v != 0.0)),
        ("count_not_null", []) => Ok(count(result, |_| true)),
        _ => {
            let change = per_series(function, args).ok_or_else(unsupported)?;
            Ok(result.map(change))
        }
    }
}

/// A change of one series, given its values and the interval in seconds.
type Change = Box<dyn Fn(&mut [f64], i64)>;

/// Returns the change of a function that maps each series to one.
fn per_series(function: &str, args: &[Arg]) -> Option<Change> {
    Some(match (function, args.len()) {
        ("abs", 0) => each(f64::abs),
        ("log2", 0) => each(f64::log2),
        ("log10", 0) => each(f64::log10),
        ("default_zero", 0) => Box::new(|values, _| {
            values.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = 0.0);
        }),
        ("clamp_min" | "clamp_max" | "cutoff_min" | "cutoff_max", 1) => {
            let limit = args[0].number()?;
            match function {
                "clamp_min" => each(move |v| v.max(limit)),
                "clamp_max" => each(move |v| v.min(limit)),
                "cutoff_min" => each(move |v| if v < limit { f64::NAN } else { v }),
                _ => each(move |v| if v > limit { f64::NAN } else { v }),
            }
        }
        ("diff", 0) => steps(|before, now, _| now - before),
        ("dt", 0) => steps(|_, _, seconds| seconds),
        ("monotonic_diff", 0) => {
            steps(|before, now, _| if now < before { now } else { now - before })
        }
        ("derivative" | "rate" | "per_second", 0) => {
            steps(|before, now, seconds| (now - before) / seconds)
        }
        ("per_minute", 0) => steps(|before, now, seconds| (now - before) / seconds * 60.0),
        ("per_hour", 0) => steps(|before, now, seconds| (now - before) / seconds * 3_600.0),
        // Divides by the seconds of the bucket. (DOC)
        ("throughput", 0) => Box::new(|values, interval_s| {
            for value in values.iter_mut() {
                *value /= interval_s as f64;
            }
        }),
        ("cumsum", 0) => running(|_| 1.0),
        ("integral", 0) => running(|interval_s| interval_s as f64),
        _ => smoothing(function, args)?,
    })
}

/// Applies `change` to every value; NaN stays NaN.
fn each(change: impl Fn(f64) -> f64 + 'static) -> Change {
    Box::new(move |values, _| {
        values.iter_mut().filter(|v| !v.is_nan()).for_each(|v| *v = change(*v));
    })
}

/// Replaces every value but the first by `step(previous value, value, seconds between them)`; the first becomes NaN.
fn steps(step: impl Fn(f64, f64, f64) -> f64 + 'static) -> Change {
    Box::new(move |values, interval_s| {
        let mut before: Option<(usize, f64)> = None;
        for (i, value) in values.iter_mut().enumerate().filter(|(_, v)| !v.is_nan()) {
            let now = *value;
            *value = before.map_or(f64::NAN, |(at, before)| {
                step(before, now, (i - at) as f64 * interval_s as f64)
            });
            before = Some((i, now));
        }
    })
}

/// Replaces every value by the sum so far of `value * weight(interval in seconds)`.
fn running(weight: impl Fn(i64) -> f64 + 'static) -> Change {
    Box::new(move |values, interval_s| {
        let mut total = 0.0;
        for value in values.iter_mut().filter(|v| !v.is_nan()) {
            total += *value * weight(interval_s);
            *value = total;
        }
    })
}

/// Returns `ewma_N` (N of 3, 5, 10, 20) or `median_N` (N of 3, 5, 7, 9). (DOC)
fn smoothing(function: &str, args: &[Arg]) -> Option<Change> {
    if !args.is_empty() {
        return None;
    }
    if let Some(span) = function.strip_prefix("ewma_") {
        let span: f64 = span.parse().ok().filter(|span| [3.0, 5.0, 10.0, 20.0].contains(span))?;
        let alpha = 2.0 / (span + 1.0);
        return Some(Box::new(move |values, _| {
            let mut smooth = None;
            for value in values.iter_mut().filter(|v| !v.is_nan()) {
                let next = smooth.map_or(*value, |before: f64| before + alpha * (*value - before));
                smooth = Some(next);
                *value = next;
            }
        }));
    }
    let span: usize = function.strip_prefix("median_")?.parse().ok()?;
    [3, 5, 7, 9].contains(&span).then(|| -> Change {
        Box::new(move |values, _| {
            let seen: Vec<usize> = (0..values.len()).filter(|&i| !values[i].is_nan()).collect();
            let original = values.to_vec();
            for at in 0..seen.len() {
                let from = (at + 1).saturating_sub(span);
                let mut near: Vec<f64> = seen[from..=at].iter().map(|&i| original[i]).collect();
                near.sort_unstable_by(f64::total_cmp);
                values[seen[at]] = near[near.len() / 2];
            }
        })
    })
}

/// Returns one series with the number of groups whose value `counts`, in the buckets where any group has a value.
fn count(mut result: QueryResult, counts: impl Fn(f64) -> bool) -> QueryResult {
    let values = (0..result.grid.len)
        .map(|i| {
            let all = result.series.iter().map(|series| series.values[i]);
            let present: Vec<f64> = all.filter(|v| !v.is_nan()).collect();
            let counted = present.iter().filter(|v| counts(**v)).count() as f64;
            if present.is_empty() { f64::NAN } else { counted }
        })
        .collect();
    if !result.series.is_empty() {
        result.series = vec![Series { tags: Vec::new(), values }];
    }
    result
}
