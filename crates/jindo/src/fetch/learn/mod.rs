//! Learners: what a server takes and keeps, found out from its answers. Each owns what it knows and returns [`Consequence`]s; none
//! makes a call or touches the queue.
//!
//! [`Consequence`]: super::consequence::Consequence

mod answer_size;
mod list_length;
mod points_cap;
mod query_cap;
mod retention;
mod url_length;

pub(super) use answer_size::{TooLarge, Weights};
pub(super) use list_length::ListLength;
pub(super) use points_cap::PointsCap;
pub(super) use query_cap::{Coarse, QueryCap};
pub(super) use retention::RetentionEdge;
pub(super) use url_length::UrlLength;
