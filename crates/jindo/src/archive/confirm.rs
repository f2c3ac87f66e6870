//! An answer that equals what is held: nothing is written but the moment of asking.

use super::{Archive, Chunk, Coverage, Error, Fetched, Origin, QueryId};
use crate::parse::{CallPosition, Series};
use crate::plan::{Window, subtract};
use std::collections::HashMap;

/// Name of a series within a query: metric, tags, unit.
type SeriesKey<'a> = (&'a str, &'a [String], Option<&'a str>);

impl Archive {
    /// Notes that the server gave again what is held of all the answer's queries in its window. Returns false, and changes nothing,
    /// where a point differs, is new or is gone, where not all is held, is marked or cannot be read: the answer is then to be stored.
    ///
    /// One transaction: after a crash it is noted or is asked again.
    pub fn confirm(&self, fetched: &Fetched<'_>) -> Result<bool, Error> {
        self.check_in_place()?;
        for (position, &query) in CallPosition::all(fetched.queries.len()).zip(fetched.queries) {
            let held = self.ledger().overlapping(query, fetched.window)?;
            if !is_whole(&held, fetched.window) {
                return Ok(false);
            }
            let own = fetched.answer.series.iter().filter(|series| series.query == position);
            match self.equals(query, &held, fetched.window, own) {
                Ok(true) => {}
                // Gone or damaged: the answer takes its place.
                Ok(false)
                | Err(
                    Error::ObjectGone { .. }
                    | Error::ObjectDamaged { .. }
                    | Error::ObjectContradicted { .. },
                ) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.ledger().confirm(fetched.queries, fetched.window, fetched.fetched_at)?;
        Ok(true)
    }

    /// Compares the points that `held` grants within the window with the answer's series, bit for bit.
    fn equals<'a>(
        &self,
        query: QueryId,
        held: &[Coverage],
        window: Window,
        answer: impl Iterator<Item = &'a Series>,
    ) -> Result<bool, Error> {
        let mut served: HashMap<SeriesKey<'a>, &'a Series> = HashMap::new();
        let mut points = 0;
        for series in answer {
            points += series.ts_ms.len();
            let key = (&*series.metric, &*series.tags, series.unit.as_deref());
            if served.insert(key, series).is_some() {
                return Ok(false);
            }
        }
        let (mut equal, mut differs) = (0, false);
        for Coverage { window: granted, object, .. } in held {
            let Some(granted) = granted.intersect(window) else { continue };
            self.rows(*object, query, &mut |chunk: Chunk<'_>| {
                let within = positions(chunk.ts_ms, granted);
                let (ts_ms, values) = (&chunk.ts_ms[within.clone()], &chunk.values[within]);
                let Some(&first) = ts_ms.first() else { return Ok(()) };
                let same = served.get(&(chunk.metric, chunk.tags, chunk.unit)).is_some_and(|all| {
                    let start = all.ts_ms.partition_point(|&at| at < first);
                    let range = start..start + ts_ms.len();
                    all.ts_ms.get(range.clone()) == Some(ts_ms)
                        && all.values[range]
                            .iter()
                            .zip(values)
                            .all(|(a, b)| a.to_bits() == b.to_bits())
                });
                (equal, differs) = (equal + ts_ms.len(), differs || !same);
                Ok::<_, Error>(())
            })?;
        }
        // Held points are each at one time of one series, so that as many equal ones are all.
        Ok(!differs && equal == points)
    }
}

/// Returns true if all of the window was fetched and none of it is marked.
fn is_whole(held: &[Coverage], window: Window) -> bool {
    let is_sound = |held: &Coverage| !held.open && held.origin == Origin::Fetched;
    let windows: Vec<Window> = held.iter().map(|held| held.window).collect();
    held.iter().all(is_sound) && subtract(window, &windows).is_empty()
}

/// Returns the positions of the times (ascending Unix milliseconds) that lie in the window.
fn positions(ts_ms: &[i64], window: Window) -> std::ops::Range<usize> {
    let before = |end_ms: i64| ts_ms.partition_point(|&at| at < end_ms);
    before(window.start().as_millisecond())..before(window.end().as_millisecond())
}
