//! One set of calls: a pure machine decides, a driver performs.
//!
//! [`Machine`] maps (state, event, now) to actions and touches nothing; the driver, or a simulation on a virtual clock,
//! performs the actions and reports the events.

mod bisect;
mod call;
mod decision;
mod drive;
mod error;
mod fetch_job;
mod forecast;
mod learn;
mod machine;
mod observer;
mod protocol;
mod query_state;
mod refusal;
mod schedule;
mod sink;

pub use drive::{Doors, Extract, RunLog, drive};
pub use error::Error;
pub use fetch_job::{FetchJob, FetchOutcome};
pub use forecast::Forecast;
pub use machine::Machine;
pub use observer::Observer;
pub use protocol::{Action, Ask, Breakage, Call, End, Event, Facts, Form, Progress, Settings};
pub use sink::{AnswerSink, AskedCall, ReadAnswer, Recorded, list};

#[cfg(test)]
mod tests;
