//! Ways in which a server sends less than it has, and says nothing: same interval, fewer points. (UNK for Datadog, whose documents
//! promise coarser points instead; other stores with the same API do it.)

use std::str::FromStr;

use crate::evaluate::{QueryResult, Series};

/// A way in which answers are clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clip {
    /// The first so many points of each series.
    First(usize),
    /// The last so many points of each series.
    Last(usize),
    /// Every k-th point of each series, from its first one on, with k so small that at most so many are left.
    Every(usize),
    /// All but the newest bucket of the range.
    AllButNewest,
    /// So many points in an answer: series after series, in the order of the queries.
    Total(usize),
}

/// A text that is no way to clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipError {
    text: String,
}

impl std::fmt::Display for ClipError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = &self.text;
        write!(f, "`{text}`: write first:N, last:N, every:N, total:N or all-but-newest")
    }
}

impl std::error::Error for ClipError {}

impl FromStr for Clip {
    type Err = ClipError;

    fn from_str(text: &str) -> Result<Self, ClipError> {
        let unknown = || ClipError { text: text.to_owned() };
        if text == "all-but-newest" {
            return Ok(Self::AllButNewest);
        }
        let (way, number) = text.split_once(':').ok_or_else(unknown)?;
        let most = number.parse().ok().filter(|most| *most > 0).ok_or_else(unknown)?;
        match way {
            "first" => Ok(Self::First(most)),
            "last" => Ok(Self::Last(most)),
            "every" => Ok(Self::Every(most)),
            "total" => Ok(Self::Total(most)),
            _ => Err(unknown()),
        }
    }
}

impl Clip {
    /// Takes the points that are not sent out of the results of one call.
    pub(crate) fn apply(self, results: &mut [QueryResult]) {
        match self {
            Self::First(most) => each(results, |nth, _| nth < most),
            Self::Last(most) => each(results, |nth, all| all.saturating_sub(nth) <= most),
            Self::Every(most) => each(results, |nth, all| nth % all.div_ceil(most).max(1) == 0),
            Self::AllButNewest => {
                for series in results.iter_mut().flat_map(|result| &mut result.series) {
                    if let Some(newest) = series.values.last_mut() {
                        *newest = f64::NAN;
                    }
                }
            }
            Self::Total(most) => {
                let mut left = most;
                for series in results.iter_mut().flat_map(|result| &mut result.series) {
                    let sent = left;
                    left -= keep(series, |nth, _| nth < sent);
                }
            }
        }
    }
}

/// Keeps the points of each series that `is_sent` says, by their place among the series' points and the number of these.
fn each(results: &mut [QueryResult], is_sent: impl Fn(usize, usize) -> bool) {
    for series in results.iter_mut().flat_map(|result| &mut result.series) {
        keep(series, &is_sent);
    }
}

/// Returns how many points are kept.
fn keep(series: &mut Series, is_sent: impl Fn(usize, usize) -> bool) -> usize {
    let all = series.values.iter().filter(|value| value.is_finite()).count();
    let mut kept = 0;
    let points = series.values.iter_mut().filter(|value| value.is_finite());
    for (nth, value) in points.enumerate() {
        if is_sent(nth, all) {
            kept += 1;
        } else {
            *value = f64::NAN;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Grid, TimeRange};

    /// Two series of one query, with a point in each of six buckets but for one, and one of another query.
    fn results() -> Vec<QueryResult> {
        let series = |values: [f64; 6]| Series { tags: Vec::new(), values: values.to_vec() };
        let one = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let two = [1.0, f64::NAN, 3.0, 4.0, 5.0, 6.0];
        let grid = Grid::covering(TimeRange { from_s: 0, to_s: 360 }, 60);
        let result = |series| QueryResult::new(grid, series);
        vec![result(vec![series(one), series(two)]), result(vec![series(one)])]
    }

    /// Points that are left, a character a bucket, series after series.
    fn left(clip: &str) -> String {
        let mut results = results();
        clip.parse::<Clip>().unwrap().apply(&mut results);
        let series = results.iter().flat_map(|result| &result.series);
        let line = |series: &Series| {
            series.values.iter().map(|v| if v.is_finite() { 'x' } else { '.' }).collect::<String>()
        };
        series.map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_way_leaves_its_points() {
        assert_eq!(left("first:3"), "xxx... x.xx.. xxx...");
        assert_eq!(left("last:2"), "....xx ....xx ....xx");
        assert_eq!(left("every:3"), "x.x.x. x..x.x x.x.x.");
        assert_eq!(left("every:6"), "xxxxxx x.xxxx xxxxxx");
        assert_eq!(left("all-but-newest"), "xxxxx. x.xxx. xxxxx.");
        assert_eq!(left("total:8"), "xxxxxx x.x... ......");
        for wrong in ["", "first", "first:0", "first:x", "middle:3", "all-but-newest:2"] {
            assert!(wrong.parse::<Clip>().is_err(), "{wrong}");
        }
    }
}
