//! The effect of each fault on an answer. Pure: describes broken deliveries, which the server performs.

use std::time::Duration;

use super::errors;
use crate::faults::Fault;
use crate::wire::{Delivery, Response};

/// Most pieces of a dripping answer.
const DRIP_PIECES: usize = 20;

/// The pause before each piece of a dripping answer.
const DRIP_PAUSE: Duration = Duration::from_millis(50);

/// Start of a JSON answer that ends in the middle of a time.
const BROKEN_JSON: &[u8] =
    b"{\"status\":\"ok\",\"series\":[{\"pointlist\":[[1641344100000,1.5],[16413";

/// Returns the answer that replaces the true one; `None` for faults that damage the true answer.
pub(super) fn replacement(fault: Fault, hash: u64) -> Option<Response> {
    Some(match fault {
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
        Fault::Empty => Response::json(200, Vec::new()),
        Fault::Reset => Response { delivery: Delivery::Reset, ..Response::json(200, Vec::new()) },
        Fault::Hang => Response { delivery: Delivery::Hang, ..Response::json(200, Vec::new()) },
        Fault::ResetBody
        | Fault::HalfBody
        | Fault::TruncatedGzip
        | Fault::BrokenJson
        | Fault::Drip
        | Fault::Endless
        | Fault::TimedOut
        | Fault::NoIndex
        | Fault::UnknownIndex => return None,
    })
}

/// Damages the true answer, after compression. Faults that replace it, or are in its text already, change nothing here.
pub(super) fn damage(fault: Fault, response: &mut Response) {
    let half = response.body.len() / 2;
    match fault {
        Fault::ResetBody => response.delivery = Delivery::ResetAfter { bytes: half },
        Fault::HalfBody => response.delivery = Delivery::CloseAfter { bytes: half },
        Fault::TruncatedGzip => {
            if response.header("content-encoding").is_none() {
                response.compress();
            }
            let end = response.body.len() * 2 / 3;
            response.body.truncate(end);
            response.points = 0;
        }
        Fault::BrokenJson => {
            response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-encoding"));
            response.body = BROKEN_JSON.to_vec();
            response.points = 0;
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
