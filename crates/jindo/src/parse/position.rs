//! Positions of queries within one call.

use std::fmt;

/// Position of a query in one call's comma list, from 0: the server's `query_index`. Not to be taken for the query's index
/// in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallPosition(usize);

impl CallPosition {
    pub const fn new(number: usize) -> Self {
        Self(number)
    }

    pub const fn number(self) -> usize {
        self.0
    }

    /// Returns the positions of all queries of a call of so many.
    pub fn all(queries: usize) -> impl Iterator<Item = Self> {
        (0..queries).map(Self)
    }

    /// Returns what stands at this position in a list that has one entry per query of the call.
    pub fn of<T>(self, list: &[T]) -> &T {
        &list[self.0]
    }
}

/// Shows the number alone.
impl fmt::Debug for CallPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CallPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
