//! Queries made from another query, to learn something about its data: the same at coarser points, without filled points, and
//! a count of its samples. Pure; says nothing where that is not certain.

use super::ast::{Aggregator, Arg, Expr, Modifier, Part, SeriesExpr};
use super::rewrite::{added_fill, has_fill, null_fill};
use super::{Interval, MetricTypes, Query, QueryText, depends_on_type};
use std::collections::BTreeMap;

/// `query` with points every `interval`, so that a bucket of it has a point if and only if a bucket of `query` within it has
/// one. `None` where that may not hold:
///
/// - anything but one plain series: functions and arithmetic may make points out of nothing, or nothing out of points;
/// - a fill that invents points, or none at all where the server would interpolate;
/// - aggregations that leave points out (`count(v: v>=1)`, `stddev`);
/// - `interval` is no longer than the query's own, or no multiple of it.
pub fn coarse(query: &Query, interval: Interval) -> Option<Query> {
    let (fine_s, coarse_s) = (query.text.interval.secs(), interval.secs());
    if coarse_s <= fine_s || coarse_s % fine_s != 0 {
        return None;
    }
    let mut expr = query.text.sent.expr()?.clone();
    let [Part::Series(series)] = &mut expr.parts[..] else { return None };
    // Otherwise the server draws lines between the points of several sources.
    let is_uninterpolated = has_fill(series) || depends_on_type(series) && !query.text.alone;
    if !(is_plain(series) && is_uninterpolated) {
        return None;
    }
    restate(series, interval)?;
    let alone = query.text.alone;
    let text = QueryText { alone, ..QueryText::new(query.text.written.as_str(), expr, interval) };
    Some(Query { text, weight: query.weight })
}

fn is_plain(series: &SeriesExpr) -> bool {
    let leaves_out = matches!(
        series.aggregator,
        Some(Aggregator::Stddev | Aggregator::Histogram | Aggregator::CountIf { .. })
    );
    let known = |modifier: &Modifier| match modifier.name.as_str() {
        "rollup" | "as_count" | "as_rate" => true,
        _ => is_null_fill(modifier),
    };
    !leaves_out && series.modifiers.iter().all(known)
}

fn is_null_fill(modifier: &Modifier) -> bool {
    modifier.name == "fill" && matches!(&modifier.args[..], [arg] if arg.word() == Some("null"))
}

/// Replaces the seconds of the one rollup; its method stays. `None`: there is no such rollup.
fn restate(series: &mut SeriesExpr, interval: Interval) -> Option<()> {
    let mut rollups = series.modifiers.iter_mut().filter(|modifier| modifier.name == "rollup");
    let (Some(rollup), None) = (rollups.next(), rollups.next()) else { return None };
    let seconds = rollup.args.iter_mut().find(|arg| arg.number().is_some())?;
    *seconds = Arg::Number(interval.secs().to_string());
    Some(())
}

/// Returns the whole of `query` with points every `interval`, and only those that were reported: fills become `.fill(null)`,
/// `default_zero()` goes. Only its times are used, so it may share calls even where `query` may not.
///
/// `None` where the text is none that jindo sends.
pub fn sample(query: &Query, interval: Interval) -> Option<Query> {
    let mut expr = query.text.sent.expr()?.clone();
    remove_fills(&mut expr);
    for series in expr.series_mut() {
        restate(series, interval)?;
        if added_fill(series, &MetricTypes::new()) {
            series.modifiers.push(null_fill());
        }
    }
    let text = QueryText::new(query.text.written.as_str(), expr, interval);
    Some(Query { text, weight: query.weight })
}

/// Removes `default_zero()` and every fill that makes up points.
fn remove_fills(expr: &mut Expr) {
    let is_fill = |modifier: &Modifier| modifier.name == "fill" && !is_null_fill(modifier);
    expr.parts.retain(|part| !matches!(part, Part::Modifier(modifier) if is_fill(modifier)));
    for part in &mut expr.parts {
        match part {
            Part::Series(series) => series.modifiers.retain(|modifier| !is_fill(modifier)),
            // A function without a name is a pair of parentheses.
            Part::Function { name, .. } if name == "default_zero" => name.clear(),
            Part::Function { .. } | Part::Modifier(_) | Part::Text(_) => {}
        }
    }
}

/// Returns two questions about the sources of `query`: how many samples all of those of a series have every `interval`, and the one
/// with the fewest. The first bounds the points that its series can have; the second shows whether the server counts, or returns values.
///
/// `None` where that is not known to hold: for anything but one plain series, whose points may be others than its samples; for
/// percentiles and other questions about distributions; for `.as_count()` and `.as_rate()`, which change how time is aggregated.
pub fn count_samples(query: &Query, interval: Interval) -> Option<[Query; 2]> {
    let sampled = sample(query, interval)?;
    let counted = |space: Aggregator| {
        let mut expr = sampled.text.sent.expr()?.clone();
        let [Part::Series(series)] = &mut expr.parts[..] else { return None };
        count(series, space)?;
        Some(Query::new(QueryText::new(sampled.text.written.as_str(), expr, interval)))
    };
    Some([counted(Aggregator::Sum)?, counted(Aggregator::Min)?])
}

/// Makes a plain series count its samples, combined over sources by `space`; `None` for other series.
fn count(series: &mut SeriesExpr, space: Aggregator) -> Option<()> {
    let is_stated = |modifier: &Modifier| matches!(modifier.name.as_str(), "rollup" | "fill");
    let plain = matches!(
        series.aggregator,
        None | Some(Aggregator::Avg | Aggregator::Sum | Aggregator::Min | Aggregator::Max)
    );
    if !plain || !series.modifiers.iter().all(is_stated) {
        return None;
    }
    series.aggregator = Some(space);
    let rollup = series.modifiers.iter_mut().find(|modifier| modifier.name == "rollup")?;
    let [method, seconds] = &mut rollup.args[..] else { return None };
    method.word().and(seconds.number())?;
    *method = Arg::Word("count".to_owned());
    Some(())
}

/// The intervals detected, by the name of the query; the same with every fill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spacings(BTreeMap<String, Interval>);

impl Spacings {
    /// Interval of the sample whose text names a query, in seconds: the default interval.
    const NAMED_AT_S: u32 = 60;

    /// Returns the name under which the interval of `query` is kept, the same at every interval and with every fill; `None` where
    /// [`sample`] has none.
    pub fn name(query: &Query) -> Option<String> {
        Some(sample(query, Interval::from_secs(Self::NAMED_AT_S)?)?.text.sent.to_string())
    }

    /// Returns the interval detected for `query`; `None` where there is none yet.
    pub fn get(&self, query: &Query) -> Option<Interval> {
        self.0.get(&Self::name(query)?).copied()
    }

    pub fn insert(&mut self, name: String, interval: Interval) {
        self.0.insert(name, interval);
    }
}
