//! States what the server would otherwise decide by itself: the rollup and, between points of several sources, the fill.
//! Changes nothing else, and refuses what cannot be cut into windows faithfully.

use super::ast::{Aggregator, Arg, Expr, Modifier, Part, SeriesExpr};
use super::functions::{self, Nature};
use super::metric_type::{Aggregation, MetricTypes, aggregation, depends_on_type};
use super::{Fill, Interval, QueryError, QueryText, RangeFunctions, Reason, RewriteOptions, Span};

/// Settles the rollup, the interval and the fill of the query that was `written`, whose variables are filled in.
pub(super) fn settle(
    expr: &Expr,
    written: &str,
    settings: &RewriteOptions,
) -> Result<QueryText, QueryError> {
    let mut survey = FaithfulCheck { settings, interval: None };
    let parts = expr.parts.iter().enumerate();
    parts.into_iter().try_for_each(|(at, part)| survey.part(part, &expr.parts[at + 1..]))?;
    if expr.series().next().is_none() {
        return Err(QueryError::new(expr.span, Reason::NoSeries));
    }
    let (secs, place) =
        survey.interval.unwrap_or_else(|| (settings.resolution.secs().unsigned_abs(), expr.span));
    let interval =
        Interval::offered(secs).map_err(|refused| QueryError::new(place, refused.into()))?;

    let (mut whole, types) = (expr.clone(), &settings.types);
    whole.series_mut().for_each(|series| state_rollup(series, interval, types));
    let wants_fill = whole.series().any(|series| added_fill(series, types));
    if settings.fill == Fill::Keep || !wants_fill {
        return Ok(QueryText { alone: wants_fill, ..QueryText::new(written, whole, interval) });
    }
    let unfilled = whole.to_string();
    for series in whole.series_mut().filter(|series| added_fill(series, types)) {
        series.modifiers.push(null_fill());
    }
    Ok(QueryText::new(written, whole, interval).with_unfilled(unfilled))
}

/// True for a query with a rollup that has an interval of its own.
pub(super) fn states_interval(expr: &Expr) -> bool {
    let mut modifiers = expr.series().flat_map(|series| &series.modifiers);
    modifiers.any(|modifier| {
        modifier.name == "rollup" && modifier.args.iter().any(|arg| arg.number().is_some())
    })
}

/// Returns the method of a rollup that jindo adds; `None` where the aggregation needs the form without one: distributions are
/// aggregated over time and space at once.
pub fn default_method(series: &SeriesExpr, types: &MetricTypes) -> Option<&'static str> {
    match aggregation(series, types) {
        Aggregation::Averaged => Some("avg"),
        Aggregation::Summed => Some("sum"),
        Aggregation::AtOnce { .. } => None,
    }
}

/// True for a series without a fill of its own that gets `.fill(null)`: what is summed is not interpolated anyway.
pub(super) fn added_fill(series: &SeriesExpr, types: &MetricTypes) -> bool {
    let is_interpolated = match aggregation(series, types) {
        Aggregation::Averaged => true,
        Aggregation::Summed => false,
        Aggregation::AtOnce { is_interpolated } => is_interpolated,
    };
    is_interpolated && !has_fill(series)
}

pub(super) fn has_fill(series: &SeriesExpr) -> bool {
    series.modifiers.iter().any(|modifier| modifier.name == "fill")
}

/// States interval and method of the rollup. The method of a rollup that was written without one is stated where a modifier
/// makes it doubtful: the documentation says both that it is `avg` and that modifiers make it `sum`.
fn state_rollup(series: &mut SeriesExpr, interval: Interval, types: &MetricTypes) {
    let seconds = Arg::Number(interval.secs().to_string());
    let method = default_method(series, types).map(word);
    let is_doubtful = depends_on_type(series);
    if let Some(rollup) = series.modifiers.iter_mut().find(|modifier| modifier.name == "rollup") {
        match &rollup.args[..] {
            [only] if only.number().is_some() && is_doubtful => {
                rollup.args.splice(0..0, method);
            }
            args if args.iter().any(|arg| arg.number().is_some()) => {}
            _ => rollup.args.push(seconds),
        }
        return;
    }
    let args = method.into_iter().chain([seconds]).collect();
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
    Arg::Word(text.to_owned())
}

/// Methods of a rollup.
const METHODS: [&str; 5] = ["avg", "sum", "min", "max", "count"];

/// Units of a calendar rollup, and the fixed number of seconds that comes closest (documented: functions/rollup).
const CALENDAR_UNITS: [(&str, u32); 5] = [
    ("daily", 86_400),
    ("weekly", 604_800),
    ("monthly", 86_400),
    ("quarterly", 86_400),
    ("yearly", 86_400),
];

/// Refuses the arguments of a rollup whose buckets follow a calendar: `sum, monthly, 1st, 'America/Denver'`.
fn calendar_rollup<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Option<Reason> {
    let unit = |word: &str| CALENDAR_UNITS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    let (unit, secs) = *words.clone().find_map(unit)?;
    let method = words.into_iter().find(|word| METHODS.contains(word));
    let fix = match method {
        Some(method) => format!(".rollup({method}, {secs})"),
        None => format!(".rollup({secs})"),
    };
    Some(Reason::CalendarRollup { unit, fix })
}

/// Returns the arguments of a function without its series, from what stands behind its opening parenthesis.
fn plain_arguments(rest: &[Part]) -> Vec<String> {
    let (mut depth, mut text) = (1_usize, String::new());
    for part in rest {
        match part {
            Part::Function { .. } => depth += 1,
            Part::Series(_) | Part::Modifier(_) => {}
            Part::Text(words) => {
                for c in words.chars() {
                    depth = match c {
                        '(' => depth + 1,
                        ')' => depth.saturating_sub(1),
                        _ => depth,
                    };
                    match depth {
                        0 => break,
                        1 => text.push(c),
                        _ => {}
                    }
                }
            }
        }
        if depth == 0 {
            break;
        }
    }
    text.split(',').map(|word| word.trim().trim_matches(['\'', '"']).to_owned()).collect()
}

/// Walks a query once and refuses what cannot be exported faithfully.
struct FaithfulCheck<'a> {
    settings: &'a RewriteOptions,
    /// The first interval that is written, and where.
    interval: Option<(u64, Span)>,
}

impl FaithfulCheck<'_> {
    fn part(&mut self, part: &Part, rest: &[Part]) -> Result<(), QueryError> {
        match part {
            Part::Series(series) => self.series(series),
            Part::Function { name, span } => self.function(name, *span, rest),
            // The series within have their rollups already.
            Part::Modifier(modifier) if modifier.name == "rollup" => {
                let calendar = calendar_rollup(modifier.args.iter().filter_map(Arg::word));
                Err(QueryError::new(modifier.span, calendar.unwrap_or(Reason::RollupOutside)))
            }
            Part::Modifier(modifier) => self.modifier(modifier),
            Part::Text(_) => Ok(()),
        }
    }

    fn series(&mut self, series: &SeriesExpr) -> Result<(), QueryError> {
        if series.aggregator == Some(Aggregator::Histogram) {
            return Err(QueryError::new(series.span, Reason::Histogram));
        }
        for (at, modifier) in series.modifiers.iter().enumerate() {
            if modifier.name != "rollup" {
                self.modifier(modifier)?;
            } else if series.modifiers[..at].iter().any(|before| before.name == "rollup") {
                return Err(QueryError::new(modifier.span, Reason::NestedRollup));
            } else {
                self.rollup(modifier)?;
            }
        }
        Ok(())
    }

    fn modifier(&self, modifier: &Modifier) -> Result<(), QueryError> {
        let refuse = |reason| Err(QueryError::new(modifier.span, reason));
        let name = modifier.name.clone();
        match name.as_str() {
            "as_count" | "as_rate" | "weighted" if modifier.args.is_empty() => Ok(()),
            "as_count" | "as_rate" | "weighted" => refuse(Reason::NoArguments { name }),
            "fill" => self.fill(modifier),
            _ => self.unless_allowed(modifier.span, Reason::UnknownModifier { name }),
        }
    }

    fn fill(&self, modifier: &Modifier) -> Result<(), QueryError> {
        let refuse = |reason| Err(QueryError::new(modifier.span, reason));
        let first = match modifier.args.as_slice() {
            [first] => first,
            [first, limit] if limit.number().is_some() => first,
            _ => return refuse(Reason::FillArguments),
        };
        match first.word() {
            Some("null" | "zero") => Ok(()),
            Some(word @ ("last" | "linear")) => {
                let (name, why) =
                    (format!(".fill({word})"), "fills gaps from the points around them");
                self.unless_allowed(modifier.span, Reason::RangeFunction { name, why })
            }
            None if first.number().is_some() => Ok(()),
            _ => refuse(Reason::FillArguments),
        }
    }

    fn function(&self, name: &str, span: Span, rest: &[Part]) -> Result<(), QueryError> {
        let nature = functions::nature(name);
        let name = name.to_owned();
        match nature {
            Nature::Instant | Nature::Shift => Ok(()),
            Nature::InstantOfTwo if plain_arguments(rest).len() > 1 => Ok(()),
            Nature::InstantOfTwo => self.unless_allowed(span, Reason::OneArgument { name }),
            Nature::LooksBack(why) | Nature::Range(why) | Nature::Selection(why) => {
                self.unless_allowed(span, Reason::RangeFunction { name, why })
            }
            Nature::Modifier => {
                let words = plain_arguments(rest);
                let calendar = calendar_rollup(words.iter().map(String::as_str));
                match calendar.filter(|_| name == "rollup") {
                    Some(reason) => Err(QueryError::new(span, reason)),
                    None => self.unless_allowed(span, Reason::ModifierInFront { name }),
                }
            }
            Nature::Unknown => self.unless_allowed(span, Reason::UnknownFunction { name }),
        }
    }

    /// Refuses what may depend on the range, unless the user allows it.
    fn unless_allowed(&self, span: Span, reason: Reason) -> Result<(), QueryError> {
        match self.settings.range_functions {
            RangeFunctions::Allow => Ok(()),
            RangeFunctions::Refuse => Err(QueryError::new(span, reason)),
        }
    }

    fn rollup(&mut self, modifier: &Modifier) -> Result<(), QueryError> {
        let refuse = |reason| Err(QueryError::new(modifier.span, reason));
        if let Some(reason) = calendar_rollup(modifier.args.iter().filter_map(Arg::word)) {
            return refuse(reason);
        }
        let is_method = |arg: &Arg| arg.word().is_some_and(|word| METHODS.contains(&word));
        let seconds = match modifier.args.as_slice() {
            [method] if is_method(method) => return Ok(()),
            [seconds] => seconds.number(),
            [method, seconds] if is_method(method) => seconds.number(),
            _ => None,
        };
        let Some(here_s) = seconds.and_then(|seconds| seconds.parse().ok()) else {
            return refuse(Reason::RollupArguments);
        };
        let (first_s, _) = *self.interval.get_or_insert((here_s, modifier.span));
        if first_s == here_s {
            Ok(())
        } else {
            refuse(Reason::DifferentIntervals { here_s, first_s })
        }
    }
}
