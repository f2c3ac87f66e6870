//! Error answers in the shapes that were recorded and reported, and the checks of keys and sizes. Computes no data.

use super::route::Route;
use crate::json;
use crate::options::Options;
use crate::wire::{Request, Response};

/// Returns `{"errors":[text]}`. (DOC)
pub(super) fn errors(status: u16, text: &str) -> Response {
    Response::json(status, format!(r#"{{"errors":{}}}"#, json::text([text])))
}

/// Returns an error in the shape of the proxy in front of the API. (REC for 403, USER for 429 and 502)
pub(super) fn edge(status: u16, text: &str) -> Response {
    Response::json(
        status,
        format!(
            "{{\"status\":\"error\",\"code\":{status},\"errors\":[\"{text}\"],\"statuspage\":\"http://status.datadoghq.com\",\
         \"twitter\":\"http://twitter.com/datadogops\",\"email\":\"support@datadoghq.com\"}}"
        ),
    )
}

/// Returns an HTML page of that proxy. (USER)
pub(super) fn html(status: u16, text: &str) -> Response {
    Response::new(
        status,
        "text/html",
        format!("<html><body><h1>{status} {text}</h1>\n</body></html>\n"),
    )
}

/// Returns a 429, its body in rotation: the proxy's, the documented, empty, HTML. (USER)/(DOC)
pub(super) fn too_many(nth: u64) -> Response {
    match nth % 4 {
        0 => edge(429, "Too many requests"),
        1 => errors(429, "Rate limit reached. Please try again later."),
        2 => Response::json(429, Vec::new()),
        _ => html(429, "Too Many Requests"),
    }
}

/// Returns a 414 for an escaped query that is too long (USER), a 413 for too large a body.
pub(super) fn too_long(options: &Options, request: &Request) -> Option<Response> {
    let query_chars = request.raw_parameter("query").map_or(0, str::len);
    if query_chars > options.query_chars_max {
        return Some(html(414, "Request-URI Too Large"));
    }
    (request.body.len() > options.request_bytes_max).then(|| errors(413, "Payload too large"))
}

/// Returns the 403 of a request without valid keys, or the 400 of one with keys in the URL. `/api/v1/validate` needs
/// no application key. (DOC)
pub(super) fn unauthorised(options: &Options, request: &Request, route: Route) -> Option<Response> {
    if ["api_key", "application_key"].iter().any(|name| request.raw_parameter(name).is_some()) {
        let text = "Keys in the URL are not accepted: they end up in logs. Send headers.";
        return Some(errors(400, text));
    }
    let valid = |header: &str, keys: &[String]| {
        request.header(header).map(|key| keys.iter().any(|k| k == key))
    };
    // A token in place of the application key: the API key is not looked at. (DOC)
    let token = request
        .header("dd-application-key")
        .filter(|key| ["ddpat_", "ddsat_"].iter().any(|start| key.starts_with(start)));
    if let Some(token) = token {
        let is_known = options.app_keys.iter().any(|known| known == token);
        return (!is_known).then(|| errors(403, "Forbidden"));
    }
    match valid("dd-api-key", &options.api_keys) {
        Some(true) => {}
        None if route == Route::Validate => return Some(errors(403, "API key required")),
        Some(false) | None => return Some(edge(403, "Forbidden")),
    }
    let app_key_valid = valid("dd-application-key", &options.app_keys) == Some(true);
    // 25 bytes, as reported. (USER)
    (route != Route::Validate && !app_key_valid)
        .then(|| Response::json(403, "{\"errors\": [\"Forbidden\"]}"))
}

/// Returns the 403 of valid keys without a permission. (USER)
pub(super) fn forbidden() -> Response {
    Response::json(403, r#"{"errors":["Forbidden","Failed permission authorization checks"]}"#)
}
