//! The endpoints without queries: keys, the user's organisation, lists of metrics, metadata. (DOC)/(REC)

use super::errors;
use super::route::{METADATA_PREFIX, Route};
use crate::json::text;
use crate::options::{Metadata, Options};
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
    let body = format!(r#"{{"metrics":{},"from":{}}}"#, text(names(options)), text(from));
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
    let page = names[start..end].iter().map(|name| {
        let id = text(name);
        format!(r#"{{"type":"metrics","id":{id}}}"#)
    });
    let data = page.collect::<Vec<_>>().join(",");
    if asked.is_none() || end == names.len() {
        return Response::json(200, format!(r#"{{"data":[{data}]}}"#));
    }
    let first = format!("/api/v2/metrics?page[size]={size}");
    let body = format!(
        "{{\"data\":[{data}],\"meta\":{{\"pagination\":{{\"cursor\":null,\"next_cursor\":\"{end:x}\",\"limit\":{size},\
         \"type\":\"cursor_limit\"}}}},\"links\":{{\"self\":\"{first}\",\"last\":null,\"next\":\"{first}&page[cursor]={end:x}\",\
         \"prev\":null,\"first\":\"{first}\"}}}}"
    );
    Response::json(200, body)
}

/// Returns the metadata of one metric. (DOC)
fn metadata(options: &Options, request: &Request) -> Response {
    if options.metadata == Metadata::Forbidden {
        return errors::forbidden();
    }
    let name = decode(request.path().trim_start_matches(METADATA_PREFIX)).into_owned();
    let Some(metric) = options.organisation.metric(&name) else {
        return errors::errors(404, "metric_name not found");
    };
    let is_untyped = options.metadata == Metadata::WithoutTypes;
    let integration = text(name.split('.').next().filter(|first| *first == "aws"));
    let kind = text((!is_untyped).then_some(metric.kind));
    let interval_s = text(metric.interval_s);
    let unit = text(metric.unit.map(|unit| unit.name));
    let body = format!(
        r#"{{"description":null,"short_name":null,"integration":{integration},"statsd_interval":{interval_s},"per_unit":null,"type":{kind},"unit":{unit}}}"#
    );
    Response::json(200, body)
}

/// Returns the names that contain the part of `q=metrics:part`. (DOC)
fn search(options: &Options, request: &Request) -> Response {
    let Some(wanted) = request.parameter("q") else {
        return errors::errors(400, "The parameter 'q' is required");
    };
    let part = wanted.strip_prefix("metrics:").unwrap_or(&wanted);
    let found: Vec<&str> = names(options).into_iter().filter(|name| name.contains(part)).collect();
    Response::json(200, format!(r#"{{"results":{{"metrics":{}}}}}"#, text(found)))
}
