//! Limits of one call, the weight of its answer among them: the figures assumed at first, and their smaller values when the server
//! refuses more. Pure.

use super::Window;
use crate::query::Interval;
use jiff::Timestamp;

/// Limits of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Points per series that the server serves without coarsening. Windows stay one below: a bucket at `to` may count.
    pub points: u32,
    /// Queries in one comma list.
    pub queries: usize,
    /// URL-escaped characters of one comma list.
    pub url: usize,
    /// Unix seconds. What ends by then is older than anything that the server keeps.
    pub oldest_s: i64,
    /// Points per series and call that the server sends; beyond, it cuts without a word.
    pub series_points: u32,
    /// Points of one answer that the server sends; beyond, it cuts without a word.
    pub call_points: u64,
    /// Buckets at the end of a window that the server does not send: so many more are asked for.
    pub withheld: u32,
}

impl Limits {
    /// Documented: 1,500 points per series since 2024 (350 and 300 before). Datadog's own agent sends at most 35 queries and
    /// 7,000 escaped characters a call (414 was seen beyond 7,607).
    pub const ASSUMED: Self = Self {
        points: 1_500,
        queries: 35,
        url: 7_000,
        oldest_s: i64::MIN,
        series_points: u32::MAX,
        call_points: u64::MAX,
        withheld: 0,
    };

    /// A server that coarsens even this many points does not offer the interval at all; below, learning stops.
    pub const POINTS_MIN: u32 = 100;

    /// The same, with this limit in place of the one of its kind.
    #[must_use]
    pub fn with(self, learnt: LearntLimit) -> Self {
        match learnt {
            LearntLimit::Points(points) => Self { points, ..self },
            LearntLimit::Queries(queries) => Self { queries, ..self },
            LearntLimit::UrlChars(url) => Self { url, ..self },
            LearntLimit::OldestKept(oldest) => Self { oldest_s: oldest.as_second(), ..self },
            LearntLimit::SeriesPoints(series_points) => Self { series_points, ..self },
            LearntLimit::CallPoints(call_points) => Self { call_points, ..self },
            LearntLimit::Withheld(withheld) => Self { withheld, ..self },
        }
    }

    /// Returns these limits' figure of the kind of `limit`.
    #[must_use]
    pub fn like(self, limit: LearntLimit) -> LearntLimit {
        match limit {
            LearntLimit::Points(_) => LearntLimit::Points(self.points),
            LearntLimit::Queries(_) => LearntLimit::Queries(self.queries),
            LearntLimit::UrlChars(_) => LearntLimit::UrlChars(self.url),
            LearntLimit::SeriesPoints(_) => LearntLimit::SeriesPoints(self.series_points),
            LearntLimit::CallPoints(_) => LearntLimit::CallPoints(self.call_points),
            LearntLimit::Withheld(_) => LearntLimit::Withheld(self.withheld),
            known @ LearntLimit::OldestKept(_) => known,
        }
    }

    /// The longest window in seconds at which a series of `interval` is still served as asked.
    pub fn window_secs_max(self, interval: Interval) -> i64 {
        let points = self.points.min(self.series_points);
        i64::from(points.saturating_sub(1 + self.withheld).max(1)) * interval.secs()
    }

    /// The same with windows so short that a query of that weight, alone, brings no more than [`BODY_BYTES_TARGET`].
    #[must_use]
    pub fn carrying(self, bytes_per_bucket: u64) -> Self {
        let buckets = (BODY_BYTES_TARGET / bytes_per_bucket.max(1)).saturating_sub(HEAD_BUCKETS);
        // Windows stay one point below the limit.
        let points = u32::try_from(buckets.max(1) + 1).unwrap_or(u32::MAX);
        Self { points: self.points.min(points), ..self }
    }

    /// The next smaller cap to try when `points` were too many and `served` (0: unknown) are known to be fine: a documented
    /// cap when one lies between, else half.
    pub fn fewer_points(points: u32, served: u32) -> u32 {
        const DOCUMENTED: [u32; 2] = [350, 300];
        let documented = DOCUMENTED.into_iter().find(|&cap| served < cap && cap < points);
        let halved = (points / 2).max(served.saturating_add(1)).min(points.saturating_sub(1));
        documented.unwrap_or(halved).max(Self::POINTS_MIN)
    }
}

/// Limit of the server that its answers taught, with the figure that holds from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearntLimit {
    /// See [`Limits::points`].
    Points(u32),
    /// See [`Limits::queries`].
    Queries(usize),
    /// See [`Limits::url`].
    UrlChars(usize),
    /// See [`Limits::oldest_s`]; whole seconds.
    OldestKept(Timestamp),
    /// See [`Limits::series_points`].
    SeriesPoints(u32),
    /// See [`Limits::call_points`].
    CallPoints(u64),
    /// See [`Limits::withheld`].
    Withheld(u32),
}

impl LearntLimit {
    /// Buckets at the end of a window that a server may withhold, at most; one that withholds more is believed in nothing.
    pub const WITHHELD_MAX: u32 = 5;

    /// An answer of fewer points in all is not suspected of a cap on points per call.
    pub const CALL_POINTS_MIN: u64 = 1_000;

    /// Points, queries or characters of a limit at most: far beyond what any server or version assumed, and no product of it overflows.
    const FIGURE_MAX: u32 = 1_000_000;

    /// Returns whether a server can have taught this figure. By one that it cannot, an export would ask for nothing, or for one window
    /// for ever.
    #[must_use]
    pub fn may_be_learnt(self) -> bool {
        let is_cap = |points: u32| (Limits::POINTS_MIN..=Self::FIGURE_MAX).contains(&points);
        match self {
            Self::Points(points) | Self::SeriesPoints(points) => is_cap(points),
            Self::Queries(figure) | Self::UrlChars(figure) => {
                (1..=Self::FIGURE_MAX as usize).contains(&figure)
            }
            Self::OldestKept(oldest) => oldest >= Timestamp::UNIX_EPOCH,
            Self::CallPoints(points) => points >= Self::CALL_POINTS_MIN,
            Self::Withheld(buckets) => (1..=Self::WITHHELD_MAX).contains(&buckets),
        }
    }
}

/// Decoded bytes that one call should bring at most; three quarters of what the client takes.
pub const BODY_BYTES_TARGET: u64 = 48 << 20;

/// Bytes a bucket of a query without an answer yet: about three series.
pub const WEIGHT_ASSUMED: u64 = 100;

/// Weight of a series besides its points (name, tags, scope, unit), in points. Without it an answer of one bucket would make a query look ten times as heavy as it is.
const HEAD_BUCKETS: u64 = 10;

/// Returns the factor of a window's weight: its buckets, and the heads of its series in buckets.
pub fn buckets(window: Window, interval: Interval) -> u64 {
    window.points(interval).max(1) + HEAD_BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_learnt_downward_in_few_steps() {
        let mut cap = 1_440;
        let mut steps = Vec::new();
        while cap > Limits::POINTS_MIN {
            cap = Limits::fewer_points(cap, 0);
            steps.push(cap);
        }
        assert_eq!(steps, [350, 300, 150, 100]);
        assert_eq!(Limits::fewer_points(1_440, 288), 350);
        assert_eq!(Limits::fewer_points(1_440, 720), 721);
    }
}
