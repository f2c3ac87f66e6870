//! What a server takes and how it declines, as a pure model: a call in, what the client and the parser would make of the
//! answer out. No HTTP, no data; shares no arithmetic with the plan that it judges.

use jindo::fetch::{Ask, Facts};
use jindo::parse::{CallPosition, Other};
use jindo::plan::{Limits, Plan, PlanIndex};
use jindo::query::Interval;
use jindo::request::{BODY_BYTES_MAX, Failure};

/// Bytes of a point in a body: `[1639267200000.0,0.8429215618211823],`, a little more.
const BYTES_PER_POINT: u64 = 40;

/// And of what stands before a series' points: tags, scope, expression, unit.
const BYTES_PER_SERIES: u64 = 400;

/// Seconds per point that are on offer, ascending.
const OFFERED_S: [u32; 11] = [1, 5, 10, 20, 30, 60, 300, 600, 1_200, 3_600, 14_400];

/// More points per series than the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// Points further apart, without a word.
    Coarse,
    /// 400.
    Refused,
}

/// What a 400 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// What was too much.
    Telling,
    /// Always the same.
    Mute,
}

/// How many series the queries have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// Every query so many.
    Each(u64),
    /// One query in so many has this many series, the others three.
    OneIn(usize, u64),
}

/// What a server takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Temper {
    pub(crate) points_max: u32,
    pub(crate) beyond: Beyond,
    pub(crate) words: Words,
    /// More queries in a call: 400.
    pub(crate) queries_max: usize,
    /// More queries in a call: it runs out of time.
    pub(crate) queries_in_time: usize,
    /// More escaped characters: 414.
    pub(crate) url_max: usize,
    pub(crate) width: Width,
    /// A query that is refused wherever it travels.
    pub(crate) bad: Option<usize>,
    /// One query in so many has a cap on points of its own, and comes back coarse beyond it.
    pub(crate) few: Option<(usize, u32)>,
}

/// Takes whatever the documents say.
pub(crate) const EASY: Temper = Temper {
    points_max: 1_500,
    beyond: Beyond::Coarse,
    words: Words::Telling,
    queries_max: usize::MAX,
    queries_in_time: usize::MAX,
    url_max: 7_607,
    width: Width::Each(3),
    bad: None,
    few: None,
};

impl Temper {
    pub(crate) fn series(&self, query: usize) -> u64 {
        match self.width {
            Width::Each(series) => series,
            Width::OneIn(many, series) if query % many == many / 2 => series,
            Width::OneIn(..) => 3,
        }
    }

    /// Decoded bytes a bucket of the query's answers.
    pub(crate) fn bytes_per_bucket(&self, query: usize) -> u64 {
        self.series(query) * BYTES_PER_POINT
    }

    /// Whether it is a query of which fewer points are served.
    fn is_few(&self, query: usize) -> bool {
        self.few.is_some_and(|(many, _)| query % many == many / 2)
    }

    /// How many of so many queries are such, and their cap.
    pub(crate) fn few(&self, queries: usize) -> (usize, u32) {
        let few = (0..queries).filter(|&query| self.is_few(query)).count();
        (few, self.few.map_or(self.points_max, |(_, cap)| cap))
    }

    /// The limits that a plan would have that knew everything from the start.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            points: self.points_max.min(Limits::ASSUMED.points),
            queries: self.queries_max.min(self.queries_in_time).min(Limits::ASSUMED.queries),
            url: self.url_max.min(Limits::ASSUMED.url),
            ..Limits::ASSUMED
        }
    }

    /// The fate of a call.
    pub(crate) fn answer(&self, ask: &Ask, plan: &Plan) -> Result<Facts, Failure> {
        let text = jindo::fetch::list(plan, ask);
        if text.bytes().map(|byte| if is_unreserved(byte) { 1 } else { 3 }).sum::<usize>()
            > self.url_max
        {
            return Err(Failure::UrlTooLong);
        }
        let refuse = |words: String| match self.words {
            Words::Telling => Err(Failure::Refused { words }),
            Words::Mute => Err(Failure::Refused { words: "Bad request (status 400)".into() }),
        };
        if self.bad.is_some_and(|bad| ask.queries.contains(&PlanIndex::new(bad))) {
            return refuse("No such metric (status 400)".into());
        }
        if ask.queries.len() > self.queries_max {
            return refuse(format!("{} queries are too many (status 400)", ask.queries.len()));
        }
        if ask.queries.len() > self.queries_in_time {
            return Err(Failure::TimedOut { what: "Query timed out".into() });
        }
        let secs = ask.window.end_s() - ask.window.start_s();
        let served = |interval_s: u32| secs / i64::from(interval_s) < i64::from(self.points_max);
        if !served(u32::try_from(ask.interval.secs()).expect("a small interval")) {
            if self.beyond == Beyond::Refused {
                return refuse(format!("more than {} points (status 400)", self.points_max));
            }
            let got = OFFERED_S.into_iter().find(|&interval_s| served(interval_s));
            let got = Interval::from_secs(got.expect("some interval fits")).expect("not zero");
            let others =
                CallPosition::all(ask.queries.len()).map(|query| Other { query, got }).collect();
            return Err(Failure::OtherInterval { others, others_fine: false });
        }
        let coarse: Vec<_> = CallPosition::all(ask.queries.len())
            .zip(&ask.queries)
            .filter(|(_, query)| {
                let cap = self.few.map_or(self.points_max, |(_, cap)| cap);
                self.is_few(query.number()) && secs / ask.interval.secs() >= i64::from(cap)
            })
            .map(|(query, _)| Other { query, got: Interval::from_secs(300).expect("300") })
            .collect();
        if !coarse.is_empty() {
            let others_fine = coarse.len() < ask.queries.len();
            return Err(Failure::OtherInterval { others: coarse, others_fine });
        }
        let buckets = u64::try_from(secs / ask.interval.secs()).expect("time goes on");
        let points: Vec<u64> =
            ask.queries.iter().map(|query| self.series(query.number()) * buckets).collect();
        let series: u64 = ask.queries.iter().map(|query| self.series(query.number())).sum();
        let bytes = points.iter().sum::<u64>() * BYTES_PER_POINT + series * BYTES_PER_SERIES;
        if bytes > BODY_BYTES_MAX as u64 {
            return Err(Failure::TooLarge);
        }
        let points_max = u32::try_from(buckets).expect("below the cap");
        Ok(Facts { bytes, points, points_max, ..Facts::default() })
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The servers that are heard of, one by one and together.
pub(crate) fn tempers() -> Vec<(&'static str, Temper)> {
    let capped = |points_max, beyond| Temper { points_max, beyond, ..EASY };
    let lists = |queries_max| Temper { queries_max, ..EASY };
    let wide = |width| Temper { width, ..EASY };
    vec![
        ("as documented", EASY),
        ("350 points, coarser beyond", capped(350, Beyond::Coarse)),
        ("300 points, coarser beyond", capped(300, Beyond::Coarse)),
        ("350 points, 400 beyond", capped(350, Beyond::Refused)),
        ("300 points, 400 beyond", capped(300, Beyond::Refused)),
        ("10 queries a call", lists(10)),
        ("1 query a call", lists(1)),
        ("414 above 4,000 characters", Temper { url_max: 4_000, ..EASY }),
        ("time-outs above 8 queries", Temper { queries_in_time: 8, ..EASY }),
        ("60 series in each query", wide(Width::Each(60))),
        ("400 series in each query", wide(Width::Each(400))),
        ("10,000 series in one query", wide(Width::OneIn(105, 10_000))),
        ("2,000 series in one query of 35", wide(Width::OneIn(35, 2_000))),
        ("350 points of one query in 35", Temper { few: Some((35, 350)), ..EASY }),
        ("350 points of every other query", Temper { few: Some((2, 350)), ..EASY }),
        (
            "300 points, coarser beyond; 10 queries",
            Temper { queries_max: 10, ..capped(300, Beyond::Coarse) },
        ),
        (
            "300 points, 400 beyond; 10 queries",
            Temper { queries_max: 10, ..capped(300, Beyond::Refused) },
        ),
        (
            "the same, and every 400 says the same",
            Temper { queries_max: 10, words: Words::Mute, ..capped(300, Beyond::Refused) },
        ),
        (
            "414 above 4,000; time-outs above 8",
            Temper { url_max: 4_000, queries_in_time: 8, ..EASY },
        ),
        (
            "350 points, 414 above 4,000, 400 series",
            Temper { url_max: 4_000, width: Width::Each(400), ..capped(350, Beyond::Coarse) },
        ),
    ]
}
