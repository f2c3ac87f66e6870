//! What holds of any bytes from outside: each function takes some and panics where a promise is broken. The bounded tests
//! beside it and the fuzz targets below `fuzz/` share them.

use jindo::parse::{self, Expected};
use jindo::plan::{Window, escaped_len};
use jindo::query::{
    self, Fill, Interval, MetricTypes, QUERIES_MAX, RangeFunctions, RewriteOptions, grammar,
};
use jindo::request::Rate;
use jindo::secret::Secrets;
use std::collections::BTreeMap;

/// 2021-12-12T00:00:00Z.
pub(crate) const START_S: i64 = 1_639_267_200;

/// The window that answers are read for, and its interval.
pub(crate) const WINDOW_S: i64 = 600;
const INTERVAL_S: u32 = 60;

/// What jindo adds to a series expression, at most: a rollup and a fill.
const ADDED_BYTES_MAX: usize = 64;

/// The shortest spelling of a point in an answer: `[0,0]`.
const POINT_BYTES_MIN: usize = 5;

/// A list file: whatever it is, it is named in plain words; what is accepted travels as it is understood, and understood again says the same.
pub(crate) fn list_file(bytes: &[u8]) {
    if let Some(file) = query::other_file(bytes, &query::decode(bytes)) {
        assert!(!file.kind.to_string().is_empty() && file.queries <= bytes.len());
    }
    for fill in [Fill::Null, Fill::Keep] {
        let settings = RewriteOptions {
            resolution: Interval::from_secs(INTERVAL_S).expect("a minute"),
            variables: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
            fill,
            range_functions: RangeFunctions::Allow,
            types: MetricTypes::new(),
        };
        let text = query::decode(bytes);
        let list = query::list("list", &text, &settings);
        assert!(list.queries.len() <= QUERIES_MAX);
        for query in &list.queries {
            let again = grammar::parse(&query.text.sent).expect("what travels is a query");
            assert_eq!(
                query.text.sent.as_str(),
                again.to_string(),
                "and says the same when it is read again"
            );
            assert!(
                query.text.sent.len() <= text.len() * 4 * ADDED_BYTES_MAX,
                "{}",
                query.text.sent.len()
            );
            assert!(escaped_len(&query.text.sent) >= query.text.sent.len());
        }
        for complaint in &list.refused {
            assert!(!complaint.to_string().chars().any(|c| c.is_control() && c != '\n'));
        }
        for note in &list.notes {
            assert!(!note.to_string().chars().any(char::is_control));
        }
    }
}

/// One query: what is printed is read back as the same.
pub(crate) fn query_text(text: &str) {
    if let Ok(expr) = grammar::parse(text) {
        let printed = expr.to_string();
        let again = grammar::parse(&printed).expect("what is printed is a query");
        assert_eq!(again.to_string(), printed);
    }
}

/// The body of an answer: an error, or series that keep every promise of [`parse::answer`].
pub(crate) fn response_body(body: &[u8]) {
    let interval = Interval::from_secs(INTERVAL_S).expect("a minute");
    let window = Window::from_secs(START_S, START_S + WINDOW_S).expect("ten minutes");
    for queries in [1, 3] {
        let Ok(answer) =
            parse::answer(body, &Expected { queries, window, interval }, &Secrets::default())
        else {
            continue;
        };
        assert!(answer.series.is_sorted_by(|a, b| (a.query, &a.tags) < (b.query, &b.tags)));
        let mut points = 0;
        for series in &answer.series {
            assert!(series.query.number() < queries && series.tags.is_sorted());
            assert_eq!(series.ts_ms.len(), series.values.len());
            assert!(series.ts_ms.is_sorted_by(|a, b| a < b));
            let fits = |ts: &i64| {
                (START_S * 1_000..(START_S + WINDOW_S) * 1_000).contains(ts) && ts % 60_000 == 0
            };
            assert!(series.ts_ms.iter().all(fits) && series.values.iter().all(|v| v.is_finite()));
            points += series.ts_ms.len();
        }
        assert!(points * POINT_BYTES_MIN <= body.len(), "no point out of nothing");
    }
}

/// Rate headers, one value a line: nothing, or numbers that a budget can live with.
pub(crate) fn rate_headers(text: &str) {
    const NAMES: [&str; 5] = ["limit", "period", "remaining", "reset", "name"];
    let values: Vec<&str> = text.lines().collect();
    let header = |name: &str| {
        let short = name.strip_prefix("x-ratelimit-")?;
        values.get(NAMES.iter().position(|known| *known == short)?).map(|value| (*value).to_owned())
    };
    if let Some(rate) = Rate::read(header) {
        for number in [rate.limit, rate.period_s, rate.remaining, rate.reset_s] {
            assert!(number.is_finite() && number >= 0.0, "{rate:?}");
        }
        assert!(rate.reset_s <= rate.period_s && rate.remaining <= rate.limit, "{rate:?}");
        assert!(rate.whole_remaining() <= 1_000_000_000_000_000);
    }
}
