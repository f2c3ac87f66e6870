//! Limits of the server that were learnt, in words.

use super::units::count;
use jindo::fetch::Clipped;
use jindo::plan::LearntLimit;

/// Returns the name of a limit in JSON, and its figure; Unix seconds for a time.
pub(crate) fn named(limit: LearntLimit) -> (&'static str, i64) {
    let whole = |most: usize| i64::try_from(most).unwrap_or(i64::MAX);
    match limit {
        LearntLimit::Points(points) => ("points", points.into()),
        LearntLimit::Queries(most) => ("queries", whole(most)),
        LearntLimit::UrlChars(most) => ("url", whole(most)),
        LearntLimit::OldestKept(oldest) => ("oldest", oldest.as_second()),
        LearntLimit::SeriesPoints(points) => ("series-points", points.into()),
        LearntLimit::CallPoints(points) => {
            ("call-points", i64::try_from(points).unwrap_or(i64::MAX))
        }
        LearntLimit::Withheld(buckets) => ("withheld", buckets.into()),
    }
}

/// Returns the unit and the figure of a limit on the size of calls; `None` for other limits.
pub(crate) fn at_most(limit: LearntLimit) -> Option<(&'static str, u64)> {
    match limit {
        LearntLimit::Points(points) => Some(("points per series and call", points.into())),
        LearntLimit::Queries(most) => Some(("queries per call", most as u64)),
        LearntLimit::UrlChars(most) => Some(("escaped characters per call", most as u64)),
        LearntLimit::SeriesPoints(points) => {
            Some(("points per series before the server cuts", points.into()))
        }
        LearntLimit::CallPoints(points) => Some(("points per call", points)),
        LearntLimit::OldestKept(_) | LearntLimit::Withheld(_) => None,
    }
}

/// Returns the way in which a server cuts its answers, and what follows.
pub(crate) fn cut(clipped: Clipped) -> String {
    let what = match clipped {
        Clipped::Series { points } => {
            format!(
                "the server sends {} points of a series and leaves out the rest",
                count(points.into())
            )
        }
        Clipped::Call { points } => {
            format!("the server sends {} points in a call and leaves out the rest", count(points))
        }
        Clipped::Newest => "the server leaves out the newest bucket of a window".to_owned(),
    };
    format!("{what}; what may be cut is fetched again")
}
