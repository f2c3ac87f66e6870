//! The simulated API without sockets, clock or async: a request and a time go in, an answer comes out. Deterministic:
//! the same seed, requests and times give the same bytes. [`Api::admit`] decides everything that depends on the order
//! of requests (rate windows, faults, counts); [`QueryCall::run`] is the slow part (numbers, JSON, gzip) and may run on
//! another thread.
//!
//! ```
//! use std::time::Duration;
//! use jindo_sim::{Api, Options, Request};
//! let mut api = Api::new(Options::new(1));
//! let request = Request::get("/api/v1/query?from=1700000000&to=1700003600&query=avg:odd.values%7B*%7D.rollup(avg,60)");
//! let answer = api.answer(Duration::from_secs(1_700_010_000), &request);
//! assert_eq!(answer.status, 200);
//! ```

mod discovery;
mod errors;
mod inject;
mod query;
mod route;
#[cfg(test)]
mod tests;
mod timeseries;
mod v1;

use std::sync::Arc;
use std::time::Duration;

use crate::faults::{Fault, Schedule};
use crate::noise;
use crate::options::{Compression, Options};
use crate::rate::{self, Limit, Windows};
use crate::stats::Stats;
use crate::wire::{Delivery, Request, Response};
use route::Route;

pub use query::QueryCall;

/// Bodies of at most this many bytes are not compressed.
const UNCOMPRESSED_BYTES_MAX: usize = 512;

/// A simulated Datadog API.
#[derive(Debug)]
pub struct Api {
    options: Arc<Options>,
    /// Rate windows of all limits.
    windows: Windows,
    schedule: Schedule,
    /// Counts without the rate windows.
    stats: Stats,
}

/// The decision of [`Api::admit`].
#[derive(Debug)]
pub enum Admission {
    /// The answer is known already.
    Answer(Response),
    /// The answer is yet to be computed.
    Compute(QueryCall),
}

impl Api {
    /// Returns an API without any call so far.
    pub fn new(options: Options) -> Self {
        let schedule = Schedule::new(options.seed, options.faults.clone(), options.script.clone());
        Self {
            options: Arc::new(options),
            windows: Windows::default(),
            schedule,
            stats: Stats::default(),
        }
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> Stats {
        Stats { rate_windows: self.windows.all(), ..self.stats.clone() }
    }

    /// Answers `request` as of `now`, the time since the epoch. Never waits: the answer holds its own latency.
    pub fn answer(&mut self, now: Duration, request: &Request) -> Response {
        let response = match self.admit(now, request) {
            Admission::Answer(response) => response,
            Admission::Compute(call) => call.run(),
        };
        self.record(&response);
        response
    }

    /// Decides everything that depends on the order of requests, as of `now`, the time since the epoch. The caller passes
    /// the answer to [`Api::record`] afterwards.
    pub fn admit(&mut self, now: Duration, request: &Request) -> Admission {
        let route = Route::of(request);
        *self.stats.calls_by_path.entry(route.name().to_owned()).or_default() += 1;
        if route == Route::Stats {
            return Admission::Answer(Response::json(200, self.stats().to_json()));
        }
        let revoked =
            self.options.revoked_after.is_some_and(|calls| self.stats.query_calls >= calls);
        if revoked {
            return Admission::Answer(errors::edge(403, "Forbidden"));
        }
        if let Some(refused) = errors::unauthorised(&self.options, request, route) {
            return Admission::Answer(refused);
        }
        if matches!(route, Route::Query | Route::Timeseries) && !self.options.may_query {
            return Admission::Answer(errors::forbidden());
        }
        if matches!(route, Route::Query | Route::Timeseries) {
            return self.admit_query(now, request, route);
        }
        let mut rate_headers = Vec::new();
        if matches!(route, Route::ActiveMetrics | Route::Metrics) {
            let limit = self.options.list_limit.clone();
            match self.rate(&limit, now, request) {
                Ok(headers) => rate_headers = headers,
                Err(refused) => return Admission::Answer(refused),
            }
        }
        let mut response = discovery::answer(&self.options, route, request);
        response.headers.append(&mut rate_headers);
        Admission::Answer(response)
    }

    /// Admits a query call: checks its size, takes it out of a rate limit, counts it, picks its fault.
    fn admit_query(&mut self, now: Duration, request: &Request, route: Route) -> Admission {
        if let Some(too_long) = errors::too_long(&self.options, request) {
            return Admission::Answer(too_long);
        }
        self.stats.query_calls += 1;
        let limits = &self.options.query_limits;
        let limit = if route == Route::Query && !limits.is_empty() {
            let text = request.raw_parameter("query").unwrap_or_default();
            limits[noise::below(noise::of_text(0, text), limits.len())].clone()
        } else {
            self.options.timeseries_limit.clone()
        };
        let rate_headers = match self.rate(&limit, now, request) {
            Ok(headers) => headers,
            Err(refused) => return Admission::Answer(refused),
        };
        let queries = query::count(request);
        self.stats.queries += queries;
        self.stats.queries_per_call_max = self.stats.queries_per_call_max.max(queries);
        let hash = query::hash(&self.options, request);
        let fault = self.schedule.next(hash);
        if let Some(fault) = fault {
            *self.stats.faults_by_kind.entry(fault.name().to_owned()).or_default() += 1;
        }
        Admission::Compute(QueryCall {
            options: Arc::clone(&self.options),
            request: request.clone(),
            now_s: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            rate_headers,
            fault,
            hash,
        })
    }

    /// Takes a call out of `limit`; returns its rate headers, or the 429.
    fn rate(
        &mut self,
        limit: &Limit,
        now: Duration,
        request: &Request,
    ) -> Result<Vec<(String, String)>, Response> {
        let hash = query::hash(&self.options, request);
        let headers = |status| rate::headers(&status, self.options.rate_headers, hash);
        self.windows.take(limit, now).map(headers).map_err(|status| {
            let refusals = self.stats.answers_by_status.get(&429).copied().unwrap_or(0);
            let mut response = errors::too_many(refusals);
            response.headers.extend(headers(status));
            response
        })
    }

    /// Counts an answer that is about to be sent; resets and hangs send none.
    pub fn record(&mut self, response: &Response) {
        let sent = match response.delivery {
            Delivery::Reset | Delivery::Hang => return,
            Delivery::ResetAfter { bytes } | Delivery::CloseAfter { bytes } => bytes,
            Delivery::Whole | Delivery::Drip { .. } => {
                self.stats.points += response.points;
                response.body.len()
            }
            Delivery::Endless => response.body.len(),
        };
        *self.stats.answers_by_status.entry(response.status).or_default() += 1;
        self.stats.bytes += sent as u64;
    }
}

impl QueryCall {
    /// Computes the answer: numbers, JSON, compression, the fault if there is one.
    pub fn run(mut self) -> Response {
        let mut response = if Route::of(&self.request) == Route::Timeseries {
            timeseries::answer(&self)
        } else {
            v1::answer(&self)
        };
        let accepted =
            self.request.header("accept-encoding").is_some_and(|text| text.contains("gzip"));
        let allowed = self.options.compression == Compression::WhenAccepted;
        if accepted && allowed && response.body.len() > UNCOMPRESSED_BYTES_MAX {
            response.compress();
        }
        if let Some(fault) = self.fault {
            inject::apply(fault, self.hash, &mut response);
        }
        if !matches!(self.fault, Some(Fault::TooMany | Fault::TooManyBare)) {
            response.headers.append(&mut self.rate_headers);
        }
        let jitter = self.options.jitter.mul_f64(noise::unit(noise::mix(self.hash)));
        response.latency = self.options.latency + jitter;
        response
    }
}
