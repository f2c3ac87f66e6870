//! The body's JSON → [`UncheckedSeries`], point lists straight into columns. Reads; whether it is what was asked is `check`'s part.

use super::field::{count, joined, once, remarks, short_text, tags, unit, unit_name, words};
use super::held::of_series;
use super::json::Reader;
use super::metadata::{MetadataPool, SeriesMetadata, TEXT_BYTES_MAX, TagTemplate};
use super::{Error, Expected, MESSAGE_CHARS_MAX};
use crate::secret::Secrets;
use std::sync::Arc;

/// One entry of `series`, unchecked but for the shape of its fields.
pub(super) struct UncheckedSeries {
    pub(super) query_index: Option<f64>,
    pub(super) metric: String,
    pub(super) interval_s: f64,
    /// `None` where it is one group of many, whose tags were left out.
    pub(super) tags: Option<Vec<String>>,
    pub(super) unit: Option<String>,
    pub(super) metadata: Arc<SeriesMetadata>,
    pub(super) points: PointColumns,
}

/// A body that calls itself good.
pub(super) struct UncheckedBody {
    pub(super) series: Vec<UncheckedSeries>,
    /// Texts of `message` and `warnings`, joined by `; `.
    pub(super) remark: String,
    pub(super) held_bytes: usize,
}

/// The points within the window that hold a value, ascending, each time once.
#[derive(Default, Clone)]
pub(super) struct PointColumns {
    pub(super) ts_ms: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// The first time that is not on the grid of the interval asked.
    pub(super) off_grid: Option<i64>,
    /// The first time that has two values.
    pub(super) conflict: Option<i64>,
}

/// Reads a body that calls itself good.
pub(super) fn read(
    body: &[u8],
    expected: &Expected,
    secrets: &Secrets,
) -> Result<UncheckedBody, Error> {
    let mut json = Reader::new(body, secrets)?;
    match json.peek() {
        None => return Err(json.garbled("the body is empty")),
        Some(b'<') => return Err(Error::Page),
        Some(_) => {}
    }
    let mut columns = ColumnsBuilder::new(expected);
    let mut pool = MetadataPool::default();
    let mut one = |json: &mut Reader<'_>| one_series(json, &mut columns, &mut pool);
    let (mut status, mut error, mut errors) = (None, None, None);
    let (mut group_by, mut series, mut remark) = (None, None, String::new());
    json.object("an object", |json, field| match field {
        "status" => once(json, &mut status, field, |json| {
            json.optional(|json| json.words(MESSAGE_CHARS_MAX))
        }),
        "error" => once(json, &mut error, field, words),
        "errors" => once(json, &mut errors, field, words),
        "group_by" => once(json, &mut group_by, field, |json| json.optional(count)),
        "series" => once(json, &mut series, field, |json| {
            json.optional(|json| json.list("a list of series", &mut one))
        }),
        "message" | "warnings" => remarks(&mut remark, json),
        _ => json.skip(),
    })?;
    json.end()?;
    let held_bytes = json.held();
    let complaints = joined(&[error, errors].map(Option::unwrap_or_default));
    if !complaints.is_empty() {
        return Err(Error::Refused { message: complaints });
    }
    let series: Option<Vec<_>> = match status.flatten() {
        Some(ok) if ok == "ok" => series.flatten(),
        Some(other) => {
            let message = format!("status `{other}` without a reason");
            return Err(Error::Refused { message });
        }
        None => return Err(Error::inconsistent("it has no `status`")),
    };
    let mut series = series.ok_or_else(|| Error::inconsistent("it has no `series`"))?;
    // The lone query has no `by`: a series without a `tag_set` is the whole of it.
    if expected.queries == 1 && group_by.flatten() == Some(0) {
        for one in &mut series {
            one.tags.get_or_insert_default();
        }
    }
    Ok(UncheckedBody { series, remark, held_bytes })
}

/// Fails on a series without the fields that every series has, at once: a body of empty objects must not pile up.
fn one_series(
    json: &mut Reader<'_>,
    columns: &mut ColumnsBuilder,
    pool: &mut MetadataPool,
) -> Result<UncheckedSeries, Error> {
    let (mut query_index, mut interval, mut points) = (None, None, None);
    let (mut metric, mut scope, mut tag_set, mut served_unit) = (None, None, None, None);
    let (mut expression, mut aggr, mut display_name) = (None, None, None);
    json.object("a series", |json, field| match field {
        "query_index" => once(json, &mut query_index, field, |json| json.optional(Reader::float)),
        "metric" => once(json, &mut metric, field, Reader::name),
        "interval" => once(json, &mut interval, field, Reader::float),
        "tag_set" => once(json, &mut tag_set, field, |json| json.optional(tags)),
        "scope" => once(json, &mut scope, field, |json| json.optional(Reader::name)),
        "expression" => once(json, &mut expression, field, short_text),
        "aggr" => once(json, &mut aggr, field, short_text),
        "display_name" => once(json, &mut display_name, field, short_text),
        "unit" => once(json, &mut served_unit, field, |json| json.optional(unit)),
        "pointlist" => once(json, &mut points, field, |json| all_points(json, columns)),
        _ => json.skip(),
    })?;
    let scope = scope.flatten();
    let tags = tag_set.flatten().or_else(|| (scope.as_deref() == Some("*")).then(Vec::new));
    let template = |text: String| TagTemplate::of(&text, tags.as_deref().unwrap_or_default());
    let unit = served_unit.flatten().unwrap_or_default();
    let unit_text = unit_name(&unit);
    let metadata = SeriesMetadata {
        scope: scope.filter(|scope: &String| scope.len() <= TEXT_BYTES_MAX).map(template),
        expression: expression.flatten().map(template),
        aggr: aggr.flatten(),
        display_name: display_name.flatten(),
        unit,
    };
    let missing = |field: &str| json.inconsistent(&format!("a series without `{field}`"));
    let metric = metric.ok_or_else(|| missing("metric"))?;
    let interval_s = interval.ok_or_else(|| missing("interval"))?;
    let points = points.ok_or_else(|| missing("pointlist"))?;
    let (metadata, bytes) = pool.shared(metadata);
    let tags_held = tags.as_deref().unwrap_or_default();
    json.hold(bytes + of_series(&metric, tags_held, unit_text.as_deref(), points.ts_ms.len()))?;
    let (query_index, unit) = (query_index.flatten(), unit_text);
    Ok(UncheckedSeries { query_index, metric, interval_s, tags, unit, metadata, points })
}

/// `[[ms, value|null], …]` into the columns.
fn all_points(json: &mut Reader<'_>, columns: &mut ColumnsBuilder) -> Result<PointColumns, Error> {
    columns.clear();
    json.list("a list of points", |json| {
        json.expect(b'[', "a point")?;
        let ts_ms = millis(json)?;
        json.expect(b',', "the value of a point")?;
        let value = value(json)?;
        json.expect(b']', "the end of a point")?;
        columns.push(ts_ms, value);
        Ok(())
    })?;
    Ok(columns.finish())
}

/// Unix milliseconds, written as an integer or as a float; within what a calendar can name.
#[expect(clippy::cast_possible_truncation, reason = "whole, and a cast saturates: far is refused")]
fn millis(json: &mut Reader<'_>) -> Result<i64, Error> {
    // Thirteen digits end in the year 2286: well within.
    if let Some(ms) = json.thirteen_digits() {
        return Ok(ms);
    }
    let Some(text) = json.number()? else { return Err(json.unexpected("the time of a point")) };
    let whole = text.parse::<f64>().ok().filter(|ms| ms.fract() == 0.0).map(|ms| ms as i64);
    whole
        .filter(|ms| jiff::Timestamp::from_millisecond(*ms).is_ok())
        .ok_or_else(|| json.inconsistent(&format!("{text} is no time in milliseconds")))
}

fn value(json: &mut Reader<'_>) -> Result<Option<f64>, Error> {
    let Some(text) = json.number()? else {
        return match json.peek() {
            Some(b'n') => json.null().map(|()| None),
            _ => Err(json.unexpected("the value of a point")),
        };
    };
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
    value.map(Some).ok_or_else(|| json.garbled("a number beyond all floats"))
}

/// The columns under construction: filled by one point list after the other, so that each series allocates just once.
struct ColumnsBuilder {
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
    /// A time on the grid: one interval after the last that was.
    next_ms: i64,
    /// True while each time is after the one before it.
    ascending: bool,
    /// Points at which those that are there twice go.
    settle_at: usize,
    points: PointColumns,
}

impl ColumnsBuilder {
    fn new(expected: &Expected) -> Self {
        Self {
            start_ms: expected.window.start().as_millisecond(),
            end_ms: expected.window.end().as_millisecond(),
            step_ms: expected.interval.secs() * 1_000,
            next_ms: 0,
            ascending: true,
            settle_at: UNSETTLED_MIN,
            points: PointColumns::default(),
        }
    }

    fn clear(&mut self) {
        self.ascending = true;
        self.settle_at = UNSETTLED_MIN;
        self.points.ts_ms.clear();
        self.points.values.clear();
        self.points.off_grid = None;
        self.points.conflict = None;
    }

    fn push(&mut self, ts_ms: i64, value: Option<f64>) {
        // A division costs as much as the rest; most points follow the one before at the interval.
        if ts_ms == self.next_ms || ts_ms % self.step_ms == 0 {
            self.next_ms = ts_ms + self.step_ms;
        } else {
            self.points.off_grid.get_or_insert(ts_ms);
        }
        let Some(value) = value else { return };
        if !(self.start_ms..self.end_ms).contains(&ts_ms) {
            return;
        }
        self.ascending &= self.points.ts_ms.last().is_none_or(|last| *last < ts_ms);
        self.points.ts_ms.push(ts_ms);
        self.points.values.push(value);
        if self.points.ts_ms.len() >= self.settle_at {
            self.settle();
            self.settle_at = UNSETTLED_MIN.max(2 * self.points.ts_ms.len());
        }
    }

    fn finish(&mut self) -> PointColumns {
        self.settle();
        self.points.clone()
    }

    /// Sorts the points, each time once.
    fn settle(&mut self) {
        if self.ascending {
            return;
        }
        let of = &mut self.points;
        let mut pairs: Vec<(i64, f64)> = of.ts_ms.drain(..).zip(of.values.drain(..)).collect();
        pairs.sort_by_key(|(ts_ms, _)| *ts_ms);
        pairs.dedup_by_key(|(ts_ms, value)| (*ts_ms, value.to_bits()));
        let conflict = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0);
        of.conflict = of.conflict.or(conflict);
        pairs.dedup_by_key(|(ts_ms, _)| *ts_ms);
        (of.ts_ms, of.values) = pairs.into_iter().unzip();
        self.ascending = true;
    }
}

/// Points of a series that are held in any case before those that are there twice go: more than a call asks of one.
const UNSETTLED_MIN: usize = 8_192;
