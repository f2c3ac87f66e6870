//! The endpoints without queries: keys, the user's organisation, lists of metrics, metadata. (DOC)/(REC)

use super::errors;
use super::route::{METADATA_PREFIX, Route};
use crate::json::{self, quoted};
use crate::options::Options;
use crate::wire::{Request, Response, decode};

/// Most metrics on one page. (DOC)
const PAGE_MAX: usize = 10_000;

/// Answers a request that is no query.
pub(super) fn answer(options: &Options, route: Route, request: &Request) -> Response {
    match route {
        Route::Validate => Response::json(200, "{\"valid\":true}"),
        Route::ValidateKeys => Response::json(200, "{\"status\":\"ok\"}"),
        Route::CurrentUser => current_user(options),
        Route::ActiveMetrics => active_metrics(options, request),
        Route::Metrics => metrics(options, request),
        Route::Metadata => metadata(options, request),
        Route::Search => search(options, request),
        Route::Query | Route::Timeseries | Route::Stats | Route::Other => {
            errors::errors(404, "Not found")
        }
    }
}

/// Returns the user with the organisation as a relationship. (DOC)
fn current_user(options: &Options) -> Response {
    let org_id = &options.org_id;
    let body = format!(
        "{{\"data\":{{\"type\":\"users\",\"id\":\"00000000-0000-4000-8000-000000000001\",\"attributes\":{{\"name\":\"Jin Do\",\
         \"handle\":\"jin.do@example.com\",\"created_at\":\"2021-04-12T09:53:35.000000+00:00\",\"email\":\"jin.do@example.com\",\
         \"icon\":\"\",\"title\":null,\"verified\":true,\"service_account\":false,\"disabled\":false,\
         \"allowed_login_methods\":[],\"status\":\"Active\"}},\"relationships\":{{\"roles\":{{\"data\":[]}},\
         \"org\":{{\"data\":{{\"type\":\"orgs\",\"id\":\"{org_id}\"}}}}}}}},\"included\":[{{\"type\":\"orgs\",\"id\":\"{org_id}\",\
         \"attributes\":{{\"name\":\"Simulated\",\"public_id\":\"sim\"}}}}]}}"
    );
    Response::json(200, body)
}

/// Returns the names of all metrics; `from` comes back as a string. (REC)
fn active_metrics(options: &Options, request: &Request) -> Response {
    let from = request.parameter("from").unwrap_or_default();
    if from.parse::<i64>().is_err() {
        return errors::errors(400, "The parameter 'from' is required");
    }
    let mut body = b"{\"metrics\":".to_vec();
    json::strings(&mut body, &names(options));
    body.extend_from_slice(b",\"from\":");
    json::string(&mut body, &from);
    body.push(b'}');
    Response::json(200, body)
}

/// Returns the names of all metrics, sorted.
fn names(options: &Options) -> Vec<&str> {
    let mut names: Vec<&str> =
        options.organisation.metrics().iter().map(|m| m.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// Returns one page; the last one has no `meta`. (REC) The cursor is the position in hexadecimal.
fn metrics(options: &Options, request: &Request) -> Response {
    let names = names(options);
    let asked = request.parameter("page[size]");
    let size = match asked.as_deref().map(str::parse::<usize>) {
        None => names.len().max(1),
        Some(Ok(size)) if (1..=PAGE_MAX).contains(&size) => size,
        Some(_) => return errors::errors(400, "Invalid page[size]"),
    };
    let start = match request.parameter("page[cursor]").map(|c| usize::from_str_radix(&c, 16)) {
        None => 0,
        Some(Ok(start)) if start <= names.len() => start,
        Some(_) => return errors::errors(400, "Invalid page[cursor]"),
    };
    let end = names.len().min(start + size);
    let mut body = b"{\"data\":".to_vec();
    json::list(&mut body, &names[start..end], |out, name| {
        out.extend_from_slice(b"{\"type\":\"metrics\",\"id\":");
        json::string(out, name);
        out.push(b'}');
    });
    if asked.is_some() && end < names.len() {
        let more = format!(
            ",\"meta\":{{\"pagination\":{{\"cursor\":null,\"next_cursor\":\"{end:x}\",\"limit\":{size},\"type\":\"cursor_limit\"}}}},\
             \"links\":{{\"self\":\"/api/v2/metrics?page[size]={size}\",\"last\":null,\"next\":\"/api/v2/metrics?page[size]={size}&page[cursor]={end:x}\",\
             \"prev\":null,\"first\":\"/api/v2/metrics?page[size]={size}\"}}"
        );
        body.extend_from_slice(more.as_bytes());
    }
    body.push(b'}');
    Response::json(200, body)
}

/// Returns the metadata of one metric. (DOC)
fn metadata(options: &Options, request: &Request) -> Response {
    let name = decode(request.path().trim_start_matches(METADATA_PREFIX)).into_owned();
    let Some(metric) = options.organisation.metric(&name) else {
        return errors::errors(404, "metric_name not found");
    };
    let or_null = |text: Option<&str>| text.map_or(b"null".to_vec(), quoted);
    let integration = name.split('.').next().filter(|first| *first == "aws");
    let members = [
        ("description", or_null(None)),
        ("short_name", or_null(None)),
        ("integration", or_null(integration)),
        ("statsd_interval", or_null(None)),
        ("per_unit", or_null(None)),
        ("type", quoted(metric.kind.name())),
        ("unit", or_null(metric.unit.map(|unit| unit.name))),
    ];
    Response::json(200, json::text(|out| json::members(out, &members)))
}

/// Returns the names that contain the part of `q=metrics:part`. (DOC)
fn search(options: &Options, request: &Request) -> Response {
    let Some(wanted) = request.parameter("q") else {
        return errors::errors(400, "The parameter 'q' is required");
    };
    let part = wanted.strip_prefix("metrics:").unwrap_or(&wanted);
    let found: Vec<&str> = names(options).into_iter().filter(|name| name.contains(part)).collect();
    let mut body = b"{\"results\":{\"metrics\":".to_vec();
    json::strings(&mut body, &found);
    body.extend_from_slice(b"}}");
    Response::json(200, body)
}
