//! [`UncheckedSeries`] → [`Answer`]: is it what was asked? Says no, names why, and changes nothing on the way.

use super::body::{PointColumns, UncheckedSeries};
use super::{Answer, CallPosition, Error, Expected, Other, Series};
use crate::query::Interval;
use std::collections::BTreeMap;

pub(super) fn answer(raw: Vec<UncheckedSeries>, expected: &Expected) -> Result<Answer, Error> {
    let intervals_in_ms = raw.iter().any(|series| shows_ms(series, expected));
    let interval = |series: &UncheckedSeries| {
        let is_ms = intervals_in_ms && is_thousandfold(series, expected);
        if is_ms { Ok(expected.interval) } else { interval(series) }
    };
    let asked: Vec<(CallPosition, Interval)> = raw
        .iter()
        .map(|series| Ok((query(series, expected)?, interval(series)?)))
        .collect::<Result<_, Error>>()?;
    coarsest(&asked, expected)?;
    let checked = raw.into_iter().zip(asked).map(|(raw, (query, _))| checked(raw, query, expected));
    let mut series = checked.collect::<Result<Vec<_>, _>>()?;
    series.sort_by(|a, b| (a.query, &a.tags).cmp(&(b.query, &b.tags)));
    let is_twin = |a: &Series, b: &Series| (a.query, &a.tags) == (b.query, &b.tags);
    if let Some([_, one]) =
        series.array_windows().find(|[last, one]| is_twin(last, one) && !same(last, one))
    {
        let group = group(&one.metric, &one.tags);
        return Err(Error::inconsistent(&format!("two different {group}")));
    }
    series.dedup_by(|one, last| is_twin(one, last));
    Ok(Answer { series })
}

fn query(series: &UncheckedSeries, expected: &Expected) -> Result<CallPosition, Error> {
    match series.query_index {
        None if expected.queries == 1 => Ok(CallPosition::new(0)),
        None => {
            Err(Error::inconsistent(&format!("a series of {} has no `query_index`", series.metric)))
        }
        Some(index) => whole(index)
            .filter(|query| *query < expected.queries)
            .map(CallPosition::new)
            .ok_or_else(|| Error::inconsistent(&format!("`query_index` {index} was not asked"))),
    }
}

/// Returns whether the series states a thousand times the interval asked.
fn is_thousandfold(series: &UncheckedSeries, expected: &Expected) -> bool {
    let stated = whole(series.interval_s).and_then(|stated| i64::try_from(stated).ok());
    stated == Some(expected.interval.secs() * 1_000)
}

/// Returns whether the series states its interval in milliseconds: its points are closer than so many seconds, or off their grid.
fn shows_ms(series: &UncheckedSeries, expected: &Expected) -> bool {
    let stated_ms = expected.interval.secs() * 1_000_000;
    let ts_ms = &series.points.ts_ms;
    let is_close = ts_ms.array_windows().any(|[one, next]| next - one < stated_ms);
    is_thousandfold(series, expected)
        && (is_close || ts_ms.iter().any(|ts_ms| ts_ms % stated_ms != 0))
}

fn interval(series: &UncheckedSeries) -> Result<Interval, Error> {
    whole(series.interval_s)
        .and_then(|secs| Interval::from_secs(u32::try_from(secs).ok()?))
        .ok_or_else(|| Error::inconsistent(&format!("an interval of {} s", series.interval_s)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only whole numbers below 2^32 are cast"
)]
fn whole(number: f64) -> Option<usize> {
    let fits = (0.0..=f64::from(u32::MAX)).contains(&number) && number.fract() == 0.0;
    fits.then_some(number as usize)
}

/// `Ok` when every series came back at the interval asked.
fn coarsest(asked: &[(CallPosition, Interval)], expected: &Expected) -> Result<(), Error> {
    let mut coarsest: BTreeMap<CallPosition, Interval> = BTreeMap::new();
    for &(query, got) in asked.iter().filter(|(_, got)| *got != expected.interval) {
        coarsest.entry(query).and_modify(|most| *most = got.max(*most)).or_insert(got);
    }
    if coarsest.is_empty() {
        return Ok(());
    }
    let others = coarsest.into_iter().map(|(query, got)| Other { query, got }).collect();
    let others_fine = asked.iter().any(|(_, got)| *got == expected.interval);
    Err(Error::Interval { asked: expected.interval, others, others_fine })
}

fn checked(
    raw: UncheckedSeries,
    query: CallPosition,
    expected: &Expected,
) -> Result<Series, Error> {
    let Some(tags) = raw.tags else {
        return Err(Error::inconsistent(&format!("no `tag_set` of a group of {}", raw.metric)));
    };
    let points = raw.points;
    let what = if let Some(ts_ms) = points.off_grid {
        format!("time {ts_ms} is no multiple of {}", expected.interval)
    } else if let Some(ts_ms) = points.conflict {
        format!("two values at {ts_ms}")
    } else if tags.iter().any(String::is_empty) {
        "an empty tag".to_owned()
    } else {
        let UncheckedSeries { metric, unit, metadata, .. } = raw;
        let PointColumns { ts_ms, values, .. } = points;
        return Ok(Series { query, metric, tags, unit, metadata, ts_ms, values });
    };
    Err(Error::inconsistent(&format!("{what} in {}", group(&raw.metric, &tags))))
}

/// Returns a group as the server named it. Nothing is escaped here: that would hide parts of a key from those who look for them.
fn group(metric: &str, tags: &[String]) -> String {
    format!("{metric}{{{}}}", tags.join(","))
}

/// Equal to the bit, where `==` would take -0.0 for 0.0.
fn same(a: &Series, b: &Series) -> bool {
    let bits = |series: &Series| series.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    (&a.metric, &a.unit, &a.ts_ms) == (&b.metric, &b.unit, &b.ts_ms) && bits(a) == bits(b)
}
