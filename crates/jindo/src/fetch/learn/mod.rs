//! Learners: what a server takes and keeps, found out from its answers. Each owns what it knows and returns [`Consequence`]s; none
//! makes a call or touches the queue.
//!
//! [`Consequence`]: super::consequence::Consequence

mod answer_size;
mod clipping;
mod evidence;
mod lengths;
mod points_cap;
mod raise;
mod retention;

pub(super) use answer_size::Weights;
pub(super) use clipping::{Clipping, Verdict};
pub(super) use evidence::Evidence;
pub(super) use lengths::{ListLength, UrlLength};
pub(super) use points_cap::{Coarse, PointsCap, QueryCap};
pub(super) use raise::{Attempt, Raises, Subject};
pub(super) use retention::RetentionEdge;
