//! Limits of the server that were learnt, in words.

use jindo::plan::LearntLimit;

/// Returns the name of a limit in JSON.
pub(crate) fn name(limit: LearntLimit) -> &'static str {
    match limit {
        LearntLimit::Points(_) => "points",
        LearntLimit::Queries(_) => "queries",
        LearntLimit::UrlChars(_) => "url",
        LearntLimit::OldestKept(_) => "oldest",
    }
}

/// Returns the figure of a limit; Unix seconds for a time.
pub(crate) fn figure(limit: LearntLimit) -> i64 {
    match limit {
        LearntLimit::Points(points) => points.into(),
        LearntLimit::Queries(most) | LearntLimit::UrlChars(most) => {
            i64::try_from(most).unwrap_or(i64::MAX)
        }
        LearntLimit::OldestKept(oldest) => oldest.as_second(),
    }
}

/// Returns the unit and the figure of a limit on the size of calls; `None` for other limits.
pub(crate) fn at_most(limit: LearntLimit) -> Option<(&'static str, u64)> {
    let unit = match limit {
        LearntLimit::Points(_) => "points per series and call",
        LearntLimit::Queries(_) => "queries per call",
        LearntLimit::UrlChars(_) => "escaped characters per call",
        LearntLimit::OldestKept(_) => return None,
    };
    Some((unit, figure(limit).cast_unsigned()))
}
