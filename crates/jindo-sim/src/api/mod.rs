//! The simulated API without sockets, clock or async: a request and a time go in, an answer comes out. Deterministic:
//! the same seed, requests and times give the same bytes. What is decided in order (rate windows, faults, counts) is
//! [`Api::admit`]; what takes long (numbers, JSON, gzip) is [`Job::run`], which may run elsewhere meanwhile.
//!
//! ```
//! use std::time::Duration;
//! use jindo_sim::{Api, Options, Request};
//! let mut api = Api::new(Options::new(1));
//! let request = Request::get("/api/v1/query?from=1700000000&to=1700003600&query=avg:odd.values%7B*%7D.rollup(avg,60)");
//! let answer = api.answer(Duration::from_secs(1_700_010_000), &request);
//! assert_eq!(answer.status, 200);
//! ```

mod broken;
mod discovery;
mod errors;
mod query;
#[cfg(test)]
mod tests;
mod timeseries;
mod v1;

use std::sync::Arc;
use std::time::Duration;

use crate::faults::{Fault, Schedule};
use crate::noise;
use crate::options::{Compression, Options};
use crate::organisation::Organisation;
use crate::rate::{self, Limit, Windows};
use crate::stats::Stats;
use crate::wire::{Delivery, Request, Response};

/// A simulated Datadog API.
#[derive(Debug)]
pub struct Api {
    options: Arc<Options>,
    windows: Windows,
    schedule: Schedule,
    stats: Stats,
}

/// What [`Api::admit`] decided.
#[derive(Debug)]
pub enum Admitted {
    Answer(Response),
    Work(Job),
}

/// A query call that was let through and is yet to be computed. Holds no lock.
#[derive(Debug)]
pub struct Job {
    options: Arc<Options>,
    request: Request,
    now_s: i64,
    rate_headers: Vec<(String, String)>,
    fault: Option<Fault>,
}

/// The endpoints. Everything else is 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Query,
    Timeseries,
    Validate,
    ValidateKeys,
    CurrentUser,
    ActiveMetrics,
    Metrics,
    Metadata,
    Search,
    Stats,
    Other,
}

impl Route {
    fn of(request: &Request) -> Self {
        match (request.method.as_str(), request.path()) {
            ("GET", "/api/v1/query") => Route::Query,
            ("POST", "/api/v2/query/timeseries") => Route::Timeseries,
            ("GET", "/api/v1/validate") => Route::Validate,
            ("GET", "/api/v2/validate_keys") => Route::ValidateKeys,
            ("GET", "/api/v2/current_user") => Route::CurrentUser,
            ("GET", "/api/v1/metrics") => Route::ActiveMetrics,
            ("GET", "/api/v2/metrics") => Route::Metrics,
            ("GET", "/api/v1/search") => Route::Search,
            ("GET", "/sim/stats") => Route::Stats,
            ("GET", path) if path.starts_with("/api/v1/metrics/") => Route::Metadata,
            _ => Route::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Route::Query => "/api/v1/query",
            Route::Timeseries => "/api/v2/query/timeseries",
            Route::Validate => "/api/v1/validate",
            Route::ValidateKeys => "/api/v2/validate_keys",
            Route::CurrentUser => "/api/v2/current_user",
            Route::ActiveMetrics => "/api/v1/metrics",
            Route::Metrics => "/api/v2/metrics",
            Route::Metadata => "/api/v1/metrics/{name}",
            Route::Search => "/api/v1/search",
            Route::Stats => "/sim/stats",
            Route::Other => "other",
        }
    }
}

impl Api {
    pub fn new(options: Options) -> Self {
        let schedule = Schedule::new(options.seed, options.faults.clone(), options.script.clone());
        Self {
            options: Arc::new(options),
            windows: Windows::default(),
            schedule,
            stats: Stats::default(),
        }
    }

    pub fn organisation(&self) -> &Organisation {
        &self.options.organisation
    }

    /// The counts so far.
    pub fn stats(&self) -> Stats {
        Stats { rate_windows: self.windows.all(), ..self.stats.clone() }
    }

    /// Answers `request` as of `now`, the time since the epoch. Never waits: the answer says how long it takes.
    pub fn answer(&mut self, now: Duration, request: &Request) -> Response {
        let response = match self.admit(now, request) {
            Admitted::Answer(response) => response,
            Admitted::Work(job) => job.run(),
        };
        self.note(&response);
        response
    }

    /// Everything that depends on the order of requests. The caller hands the answer to [`Api::note`] afterwards.
    pub fn admit(&mut self, now: Duration, request: &Request) -> Admitted {
        let route = Route::of(request);
        *self.stats.calls_by_path.entry(route.name().to_owned()).or_default() += 1;
        if route == Route::Stats {
            return Admitted::Answer(Response::json(200, self.stats().to_json()));
        }
        let revoked =
            self.options.revoked_after.is_some_and(|calls| self.stats.query_calls >= calls);
        if revoked {
            return Admitted::Answer(errors::edge(403, "Forbidden"));
        }
        if let Some(refused) =
            errors::unauthorised(&self.options, request, route == Route::Validate)
        {
            return Admitted::Answer(refused);
        }
        match route {
            Route::Query | Route::Timeseries => self.admit_query(now, request, route),
            Route::ActiveMetrics | Route::Metrics => {
                let limit = self.options.list_limit.clone();
                Admitted::Answer(match self.rate(&limit, now, request) {
                    Ok(headers) => {
                        let mut response = discovery::answer(&self.options, route.name(), request);
                        response.headers.extend(headers);
                        response
                    }
                    Err(refused) => refused,
                })
            }
            Route::Validate
            | Route::ValidateKeys
            | Route::CurrentUser
            | Route::Metadata
            | Route::Search
            | Route::Stats
            | Route::Other => {
                Admitted::Answer(discovery::answer(&self.options, route.name(), request))
            }
        }
    }

    fn admit_query(&mut self, now: Duration, request: &Request, route: Route) -> Admitted {
        if let Some(too_long) = errors::too_long(&self.options, request) {
            return Admitted::Answer(too_long);
        }
        self.stats.query_calls += 1;
        let hash = self.hash(request);
        let limits = &self.options.query_limits;
        let limit = if route == Route::Query && !limits.is_empty() {
            let text = request.raw_parameter("query").unwrap_or_default();
            limits[noise::below(noise::of_text(0, text), limits.len())].clone()
        } else {
            self.options.timeseries_limit.clone()
        };
        let rate_headers = match self.rate(&limit, now, request) {
            Ok(headers) => headers,
            Err(refused) => return Admitted::Answer(refused),
        };
        let queries = query::count(request);
        self.stats.queries += queries;
        self.stats.queries_per_call_max = self.stats.queries_per_call_max.max(queries);
        let fault = self.schedule.next(hash);
        if let Some(fault) = fault {
            *self.stats.faults_by_kind.entry(fault.name().to_owned()).or_default() += 1;
        }
        Admitted::Work(Job {
            options: Arc::clone(&self.options),
            request: request.clone(),
            now_s: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            rate_headers,
            fault,
        })
    }

    /// The rate headers of a call that is let through, or the 429.
    fn rate(
        &mut self,
        limit: &Limit,
        now: Duration,
        request: &Request,
    ) -> Result<Vec<(String, String)>, Response> {
        let style = self.options.rate_headers;
        let hash = self.hash(request);
        match self.windows.take(limit, now) {
            Ok(budget) => Ok(rate::headers(&budget, style, hash)),
            Err(budget) => {
                let refusals = self.stats.answers_by_status.get(&429).copied().unwrap_or(0);
                let mut response = errors::too_many(refusals);
                response.headers.extend(rate::headers(&budget, style, hash));
                Err(response)
            }
        }
    }

    /// Counts an answer that is about to be sent.
    pub fn note(&mut self, response: &Response) {
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

    fn hash(&self, request: &Request) -> u64 {
        hash(&self.options, request)
    }
}

/// What a request's answer varies by: the seed and the request itself, never the order of requests.
fn hash(options: &Options, request: &Request) -> u64 {
    let target = noise::of_text(options.seed, &request.target);
    request.body.iter().fold(target, |h, b| noise::mix(h ^ u64::from(*b)))
}

impl Job {
    /// Computes the answer: numbers, JSON, the fault if there is one, compression.
    pub fn run(self) -> Response {
        let hash = hash(&self.options, &self.request);
        let mut response = match self.fault {
            Some(fault) if !broken::needs_answer(fault) => broken::instead(fault, hash),
            _ => self.truth(hash),
        };
        if self.fault != Some(Fault::TooMany) && self.fault != Some(Fault::TooManyBare) {
            response.headers.extend(self.rate_headers);
        }
        let accepts =
            self.request.header("accept-encoding").is_some_and(|text| text.contains("gzip"));
        let may = self.options.compression == Compression::WhenAccepted;
        if accepts && may && response.body.len() > errors::COMPRESS_FROM_BYTES {
            broken::compress(&mut response);
        }
        if let Some(fault) = self.fault {
            broken::damage(fault, &mut response);
        }
        let jitter = self.options.jitter.mul_f64(noise::unit(noise::mix(hash)));
        response.latency = self.options.latency + jitter;
        response
    }

    fn truth(&self, hash: u64) -> Response {
        if Route::of(&self.request) == Route::Timeseries {
            return timeseries::answer(&self.options, self.now_s, &self.request, self.fault);
        }
        v1::answer(&self.options, self.now_s, &self.request, (hash, self.fault))
    }
}
