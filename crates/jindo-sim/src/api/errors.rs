//! The error answers, in the shapes that were recorded and reported. Decides who is let in; computes no data.

use crate::options::{Options, Refusal};
use crate::wire::{Request, Response};

/// Smaller bodies are not worth compressing.
pub(super) const COMPRESS_FROM_BYTES: usize = 512;

/// `{"errors":[text]}`. (DOC)
pub(super) fn errors(status: u16, text: &str) -> Response {
    let mut body = b"{\"errors\":[".to_vec();
    crate::json::string(&mut body, text);
    body.extend_from_slice(b"]}");
    Response::json(status, body)
}

/// The edge's shape. (REC for 403, USER for 429 and 502)
pub(super) fn edge(status: u16, text: &str) -> Response {
    Response::json(
        status,
        format!(
            "{{\"status\":\"error\",\"code\":{status},\"errors\":[\"{text}\"],\"statuspage\":\"http://status.datadoghq.com\",\
         \"twitter\":\"http://twitter.com/datadogops\",\"email\":\"support@datadoghq.com\"}}"
        ),
    )
}

/// A page of the edge. (USER)
pub(super) fn html(status: u16, text: &str) -> Response {
    Response::new(
        status,
        "text/html",
        format!("<html><body><h1>{status} {text}</h1>\n</body></html>\n"),
    )
}

/// 429 bodies in rotation: the edge's, the documented, empty, HTML. (USER)/(DOC)
pub(super) fn too_many(nth: u64) -> Response {
    match nth % 4 {
        0 => edge(429, "Too many requests"),
        1 => errors(429, "Rate limit reached. Please try again later."),
        2 => Response::json(429, Vec::new()),
        _ => html(429, "Too Many Requests"),
    }
}

/// A query that the server does not take. `status` 400 or 200 as the options say.
pub(super) fn refused(
    options: &Options,
    (from_s, to_s): (i64, i64),
    query: &str,
    text: &str,
) -> Response {
    match options.refusal {
        Refusal::Status400 => errors(400, text),
        Refusal::Status200 => error_in_200((from_s, to_s), query, text),
    }
}

/// 200 with `status: "error"`. (USER, reported verbatim in 2023)
fn error_in_200((from_s, to_s): (i64, i64), query: &str, text: &str) -> Response {
    let mut body =
        b"{\"status\":\"error\",\"res_type\":\"time_series\",\"resp_version\":1,\"query\":"
            .to_vec();
    crate::json::string(&mut body, query);
    let dates = format!(",\"from_date\":{from_s}000,\"to_date\":{to_s}000,");
    body.extend_from_slice(dates.as_bytes());
    body.extend_from_slice(b"\"series\":[],\"values\":[],\"times\":[],\"error\":");
    crate::json::string(&mut body, text);
    body.extend_from_slice(b",\"group_by\":[]}");
    Response::json(200, body)
}

/// The 200 of a query that took too long. (USER)
pub(super) fn timed_out(range_s: (i64, i64), query: &str) -> Response {
    error_in_200(range_s, query, "Query timed out")
}

/// 414 for an escaped query that is too long (USER), 413 for too large a body.
pub(super) fn too_long(options: &Options, request: &Request) -> Option<Response> {
    let query_chars = request.raw_parameter("query").map_or(0, str::len);
    if query_chars > options.query_chars_max {
        return Some(html(414, "Request-URI Too Large"));
    }
    (request.body.len() > options.request_bytes_max).then(|| errors(413, "Payload too large"))
}

/// The 403 of a request without valid keys. `validate` wants no application key. (DOC)
pub(super) fn unauthorised(
    options: &Options,
    request: &Request,
    api_key_is_enough: bool,
) -> Option<Response> {
    if request.raw_parameter("api_key").is_some()
        || request.raw_parameter("application_key").is_some()
    {
        return Some(errors(
            400,
            "Keys in the URL are not accepted: they end up in logs. Send headers.",
        ));
    }
    let valid = |header: &str, keys: &[String]| {
        request.header(header).map(|key| keys.iter().any(|k| k == key))
    };
    match valid("dd-api-key", &options.api_keys) {
        Some(true) => {}
        None if api_key_is_enough => return Some(errors(403, "API key required")),
        Some(false) | None => return Some(edge(403, "Forbidden")),
    }
    let app_key_valid = valid("dd-application-key", &options.app_keys) == Some(true);
    // 25 bytes, as reported. (USER)
    (!api_key_is_enough && !app_key_valid)
        .then(|| Response::json(403, "{\"errors\": [\"Forbidden\"]}"))
}
