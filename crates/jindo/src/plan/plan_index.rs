//! Indexes of a plan's queries, and lists with one entry per query that only such an index reads. Pure.

use std::fmt;
use std::ops::{Deref, DerefMut, Index, IndexMut};

/// Index of a query in its plan, in list order, from 0. Not to be taken for the query's position in one call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanIndex(usize);

impl PlanIndex {
    pub const fn new(number: usize) -> Self {
        Self(number)
    }

    pub const fn number(self) -> usize {
        self.0
    }
}

/// Shows the number alone: a call's list reads `[0, 2, 5]`.
impl fmt::Debug for PlanIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One entry for each query of a plan, in list order.
#[derive(Debug, Clone, PartialEq)]
pub struct PerQuery<T>(Vec<T>);

impl<T> PerQuery<T> {
    /// Returns the index of every query, in list order.
    pub fn indexes(&self) -> impl ExactSizeIterator<Item = PlanIndex> + use<T> {
        (0..self.0.len()).map(PlanIndex)
    }

    /// Returns every entry with its query's index, in list order.
    pub fn indexed(&self) -> impl Iterator<Item = (PlanIndex, &T)> {
        self.indexes().zip(&self.0)
    }
}

impl<T: Clone> PerQuery<T> {
    /// Makes a list with the same entry for each of `queries` queries.
    pub fn filled(entry: T, queries: usize) -> Self {
        Self(vec![entry; queries])
    }
}

impl<T> Index<PlanIndex> for PerQuery<T> {
    type Output = T;

    fn index(&self, index: PlanIndex) -> &T {
        &self.0[index.0]
    }
}

impl<T> IndexMut<PlanIndex> for PerQuery<T> {
    fn index_mut(&mut self, index: PlanIndex) -> &mut T {
        &mut self.0[index.0]
    }
}

impl<T> Deref for PerQuery<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for PerQuery<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> From<Vec<T>> for PerQuery<T> {
    fn from(entries: Vec<T>) -> Self {
        Self(entries)
    }
}

impl<T> FromIterator<T> for PerQuery<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<T> IntoIterator for PerQuery<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a PerQuery<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
