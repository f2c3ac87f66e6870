//! Queries and the request, as the ledger keeps them. [`GiveUpReason`]'s `Display` is the only place that words it.

use crate::archive::Error;
use crate::plan::{Range, Window, subtract};
use crate::query::{Interval, Query, QueryText, SentText};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A query's number in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub i64);

/// The directory's last request: what was asked, in the list's order, and how it is to be shown. Kept in the ledger, and as
/// `archive/request.json` beside it, so that a lost ledger is rebuilt to the byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Every query of the list, once, in its order; `None` in `query` is a line that was refused.
    pub lines: Vec<RequestLine>,
    /// The range asked, before it is aligned to each query's interval.
    pub asked: Range,
    /// IANA name of the zone in which `date` is written.
    pub timezone: String,
    /// The command line's own words (JSON), for `jindo export` without a list. Opaque here.
    pub arguments: String,
}

/// One line of the list as it was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestLine {
    Query(Query),
    /// Left out by `--keep-going`: the text and the reason.
    Refused {
        written: String,
        reason: String,
    },
}

/// A line of the last request's list that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its place in the list, counted as [`Registered::position`].
    pub position: usize,
    pub written: String,
    pub reason: String,
}

/// A query that the ledger knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub id: QueryId,
    pub text: QueryText,
    /// Range last asked of it, aligned to its interval; `None` when it was never in a request (a rebuilt ledger without
    /// request.json).
    pub asked: Option<Window>,
    /// Its place in the last request's list (refused lines counted); `None` when it is of an earlier list.
    pub position: Option<usize>,
    /// Reason for which it was given up, unless it was answered since.
    pub given_up: Option<GiveUpReason>,
    /// Until when the server refuses it, since it is older than what is kept, and in which words.
    pub too_old: Option<(Timestamp, String)>,
    /// The form with jindo's fill that the server refused, and instead of which this one is sent.
    pub instead_of: Option<QueryId>,
    /// Size of its answers, if they are so heavy that they shape calls.
    pub weight: Option<Weight>,
}

impl Registered {
    /// Returns the parts of what was last asked that no stretch covers, oldest first.
    pub fn gaps(&self, covered: &[Window]) -> Vec<Window> {
        self.asked.map_or_else(Vec::new, |asked| subtract(asked, covered))
    }
}

/// Size of a heavy query's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// Decoded.
    pub bytes_per_bucket: u64,
    pub weighed_at: Timestamp,
}

/// Purpose of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Its points are wanted: a list names it, or did.
    #[default]
    Wanted,
    /// Its points show in which windows another query has any. No file is made of it, and no list shows it.
    Probe,
    /// Its points show how far apart another query's points lie. No file is made of it either.
    Sample,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Wanted, Self::Probe, Self::Sample];

    /// As the ledger spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Probe => "probe",
            Self::Sample => "sample",
        }
    }
}

/// A query as footers and request.json remember it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub text: QueryText,
    pub asked: Option<Window>,
    /// The form that is sent in its place, because the server refused its fill.
    pub substitute: Option<SentText>,
    pub role: Role,
}

/// A query as an object's footer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    pub text: QueryText,
    pub role: Role,
    /// The form with jindo's fill that the server refused, and instead of which this one is sent.
    pub instead_of: Option<String>,
}

/// Extent of a decision to ask no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUpScope {
    /// The query itself: in the next run one call decides whether it is asked again. An answer that is stored takes it back.
    Query,
    /// Only this stretch, which the server refuses for its place in time; the query is fine.
    Window,
}

/// Reason for asking no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GiveUpReason {
    /// The server refuses it, in these words.
    Refused(String),
    /// The type of a metric could not be had, and decides what was asked: it was not asked at all.
    TypeUnknown { why: String },
    /// The server answers at another interval, however few points are asked.
    NotOffered { asked: Interval, nearest: Interval },
    /// The query alone makes a URL that the server does not take.
    UrlTooLong,
    /// One point in time of all its series is a larger answer than is read, or takes more memory than one may.
    PointTooLarge { mebibytes_max: u64 },
}

impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(words) => f.write_str(words),
            Self::TypeUnknown { why } => write!(
                f,
                "not asked: what .as_count() and .as_rate() mean depends on the metric's type, which could not be had ({why}); \
                 --assume-type gauge|count|rate says it"
            ),
            Self::NotOffered { asked, nearest } => write!(
                f,
                "the server does not offer points every {asked} for it; the nearest it offers is {nearest}"
            ),
            Self::UrlTooLong => f.write_str("its URL is too long for the server"),
            Self::PointTooLarge { mebibytes_max } => {
                write!(
                    f,
                    "a single point of all its series is larger than {mebibytes_max} MiB, or takes more memory than one answer may"
                )
            }
        }
    }
}

/// Stretch of a query that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    pub query: QueryId,
    pub window: Window,
    pub scope: GiveUpScope,
    pub reason: GiveUpReason,
    pub at: Timestamp,
}

/// Bookkeeping of queries and of the directory's last request. Every change is one durable transaction.
pub trait QueryLedger: Send + Sync + fmt::Debug {
    /// Makes `request` the last one: upserts its queries, gives them their places, forgets all earlier places. A line of a query that
    /// an earlier one names is left out.
    fn register(&self, request: &Request) -> Result<(), Error>;
    fn request(&self) -> Result<Option<Request>, Error>;
    fn refused_lines(&self) -> Result<Vec<RefusedLine>, Error>;
    /// Returns those that are wanted: by place in the list, then those of earlier lists by number; without those that have a
    /// substitute.
    fn queries(&self) -> Result<Vec<Registered>, Error>;
    /// Returns one of them.
    fn query(&self, query: QueryId) -> Result<Option<Registered>, Error>;
    /// Inserts the unknown, fills in what was missing, changes nothing that is known but its role: wanted before probe before
    /// sample. Numbers in the order given.
    fn remember(&self, queries: &[Remembered]) -> Result<Vec<QueryId>, Error>;
    /// Returns every query by number, those with a substitute too.
    fn remembered(&self) -> Result<Vec<(QueryId, Remembered)>, Error>;
    /// Returns these queries in the order given, in one statement. [`Error::UnknownQuery`] for one that is not known.
    fn recall(&self, queries: &[QueryId]) -> Result<Vec<Recalled>, Error>;
    /// Makes `sent` travel, alone, wherever `query` is asked; it takes its place, its text and what was asked of it.
    fn substitute(&self, query: QueryId, sent: &str) -> Result<QueryId, Error>;
}
