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
const BROKEN_JSON: &str = r#"{"status":"ok","series":[{"pointlist":[[1641344100000,1.5],[16413"#;

/// Turns the true answer, compressed, into the one that a call gets under `fault`. Faults in the text of an answer are
/// there already. `hash` picks among equal answers.
pub(super) fn apply(fault: Fault, hash: u64, response: &mut Response) {
    let bytes = response.body.len();
    match fault {
        // Without `errors`, as seen for hours on end. (USER)
        Fault::Internal => *response = Response::json(500, r#"{"status":"error","code":500}"#),
        Fault::BadGateway => *response = errors::edge(502, "Bad Gateway"),
        Fault::Unavailable => *response = errors::html(503, "Service Unavailable"),
        Fault::GatewayTimeout => *response = errors::html(504, "Gateway Time-out"),
        Fault::TooMany => {
            *response = errors::too_many(hash);
            let lines = [
                ("X-RateLimit-Limit", "100"),
                ("X-RateLimit-Period", "1"),
                ("X-RateLimit-Remaining", "0"),
                ("X-RateLimit-Reset", "1"),
                ("X-RateLimit-Name", "burst"),
            ];
            response.headers.extend(lines.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Fault::TooManyBare => *response = errors::too_many(hash),
        Fault::Html => *response = errors::html(200, "OK"),
        Fault::Empty => *response = Response::json(200, ""),
        Fault::BrokenJson => *response = Response::json(200, BROKEN_JSON),
        Fault::TruncatedGzip => {
            if response.header("content-encoding").is_none() {
                response.compress();
            }
            response.body.truncate(response.body.len() * 2 / 3);
            response.points = 0;
        }
        Fault::Reset => response.delivery = Delivery::Reset,
        Fault::Hang => response.delivery = Delivery::Hang,
        Fault::ResetBody => response.delivery = Delivery::ResetAfter { bytes: bytes / 2 },
        Fault::HalfBody => response.delivery = Delivery::CloseAfter { bytes: bytes / 2 },
        Fault::Drip => {
            let bytes = bytes / DRIP_PIECES + 1;
            response.delivery = Delivery::Drip { bytes, pause: DRIP_PAUSE };
        }
        Fault::Endless => response.delivery = Delivery::Endless,
        Fault::NoIndex | Fault::UnknownIndex => response.points = 0,
        Fault::TimedOut => {}
    }
}
