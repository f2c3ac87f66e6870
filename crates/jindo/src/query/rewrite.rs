//! States what the server would otherwise decide by itself: the rollup and, between points of several sources, the fill.
//! Changes nothing else, and refuses what cannot be cut into windows faithfully.

use super::ast::{Aggregator, Arg, Expr, Modifier, Node, SeriesExpr, Value};
use super::functions::{self, Nature};
use super::{Fill, Interval, QueryError, QueryText, RangeFunctions, Reason, RewriteOptions, Span};

/// Settles the rollup, the interval and the fill of the query that was `written`, whose variables are filled in.
pub(super) fn settle(
    expr: &Expr,
    written: &str,
    settings: &RewriteOptions,
) -> Result<QueryText, QueryError> {
    let mut survey = FaithfulCheck { settings, interval: None };
    survey.expr(expr)?;
    if expr.series().is_empty() {
        return Err(QueryError::new(expr.span, Reason::NoSeries));
    }
    let (secs, place) =
        survey.interval.unwrap_or_else(|| (settings.resolution.secs().unsigned_abs(), expr.span));
    let interval =
        Interval::offered(secs).map_err(|refused| QueryError::new(place, refused.into()))?;

    let mut whole = expr.clone();
    whole.for_each_series(&mut |series| state_rollup(series, interval));
    let wants_fill = whole.series().into_iter().any(added_fill);
    if settings.fill == Fill::Keep || !wants_fill {
        return Ok(QueryText { alone: wants_fill, ..QueryText::new(written, whole, interval) });
    }
    let unfilled = whole.to_string();
    whole.for_each_series(&mut |series| {
        if added_fill(series) {
            series.modifiers.push(null_fill());
        }
    });
    Ok(QueryText::new(written, whole, interval).with_unfilled(unfilled))
}

/// True for a query with a rollup that has an interval of its own.
pub(super) fn states_interval(expr: &Expr) -> bool {
    let mut modifiers = expr.series().into_iter().flat_map(|series| &series.modifiers);
    modifiers.any(|modifier| modifier.name == "rollup" && modifier.args.iter().any(is_number))
}

pub(super) fn is_number(arg: &Arg) -> bool {
    matches!(arg, Arg::Value(Value::Number(_)))
}

/// Returns the method of a rollup that jindo adds; `None` where the aggregation needs the form without one: distributions are
/// aggregated over time and space at once.
pub fn default_method(series: &SeriesExpr) -> Option<&'static str> {
    match &series.aggregator {
        Some(Aggregator::Percentile(_) | Aggregator::CountIf { .. } | Aggregator::Stddev) => None,
        _ if counts(series) => Some("sum"),
        _ => Some("avg"),
    }
}

/// True for a series without a fill of its own that gets `.fill(null)`.
pub(super) fn added_fill(series: &SeriesExpr) -> bool {
    !counts(series) && !series.modifiers.iter().any(|modifier| modifier.name == "fill")
}

/// True for counts and rates, which the server does not interpolate.
pub fn counts(series: &SeriesExpr) -> bool {
    series.modifiers.iter().any(|modifier| matches!(modifier.name.as_str(), "as_count" | "as_rate"))
}

fn state_rollup(series: &mut SeriesExpr, interval: Interval) {
    let seconds = Arg::Value(Value::Number(interval.secs().to_string()));
    if let Some(rollup) = series.modifiers.iter_mut().find(|modifier| modifier.name == "rollup") {
        if !rollup.args.iter().any(is_number) {
            rollup.args.push(seconds);
        }
        return;
    }
    let args = default_method(series).map(word).into_iter().chain([seconds]).collect();
    let before_fill = series.modifiers.iter().position(|modifier| modifier.name == "fill");
    let at = before_fill.unwrap_or(series.modifiers.len());
    series.modifiers.insert(at, modifier("rollup", args));
}

pub(super) fn null_fill() -> Modifier {
    modifier("fill", vec![word("null")])
}

fn modifier(name: &str, args: Vec<Arg>) -> Modifier {
    Modifier { name: name.to_owned(), args, span: Span::default() }
}

fn word(text: &str) -> Arg {
    Arg::Value(Value::Word(text.to_owned()))
}

/// Walks a query once and refuses what cannot be exported faithfully.
struct FaithfulCheck<'a> {
    settings: &'a RewriteOptions,
    /// The first interval that is written, and where.
    interval: Option<(u64, Span)>,
}

impl FaithfulCheck<'_> {
    fn expr(&mut self, expr: &Expr) -> Result<(), QueryError> {
        if let Node::Series(series) = &expr.node {
            self.one(series, expr.span)?;
        }
        if let Node::Call { name, .. } = &expr.node {
            let start = expr.span.start;
            self.function(name, Span { start, end: start + name.len() })?;
        }
        expr.parts().into_iter().try_for_each(|part| self.expr(part))?;
        if let Node::Call { modifiers, .. } | Node::Group { modifiers, .. } = &expr.node {
            self.outer(modifiers)?;
        }
        Ok(())
    }

    fn one(&mut self, series: &SeriesExpr, span: Span) -> Result<(), QueryError> {
        if series.aggregator == Some(Aggregator::Histogram) {
            return Err(QueryError::new(span, Reason::Histogram));
        }
        let mut rollups = 0;
        for modifier in &series.modifiers {
            if modifier.name != "rollup" {
                self.modifier(modifier)?;
                continue;
            }
            rollups += 1;
            if rollups > 1 {
                return Err(QueryError::new(modifier.span, Reason::NestedRollup));
            }
            self.rollup(modifier)?;
        }
        Ok(())
    }

    /// Modifiers of functions and parentheses, whose series have their rollups already.
    fn outer(&self, modifiers: &[Modifier]) -> Result<(), QueryError> {
        if let Some(rollup) = modifiers.iter().find(|modifier| modifier.name == "rollup") {
            return Err(QueryError::new(rollup.span, Reason::RollupOutside));
        }
        modifiers.iter().try_for_each(|modifier| self.modifier(modifier))
    }

    fn modifier(&self, modifier: &Modifier) -> Result<(), QueryError> {
        let refuse = |reason| Err(QueryError::new(modifier.span, reason));
        let name = modifier.name.clone();
        match name.as_str() {
            "as_count" | "as_rate" | "weighted" if modifier.args.is_empty() => Ok(()),
            "as_count" | "as_rate" | "weighted" => refuse(Reason::NoArguments { name }),
            "fill" => self.fill(modifier),
            _ if self.settings.range_functions == RangeFunctions::Allow => Ok(()),
            _ => refuse(Reason::UnknownModifier { name }),
        }
    }

    fn fill(&self, modifier: &Modifier) -> Result<(), QueryError> {
        let refuse = |reason| Err(QueryError::new(modifier.span, reason));
        let (Some(Arg::Value(first)), None | Some(Arg::Value(Value::Number(_))), None) =
            (modifier.args.first(), modifier.args.get(1), modifier.args.get(2))
        else {
            return refuse(Reason::FillArguments);
        };
        let (Value::Word(word) | Value::Text(word) | Value::Number(word)) = first;
        let word = bare(word);
        match word {
            "last" | "linear" if self.settings.range_functions == RangeFunctions::Allow => Ok(()),
            "last" | "linear" => {
                let why = "fills gaps from the points around them";
                refuse(Reason::RangeFunction { name: format!(".fill({word})"), why })
            }
            "null" | "zero" => Ok(()),
            _ if matches!(first, Value::Number(_)) => Ok(()),
            _ => refuse(Reason::FillArguments),
        }
    }

    fn function(&self, name: &str, span: Span) -> Result<(), QueryError> {
        let name = name.to_owned();
        let reason = match functions::nature(&name) {
            Nature::Pure => return Ok(()),
            _ if self.settings.range_functions == RangeFunctions::Allow => return Ok(()),
            Nature::Range(why) => Reason::RangeFunction { name, why },
            Nature::Unknown => Reason::UnknownFunction { name },
        };
        Err(QueryError::new(span, reason))
    }

    fn rollup(&mut self, modifier: &Modifier) -> Result<(), QueryError> {
        let refuse = |reason| Err(QueryError::new(modifier.span, reason));
        let words = modifier.args.iter().filter_map(|arg| match arg {
            Arg::Value(Value::Word(word) | Value::Text(word)) => Some(bare(word)),
            Arg::Value(Value::Number(_)) | Arg::Named(..) | Arg::Expr(_) => None,
        });
        let is_calendar =
            |word: &&str| matches!(*word, "daily" | "weekly" | "monthly" | "quarterly" | "yearly");
        if let Some(word) = words.clone().find(is_calendar) {
            return refuse(Reason::CalendarRollup(word.to_owned()));
        }
        let is_method = |word| matches!(word, "avg" | "sum" | "min" | "max" | "count");
        if !words.clone().all(is_method) {
            return refuse(Reason::RollupArguments);
        }
        let seconds = match modifier.args.as_slice() {
            [Arg::Value(Value::Word(_) | Value::Text(_))] => return Ok(()),
            [Arg::Value(Value::Number(seconds))]
            | [Arg::Value(Value::Word(_) | Value::Text(_)), Arg::Value(Value::Number(seconds))] => {
                seconds
            }
            _ => return refuse(Reason::RollupArguments),
        };
        let Ok(here_s) = seconds.parse() else { return refuse(Reason::RollupArguments) };
        let (first_s, _) = *self.interval.get_or_insert((here_s, modifier.span));
        if first_s == here_s {
            Ok(())
        } else {
            refuse(Reason::DifferentIntervals { here_s, first_s })
        }
    }
}

/// A text without its quotes.
pub(super) fn bare(text: &str) -> &str {
    text.trim_matches(['\'', '"'])
}
