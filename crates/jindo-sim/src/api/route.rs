//! The endpoints of the simulated API.

use crate::wire::Request;

/// An endpoint; any other path is answered with 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
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

/// Method, path and route of each endpoint.
const ENDPOINTS: [(&str, &str, Route); 10] = [
    ("GET", "/api/v1/query", Route::Query),
    ("POST", "/api/v2/query/timeseries", Route::Timeseries),
    ("GET", "/api/v1/validate", Route::Validate),
    ("GET", "/api/v2/validate_keys", Route::ValidateKeys),
    ("GET", "/api/v2/current_user", Route::CurrentUser),
    ("GET", "/api/v1/metrics", Route::ActiveMetrics),
    ("GET", "/api/v2/metrics", Route::Metrics),
    ("GET", "/api/v1/metrics/{name}", Route::Metadata),
    ("GET", "/api/v1/search", Route::Search),
    ("GET", "/sim/stats", Route::Stats),
];

/// Start of the path of a metric's metadata; the metric's name follows.
pub(super) const METADATA_PREFIX: &str = "/api/v1/metrics/";

impl Route {
    /// Returns the endpoint of a request.
    pub(super) fn of(request: &Request) -> Self {
        let (method, path) = (request.method.as_str(), request.path());
        let found = ENDPOINTS.iter().find(|(m, p, _)| (*m, *p) == (method, path));
        match found {
            Some((_, _, route)) => *route,
            None if method == "GET" && path.starts_with(METADATA_PREFIX) => Route::Metadata,
            None => Route::Other,
        }
    }

    /// Returns its name in the statistics.
    pub(super) fn name(self) -> &'static str {
        let found = ENDPOINTS.iter().find(|(_, _, route)| *route == self);
        found.map_or("other", |(_, path, _)| path)
    }
}
