//! The request of an export as a value: typed, complete, and free of command lines. Every default stands here.

use super::look_back::LookBack;
use crate::archive::{Archive, Coverage, Error, Learnt};
use crate::plan::{Limits, Pace, Window};
use crate::query::{Fill, Interval, MetricType, RangeFunctions};
use crate::request::Reserve;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Everything that decides about an export, apart from where it is kept and who makes its calls.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    pub list: ListText,
    /// First moment of the range.
    pub from: Timestamp,
    /// End of the range, excluded; it is cut where it is younger than `settle` allows.
    pub to: Timestamp,
    /// Zone in which files write times.
    pub zone: TimeZone,
    pub resolution: Resolution,
    pub fill: Fill,
    /// Template variables by name, without `$`.
    pub variables: BTreeMap<String, String>,
    pub range_functions: RangeFunctions,
    /// Type of metrics whose metadata cannot be had, where their queries depend on it. `None`: those are given up.
    pub assumed_type: Option<MetricType>,
    pub refused_lines: RefusedLines,
    pub probing: Probing,
    pub pacing: Pacing,
    /// Nothing younger than this is asked: cloud crawlers report late.
    pub settle: SignedDuration,
    pub look_back: LookBack,
    pub learnt: LearntFacts,
    pub other_organisation: OtherOrganisation,
    /// Limits of the server until an answer teaches others.
    pub assumed: Limits,
    /// The front end's own record of this request, from which it can make it again. Kept by the directory, never read here.
    pub arguments: String,
}

/// A list of queries as it was read, with the name that complaints give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListText {
    pub name: String,
    pub text: String,
}

/// Distance between the points of queries without a rollup of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Every(Interval),
    /// Each query's native interval, found by samples; [`Resolution::fixed`] where they tell none.
    Auto,
}

/// Treatment of lines that are not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefusedLines {
    /// The export stops before anything is asked.
    #[default]
    Stop,
    LeaveOut,
}

/// Use of presence probes. Results of earlier probes count, unless they are discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Probing {
    #[default]
    Never,
    /// Queries are asked coarsely first, and windows without points are left out.
    First,
    /// Results of earlier probes are dropped, and the windows that they left out are fetched.
    Discard,
}

/// Use of what earlier runs learnt: limits of the server, response sizes, native intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LearntFacts {
    #[default]
    Keep,
    /// All of it is dropped and learnt anew.
    Forget,
}

/// Treatment of keys that open another organisation than the one that the directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherOrganisation {
    #[default]
    Refuse,
    /// From now on the directory belongs to the new one.
    Accept,
}

/// Bounds on how fast and how long calls are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacing {
    /// Calls in flight at once, at most.
    pub concurrency: u16,
    /// Share of the rate limit that is left to others.
    pub reserve: Reserve,
    /// Own bound on the pace, for servers that name no rate limit.
    pub limit: Option<Pace>,
    /// Calls of one run, at most, those of samples and probes included.
    pub max_calls: Option<u64>,
    /// The run ends after so long without one answer; waits for the rate limit do not count.
    pub give_up_after: SignedDuration,
}

impl ExportRequest {
    /// Time that cloud crawlers need to deliver everything.
    pub const SETTLE: SignedDuration = SignedDuration::from_mins(20);

    /// Zone of the files: it has no summer time, and is what the API speaks.
    pub const TIMEZONE: &str = "UTC";

    pub const FILL: Fill = Fill::Null;

    /// Returns a request for the range in which everything else has its default.
    pub fn new(list: ListText, from: Timestamp, to: Timestamp) -> Self {
        Self {
            list,
            from,
            to,
            zone: TimeZone::UTC,
            resolution: Resolution::default(),
            fill: Self::FILL,
            variables: BTreeMap::new(),
            range_functions: RangeFunctions::Refuse,
            assumed_type: None,
            refused_lines: RefusedLines::default(),
            probing: Probing::default(),
            pacing: Pacing::default(),
            settle: Self::SETTLE,
            look_back: LookBack::default(),
            learnt: LearntFacts::default(),
            other_organisation: OtherOrganisation::default(),
            assumed: Limits::ASSUMED,
            arguments: String::new(),
        }
    }

    /// Returns the same request once what it drops is dropped: what is learnt from then on counts.
    pub(super) fn once_dropped(&self) -> Self {
        let probing = match self.probing {
            Probing::Discard => Probing::Never,
            probing @ (Probing::Never | Probing::First) => probing,
        };
        Self { learnt: LearntFacts::Keep, probing, ..self.clone() }
    }
}

impl Resolution {
    /// Seconds between points: as often as cloud crawlers deliver, and the finest that one call serves for a day.
    pub const SECONDS: u32 = 60;

    pub fn is_auto(self) -> bool {
        self == Self::Auto
    }

    /// Returns the interval of queries of which nothing else is known.
    pub fn fixed(self) -> Interval {
        match self {
            Self::Every(interval) => interval,
            Self::Auto => Interval::from_secs(Self::SECONDS).expect("a minute is an interval"),
        }
    }
}

impl Default for Resolution {
    fn default() -> Self {
        Self::Every(Self::Auto.fixed())
    }
}

impl Pacing {
    pub const CONCURRENCY: u16 = 8;

    pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_mins(10);

    /// Rate limit of an organisation that bought no other, as plans reckon with it.
    pub const LIMIT_RECKONED: Pace = Pace { calls: 1_600, period_s: 3_600 };
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            concurrency: Self::CONCURRENCY,
            reserve: Reserve::USUAL,
            limit: None,
            max_calls: None,
            give_up_after: Self::GIVE_UP_AFTER,
        }
    }
}

/// Returns the stretches that are not marked to be fetched again.
pub fn closed(coverage: &[Coverage]) -> Vec<Window> {
    coverage.iter().filter(|covered| !covered.open).map(|covered| covered.window).collect()
}

/// Returns the limits as earlier runs learnt them and as they still count at `now`, and else as `assumed`.
pub fn learnt_limits(archive: &Archive, assumed: Limits, now: Timestamp) -> Result<Limits, Error> {
    let limits = learnt_still(archive, now)?.map(|learnt| learnt.limit);
    Ok(limits.fold(assumed, Limits::with))
}

/// Returns what was learnt and still counts at `now`.
pub(super) fn learnt_still(
    archive: &Archive,
    now: Timestamp,
) -> Result<impl Iterator<Item = Learnt>, Error> {
    let learnt = archive.ledger().learnt()?.into_iter();
    Ok(learnt.filter(move |learnt| learnt.counts_at(now)))
}
