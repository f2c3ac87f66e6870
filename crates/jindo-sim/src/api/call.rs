//! A query call on its way from admission to its answer.

use std::sync::Arc;

use crate::faults::Fault;
use crate::noise;
use crate::options::Options;
use crate::wire::Request;

/// A query call that was admitted and is yet to be computed. Holds no lock.
#[derive(Debug)]
pub struct QueryCall {
    pub(crate) options: Arc<Options>,
    pub(crate) request: Request,
    /// Time of admission in epoch seconds.
    pub(crate) now_s: i64,
    pub(crate) rate_headers: Vec<(String, String)>,
    pub(crate) fault: Option<Fault>,
    /// Hash of the seed and the request, by which equal answers are spelled differently.
    pub(crate) hash: u64,
}

/// Returns the hash of a request under a seed; it does not depend on the order of requests.
pub(super) fn hash(options: &Options, request: &Request) -> u64 {
    let target = noise::of_text(options.seed, &request.target);
    request.body.iter().fold(target, |h, b| noise::mix(h ^ u64::from(*b)))
}
