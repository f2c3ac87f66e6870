//! What a simulated server is like: whom it lets in, what it allows, how it misbehaves. Plain values; reads no
//! environment. [`Options::new`] is a calm server with the documented limits, to be changed field by field.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::faults::{Fault, Faults};
use crate::organisation::Organisation;
use crate::rate::{HeaderStyle, Limit};
use crate::resolution::INTERVALS_S;

/// The API key that a calm server accepts.
pub const API_KEY: &str = "sim-api-key";

/// The application key that a calm server accepts.
pub const APP_KEY: &str = "sim-app-key";

/// Everything about a simulated server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides data, order of series, spelling of numbers, and which calls fail.
    pub seed: u64,
    pub organisation: Arc<Organisation>,
    pub api_keys: Vec<String>,
    pub app_keys: Vec<String>,
    /// After so many query calls every key is refused; `None` is never.
    pub revoked_after: Option<u64>,
    /// A UUID, as `GET /api/v2/current_user` tells it.
    pub org_id: String,
    /// Points per series; 1500. (DOC)
    pub points_max: usize,
    pub over_points: OverPoints,
    /// Sizes of buckets in seconds, ascending.
    pub intervals_s: Vec<i64>,
    pub bucket_at_to: BucketAtTo,
    /// More queries in a call: 400. Not known of the real one.
    pub queries_max: Option<usize>,
    /// More queries in a call: `Query timed out`. (USER)
    pub queries_before_timeout: Option<usize>,
    /// More characters of `query`, escaped: 414. (USER: 7607)
    pub query_chars_max: usize,
    /// More bytes in a request's body: 413.
    pub request_bytes_max: usize,
    /// More bytes in an answer, before compression: 400.
    pub answer_bytes_max: Option<usize>,
    /// Data is kept so long, in seconds; `None` is for ever. 15 months. (DOC)
    pub retention_s: Option<i64>,
    /// Points become visible so many seconds after their time; 0 is at once.
    pub late_s: i64,
    /// The limits of v1 query calls. Which one a call falls under follows from its query text.
    pub query_limits: Vec<Limit>,
    /// The limit of `POST /api/v2/query/timeseries`.
    pub timeseries_limit: Limit,
    /// The limit of the metric lists.
    pub list_limit: Limit,
    pub rate_headers: HeaderStyle,
    pub refusal: Refusal,
    /// A query that contains one of these texts is refused as invalid, and its whole batch with it.
    pub refused: Vec<String>,
    /// Every answer takes at least this long.
    pub latency: Duration,
    /// Every answer takes up to this much longer, by the seed.
    pub jitter: Duration,
    pub compression: Compression,
    pub faults: Faults,
    /// Faults by the number of the query call, from 1.
    pub script: BTreeMap<u64, Fault>,
    /// What the served simulator takes for the time when it starts, since the epoch; `None` is the system's.
    pub now_at_start: Option<Duration>,
}

/// What happens to a query that would have more points per series than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverPoints {
    /// A larger interval, without a word. (DOC)
    Coarser,
    /// 400. (USER)
    Refused,
}

/// Whether the bucket that starts exactly at `to` is part of an answer. (UNK for v1; excluded in v2, DOC)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketAtTo {
    Excluded,
    Included,
}

/// How a query that cannot be parsed or is not allowed is answered. (UNK: both were reported)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 400 with `{"errors": […]}`. (DOC)
    Status400,
    /// 200 with `status: "error"`. (USER)
    Status200,
}

/// Whether answers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Where the client accepts gzip. (REC)
    WhenAccepted,
    Never,
}

impl Options {
    /// A calm server: the built-in organisation, documented limits, no faults, 3600 queries an hour.
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
            revoked_after: None,
            org_id: "5f3c1a52-0d0e-11ec-8a1b-da7ad0900002".to_owned(),
            points_max: 1_500,
            over_points: OverPoints::Coarser,
            intervals_s: INTERVALS_S.to_vec(),
            bucket_at_to: BucketAtTo::Excluded,
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
            refused: Vec::new(),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            compression: Compression::WhenAccepted,
            faults: Faults::None,
            script: BTreeMap::new(),
            now_at_start: None,
        }
    }

    /// Sets the v1 query limit, keeping its name.
    #[must_use]
    pub fn with_query_limit(mut self, calls: u32, period_s: u32) -> Self {
        for limit in &mut self.query_limits {
            limit.calls = calls;
            limit.period_s = period_s;
        }
        self
    }
}
