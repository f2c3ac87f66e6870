//! A simulated Datadog metrics API: the stand-in for a service that no test can reach, as strict and as nasty as the
//! real one. It shares no code with what it tests, so that one misreading cannot pass on both sides.
//!
//! Three layers, each of use alone: the data ([`Organisation`], whose [`Organisation::expected`] is the oracle of every
//! test), the API as a pure function ([`Api::answer`], driven by any clock), and a server ([`Simulator`], [`serve`]).
//! Marks in the docs say how a behaviour is known: `(DOC)` documented, `(REC)` recorded, `(USER)` reported by users,
//! `(INF)` inferred, `(UNK)` unknown, so a choice.

mod api;
mod evaluate;
mod faults;
mod grammar;
mod json;
mod noise;
mod options;
mod organisation;
mod rate;
mod resolution;
mod server;
mod stats;
mod wire;

pub use api::{Admitted, Api, Job};
pub use faults::{Fault, Faults, FaultsError};
pub use grammar::ParseError;
pub use options::{API_KEY, APP_KEY, BucketAtTo, Compression, Options, OverPoints, Refusal};
pub use organisation::{
    Expected, ExpectedError, Kind, Life, Metric, Organisation, Presence, Shape, Signal, Source,
    Unit, WIDE_QUERY, built_in_list, built_in_queries, variety_queries,
};
pub use rate::{HeaderStyle, Limit, RateWindow};
pub use resolution::INTERVALS_S;
pub use server::{Simulator, serve};
pub use stats::Stats;
pub use wire::{Delivery, Request, Response};
