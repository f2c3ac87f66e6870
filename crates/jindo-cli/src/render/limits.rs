//! Limits of the server that were learnt, in words.

use jindo::plan::LearntLimit;

/// Returns the name of a limit in JSON, and its figure; Unix seconds for a time.
pub(crate) fn named(limit: LearntLimit) -> (&'static str, i64) {
    let whole = |most: usize| i64::try_from(most).unwrap_or(i64::MAX);
    match limit {
        LearntLimit::Points(points) => ("points", points.into()),
        LearntLimit::Queries(most) => ("queries", whole(most)),
        LearntLimit::UrlChars(most) => ("url", whole(most)),
        LearntLimit::OldestKept(oldest) => ("oldest", oldest.as_second()),
    }
}

/// Returns the unit and the figure of a limit on the size of calls; `None` for other limits.
pub(crate) fn at_most(limit: LearntLimit) -> Option<(&'static str, u64)> {
    match limit {
        LearntLimit::Points(points) => Some(("points per series and call", points.into())),
        LearntLimit::Queries(most) => Some(("queries per call", most as u64)),
        LearntLimit::UrlChars(most) => Some(("escaped characters per call", most as u64)),
        LearntLimit::OldestKept(_) => None,
    }
}
