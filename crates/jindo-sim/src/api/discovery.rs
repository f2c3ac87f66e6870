//! Everything that is not a query: keys, the user's organisation, lists of metrics, metadata. (DOC)/(REC)

use super::errors;
use crate::json;
use crate::options::Options;
use crate::wire::{Request, Response, decode};

/// Metrics on one page when the client does not say, and at most. (DOC)
const PAGE_MAX: usize = 10_000;

/// The answer of `route`, named as in the statistics.
pub(super) fn answer(options: &Options, route: &str, request: &Request) -> Response {
    match route {
        "/api/v1/validate" => Response::json(200, "{\"valid\":true}"),
        "/api/v2/validate_keys" => Response::json(200, "{\"status\":\"ok\"}"),
        "/api/v2/current_user" => current_user(options),
        "/api/v1/metrics" => active_metrics(options, request),
        "/api/v2/metrics" => metrics(options, request),
        "/api/v1/metrics/{name}" => metadata(options, request),
        "/api/v1/search" => search(options, request),
        _ => errors::errors(404, "Not found"),
    }
}

/// The user with the organisation as a relationship. (DOC)
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

/// `from` comes back as a string. (REC)
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

fn names(options: &Options) -> Vec<&str> {
    let mut names: Vec<&str> =
        options.organisation.metrics().iter().map(|m| m.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// One page; the last one has no `meta`. (REC) The cursor is the position, in hexadecimal, as opaque as the real one.
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

fn metadata(options: &Options, request: &Request) -> Response {
    let name = decode(request.path().trim_start_matches("/api/v1/metrics/")).into_owned();
    let Some(metric) = options.organisation.metric(&name) else {
        return errors::errors(404, "metric_name not found");
    };
    let or_null = |text: Option<&str>| match text {
        Some(text) => json::text(|out| json::string(out, text)),
        None => b"null".to_vec(),
    };
    let integration = name.split('.').next().filter(|first| *first == "aws");
    let body = json::text(|out| {
        json::members(
            out,
            &[
                ("description", or_null(None)),
                ("short_name", or_null(None)),
                ("integration", or_null(integration)),
                ("statsd_interval", or_null(None)),
                ("per_unit", or_null(None)),
                ("type", or_null(Some(metric.kind.name()))),
                ("unit", or_null(metric.unit.map(|unit| unit.name))),
            ],
        );
    });
    Response::json(200, body)
}

/// `q=metrics:part`: names that contain the part. (DOC)
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
