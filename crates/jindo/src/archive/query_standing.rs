//! The standing of a query: how much of what was asked is there, and why the rest is missing. Decided in this one place for
//! `status`, `verify` and the tables; each words it in its own way.

use super::{Archive, Error, GiveUpReason, GiveUpScope, GivenUp, QueryId, Registered};
use crate::plan::{Window, subtract};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// State of a query, or of a line that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryStatus {
    /// Nothing that was asked is missing, whatever was given up before.
    Complete,
    /// The same, and without a point.
    Empty,
    /// Something is missing, and the next run asks for it.
    Partial,
    /// Something is missing, and the query as a whole was given up.
    GivenUp,
    /// A line of the list that was left out.
    Refused,
}

/// The cause of a gap. Gaps of one cause share it: there may be as many as windows, and its words may be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// Nothing is in its way: the next run asks for it.
    NotFetched,
    /// The query was given up.
    GivenUp(Arc<GiveUpReason>),
    /// The server refuses what is so old.
    TooOld(Arc<GiveUpReason>),
}

/// A stretch that was asked and is not covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub window: Window,
    pub reason: GapReason,
}

/// Standing of one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryStanding {
    pub status: QueryStatus,
    /// The reason of the query as a whole; `None` when nothing is missing.
    pub reason: Option<GapReason>,
    /// Disjoint, oldest first; cut where reasons change.
    pub gaps: Vec<Gap>,
}

/// Facts from which a standing follows.
#[derive(Debug, Clone, Copy)]
pub struct StandingFacts<'a> {
    /// Last asked of the query; `None`: nothing.
    pub asked: Option<Window>,
    /// Disjoint, oldest first.
    pub covered: &'a [Window],
    /// Everything that was given up of this query.
    pub given_up: &'a [GivenUp],
    /// Points that the query has; `None`: not counted, then no query is `Empty`.
    pub points: Option<u64>,
}

impl QueryStanding {
    /// Decides by these rules: complete or empty when nothing that was asked is missing; else given up when a reason for
    /// giving up the query concerns something missing; else partial.
    pub fn of(facts: &StandingFacts<'_>) -> Self {
        let missing = facts.asked.map_or_else(Vec::new, |asked| subtract(asked, facts.covered));
        if missing.is_empty() {
            let status =
                if facts.points == Some(0) { QueryStatus::Empty } else { QueryStatus::Complete };
            return Self { status, reason: None, gaps: Vec::new() };
        }
        let of_scope = |scope| facts.given_up.iter().filter(move |up| up.scope == scope);
        // The newest reason for which the query was given up, if it concerns anything that is missing.
        let whole = of_scope(GiveUpScope::Query)
            .filter(|up| touches(&missing, up.window))
            .max_by_key(|up| (up.at, Reverse(up.window.start())))
            .map(|up| GapReason::GivenUp(up.reason.clone().into()));
        // The end of what is refused for its age, and the server's words.
        let old = of_scope(GiveUpScope::Window)
            .max_by_key(|up| up.window.end())
            .map(|up| (up.window.end(), GapReason::TooOld(up.reason.clone().into())));
        let status = if whole.is_some() { QueryStatus::GivenUp } else { QueryStatus::Partial };
        let young = whole.clone().unwrap_or(GapReason::NotFetched);
        let mut gaps = Vec::new();
        for gap in &missing {
            let mut from = gap.start();
            if let Some((until, reason)) = &old {
                let before = Window::new(from, gap.end().min(*until));
                gaps.extend(before.map(|window| Gap { window, reason: reason.clone() }));
                from = from.max(*until);
            }
            let after = Window::new(from, gap.end());
            gaps.extend(after.map(|window| Gap { window, reason: young.clone() }));
        }
        let all_old = old.filter(|(until, _)| missing.iter().all(|gap| gap.end() <= *until));
        let reason = whole.or(all_old.map(|(_, reason)| reason)).unwrap_or(GapReason::NotFetched);
        Self { status, reason: Some(reason), gaps }
    }
}

/// Returns true if the window has a moment of one of the others, which are disjoint and oldest first.
fn touches(sorted: &[Window], window: Window) -> bool {
    let first = sorted.partition_point(|other| other.end() <= window.start());
    sorted.get(first).is_some_and(|other| other.start() < window.end())
}

impl Archive {
    /// Every query with its standing, in the order of [`super::QueryLedger::queries`]. Points are not counted: none is `Empty`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn standings(&self) -> Result<Vec<(Registered, QueryStanding)>, Error> {
        let queries = self.ledger().queries()?;
        let (coverage, given_up) = (self.ledger().coverage_all()?, self.given_up_by_query()?);
        let standing = |query: Registered| {
            let held = coverage.get(&query.id).into_iter().flatten();
            let covered: Vec<Window> = held.map(|held| held.window).collect();
            let standing = QueryStanding::of(&StandingFacts {
                asked: query.asked,
                covered: &covered,
                given_up: given_up.get(&query.id).map_or(&[], Vec::as_slice),
                points: None,
            });
            (query, standing)
        };
        Ok(queries.into_iter().map(standing).collect())
    }

    /// Returns what was given up, by query.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn given_up_by_query(&self) -> Result<BTreeMap<QueryId, Vec<GivenUp>>, Error> {
        let mut by_query: BTreeMap<QueryId, Vec<GivenUp>> = BTreeMap::new();
        for given_up in self.ledger().given_up()? {
            by_query.entry(given_up.query).or_default().push(given_up);
        }
        Ok(by_query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn window(start_s: i64, end_s: i64) -> Window {
        Window::from_secs(start_s, end_s).unwrap()
    }

    fn given_up(of: Window, scope: GiveUpScope, reason: &str) -> GivenUp {
        let (query, at) = (QueryId(1), Timestamp::UNIX_EPOCH);
        let reason = GiveUpReason::Refused(reason.to_owned());
        GivenUp { query, window: of, scope, reason, at }
    }

    fn standing(covered: &[Window], given_up: &[GivenUp]) -> QueryStanding {
        let asked = Some(window(0, 600));
        QueryStanding::of(&StandingFacts { asked, covered, given_up, points: Some(1) })
    }

    #[test]
    fn a_reason_counts_only_where_it_concerns_what_is_missing() {
        let refused = [given_up(window(0, 600), GiveUpScope::Query, "timed out")];
        let told = GapReason::GivenUp(Arc::new(GiveUpReason::Refused("timed out".to_owned())));
        let nothing = standing(&[], &refused);
        assert_eq!((nothing.status, nothing.reason.as_ref()), (QueryStatus::GivenUp, Some(&told)));
        assert_eq!(nothing.gaps, [Gap { window: window(0, 600), reason: told }]);

        let whole = standing(&[window(0, 600)], &refused);
        assert_eq!((whole.status, whole.reason, whole.gaps), (QueryStatus::Complete, None, vec![]));

        let earlier = [given_up(window(0, 300), GiveUpScope::Query, "timed out")];
        let partial = standing(&[window(0, 300)], &earlier);
        assert_eq!(partial.status, QueryStatus::Partial);
        assert_eq!(partial.reason, Some(GapReason::NotFetched));
    }

    #[test]
    fn gaps_are_cut_where_the_server_refuses_what_is_older() {
        let old = [given_up(window(0, 120), GiveUpScope::Window, "too old")];
        let told = GapReason::TooOld(Arc::new(GiveUpReason::Refused("too old".to_owned())));
        let partial = standing(&[window(300, 600)], &old);
        let cut = [
            Gap { window: window(0, 120), reason: told.clone() },
            Gap { window: window(120, 300), reason: GapReason::NotFetched },
        ];
        assert_eq!((partial.status, partial.gaps.as_slice()), (QueryStatus::Partial, &cut[..]));
        assert_eq!(partial.reason, Some(GapReason::NotFetched));
        assert_eq!(standing(&[window(120, 600)], &old).reason, Some(told));
    }

    #[test]
    fn a_query_is_empty_only_when_its_points_were_counted() {
        let (asked, covered) = (Some(window(0, 600)), &[window(0, 600)][..]);
        let status = |points| {
            let facts = StandingFacts { asked, covered, given_up: &[], points };
            QueryStanding::of(&facts).status
        };
        assert_eq!([Some(0), None].map(status), [QueryStatus::Empty, QueryStatus::Complete]);
    }
}
