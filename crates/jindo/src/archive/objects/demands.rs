//! Demands on an object before anything is made of its rows: one place for `verify`, which makes nothing of them, and for
//! those who do. What passes here can be extracted. Pure.

use super::footer::{Footer, FooterQuery, FooterSeries};
use crate::query::grammar::LINE_BYTES_MAX;
use jiff::Timestamp;
use std::collections::HashSet;

/// Rows of the largest object: an answer of 64 MiB, at `[0,0]` and a comma for each point, holds no more.
pub(crate) const ROWS_MAX: u64 = (64 << 20) / 6;

/// Buckets of an object's window at most, as of a call: far beyond what any server sends.
pub(in crate::archive) const BUCKETS_MAX: u64 = 1_000_000;

/// The largest generation: an hourly run takes a thousand years to reach it, and there is room for more above it.
pub(in crate::archive) const GENERATION_MAX: u32 = 10_000_000;

/// Bytes of the longest text of a query, as written or as sent: of a line of a list, each part of which may get a rollup and a
/// fill of its own.
pub(in crate::archive) const QUERY_BYTES_MAX: usize = 16 * LINE_BYTES_MAX;

/// Bytes of the longest text that spells an answer: the name and the hash of an object have some 130.
pub(in crate::archive) const ANSWER_BYTES_MAX: usize = 256;

/// Checks what the rows alone do not show: that a ledger takes its window and generation, that the rows are no more than there are
/// steps in the window, and that no two series or queries would be one.
pub(super) fn check_footer(footer: &Footer) -> Result<(), String> {
    if footer.window().points(footer.interval()) > BUCKETS_MAX {
        return Err(format!(
            "its footer's window has more steps than a call asks for ({BUCKETS_MAX})"
        ));
    }
    if footer.generation > GENERATION_MAX {
        return Err(format!(
            "its footer's generation is {}, beyond {GENERATION_MAX}",
            footer.generation
        ));
    }
    if footer.rows().is_none_or(|rows| rows > ROWS_MAX) {
        return Err(format!("its footer counts more rows than an answer has ({ROWS_MAX})"));
    }
    let grid = Grid::of(footer);
    if !footer.series.iter().all(|series| grid.holds(series)) {
        return Err("its footer's series has more points than steps, or bounds off the grid".into());
    }
    if footer.copy_of.as_ref().is_some_and(|answer| answer.len() > ANSWER_BYTES_MAX) {
        return Err(format!("its footer's copy_of is longer than {ANSWER_BYTES_MAX} bytes"));
    }
    let mut sent = HashSet::new();
    for FooterQuery { sent: text, written, unfilled, instead_of, .. } in &footer.queries {
        let texts = [Some(text), Some(written), unfilled.as_ref(), instead_of.as_ref()];
        if texts.into_iter().flatten().any(|text| text.len() > QUERY_BYTES_MAX) {
            return Err(format!("its footer has a query of more than {QUERY_BYTES_MAX} bytes"));
        }
        if !sent.insert(text.as_str()) || instead_of.as_ref() == Some(text) {
            return Err(format!("its footer names {text} twice"));
        }
    }
    let mut before = None;
    for series in &footer.series {
        let place = Some((series.query, series.tags.unpacked()));
        let is_sorted = place.as_ref().is_some_and(|(_, tags)| tags.is_sorted());
        if !is_sorted || before >= place {
            return Err("its footer's series are out of order, or one comes twice".into());
        }
        before = place;
    }
    Ok(())
}

/// Times that the points of an object may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    step_ms: i64,
}

impl Grid {
    pub(super) fn of(footer: &Footer) -> Self {
        Self { step_ms: i64::from(footer.interval_s) * 1_000 }
    }

    fn has(self, ts_ms: i64) -> bool {
        ts_ms % self.step_ms == 0
    }

    /// Returns true if the series' bounds, which were found within the window, lie on the grid and have room for its points.
    fn holds(self, series: &FooterSeries) -> bool {
        let Some((first, last)) = series.first.zip(series.last) else { return true };
        let is_whole = |at: Timestamp| at.subsec_nanosecond() == 0;
        let (first_ms, last_ms) = (first.as_millisecond(), last.as_millisecond());
        let steps = (last_ms - first_ms) / self.step_ms + 1;
        is_whole(first)
            && is_whole(last)
            && self.has(first_ms)
            && self.has(last_ms)
            && u64::try_from(steps).is_ok_and(|steps| series.points <= steps)
    }
}

/// Points of a series that follow each other, and their place in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeriesRows<'a> {
    pub series: &'a FooterSeries,
    /// Points of the series before these.
    pub done: u64,
    /// Time of the last of those before.
    pub last_ms: i64,
    pub ts_ms: &'a [i64],
    pub values: &'a [f64],
}

impl SeriesRows<'_> {
    /// Checks that the rows are those that the footer tells of, in the order of time, on the grid, and finite; returns the time of
    /// the last one.
    pub(super) fn check(&self, grid: Grid) -> Result<i64, &'static str> {
        let Self { series, done, last_ms, ts_ms, values } = *self;
        let is = |found: Option<&i64>, told: Option<Timestamp>| {
            found.copied() == told.map(Timestamp::as_millisecond)
        };
        if done == 0 && !is(ts_ms.first(), series.first) {
            return Err("a series starts elsewhere than its footer says");
        }
        let before = (done > 0).then_some(last_ms);
        let all = || before.into_iter().chain(ts_ms.iter().copied());
        if !all().is_sorted_by(|one, next| one < next) {
            let is_twice = all().zip(all().skip(1)).any(|(one, next)| one == next);
            return Err(if is_twice {
                "a series has a time twice"
            } else {
                "a series is not in the order of time"
            });
        }
        let is_last = done + ts_ms.len() as u64 == series.points;
        if is_last && !is(ts_ms.last(), series.last) {
            return Err("a series ends elsewhere than its footer says");
        }
        if !ts_ms.iter().all(|ts_ms| grid.has(*ts_ms)) {
            return Err("a series has a time off the grid of its interval");
        }
        if ts_ms.len() != values.len() || !values.iter().all(|value| value.is_finite()) {
            return Err("a series has a value that is no number");
        }
        Ok(ts_ms.last().copied().unwrap_or(last_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_S: i64 = 1_636_257_600;

    /// Rows of each part, as seconds since `START_S` and value.
    type Parts<'a> = &'a [&'a [(i64, f64)]];

    /// Checks rows of a series of a minute's interval, of which its footer says the same.
    fn check(parts: Parts<'_>) -> Result<(), &'static str> {
        let moment = |at: Option<&(i64, f64)>| {
            at.map(|(at, _)| Timestamp::from_second(START_S + at).unwrap())
        };
        let series = FooterSeries {
            query: 0,
            metric: "m".to_owned(),
            tags: Vec::new().into(),
            unit: None,
            points: parts.iter().map(|part| part.len() as u64).sum(),
            first: moment(parts.first().and_then(|part| part.first())),
            last: moment(parts.last().and_then(|part| part.last())),
            metadata: None,
        };
        let (mut done, mut last_ms) = (0, i64::MIN);
        for part in parts {
            let ts_ms: Vec<i64> = part.iter().map(|(at, _)| (START_S + at) * 1_000).collect();
            let values: Vec<f64> = part.iter().map(|(_, value)| *value).collect();
            let (series, ts_ms, values) = (&series, &*ts_ms, &*values);
            last_ms = SeriesRows { series, done, last_ms, ts_ms, values }
                .check(Grid { step_ms: 60_000 })?;
            done += part.len() as u64;
        }
        Ok(())
    }

    #[test]
    fn rows_that_jindo_never_writes_are_refused() {
        let (order, twice) = ("a series is not in the order of time", "a series has a time twice");
        let (grid, number) = (
            "a series has a time off the grid of its interval",
            "a series has a value that is no number",
        );
        let cases: [(Parts<'_>, &str); 7] = [
            (&[&[(0, 1.0), (120, 1.0), (60, 1.0), (180, 1.0)]], order),
            (&[&[(0, 1.0), (0, 1.0)]], twice),
            (&[&[(0, 1.0), (60, 1.0)], &[(60, 2.0)]], twice),
            (&[&[(0, 1.0), (120, 1.0)], &[(60, 2.0)]], order),
            (&[&[(0, 1.0), (30, 1.0), (60, 1.0)]], grid),
            (&[&[(0, f64::NAN)]], number),
            (&[&[(0, f64::INFINITY)]], number),
        ];
        for (parts, why) in cases {
            assert_eq!(check(parts), Err(why), "{parts:?}");
        }
        assert_eq!(check(&[&[(0, 1.0), (60, -0.0)], &[(120, 2.0)]]), Ok(()));
    }
}
