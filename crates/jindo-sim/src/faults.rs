//! Fault injection: kinds of faults, their spelling on a command line, and the schedule by which calls fail. A pure
//! function of the seed and the number of the call. No request fails by the schedule twice in a row.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::str::FromStr;

use crate::noise;

/// One way in which a query call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// 500 with a JSON body without `errors`. (USER)
    Internal,
    /// 502 in the edge's shape. (USER)
    BadGateway,
    /// 503 with HTML. (USER)
    Unavailable,
    /// 504 with HTML. (USER)
    GatewayTimeout,
    /// 429 of a second, short rate window (`X-RateLimit-Name: burst`), reset within a second.
    TooMany,
    /// 429 without any rate header.
    TooManyBare,
    /// The connection is reset before the answer.
    Reset,
    /// The connection is reset within the body.
    ResetBody,
    /// The connection ends within the body; `Content-Length` promised more.
    HalfBody,
    /// The gzip stream ends early, and `Content-Length` agrees with it.
    TruncatedGzip,
    /// 200 with a page of HTML.
    Html,
    /// 200 with an empty body.
    Empty,
    /// 200 with JSON that ends in the middle.
    BrokenJson,
    /// 200 with `status: "error"` and the text `Query timed out`. (USER)
    TimedOut,
    /// The right answer, very slowly.
    Drip,
    /// No answer; the connection stays open until the client closes it.
    Hang,
    /// A body that never ends.
    Endless,
    /// Series without `query_index`. (USER: treated as a mismatch)
    NoIndex,
    /// A `query_index` beyond the queries of the call.
    UnknownIndex,
}

/// Every kind with its name on the command line.
const NAMES: [(Fault, &str); 19] = [
    (Fault::Internal, "500"),
    (Fault::BadGateway, "502"),
    (Fault::Unavailable, "503"),
    (Fault::GatewayTimeout, "504"),
    (Fault::TooMany, "429"),
    (Fault::TooManyBare, "429-bare"),
    (Fault::Reset, "reset"),
    (Fault::ResetBody, "reset-body"),
    (Fault::HalfBody, "half"),
    (Fault::TruncatedGzip, "gzip"),
    (Fault::Html, "html"),
    (Fault::Empty, "empty"),
    (Fault::BrokenJson, "json"),
    (Fault::TimedOut, "timeout"),
    (Fault::Drip, "drip"),
    (Fault::Hang, "hang"),
    (Fault::Endless, "endless"),
    (Fault::NoIndex, "no-index"),
    (Fault::UnknownIndex, "unknown-index"),
];

/// The rotation for a bare number or a share: transient failures, each of a different nature.
const TRANSIENT: [Fault; 8] = [
    Fault::Internal,
    Fault::Reset,
    Fault::TooMany,
    Fault::HalfBody,
    Fault::BadGateway,
    Fault::TruncatedGzip,
    Fault::Unavailable,
    Fault::Empty,
];

/// Most faults in a number of a specification; more is taken for a typing error.
const FAULTS_MAX: u32 = 1_000_000;

/// Most requests remembered for a clean next answer; beyond it the memory is emptied.
const SPARED_MAX: usize = 100_000;

impl Fault {
    /// Returns its name in `--faults` and in the statistics.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(fault, _)| *fault == self).map_or("?", |(_, name)| name)
    }

    /// Yields every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(fault, _)| *fault)
    }
}

/// The faults of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Faults {
    None,
    /// A share of the query calls, in hundredths of a percent; eight transient kinds in rotation.
    Share {
        per_myriad: u32,
    },
    /// Exact numbers of each kind, spread over the first calls of the run.
    Exactly(Vec<(Fault, u32)>),
}

/// A text that specifies no faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// Neither a share, a number nor a list.
    #[error("`{0}` is neither a share (`5%`), a number (`24`) nor a list (`503:2,reset:1`)")]
    NotASpec(String),
    #[error("`{0}` is not a kind of fault; use one of {known}", known = NAMES.map(|(_, name)| name).join(", "))]
    UnknownKind(String),
    #[error("{0} faults exceed the maximum of {FAULTS_MAX}")]
    TooMany(u32),
}

impl FromStr for Faults {
    type Err = FaultsError;

    /// Parses `5%` (a share of the query calls), `24` (a number, in rotation) or `503:2,reset:1` (a number of each).
    ///
    /// # Errors
    /// Shares outside 0 to 100 %, unknown kinds, more than a million faults.
    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let text = text.trim();
        let not_a_spec = || FaultsError::NotASpec(text.to_owned());
        if let Some(percent) = text.strip_suffix('%') {
            let hundredths: f64 = percent.parse::<f64>().map_err(|_| not_a_spec())? * 100.0;
            if !(0.0..=10_000.0).contains(&hundredths) {
                return Err(not_a_spec());
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 10000"
            )]
            return Ok(Faults::Share { per_myriad: hundredths.round() as u32 });
        }
        if let Ok(total) = text.parse::<u32>() {
            let total = checked(total)?;
            // The first kinds get the remainder.
            let count = |i: u32| total / 8 + u32::from(i < total % 8);
            let kinds = (0..).zip(TRANSIENT).map(|(i, fault)| (fault, count(i)));
            return Ok(Faults::Exactly(kinds.collect()));
        }
        let mut kinds = Vec::new();
        for part in text.split(',') {
            let (name, count) = part.trim().split_once(':').ok_or_else(not_a_spec)?;
            let found = NAMES.iter().find(|(_, known)| *known == name);
            let (fault, _) = found.ok_or_else(|| FaultsError::UnknownKind(name.to_owned()))?;
            kinds.push((*fault, checked(count.parse().map_err(|_| not_a_spec())?)?));
        }
        Ok(Faults::Exactly(kinds))
    }
}

fn checked(count: u32) -> Result<u32, FaultsError> {
    if count > FAULTS_MAX { Err(FaultsError::TooMany(count)) } else { Ok(count) }
}

/// The schedule of faults in one run.
#[derive(Debug)]
pub(crate) struct Schedule {
    seed: u64,
    faults: Faults,
    /// Faults by the number of the call, from 1.
    script: BTreeMap<u64, Fault>,
    /// (first call it may hit, kind), in order.
    waiting: VecDeque<(u64, Fault)>,
    /// Query calls so far.
    calls: u64,
    /// Faults so far, those of the script apart.
    injected: u64,
    /// Hashes of requests whose last answer was broken: the next one is clean.
    spared: HashSet<u64>,
}

impl Schedule {
    /// Returns a schedule without any call so far. `script` names calls by number, from 1, and takes precedence over `faults`.
    pub(crate) fn new(seed: u64, faults: Faults, script: BTreeMap<u64, Fault>) -> Self {
        let waiting = match &faults {
            Faults::None | Faults::Share { .. } => VecDeque::new(),
            Faults::Exactly(kinds) => spread(seed, kinds),
        };
        Self { seed, faults, script, waiting, calls: 0, injected: 0, spared: HashSet::new() }
    }

    /// Returns the fault of the next query call, whose request hashes to `request`.
    pub(crate) fn next(&mut self, request: u64) -> Option<Fault> {
        self.calls += 1;
        if let Some(fault) = self.script.remove(&self.calls) {
            return Some(fault);
        }
        if self.spared.remove(&request) {
            return None;
        }
        let fault = match self.faults {
            Faults::None => None,
            Faults::Share { per_myriad } => {
                let hit = noise::at(self.seed, self.calls) % 10_000 < u64::from(per_myriad);
                hit.then(|| TRANSIENT[noise::below(self.injected, TRANSIENT.len())])
            }
            Faults::Exactly(_) => {
                let next = self.waiting.pop_front_if(|(from, _)| *from <= self.calls);
                next.map(|(_, fault)| fault)
            }
        }?;
        self.injected += 1;
        if self.spared.len() >= SPARED_MAX {
            self.spared.clear();
        }
        self.spared.insert(request);
        Some(fault)
    }
}

/// Interleaves the kinds and gives each fault the first call that it may hit, one or two calls apart.
fn spread(seed: u64, kinds: &[(Fault, u32)]) -> VecDeque<(u64, Fault)> {
    let mut left = kinds.to_vec();
    let mut waiting = VecDeque::new();
    let mut call = 1;
    while left.iter().any(|(_, count)| *count > 0) {
        for (fault, count) in left.iter_mut().filter(|(_, count)| *count > 0) {
            *count -= 1;
            call += 1 + noise::at(seed, call) % 2;
            waiting.push_back((call, *fault));
        }
    }
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_injected_exactly_and_in_eight_kinds() {
        let mut schedule = Schedule::new(1, "24".parse().unwrap(), BTreeMap::new());
        let injected: Vec<Fault> = (0..200).filter_map(|request| schedule.next(request)).collect();
        assert_eq!(injected.len(), 24);
        assert_eq!(injected.iter().collect::<HashSet<_>>().len(), 8);
    }

    #[test]
    fn a_broken_request_is_answered_when_asked_again() {
        for spec in ["100%", "reset:50"] {
            let mut schedule = Schedule::new(1, spec.parse().unwrap(), BTreeMap::new());
            let mut broken = 0;
            for request in 0..300 {
                if schedule.next(request).is_some() {
                    broken += 1;
                    assert_eq!(schedule.next(request), None, "{spec}");
                }
            }
            assert!(broken >= 50, "{spec}: {broken}");
        }
    }

    #[test]
    fn a_share_is_about_that_share() {
        let mut schedule = Schedule::new(9, "5%".parse().unwrap(), BTreeMap::new());
        let hits = (0..10_000).filter(|&request| schedule.next(request).is_some()).count();
        assert!((400..600).contains(&hits), "{hits}");
    }

    #[test]
    fn specifications() {
        assert_eq!("2.5%".parse(), Ok(Faults::Share { per_myriad: 250 }));
        assert_eq!(
            "503:2, reset:1".parse(),
            Ok(Faults::Exactly(vec![(Fault::Unavailable, 2), (Fault::Reset, 1)]))
        );
        for bad in ["", "x", "101%", "NaN%", "nope:1", "503:-1", "reset"] {
            assert!(bad.parse::<Faults>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_script_names_calls() {
        let script = BTreeMap::from([(2, Fault::Html)]);
        let mut schedule = Schedule::new(0, Faults::None, script);
        assert_eq!([0, 0, 0].map(|r| schedule.next(r)), [None, Some(Fault::Html), None]);
    }
}
