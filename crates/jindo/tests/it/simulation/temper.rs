//! What a seed decides about the server and about the command line.

use super::job::{below, pick};
use super::session::Manner;
use jindo::clock::Random;
use jindo::job::Probing;
use jindo::plan::{Limits, Pace};
use jindo::request::Reserve;
use jindo_sim::{
    BucketAtTo, Compression, Fault, Faults, HeaderStyle, Options, Organisation, OverPoints, Refusal,
};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A server and how it is asked.
#[derive(Debug)]
pub(crate) struct Temper {
    pub(crate) options: Options,
    pub(crate) manner: Manner,
}

impl Temper {
    pub(crate) fn of(random: &mut Random) -> Self {
        let capped = |options: &mut Options, random: &mut Random| {
            if random.draw().is_multiple_of(2) {
                caps(options, random);
            }
        };
        Self::with(random, &capped)
    }

    /// A server that fails as often, and serves whatever it is asked for.
    pub(crate) fn uncapped(random: &mut Random) -> Self {
        Self::with(random, &|_, _| {})
    }

    fn with(random: &mut Random, cap: &dyn Fn(&mut Options, &mut Random)) -> Self {
        let mut options = calm(random.draw());
        pace(&mut options, random);
        options.faults = faults(random);
        cap(&mut options, random);
        options.bucket_at_to = pick(random, &[BucketAtTo::Excluded, BucketAtTo::Included]);
        options.refusal = pick(random, &[Refusal::Status400, Refusal::Status200]);
        options.compression = pick(random, &[Compression::WhenAccepted, Compression::Never]);
        options.latency = Duration::from_millis(pick(random, &[0, 200, 2_000, 15_000]));
        options.jitter = Duration::from_millis(pick(random, &[0, 1_000, 30_000]));
        Self { options, manner: manner(random) }
    }

    /// Returns true if no other client takes from the budget and the server states the rest.
    pub(crate) fn is_alone(&self) -> bool {
        let headers = self.options.rate_headers != HeaderStyle::Absent;
        headers && self.options.query_limits.iter().all(|limit| limit.others_percent == 0)
    }

    /// Nothing is to be learnt, and what fails fails at the first try only: every call has its reason.
    pub(crate) fn is_predictable(&self) -> bool {
        let Options { points_max, queries_max, queries_before_timeout, .. } = self.options;
        let Options { query_chars_max, answer_bytes_max, .. } = self.options;
        let uncapped = queries_max.is_none() && queries_before_timeout.is_none();
        let taken = answer_bytes_max.is_none() && query_chars_max >= 7_607 && points_max >= 1_500;
        uncapped && taken && !matches!(self.options.faults, Faults::Exactly(_))
    }
}

/// A server without any trouble.
pub(crate) fn calm(seed: u64) -> Options {
    static CALM: OnceLock<Options> = OnceLock::new();
    // The world brings its own organisation; the built-in one takes time and would fill the screen when a test fails.
    let nobody = || Arc::new(Organisation::new(Vec::new()));
    let calm = CALM.get_or_init(|| Options { organisation: nobody(), ..Options::new(1) });
    Options { seed, ..calm.clone() }
}

fn pace(options: &mut Options, random: &mut Random) {
    let limits = [(3_600, 3_600), (600, 3_600), (30, 3_600), (20, 60), (10, 10), (7, 20), (3, 1)];
    let (calls, period_s) = pick(random, &limits);
    for limit in &mut options.query_limits {
        (limit.calls, limit.period_s) = (calls, period_s);
        limit.others_percent = pick(random, &[0, 0, 0, 30]);
    }
    let styles = [HeaderStyle::Plain, HeaderStyle::Plain, HeaderStyle::Odd, HeaderStyle::Absent];
    options.rate_headers = pick(random, &styles);
    if period_s > 60 && options.rate_headers == HeaderStyle::Absent {
        // An hour of 429s that do not say when they end is longer than a run waits.
        options.rate_headers = HeaderStyle::Plain;
    }
}

fn faults(random: &mut Random) -> Faults {
    match below(random, 6) {
        0 => Faults::None,
        1 => Faults::Exactly(Fault::all().map(|fault| (fault, 1)).collect()),
        _ => Faults::Share { per_myriad: pick(random, &[500, 1_500, 3_000]) },
    }
}

fn caps(options: &mut Options, random: &mut Random) {
    options.points_max = pick(random, &[1_500, 700, 350, 300, 120]);
    options.over_points = pick(random, &[OverPoints::Coarser, OverPoints::Refused]);
    options.queries_max = pick(random, &[None, None, Some(5), Some(1)]);
    options.queries_before_timeout = pick(random, &[None, None, None, Some(3)]);
    options.query_chars_max = pick(random, &[7_607, 7_607, 1_200, 500]);
    options.answer_bytes_max = pick(random, &[None, None, Some(60_000)]);
}

fn manner(random: &mut Random) -> Manner {
    let paces = [None, None, None, Some(Pace { calls: 30, period_s: 60 })];
    let reserves = [Reserve::NONE, Reserve::NONE, share(10.0), share(40.0)];
    let limits = Limits {
        points: pick(random, &[1_500, 350, 150]),
        queries: pick(random, &[35, 8, 3]),
        url: pick(random, &[7_000, 900]),
        ..Limits::ASSUMED
    };
    Manner {
        concurrency: pick(random, &[1, 4, 8, 12]),
        reserve: pick(random, &reserves),
        pace: pick(random, &paces),
        calls_max: pick(random, &[None, None, None, Some(20)]),
        resolution_s: Some(300),
        limits,
        way_ms: pick(random, &[0, 100, 3_000]),
        keeping_ms: pick(random, &[0, 50, 5_000]),
        probing: pick(random, &[Probing::Never, Probing::First]),
    }
}

fn share(percent: f64) -> Reserve {
    Reserve::percent(percent).unwrap()
}
