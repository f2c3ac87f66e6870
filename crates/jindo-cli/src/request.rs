//! Requests as typed: on the command line, or as the directory keeps the last one.

use crate::args::{AssumedTypeArg, FillArg, RequestArgs, VARIABLE_BYTES_MAX};
use crate::defaults;
use crate::environment;
use crate::render::errors::Usage;
use crate::render::lists;
use crate::time::{self, TimeError};
use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jindo::archive::Request;
use jindo::job::{ExportRequest, ListText, RefusedLines, Resolution};
use jindo::query::{self, Fill, Interval, MetricType, RangeFunctions};
use jindo::text::{plain, steers};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Bytes of one setting that a directory keeps: paths have up to 4,096.
const SETTING_BYTES_MAX: usize = 4_096;

/// Template variables of a request that a directory keeps: more than any dashboard has.
const VARIABLES_MAX: usize = 1_000;

/// Request as typed, and as the directory keeps it for the next one: then its times are instants, but for the end `now`, and its zone
/// has a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TypedRequest {
    /// File name of the list, for errors.
    list_name: String,
    list: String,
    from: String,
    to: String,
    timezone: String,
    /// Length of a range that slides with the time of the run, such as `90d`; `from` is of no account then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolling: Option<String>,
    /// Address of the API, where it was given as one and not by a site's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_url: Option<String>,
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

/// End of a request's range, which decides what the same command would fetch later.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RangeEnd {
    /// It moves with the time of the run.
    Now,
    Fixed,
}

/// A request beside what its directory remembers, as a plan tells it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestNotes {
    /// Remarks on the range: its zone was not chosen, its start moves.
    range: Vec<String>,
    /// Settings carried over from the last request: `resolution 300 s`.
    pub(crate) kept: Vec<String>,
    /// Settings that differ from the last request's: `resolution 300 s → 60 s`.
    pub(crate) changes: Vec<String>,
}

impl RequestNotes {
    /// Adds that the last request is damaged, and nothing of it holds for this one.
    pub(crate) fn nothing_is_carried_over(&mut self, why: &str) {
        self.range.push(format!("nothing could be carried over: {why}"));
    }

    /// Returns the lines that stand below the range of a plan.
    pub(crate) fn below_range(&self) -> impl Iterator<Item = String> {
        let kept =
            (!self.kept.is_empty()).then(|| format!("carried over: {}", self.kept.join(", ")));
        self.range.iter().cloned().chain(kept).map(|note| format!("  {note}"))
    }
}

impl TypedRequest {
    /// Returns the request of this command line. What it does not give is taken from `last`: without a list all of it, with a list
    /// the range and the settings, but no consent.
    pub(crate) fn new(wanted: &RequestArgs, last: Option<&Self>) -> anyhow::Result<Self> {
        let words = match (&wanted.queries, last) {
            (Some(path), last) => Self::of_list(path, wanted, last)?,
            (None, Some(last)) => last.clone(),
            (None, None) => {
                return Err(Usage::without_list("a list of queries is missing").into());
            }
        };
        if wanted.to.is_some() && wanted.from.is_none() && words.rolling.is_some() {
            return Err(Usage::new(
                "the range of this directory slides with time (--rolling), and has no end",
            )
            .hint("give --from with --to")
            .into());
        }
        let mut variables = words.variables;
        variables.extend(given_variables(&wanted.variables)?);
        Ok(Self {
            from: wanted.from.clone().unwrap_or(words.from),
            to: wanted.to.clone().unwrap_or_else(|| match wanted.rolling {
                Some(_) => defaults::TO.to_owned(),
                None => words.to,
            }),
            rolling: match (&wanted.rolling, &wanted.from) {
                (None, None) => words.rolling,
                (rolling, _) => rolling.clone(),
            },
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

    fn of_list(path: &Path, wanted: &RequestArgs, last: Option<&Self>) -> anyhow::Result<Self> {
        let from = wanted.from.clone().or(wanted.rolling.as_ref().map(|span| format!("-{span}")));
        let Some(from) = from.or(last.map(|last| last.from.clone())) else {
            return Err(Usage::new("no start of the range")
                .hint("give one: --from 2021-12-12, or --from -90d for the last 90 days")
                .into());
        };
        let bytes = query::load::load(path)
            .map_err(|error| Usage::without_list(jindo::text::with_causes(&error)))?;
        let text = query::decode(&bytes);
        if let Some(file) = query::other_file(&bytes, &text) {
            return Err(lists::no_list(path, file).into());
        }
        if text.contains('\0') {
            let text = format!("{} is not a text file", path.display());
            return Err(Usage::without_list(text).into());
        }
        let text = query::without_keys(&text, &environment::secrets());
        let given = ListText { name: path.display().to_string(), text };
        let words = Self::of_text(given, from, defaults::TO);
        Ok(match last.cloned() {
            None => words,
            Some(last) => Self {
                to: last.to,
                timezone: last.timezone,
                rolling: last.rolling,
                api_url: last.api_url,
                resolution_s: last.resolution_s,
                variables: last.variables,
                keep_fill: last.keep_fill,
                ..words
            },
        })
    }

    /// Returns a request in which everything but the list and the range has its default.
    pub(crate) fn of_text(list: ListText, from: String, to: &str) -> Self {
        Self {
            // It is for messages, and is kept: what steers in it would be refused when it is read again.
            list_name: plain(&list.name, &[]).into_owned(),
            list: list.text,
            from,
            to: to.to_owned(),
            timezone: ExportRequest::TIMEZONE.into(),
            rolling: None,
            api_url: None,
            resolution_s: Some(Resolution::SECONDS),
            variables: BTreeMap::new(),
            keep_fill: false,
            allow_range_functions: false,
            keep_going: false,
            assumed_type: None,
        }
    }

    pub(crate) fn range_end(&self) -> RangeEnd {
        if time::is_now(&self.to) { RangeEnd::Now } else { RangeEnd::Fixed }
    }

    /// Returns the request that these words mean at this moment.
    pub(crate) fn resolve(self, now: Timestamp) -> anyhow::Result<ExportRequest> {
        let zone = self.zone()?;
        let from = match &self.rolling {
            Some(span) => time::parse(&format!("-{span}"), &zone, now).map_err(|_| {
                Usage::new(format!("--rolling: `{span}` is not a span"))
                    .hint("write 90d, 2w, 3mo or 36h")
            })?,
            None => time_of("--from", &self.from, &zone, now)?,
        };
        let to = time_of("--to", &self.to, &zone, now)?;
        let resolution = match self.resolution_s {
            Some(secs) => Resolution::Every(
                Interval::from_secs(secs).ok_or_else(|| Usage::new("a resolution of 0 s"))?,
            ),
            None => Resolution::Auto,
        };
        let arguments = serde_json::to_string(&self.clone().fixed(&zone, from, to))?;
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

impl TypedRequest {
    /// Returns what a directory keeps: `from` and `to` as the instants that they meant, the zone by its name. Only the end `now` moves.
    fn fixed(mut self, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Self {
        self.from = from.to_string();
        if matches!(self.range_end(), RangeEnd::Fixed) {
            self.to = to.to_string();
        }
        if let Some(name) = zone.iana_name() {
            name.clone_into(&mut self.timezone);
        }
        self
    }

    fn zone(&self) -> Result<TimeZone, Usage> {
        time::zone(&self.timezone).ok_or_else(|| {
            Usage::new(format!("`{}` is not a time zone", self.timezone))
                .hint("use an IANA name such as Asia/Seoul, or `local`")
        })
    }

    /// Reads what a directory keeps. Earlier versions kept times as they were typed: those that count from a moment mean the range that
    /// was asked then.
    pub(crate) fn of_directory(request: &Request) -> anyhow::Result<Self> {
        let mut words: Self = serde_json::from_str(&request.arguments)
            .context("the last request of this directory cannot be read")?;
        words.check()?;
        // Earlier versions kept a list as it was.
        words.list = query::without_keys(&words.list, &environment::secrets());
        // Earlier versions kept the word, which names another zone on another machine.
        if words.timezone.eq_ignore_ascii_case("local") {
            words.timezone.clone_from(&request.timezone);
        }
        let (zone, asked) = (words.zone()?, request.asked.window);
        let instant = |text: &str, asked: Timestamp| match text.trim() {
            text if text.starts_with('-') || time::is_now(text) => asked,
            text => time::parse(text, &zone, asked).unwrap_or(asked),
        };
        let (from, to) = (instant(&words.from, asked.start()), instant(&words.to, asked.end()));
        Ok(words.fixed(&zone, from, to))
    }

    /// Checks what a directory keeps, which may come from somebody else: no text is too long or steers a terminal.
    fn check(&self) -> Result<(), Usage> {
        let optional = [&self.rolling, &self.api_url, &self.assumed_type].into_iter().flatten();
        let always = [&self.list_name, &self.from, &self.to, &self.timezone];
        let mut settings = self.variables.keys().chain(optional).chain(always);
        let is_list =
            self.list.len() as u64 <= query::load::LIST_BYTES_MAX && !self.list.contains('\0');
        let is_odd = |text: &String, max: usize| text.len() > max || text.contains(steers);
        let is_any_odd = settings.any(|text| is_odd(text, SETTING_BYTES_MAX))
            || self.variables.values().any(|text| is_odd(text, VARIABLE_BYTES_MAX));
        if is_list && self.variables.len() <= VARIABLES_MAX && !is_any_odd {
            return Ok(());
        }
        Err(Usage::new("the last request of this directory is not one that jindo wrote"))
    }

    /// Returns the notes of a plan for this request: settings that `wanted` leaves to `last`, and settings that it changes.
    pub(crate) fn notes(&self, wanted: &RequestArgs, last: Option<&Self>) -> RequestNotes {
        let Comparison { kept, changes } =
            last.map_or_else(Comparison::default, |last| self.compared(wanted, last));
        let is_unchosen = wanted.timezone.is_none() && last.is_none();
        let elsewhere = time::local_zone().filter(|_| is_unchosen);
        let utc = elsewhere
            .map(|zone| format!("times are UTC (this machine is in {zone}: --timezone local)"));
        let rolling = self.rolling.as_ref();
        let rolling =
            rolling.map(|span| format!("its start moves with every run (--rolling {span})"));
        let typed = [("--from", &wanted.from), ("--to", &wanted.to)].into_iter();
        let days = typed.filter_map(|(flag, text)| {
            Some(format!("{flag}: {}", time::day_first(text.as_ref()?)?))
        });
        let range = days.chain(utc).chain(rolling).collect();
        RequestNotes { range, kept, changes }
    }

    fn compared(&self, wanted: &RequestArgs, last: &Self) -> Comparison {
        let mut compared = Comparison::default();
        let resolution = |words: &Self| {
            words.resolution_s.map_or_else(|| "auto".to_owned(), |secs| format!("{secs} s"))
        };
        let fill = |words: &Self| if words.keep_fill { "keep" } else { "null" }.to_owned();
        match (&wanted.queries, self.list == last.list) {
            (None, _) => compared.kept.push(format!("list {}", last.list_name)),
            (Some(_), true) => {}
            (Some(_), false) if self.list_name == last.list_name => {
                compared.changes.push(format!("another {}", self.list_name));
            }
            (Some(_), false) => compared.changed("list", &last.list_name, &self.list_name),
        }
        if wanted.from.is_none() && wanted.rolling.is_none() {
            compared.kept.push("range".to_owned());
        }
        compared.setting("timezone", wanted.timezone.is_some(), &last.timezone, &self.timezone);
        let is_given = wanted.resolution.is_some();
        compared.setting("resolution", is_given, &resolution(last), &resolution(self));
        compared.setting("fill", wanted.fill.is_some(), &fill(last), &fill(self));
        for (name, value) in &self.variables {
            let is_given = wanted.variables.iter().any(|(given, _)| given == name);
            let before = last.variables.get(name).map_or("not given", String::as_str);
            compared.setting(&format!("variable {name}"), is_given, before, value);
        }
        let consents = [
            (wanted.allow_range_functions, self.allow_range_functions, "--allow-range-functions"),
            (wanted.keep_going, self.keep_going, "--keep-going"),
        ];
        let carried = consents.iter().filter(|(is_given, holds, _)| !is_given && *holds);
        compared.kept.extend(carried.map(|(_, _, flag)| (*flag).to_owned()));
        if let (None, Some(of)) = (wanted.assume_type, &self.assumed_type) {
            compared.kept.push(format!("--assume-type {of}"));
        }
        compared
    }
}

/// Returns the values of each variable, with commas between them: those of all `--var` of its name.
fn given_variables(given: &[(String, String)]) -> Result<BTreeMap<String, String>, Usage> {
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for (name, values) in given {
        for value in values.split(',').map(str::trim) {
            let before = variables.entry(name.clone()).or_default();
            if before.split(',').any(|before| before == value) {
                return Err(Usage::new(format!("--var {name} has the value `{value}` twice"))
                    .hint("give each value once"));
            }
            if !before.is_empty() {
                before.push(',');
            }
            before.push_str(value);
        }
    }
    Ok(variables)
}

/// A request beside the directory's last one, in words.
#[derive(Debug, Default)]
struct Comparison {
    /// Settings carried over: `resolution 300 s`.
    kept: Vec<String>,
    /// Settings that differ: `resolution 300 s → 60 s`.
    changes: Vec<String>,
}

impl Comparison {
    fn setting(&mut self, name: &str, is_given: bool, before: &str, now: &str) {
        if before != now {
            self.changed(name, before, now);
        } else if !is_given {
            self.kept.push(format!("{name} {now}"));
        }
    }

    fn changed(&mut self, name: &str, before: &str, now: &str) {
        self.changes.push(format!("{name} {before} → {now}"));
    }
}

/// Returns the time that a flag gives.
pub(crate) fn time_of(
    flag: &str,
    text: &str,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Timestamp, Usage> {
    time::parse(text, zone, now)
        .map_err(|error| Usage::new(format!("{flag}: {error}")).hint(TimeError::FORMS))
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
pub(crate) fn in_zone(request: &Request, timezone: &str) -> anyhow::Result<String> {
    let words = TypedRequest::of_directory(request)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use jindo::plan::{Range, Window};

    fn kept(words: &TypedRequest, timezone: &str) -> anyhow::Result<TypedRequest> {
        TypedRequest::of_directory(&Request {
            lines: Vec::new(),
            asked: Range::from(Window::from_secs(0, 86_400).unwrap()),
            timezone: timezone.to_owned(),
            arguments: serde_json::to_string(words).unwrap(),
        })
    }

    fn words() -> TypedRequest {
        let list = ListText { name: "queries.txt".to_owned(), text: "avg:a{*}\n".to_owned() };
        TypedRequest::of_text(list, "-1d".to_owned(), defaults::TO)
    }

    #[test]
    fn a_request_of_an_earlier_version_means_the_range_and_the_zone_of_its_run() {
        let local = TypedRequest { timezone: "local".to_owned(), ..words() };
        let read = kept(&local, "Asia/Seoul").unwrap();
        assert_eq!(
            (read.timezone.as_str(), read.from.as_str()),
            ("Asia/Seoul", "1970-01-01T00:00:00Z")
        );
        assert_eq!(read.to, "now");
    }

    #[test]
    fn a_request_that_jindo_did_not_write_is_refused() {
        let named = |value: String| [("host".to_owned(), value)].into();
        let long = |max: usize| "x".repeat(max + 1);
        for odd in [
            TypedRequest { list_name: "a\u{1b}[2J".to_owned(), ..words() },
            TypedRequest { api_url: Some("https://h\nx".to_owned()), ..words() },
            TypedRequest { variables: named("\u{202e}".to_owned()), ..words() },
            TypedRequest { variables: named(long(VARIABLE_BYTES_MAX)), ..words() },
            TypedRequest { api_url: Some(long(SETTING_BYTES_MAX)), ..words() },
            TypedRequest { list: "a\0".to_owned(), ..words() },
        ] {
            assert!(kept(&odd, "UTC").is_err(), "{}", odd.list_name);
        }
        let values = TypedRequest { variables: named(long(SETTING_BYTES_MAX)), ..words() };
        assert!(kept(&words(), "UTC").is_ok() && kept(&values, "UTC").is_ok());
    }
}
