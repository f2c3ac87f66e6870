//! From an expression and a time range to numbers: time first, then space (DOC), on a dense grid of buckets. Pure;
//! allocates per series, never per sample. Knows no limits, no wire format and no faults.

mod arithmetic;
mod functions;
mod ranking;
mod selector;
mod space_aggregation;
#[cfg(test)]
mod tests;
mod time_aggregation;

use crate::grammar::{Expr, Rollup};
use crate::grid::{Grid, TimeRange};
use crate::organisation::{Organisation, Unit};
use crate::resolution::Resolution;

pub(crate) use functions::Unsupported;

/// The settings of one evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Buckets that start outside this range are not computed.
    pub(crate) range: TimeRange,
    /// Samples outside this range do not exist for the query: past retention, cut off by `to`, late, or in the future.
    pub(crate) visible: TimeRange,
    pub(crate) interpolation: Interpolation,
    /// Interval in seconds of series whose query states none.
    pub(crate) default_s: i64,
    /// Intervals on offer, to which every interval is snapped; `None` keeps them as they are.
    pub(crate) resolution: Option<Resolution>,
}

/// The default of interpolation between combined sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpolation {
    /// Linear, as in lone queries. (DOC)
    ByDefault,
    /// Only by an explicit `.fill`, as in comma lists. (DOC)
    WhenAsked,
}

impl Context {
    /// Returns the oracle's settings: everything visible, nothing interpolated, every bucket whole.
    pub(crate) fn oracle(range: TimeRange, interval_s: i64) -> Self {
        Self {
            range,
            visible: TimeRange { from_s: i64::MIN, to_s: i64::MAX },
            interpolation: Interpolation::WhenAsked,
            default_s: interval_s,
            resolution: None,
        }
    }

    /// Returns the grid of a series with this `.rollup`, no finer than every `least_s` seconds.
    fn grid(&self, rollup: Option<Rollup>, least_s: i64) -> Grid {
        let wanted_s = rollup.and_then(|r| r.interval_s).unwrap_or(self.default_s).max(least_s);
        let resolved_s = self.resolution.as_ref().map(|r| r.resolve(wanted_s, self.range));
        Grid::covering(self.range, resolved_s.unwrap_or(wanted_s))
    }

    /// Returns the same settings for a range `shift_s` seconds earlier. Retention and lateness do not move.
    fn earlier(&self, shift_s: i64) -> Self {
        Self { range: self.range.earlier(shift_s), ..self.clone() }
    }
}

/// The values of one query.
#[derive(Debug, Clone)]
pub(crate) struct QueryResult {
    pub(crate) grid: Grid,
    pub(crate) series: Vec<Series>,
    pub(crate) unit: Option<Unit>,
    /// True for one number at every time, which has no grid of its own.
    is_constant: bool,
}

/// One series on the grid of its result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// The group's tags, `key:value`.
    pub(crate) tags: Vec<String>,
    /// One value per bucket; NaN is no data.
    pub(crate) values: Vec<f64>,
}

impl QueryResult {
    /// Returns a result of these series, without a unit.
    #[cfg(test)]
    pub(crate) fn new(grid: Grid, series: Vec<Series>) -> Self {
        Self { grid, series, unit: None, is_constant: false }
    }

    /// Yields (bucket start in epoch seconds, value) of the buckets with data. Infinities, which JSON cannot express,
    /// count as no data.
    pub(crate) fn points<'a>(
        &'a self,
        series: &'a Series,
    ) -> impl Iterator<Item = (i64, f64)> + 'a {
        let all = series.values.iter().enumerate();
        all.filter(|(_, v)| v.is_finite()).map(|(i, &v)| (self.grid.time_s(i), v))
    }

    /// Returns the value of the bucket that starts at `time_s`; NaN when there is none.
    pub(crate) fn value_at(&self, series: &Series, time_s: i64) -> f64 {
        self.grid.bucket(time_s).map_or(f64::NAN, |i| series.values[i])
    }

    /// Applies `change(values, interval in seconds)` to every series.
    fn map(mut self, change: impl Fn(&mut [f64], i64)) -> Self {
        for series in &mut self.series {
            change(&mut series.values, self.grid.interval_s);
        }
        self
    }
}

/// Evaluates one query on the grid of its series; a constant gets the default interval's grid.
///
/// # Errors
/// An unknown function, or a known one with arguments of another kind or number.
pub(crate) fn evaluate(
    organisation: &Organisation,
    expr: &Expr,
    context: &Context,
) -> Result<QueryResult, Unsupported> {
    match expr {
        Expr::Number(n) => Ok(constant(*n, context)),
        Expr::Series(selector) => Ok(selector::evaluate(organisation, selector, context)),
        Expr::Negate(inner) => Ok(evaluate(organisation, inner, context)?
            .map(|values, _| values.iter_mut().for_each(|v| *v = -*v))),
        Expr::Binary { operator, left, right } => {
            let left = evaluate(organisation, left, context)?;
            let right = evaluate(organisation, right, context)?;
            Ok(arithmetic::combine(*operator, &left, &right))
        }
        Expr::Call { function, args } => functions::call(organisation, function, args, context),
    }
}

/// Returns `value` at every time of the default interval's grid.
fn constant(value: f64, context: &Context) -> QueryResult {
    let grid = context.grid(None, 1);
    let series = vec![Series { tags: Vec::new(), values: vec![value; grid.len] }];
    QueryResult { grid, series, unit: None, is_constant: true }
}
