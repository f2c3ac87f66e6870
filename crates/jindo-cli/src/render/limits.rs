//! Limits of the server that were learnt, in words.

use jindo::plan::LearntLimit;

/// Name of its kind, as JSON spells it.
pub(crate) fn name(limit: LearntLimit) -> &'static str {
    match limit {
        LearntLimit::Points(_) => "points",
        LearntLimit::Queries(_) => "queries",
        LearntLimit::UrlChars(_) => "url",
        LearntLimit::OldestKept(_) => "oldest",
    }
}

/// Its figure; Unix seconds of a moment.
pub(crate) fn figure(limit: LearntLimit) -> i64 {
    match limit {
        LearntLimit::Points(points) => points.into(),
        LearntLimit::Queries(most) | LearntLimit::UrlChars(most) => {
            i64::try_from(most).unwrap_or(i64::MAX)
        }
        LearntLimit::OldestKept(oldest) => oldest.as_second(),
    }
}

/// Unit of a limit on the size of calls, and how many are allowed; `None` for what limits no size.
pub(crate) fn at_most(limit: LearntLimit) -> Option<(&'static str, u64)> {
    let unit = match limit {
        LearntLimit::Points(_) => "points per series and call",
        LearntLimit::Queries(_) => "queries per call",
        LearntLimit::UrlChars(_) => "escaped characters per call",
        LearntLimit::OldestKept(_) => return None,
    };
    Some((unit, figure(limit).cast_unsigned()))
}
