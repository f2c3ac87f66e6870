//! What the client would make of an answer and of the way it is delivered: the door to the network, without the network.

use flate2::read::GzDecoder;
use jindo::plan::{Window, escape};
use jindo::request::{BODY_BYTES_MAX, Body, Failure, Rate, Reply, classify};
use jindo::secret::Secrets;
use jindo_sim::{Delivery, Request, Response};
use std::io::Read as _;
use std::time::Duration;

/// After so much silence the client hangs up.
const SILENCE: Duration = Duration::from_secs(90);

/// Time in which a body without an end grows past what the client reads.
const FLOOD: Duration = Duration::from_secs(20);

/// The request that the client sends for a comma list.
pub(crate) fn request(list: &str, window: Window, accepts_gzip: bool) -> Request {
    let (from, to) = (window.start_s(), window.end_s());
    let target = format!("/api/v1/query?from={from}&to={to}&query={}", escape(list));
    let mut request = Request::get(&target);
    if accepts_gzip {
        request.headers.push(("Accept-Encoding".into(), "gzip".into()));
    }
    request
}

/// Returns the client's report, and its delay since the server began to answer.
pub(crate) fn reply(response: &Response) -> (Duration, Reply) {
    let rate = Rate::read(|name| response.header(name).map(str::to_owned));
    let (took, body) = match response.delivery {
        Delivery::Whole => (Duration::ZERO, decoded(response)),
        Delivery::Reset => return (Duration::ZERO, silent("connection reset")),
        Delivery::Hang => return (SILENCE, silent("no answer in time")),
        Delivery::ResetAfter { .. } | Delivery::CloseAfter { .. } => {
            (Duration::ZERO, Err(broken("the answer broke off")))
        }
        Delivery::Drip { bytes, pause } => {
            let pieces = u32::try_from(response.body.len() / bytes.max(1) + 1).unwrap();
            (pause * pieces, decoded(response))
        }
        Delivery::Endless => (FLOOD, Err(Failure::TooLarge)),
    };
    let body = match (response.status, body) {
        (200, body) => body,
        (status, Ok(body)) => Err(classify(status, &body, rate.clone(), &Secrets::default())),
        (status, Err(Failure::Transient { .. })) => {
            Err(classify(status, b"", rate.clone(), &Secrets::default()))
        }
        (_, Err(failure)) => Err(failure),
    };
    (took, Reply { body: body.map(Body::from), rate })
}

fn silent(what: &str) -> Reply {
    Reply { body: Err(broken(what)), rate: None }
}

fn broken(what: &str) -> Failure {
    Failure::Transient { what: what.into() }
}

fn decoded(response: &Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    if response.header("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let limit = BODY_BYTES_MAX as u64 + 1;
        let read = GzDecoder::new(&response.body[..]).take(limit).read_to_end(&mut body);
        read.map_err(|_| broken("the answer broke off"))?;
    } else {
        body.extend_from_slice(&response.body);
    }
    if body.len() > BODY_BYTES_MAX { Err(Failure::TooLarge) } else { Ok(body) }
}
