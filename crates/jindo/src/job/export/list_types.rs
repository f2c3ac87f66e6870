//! The types of a list's metrics: those that are kept, those that cannot be had, and what follows for a query.

use crate::archive::{Archive, KnownType};
use crate::job::error::Error;
use crate::query::{MetricType, MetricTypes, Query};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A known type is asked again by a run that makes calls anyway once it is so old: types change rarely, by hand.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Types of a list's metrics, as far as they are known.
#[derive(Debug, Clone, Default)]
pub struct ListTypes {
    /// By which the list is read.
    pub(super) known: MetricTypes,
    /// Metrics whose type could not be had, and why; their queries are given up before they are asked.
    pub(super) denied: BTreeMap<String, String>,
    /// Kept types that are to be asked again with the first calls: the metric was not there, or long ago.
    pub(super) doubtful: BTreeSet<String>,
    /// Types that the user assumed for metrics whose own could not be had, and by which data was fetched. They hold as long as the
    /// user says so.
    pub(super) assumed: MetricTypes,
}

/// A metric whose metadata names another type than the one by which its data was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeChange {
    pub metric: String,
    pub used: MetricType,
    pub origin: TypeOrigin,
    pub now: MetricType,
}

/// Source of the type by which data was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeOrigin {
    /// The metric's metadata. The type is kept although it changed, and so is the data.
    Metadata,
    /// The user. The metric's own type takes its place.
    Assumption,
}

impl ListTypes {
    /// Reads what earlier runs were told, and assumes again what the user assumes again: no call is needed to know that it still
    /// holds.
    pub(super) fn read(
        archive: &Archive,
        assumed: Option<MetricType>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut types = Self::default();
        for KnownType { metric, of, found_at } in archive.ledger().metric_types()? {
            if of == MetricType::Absent || now.duration_since(found_at) > BELIEVED_FOR {
                types.doubtful.insert(metric.clone());
            }
            types.known.insert(metric, of);
        }
        types.assumed = archive.assumed_types()?;
        types.assumed.retain(|metric, _| !types.known.contains_key(metric));
        if let Some(assumed) = assumed {
            let metrics = types.assumed.keys();
            types.doubtful.extend(metrics.clone().cloned());
            types.known.extend(metrics.map(|metric| (metric.clone(), assumed)));
        }
        Ok(types)
    }

    /// Returns the metric whose type is missing, and why, where a query is given up for it.
    pub(super) fn denied(&self, query: &Query) -> Option<(&String, &String)> {
        let metrics = query.text.sent.typed_metrics();
        metrics.into_iter().find_map(|metric| self.denied.get_key_value(metric))
    }

    /// Returns the metrics of these queries on which a modifier does nothing, each once.
    pub(super) fn ineffective<'a>(&self, queries: &'a [Query]) -> BTreeSet<&'a str> {
        let metrics = queries.iter().flat_map(|query| query.text.sent.typed_metrics());
        let ignores =
            |metric: &&str| self.known.get(*metric).is_some_and(|of| of.ignores_modifiers());
        metrics.filter(ignores).collect()
    }
}
