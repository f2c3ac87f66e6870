//! The way back up: an answer that is larger than what was learnt raises the cap on points, or refutes it. Pure.

use crate::fetch::call::points;
use crate::fetch::consequence::Consequence;
use crate::fetch::protocol::Facts;
use crate::fetch::query_state::{QueryStates, Served};
use crate::plan::{LearntLimit, Limits, Task};

#[derive(Debug)]
pub(crate) struct Raises {
    /// Limits that hold where nothing else is learnt.
    assumed: Limits,
    /// Fewest points that were refused to all since the cap was lowered. `None`: not known.
    refused: Option<u32>,
}

impl Raises {
    pub(crate) fn new(assumed: Limits) -> Self {
        Self { assumed, refused: None }
    }

    /// Takes in that so many points are too many for all.
    pub(crate) fn lowered(&mut self, points: u32) {
        self.refused = Some(self.refused.map_or(points, |refused| refused.min(points)));
    }

    /// Takes in an answer. One with points that is larger than the cap raises it, or refutes it where nothing smaller was refused; of
    /// single queries with a cap of their own likewise.
    pub(crate) fn answered(
        &mut self,
        task: &Task,
        facts: &Facts,
        states: &mut QueryStates,
        limits: Limits,
    ) -> Vec<Consequence> {
        let mut consequences = Vec::new();
        if !facts.holds_points() {
            return consequences;
        }
        let most = points(task).saturating_add(1);
        for (&query, &points) in task.queries.iter().zip(&facts.points) {
            let served = &mut states.all[query].served;
            if points > 0 && matches!(*served, Served::AtMost(cap) if cap < most) {
                *served = Served::AtMost(most);
                consequences.push(Consequence::Replan);
            }
        }
        if most > limits.points && limits.points < self.assumed.points {
            let is_below = self.refused.is_some_and(|refused| refused >= most);
            consequences.push(if is_below {
                let why = format!("{} points came through", most - 1);
                Consequence::Limit { limit: LearntLimit::Points(most), why }
            } else {
                self.refused = None;
                Consequence::Refuted(LearntLimit::Points(limits.points))
            });
        }
        consequences
    }
}
