//! The body's JSON → [`Body`], point lists straight into columns. Reads; whether it is what was asked is `check`'s part.

use super::field::{Count, Point, Tags, Unit, Words};
use super::{Error, Expected};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What an answer says, unchecked.
#[derive(Default)]
pub(super) struct Body {
    pub(super) status: Option<String>,
    /// What `error` and `errors` say, without empty texts.
    pub(super) complaints: Vec<String>,
    /// Whether `group_by` is there and names no key.
    pub(super) ungrouped: bool,
    pub(super) series: Option<Vec<Raw>>,
}

/// One entry of `series`, unchecked but for the shape of its fields.
pub(super) struct Raw {
    pub(super) query_index: Option<f64>,
    pub(super) metric: String,
    pub(super) interval_s: f64,
    pub(super) tags: Option<Vec<String>>,
    pub(super) scope_is_everything: bool,
    pub(super) unit: Option<String>,
    pub(super) points: Points,
}

/// The points within the window that hold a value, ascending, each time once.
#[derive(Default, Clone)]
pub(super) struct Points {
    pub(super) ts_ms: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// The first time that is not on the grid of the interval asked.
    pub(super) off_grid: Option<i64>,
    /// The first time that has two values.
    pub(super) conflict: Option<i64>,
}

pub(super) fn read(body: &[u8], expected: &Expected) -> Result<Body, Error> {
    let at = body.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    match body.get(at) {
        None => return Err(Error::Garbled { what: "the body is empty".to_owned(), at }),
        Some(b'<') => return Err(Error::Garbled { what: "HTML instead of JSON".to_owned(), at }),
        Some(_) => {}
    }
    let mut columns = Columns::new(expected);
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = BodySeed(&mut columns).deserialize(&mut json);
    read.and_then(|found| json.end().map(|()| found)).map_err(|error| explain(body, &error))
}

fn explain(body: &[u8], error: &serde_json::Error) -> Error {
    if error.is_data() {
        return Error::Inconsistent { what: super::check::one_line(&error.to_string()) };
    }
    let lines = body.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    let at = lines.map(<[u8]>::len).sum::<usize>() + error.column();
    let what = if error.is_eof() { "it ends in the middle" } else { "it is no JSON" };
    Error::Garbled { what: what.to_owned(), at: at.min(body.len()) }
}

/// The columns under construction: filled by one point list after the other, so that each series allocates just once.
struct Columns {
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
    /// Whether every time so far was later than the one before.
    ascending: Ascending,
    points: Points,
}

#[derive(Clone, Copy, PartialEq)]
enum Ascending {
    So,
    NotSo,
}

impl Columns {
    fn new(expected: &Expected) -> Self {
        Self {
            start_ms: expected.window.start().as_millisecond(),
            end_ms: expected.window.end().as_millisecond(),
            step_ms: expected.interval.secs() * 1_000,
            ascending: Ascending::So,
            points: Points::default(),
        }
    }

    fn clear(&mut self) {
        self.ascending = Ascending::So;
        self.points.ts_ms.clear();
        self.points.values.clear();
        self.points.off_grid = None;
        self.points.conflict = None;
    }

    fn push(&mut self, ts_ms: i64, value: Option<f64>) {
        if ts_ms % self.step_ms != 0 {
            self.points.off_grid.get_or_insert(ts_ms);
        }
        let Some(value) = value else { return };
        if ts_ms < self.start_ms || self.end_ms <= ts_ms {
            return;
        }
        if self.points.ts_ms.last().is_some_and(|last| ts_ms <= *last) {
            self.ascending = Ascending::NotSo;
        }
        self.points.ts_ms.push(ts_ms);
        self.points.values.push(value);
    }

    fn finish(&self) -> Points {
        if self.ascending == Ascending::So {
            return self.points.clone();
        }
        let of = &self.points;
        let mut pairs: Vec<(i64, f64)> =
            of.ts_ms.iter().copied().zip(of.values.iter().copied()).collect();
        pairs.sort_by_key(|(ts_ms, _)| *ts_ms);
        pairs.dedup_by_key(|(ts_ms, value)| (*ts_ms, value.to_bits()));
        let conflict = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0);
        let (ts_ms, values) = pairs.into_iter().unzip();
        Points { ts_ms, values, off_grid: of.off_grid, conflict }
    }
}

/// Reads one known field, refusing it the second time.
fn once<'de, A: MapAccess<'de>, S: DeserializeSeed<'de>>(
    map: &mut A,
    slot: &mut Option<S::Value>,
    name: &'static str,
    seed: S,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(de::Error::duplicate_field(name));
    }
    *slot = Some(map.next_value_seed(seed)?);
    Ok(())
}

/// `once` for a field of an ordinary type.
fn plain<T>() -> std::marker::PhantomData<T> {
    std::marker::PhantomData
}

struct BodySeed<'a>(&'a mut Columns);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum BodyField {
    Status,
    Error,
    Errors,
    GroupBy,
    Series,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for BodySeed<'_> {
    type Value = Body;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Body, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BodySeed<'_> {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let (mut status, mut error, mut errors) = (None::<Option<String>>, None, None);
        let (mut group_by, mut series) = (None::<Option<Count>>, None);
        while let Some(field) = map.next_key()? {
            match field {
                BodyField::Status => once(&mut map, &mut status, "status", plain())?,
                BodyField::Error => once(&mut map, &mut error, "error", plain::<Words>())?,
                BodyField::Errors => once(&mut map, &mut errors, "errors", plain::<Words>())?,
                BodyField::GroupBy => once(&mut map, &mut group_by, "group_by", plain())?,
                BodyField::Series => once(&mut map, &mut series, "series", SeriesList(self.0))?,
                BodyField::Unknown => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let said = [error, errors].into_iter().flatten().flat_map(|words| words.0);
        Ok(Body {
            status: status.flatten(),
            complaints: said.filter(|text| !text.trim().is_empty()).collect(),
            ungrouped: group_by.flatten().is_some_and(|keys| keys.0 == 0),
            series: series.flatten(),
        })
    }
}

struct SeriesList<'a>(&'a mut Columns);

impl<'de> DeserializeSeed<'de> for SeriesList<'_> {
    type Value = Option<Vec<Raw>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SeriesList<'_> {
    type Value = Option<Vec<Raw>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut series = Vec::new();
        while let Some(one) = list.next_element_seed(RawSeed(self.0))? {
            series.push(one);
        }
        Ok(Some(series))
    }
}

struct RawSeed<'a>(&'a mut Columns);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum RawField {
    QueryIndex,
    Metric,
    Interval,
    TagSet,
    Scope,
    Unit,
    Pointlist,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for RawSeed<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Raw, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RawSeed<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series")
    }

    /// Fails on a series without the fields that every series has, at once: a body of empty objects must not pile up.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let (mut query_index, mut interval) = (None::<Option<f64>>, None::<f64>);
        let (mut metric, mut scope) = (None::<String>, None::<Option<String>>);
        let (mut tags, mut unit) = (None::<Option<Tags>>, None::<Option<Unit>>);
        let mut points = None;
        while let Some(field) = map.next_key()? {
            match field {
                RawField::QueryIndex => once(&mut map, &mut query_index, "query_index", plain())?,
                RawField::Metric => once(&mut map, &mut metric, "metric", plain())?,
                RawField::Interval => once(&mut map, &mut interval, "interval", plain())?,
                RawField::TagSet => once(&mut map, &mut tags, "tag_set", plain())?,
                RawField::Scope => once(&mut map, &mut scope, "scope", plain())?,
                RawField::Unit => once(&mut map, &mut unit, "unit", plain())?,
                RawField::Pointlist => once(&mut map, &mut points, "pointlist", List(self.0))?,
                RawField::Unknown => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Raw {
            query_index: query_index.flatten(),
            metric: metric.ok_or_else(|| de::Error::missing_field("metric"))?,
            interval_s: interval.ok_or_else(|| de::Error::missing_field("interval"))?,
            tags: tags.flatten().map(|tags| tags.0),
            scope_is_everything: scope.flatten().as_deref() == Some("*"),
            unit: unit.flatten().and_then(|unit| unit.0),
            points: points.ok_or_else(|| de::Error::missing_field("pointlist"))?,
        })
    }
}

/// `[[ms, value|null], …]` into the columns.
struct List<'a>(&'a mut Columns);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Points;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Points, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Points;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of points")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Points, A::Error> {
        self.0.clear();
        while let Some(Point(ts_ms, value)) = list.next_element()? {
            self.0.push(ts_ms, value);
        }
        Ok(self.0.finish())
    }
}
