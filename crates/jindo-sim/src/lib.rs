//! A simulated Datadog metrics API for tests: as strict as the real one, with its limits and faults. It shares no code
//! with the client under test, so that one misreading of the API cannot pass on both sides.
//!
//! Three layers, each usable alone: the data ([`Organisation`], whose [`Organisation::expected`] is the oracle of the
//! tests), the API as a pure function ([`Api::answer`], driven by any clock), and a server ([`Simulator`], [`serve`]).
//! Marks in the docs give the source of a behaviour: `(DOC)` documented, `(REC)` recorded, `(USER)` reported by users,
//! `(INF)` inferred, `(UNK)` unknown, so a choice.

mod api;
mod clip;
mod evaluate;
mod faults;
mod grammar;
mod grid;
mod json;
mod noise;
mod options;
mod organisation;
mod rate;
mod resolution;
mod server;
mod stats;
mod wire;

pub use api::{Admission, Api, QueryCall};
pub use clip::{Clip, ClipError};
pub use faults::{Fault, Faults, FaultsError};
pub use grammar::ParseError;
pub use options::{
    API_KEY, APP_KEY, BucketAtTo, Compression, Metadata, Options, OverPoints, Patience, Refusal,
};
pub use organisation::{
    Expected, ExpectedError, Kind, Life, Metric, Organisation, Presence, Shape, Signal, Source,
    Unit, WIDE_QUERY, built_in_list, built_in_queries, variety_queries,
};
pub use rate::{HeaderStyle, Limit, RateWindow};
pub use resolution::INTERVALS_S;
pub use server::{Simulator, serve};
pub use stats::Stats;
pub use wire::{Delivery, Request, Response};
