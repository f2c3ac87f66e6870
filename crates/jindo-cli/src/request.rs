//! What is asked, from the command line or from the directory's last request: the list understood, the range in seconds.

use crate::args::{FillArg, RequestArgs, ResolutionArg};
use crate::defaults;
use crate::render::errors::Usage;
use crate::time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jindo::archive::Spaced;
use jindo::job::{ExportRequest, Resolution};
use jindo::plan::{Range, Window};
use jindo::query::{self, Interval, List, Spacings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The words of a request, as the directory keeps them for `jindo export` without a list. Times stay words: `now` and
/// `-90d` mean another time the next time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Words {
    /// The list's file name, for complaints.
    list_name: String,
    list: String,
    from: String,
    to: String,
    timezone: String,
    /// None: each query's own spacing.
    resolution_s: Option<u32>,
    variables: BTreeMap<String, String>,
    keep_fill: bool,
    allow_range_functions: bool,
    keep_going: bool,
}

/// A request, understood.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) words: Words,
    pub(crate) list: List,
    pub(crate) zone: TimeZone,
    pub(crate) range: Window,
    /// Buckets that end later are not over, and not asked.
    settled: Timestamp,
    /// Where `--to` would have been, had it not been too young.
    pub(crate) clipped_from: Option<Timestamp>,
    /// The spacings by which the list was understood.
    pub(crate) spaced: Vec<Spaced>,
}

impl Words {
    /// The words of this command line; what it leaves out comes from `last` when there is no list on it.
    pub(crate) fn new(wanted: &RequestArgs, last: Option<Self>) -> anyhow::Result<Self> {
        let mut words = match (&wanted.queries, last) {
            (Some(path), _) => Self::of_list(path, wanted)?,
            (None, Some(last)) => last,
            (None, None) => {
                return Err(Usage::new("no query list")
                    .hint("give a file with one query a line: jindo export queries.txt --from 2021-12-12")
                    .into());
            }
        };
        if let Some(from) = &wanted.from {
            words.from.clone_from(from);
        }
        if let Some(to) = &wanted.to {
            words.to.clone_from(to);
        }
        if let Some(timezone) = &wanted.timezone {
            words.timezone.clone_from(timezone);
        }
        if let Some(resolution) = wanted.resolution {
            words.resolution_s = match resolution {
                ResolutionArg::Auto => None,
                ResolutionArg::Every(interval) => Some(seconds(interval)),
            };
        }
        if let Some(fill) = wanted.fill {
            words.keep_fill = fill == FillArg::Keep;
        }
        words.variables.extend(wanted.variables.iter().cloned());
        words.allow_range_functions |= wanted.allow_range_functions;
        words.keep_going |= wanted.keep_going;
        Ok(words)
    }

    fn of_list(path: &Path, wanted: &RequestArgs) -> anyhow::Result<Self> {
        let Some(from) = wanted.from.clone() else {
            return Err(Usage::new("no begin of the range")
                .hint("give one: --from 2021-12-12, or --from -90d for the last 90 days")
                .into());
        };
        let bytes = query::load::load(path)
            .map_err(|error| Usage::new(jindo::text::with_causes(&error)))?;
        let list = query::decode(&bytes);
        if list.contains('\0') {
            return Err(Usage::new(format!("{} is no text file", path.display()))
                .hint("a list has one query a line")
                .into());
        }
        Ok(Self {
            list_name: path.display().to_string(),
            list,
            from,
            to: defaults::TO.into(),
            timezone: ExportRequest::TIMEZONE.into(),
            resolution_s: Some(Resolution::SECONDS),
            variables: BTreeMap::new(),
            keep_fill: false,
            allow_range_functions: false,
            keep_going: false,
        })
    }

    pub(crate) fn keeps_going(&self) -> bool {
        self.keep_going
    }

    /// The same request at another resolution, for the comparison in the plan.
    pub(crate) fn at(&self, resolution: Interval) -> Self {
        Self { resolution_s: Some(seconds(resolution)), ..self.clone() }
    }

    /// Whether each query without an interval of its own gets that of its points.
    pub(crate) fn is_auto(&self) -> bool {
        self.resolution_s.is_none()
    }

    /// The interval of queries of which nothing else is known.
    pub(crate) fn resolution(&self) -> anyhow::Result<Interval> {
        let resolution = Interval::from_secs(self.resolution_s.unwrap_or(Resolution::SECONDS));
        resolution.ok_or_else(|| Usage::new("a resolution of 0 s").into())
    }

    /// The list as it is understood, complaints and all; `spaced` holds for `--resolution auto`.
    pub(crate) fn list(&self, spaced: &[Spaced]) -> anyhow::Result<List> {
        let resolution = self.resolution()?;
        let options = query::RewriteOptions {
            resolution,
            variables: self.variables.clone(),
            fill: if self.keep_fill { query::Fill::Keep } else { query::Fill::Null },
            range_functions: if self.allow_range_functions {
                query::RangeFunctions::Allow
            } else {
                query::RangeFunctions::Refuse
            },
        };
        let (name, text) = (&self.list_name, &self.list);
        if !self.is_auto() {
            return Ok(query::list(name, text, &options));
        }
        let mut spacings = Spacings::default();
        for Spaced { query, interval, .. } in spaced {
            spacings.insert(query.clone(), *interval);
        }
        Ok(query::list_spaced(name, text, &options, &spacings))
    }
}

/// The words of a request, as a directory keeps them, with another zone.
pub(crate) fn in_zone(arguments: &str, timezone: &str) -> anyhow::Result<String> {
    let words: Words = serde_json::from_str(arguments)?;
    Ok(serde_json::to_string(&Words { timezone: timezone.to_owned(), ..words })?)
}

fn seconds(interval: Interval) -> u32 {
    u32::try_from(interval.secs()).expect("an interval is made of a u32")
}

impl Asked {
    /// What is asked of each query. The moment at which buckets must be over is told no later than it matters, so that a range of
    /// long ago is the same request every time.
    pub(crate) fn wanted(&self) -> Range {
        let ends =
            self.list.queries.iter().filter_map(|query| self.range.aligned(query.text.interval));
        let last = ends.map(Window::end).max().unwrap_or(self.range.end());
        Range { window: self.range, settled: self.settled.min(last) }
    }

    /// The same request, now that more spacings are known.
    pub(crate) fn spaced(&self, more: Vec<Spaced>) -> anyhow::Result<Self> {
        let mut asked = self.clone();
        if !more.is_empty() {
            asked.spaced.extend(more);
            asked.list = asked.words.list(&asked.spaced)?;
        }
        Ok(asked)
    }

    /// For times of day that concern the user and not the data: the zone asked for, or the machine's where that is UTC.
    pub(crate) fn zone_of_clocks(&self) -> TimeZone {
        if self.words.timezone == ExportRequest::TIMEZONE {
            TimeZone::try_system().unwrap_or(TimeZone::UTC)
        } else {
            self.zone.clone()
        }
    }
}

/// Understands the words. All complaints about the list come at once, unless refused lines are to be left out.
pub(crate) fn understand(
    words: Words,
    spaced: Vec<Spaced>,
    settle: SignedDuration,
    now: Timestamp,
) -> anyhow::Result<Asked> {
    let zone = time::zone(&words.timezone).ok_or_else(|| {
        Usage::new(format!("`{}` is no time zone", words.timezone))
            .hint("use an IANA name such as Asia/Seoul, or `local`")
    })?;
    let list = words.list(&spaced)?;
    if !list.refused.is_empty() && !words.keep_going {
        return Err(complaints(&list).into());
    }
    if list.queries.is_empty() {
        return Err(Usage::new(format!("{} holds no query", words.list_name)).into());
    }
    let time = |text: &str, flag: &str| {
        time::parse(text, &zone, now).map_err(|error| Usage::new(format!("{flag}: {error}")))
    };
    let (from, to) = (time(&words.from, "--from")?, time(&words.to, "--to")?);
    let youngest = Timestamp::from_second((now - settle).as_second()).unwrap_or(to);
    let to_s = Timestamp::from_second(to.as_second()).unwrap_or(to);
    let end = to_s.min(youngest);
    let range = Window::new(from, end).ok_or_else(|| {
        let (from, end) = (time::in_words(from, &zone), time::in_words(end, &zone));
        Usage::new(format!("the range is empty: it begins at {from} and ends at {end}"))
            .hint("give an earlier --from or a later --to; nothing younger than --settle is asked")
    })?;
    let clipped_from = (end < to_s).then_some(to_s);
    let settled = time::minute_after(youngest);
    Ok(Asked { words, list, zone, range, settled, clipped_from, spaced })
}

/// All that is wrong with a list, with its places.
fn complaints(list: &List) -> Usage {
    let mut text = String::new();
    for complaint in &list.refused {
        text.push_str(&complaint.to_string());
        text.push('\n');
    }
    let wrong = crate::render::units::counted(list.refused.len() as u64, "line is", "lines are");
    text.push_str(&wrong);
    text.push_str(" not understood; nothing was asked and nothing was written");
    Usage::new(text).hint("mend the list, or leave these lines out with --keep-going")
}
