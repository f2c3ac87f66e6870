//! States what the server would otherwise decide by itself: the rollup and, between points of several sources, the fill.
//! Changes nothing else, and refuses what cannot be cut into windows faithfully.

use super::ast::{Aggregator, Arg, Expr, Modifier, Node, SeriesExpr, Value};
use super::functions::{self, Nature};
use super::{Fill, Interval, QueryError, QueryText, RangeFunctions, Reason, RewriteOptions, Span};

/// A query in the form in which it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub text: QueryText,
    pub origin: IntervalOrigin,
}

/// Source of a query's interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalOrigin {
    /// A rollup of its own.
    Written,
    /// [`RewriteOptions::resolution`].
    Resolution,
}

/// Settles the rollup, the interval and the fill of the query that was `written`, whose variables are filled in.
pub fn settle(
    expr: &Expr,
    written: &str,
    settings: &RewriteOptions,
) -> Result<Settled, QueryError> {
    let mut survey = FaithfulCheck { settings, series: 0, interval: None };
    survey.expr(expr)?;
    if survey.series == 0 {
        return Err(QueryError::new(expr.span, Reason::NoSeries));
    }
    let origin = match survey.interval {
        Some(_) => IntervalOrigin::Written,
        None => IntervalOrigin::Resolution,
    };
    let (secs, place) =
        survey.interval.unwrap_or_else(|| (settings.resolution.secs().unsigned_abs(), expr.span));
    let interval =
        Interval::offered(secs).map_err(|refused| QueryError::new(place, refused.into()))?;

    let mut whole = expr.clone();
    let mut wants_fill = false;
    whole.for_each_series(&mut |series| {
        state_rollup(series, interval);
        wants_fill |= added_fill(series);
    });
    if settings.fill == Fill::Keep || !wants_fill {
        let text = QueryText { alone: wants_fill, ..QueryText::new(written, whole, interval) };
        return Ok(Settled { text, origin });
    }
    let unfilled = Some(whole.to_string());
    whole.for_each_series(&mut |series| {
        if added_fill(series) {
            series.modifiers.push(null_fill());
        }
    });
    let text = QueryText { unfilled, ..QueryText::new(written, whole, interval) };
    Ok(Settled { text, origin })
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

/// True for a series without a fill of its own that gets `.fill(null)`: counts and rates are not interpolated anyway.
pub fn added_fill(series: &SeriesExpr) -> bool {
    !counts(series) && !series.modifiers.iter().any(|modifier| modifier.name == "fill")
}

fn counts(series: &SeriesExpr) -> bool {
    series.modifiers.iter().any(|modifier| matches!(modifier.name.as_str(), "as_count" | "as_rate"))
}

fn state_rollup(series: &mut SeriesExpr, interval: Interval) {
    let seconds = Arg::Value(Value::Number(interval.secs().to_string()));
    if let Some(rollup) = series.modifiers.iter_mut().find(|modifier| modifier.name == "rollup") {
        if !rollup.args.iter().any(|arg| matches!(arg, Arg::Value(Value::Number(_)))) {
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
    series: usize,
    /// The first interval that is written, and where.
    interval: Option<(u64, Span)>,
}

impl FaithfulCheck<'_> {
    fn expr(&mut self, expr: &Expr) -> Result<(), QueryError> {
        match &expr.node {
            Node::Number(_) => Ok(()),
            Node::Series(series) => self.one(series, expr.span),
            Node::Call { name, args, modifiers } => {
                let head = Span { start: expr.span.start, end: expr.span.start + name.len() };
                self.function(name, head)?;
                for arg in args {
                    if let Arg::Expr(inner) = arg {
                        self.expr(inner)?;
                    }
                }
                self.outer(modifiers)
            }
            Node::Group { inner, modifiers } => {
                self.expr(inner)?;
                self.outer(modifiers)
            }
            Node::Negate(inner) => self.expr(inner),
            Node::Chain { first, rest } => {
                self.expr(first)?;
                rest.iter().try_for_each(|(_, part)| self.expr(part))
            }
        }
    }

    fn one(&mut self, series: &SeriesExpr, span: Span) -> Result<(), QueryError> {
        self.series += 1;
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
        match functions::fill_needs_range(word) {
            Some(_) if self.settings.range_functions == RangeFunctions::Allow => Ok(()),
            Some(why) => refuse(Reason::RangeFunction { name: format!(".fill({word})"), why }),
            None if matches!(word, "null" | "zero") || matches!(first, Value::Number(_)) => Ok(()),
            None => refuse(Reason::FillArguments),
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
        let mut values = Vec::new();
        for arg in &modifier.args {
            match arg {
                Arg::Value(Value::Number(text)) => {
                    values.push((RollupArgument::Seconds, text.as_str()));
                }
                Arg::Value(Value::Word(text) | Value::Text(text)) => {
                    values.push((part(bare(text)), bare(text)));
                }
                Arg::Named(..) | Arg::Expr(_) => return refuse(Reason::RollupArguments),
            }
        }
        if let Some((_, word)) = values.iter().find(|(part, _)| *part == RollupArgument::Calendar) {
            return refuse(Reason::CalendarRollup((*word).to_owned()));
        }
        let seconds = match values.as_slice() {
            [(RollupArgument::Method, _)] => return Ok(()),
            [(RollupArgument::Seconds, seconds)]
            | [(RollupArgument::Method, _), (RollupArgument::Seconds, seconds)] => seconds,
            _ => return refuse(Reason::RollupArguments),
        };
        let Ok(here_s) = seconds.parse() else { return refuse(Reason::RollupArguments) };
        match self.interval {
            Some((first_s, _)) if first_s != here_s => {
                refuse(Reason::DifferentIntervals { here_s, first_s })
            }
            Some(_) => Ok(()),
            None => {
                self.interval = Some((here_s, modifier.span));
                Ok(())
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum RollupArgument {
    Method,
    Seconds,
    Calendar,
    Other,
}

fn part(word: &str) -> RollupArgument {
    match word {
        "avg" | "sum" | "min" | "max" | "count" => RollupArgument::Method,
        "daily" | "weekly" | "monthly" | "quarterly" | "yearly" => RollupArgument::Calendar,
        _ => RollupArgument::Other,
    }
}

/// A text without its quotes.
fn bare(text: &str) -> &str {
    text.trim_matches(['\'', '"'])
}
