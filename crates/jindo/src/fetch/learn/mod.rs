//! Learners: what a server takes and keeps, found out from its answers. Each owns what it knows and returns [`Decision`]s; none
//! makes a call or touches the queue.
//!
//! [`Decision`]: super::decision::Decision

mod list_length;
mod points;
mod query_cap;
mod retention;
mod url_length;
mod weight;

pub(super) use list_length::ListLength;
pub(super) use points::PointsCap;
pub(super) use query_cap::{Coarse, QueryCap};
pub(super) use retention::RetentionEdge;
pub(super) use url_length::UrlLength;
pub(super) use weight::{TooLarge, Weights};
