//! What each fault does to an answer. Pure: it describes broken deliveries, the server performs them.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::errors;
use crate::faults::Fault;
use crate::wire::{Delivery, Response};

/// A dripping answer comes in at most this many pieces, so that it ends.
const DRIP_PIECES: usize = 20;

/// The pause before each piece of a dripping answer.
const DRIP_PAUSE: Duration = Duration::from_millis(50);

/// Whether the fault damages the true answer, or replaces it.
pub(super) fn needs_answer(fault: Fault) -> bool {
    match fault {
        Fault::ResetBody
        | Fault::HalfBody
        | Fault::TruncatedGzip
        | Fault::BrokenJson
        | Fault::Drip
        | Fault::Endless
        | Fault::TimedOut
        | Fault::NoIndex
        | Fault::UnknownIndex => true,
        Fault::Internal
        | Fault::BadGateway
        | Fault::Unavailable
        | Fault::GatewayTimeout
        | Fault::TooMany
        | Fault::TooManyBare
        | Fault::Reset
        | Fault::Html
        | Fault::Empty
        | Fault::Hang => false,
    }
}

/// The answer that a fault gives instead of the true one.
pub(super) fn instead(fault: Fault, hash: u64) -> Response {
    match fault {
        // Without `errors`, as seen for hours on end. (USER)
        Fault::Internal => Response::json(500, "{\"status\":\"error\",\"code\":500}"),
        Fault::BadGateway => errors::edge(502, "Bad Gateway"),
        Fault::Unavailable => errors::html(503, "Service Unavailable"),
        Fault::GatewayTimeout => errors::html(504, "Gateway Time-out"),
        Fault::TooMany => {
            let mut response = errors::too_many(hash);
            let lines = [
                ("Limit", "100"),
                ("Period", "1"),
                ("Remaining", "0"),
                ("Reset", "1"),
                ("Name", "burst"),
            ];
            response.headers.extend(
                lines.map(|(name, value)| (format!("X-RateLimit-{name}"), value.to_owned())),
            );
            response
        }
        Fault::TooManyBare => errors::too_many(hash),
        Fault::Html => errors::html(200, "OK"),
        Fault::Reset => Response { delivery: Delivery::Reset, ..Response::json(200, Vec::new()) },
        Fault::Hang => Response { delivery: Delivery::Hang, ..Response::json(200, Vec::new()) },
        Fault::Empty
        | Fault::ResetBody
        | Fault::HalfBody
        | Fault::TruncatedGzip
        | Fault::BrokenJson
        | Fault::Drip
        | Fault::Endless
        | Fault::TimedOut
        | Fault::NoIndex
        | Fault::UnknownIndex => Response::json(200, Vec::new()),
    }
}

/// What a fault does to the true answer, after compression.
pub(super) fn damage(fault: Fault, response: &mut Response) {
    let half = response.body.len() / 2;
    match fault {
        Fault::ResetBody => response.delivery = Delivery::ResetAfter { bytes: half },
        Fault::HalfBody => response.delivery = Delivery::CloseAfter { bytes: half },
        Fault::TruncatedGzip => {
            if response.header("content-encoding").is_none() {
                compress(response);
            }
            let end = response.body.len() * 2 / 3;
            response.body.truncate(end);
            response.points = 0;
        }
        Fault::BrokenJson => {
            let plain =
                Response { headers: response.headers.clone(), ..Response::json(200, Vec::new()) };
            let headers = plain
                .headers
                .into_iter()
                .filter(|(n, _)| !n.eq_ignore_ascii_case("content-encoding"));
            let body = b"{\"status\":\"ok\",\"series\":[{\"pointlist\":[[1641344100000,1.5],[16413"
                .to_vec();
            *response =
                Response { headers: headers.collect(), body, points: 0, ..response.clone() };
        }
        Fault::Drip => {
            let bytes = response.body.len() / DRIP_PIECES + 1;
            response.delivery = Delivery::Drip { bytes, pause: DRIP_PAUSE };
        }
        Fault::Endless => response.delivery = Delivery::Endless,
        Fault::NoIndex | Fault::UnknownIndex => response.points = 0,
        Fault::Internal
        | Fault::BadGateway
        | Fault::Unavailable
        | Fault::GatewayTimeout
        | Fault::TooMany
        | Fault::TooManyBare
        | Fault::Reset
        | Fault::Html
        | Fault::Empty
        | Fault::TimedOut
        | Fault::Hang => {}
    }
}

/// Compresses the body, level 1: the simulator must not be what a client waits for.
pub(super) fn compress(response: &mut Response) {
    let mut encoder =
        GzEncoder::new(Vec::with_capacity(response.body.len() / 3), Compression::fast());
    encoder.write_all(&response.body).expect("a Vec takes every byte");
    response.body = encoder.finish().expect("a Vec takes every byte");
    response.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
}
