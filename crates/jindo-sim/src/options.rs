//! The settings of a simulated server: keys, limits, faults. Plain values; reads no environment. [`Options::new`] is a
//! healthy server with the documented limits, to be changed field by field.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clip::Clip;
use crate::faults::{Fault, Faults};
use crate::organisation::Organisation;
use crate::rate::{HeaderStyle, Limit};
use crate::resolution::INTERVALS_S;

/// The API key of the default options.
pub const API_KEY: &str = "sim-api-key";

/// The application key of the default options.
pub const APP_KEY: &str = "sim-app-key";

/// All settings of a simulated server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seed of the data, the order of series, the spelling of numbers, and the calls that fail.
    pub seed: u64,
    /// The data that is served.
    pub organisation: Arc<Organisation>,
    /// API keys that are accepted.
    pub api_keys: Vec<String>,
    /// Application keys that are accepted.
    pub app_keys: Vec<String>,
    /// False: the keys are good and lack the permission `timeseries_query`. (USER)
    pub may_query: bool,
    /// Number of query calls after which every key is refused; `None` is never.
    pub revoked_after: Option<u64>,
    /// A UUID, for `GET /api/v2/current_user`.
    pub org_id: String,
    /// Points per series; 1500. (DOC)
    pub points_max: usize,
    pub over_points: OverPoints,
    /// Bucket sizes on offer in seconds, ascending, not empty.
    pub intervals_s: Vec<i64>,
    pub bucket_at_to: BucketAtTo,
    /// Points that an answer leaves out; `None`: it is whole.
    pub clip: Option<Clip>,
    /// Most queries in a call; more: 400. (UNK)
    pub queries_max: Option<usize>,
    /// Most queries in a call that are answered in time; more: `Query timed out`. (USER)
    pub queries_before_timeout: Option<usize>,
    /// Most characters of `query`, escaped; more: 414. (USER: 7607)
    pub query_chars_max: usize,
    /// Most bytes in a request's body; more: 413.
    pub request_bytes_max: usize,
    /// Most bytes in a v1 answer before compression; more: refused as invalid queries are.
    pub answer_bytes_max: Option<usize>,
    /// Retention of data in seconds; `None` is for ever. 15 months. (DOC)
    pub retention_s: Option<i64>,
    /// Seconds from a point's time until it is visible.
    pub late_s: i64,
    /// The rate limits of v1 query calls; the query text decides under which one a call falls.
    pub query_limits: Vec<Limit>,
    /// The rate limit of `POST /api/v2/query/timeseries`.
    pub timeseries_limit: Limit,
    /// The rate limit of the metric lists.
    pub list_limit: Limit,
    pub rate_headers: HeaderStyle,
    pub refusal: Refusal,
    pub metadata: Metadata,
    /// Texts that make a query invalid. A refused query fails its whole call.
    pub refused: Vec<String>,
    /// Time until the first byte of every answer.
    pub latency: Duration,
    /// Most time added to `latency`, by the seed and the request.
    pub jitter: Duration,
    pub compression: Compression,
    /// Faults of query calls, by share or number.
    pub faults: Faults,
    /// Faults by the number of the query call, from 1; takes precedence over `faults`.
    pub script: BTreeMap<u64, Fault>,
    /// Simulated time at the server's start, since the epoch; `None` is the system's.
    pub now_at_start: Option<Duration>,
    pub patience: Patience,
    /// Names under which it answers besides those of this machine's loopback: a page in a browser that reaches the port by a
    /// name of its own (DNS rebinding) is refused.
    pub hosts: Vec<String>,
}

/// The longest waits of the server for its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the first byte of a request.
    pub idle: Duration,
    /// For the rest of it.
    pub request: Duration,
    /// For a client to take 64 KiB of an answer.
    pub taking: Duration,
    /// Connections that wait for their clients at once; with one more, the one that has waited longest is closed.
    pub connections_max: usize,
}

impl Patience {
    /// Longer than clients keep a connection that they do not use (90 s), so that they close it, and more than any of them sends or
    /// takes at once.
    pub const DEFAULT: Self = Self {
        idle: Duration::from_mins(2),
        request: Duration::from_secs(30),
        taking: Duration::from_mins(1),
        connections_max: 512,
    };
}

/// The answer to a query with more points per series than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverPoints {
    /// A larger interval, silently. (DOC)
    Coarser,
    /// 400. (USER)
    Refused,
}

/// The treatment of the bucket that starts exactly at `to`. (UNK for v1; excluded in v2, DOC)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketAtTo {
    Excluded,
    Included,
}

/// The answer to a query that cannot be parsed or is not allowed. (UNK: both were reported)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 400 with `{"errors": […]}`. (DOC)
    Status400,
    /// 200 with `status: "error"`. (USER)
    Status200,
}

/// The answers to questions for a metric's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    Served,
    /// All null, as of a metric submitted a moment ago. (REC)
    WithoutTypes,
    /// 403: the keys lack `metrics_read`. (DOC)
    Forbidden,
}

/// The compression of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Gzip for clients that accept it. (REC)
    WhenAccepted,
    Never,
}

impl Options {
    /// Returns a healthy server: the built-in organisation, documented limits, no faults, 3600 queries an hour.
    pub fn new(seed: u64) -> Self {
        let limit = |name: &str, calls, period_s| Limit {
            name: name.to_owned(),
            calls,
            period_s,
            others_percent: 0,
        };
        Self {
            seed,
            organisation: Arc::new(Organisation::built_in(seed)),
            api_keys: vec![API_KEY.to_owned()],
            app_keys: vec![APP_KEY.to_owned()],
            may_query: true,
            revoked_after: None,
            org_id: "5f3c1a52-0d0e-11ec-8a1b-da7ad0900002".to_owned(),
            points_max: 1_500,
            over_points: OverPoints::Coarser,
            intervals_s: INTERVALS_S.to_vec(),
            bucket_at_to: BucketAtTo::Excluded,
            clip: None,
            queries_max: None,
            queries_before_timeout: None,
            query_chars_max: 7_607,
            request_bytes_max: 1 << 20,
            answer_bytes_max: None,
            retention_s: Some(15 * 2_629_746),
            late_s: 0,
            query_limits: vec![limit("query_batch", 3_600, 3_600)],
            timeseries_limit: limit("query_timeseries", 3_600, 3_600),
            list_limit: limit("metrics_list", 1_000, 3_600),
            rate_headers: HeaderStyle::Plain,
            refusal: Refusal::Status400,
            metadata: Metadata::Served,
            refused: Vec::new(),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            compression: Compression::WhenAccepted,
            faults: Faults::None,
            script: BTreeMap::new(),
            now_at_start: None,
            patience: Patience::DEFAULT,
            hosts: Vec::new(),
        }
    }

    /// Sets the v1 query limits, keeping their names.
    #[must_use]
    pub fn with_query_limit(mut self, calls: u32, period_s: u32) -> Self {
        for limit in &mut self.query_limits {
            limit.calls = calls;
            limit.period_s = period_s;
        }
        self
    }
}
