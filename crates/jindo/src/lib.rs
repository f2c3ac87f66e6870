//! jindo brings Datadog metrics home.
//!
//! The folders are the journey of the data, in its order:
//! [`query`] → [`plan`] → [`request`] → [`parse`] → [`archive`] → [`extract`], and [`run`] is the loop around them.
//! The library prints nothing and never ends the process.

pub mod archive;
pub mod clock;
pub mod extract;
pub mod parse;
pub mod plain;
pub mod plan;
pub mod query;
pub mod request;
pub mod run;
pub mod secret;
