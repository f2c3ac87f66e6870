//! jindo brings Datadog metrics home.
//!
//! The folders are the journey of the data, in its order:
//! [`query`] → [`plan`] → [`request`] → [`parse`] → [`archive`] → [`extract`]; [`fetch`] makes one set of calls, and [`job`]
//! decides which.
//! The library prints nothing and never ends the process.

pub mod archive;
mod case_fold;
pub mod clock;
pub mod digest;
pub mod extract;
pub mod fetch;
pub mod job;
mod own_thread;
pub mod packed_tags;
pub mod panics;
pub mod parse;
pub mod path_guard;
pub mod plan;
pub mod query;
pub mod request;
pub mod secret;
pub mod text;
