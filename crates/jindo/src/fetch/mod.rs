//! One set of calls: a pure machine decides, a driver performs.
//!
//! [`Machine`] maps (state, event, now) to actions and touches nothing; the driver, or a simulation on a virtual clock,
//! performs the actions and reports the events.

mod bisect;
mod call;
mod decision;
mod driver;
mod error;
mod forecast;
mod learn;
mod log;
mod machine;
mod outage;
mod pipeline;
mod protocol;
mod query_state;
mod queue;
mod refusal;
mod report;
mod scheduler;
mod sink;

pub use driver::{Doors, Extract, FetchJob, FetchOutcome, drive};
pub use error::Error;
pub use forecast::Forecast;
pub use log::RunLog;
pub use machine::Machine;
pub use protocol::{Action, Ask, Breakage, Call, End, Event, Facts, Form, Progress, Settings};
pub use report::Report;
pub use sink::{AnswerSink, AskedCall, ReadAnswer, Recorded, list};

#[cfg(test)]
mod tests;
