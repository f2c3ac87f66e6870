//! One set of calls: a pure machine decides, a driver performs.
//!
//! [`Machine`] maps (state, event, now) to actions and touches nothing; the driver, or a simulation on a virtual clock,
//! performs the actions and reports the events.

mod bisect;
mod call;
mod consequence;
mod drive;
mod fetch_job;
mod forecast;
mod learn;
mod lookup;
mod machine;
mod protocol;
mod query_state;
mod queue;
mod run_log;
mod scheduler;

pub use drive::{Doors, Extract, drive};
pub use fetch_job::{
    AnswerSink, AskedCall, FetchJob, FetchOutcome, Observer, ReadAnswer, Recorded, list,
};
pub use forecast::{Forecast, Milestone};
pub use lookup::{LookupAction, LookupDoors, LookupEvent, LookupFailure, Lookups, drive_lookups};
pub use machine::Machine;
pub use protocol::{
    Action, Ask, Breakage, Call, Clipped, Decision, End, Errand, Error, Event, Facts, Form, Lesson,
    Progress, Settings,
};
pub use run_log::RunLog;

#[cfg(test)]
mod tests;
