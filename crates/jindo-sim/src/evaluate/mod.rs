//! From an expression and a time range to numbers: time first, then space (DOC), on a dense grid of buckets that are
//! aligned to UNIX time (DOC). Pure; allocates per series, never per sample. Knows no limits, no wire and no faults.

mod arithmetic;
mod functions;
mod raw;
mod selector;
mod space;
#[cfg(test)]
mod tests;

use crate::grammar::{Expr, Rollup};
use crate::organisation::{Organisation, Unit};
use crate::resolution::Resolution;

pub(crate) use functions::Unsupported;

/// What bounds an evaluation. Times are epoch seconds.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) from_s: i64,
    /// Buckets that start here or later are not asked for.
    pub(crate) to_s: i64,
    /// Samples before this are not there: beyond retention.
    pub(crate) visible_from_s: i64,
    /// Samples at or after this are not there: cut off by `to`, late, or in the future.
    pub(crate) visible_to_s: i64,
    /// Whether sources that are combined are interpolated by default: in lone queries they are. (DOC)
    pub(crate) interpolation: Interpolation,
    pub(crate) intervals: Intervals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interpolation {
    ByDefault,
    /// In comma lists only an explicit `.fill` interpolates. (DOC)
    WhenAsked,
}

/// Which interval a series gets.
#[derive(Debug, Clone)]
pub(crate) enum Intervals {
    /// The stated one, else this, with neither cap nor snapping.
    Exact { otherwise_s: i64 },
    /// The stated one, else the default, snapped and coarsened to what the server allows.
    Allowed { otherwise_s: i64, by: Resolution },
}

impl Request {
    /// The oracle's request: everything visible, nothing interpolated, every bucket whole.
    pub(crate) fn plain(from_s: i64, to_s: i64, interval_s: i64) -> Self {
        Self {
            from_s,
            to_s,
            visible_from_s: i64::MIN,
            visible_to_s: i64::MAX,
            interpolation: Interpolation::WhenAsked,
            intervals: Intervals::Exact { otherwise_s: interval_s },
        }
    }

    pub(crate) fn interval_s(&self, rollup: Option<Rollup>) -> i64 {
        let stated = rollup.and_then(|r| r.interval_s);
        match &self.intervals {
            Intervals::Exact { otherwise_s } => stated.unwrap_or(*otherwise_s),
            Intervals::Allowed { otherwise_s, by } => {
                by.resolve(stated.unwrap_or(*otherwise_s), self.from_s, self.to_s)
            }
        }
    }

    /// The same question about data `shift_s` seconds earlier. Retention and lateness stay where they are.
    fn earlier(&self, shift_s: i64) -> Self {
        Self { from_s: self.from_s - shift_s, to_s: self.to_s - shift_s, ..self.clone() }
    }
}

/// Buckets `start + i * interval`, for i in `0..len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) start_s: i64,
    pub(crate) interval_s: i64,
    pub(crate) len: usize,
}

impl Grid {
    /// The buckets that start in `[from_s, to_s)`. (REC)
    pub(crate) fn covering(from_s: i64, to_s: i64, interval_s: i64) -> Self {
        let start_s = first_multiple(from_s, interval_s);
        let len = (first_multiple(to_s, interval_s) - start_s).max(0) / interval_s;
        Self { start_s, interval_s, len: usize::try_from(len).unwrap_or(0) }
    }

    pub(crate) fn time_s(&self, bucket: usize) -> i64 {
        self.start_s + i64::try_from(bucket).unwrap_or(i64::MAX) * self.interval_s
    }

    pub(crate) fn end_s(&self) -> i64 {
        self.time_s(self.len)
    }

    /// Which bucket starts at `time_s`.
    pub(crate) fn bucket(&self, time_s: i64) -> Option<usize> {
        let offset = time_s - self.start_s;
        let bucket = usize::try_from(offset / self.interval_s).ok()?;
        (offset >= 0 && offset % self.interval_s == 0 && bucket < self.len).then_some(bucket)
    }
}

/// The smallest multiple of `interval_s` at or after `time_s`.
pub(crate) fn first_multiple(time_s: i64, interval_s: i64) -> i64 {
    -(-time_s).div_euclid(interval_s) * interval_s
}

/// The answer to one query.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) grid: Grid,
    pub(crate) lines: Vec<Line>,
    pub(crate) unit: Option<Unit>,
    /// Whether this is one number at every time (a constant), not data.
    constant: Constant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Constant {
    Yes,
    No,
}

/// One series on the answer's grid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) tags: Vec<String>,
    /// One value per bucket; NaN is no data.
    pub(crate) values: Vec<f64>,
}

impl Answer {
    /// (bucket start, value) wherever there is one. What no JSON number can say (infinities) is no data.
    pub(crate) fn points<'a>(&'a self, line: &'a Line) -> impl Iterator<Item = (i64, f64)> + 'a {
        let all = line.values.iter().enumerate();
        all.filter(|(_, v)| v.is_finite()).map(|(i, &v)| (self.grid.time_s(i), v))
    }

    fn map(mut self, change: impl Fn(&mut [f64], i64)) -> Self {
        for line in &mut self.lines {
            change(&mut line.values, self.grid.interval_s);
        }
        self
    }
}

/// Evaluates one query. Its grid is that of its series; a constant gets the default interval's.
pub(crate) fn evaluate(
    organisation: &Organisation,
    expr: &Expr,
    request: &Request,
) -> Result<Answer, Unsupported> {
    match expr {
        Expr::Number(n) => Ok(constant(*n, request)),
        Expr::Series(selector) => Ok(selector::evaluate(organisation, selector, request)),
        Expr::Negate(inner) => Ok(evaluate(organisation, inner, request)?
            .map(|values, _| values.iter_mut().for_each(|v| *v = -*v))),
        Expr::Binary { operator, left, right } => {
            let left = evaluate(organisation, left, request)?;
            let right = evaluate(organisation, right, request)?;
            Ok(arithmetic::combine(*operator, &left, &right))
        }
        Expr::Call { function, args } => functions::call(organisation, function, args, request),
    }
}

fn constant(value: f64, request: &Request) -> Answer {
    let grid = Grid::covering(request.from_s, request.to_s, request.interval_s(None));
    let line = Line { tags: Vec::new(), values: vec![value; grid.len] };
    Answer { grid, lines: vec![line], unit: None, constant: Constant::Yes }
}

/// Every series expression in `expr`, left to right.
pub(crate) fn selectors(expr: &Expr) -> Vec<&crate::grammar::Selector> {
    fn walk<'a>(expr: &'a Expr, found: &mut Vec<&'a crate::grammar::Selector>) {
        match expr {
            Expr::Number(_) => {}
            Expr::Series(selector) => found.push(selector),
            Expr::Negate(inner) => walk(inner, found),
            Expr::Binary { left, right, .. } => {
                walk(left, found);
                walk(right, found);
            }
            Expr::Call { args, .. } => {
                for arg in args {
                    if let crate::grammar::Arg::Expr(inner) = arg {
                        walk(inner, found);
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(expr, &mut found);
    found
}
