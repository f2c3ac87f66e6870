//! Requests as typed: on the command line, or as the directory keeps the last one.

use crate::args::{AssumedTypeArg, FillArg, RequestArgs};
use crate::defaults;
use crate::render::errors::Usage;
use crate::time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::job::{ExportRequest, ListText, RefusedLines, Resolution};
use jindo::query::{self, Fill, Interval, MetricType, RangeFunctions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Request as typed, which the directory keeps for `jindo export` without a list. Times stay text: `now` and
/// `-90d` mean another time in the next run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TypedRequest {
    /// File name of the list, for errors.
    list_name: String,
    list: String,
    from: String,
    to: String,
    timezone: String,
    /// `None`: the native interval of each query.
    resolution_s: Option<u32>,
    variables: BTreeMap<String, String>,
    keep_fill: bool,
    allow_range_functions: bool,
    keep_going: bool,
    /// Name of the type; requests of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assumed_type: Option<String>,
}

impl TypedRequest {
    /// Returns the request of this command line. Without a list on it, flags that were not given are taken from `last`.
    pub(crate) fn new(wanted: &RequestArgs, last: Option<Self>) -> anyhow::Result<Self> {
        let words = match (&wanted.queries, last) {
            (Some(path), _) => Self::of_list(path, wanted)?,
            (None, Some(last)) => last,
            (None, None) => {
                return Err(Usage::new("no query list")
                    .hint("give a file with one query a line: jindo export queries.txt --from 2021-12-12")
                    .into());
            }
        };
        let mut variables = words.variables;
        variables.extend(wanted.variables.iter().cloned());
        Ok(Self {
            from: wanted.from.clone().unwrap_or(words.from),
            to: wanted.to.clone().unwrap_or(words.to),
            timezone: wanted.timezone.clone().unwrap_or(words.timezone),
            resolution_s: match wanted.resolution {
                None => words.resolution_s,
                Some(Resolution::Auto) => None,
                Some(Resolution::Every(interval)) => Some(u32::try_from(interval.secs())?),
            },
            keep_fill: wanted.fill.map_or(words.keep_fill, |fill| fill == FillArg::Keep),
            variables,
            allow_range_functions: words.allow_range_functions | wanted.allow_range_functions,
            keep_going: words.keep_going | wanted.keep_going,
            assumed_type: wanted.assume_type.map(assumed_type).or(words.assumed_type),
            ..words
        })
    }

    fn of_list(path: &Path, wanted: &RequestArgs) -> anyhow::Result<Self> {
        let Some(from) = wanted.from.clone() else {
            return Err(Usage::new("no start of the range")
                .hint("give one: --from 2021-12-12, or --from -90d for the last 90 days")
                .into());
        };
        let bytes = query::load::load(path)
            .map_err(|error| Usage::new(jindo::text::with_causes(&error)))?;
        let text = query::decode(&bytes);
        if text.contains('\0') {
            return Err(Usage::new(format!("{} is not a text file", path.display()))
                .hint("a list has one query a line")
                .into());
        }
        Ok(Self::of_text(ListText { name: path.display().to_string(), text }, from, defaults::TO))
    }

    /// Returns a request in which everything but the list and the range has its default.
    pub(crate) fn of_text(list: ListText, from: String, to: &str) -> Self {
        Self {
            list_name: list.name,
            list: list.text,
            from,
            to: to.to_owned(),
            timezone: ExportRequest::TIMEZONE.into(),
            resolution_s: Some(Resolution::SECONDS),
            variables: BTreeMap::new(),
            keep_fill: false,
            allow_range_functions: false,
            keep_going: false,
            assumed_type: None,
        }
    }

    /// Returns the request that these words mean at this moment.
    pub(crate) fn resolve(self, now: Timestamp) -> anyhow::Result<ExportRequest> {
        let zone = time::zone(&self.timezone).ok_or_else(|| {
            Usage::new(format!("`{}` is not a time zone", self.timezone))
                .hint("use an IANA name such as Asia/Seoul, or `local`")
        })?;
        let time = |text: &str, flag: &str| {
            time::parse(text, &zone, now).map_err(|error| Usage::new(format!("{flag}: {error}")))
        };
        let (from, to) = (time(&self.from, "--from")?, time(&self.to, "--to")?);
        let resolution = match self.resolution_s {
            Some(secs) => Resolution::Every(
                Interval::from_secs(secs).ok_or_else(|| Usage::new("a resolution of 0 s"))?,
            ),
            None => Resolution::Auto,
        };
        let arguments = serde_json::to_string(&self)?;
        let list = ListText { name: self.list_name, text: self.list };
        Ok(ExportRequest {
            zone,
            resolution,
            variables: self.variables,
            fill: if self.keep_fill { Fill::Keep } else { Fill::Null },
            range_functions: if self.allow_range_functions {
                RangeFunctions::Allow
            } else {
                RangeFunctions::Refuse
            },
            refused_lines: if self.keep_going {
                RefusedLines::LeaveOut
            } else {
                RefusedLines::Stop
            },
            assumed_type: self.assumed_type.as_deref().and_then(MetricType::from_name),
            arguments,
            ..ExportRequest::new(list, from, to)
        })
    }
}

fn assumed_type(assumed: AssumedTypeArg) -> String {
    let assumed = match assumed {
        AssumedTypeArg::Gauge => MetricType::Gauge,
        AssumedTypeArg::Count => MetricType::Count,
        AssumedTypeArg::Rate => MetricType::Rate,
    };
    assumed.name().to_owned()
}

/// Returns a stored request with another zone.
pub(crate) fn in_zone(arguments: &str, timezone: &str) -> anyhow::Result<String> {
    let words: TypedRequest = serde_json::from_str(arguments)?;
    Ok(serde_json::to_string(&TypedRequest { timezone: timezone.to_owned(), ..words })?)
}

/// Returns the zone for times of day that concern the user and not the data: the one requested, or the machine's where that is
/// UTC.
pub(crate) fn zone_of_clocks(request: &ExportRequest) -> TimeZone {
    if request.zone.iana_name() == Some(ExportRequest::TIMEZONE) {
        TimeZone::try_system().unwrap_or(TimeZone::UTC)
    } else {
        request.zone.clone()
    }
}
